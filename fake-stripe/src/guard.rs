//! What every call to the API goes through: it is recorded, may meet a fault, must show a key, and has a limit.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use serde_json::Value;

use crate::Shared;
use crate::api::needed;
use crate::error::{Refusal, SHOULD_RETRY};
use crate::fault::{Endpoint, FaultKind};
use crate::world::{Call, Caller};

/// In what pieces an oversized body is sent.
const PIECE: usize = 64 * 1024;

/// After what time a body is cut, so that its beginning is on its way.
const CUT_AFTER: Duration = Duration::from_millis(20);

/// Marks an answer in whose place the connection is closed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HangUp;

/// Lets a call through to its handler, or answers in its place.
pub(crate) async fn guard(State(shared): State<Shared>, mut request: Request, next: Next) -> Response {
    let call = noted(&request);
    let endpoint = call.endpoint;
    let (key, account) = (call.key.clone(), call.account.clone());
    let version = request.headers().get("stripe-version").cloned();
    let number = shared.world().begin(call);
    let mut ending = Ending { shared: shared.clone(), number, status: None };
    let fault = shared.world().fault(endpoint);
    let mut response = match interrupt(&shared, fault.as_ref()).await {
        Some(response) => response,
        None => match admit(&shared, endpoint, key.as_deref(), account.as_deref()) {
            Err(refusal) => refusal.into_response(),
            Ok(caller) => {
                request.extensions_mut().insert(caller);
                spoil(next.run(request).await, fault).await
            }
        },
    };
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&format!("req_fake{number:010}")) {
        headers.insert("request-id", id);
    }
    if let Some(version) = version {
        headers.insert("stripe-version", version);
    }
    ending.status = Some(response.status().as_u16());
    response
}

/// Notes the end of a call, also of one whose caller went away.
#[derive(Debug)]
struct Ending {
    shared: Shared,
    number: u64,
    status: Option<u16>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.shared.world().end(self.number, self.status);
    }
}

fn noted(request: &Request) -> Call {
    let text = |name: &str| header_text(request.headers(), name);
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let endpoint = match path {
        _ if request.method() != Method::GET => Endpoint::Other,
        Some("/v1/invoices/{id}") => Endpoint::Invoice,
        Some("/v1/invoices") => Endpoint::Invoices,
        Some("/v1/invoice_payments") => Endpoint::InvoicePayments,
        Some("/v1/charges/{id}") => Endpoint::Charge,
        Some("/v1/events") => Endpoint::Events,
        _ => Endpoint::Other,
    };
    Call {
        number: 0,
        endpoint,
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        key: text("authorization").and_then(|shown| shown.strip_prefix("Bearer ").map(str::to_owned)),
        account: text("stripe-account"),
        version: text("stripe-version"),
        user_agent: text("user-agent"),
        status: None,
    }
}

fn header_text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn admit(shared: &Shared, endpoint: Endpoint, key: Option<&str>, account: Option<&str>) -> Result<Caller, Refusal> {
    let mut world = shared.world();
    let caller = world.authenticate(key, account)?;
    if let Some(permission) = needed(endpoint) {
        world.view(&caller).may(permission)?;
    }
    if world.within_rate(endpoint, &caller.account) { Ok(caller) } else { Err(Refusal::limited("endpoint-rate")) }
}

/// What a fault answers in place of the handler.
async fn interrupt(shared: &Shared, fault: Option<&FaultKind>) -> Option<Response> {
    match fault? {
        FaultKind::Status { status, retry_after, should_retry, reason } => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut refusal = match status {
                StatusCode::TOO_MANY_REQUESTS => Refusal::limited(reason.as_deref().unwrap_or("endpoint-rate")),
                StatusCode::UNAUTHORIZED => Refusal::unknown_key(None),
                StatusCode::FORBIDDEN => Refusal::forbidden("rak_invoice_read", "acct_fake"),
                status => Refusal::failed(status),
            };
            let headers = [
                ("retry-after", retry_after.map(|seconds| seconds.to_string())),
                (SHOULD_RETRY, should_retry.map(|may| may.to_string())),
            ];
            refusal.headers.extend(headers.into_iter().filter_map(|(name, value)| Some((name, value?))));
            Some(refusal.into_response())
        }
        FaultKind::Delay(millis) => {
            tokio::time::sleep(Duration::from_millis(*millis)).await;
            None
        }
        FaultKind::Hang => std::future::pending().await,
        FaultKind::Reset => {
            let mut response = StatusCode::OK.into_response();
            response.extensions_mut().insert(HangUp);
            Some(response)
        }
        FaultKind::Garbage => Some("<html><body>Down for maintenance</body></html>".into_response()),
        FaultKind::Body(text) => Some(([(header::CONTENT_TYPE, "application/json")], text.clone()).into_response()),
        FaultKind::Redirect(to) => {
            let away = if to.is_empty() { format!("{}/v1/charges/ch_redirected", shared.url()) } else { to.clone() };
            Some((StatusCode::FOUND, [(header::LOCATION, away)]).into_response())
        }
        FaultKind::Truncated | FaultKind::Oversized(_) | FaultKind::HostileUrl(_) => None,
    }
}

/// What a fault makes of the handler's answer.
async fn spoil(response: Response, fault: Option<FaultKind>) -> Response {
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let body = match fault {
        Some(FaultKind::Truncated) => {
            let half = bytes.slice(..bytes.len() / 2);
            let cut = async {
                tokio::time::sleep(CUT_AFTER).await;
                Err(std::io::Error::other("cut here"))
            };
            Body::from_stream(stream::iter([Ok(half)]).chain(stream::once(cut)))
        }
        Some(FaultKind::Oversized(padding)) => {
            let pieces = padding.div_ceil(PIECE);
            let white = axum::body::Bytes::from(vec![b' '; PIECE]);
            let all = std::iter::once(bytes).chain(std::iter::repeat_n(white, pieces));
            Body::from_stream(stream::iter(all.map(Ok::<_, std::io::Error>)))
        }
        Some(FaultKind::HostileUrl(hostile)) => {
            let mut value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            hostile.plant(&mut value);
            Body::from(value.to_string())
        }
        _ => Body::from(bytes),
    };
    let mut response = Response::from_parts(parts, body);
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response
}
