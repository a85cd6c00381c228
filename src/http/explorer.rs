//! The explorer's pages: `GraphiQL` as built from `web/`, or the plain page when that was not built.
//!
//! Both are embedded in the program and work without any other host. Each has a policy under which only its own files
//! may run; the plain page's is tighter, since it needs no styles made by scripts.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use rust_embed::Embed;

use super::request_id::RequestId;
use super::{AppState, error};

const FULL_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const PLAIN_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

/// May be kept, but must be asked for again before it is used.
const CHECK_AGAIN: &str = "no-cache";

/// The name has a hash of the content: it never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// The one file under `assets/` whose name has no hash.
const LICENCES: &str = "licenses.md";

/// Which explorer is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExplorerMode {
    /// `GraphiQL`; the plain page, with a warning in the log, where the program was built without it.
    Full,
    /// The plain page.
    Fallback,
    /// None.
    Off,
}

#[derive(Embed)]
#[folder = "$CARGO_MANIFEST_DIR/web/dist"]
#[allow_missing = true]
struct Built;

/// The explorer's routes; none when it is off.
pub(super) fn routes(mode: ExplorerMode) -> Router<Arc<AppState>> {
    let is_built = Built::get("index.html").is_some();
    if mode == ExplorerMode::Full && !is_built {
        tracing::warn!("the explorer was not built into this program; the plain page is served instead");
    }
    let pages = match mode {
        ExplorerMode::Off => return Router::new(),
        ExplorerMode::Full if is_built => Router::new().route("/", get(index)).route("/assets/{file}", get(asset)),
        ExplorerMode::Full | ExplorerMode::Fallback => Router::new()
            .route("/", get(async || plain("text/html; charset=utf-8", include_str!("explorer/fallback.html"))))
            .route(
                "/fallback.css",
                get(async || plain("text/css; charset=utf-8", include_str!("explorer/fallback.css"))),
            )
            .route(
                "/fallback.js",
                get(async || plain("text/javascript; charset=utf-8", include_str!("explorer/fallback.js"))),
            ),
    };
    pages.route("/explorer/config.json", get(config))
}

/// What the pages are set up with. In a demo it has tokens, so it is kept nowhere.
async fn config(State(state): State<Arc<AppState>>) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(&state.explorer_config)).into_response()
}

async fn index(Extension(id): Extension<RequestId>) -> Response {
    built("index.html", CHECK_AGAIN, &id)
}

async fn asset(Path(file): Path<String>, Extension(id): Extension<RequestId>) -> Response {
    let is_name =
        !file.starts_with('.') && file.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if !is_name {
        return error::nothing_here(&id);
    }
    let caching = if file == LICENCES { CHECK_AGAIN } else { FOR_EVER };
    built(&format!("assets/{file}"), caching, &id)
}

fn built(path: &str, caching: &'static str, id: &RequestId) -> Response {
    match Built::get(path) {
        Some(file) => page(content_type(path), FULL_POLICY, caching, file.data),
        None => error::nothing_here(id),
    }
}

fn plain(content_type: &'static str, text: &'static str) -> Response {
    page(content_type, PLAIN_POLICY, CHECK_AGAIN, Cow::Borrowed(text.as_bytes()))
}

fn page(content_type: &'static str, policy: &'static str, caching: &'static str, body: Cow<'static, [u8]>) -> Response {
    let headers = [(CONTENT_TYPE, content_type), (CONTENT_SECURITY_POLICY, policy), (CACHE_CONTROL, caching)];
    (headers, body).into_response()
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("ttf") => "font/ttf",
        Some("woff2") => "font/woff2",
        Some("json" | "map") => "application/json",
        Some("md" | "txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
