//! Keeps the inbox of webhooks from growing for ever: what was worked on is taken away once nothing sends it again.

use std::time::Duration;

use chrono::TimeDelta;
use entity::Instant;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::actions::prune_events::{BATCH, prune_events};
use crate::domain::clock::Clock;
use crate::store::tenant::System;
use crate::store::{Store, StoreError};

/// How often it is looked for old events.
const LOOKED: Duration = Duration::from_hours(1);

/// How long others may write between two batches.
const BREATH: Duration = Duration::from_millis(100);

/// Batches of one round; what is left waits for the next.
const BATCHES_MAX: u32 = 200;

/// Prunes until it is told to stop. Several servers may: what one took away another does not find.
#[derive(Clone, Debug)]
pub struct Pruner {
    /// The database.
    pub store: Store,
    /// The right to the inbox.
    pub system: System,
    /// The clock that events are received by.
    pub clock: Clock,
    /// How long events are kept.
    pub keep: Duration,
}

impl Pruner {
    /// Works until `stop` says so, which may cut a round short: the next one goes on.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        loop {
            let round = async {
                match self.round().await {
                    Ok(0) => {}
                    Ok(events) => tracing::info!(events, "Took old webhooks out of the inbox"),
                    Err(error) => error.log(),
                }
                sleep(LOOKED).await;
            };
            tokio::select! {
                () = round => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// Takes away what is old, in batches, and gives how many events that were.
    ///
    /// # Errors
    /// Those of [`StoreError`]; what was taken away before is gone.
    pub async fn round(&self) -> Result<u64, StoreError> {
        let keep = TimeDelta::from_std(self.keep).unwrap_or(TimeDelta::MAX);
        let before = Instant::new(self.clock.now().utc().checked_sub_signed(keep).unwrap_or_default());
        let mut events = 0_u64;
        for _batch in 0..BATCHES_MAX {
            let pruned = prune_events(&self.store, &self.system, before).await?;
            events = events.saturating_add(pruned);
            if pruned < BATCH {
                break;
            }
            sleep(BREATH).await;
        }
        Ok(events)
    }
}
