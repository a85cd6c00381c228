//! `POST /webhooks/stripe/{endpoint}`: an event is verified, stored and acknowledged; the work on it comes later.
//!
//! The signature is over the bytes of the body, so nothing looks into them before, and nobody has shown a credential
//! while they are read: without a header that may be Stripe's nothing of them is. Only what is stored for good is
//! answered with 200; what may work later with 5xx or 429, so that Stripe sends it again.
//!
//! Signatures are looked at whatever came before from the same address: behind one address there may be Stripe and
//! somebody else, and who forges must not keep away who does not.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::json;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::budget::Of;
use super::error::NotTaken;
use super::request_id::RequestId;
use super::webhook_pace::WebhookPace;
use super::{AppState, body, client};
use crate::actions::take_event::{Endpoint, Taken, take_event, verify_event};
use crate::domain::clock::Clock;
use crate::stats::WebhookStats;
use crate::store::tenant::System;
use crate::stripe::webhook::plausible;

/// Where webhooks come to.
pub(super) const PATH: &str = "/webhooks/stripe/{endpoint}";

/// The header with the signatures.
const SIGNATURE: &str = "stripe-signature";

/// How long storing an event may take. Stripe sends again what was not acknowledged, and a database that does not
/// answer must not pile up what came.
const STORE_TIMEOUT: Duration = Duration::from_millis(2_500);

/// What takes webhooks.
#[derive(Clone)]
pub struct Inbox {
    /// Endpoints by their name in the address.
    pub endpoints: Arc<BTreeMap<String, Endpoint>>,
    /// The right to the inbox.
    pub system: System,
    /// The clock that signatures and leases go by: the real one.
    pub clock: Clock,
    /// What webhooks are counted in.
    pub stats: WebhookStats,
    /// Told of each event that is taken.
    pub taken: Arc<Notify>,
    /// How many each endpoint takes within a second.
    pub pace: WebhookPace,
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("endpoints", &self.endpoints.keys()).finish_non_exhaustive()
    }
}

/// Takes an event.
pub(super) async fn handle(
    State(state): State<Arc<AppState>>,
    path: Result<Path<String>, PathRejection>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> Response {
    // Bytes that are no text name no endpoint.
    let name = path.map(|Path(name)| name).unwrap_or_default();
    let (head, body) = request.into_parts();
    let mut taken = take(&state, &name, &head, body).await;
    if let Err(refusal @ (NotTaken::NoEndpoint | NotTaken::Signature)) = &taken {
        let address = client::address_of(&head.extensions);
        let word = refusal.word();
        if let Some(exhausted) = state.rates.bad(address).await {
            taken = Err(NotTaken::TooManyBad(word, exhausted));
        }
    }
    state.inbox.stats.came(match &taken {
        Ok(Taken::New) => "new",
        Ok(Taken::Duplicate) => "duplicate",
        Err(refusal) => refusal.word(),
    });
    match taken {
        Ok(Taken::New) => Json(json!({ "received": true })).into_response(),
        Ok(Taken::Duplicate) => Json(json!({ "received": true, "duplicate": true })).into_response(),
        Err(refusal) => refusal.answer(&id),
    }
}

async fn take(state: &AppState, name: &str, head: &Parts, body: Body) -> Result<Taken, NotTaken> {
    let inbox = &state.inbox;
    let endpoint = inbox.endpoints.get(name).ok_or(NotTaken::NoEndpoint)?;
    let mut signatures = head.headers.get_all(SIGNATURE).iter();
    let (Some(signature), None) = (signatures.next(), signatures.next()) else { return Err(NotTaken::Signature) };
    plausible(signature.as_bytes(), inbox.clock.now())?;
    let memory = state.room.body(Of::Anyone, client::address_of(&head.extensions));
    let body = body::read(body, &head.headers, state.limits.webhook_body_bytes, memory);
    let body = timeout(state.transport.body_timeout, body);
    let body = body.await.map_err(|_elapsed| NotTaken::TooSlow)??;
    inbox.pace.look(name).await.map_err(NotTaken::TooMany)?;
    let _place = state.room.enter_inbox().await.map_err(|_full| NotTaken::Overloaded)?;
    let event = verify_event((name, endpoint), (&body, signature.as_bytes()), inbox.clock.now())?;
    inbox.pace.take(name).await.map_err(NotTaken::TooMany)?;
    let taken = take_event(&state.store, &inbox.system, event);
    let taken = timeout(STORE_TIMEOUT, taken).await.map_err(|_elapsed| NotTaken::not_in_time())??;
    if taken == Taken::New {
        inbox.taken.notify_one();
    }
    Ok(taken)
}
