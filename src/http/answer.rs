//! What an executed request answers: status, errors with codes, data, extensions.
//!
//! Errors of our resolvers have their code already. Those of the library have none, and texts that nobody promised:
//! they are told apart here, shortened to one line, and anything unexpected leaves as a fixed sentence.

use std::collections::BTreeMap;

use async_graphql::{PathSegment, ServerError, Value};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::error::retry_after;
use super::media::Media;
use super::request_id::RequestId;
use crate::graphql::INTERNAL;
use crate::stats::Outcome;

/// Length of a message, in characters.
const MESSAGE_CHARS_MAX: usize = 200;

/// The largest answer, in bytes: what the lists of one answer may hold comes to more when much is asked of each object,
/// and neither side is to keep that in one piece.
const ANSWER_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Codes that say: nothing is wrong with the request, try again later.
const OUTAGES: [&str; 3] = ["STORE_UNAVAILABLE", TIMEOUT, "OVERLOADED"];

const TIMEOUT: &str = "TIMEOUT";

const BAD_VALUE: &str = "BAD_USER_INPUT";

/// What the library says of a value that does not fit, at validation or when an argument is read.
const OF_VALUES: [&str; 4] = [
    "Invalid value for argument",
    "Invalid default value for argument",
    "Failed to parse \"",
    "Expected input type \"",
];

/// Behind these the library repeats the value.
const REPEATED_VALUE: [&str; 2] = [", found ", " does not contain the value "];

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ServerError],
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extensions: &'a BTreeMap<String, Value>,
}

/// What an answer of the executor came to; it lies in the response's extensions, for those who count.
#[derive(Clone, Debug)]
pub(super) struct Executed {
    /// How the operation ended; absent when the executor refused the document.
    pub(super) outcome: Option<Outcome>,
    /// The code of each error that is shown.
    pub(super) codes: Vec<String>,
}

impl Executed {
    fn of(executed: bool, data: &Value, errors: &[ServerError]) -> Self {
        let outcome = match data {
            _ if errors.is_empty() => Outcome::Ok,
            Value::Null => Outcome::Failed,
            _ => Outcome::Partial,
        };
        let codes = errors.iter().filter_map(code_of).map(str::to_owned).collect();
        Self { outcome: executed.then_some(outcome), codes }
    }
}

/// The answer of the executor, with at most so many errors.
pub(super) fn of_response(
    mut response: async_graphql::Response,
    media: Media,
    id: &RequestId,
    errors_max: usize,
) -> Response {
    let executed = was_executed(&response);
    let errors = shown(std::mem::take(&mut response.errors), executed, id, errors_max);
    let status =
        if executed { outage(&response.data, &errors).unwrap_or(StatusCode::OK) } else { refused_document(media) };
    let data = executed.then_some(&response.data);
    let extensions = &response.extensions;
    let (told, mut answer) = match json(&Body { errors: &errors, data, extensions }) {
        Err(Unwritten::TooLarge) => {
            let (errors, data) = ([too_large()], Value::Null);
            let body = Body { errors: &errors, data: Some(&data), extensions };
            (Executed::of(executed, &data, &errors), send(StatusCode::OK, media, json(&body)))
        }
        written => (Executed::of(executed, &response.data, &errors), send(status, media, written)),
    };
    answer.extensions_mut().insert(told);
    answer
}

/// The answer of a request that was not executed, for one reason.
pub(super) fn of_error(
    mut error: ServerError,
    status: StatusCode,
    media: Media,
    extensions: &BTreeMap<String, Value>,
) -> Response {
    error.message = one_line(&error.message);
    send(status, media, json(&Body { errors: &[error], data: None, extensions }))
}

/// The status of a document that cannot be executed. Clients that know only `application/json` expect 200.
pub(super) const fn refused_document(media: Media) -> StatusCode {
    match media {
        Media::GraphqlResponse => StatusCode::BAD_REQUEST,
        Media::Json => StatusCode::OK,
    }
}

/// Why an answer is not there as text.
enum Unwritten {
    /// It would be longer than [`ANSWER_BYTES_MAX`].
    TooLarge,
    /// It cannot be written as JSON, which is a defect.
    Unfit(serde_json::Error),
}

/// What was written so far. It never grows beyond its limit: what is too large is given up there, not afterwards.
struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
}

impl std::io::Write for Bounded {
    fn write(&mut self, more: &[u8]) -> std::io::Result<usize> {
        if more.len() > self.limit.saturating_sub(self.bytes.len()) {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn json(body: &Body<'_>) -> Result<Vec<u8>, Unwritten> {
    let mut bounded = Bounded { bytes: Vec::new(), limit: ANSWER_BYTES_MAX };
    match serde_json::to_writer(&mut bounded, body) {
        Ok(()) => Ok(bounded.bytes),
        Err(error) if error.is_io() => Err(Unwritten::TooLarge),
        Err(error) => Err(Unwritten::Unfit(error)),
    }
}

fn too_large() -> ServerError {
    let mut error =
        ServerError::new(format!("The answer is larger than {ANSWER_BYTES_MAX} bytes; ask for less."), None);
    error.extensions.get_or_insert_default().set("code", "RESPONSE_TOO_LARGE");
    error
}

fn send(status: StatusCode, media: Media, written: Result<Vec<u8>, Unwritten>) -> Response {
    let (status, bytes) = match written {
        Ok(bytes) => (status, bytes),
        Err(Unwritten::Unfit(error)) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            (StatusCode::INTERNAL_SERVER_ERROR, Vec::new())
        }
        Err(Unwritten::TooLarge) => (StatusCode::INTERNAL_SERVER_ERROR, Vec::new()),
    };
    let headers = [(CONTENT_TYPE, media.content_type()), (CACHE_CONTROL, "no-store"), (VARY, "accept, authorization")];
    let mut response = (status, headers, bytes).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().extend([retry_after()]);
    }
    response
}

/// Whether the document could be executed. Errors of execution say at which field; those of the document do not.
///
/// The library finds some values that do not fit (`first: 99999999999`) only when it reads the argument. Where that
/// leaves no data at all, it is told as what it is: a document that should not have been executed.
pub(super) fn was_executed(response: &async_graphql::Response) -> bool {
    let of_document = |error: &ServerError| error.path.is_empty();
    let of_value = |error: &ServerError| code_of(error).is_none() && code_of_library(error) == BAD_VALUE;
    let refused = response.errors.iter().all(of_document) || response.errors.iter().any(of_value);
    response.data != Value::Null || !refused
}

/// Whether the document fits the schema with its variables: errors of validation, unlike those of execution, do not say
/// at which field.
pub(super) fn was_valid(response: &async_graphql::Response) -> bool {
    was_executed(response) && !response.errors.iter().any(|error| error.path.is_empty())
}

/// The errors as clients see them; those above the limit are counted.
fn shown(mut errors: Vec<ServerError>, executed: bool, id: &RequestId, errors_max: usize) -> Vec<ServerError> {
    if !executed {
        // The validator collects in hash maps; the same document shall give the same bytes.
        for error in &mut errors {
            error.path.clear();
        }
        errors.sort_by_cached_key(|error| (error.locations.first().copied(), error.message.clone()));
    }
    let left_out = errors.len().saturating_sub(errors_max);
    errors.truncate(errors_max);
    let mut errors: Vec<_> = errors.into_iter().map(|error| coded(error, id)).collect();
    if left_out > 0 {
        let mut error = ServerError::new(format!("{left_out} more errors are not shown."), None);
        let extensions = error.extensions.get_or_insert_default();
        extensions.set("code", "ERRORS_TRUNCATED");
        extensions.set("count", left_out);
        errors.push(error);
    }
    errors
}

fn coded(mut error: ServerError, id: &RequestId) -> ServerError {
    if code_of(&error).is_none() {
        let code = code_of_library(&error);
        if code == "INTERNAL" {
            // What follows a quotation mark is the client's.
            let message = error.message.split('"').next().unwrap_or_default();
            tracing::error!(message, "an error without a code");
            INTERNAL.clone_into(&mut error.message);
        } else if let Some(end) = REPEATED_VALUE.iter().find_map(|words| error.message.find(words)) {
            error.message.truncate(end);
            error.message.push('.');
        }
        error.extensions.get_or_insert_default().set("code", code);
    }
    if code_of(&error) == Some("INTERNAL") {
        error.extensions.get_or_insert_default().set("requestId", id.as_str());
    }
    error.message = one_line(&error.message);
    error
}

fn code_of(error: &ServerError) -> Option<&str> {
    match error.extensions.as_ref()?.get("code")? {
        Value::String(code) => Some(code),
        _ => None,
    }
}

fn code_of_library(error: &ServerError) -> &'static str {
    let message = error.message.as_str();
    if OF_VALUES.iter().any(|start| message.starts_with(start)) {
        BAD_VALUE
    } else if !error.path.is_empty() {
        "INTERNAL"
    } else if message.starts_with("The recursion depth of the query") {
        "QUERY_TOO_DEEP"
    } else {
        "GRAPHQL_VALIDATION_FAILED"
    }
}

fn one_line(message: &str) -> String {
    let mut line: String = message.chars().take(MESSAGE_CHARS_MAX).collect();
    if line.len() < message.len() {
        line.pop();
        line.push('…');
    }
    line.replace(char::is_control, " ")
}

/// The status when no root field could be answered and all of them only because something is down.
fn outage(data: &Value, errors: &[ServerError]) -> Option<StatusCode> {
    let codes: Vec<_> = errors.iter().map(|error| code_of(error).unwrap_or_default()).collect();
    let only_outages = !codes.is_empty() && codes.iter().all(|code| OUTAGES.contains(code));
    let failed = |field: &str| {
        let starts_here =
            |error: &ServerError| matches!(error.path.first(), Some(PathSegment::Field(name)) if name == field);
        errors.iter().any(starts_here)
    };
    let nothing_answered = match data {
        Value::Null => true,
        Value::Object(fields) => fields.iter().all(|(name, value)| *value == Value::Null && failed(name)),
        _ => false,
    };
    match (only_outages && nothing_answered, codes.iter().all(|code| *code == TIMEOUT)) {
        (false, _) => None,
        (true, true) => Some(StatusCode::GATEWAY_TIMEOUT),
        (true, false) => Some(StatusCode::SERVICE_UNAVAILABLE),
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{Pos, value};

    use super::*;

    fn error(message: &str, code: Option<&str>, path: &[&str]) -> ServerError {
        let mut error = ServerError::new(message, Some(Pos { line: 1, column: 2 }));
        error.path = path.iter().map(|name| PathSegment::Field((*name).to_owned())).collect();
        if let Some(code) = code {
            error.extensions.get_or_insert_default().set("code", code);
        }
        error
    }

    fn response(data: Value, errors: Vec<ServerError>) -> async_graphql::Response {
        let mut response = async_graphql::Response::new(data);
        response.errors = errors;
        response
    }

    async fn answer(response: async_graphql::Response, media: Media) -> (StatusCode, serde_json::Value) {
        let answer = of_response(response, media, &RequestId::of_test(), 100);
        let status = answer.status();
        let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    async fn status(data: Value, errors: Vec<ServerError>) -> u16 {
        answer(response(data, errors), Media::Json).await.0.as_u16()
    }

    #[tokio::test]
    async fn an_answer_has_data_and_no_errors() {
        let (status, body) = answer(response(value!({"a": 1}), Vec::new()), Media::Json).await;
        assert_eq!((status.as_u16(), body), (200, serde_json::json!({"data": {"a": 1}})));
    }

    #[tokio::test]
    async fn a_refused_document_has_no_data_and_errors_in_the_order_of_the_text() {
        let mut second = error("Unknown field \"b\" on type \"Query\".", None, &[]);
        second.locations = vec![Pos { line: 2, column: 1 }];
        let first = error("Invalid value for argument \"first\", expected type \"Int\"", None, &[]);
        for (media, expected) in [(Media::GraphqlResponse, 400), (Media::Json, 200)] {
            let errors = vec![second.clone(), first.clone()];
            let (status, body) = answer(async_graphql::Response::from_errors(errors), media).await;
            assert_eq!(status.as_u16(), expected);
            assert!(body.get("data").is_none());
            assert_eq!(body["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
            assert_eq!(body["errors"][1]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
            assert_eq!(body["errors"][1]["locations"][0]["line"], 2);
        }
    }

    #[tokio::test]
    async fn a_failed_execution_keeps_its_data_even_when_it_is_null() {
        let errors = vec![error("no", Some("FORBIDDEN"), &["a"])];
        let (status, body) = answer(response(Value::Null, errors), Media::GraphqlResponse).await;
        assert_eq!(status.as_u16(), 200);
        assert_eq!(body["data"], serde_json::Value::Null);
        assert!(body.as_object().unwrap().contains_key("data"));
    }

    #[tokio::test]
    async fn a_bad_argument_that_leaves_no_data_refuses_the_document() {
        let message = "Failed to parse \"Int\": Only integers are accepted.";
        let errors = vec![error(message, None, &["a"])];
        let (status, body) = answer(response(Value::Null, errors.clone()), Media::GraphqlResponse).await;
        assert_eq!(status.as_u16(), 400);
        assert!(body.get("data").is_none() && body["errors"][0].get("path").is_none(), "{body}");
        assert_eq!(body["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
        let (status, body) = answer(response(value!({"a": null}), errors), Media::GraphqlResponse).await;
        assert_eq!((status.as_u16(), &body["errors"][0]["path"]), (200, &serde_json::json!(["a"])));
    }

    #[tokio::test]
    async fn what_nobody_foresaw_leaves_as_a_fixed_sentence() {
        let errors = vec![error("no such table: invoices", None, &["a"]), error("secret", Some("INTERNAL"), &["b"])];
        let (_, body) = answer(response(value!({"a": null, "b": null}), errors), Media::Json).await;
        assert_eq!(body["errors"][0]["message"], INTERNAL);
        for error in body["errors"].as_array().unwrap() {
            assert_eq!(error["extensions"], serde_json::json!({"code": "INTERNAL", "requestId": "test"}));
        }
    }

    #[tokio::test]
    async fn values_of_the_client_are_not_repeated() {
        let message = "Expected input type \"Int\", found {a: \"<script>\"}. (occurred while parsing \"X\")";
        let errors = vec![error(message, None, &["a"])];
        let (_, body) = answer(response(value!({"a": null}), errors), Media::Json).await;
        assert_eq!(body["errors"][0]["message"], "Expected input type \"Int\".");
        assert_eq!(body["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    }

    #[tokio::test]
    async fn errors_are_capped_and_the_rest_is_counted() {
        let errors = |count: usize| vec![error("no", Some("FORBIDDEN"), &["a"]); count];
        let (_, body) = answer(response(value!({"a": 1}), errors(100)), Media::Json).await;
        assert_eq!(body["errors"].as_array().unwrap().len(), 100);
        assert_eq!(body["errors"][99]["extensions"]["code"], "FORBIDDEN");
        let (_, body) = answer(response(value!({"a": 1}), errors(103)), Media::Json).await;
        assert_eq!(body["errors"].as_array().unwrap().len(), 101);
        assert_eq!(body["errors"][100]["extensions"], serde_json::json!({"code": "ERRORS_TRUNCATED", "count": 3}));
    }

    /// An answer whose text has exactly so many bytes.
    fn of_bytes(bytes: usize) -> async_graphql::Response {
        let around = r#"{"data":{"a":""},"extensions":{"cost":1}}"#.len();
        let data = value!({"a": "x".repeat(bytes - around)});
        async_graphql::Response::new(data).extension("cost", Value::from(1))
    }

    #[tokio::test]
    async fn an_answer_that_is_too_large_is_given_up_while_it_is_written() {
        let fits = of_response(of_bytes(ANSWER_BYTES_MAX), Media::Json, &RequestId::of_test(), 100);
        assert_eq!(fits.extensions().get::<Executed>().unwrap().outcome, Some(Outcome::Ok));
        let answer = of_response(of_bytes(ANSWER_BYTES_MAX + 1), Media::GraphqlResponse, &RequestId::of_test(), 100);
        let told = answer.extensions().get::<Executed>().unwrap();
        let code = ["RESPONSE_TOO_LARGE".to_owned()];
        assert_eq!((answer.status().as_u16(), told.outcome, &told.codes[..]), (200, Some(Outcome::Failed), &code[..]));
        let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        let message = "The answer is larger than 10485760 bytes; ask for less.";
        let errors = serde_json::json!([{"message": message, "extensions": {"code": "RESPONSE_TOO_LARGE"}}]);
        let expected = serde_json::json!({"data": null, "errors": errors, "extensions": {"cost": 1}});
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&bytes).unwrap(), expected);
    }

    #[test]
    fn what_is_written_never_grows_beyond_its_limit() {
        use std::io::Write as _;
        let mut bounded = Bounded { bytes: Vec::new(), limit: 4 };
        bounded.write_all(b"abc").unwrap();
        assert!(bounded.write_all(b"de").is_err());
        bounded.write_all(b"d").unwrap();
        assert!(bounded.write_all(b"e").is_err());
        assert_eq!(bounded.bytes, b"abcd");
    }

    #[test]
    fn messages_are_one_short_line() {
        assert_eq!(one_line("a\nb\tc"), "a b c");
        assert_eq!(one_line(&"é".repeat(200)), "é".repeat(200));
        let long = one_line(&"é".repeat(201));
        assert_eq!(long.chars().count(), 200);
        assert!(long.ends_with('…'));
    }

    #[tokio::test]
    async fn nothing_but_outages_is_503_or_504() {
        let down = |field: &str| error("down", Some("STORE_UNAVAILABLE"), &[field]);
        let slow = |field: &str| error("slow", Some("TIMEOUT"), &[field, "b"]);
        let forbidden = error("no", Some("FORBIDDEN"), &["b"]);
        assert_eq!(status(value!({"a": null}), vec![down("a")]).await, 503);
        assert_eq!(status(Value::Null, vec![down("a")]).await, 503);
        assert_eq!(status(value!({"a": null, "b": null}), vec![down("a"), slow("b")]).await, 503);
        assert_eq!(status(value!({"a": null}), vec![slow("a")]).await, 504);
        assert_eq!(status(value!({"a": null, "b": 1}), vec![down("a")]).await, 200);
        assert_eq!(status(value!({"a": null, "b": null}), vec![down("a")]).await, 200);
        assert_eq!(status(value!({"a": null, "b": null}), vec![down("a"), forbidden]).await, 200);
        let answer = of_response(response(Value::Null, vec![down("a")]), Media::Json, &RequestId::of_test(), 100);
        assert!(answer.headers().contains_key("retry-after"));
    }
}
