//! `/metrics`, on a listener of its own: what it tells is not for clients.

use std::time::Duration;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::{error, headers, request_id};

/// Where metrics are.
pub(super) const PATH: &str = "/metrics";

/// The format, by its name in HTTP.
const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The one route of the listener for metrics. `read` gives them as text, each time anew.
pub fn metrics_router<F>(read: impl Fn() -> F + Clone + Send + Sync + 'static) -> Router
where
    F: Future<Output = String> + Send + 'static,
{
    let shown = move || {
        let text = read();
        async move { show(text.await) }
    };
    Router::new()
        .route(PATH, get(shown))
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed)
        .layer(from_fn_with_state(None, request_id::follow))
        .layer(from_fn_with_state(Duration::ZERO, headers::secure))
}

fn show(text: String) -> Response {
    ([(CONTENT_TYPE, FORMAT), (CACHE_CONTROL, "no-store")], text).into_response()
}
