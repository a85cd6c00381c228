//! Follows one request: its id, its log line, and its end when it panics.
//!
//! The id is ours, or the caller's when it is harmless. It is on the answer, on every log line of the request, and in
//! errors that say nothing else. A caller may name several requests alike, or name one like another's: the audit log has
//! our own id, which stands beside the caller's on the log lines. The one line per request has the route's pattern and no
//! word of the client's: no path, no query string, no variables, no headers.

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

use super::client::ClientAddress;
use super::error::{self, Refusal};
use super::{GRAPHQL_PATH, health, media, metrics, pay_url, revoke, session, webhooks};
use crate::stats::HttpStats;

/// The header the id travels in, both ways.
const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Length of a caller's id.
const LENGTH_MAX: usize = 64;

/// The id of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RequestId {
    own: Arc<str>,
    stated: Option<Arc<str>>,
}

impl RequestId {
    /// The caller's id if it sent exactly one that is short and plain, else a new one.
    fn of(headers: &HeaderMap) -> Self {
        let mut stated = headers.get_all(&HEADER).iter();
        let only = stated.next().filter(|_first| stated.next().is_none());
        let stated = only.and_then(|value| value.to_str().ok()).filter(|text| is_plain(text)).map(Arc::from);
        Self { stated, ..Self::new() }
    }

    /// One that nobody had before.
    pub(super) fn new() -> Self {
        Self { own: Ulid::new().to_string().into(), stated: None }
    }

    /// The id that the caller sees: its own word where it said one.
    pub(super) fn as_str(&self) -> &str {
        self.stated.as_deref().unwrap_or(&self.own)
    }

    /// The id that we gave the request, which no other has.
    pub(super) fn own(&self) -> &str {
        &self.own
    }

    #[cfg(test)]
    pub(super) fn of_test() -> Self {
        Self { own: "test".into(), stated: None }
    }
}

fn is_plain(text: &str) -> bool {
    (1..=LENGTH_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// Routes that are counted by themselves; all other pages are the explorer's.
const ROUTES: [&str; 9] = [
    GRAPHQL_PATH,
    pay_url::PATH,
    session::PATH,
    revoke::PATH,
    webhooks::PATH,
    health::LIVE,
    health::READY,
    health::VERSION,
    metrics::PATH,
];

/// The route of a request as it is counted and logged: a path that nobody serves is the client's own word.
fn route(request: &Request) -> &'static str {
    let Some(path) = request.extensions().get::<MatchedPath>() else { return "none" };
    ROUTES.into_iter().find(|route| *route == path.as_str()).unwrap_or("explorer")
}

/// The method of a request as it is counted and logged. A client may make up others.
fn method(method: &Method) -> &'static str {
    let known = [("GET", Method::GET), ("POST", Method::POST), ("HEAD", Method::HEAD), ("OPTIONS", Method::OPTIONS)];
    known.into_iter().find(|(_, known)| known == method).map_or("other", |(word, _)| word)
}

/// Runs a request under its id. Where it is not counted, it is not worth a line either.
pub(super) async fn follow(State(stats): State<Option<HttpStats>>, mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    request.extensions_mut().insert(id.clone());
    let address = request.extensions().get::<ClientAddress>().and_then(|client| client.0);
    let span = tracing::info_span!(
        "request",
        request.id = id.as_str(),
        request.own_id = id.stated.as_ref().map(|_stated| id.own()),
        client.address = address.map(tracing::field::display)
    );
    answered(request, next, &id, stats).instrument(span).await
}

async fn answered(request: Request, next: Next, id: &RequestId, counts: Option<HttpStats>) -> Response {
    let started = Instant::now();
    let (method, route) = (method(request.method()), route(&request));
    let counted = counts.as_ref().map(|counts| counts.begin(route, method));
    let media = media::accepted_or_json(request.headers());
    // What a handler shares between requests is safe to use after a panic: pools, counters, an immutable schema.
    let mut response = match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_panic) => {
            tracing::error!("the request panicked");
            if let Some(counts) = &counts {
                counts.panicked();
            }
            error::refused(&Refusal::Internal, route, media, id)
        }
    };
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(HEADER, value);
    }
    let (status, duration_ms) = (response.status().as_u16(), started.elapsed().as_millis());
    if let Some(counted) = counted {
        counted.answered(status);
        tracing::info!(method, route, status, duration_ms, "request answered");
    } else {
        tracing::debug!(method, route, status, duration_ms, "request answered");
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::http::StatusCode;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use serde_json::{Value, json};
    use tower::ServiceExt;

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

    async fn fall() {
        tokio::task::yield_now().await;
        panic!("with the caller's secret in it");
    }

    /// What is answered at a path, where some fall and others stand.
    async fn answer(router: &Router, path: &str) -> (StatusCode, HeaderMap, Value) {
        let request = Request::builder().uri(path).header(HEADER, "r-1").body(Body::empty()).unwrap();
        let (head, body) = router.clone().oneshot(request).await.unwrap().into_parts();
        let body = to_bytes(body, 10_000).await.unwrap();
        (head.status, head.headers, serde_json::from_slice(&body).unwrap_or_default())
    }

    #[tokio::test]
    async fn a_panic_is_the_answer_of_its_request_alone() {
        let routes =
            Router::new().route("/graphql", get(fall)).route("/fall", get(fall)).route("/stand", get(|| async {}));
        let followed = routes.layer(from_fn_with_state(None, follow));
        let (graphql, fall, stand) =
            tokio::join!(answer(&followed, "/graphql"), answer(&followed, "/fall"), answer(&followed, "/stand"));
        assert_eq!(stand.0, StatusCode::OK);
        for (status, headers, body) in [&graphql, &fall] {
            assert_eq!(
                (*status, &headers[HEADER]),
                (StatusCode::INTERNAL_SERVER_ERROR, &HeaderValue::from_static("r-1"))
            );
            assert!(!body.to_string().contains("secret"), "{body}");
        }
        assert_eq!(graphql.2["errors"][0]["extensions"], json!({ "code": "INTERNAL", "requestId": "r-1" }));
        assert_eq!((&fall.2["code"], &fall.2["instance"]), (&json!("INTERNAL"), &json!("r-1")));
        assert_eq!(answer(&followed, "/stand").await.0, StatusCode::OK);
    }
}
