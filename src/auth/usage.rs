//! Notes that credentials were used, behind the answers: when they last were, and until when a session lasts.
//!
//! Each is noted at most once a minute by a replica. What cannot be noted is let go: no request waits for it, and none
//! fails because of it.

use std::time::Duration;

use chrono::TimeDelta;
use entity::Instant;
use moka::future::Cache;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::domain::browser_session::{SessionPolicy, after};
use crate::domain::clock::Clock;
use crate::store::tenant::System;
use crate::store::{self, Store, StoreError};

/// How often one credential is noted.
const APART: Duration = Duration::from_mins(1);

/// The same in the database, which other replicas write as well. A little less, so that one does not miss its turn.
const APART_STORED: TimeDelta = TimeDelta::seconds(55);

/// Notes that wait to be written, and that one transaction writes.
const WAITING_MAX: usize = 1_000;

/// Credentials whose last note is remembered.
const REMEMBERED_MAX: u64 = 10_000;

/// How often sessions that ended, and revoked tokens that have expired, are taken away.
const SWEEP: Duration = Duration::from_hours(1);

/// How long a session that ended is kept, for whoever asks what became of it.
const SESSION_KEPT: TimeDelta = TimeDelta::days(7);

/// A credential that was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Used {
    /// The key with this handle.
    Key(String),
    /// The session whose cookie has this digest, which ends in any case then.
    Session(String, Instant),
}

/// Takes notes.
pub(super) struct Usage {
    noted: Cache<String, ()>,
    notes: Sender<Used>,
}

/// Writes notes down.
#[derive(Debug)]
pub struct UsageWriter {
    notes: Receiver<Used>,
    store: Store,
    system: System,
    clock: Clock,
    policy: SessionPolicy,
}

impl Usage {
    pub(super) fn new(store: Store, system: System, clock: Clock, policy: SessionPolicy) -> (Self, UsageWriter) {
        let (sender, notes) = channel(WAITING_MAX);
        let recent = Cache::builder().max_capacity(REMEMBERED_MAX).time_to_live(APART).build();
        (Self { noted: recent, notes: sender }, UsageWriter { notes, store, system, clock, policy })
    }

    /// Notes that a credential was used, unless that was done within the last minute.
    pub(super) async fn note(&self, used: Used) {
        let (Used::Key(name) | Used::Session(name, _)) = &used;
        if self.noted.entry_by_ref(name).or_insert(()).await.is_fresh() && self.notes.try_send(used).is_err() {
            tracing::debug!("the use of a credential was not noted");
        }
    }
}

impl UsageWriter {
    /// Writes until nobody takes notes any more.
    pub async fn run(mut self) {
        let mut batch = Vec::new();
        let mut sweep = tokio::time::interval(SWEEP);
        loop {
            let written = tokio::select! {
                received = self.notes.recv_many(&mut batch, WAITING_MAX) => {
                    if received == 0 {
                        return;
                    }
                    self.write(&batch).await
                }
                _ = sweep.tick() => self.sweep().await,
            };
            batch.clear();
            if let Err(error) = written {
                error.log();
            }
        }
    }

    async fn write(&self, batch: &[Used]) -> Result<(), StoreError> {
        let now = self.clock.now();
        let before = after(now, -APART_STORED);
        let tx = self.store.begin(&self.system).await?;
        for used in batch {
            match used {
                Used::Key(handle) => {
                    store::credential::note_use(&self.system, &tx, handle, (now, before)).await?;
                }
                Used::Session(digest, end) => {
                    let until = self.policy.idle_until(now, *end);
                    store::browser_session::note_use(&self.system, &tx, digest, (now, before), until).await?;
                }
            }
        }
        tx.commit().await
    }

    async fn sweep(&self) -> Result<(), StoreError> {
        let tx = self.store.begin(&self.system).await?;
        let now = self.clock.now();
        store::browser_session::forget(&self.system, &tx, after(now, -SESSION_KEPT)).await?;
        store::revoked_token::forget(&self.system, &tx, now).await?;
        tx.commit().await
    }
}
