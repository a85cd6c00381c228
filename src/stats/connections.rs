//! Connections of clients: how many there are, and why some are not.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refusal {
    reason: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Overdue {
    state: &'static str,
}

/// Why there is no place, and what takes too long.
const REASONS: [&str; 2] = ["total", "address"];
const STATES: [&str; 3] = ["headers", "idle", "answer"];

/// Counts connections.
#[derive(Clone, Debug)]
pub struct ConnectionStats {
    open: Gauge,
    accepted: Counter,
    refused: Family<Refusal, Counter>,
    overdue: Family<Overdue, Counter>,
}

impl Default for ConnectionStats {
    /// Everything is shown from the start, so that the first of each is a step that can be seen.
    fn default() -> Self {
        let (refused, overdue) = (Family::default(), Family::default());
        for reason in REASONS {
            drop(refused.get_or_create(&Refusal { reason }));
        }
        for state in STATES {
            drop(overdue.get_or_create(&Overdue { state }));
        }
        Self { open: Gauge::default(), accepted: Counter::default(), refused, overdue }
    }
}

impl ConnectionStats {
    /// A connection begins; it is open until what this gives is dropped.
    pub fn open(&self) -> OpenConnection {
        self.accepted.inc();
        self.open.inc();
        OpenConnection(self.open.clone())
    }

    /// A connection was closed at once, for a word of the program's own.
    pub fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&Refusal { reason }).inc();
    }

    /// A connection was closed because this took too long, in a word of the program's own.
    pub fn overdue(&self, state: &'static str) {
        self.overdue.get_or_create(&Overdue { state }).inc();
    }

    /// Shows what is counted.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("connections", "Connections that are open", self.open.clone());
        registry.register("connections_accepted", "Connections that had a place", self.accepted.clone());
        registry.register("connections_refused", "Connections that had none", self.refused.clone());
        registry.register("connections_overdue", "Connections that took too long", self.overdue.clone());
    }
}

/// A connection, until it is dropped.
#[derive(Debug)]
pub struct OpenConnection(Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}
