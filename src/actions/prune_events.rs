//! Takes events out of the inbox that were worked on long ago: nothing sends them again by then.

use entity::Instant;

use crate::store::tenant::System;
use crate::store::{self, Store, StoreError};

/// Events of one transaction. `SQLite` has one writer, and webhooks come in meanwhile.
pub const BATCH: u64 = 500;

/// Takes away up to [`BATCH`] events that came before `before` and were processed or ignored, the oldest first. Gives how
/// many: fewer than a batch means that no more are left. What is parked or failed stays.
///
/// # Errors
/// Those of [`StoreError`]; nothing changed then.
pub async fn prune_events(store: &Store, system: &System, before: Instant) -> Result<u64, StoreError> {
    let tx = store.begin(system).await?;
    let pruned = store::webhook_event::prune(system, &tx, before, BATCH).await?;
    tx.commit().await?;
    Ok(pruned)
}
