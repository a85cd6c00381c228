//! Works on the inbox of webhooks.
//!
//! Any number of servers may do so on one database: each leases some events, renews its leases while it works, and
//! takes over those of a server that is gone once they have run out. The route wakes the worker; otherwise it looks
//! for what has become due.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use entity::{Instant, WebhookStatus, webhook_event};
use futures::{FutureExt, StreamExt};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use ulid::Ulid;

use crate::actions::apply_event::{Applied, Backoff, FOREIGN, OTHER_MODE, Work, apply_event, fail_event};
use crate::domain::clock::Clock;
use crate::http::Inbox;
use crate::links::Accounts;
use crate::store::{Store, StoreError, webhook_event as inbox};

/// How the worker works.
#[derive(Clone, Copy, Debug)]
pub struct WorkerSettings {
    /// How long a lease holds without being renewed. Another server takes over after this and one `poll`.
    pub lease: Duration,
    /// How long to wait before looking for what has become due.
    pub poll: Duration,
    /// Events of one lease.
    pub batch: u32,
    /// Events that are worked on at the same time. `SQLite` has one writer: more than one would only wait.
    pub at_once: usize,
    /// How attempts are spaced.
    pub backoff: Backoff,
}

impl WorkerSettings {
    /// What fits a store. Events that wait for a lock must not hold every connection that writes: new ones have to be
    /// taken meanwhile.
    pub fn of(store: &Store) -> Self {
        let at_once = usize::try_from(store.writers() / 2).unwrap_or_default().clamp(1, AT_ONCE_MAX);
        Self {
            lease: Duration::from_secs(30),
            poll: Duration::from_secs(1),
            batch: 64,
            at_once,
            backoff: Backoff::default(),
        }
    }
}

/// The most events that are worked on at the same time.
const AT_ONCE_MAX: usize = 4;

/// How often the same event is tried at once when another transaction was faster.
const ATTEMPTS_AT_ONCE: u32 = 3;

/// Works on events until it is told to stop.
#[derive(Clone, Debug)]
pub struct Worker {
    /// The database.
    pub store: Store,
    /// Where events come in.
    pub inbox: Inbox,
    /// Who answers what an event leaves open.
    pub accounts: Option<Arc<Accounts>>,
    /// The clock that bills go by.
    pub billing_clock: Clock,
    /// How it works.
    pub settings: WorkerSettings,
}

impl Worker {
    /// Works until `stop` says so. What is begun is finished; leases on the rest are given back.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let name = Ulid::new().to_string();
        while !*stop.borrow() {
            match self.lease(&name).await {
                Ok(events) if events.is_empty() => self.wait(&mut stop).await,
                Ok(events) => {
                    tokio::select! {
                        () = self.work(&events, &stop) => {}
                        () = self.renew(&name) => {}
                    }
                }
                Err(error) => {
                    error.log();
                    self.wait(&mut stop).await;
                }
            }
        }
        if let Err(error) = self.release(&name).await {
            error.log();
        }
    }

    /// Until an event comes in, something may have become due, or it is to stop.
    async fn wait(&self, stop: &mut watch::Receiver<bool>) {
        tokio::select! {
            () = self.inbox.taken.notified() => {}
            () = sleep(self.settings.poll) => {}
            // An error means that nobody can say so any more, which is as good.
            _asked = stop.wait_for(|stop| *stop) => {}
        }
    }

    fn until(&self) -> (Instant, Instant) {
        let now = self.inbox.clock.now();
        let lease = chrono::TimeDelta::from_std(self.settings.lease).unwrap_or_default();
        (now, Instant::new(now.utc() + lease))
    }

    async fn lease(&self, name: &str) -> Result<Vec<webhook_event::Model>, StoreError> {
        let names: Vec<&str> = self.inbox.endpoints.keys().map(String::as_str).collect();
        let reader = self.store.reader(&self.inbox.system, &std::sync::Arc::default());
        // A look is cheap; a lease takes the one writer that SQLite has.
        if !inbox::is_due(&self.inbox.system, &reader, &names, self.inbox.clock.now()).await? {
            return Ok(Vec::new());
        }
        let tx = self.store.begin(&self.inbox.system).await?;
        let events = inbox::lease(&self.inbox.system, &tx, name, &names, self.until(), self.settings.batch).await?;
        tx.commit().await?;
        Ok(events)
    }

    /// Keeps the leases, for as long as it is polled.
    async fn renew(&self, name: &str) {
        loop {
            sleep(self.settings.lease / 3).await;
            if let Err(error) = self.renew_once(name).await {
                error.log();
            }
        }
    }

    async fn renew_once(&self, name: &str) -> Result<(), StoreError> {
        let tx = self.store.begin(&self.inbox.system).await?;
        inbox::renew(&self.inbox.system, &tx, name, self.until()).await?;
        tx.commit().await
    }

    async fn release(&self, name: &str) -> Result<(), StoreError> {
        let tx = self.store.begin(&self.inbox.system).await?;
        inbox::release(&self.inbox.system, &tx, name).await?;
        tx.commit().await
    }

    async fn work(&self, events: &[webhook_event::Model], stop: &watch::Receiver<bool>) {
        let going_on = futures::stream::iter(events).take_while(|_event| {
            let stopping = *stop.borrow();
            async move { !stopping }
        });
        going_on.for_each_concurrent(self.settings.at_once, |event| self.work_on(event)).await;
    }

    fn tell(&self, event: &webhook_event::Model, applied: &Applied) {
        let (status, reason) = (applied.status.map(WebhookStatus::word), applied.reason.as_deref());
        // An event may be dated a second ahead of our clock.
        let lag = (self.inbox.clock.now().utc() - event.event_created.utc()).to_std().unwrap_or_default();
        self.inbox.stats.worked_on(&event.kind, outcome(applied), lag);
        let lag_ms = u64::try_from(lag.as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(
            event.id = event.event_id,
            event.kind = event.kind,
            endpoint = event.endpoint,
            status,
            reason,
            lag_ms,
            "an event was worked on"
        );
    }

    /// One event. Whatever goes wrong with it concerns no other.
    async fn work_on(&self, event: &webhook_event::Model) {
        let Some(endpoint) = self.inbox.endpoints.get(&event.endpoint) else { return };
        let work = Work {
            store: &self.store,
            system: &self.inbox.system,
            endpoint,
            accounts: self.accounts.as_deref(),
            backoff: self.settings.backoff,
            now: self.inbox.clock.now(),
            billing_now: self.billing_clock.now(),
        };
        let outcome = match AssertUnwindSafe(applied(&work, event)).catch_unwind().await {
            Ok(outcome) => outcome,
            Err(_panic) => fail_event(&work, event, "a defect").await,
        };
        match outcome {
            Ok(applied) => self.tell(event, &applied),
            // Its lease runs out, and then it is tried again.
            Err(error) => error.log(),
        }
    }
}

/// How the work on an event ended, as it is counted.
fn outcome(applied: &Applied) -> &'static str {
    match (applied.status, applied.reason.as_deref()) {
        (None, _) => "lease_lost",
        (Some(WebhookStatus::Received), _) => "received",
        (Some(WebhookStatus::Processed), _) => "processed",
        (Some(WebhookStatus::Parked), _) => "parked",
        (Some(WebhookStatus::Failed), _) => "failed",
        (Some(WebhookStatus::Ignored), Some(OTHER_MODE)) => "ignored_livemode",
        (Some(WebhookStatus::Ignored), Some(why)) if FOREIGN.contains(&why) => "ignored_account",
        (Some(WebhookStatus::Ignored), _) => "ignored",
    }
}

async fn applied(work: &Work<'_>, event: &webhook_event::Model) -> Result<Applied, StoreError> {
    for _ in 1..ATTEMPTS_AT_ONCE {
        match apply_event(work, event).await {
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return failed(work, event, error).await,
            done => return done,
        }
    }
    match apply_event(work, event).await {
        Err(error) => failed(work, event, error).await,
        done => done,
    }
}

async fn failed(work: &Work<'_>, event: &webhook_event::Model, error: StoreError) -> Result<Applied, StoreError> {
    error.log();
    fail_event(work, event, &error.to_string()).await
}

/// A worker that runs, and can be told to stop.
#[derive(Debug)]
pub struct Running {
    stop: watch::Sender<bool>,
    ended: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Starts a worker in a task of its own.
    pub fn start(worker: Worker) -> Self {
        let (stop, stopping) = watch::channel(false);
        Self { stop, ended: tokio::spawn(worker.run(stopping)) }
    }

    /// What tells it to stop, for others to hold.
    pub fn stopper(&self) -> watch::Sender<bool> {
        self.stop.clone()
    }

    /// Tells it to stop, and waits for that at most so long. What it leaves is taken over when its leases have run out.
    pub async fn stop(self, patience: Duration) {
        self.stop.send_replace(true);
        if timeout(patience, self.ended).await.is_err() {
            tracing::warn!("the worker of the webhooks was still busy");
        }
    }
}
