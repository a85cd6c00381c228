//! The explorer's pages: `GraphiQL` as built from `web/`, or the plain page when that was not built; and a page about
//! scopes (`scopes.rs`), to which both lead.
//!
//! All are embedded in the program and work without any other host. Each has a policy under which only its own files
//! may run; the plain pages' is tighter, since they need no styles made by scripts. The build leaves compressed copies
//! of the larger texts beside them, which go to whoever takes them.

mod scopes;

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY,
};
use axum::http::{HeaderMap, HeaderValue};
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

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Brotli,
    Gzip,
}

impl Encoding {
    /// The smaller one first.
    const ALL: [Self; 2] = [Self::Brotli, Self::Gzip];

    /// What it is called in headers.
    const fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// How the name of a compressed copy ends.
    const fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Gzip => ".gz",
        }
    }

    /// Whether the client takes it. Of weights only zero counts, which refuses: which of the others to send is ours to
    /// choose. `*` takes everything that is not named.
    fn is_taken(self, headers: &HeaderMap) -> bool {
        let lists = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        let mut of_any = false;
        for entry in lists.flat_map(|list| list.split(',')) {
            let (name, weight) = entry.split_once(';').unwrap_or((entry, ""));
            let taken = !is_zero(weight);
            match name.trim() {
                name if name.eq_ignore_ascii_case(self.name()) => return taken,
                "*" => of_any = taken,
                _ => {}
            }
        }
        of_any
    }
}

/// Whether a weight, `q=` and a number with at most three decimals, is zero.
fn is_zero(weight: &str) -> bool {
    let number = weight.trim().trim_start_matches(['q', 'Q']).trim_start().trim_start_matches('=').trim();
    !number.is_empty() && number.bytes().all(|byte| byte == b'0' || byte == b'.')
}

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
        ExplorerMode::Full | ExplorerMode::Fallback => PLAIN.iter().fold(Router::new(), with_plain),
    };
    let pages = SCOPES.iter().fold(pages, with_plain);
    pages.route("/explorer/scopes", get(about_scopes)).route("/explorer/config.json", get(config))
}

/// A file that is served as it stands in the source.
#[derive(Debug)]
struct PlainFile {
    route: &'static str,
    /// Its name there, which also tells its type.
    name: &'static str,
    text: &'static str,
}

/// The plain page.
static PLAIN: [PlainFile; 3] = [
    PlainFile { route: "/", name: "fallback.html", text: include_str!("explorer/fallback.html") },
    PlainFile { route: "/fallback.css", name: "fallback.css", text: include_str!("explorer/fallback.css") },
    PlainFile { route: "/fallback.js", name: "fallback.js", text: include_str!("explorer/fallback.js") },
];

/// What the page about scopes needs.
static SCOPES: [PlainFile; 1] =
    [PlainFile { route: "/explorer/scopes.css", name: "scopes.css", text: include_str!("explorer/scopes.css") }];

fn with_plain(router: Router<Arc<AppState>>, file: &'static PlainFile) -> Router<Arc<AppState>> {
    router.route(file.route, get(move |headers: HeaderMap| async move { plain(file, &headers) }))
}

async fn about_scopes() -> Response {
    page("text/html; charset=utf-8", PLAIN_POLICY, CHECK_AGAIN, Cow::Borrowed(scopes::PAGE.as_bytes()))
}

/// What the pages are set up with. In a demo it has tokens, so it is kept nowhere.
async fn config(State(state): State<Arc<AppState>>) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(&state.explorer_config)).into_response()
}

async fn index(Extension(id): Extension<RequestId>, headers: HeaderMap) -> Response {
    built("index.html", CHECK_AGAIN, &headers, &id)
}

async fn asset(
    path: Result<Path<String>, PathRejection>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
) -> Response {
    // Bytes that are no text name no file.
    let Ok(Path(file)) = path else { return error::nothing_here(&id) };
    let is_name =
        !file.starts_with('.') && file.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    // Copies are reached by the name of what they are a copy of.
    let is_copy = Encoding::ALL.iter().any(|encoding| file.ends_with(encoding.suffix()));
    if !is_name || is_copy {
        return error::nothing_here(&id);
    }
    let caching = if file == LICENCES { CHECK_AGAIN } else { FOR_EVER };
    built(&format!("assets/{file}"), caching, &headers, &id)
}

/// A built file, as small as the client takes it.
fn built(path: &str, caching: &'static str, headers: &HeaderMap, id: &RequestId) -> Response {
    let find = |name: &str| Built::get(name).map(|file| file.data);
    match smallest(path, headers, find) {
        Some(found) => encoded(content_type(path), FULL_POLICY, caching, found),
        None => error::nothing_here(id),
    }
}

/// A file of the source, as small as the client takes it. Its copies are made when the explorer is built; those of an
/// older text are not sent.
fn plain(file: &'static PlainFile, headers: &HeaderMap) -> Response {
    let path = format!("plain/{}", file.name);
    let has_copies = Built::get(&path).is_some_and(|built| *built.data == *file.text.as_bytes());
    let find = |name: &str| if has_copies { Built::get(name).map(|built| built.data) } else { None };
    let found = smallest(&path, headers, find).unwrap_or((Cow::Borrowed(file.text.as_bytes()), None));
    encoded(content_type(file.name), PLAIN_POLICY, CHECK_AGAIN, found)
}

/// A file in one of its encodings, of which others may get another.
fn encoded(
    content_type: &'static str,
    policy: &'static str,
    caching: &'static str,
    (body, encoding): (Cow<'static, [u8]>, Option<Encoding>),
) -> Response {
    let mut response = page(content_type, policy, caching, body);
    let sent = response.headers_mut();
    sent.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(encoding) = encoding {
        sent.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
    }
    response
}

/// The best copy of a file that there is and the client takes, with its encoding; the file itself where there is none.
fn smallest<Body>(
    path: &str,
    headers: &HeaderMap,
    find: impl Fn(&str) -> Option<Body>,
) -> Option<(Body, Option<Encoding>)> {
    let taken = Encoding::ALL.into_iter().filter(|encoding| encoding.is_taken(headers));
    let mut copies =
        taken.filter_map(|encoding| Some((find(&format!("{path}{}", encoding.suffix()))?, Some(encoding))));
    copies.next().or_else(|| Some((find(path)?, None)))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn accepting(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (ACCEPT_ENCODING, HeaderValue::from_static(value))).collect()
    }

    /// What is sent of a text that has both copies.
    fn sent(values: &[&'static str]) -> String {
        smallest("a.js", &accepting(values), |name| Some(name.to_owned())).unwrap().0
    }

    #[test]
    fn the_smallest_copy_that_is_taken_is_sent() {
        assert_eq!(sent(&["gzip, deflate, br, zstd"]), "a.js.br");
        assert_eq!(sent(&["gzip", "br"]), "a.js.br");
        assert_eq!(sent(&["deflate, GZip"]), "a.js.gz");
        assert_eq!(sent(&["*"]), "a.js.br");
    }

    #[test]
    fn a_client_that_takes_neither_gets_the_file_itself() {
        assert_eq!(sent(&[]), "a.js");
        assert_eq!(sent(&["", "identity, deflate, brotli"]), "a.js");
    }

    #[test]
    fn weight_zero_refuses() {
        assert_eq!(sent(&["br;q=0, gzip;q=0.5"]), "a.js.gz");
        assert_eq!(sent(&["br ; q=0.001"]), "a.js.br");
        assert_eq!(sent(&["*, br;q=0"]), "a.js.gz");
        assert_eq!(sent(&["gzip;q=0.000, *;q=0"]), "a.js");
    }

    #[test]
    fn what_has_no_copy_is_sent_as_it_is() {
        let only = |there: &'static str| move |name: &str| (name == there).then_some(());
        let headers = accepting(&["br, gzip"]);
        assert_eq!(smallest("a.ttf", &headers, only("a.ttf")), Some(((), None)));
        assert_eq!(smallest("a.js", &headers, only("a.js.gz")), Some(((), Some(Encoding::Gzip))));
        assert_eq!(smallest("a.js", &headers, only("b.js")), None);
    }

    #[test]
    fn every_copy_of_a_built_file_is_smaller_than_it() {
        for name in Built::iter() {
            let Some(original) = Encoding::ALL.iter().find_map(|encoding| name.strip_suffix(encoding.suffix())) else {
                continue;
            };
            let size = |name: &str| Built::get(name).map(|file| file.data.len());
            assert!(size(&name) < size(original), "{name}");
            assert_ne!(content_type(original), "application/octet-stream", "{original}");
        }
    }
}
