//! `/graphql`: one request, read, its document found, its cost taken, and executed.
//!
//! The order is a promise: credentials before anything else is looked at, the body before a place to work is taken, the
//! gate before the parser. Whatever becomes of the request, its caller is charged once, and told what is left. The whole
//! request, its body included, has a time of its own.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::parser::types::{ExecutableDocument, OperationType};
use async_graphql::{Variables, value};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use tokio::time::{Instant, timeout_at};

use super::budget::Of;
use super::cost::Cost;
use super::error::Refusal;
use super::params::Params;
use super::rate::Account;
use super::request_id::RequestId;
use super::{AppState, answer, body, client, media, variables, viewer};
use crate::domain::actor::Actor;
use crate::domain::viewer::{Scope, Viewer};
use crate::graphql::{Charged, RequestContext, Schema, Writes};
use crate::loaders::batch::unconstrained;
use crate::stats::GraphqlStats;
use crate::store::StatementStats;

/// The header that asks for `extensions.debug`.
const DEBUG: &str = "x-debug";

/// Answers a request, whatever its method.
pub(super) async fn handle(
    State(state): State<Arc<AppState>>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> Response {
    let deadline = Instant::now() + state.limits.timeout;
    let (head, body) = request.into_parts();
    let refused = |refusal: Refusal| {
        refusal.count(&state.stats.graphql);
        refusal.answer(media::accepted_or_json(&head.headers), &id)
    };
    let viewer = match viewer::of(&state, &head).await {
        Ok(viewer) => viewer,
        Err(refusal) => return refused(refusal),
    };
    let mut account = state.rates.account(&viewer, state.documents.settings.cost_limits);
    let mut response = match run(&state, (&head, body), viewer, &mut account, deadline).await {
        Ok(response) => response,
        Err(refusal) => refused(account.refused(refusal).await),
    };
    response.headers_mut().extend(account.headers());
    response
}

async fn run(
    state: &AppState,
    (head, body): (&Parts, Body),
    viewer: Viewer,
    account: &mut Account<'_>,
    deadline: Instant,
) -> Result<Response, Refusal> {
    let id = head.extensions.get::<RequestId>().ok_or(Refusal::Internal)?;
    let media = media::accepted(&head.headers).ok_or(Refusal::NotAcceptable)?;
    let body_deadline = deadline.min(Instant::now() + state.transport.body_timeout);
    let params =
        timeout_at(body_deadline, params_of(state, head, body)).await.map_err(|_elapsed| Refusal::BodyTooSlow)??;
    let Params { document, operation_name, variables } = params;
    let tenant = viewer.tenant().id().clone();
    let _seat = state.room.enter(&tenant).await.map_err(|_full| Refusal::Overloaded)?;
    let found = state.documents.find(&tenant, document).await?;
    let operation = found.document.operation(operation_name.as_deref())?;
    if head.method == Method::GET && operation.ty != OperationType::Query {
        return Err(Refusal::NotAQuery);
    }
    variables::check(&operation.variable_definitions, &variables)?;
    let requested = found.document.cost(operation_name.as_deref(), &variables);
    let limit = state.documents.settings.cost_limits.of(&viewer);
    if requested > limit {
        let remaining = account.charge(1).await?.remaining();
        return Err(Refusal::TooCostly(Cost { requested, limit, remaining }));
    }
    let charge = account.charge(requested).await?;
    let cost = Cost { requested, limit, remaining: charge.remaining() };
    let shape = state.documents.shape(operation, operation_name.as_deref(), &variables);
    let question = Question { document: found.document.parsed.clone(), operation_name, variables };
    let schema = state.documents.schema(&state.schema, &found.document, shape.as_ref());
    let debug = may_debug(state, &viewer, &head.headers);
    let (kind, begun) = (word(operation.ty), Instant::now());
    let asker = Asker { viewer, head, charged: charge.shown() };
    let executed = execute(state, schema, asker, question, debug);
    let mut response = timeout_at(deadline, executed).await.map_err(|_elapsed| Refusal::Timeout)?;
    if answer::was_valid(&response) {
        state.documents.learn(&tenant, found, shape).await;
    }
    if answer::was_executed(&response) {
        response = response.extension("cost", cost.shown());
    }
    let mut response = answer::of_response(response, media, id, state.limits.answer_errors);
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

async fn params_of(state: &AppState, head: &Parts, body: Body) -> Result<Params, Refusal> {
    let limits = &state.limits;
    match head.method {
        Method::GET => Ok(Params::from_query_string(head.uri.query().unwrap_or_default(), limits.body_values)?),
        Method::POST if !media::is_json_body(&head.headers) => Err(Refusal::BodyType),
        Method::POST => {
            let memory = state.room.body(Of::Question, client::address_of(&head.extensions));
            let body = body::read(body, &head.headers, limits.body_bytes, memory).await?;
            Ok(Params::from_json(&body, limits.body_values)?)
        }
        _ => Err(Refusal::Method),
    }
}

fn may_debug(state: &AppState, viewer: &Viewer, headers: &HeaderMap) -> bool {
    let asked = headers.get(DEBUG).is_some_and(|value| value == "1");
    asked && (state.debug_for_everyone || viewer.scopes.has(Scope::InvoicesInternalRead))
}

/// What is executed. The operation is known to be there, and its variables to fit.
pub(super) struct Question {
    pub(super) document: ExecutableDocument,
    pub(super) operation_name: Option<String>,
    pub(super) variables: Variables,
}

/// What the audit log says of the caller of a request.
pub(super) fn actor(viewer: &Viewer, head: &Parts) -> Actor {
    let id = head.extensions.get::<RequestId>().map(|id| id.own().to_owned());
    let address = client::address_of(&head.extensions);
    Actor::of(viewer).in_request(id, address.map(|address| address.to_string()))
}

/// Who asks, with what, and what was taken for it.
pub(super) struct Asker<'a> {
    pub(super) viewer: Viewer,
    pub(super) head: &'a Parts,
    pub(super) charged: Charged,
}

/// Answers a question, as `viewer` may, in the request with that head.
pub(super) async fn execute(
    state: &AppState,
    schema: &Schema,
    Asker { viewer, head, charged }: Asker<'_>,
    question: Question,
    debug: bool,
) -> async_graphql::Response {
    let counter = Arc::new(StatementStats::default());
    let actor = actor(&viewer, head);
    let reader = state.store.reader(viewer.tenant(), &counter);
    let context = RequestContext::new(viewer, reader, Arc::clone(&state.links), state.billing_clock.now());
    let writes = Writes {
        store: state.store.clone(),
        actor,
        credentials_now: state.auth.now(),
        sessions: state.auth.session_policy(),
    };
    let context = context.writing(writes).charged(charged).giving(state.limits.answer_objects);
    let upstream = context.upstream();
    let mut request = async_graphql::Request::new("").variables(question.variables).data(context);
    request.operation_name = question.operation_name;
    request.set_parsed_query(question.document);
    let response = unconstrained(schema.execute(request)).await;
    state.stats.graphql.took(counter.statements());
    if !debug {
        return response;
    }
    let upstream = value!({"calls": upstream.calls(), "stale": upstream.stale(), "durationMs": upstream.duration_ms()});
    response.extension("debug", value!({"statements": counter.statements(), "upstream": upstream}))
}
