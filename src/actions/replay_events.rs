//! Lets events of the inbox be worked on again, for whoever runs the gateway.

use entity::Instant;

use crate::store::tenant::System;
use crate::store::webhook_event::{self, Replay};
use crate::store::{Store, StoreError};

/// Makes events due now and gives how many. Working on an event again changes nothing that was done before.
///
/// # Errors
/// Those of [`StoreError`]; nothing changed then.
pub async fn replay_events(store: &Store, system: &System, which: &Replay, now: Instant) -> Result<u64, StoreError> {
    let tx = store.begin().await?;
    let events = webhook_event::replay(system, &tx, which, now).await?;
    tx.commit().await?;
    Ok(events)
}
