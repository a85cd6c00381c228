//! Takes a webhook into the inbox: verified, stored, and only then acknowledged. Nothing is worked on here.

use entity::{InboxSource, Instant, TenantId, WebhookStatus, webhook_event};

use super::upstream_news::Subject;
use crate::store::tenant::System;
use crate::store::{self, Store, StoreError};
use crate::stripe::webhook::{Webhook, WebhookError};
use crate::stripe::{Event, StripeAccountId};

/// Who sends webhooks.
const PROVIDER: &str = "stripe";

/// How much is kept of words that Stripe may make up, in characters.
const WORD_MAX: usize = 200;

/// Whose events come to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// One tenant's.
    Tenant(TenantId),
    /// Those of every account that is connected to the platform; the account tells the tenant.
    Connect,
}

/// A place that Stripe sends events to.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Whose events come.
    pub owner: Owner,
    /// Whether they are about real money. Others are ignored.
    pub livemode: bool,
    /// What verifies and reads them.
    pub webhook: Webhook,
}

/// An event that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is in the inbox now.
    New,
    /// It was there already.
    Duplicate,
}

/// An event that is verified, and not in the inbox yet.
#[derive(Debug)]
pub struct Verified(webhook_event::Model);

/// Reads an event of an endpoint, by its name: the bytes as they came, and the header with their signatures.
///
/// # Errors
/// [`WebhookError`] when it is not Stripe's, or no event.
pub fn verify_event(
    (name, endpoint): (&str, &Endpoint),
    (body, header): (&[u8], &[u8]),
    now: Instant,
) -> Result<Verified, WebhookError> {
    let event = endpoint.webhook.receive(body, header, now)?;
    // Whatever was read as JSON is UTF-8.
    let payload = std::str::from_utf8(body).map_err(|_not_utf8| WebhookError::Header)?;
    let came = Came { endpoint: name, livemode: endpoint.livemode, source: InboxSource::Webhook, payload, now };
    let tenant = match &endpoint.owner {
        Owner::Tenant(tenant) => Some(tenant.clone()),
        Owner::Connect => None,
    };
    Ok(Verified(row(&came, tenant, &event)))
}

/// Stores an event for good, unless it is there already.
///
/// # Errors
/// The store's own: the event is not acknowledged then, so that Stripe sends it again.
pub async fn take_event(store: &Store, system: &System, Verified(row): Verified) -> Result<Taken, StoreError> {
    let tx = store.begin(system).await?;
    let new = store::webhook_event::insert(system, &tx, row).await?;
    tx.commit().await?;
    Ok(if new { Taken::New } else { Taken::Duplicate })
}

/// How an event came.
pub(super) struct Came<'a> {
    /// The endpoint whose worker is to work on it.
    pub(super) endpoint: &'a str,
    /// Whether it is about real money where it does not say so itself.
    pub(super) livemode: bool,
    pub(super) source: InboxSource,
    /// The event as Stripe wrote it.
    pub(super) payload: &'a str,
    pub(super) now: Instant,
}

/// The row of an event that waits to be worked on.
pub(super) fn row(came: &Came<'_>, tenant: Option<TenantId>, event: &Event) -> webhook_event::Model {
    webhook_event::Model {
        endpoint: came.endpoint.to_owned(),
        event_id: event.id.as_str().to_owned(),
        tenant_id: tenant,
        provider: PROVIDER.to_owned(),
        kind: word(&event.kind),
        api_version: event.api_version.as_deref().map(word),
        livemode: event.livemode.unwrap_or(came.livemode),
        account_id: event.account.as_ref().map(StripeAccountId::as_str).map(str::to_owned),
        object_id: Subject::of(event).object().map(str::to_owned),
        event_created: event.created,
        payload: came.payload.to_owned(),
        status: WebhookStatus::Received,
        next_attempt_at: Some(came.now),
        received_at: came.now,
        source: came.source,
        ..Default::default()
    }
}

/// A word of Stripe's without what a database or a terminal could stumble over.
fn word(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(WORD_MAX).collect()
}
