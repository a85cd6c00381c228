//! Reads, transactions and connections of the database.

use std::time::Instant;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::seconds;

/// One of the two pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// The one that reads.
    Read,
    /// The one that writes.
    Write,
}

impl Pool {
    const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// The connections of a pool at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolStats {
    /// Which pool.
    pub pool: Pool,
    /// Connections that are lent out.
    pub busy: u32,
    /// Connections that are free.
    pub idle: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Connections {
    pool: &'static str,
    state: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfPool {
    pool: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Failure {
    pool: &'static str,
    class: &'static str,
}

/// Counts what goes to the database.
#[derive(Debug)]
pub struct StoreStats {
    reads: Histogram,
    begins: Histogram,
    /// Reads that wait for a connection or for their answer.
    reading: Gauge,
    /// Transactions that wait to begin.
    beginning: Gauge,
    failures: Family<Failure, Counter>,
    connections: Family<Connections, Gauge>,
    waiting: Family<OfPool, Gauge>,
}

impl Default for StoreStats {
    fn default() -> Self {
        let failures = Family::default();
        for pool in [Pool::Read, Pool::Write] {
            for class in ["unavailable", "timeout"] {
                drop(failures.get_or_create_owned(&Failure { pool: pool.word(), class }));
            }
        }
        Self {
            reads: seconds(),
            begins: seconds(),
            reading: Gauge::default(),
            beginning: Gauge::default(),
            failures,
            connections: Family::default(),
            waiting: Family::default(),
        }
    }
}

/// Something that waits for the database. Dropped, it waits no more.
#[derive(Debug)]
pub struct Waiting<'a> {
    gauge: &'a Gauge,
    times: &'a Histogram,
    begun: Instant,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.gauge.dec();
        self.times.observe(self.begun.elapsed().as_secs_f64());
    }
}

impl StoreStats {
    /// A read begins.
    pub fn reading(&self) -> Waiting<'_> {
        Self::waiting(&self.reading, &self.reads)
    }

    /// A transaction wants to begin.
    pub fn beginning(&self) -> Waiting<'_> {
        Self::waiting(&self.beginning, &self.begins)
    }

    fn waiting<'a>(gauge: &'a Gauge, times: &'a Histogram) -> Waiting<'a> {
        gauge.inc();
        Waiting { gauge, times, begun: Instant::now() }
    }

    /// A read failed, or a transaction did not begin. The class is one of the store's.
    pub fn failed(&self, pool: Pool, class: &'static str) {
        self.failures.get_or_create(&Failure { pool: pool.word(), class }).inc();
    }

    /// Takes note of the pools as they are now.
    pub fn see(&self, pools: [PoolStats; 2]) {
        for PoolStats { pool, busy, idle } in pools {
            let set = |state, number: u32| {
                let labels = Connections { pool: pool.word(), state };
                self.connections.get_or_create(&labels).set(i64::from(number));
            };
            set("busy", busy);
            set("idle", idle);
            let waiting = match pool {
                // What is under way has a connection, or waits for one.
                Pool::Read => self.reading.get().saturating_sub(i64::from(busy)).max(0),
                Pool::Write => self.beginning.get(),
            };
            self.waiting.get_or_create(&OfPool { pool: pool.word() }).set(waiting);
        }
    }

    /// Shows what is counted.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "db_read_duration",
            "Time of a read, with the wait for a connection",
            Unit::Seconds,
            self.reads.clone(),
        );
        registry.register_with_unit(
            "db_begin_duration",
            "Time until a transaction that writes began, with the wait for a connection and on SQLite for the lock",
            Unit::Seconds,
            self.begins.clone(),
        );
        registry.register(
            "db_failures",
            "Reads that failed and transactions that did not begin",
            self.failures.clone(),
        );
        registry.register("db_connections", "Connections of each pool", self.connections.clone());
        registry.register("db_waiting", "Callers that wait for a connection", self.waiting.clone());
    }
}
