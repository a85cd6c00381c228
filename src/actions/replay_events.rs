//! Lets events of the inbox be worked on again, for whoever runs the gateway.

use entity::Instant;
use serde_json::json;

use crate::domain::actor::Actor;
use crate::domain::trail::Deed;
use crate::store::tenant::System;
use crate::store::webhook_event::{self, Replay};
use crate::store::{Store, StoreError, audit_log};

/// Makes events due now and gives how many. Working on an event again changes nothing that was done before.
///
/// # Errors
/// Those of [`StoreError`]; nothing changed then.
pub async fn replay_events(
    store: &Store,
    system: &System,
    actor: &Actor,
    which: &Replay,
    now: Instant,
) -> Result<u64, StoreError> {
    let tx = store.begin(system).await?;
    let events = webhook_event::replay(system, &tx, which, now).await?;
    if events > 0 {
        let object_id = match which {
            Replay::Event(id) => id.clone(),
            Replay::Unfinished => "all that are parked or failed".to_owned(),
        };
        let after = Some(json!({ "events": events }));
        let deed = Deed { action: "webhook.replay", object_type: "WebhookEvent", object_id, before: None, after };
        audit_log::append_of_operator(system, &tx, actor, deed, now).await?;
    }
    tx.commit().await?;
    Ok(events)
}
