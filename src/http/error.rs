//! The only place that turns what went wrong outside the resolvers into an answer.
//!
//! At `/graphql` every refusal has the shape of a GraphQL answer, with a stable `extensions.code`; elsewhere it is a
//! problem document (RFC 9457). Messages are fixed words and numbers, at most a name of the request's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Pos, ServerError};
use axum::Extension;
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::answer;
use super::body::BodyError;
use super::cost::Cost;
use super::media::Media;
use super::params::ParamsError;
use super::request_id::RequestId;
use super::variables::VariableError;
use crate::actions::issue_key::CredentialError;
use crate::auth::AuthFailure;
use crate::domain::rate::Exhausted;
use crate::gate::GateError;
use crate::graphql::INTERNAL;
use crate::stats::GraphqlStats;
use crate::store::StoreError;
use crate::stripe::webhook::WebhookError;

/// When to try again after an answer that there is nothing to answer with, in seconds.
const RETRY_AFTER_SECONDS: &str = "2";

/// The code of what is refused because too much is under way.
const OVERLOADED: &str = "OVERLOADED";

const TOO_MANY_CONNECTIONS: &str = "There are too many connections.";

/// Why a GraphQL request was not executed, or not to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// No credential, or one that is refused; which, and why, is in the log only.
    #[error("The request needs a valid credential.")]
    Unauthenticated,
    /// More than one credential.
    #[error("The request has several credentials; send one.")]
    SeveralCredentials,
    /// The credential may be good, and cannot be looked up.
    #[error("{}", unverifiable(.0))]
    Unverifiable(AuthFailure),
    /// A cookie alone, and nothing that says that the page meant it.
    #[error("The request has a cookie, and was not sent by a page that may use it.")]
    CrossSite,
    /// More headers, or longer ones, than a request may have.
    #[error("The request has too many headers, or too long ones.")]
    HeadersTooLarge,
    /// The request can be read in two ways.
    #[error("{0}")]
    Ambiguous(&'static str),
    /// Too much is under way already, in all, of the tenant or of the client.
    #[error("Too many requests are being worked on; try again.")]
    Overloaded,
    /// The client accepts neither media type.
    #[error("The answer can be application/graphql-response+json or application/json.")]
    NotAcceptable,
    /// Neither GET nor POST.
    #[error("GraphQL is asked by GET or POST.")]
    Method,
    /// A mutation or subscription by GET.
    #[error("Only queries can be asked by GET.")]
    NotAQuery,
    /// The body is not said to be JSON. A form of another site could send any other type with a visitor's cookies.
    #[error("The body must be application/json in UTF-8, not compressed.")]
    BodyType,
    /// The body is not the form that it must be.
    #[error("The body must be a form (application/x-www-form-urlencoded) with one token.")]
    Form,
    /// The body is larger than so many bytes; little more was read.
    #[error("The body is larger than {0} bytes.")]
    BodyTooLarge(usize),
    /// The body did not arrive in time.
    #[error("The body did not arrive in time.")]
    BodyTooSlow,
    /// The body broke off.
    #[error("The body broke off.")]
    BodyBroken(#[source] axum::Error),
    /// The parameters cannot be read.
    #[error("{0}")]
    Params(#[from] ParamsError),
    /// The document is over a limit, or no document.
    #[error("{0}")]
    Gate(#[from] GateError),
    /// The document passed the gate but not the parser.
    #[error("The document cannot be parsed.")]
    Syntax(Option<Pos>),
    /// The document as a whole breaks a rule.
    #[error("{0}")]
    Invalid(&'static str),
    /// Which operation to run is not clear.
    #[error("{0}")]
    Operation(&'static str),
    /// A variable has no value, or one of another type.
    #[error("{0}")]
    Variable(#[from] VariableError),
    /// The operation costs more than one may.
    #[error("The operation costs too much: {}, {} allowed.", .0.requested, .0.limit)]
    TooCostly(Cost),
    /// What the caller may ask for over time is used up; for a bad credential, how often its address may be wrong.
    #[error("Too much was asked for; try again later.")]
    RateLimited(Exhausted),
    /// There is no document of that id or hash; clients of Apollo's protocol read this message, and send the text.
    #[error("PersistedQueryNotFound")]
    NotPersisted,
    /// No document is asked for by its hash here; clients of Apollo's protocol read this message, and stop trying.
    #[error("PersistedQueryNotSupported")]
    PersistedOff,
    /// The text is not that of the id or hash beside it.
    #[error("The document is not the one of its id or hash.")]
    PersistedMismatch,
    /// Only trusted documents are answered.
    #[error("This server answers only documents that it was given; this one is none of them.")]
    NotTrusted,
    /// Execution took too long.
    #[error("The request took too long.")]
    Timeout,
    /// A defect.
    #[error("{INTERNAL}")]
    Internal,
}

impl Refusal {
    /// The answer in `media`.
    pub(super) fn answer(&self, media: Media, id: &RequestId) -> Response {
        let mut error = ServerError::new(self.to_string(), self.position());
        let extensions = error.extensions.get_or_insert_default();
        extensions.set("code", self.code());
        if matches!(self, Self::Internal) {
            extensions.set("requestId", id.as_str());
        }
        let mut of_answer = BTreeMap::new();
        if let Self::TooCostly(cost) = self {
            extensions.set("cost", cost.shown());
            of_answer.insert("cost".to_owned(), cost.shown());
        }
        if let Self::RateLimited(exhausted) = self {
            extensions.set("retryAfterMs", millis(exhausted.retry_after));
        }
        let mut response = answer::of_error(error, self.status(media), media, &of_answer);
        response.headers_mut().extend(self.headers());
        response
    }

    /// The answer outside `/graphql`.
    pub(super) fn problem(&self, id: &RequestId) -> Response {
        let status = self.status(Media::GraphqlResponse);
        let mut response = coded_problem(status, &self.to_string(), self.code(), id);
        response.headers_mut().extend(self.headers());
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().extend([retry_after()]);
        }
        response
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated | Self::SeveralCredentials => "UNAUTHENTICATED",
            Self::Unverifiable(AuthFailure::Provider) => "UPSTREAM_UNAVAILABLE",
            Self::CrossSite => "CSRF_REFUSED",
            Self::Overloaded => OVERLOADED,
            Self::HeadersTooLarge
            | Self::Ambiguous(_)
            | Self::NotAcceptable
            | Self::Method
            | Self::NotAQuery
            | Self::BodyType
            | Self::Form
            | Self::BodyBroken(_)
            | Self::Params(_)
            | Self::Variable(_) => "BAD_USER_INPUT",
            Self::BodyTooLarge(_) => "QUERY_TOO_LARGE",
            Self::BodyTooSlow | Self::Timeout | Self::Unverifiable(AuthFailure::Slow) => "TIMEOUT",
            Self::Gate(error) => error.code(),
            Self::Syntax(_) => "GRAPHQL_PARSE_FAILED",
            Self::Invalid(_) => "GRAPHQL_VALIDATION_FAILED",
            Self::Operation(_) => "OPERATION_NOT_RESOLVED",
            Self::TooCostly(_) => "QUERY_TOO_COMPLEX",
            Self::RateLimited(_) => "RATE_LIMITED",
            Self::NotPersisted => "PERSISTED_QUERY_NOT_FOUND",
            Self::PersistedOff => "PERSISTED_QUERY_NOT_SUPPORTED",
            Self::PersistedMismatch => "PERSISTED_QUERY_MISMATCH",
            Self::NotTrusted => "DOCUMENT_NOT_TRUSTED",
            Self::Unverifiable(_) => "STORE_UNAVAILABLE",
            Self::Internal => "INTERNAL",
        }
    }

    /// Counts it, by where the request was refused.
    pub(super) fn count(&self, stats: &GraphqlStats) {
        let stage = match self {
            Self::Unauthenticated | Self::SeveralCredentials | Self::Unverifiable(_) | Self::CrossSite => "credential",
            Self::Overloaded => "room",
            Self::RateLimited(_) => "rate",
            Self::HeadersTooLarge
            | Self::Ambiguous(_)
            | Self::NotAcceptable
            | Self::Method
            | Self::NotAQuery
            | Self::BodyType
            | Self::Form
            | Self::BodyTooLarge(_)
            | Self::BodyBroken(_)
            | Self::Params(_) => "request",
            Self::Gate(_) | Self::TooCostly(_) => "gate",
            Self::Syntax(_)
            | Self::Invalid(_)
            | Self::Operation(_)
            | Self::Variable(_)
            | Self::NotPersisted
            | Self::PersistedOff
            | Self::PersistedMismatch
            | Self::NotTrusted => "document",
            Self::BodyTooSlow | Self::Timeout => "time",
            Self::Internal => "defect",
        };
        stats.refused(stage, self.code());
    }

    fn status(&self, media: Media) -> StatusCode {
        match self {
            Self::Unauthenticated | Self::SeveralCredentials => StatusCode::UNAUTHORIZED,
            Self::CrossSite => StatusCode::FORBIDDEN,
            Self::RateLimited(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Unverifiable(_) | Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::Method | Self::NotAQuery => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Ambiguous(_) | Self::Form | Self::BodyBroken(_) | Self::Params(_) => StatusCode::BAD_REQUEST,
            Self::Gate(_)
            | Self::Syntax(_)
            | Self::Invalid(_)
            | Self::Operation(_)
            | Self::Variable(_)
            | Self::TooCostly(_)
            | Self::PersistedMismatch
            | Self::NotTrusted => answer::refused_document(media),
            // A step of Apollo's protocol, for which its servers answer 200 under every type.
            Self::NotPersisted | Self::PersistedOff => StatusCode::OK,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn headers(&self) -> HeaderMap {
        let fixed: &[(HeaderName, &'static str)] = match self {
            Self::Unauthenticated | Self::SeveralCredentials => &[(header::WWW_AUTHENTICATE, "Bearer")],
            Self::Unverifiable(_) => &[(header::RETRY_AFTER, RETRY_AFTER_SECONDS)],
            Self::Method => &[(header::ALLOW, "GET, POST")],
            Self::NotAQuery => &[(header::ALLOW, "POST")],
            // The rest of the body is still on its way and would be read as the next request.
            Self::BodyTooLarge(_)
            | Self::BodyTooSlow
            | Self::BodyBroken(_)
            | Self::HeadersTooLarge
            | Self::Ambiguous(_) => &[(header::CONNECTION, "close")],
            _ => &[],
        };
        let mut headers: HeaderMap =
            fixed.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
        if let Self::RateLimited(exhausted) = self {
            let seconds = exhausted.retry_after.as_secs().saturating_add(1);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        headers
    }

    fn position(&self) -> Option<Pos> {
        match self {
            Self::Gate(GateError::Unreadable { line, column, .. }) => Some(Pos { line: *line, column: *column }),
            Self::Syntax(position) => *position,
            Self::Variable(error) => Some(error.position),
            _ => None,
        }
    }
}

/// Why a credential cannot be looked up, in words for clients.
const fn unverifiable(failure: &AuthFailure) -> &'static str {
    match failure {
        AuthFailure::Provider => "The keys of the identity provider are not available at the moment.",
        AuthFailure::Slow => "The store did not answer in time.",
        _ => "The store is not available at the moment.",
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge(limit) => Self::BodyTooLarge(limit),
            BodyError::NoMemory => Self::Overloaded,
            BodyError::Broken(source) => Self::BodyBroken(source),
        }
    }
}

impl From<CredentialError> for Refusal {
    fn from(error: CredentialError) -> Self {
        match error {
            CredentialError::Store(error) => {
                error.log();
                Self::Unverifiable(AuthFailure::Store(Arc::new(error)))
            }
            error => {
                tracing::error!(%error, "a credential was not ended");
                Self::Internal
            }
        }
    }
}

/// Why a webhook was not taken. Whoever sent it learns no more than its answer says.
#[derive(Debug)]
pub(super) enum NotTaken {
    /// There is no such endpoint.
    NoEndpoint,
    /// Nobody who has a secret of the endpoint signed it lately.
    Signature,
    /// It is signed, but no event.
    NoEvent,
    /// The body is too large.
    TooLarge,
    /// The body did not arrive in time.
    TooSlow,
    /// The body broke off.
    Broken,
    /// It could not be stored.
    NotStored,
    /// Too many are being taken.
    Overloaded,
    /// More came to the endpoint within a second than it takes.
    TooMany(Exhausted),
    /// It would be refused for this reason, and its address sends such ones too often.
    TooManyBad(&'static str, Exhausted),
}

impl From<BodyError> for NotTaken {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge(_) => Self::TooLarge,
            BodyError::NoMemory => Self::Overloaded,
            BodyError::Broken(_) => Self::Broken,
        }
    }
}

impl From<WebhookError> for NotTaken {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::TooLarge { .. } => Self::TooLarge,
            why @ WebhookError::NoEvent(_) => {
                tracing::warn!(%why, "a webhook is signed, and no event");
                Self::NoEvent
            }
            why => {
                tracing::warn!(%why, "a webhook was refused");
                Self::Signature
            }
        }
    }
}

impl From<StoreError> for NotTaken {
    fn from(error: StoreError) -> Self {
        error.log();
        Self::NotStored
    }
}

impl NotTaken {
    /// The word for it where webhooks are counted.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::NoEndpoint => "no_endpoint",
            Self::Signature => "bad_signature",
            Self::NoEvent => "bad_event",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::Broken => "broken",
            Self::NotStored => "not_stored",
            Self::Overloaded => "overloaded",
            Self::TooMany(_) => "rate_limited",
            Self::TooManyBad(word, _) => word,
        }
    }

    /// The database did not answer in time. Perhaps the event is stored all the same; then it is a duplicate when it
    /// comes again.
    pub(super) fn not_in_time() -> Self {
        tracing::warn!("an event could not be stored in time");
        Self::NotStored
    }

    /// The answer.
    pub(super) fn answer(&self, id: &RequestId) -> Response {
        let (status, detail) = match self {
            Self::NoEndpoint => return nothing_here(id),
            Self::Overloaded => return Refusal::Overloaded.problem(id),
            Self::TooMany(exhausted) | Self::TooManyBad(_, exhausted) => {
                return Refusal::RateLimited(*exhausted).problem(id);
            }
            Self::Signature => (StatusCode::BAD_REQUEST, "invalid_signature"),
            Self::NoEvent => (StatusCode::BAD_REQUEST, "invalid_event"),
            Self::Broken => (StatusCode::BAD_REQUEST, "The body broke off."),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "The body is too large."),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time."),
            Self::NotStored => (StatusCode::SERVICE_UNAVAILABLE, "The event could not be stored; send it again."),
        };
        let mut response = problem(status, detail, id);
        match self {
            Self::NotStored => response.headers_mut().extend([retry_after()]),
            Self::TooLarge | Self::TooSlow | Self::Broken => {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}

/// The header that says when to try again.
pub(super) fn retry_after() -> (HeaderName, HeaderValue) {
    (header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS))
}

/// The answer of a request that is refused whatever its path is, in the shape that is spoken there.
pub(super) fn refused(refusal: &Refusal, path: &str, media: Media, id: &RequestId) -> Response {
    if path == super::GRAPHQL_PATH { refusal.answer(media, id) } else { refusal.problem(id) }
}

/// What is sent on a connection that is not taken, before anything was read of it.
pub(super) fn turned_away() -> Vec<u8> {
    let id = RequestId::new();
    let body = problem_body(StatusCode::SERVICE_UNAVAILABLE, TOO_MANY_CONNECTIONS, OVERLOADED, &id);
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\
         cache-control: no-store\r\nretry-after: {RETRY_AFTER_SECONDS}\r\nx-content-type-options: nosniff\r\n\
         x-request-id: {}\r\nconnection: close\r\n\r\n",
        body.len(),
        id.as_str(),
    );
    [head.into_bytes(), body].concat()
}

/// There is nothing at this path.
pub(super) async fn not_found(Extension(id): Extension<RequestId>) -> Response {
    nothing_here(&id)
}

/// The same, for handlers that find out by themselves.
pub(super) fn nothing_here(id: &RequestId) -> Response {
    problem(StatusCode::NOT_FOUND, "There is nothing at this path.", id)
}

/// There is something at this path, for other methods; the router adds which.
pub(super) async fn method_not_allowed(Extension(id): Extension<RequestId>) -> Response {
    problem(StatusCode::METHOD_NOT_ALLOWED, "This path has no such method.", &id)
}

#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    instance: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    code: &'static str,
}

/// A problem document; the detail must be fit to be shown.
pub(super) fn problem(status: StatusCode, detail: &str, id: &RequestId) -> Response {
    coded_problem(status, detail, "", id)
}

/// The same with a code, for clients that tell one refusal from another.
fn coded_problem(status: StatusCode, detail: &str, code: &'static str, id: &RequestId) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/problem+json"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, problem_body(status, detail, code, id)).into_response()
}

fn problem_body(status: StatusCode, detail: &str, code: &'static str, id: &RequestId) -> Vec<u8> {
    let body = serde_json::to_vec(&Problem {
        r#type: "about:blank",
        title: status.canonical_reason().unwrap_or_default(),
        status: status.as_u16(),
        detail,
        instance: id.as_str(),
        code,
    });
    body.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_document_has_a_status_of_its_own_only_where_clients_know_it() {
        let refusal = Refusal::Operation("which?");
        assert_eq!(refusal.status(Media::GraphqlResponse), StatusCode::BAD_REQUEST);
        assert_eq!(refusal.status(Media::Json), StatusCode::OK);
        assert_eq!(Refusal::Params(ParamsError::NotJson).status(Media::Json), StatusCode::BAD_REQUEST);
    }

    #[test]
    fn refusals_carry_the_headers_that_explain_them() {
        let header = |refusal: Refusal, name: HeaderName| {
            let answer = refusal.answer(Media::Json, &RequestId::of_test());
            answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(header(Refusal::Unauthenticated, header::WWW_AUTHENTICATE).as_deref(), Some("Bearer"));
        assert_eq!(header(Refusal::Method, header::ALLOW).as_deref(), Some("GET, POST"));
        assert_eq!(header(Refusal::NotAQuery, header::ALLOW).as_deref(), Some("POST"));
        assert_eq!(header(Refusal::BodyTooLarge(1), header::CONNECTION).as_deref(), Some("close"));
        assert_eq!(header(Refusal::Timeout, header::CONNECTION), None);
    }
}
