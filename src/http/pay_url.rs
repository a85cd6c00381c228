//! `GET /v1/billing/invoices/{id}/pay-url`: where an invoice can be paid now, for clients that do not speak GraphQL.
//!
//! A projection of the same question in GraphQL, so that credentials, scopes and tenants have one place. Unknown and
//! foreign invoices are the same answer.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::parser::parse_query;
use async_graphql::{Response as Answered, ServerError, Value as GraphqlValue, Variables};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::{CACHE_CONTROL, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::error::{Refusal, nothing_here, problem, retry_after};
use super::graphql::{Asker, Question, execute};
use super::rate::Account;
use super::request_id::RequestId;
use super::{AppState, viewer};
use crate::domain::viewer::Viewer;

/// Where it is asked.
pub(super) const PATH: &str = "/v1/billing/invoices/{id}/pay-url";

/// The question behind it.
const QUESTION: &str = "query PayUrl($id: ID!) { invoice(id: $id) { payUrl } }";

/// What it costs: an invoice and its pay link.
const COST: u64 = 11;

/// How long an answer may take in all; Stripe gets less of it.
const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) async fn handle(
    State(state): State<Arc<AppState>>,
    path: Result<Path<String>, PathRejection>,
    Extension(request): Extension<RequestId>,
    asked: Request,
) -> Response {
    let (head, _body) = asked.into_parts();
    let viewer = match viewer::of(&state, &head).await {
        Ok(viewer) => viewer,
        Err(refusal) => return refusal.problem(&request),
    };
    let mut account = state.rates.account(&viewer, state.documents.settings.cost_limits);
    // Bytes that are no text name no invoice.
    let id = path.map(|Path(id)| id).ok();
    let mut response = match run(&state, &head, viewer, &mut account, id).await {
        Ok(Some(answered)) => answer(&answered, &request),
        Ok(None) => nothing_here(&request),
        Err(refusal) => account.refused(refusal).await.problem(&request),
    };
    response.headers_mut().extend(account.headers());
    response
}

/// What is answered in GraphQL; nothing where there is no id that could name an invoice.
async fn run(
    state: &AppState,
    head: &Parts,
    viewer: Viewer,
    account: &mut Account<'_>,
    id: Option<String>,
) -> Result<Option<Answered>, Refusal> {
    let _seat = state.room.enter(viewer.tenant().id()).await.map_err(|_full| Refusal::Overloaded)?;
    let charge = account.charge(COST).await?;
    let Some(id) = id else { return Ok(None) };
    let document = parse_query(QUESTION).map_err(|_error| Refusal::Internal)?;
    let variables = Variables::from_json(json!({ "id": id }));
    let question = Question { document, operation_name: None, variables };
    let caller = Asker { viewer, head, charged: charge.shown() };
    let answered = execute(state, &state.schema, caller, question, false);
    let answered = tokio::time::timeout(TIMEOUT, answered).await.map_err(|_elapsed| Refusal::Timeout)?;
    Ok(Some(answered))
}

fn answer(answered: &Answered, request: &RequestId) -> Response {
    if let Some(error) = answered.errors.first() {
        // What cannot be an id names no invoice; nothing else of the question is the client's.
        if code_of(error) == "BAD_USER_INPUT" {
            return nothing_here(request);
        }
        return refusal(error, request);
    }
    let data = answered.data.clone().into_json().unwrap_or_default();
    match data.get("invoice") {
        Some(Value::Object(invoice)) => {
            let url = invoice.get("payUrl").cloned().unwrap_or_default();
            ([(CACHE_CONTROL, "no-store")], Json(json!({ "url": url }))).into_response()
        }
        _ => nothing_here(request),
    }
}

fn code_of(error: &ServerError) -> &str {
    match error.extensions.as_ref().and_then(|extensions| extensions.get("code")) {
        Some(GraphqlValue::String(code)) => code,
        _ => "",
    }
}

/// What a failed field means here: its message is fit to be shown, its code says which status.
fn refusal(error: &ServerError, request: &RequestId) -> Response {
    let status = match code_of(error) {
        "FORBIDDEN" => StatusCode::FORBIDDEN,
        "RATE_LIMITED" => StatusCode::TOO_MANY_REQUESTS,
        "UPSTREAM_UNAVAILABLE" | "UPSTREAM_RATE_LIMITED" | "STORE_UNAVAILABLE" => StatusCode::SERVICE_UNAVAILABLE,
        "UPSTREAM_TIMEOUT" | "TIMEOUT" => StatusCode::GATEWAY_TIMEOUT,
        code if code.starts_with("UPSTREAM_") => StatusCode::BAD_GATEWAY,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let mut response = problem(status, &error.message, request);
    match status {
        StatusCode::SERVICE_UNAVAILABLE => response.headers_mut().extend([retry_after()]),
        StatusCode::TOO_MANY_REQUESTS => {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait_seconds(error)));
        }
        _ => {}
    }
    response
}

/// How long to wait, in whole seconds.
fn wait_seconds(error: &ServerError) -> u64 {
    let after = error.extensions.as_ref().and_then(|extensions| extensions.get("retryAfterMs"));
    match after {
        Some(GraphqlValue::Number(millis)) => millis.as_u64().unwrap_or_default().div_ceil(1_000).max(1),
        _ => 1,
    }
}
