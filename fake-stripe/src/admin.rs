//! The fake's own API below `/_fake`, for demos and for tests in other processes. No key is needed.
//!
//! | call | does |
//! |---|---|
//! | `GET`, `PUT /_fake/state` | reads or replaces everything, in the format of the state file |
//! | `POST /_fake/invoices` | adds an invoice, or replaces it |
//! | `GET /_fake/invoices/{id}` | one invoice, and its live link |
//! | `POST /_fake/invoices/{id}/change` | `{"change": "pay"}` and the like, see [`Change`]; gives the events |
//! | `POST /_fake/invoices/{id}/rotate` | makes its links anew; the former are dead |
//! | `GET`, `POST`, `DELETE /_fake/faults` | lists faults, switches one on, switches all off, see [`Fault`] |
//! | `POST /_fake/keys/revoke` | `{"key": "rk_test_fake"}` |
//! | `GET`, `DELETE /_fake/requests` | the calls that came, and forgets them |
//! | `GET /_fake/counts` | how many |
//! | `GET`, `POST /_fake/events` | all events; adds one of whatever shape |
//! | `POST /_fake/deliver` | sends events to a webhook, see [`Delivery`] |
//! | `PUT`, `DELETE /_fake/webhook` | `{"url": "http://…", "secret": "whsec_…"}`: sends events there as they happen, or nowhere |

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::change::{Change, ChangeError};
use crate::deliver::Delivery;
use crate::fault::Fault;
use crate::state::{self, Invoice, Webhook};
use crate::{FakeStripe, Shared};

/// The routes below `/_fake`.
pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/_fake/state", get(state).put(replace_state))
        .route("/_fake/invoices", post(put_invoice))
        .route("/_fake/invoices/{id}", get(invoice))
        .route("/_fake/invoices/{id}/change", post(change))
        .route("/_fake/invoices/{id}/rotate", post(rotate))
        .route("/_fake/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/_fake/keys/revoke", post(revoke_key))
        .route("/_fake/requests", get(requests).delete(reset_counts))
        .route("/_fake/counts", get(counts))
        .route("/_fake/events", get(events).post(write_event))
        .route("/_fake/deliver", post(deliver))
        .route("/_fake/webhook", put(set_webhook).delete(clear_webhook))
}

fn refused(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "error": why }))).into_response()
}

async fn state(State(shared): State<Shared>) -> Json<state::State> {
    Json(FakeStripe::of(shared).state())
}

async fn replace_state(State(shared): State<Shared>, Json(state): Json<state::State>) -> StatusCode {
    FakeStripe::of(shared).replace(state);
    StatusCode::NO_CONTENT
}

async fn put_invoice(State(shared): State<Shared>, Json(invoice): Json<Invoice>) -> Response {
    Json(FakeStripe::of(shared).put(invoice)).into_response()
}

async fn invoice(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    let fake = FakeStripe::of(shared);
    match fake.invoice(&id) {
        None => refused(StatusCode::NOT_FOUND, "there is no such invoice"),
        Some(invoice) => {
            let link = fake.hosted_invoice_url(&id);
            Json(json!({ "invoice": invoice, "hosted_invoice_url": link })).into_response()
        }
    }
}

async fn change(State(shared): State<Shared>, Path(id): Path<String>, Json(change): Json<Change>) -> Response {
    match FakeStripe::of(shared).change(&id, &change) {
        Ok(events) => Json(events).into_response(),
        Err(error @ ChangeError::NoInvoice) => refused(StatusCode::NOT_FOUND, &error.to_string()),
        Err(error @ ChangeError::NotAllowed(_)) => refused(StatusCode::CONFLICT, &error.to_string()),
    }
}

async fn rotate(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    let fake = FakeStripe::of(shared);
    match fake.rotate_link(&id) {
        None => refused(StatusCode::NOT_FOUND, "there is no such invoice"),
        Some(generation) => {
            let link = fake.hosted_invoice_url(&id);
            Json(json!({ "generation": generation, "hosted_invoice_url": link })).into_response()
        }
    }
}

async fn faults(State(shared): State<Shared>) -> Json<Vec<Fault>> {
    Json(shared.world().faults.clone())
}

async fn add_fault(State(shared): State<Shared>, Json(fault): Json<Fault>) -> StatusCode {
    FakeStripe::of(shared).fault(fault);
    StatusCode::NO_CONTENT
}

async fn clear_faults(State(shared): State<Shared>) -> StatusCode {
    FakeStripe::of(shared).clear_faults();
    StatusCode::NO_CONTENT
}

/// A key to be revoked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoked {
    key: String,
}

async fn revoke_key(State(shared): State<Shared>, Json(revoked): Json<Revoked>) -> Response {
    if FakeStripe::of(shared).revoke_key(&revoked.key) {
        StatusCode::NO_CONTENT.into_response()
    } else {
        refused(StatusCode::NOT_FOUND, "there is no such key")
    }
}

async fn requests(State(shared): State<Shared>) -> Response {
    Json(FakeStripe::of(shared).calls()).into_response()
}

async fn reset_counts(State(shared): State<Shared>) -> StatusCode {
    FakeStripe::of(shared).reset_counts();
    StatusCode::NO_CONTENT
}

async fn counts(State(shared): State<Shared>) -> Response {
    Json(FakeStripe::of(shared).counts()).into_response()
}

async fn events(State(shared): State<Shared>) -> Response {
    Json(FakeStripe::of(shared).events()).into_response()
}

async fn write_event(State(shared): State<Shared>, Json(body): Json<Value>) -> Response {
    Json(FakeStripe::of(shared).write_event(body)).into_response()
}

async fn set_webhook(State(shared): State<Shared>, Json(webhook): Json<Webhook>) -> StatusCode {
    FakeStripe::of(shared).set_webhook(Some(webhook));
    StatusCode::NO_CONTENT
}

async fn clear_webhook(State(shared): State<Shared>) -> StatusCode {
    FakeStripe::of(shared).set_webhook(None);
    StatusCode::NO_CONTENT
}

async fn deliver(State(shared): State<Shared>, Json(delivery): Json<Delivery>) -> Response {
    match FakeStripe::of(shared).deliver(delivery).await {
        Ok(report) => Json(report).into_response(),
        Err(error) => refused(StatusCode::BAD_GATEWAY, &error.to_string()),
    }
}
