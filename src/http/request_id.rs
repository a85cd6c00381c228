//! Follows one request: its id, its log line, and its end when it panics.
//!
//! The id is ours, or the caller's when it is harmless. It is on the answer, on every log line of the request, and in
//! errors that say nothing else. The one line per request has no query string, no variables, no headers.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use futures::FutureExt;
use tracing::Instrument;
use ulid::Ulid;

use super::{GRAPHQL_PATH, error, health, media, metrics, pay_url, webhooks};
use crate::stats::HttpStats;

/// The header the id travels in, both ways.
const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Length of a caller's id.
const LENGTH_MAX: usize = 64;

/// The id of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RequestId(Arc<str>);

impl RequestId {
    /// The caller's id if it sent exactly one that is short and plain, else a new one.
    fn of(headers: &HeaderMap) -> Self {
        let mut stated = headers.get_all(&HEADER).iter();
        let only = stated.next().filter(|_first| stated.next().is_none());
        match only.and_then(|value| value.to_str().ok()).filter(|text| is_plain(text)) {
            Some(text) => Self(text.into()),
            None => Self(Ulid::new().to_string().into()),
        }
    }

    /// The id as text.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    #[cfg(test)]
    pub(super) fn of_test() -> Self {
        Self("test".into())
    }
}

fn is_plain(text: &str) -> bool {
    (1..=LENGTH_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// Routes that are counted by themselves; all other pages are the explorer's.
const ROUTES: [&str; 7] =
    [GRAPHQL_PATH, pay_url::PATH, webhooks::PATH, health::LIVE, health::READY, health::VERSION, metrics::PATH];

/// The route of a request as it is counted: a path that nobody serves is the client's own word.
fn route(request: &Request) -> &'static str {
    let Some(path) = request.extensions().get::<MatchedPath>() else { return "none" };
    ROUTES.into_iter().find(|route| *route == path.as_str()).unwrap_or("explorer")
}

/// The method of a request as it is counted. A client may make up others.
fn method(method: &Method) -> &'static str {
    let known = [("GET", Method::GET), ("POST", Method::POST), ("HEAD", Method::HEAD), ("OPTIONS", Method::OPTIONS)];
    known.into_iter().find(|(_, known)| known == method).map_or("other", |(word, _)| word)
}

/// Runs a request under its id. Where it is not counted, it is not worth a line either.
pub(super) async fn follow(State(stats): State<Option<HttpStats>>, mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    request.extensions_mut().insert(id.clone());
    let span = tracing::info_span!("request", request.id = id.as_str());
    answered(request, next, &id, stats).instrument(span).await
}

async fn answered(request: Request, next: Next, id: &RequestId, stats: Option<HttpStats>) -> Response {
    let started = Instant::now();
    let counted = stats.as_ref().map(|stats| stats.begin(route(&request), method(request.method())));
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let media = media::accepted_or_json(request.headers());
    // What a handler shares between requests is safe to use after a panic: pools, counters, an immutable schema.
    let mut response = match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_panic) => {
            tracing::error!("the request panicked");
            if let Some(stats) = &stats {
                stats.panicked();
            }
            error::panicked(&path, media, id)
        }
    };
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(HEADER, value);
    }
    let (status, duration_ms) = (response.status().as_u16(), started.elapsed().as_millis());
    if let Some(counted) = counted {
        counted.answered(status);
        tracing::info!(%method, path, status, duration_ms, "request answered");
    } else {
        tracing::debug!(%method, path, status, duration_ms, "request answered");
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(values: &[&'static str]) -> String {
        let headers = values.iter().map(|value| (HEADER, HeaderValue::from_static(value))).collect();
        RequestId::of(&headers).as_str().to_owned()
    }

    #[test]
    fn a_plain_id_of_the_caller_is_taken_over() {
        for plain in ["a", "req-1_2.3", "0123456789012345678901234567890123456789012345678901234567890123"] {
            assert_eq!(id(&[plain]), plain);
        }
    }

    #[test]
    fn any_other_id_is_replaced_by_ours() {
        let long = "01234567890123456789012345678901234567890123456789012345678901234";
        for values in [&[][..], &[""], &["a b"], &["<script>"], &["a/b"], &[long], &["a", "b"]] {
            let ours = id(values);
            assert_eq!(ours.len(), 26, "{values:?}");
            assert!(is_plain(&ours));
        }
    }
}
