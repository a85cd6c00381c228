//! `/graphql`: one request, read, measured, parsed and executed.
//!
//! The order is a promise: credentials before anything else is looked at, the body before a place to work is taken, the
//! gate before the parser. The whole request, its body included, has ten seconds.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition, OperationType};
use async_graphql::parser::{self, parse_query};
use async_graphql::value;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use tokio::time::{Instant, timeout_at};

use super::error::{BODY_BYTES_MAX, Refusal};
use super::params::Params;
use super::request_id::RequestId;
use super::{AppState, answer, body, csrf, media, variables, viewer};
use crate::domain::viewer::{Scope, Viewer};
use crate::gate;
use crate::graphql::RequestContext;
use crate::loaders::batch::unconstrained;
use crate::stats::GraphqlStats;
use crate::store::StatementStats;

/// How long a request may take, from its headers to its answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The header that asks for `extensions.debug`.
const DEBUG: &str = "x-debug";

/// Answers a request, whatever its method.
pub(super) async fn handle(
    State(state): State<Arc<AppState>>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    match run(&state, &head, body, &id).await {
        Ok(response) => response,
        Err(refusal) => {
            refusal.count(&state.stats.graphql);
            refusal.answer(media::accepted_or_json(&head.headers), &id)
        }
    }
}

async fn run(state: &AppState, head: &Parts, body: Body, id: &RequestId) -> Result<Response, Refusal> {
    let deadline = Instant::now() + TIMEOUT;
    csrf::guard(&head.method, &head.headers, &state.transport.cors_origins)?;
    let viewer = authenticated(state, &head.headers)?;
    let media = media::accepted(&head.headers).ok_or(Refusal::NotAcceptable)?;
    let body_deadline = deadline.min(Instant::now() + state.transport.body_timeout);
    let params = timeout_at(body_deadline, params_of(head, body)).await.map_err(|_elapsed| Refusal::BodyTooSlow)??;
    let _seat = state.room.enter(viewer.tenant().id()).await.map_err(|_full| Refusal::Overloaded)?;
    gate::check(&params.query, &state.limits)?;
    let document = parse_query(&params.query).map_err(|error| refused_by_parser(&error))?;
    let operation = operation(&document, params.operation_name.as_deref())?;
    if head.method == Method::GET && operation.ty != OperationType::Query {
        return Err(Refusal::NotAQuery);
    }
    variables::check(&operation.variable_definitions, &params.variables)?;
    let debug = may_debug(state, &viewer, &head.headers);
    let (kind, begun) = (word(operation.ty), Instant::now());
    let executed = execute(state, viewer, document, params, debug);
    let response = timeout_at(deadline, executed).await.map_err(|_elapsed| Refusal::Timeout)?;
    let mut response = answer::of_response(response, media, id);
    if let Some(executed) = response.extensions_mut().remove() {
        count(&state.stats.graphql, kind, begun.elapsed(), &executed);
    }
    Ok(response)
}

fn count(stats: &GraphqlStats, kind: &'static str, time: Duration, executed: &answer::Executed) {
    match executed.outcome {
        Some(outcome) => {
            stats.executed(kind, outcome, time);
            executed.codes.iter().for_each(|code| stats.failed(code));
        }
        // The executor refuses for one of these reasons, however many errors it finds.
        None => stats.refused("document", refusal_code(executed)),
    }
}

/// The word of the vocabulary of codes; the first error says what all of them are about.
fn refusal_code(executed: &answer::Executed) -> &'static str {
    let codes = ["BAD_USER_INPUT", "QUERY_TOO_DEEP", "QUERY_TOO_COMPLEX", "INTERNAL"];
    let first = executed.codes.first().map(String::as_str);
    codes.into_iter().find(|code| first == Some(code)).unwrap_or("GRAPHQL_VALIDATION_FAILED")
}

const fn word(operation: OperationType) -> &'static str {
    match operation {
        OperationType::Query => "query",
        OperationType::Mutation => "mutation",
        OperationType::Subscription => "subscription",
    }
}

fn authenticated(state: &AppState, headers: &HeaderMap) -> Result<Viewer, Refusal> {
    viewer::of(headers, &state.keys).map_err(|reason| {
        tracing::info!(%reason, "a credential was refused");
        Refusal::Unauthenticated
    })
}

async fn params_of(head: &Parts, body: Body) -> Result<Params, Refusal> {
    match head.method {
        Method::GET => Ok(Params::from_query_string(head.uri.query().unwrap_or_default())?),
        Method::POST if !media::is_json_body(&head.headers) => Err(Refusal::BodyType),
        Method::POST => Ok(Params::from_json(&body::read(body, &head.headers, BODY_BYTES_MAX).await?)?),
        _ => Err(Refusal::Method),
    }
}

/// The operation to run, by the rules of the specification.
fn operation<'a>(document: &'a ExecutableDocument, name: Option<&str>) -> Result<&'a OperationDefinition, Refusal> {
    match (&document.operations, name) {
        (DocumentOperations::Single(only), None) => Ok(&only.node),
        (DocumentOperations::Single(_), Some(_)) => Err(Refusal::Operation(UNKNOWN_OPERATION)),
        (DocumentOperations::Multiple(named), Some(name)) => match named.get(name) {
            Some(operation) => Ok(&operation.node),
            None => Err(Refusal::Operation(UNKNOWN_OPERATION)),
        },
        (DocumentOperations::Multiple(named), None) => {
            let mut operations = named.values();
            match (operations.next(), operations.next()) {
                (Some(only), None) => Ok(&only.node),
                _ => Err(Refusal::Operation("The document has several operations; `operationName` must name one.")),
            }
        }
    }
}

const UNKNOWN_OPERATION: &str = "The document has no operation with the name given in `operationName`.";

/// The gate reads the same grammar, so what is left are rules about the document as a whole.
fn refused_by_parser(error: &parser::Error) -> Refusal {
    match error {
        parser::Error::MultipleOperations { .. } => {
            Refusal::Invalid("An operation without a name must be the only one of its document.")
        }
        parser::Error::OperationDuplicated { .. } => Refusal::Invalid("Two operations have the same name."),
        parser::Error::FragmentDuplicated { .. } => Refusal::Invalid("Two fragments have the same name."),
        parser::Error::MissingOperation => Refusal::Operation("The document has no operation."),
        other => Refusal::Syntax(other.positions().next()),
    }
}

fn may_debug(state: &AppState, viewer: &Viewer, headers: &HeaderMap) -> bool {
    let asked = headers.get(DEBUG).is_some_and(|value| value == "1");
    asked && (state.debug_for_everyone || viewer.scopes.has(Scope::InvoicesInternalRead))
}

/// Executes an operation whose variables are known to fit, as `viewer` may.
pub(super) async fn execute(
    state: &AppState,
    viewer: Viewer,
    document: ExecutableDocument,
    params: Params,
    debug: bool,
) -> async_graphql::Response {
    let counter = Arc::new(StatementStats::default());
    let reader = state.store.reader(&counter);
    let context = RequestContext::new(viewer, reader, Arc::clone(&state.links), state.billing_clock.now());
    let context = context.writing(state.store.clone());
    let upstream = context.upstream();
    let mut request = async_graphql::Request::new("").variables(params.variables).data(context);
    request.operation_name = params.operation_name;
    request.set_parsed_query(document);
    let response = unconstrained(state.schema.execute(request)).await;
    state.stats.graphql.took(counter.statements());
    if !debug {
        return response;
    }
    let upstream = value!({"calls": upstream.calls(), "stale": upstream.stale(), "durationMs": upstream.duration_ms()});
    response.extension("debug", value!({"statements": counter.statements(), "upstream": upstream}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(document: &str, name: Option<&str>) -> Result<OperationType, String> {
        let document = parse_query(document).map_err(|error| refused_by_parser(&error).to_string())?;
        operation(&document, name).map(|operation| operation.ty).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn the_operation_is_resolved_by_name_or_because_it_is_the_only_one() {
        assert_eq!(resolved("{ a }", None), Ok(OperationType::Query));
        assert_eq!(resolved("mutation A { a }", None), Ok(OperationType::Mutation));
        assert_eq!(resolved("query A { a } mutation B { b }", Some("B")), Ok(OperationType::Mutation));
        assert!(resolved("query A { a } query B { b }", None).unwrap_err().contains("several"));
        assert_eq!(resolved("query A { a }", Some("B")).unwrap_err(), UNKNOWN_OPERATION);
        assert_eq!(resolved("{ a }", Some("B")).unwrap_err(), UNKNOWN_OPERATION);
    }

    #[test]
    fn rules_about_the_whole_document_are_told_in_our_words() {
        for (document, words) in [
            ("{ a } query A { a }", "An operation without a name"),
            ("query A { a } query A { a }", "Two operations"),
            ("query A { ...F } fragment F on Query { a } fragment F on Query { a }", "Two fragments"),
            ("fragment F on Query { a }", "no operation"),
            ("{", "cannot be parsed"),
        ] {
            assert!(resolved(document, None).unwrap_err().contains(words), "{document}");
        }
    }
}
