//! Which pages of other sites may ask: those of the origins in the settings, and none by default.

use std::time::Duration;

use axum::http::Method;
use axum::http::header::{self, HeaderName, HeaderValue};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long a browser may keep what it was told before it asked.
const MAX_AGE: Duration = Duration::from_mins(10);

/// What a page may send beyond what every page may.
const SENT: [HeaderName; 7] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    HeaderName::from_static("graphql-require-preflight"),
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("x-csrf-token"),
    HeaderName::from_static("x-debug"),
    HeaderName::from_static("x-request-id"),
];

/// What a page may read beyond what every page may.
const READ: [HeaderName; 9] = [
    header::RETRY_AFTER,
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-limit"),
    HeaderName::from_static("ratelimit-policy"),
    HeaderName::from_static("ratelimit-remaining"),
    HeaderName::from_static("ratelimit-reset"),
    HeaderName::from_static("x-ratelimit-limit"),
    HeaderName::from_static("x-ratelimit-remaining"),
    HeaderName::from_static("x-request-id"),
];

/// What answers browsers that ask for pages of `origins`; absent where there are none. No origin stands for all, since
/// browsers send cookies along.
pub(super) fn layer(origins: &[String]) -> Option<CorsLayer> {
    let origins: Vec<_> = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect();
    let layer = CorsLayer::new()
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers(SENT)
        .expose_headers(READ)
        .allow_credentials(true)
        .max_age(MAX_AGE);
    (!origins.is_empty()).then(|| layer.allow_origin(AllowOrigin::list(origins)))
}
