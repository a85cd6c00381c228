//! Puts together what is counted in all parts of the program, and reads beside it what is only looked at when someone
//! asks: pools, breakers, the inbox, the process.

use std::sync::Arc;
use std::time::Duration;

use entity::{Instant, WebhookStatus};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::domain::clock::Clock;
use crate::http::{self, AppState, Transport};
use crate::stats::{self, ConnectionStats, InboxStatus, PREFIX, ProcessStats, ReconcilerStats, Registry, StripeStats};
use crate::store::{StoreError, webhook_event};

/// How long the database may take to tell of the inbox. Prometheus waits 10 seconds by default.
const INBOX_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a scrape may go on once the program stops.
const STOP_TIMEOUT: Duration = Duration::from_millis(200);

/// What is shown at `/metrics`.
#[derive(Clone)]
pub struct Metrics(Arc<Sources>);

struct Sources {
    registry: Registry,
    state: Arc<AppState>,
    stripe: StripeStats,
    process: ProcessStats,
}

impl Metrics {
    /// What is counted in `state`, of calls to Stripe and by the reconciler.
    pub fn new(state: &Arc<AppState>, stripe: StripeStats, reconciler: &ReconcilerStats) -> Self {
        let mut registry = Registry::default();
        let process = ProcessStats::started(Clock::system().now().utc().timestamp());
        process.register(&mut registry, state.store.engine());
        let own = registry.sub_registry_with_prefix(PREFIX);
        state.stats.connections.register(own);
        state.stats.http.register(own);
        state.stats.room.register(own);
        state.stats.graphql.register(own);
        state.auth.stats().register(own);
        state.rates.limiter.stats().register(own);
        state.documents.register(own);
        state.store.stats().register(own);
        stripe.register(own);
        state.links.stats().register(own);
        state.inbox.stats.register(own);
        reconciler.register(own);
        Self(Arc::new(Sources { registry, state: Arc::clone(state), stripe, process }))
    }

    /// Everything as it is now.
    pub async fn text(&self) -> String {
        let Sources { registry, state, stripe, process } = self.0.as_ref();
        // Looks at the pools, and at the cache of documents.
        let _stats = state.store.stats();
        state.documents.see().await;
        let (closed, open) = state.links.accounts().map(|accounts| accounts.breakers()).unwrap_or_default();
        stripe.see(closed, open);
        self.see_inbox().await;
        if let Some(Seen { resident_bytes, open_fds, threads }) = look() {
            process.see(resident_bytes, open_fds, threads);
        }
        stats::text(registry)
    }

    async fn see_inbox(&self) {
        let state = &self.0.state;
        let reader = state.store.reader(&state.inbox.system, &Arc::default());
        let unfinished = webhook_event::unfinished(&state.inbox.system, &reader);
        let rows = match tokio::time::timeout(INBOX_TIMEOUT, unfinished).await {
            Ok(Ok(rows)) => rows,
            Ok(Err(error)) => return self.not_seen(Some(&error)),
            Err(_elapsed) => return self.not_seen(None),
        };
        let now = state.inbox.clock.now();
        let inbox: Vec<_> = rows.into_iter().filter_map(|row| waiting(row, now)).collect();
        state.inbox.stats.see(Some(&inbox));
    }

    fn not_seen(&self, error: Option<&StoreError>) {
        if let Some(error) = error {
            error.log();
        }
        self.0.state.inbox.stats.see(None);
    }

    /// Serves it until `stop` says so.
    pub async fn serve(self, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        let router = http::metrics_router(move || {
            let metrics = self.clone();
            async move { metrics.text().await }
        });
        let stopped = async move {
            // An error means that nobody can say so any more, which is as good.
            let _asked = stop.wait_for(|stop| *stop).await;
        };
        http::serve(listener, router, Transport::default(), ConnectionStats::default(), stopped, STOP_TIMEOUT).await;
    }
}

fn waiting(
    (status, events, oldest): (WebhookStatus, i64, Instant),
    now: Instant,
) -> Option<(InboxStatus, u64, Duration)> {
    let status = match status {
        WebhookStatus::Received => InboxStatus::Received,
        WebhookStatus::Parked => InboxStatus::Parked,
        WebhookStatus::Failed => InboxStatus::Failed,
        WebhookStatus::Processed | WebhookStatus::Ignored => return None,
    };
    let age = (now.utc() - oldest.utc()).to_std().unwrap_or_default();
    Some((status, u64::try_from(events).unwrap_or_default(), age))
}

/// The process as the system sees it.
#[derive(Debug)]
struct Seen {
    resident_bytes: i64,
    open_fds: i64,
    threads: i64,
}

/// Looks at the process; only Linux tells.
fn look() -> Option<Seen> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let field = |name: &str| -> Option<i64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let open_fds = std::fs::read_dir("/proc/self/fd").ok()?.count();
    Some(Seen {
        // In units of 1,024 bytes.
        resident_bytes: field("VmRSS")?.saturating_mul(1_024),
        // The folder was open too while it was read.
        open_fds: i64::try_from(open_fds.saturating_sub(1)).ok()?,
        threads: field("Threads")?,
    })
}
