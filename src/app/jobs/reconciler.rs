//! Asks Stripe about open invoices whose webhooks may have been lost: those that were not heard of for long, and, much
//! more often, those whose links were just read, because their customers may be paying.
//!
//! Any number of servers may do so on one database: a tenant's round is leased, and what is due is looked up under the
//! lease, so that an invoice which another server just asked about is not asked again. A server that is gone leaves a
//! lease behind that runs out; whoever sees that begins a round at once.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use entity::{EventSource, Instant, InvoiceId};
use tokio::sync::watch;
use tokio::time::sleep;

use super::lease::Lease;
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

/// The name of the job whose lease a round takes.
pub const JOB: &str = "stripe.reconcile";

/// How long a lease holds without being renewed.
const LEASE: Duration = Duration::from_secs(30);

/// How often it is looked whether another server left a lease behind: it is taken over this long after the lease has
/// run out, at the latest.
pub const LOOK: Duration = Duration::from_secs(10);

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
    /// How often it is looked whether another server left its round behind: [`LOOK`].
    pub look: Duration,
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
    /// Tenants whose round another server does at this moment.
    pub elsewhere: u64,
}

impl Reconciler {
    /// Works until `stop` says so, which may cut a round short: the next one goes on.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut first = true;
        loop {
            let round = async {
                if first {
                    sleep(FIRST_ROUND).await;
                } else {
                    self.wait().await;
                }
                let went = self.round().await;
                match &went {
                    Ok(Round { asked, changed, failed, .. }) => self.stats.went(*asked, *changed, *failed),
                    Err(_broken_off) => self.stats.broke_off(),
                }
                match went {
                    Ok(round) if round.asked > 0 => {
                        let Round { asked, changed, failed, .. } = round;
                        tracing::info!(asked, changed, failed, "Asked Stripe about open invoices");
                    }
                    Ok(_) => {}
                    Err(error) => error.log(),
                }
            };
            tokio::select! {
                () = round => first = false,
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// Until invoices may be due again, or another server has left its round behind.
    async fn wait(&self) {
        let mut waited = Duration::ZERO;
        while waited < self.intervals.paying {
            let pause = self.look.min(self.intervals.paying.saturating_sub(waited));
            sleep(pause).await;
            waited += pause;
            let reader = self.store.reader(&self.system, &Arc::default());
            match store::job::is_abandoned(&self.system, &reader, JOB, Clock::system().now()).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => error.log(),
            }
        }
    }

    /// Asks about everything that is due, tenant by tenant. Tenants that another server works on are left to it.
    ///
    /// # Errors
    /// Those of [`StoreError`]; what was asked before is done.
    pub async fn round(&self) -> Result<Round, StoreError> {
        let reader = self.store.reader(&self.system, &Arc::default());
        let mut round = Round::default();
        let tenants = store::tenant::all(&self.system, &reader).await?;
        self.accounts.know_modes(&tenants);
        for tenant in tenants {
            let tenant = Tenant::whole(tenant.id);
            // A look is cheap; a lease takes the one writer that SQLite has.
            if self.due(&tenant).await?.is_empty() {
                continue;
            }
            let lease = Lease::on(&self.store, &tenant, JOB, LEASE);
            if !lease.take().await? {
                round.elsewhere += 1;
                continue;
            }
            let done = tokio::select! {
                done = Box::pin(self.round_of(&tenant, &mut round)) => done,
                () = lease.keep() => Ok(()),
            };
            // A round that is dropped in the middle leaves the lease to run out.
            lease.release().await?;
            done?;
        }
        Ok(round)
    }

    async fn round_of(&self, tenant: &Tenant, round: &mut Round) -> Result<(), StoreError> {
        // Looked up anew: another server may have asked between the look and the lease.
        for invoice in self.due(tenant).await? {
            let (store, accounts, now) = (&self.store, self.accounts.as_ref(), self.billing_clock.now());
            let deadline = Deadline::after(ANSWER_TIME);
            let sync = Sync { store, accounts, deadline, now, source: EventSource::Reconciler, by: None };
            round.asked += 1;
            match Box::pin(sync_invoice(&sync, tenant, &invoice)).await? {
                Synced::Mirrored(Mirrored::Changed(_)) => round.changed += 1,
                Synced::Mirrored(_) | Synced::NotMirrored => {}
                Synced::Failed(error) => {
                    tracing::debug!(%invoice, %error, "Stripe did not answer about an invoice");
                    round.failed += 1;
                }
            }
        }
        Ok(())
    }

    /// What is due of a tenant whose account can be asked.
    async fn due(&self, tenant: &Tenant) -> Result<Vec<InvoiceId>, StoreError> {
        if !self.accounts.serve(tenant.id()) {
            return Ok(Vec::new());
        }
        let now = self.billing_clock.now();
        let before = |time: Duration| Instant::new(now.utc() - TimeDelta::from_std(time).unwrap_or(TimeDelta::MAX));
        let due = Due {
            heard_before: before(self.intervals.open),
            paying_since: Instant::new(now.utc() - PAYING),
            paying_heard_before: before(self.intervals.paying),
            limit: ROUND_MAX,
        };
        store::upstream_invoice::due(tenant, &self.store.reader(tenant, &Arc::default()), &due).await
    }
}
