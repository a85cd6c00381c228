//! Asks Stripe about open invoices whose webhooks may have been lost: those that were not heard of for long, and, much
//! more often, those whose links were just read, because their customers may be paying.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use entity::{EventSource, Instant};
use tokio::sync::watch;

use crate::actions::mirror_invoice::Mirrored;
use crate::actions::sync_invoice::{Sync, Synced, sync_invoice};
use crate::domain::clock::Clock;
use crate::domain::viewer::Tenant;
use crate::links::Accounts;
use crate::stats::ReconcilerStats;
use crate::store::tenant::System;
use crate::store::upstream_invoice::Due;
use crate::store::{self, Store, StoreError};
use crate::stripe::Deadline;

/// How long Stripe may take for an invoice that nobody waits for.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// How long after its links were read a customer may be paying.
const PAYING: TimeDelta = TimeDelta::hours(1);

/// Invoices of a tenant that are asked for in one round.
const ROUND_MAX: u64 = 200;

/// How long after the start the first round begins: requests come first, and a fake of Stripe reads its state.
const FIRST_ROUND: Duration = Duration::from_secs(5);

/// When an invoice is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Intervals {
    /// When nothing was heard of it for so long.
    pub open: Duration,
    /// The same, while its customer may be paying; also how often it is looked whether any is due.
    pub paying: Duration,
}

/// Reconciles until it is told to stop.
#[derive(Clone, Debug)]
pub struct Reconciler {
    /// The database.
    pub store: Store,
    /// The right to see every tenant.
    pub system: System,
    /// Who is asked.
    pub accounts: Arc<Accounts>,
    /// The clock that bills go by.
    pub billing_clock: Clock,
    /// What rounds are counted in.
    pub stats: ReconcilerStats,
    /// When invoices are asked for.
    pub intervals: Intervals,
}

/// What a round came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Invoices that Stripe was asked about.
    pub asked: u64,
    /// Of which something changed.
    pub changed: u64,
    /// About which Stripe did not answer.
    pub failed: u64,
}

impl Reconciler {
    /// Works until `stop` says so, which may cut a round short: the next one goes on.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut wait = FIRST_ROUND;
        loop {
            let round = async {
                tokio::time::sleep(wait).await;
                let went = self.round().await;
                match &went {
                    Ok(Round { asked, changed, failed }) => self.stats.went(*asked, *changed, *failed),
                    Err(_broken_off) => self.stats.broke_off(),
                }
                match went {
                    Ok(round) if round.asked > 0 => {
                        let Round { asked, changed, failed } = round;
                        tracing::info!(asked, changed, failed, "Asked Stripe about open invoices");
                    }
                    Ok(_) => {}
                    Err(error) => error.log(),
                }
            };
            tokio::select! {
                () = round => wait = self.intervals.paying,
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// Asks about everything that is due.
    ///
    /// # Errors
    /// Those of [`StoreError`]; what was asked before is done.
    pub async fn round(&self) -> Result<Round, StoreError> {
        let reader = self.store.reader(&Arc::default());
        let mut round = Round::default();
        for tenant in store::tenant::all(&self.system, &reader).await? {
            let tenant = Tenant::whole(tenant.id);
            let now = self.billing_clock.now();
            let before = |time: Duration| Instant::new(now.utc() - TimeDelta::from_std(time).unwrap_or(TimeDelta::MAX));
            let due = Due {
                heard_before: before(self.intervals.open),
                paying_since: Instant::new(now.utc() - PAYING),
                paying_heard_before: before(self.intervals.paying),
                limit: ROUND_MAX,
            };
            for invoice in store::upstream_invoice::due(&tenant, &reader, &due).await? {
                let (store, accounts) = (&self.store, self.accounts.as_ref());
                let deadline = Deadline::after(ANSWER_TIME);
                let sync = Sync { store, accounts, deadline, now, source: EventSource::Reconciler, by: None };
                round.asked += 1;
                match sync_invoice(&sync, &tenant, &invoice).await? {
                    Synced::Mirrored(Mirrored::Changed(_)) => round.changed += 1,
                    Synced::Mirrored(_) | Synced::NotMirrored => {}
                    Synced::Failed(error) => {
                        tracing::debug!(%invoice, %error, "Stripe did not answer about an invoice");
                        round.failed += 1;
                    }
                }
            }
        }
        Ok(round)
    }
}
