//! Rounds in which Stripe is asked about open invoices.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// Counts rounds.
#[derive(Clone, Debug)]
pub struct ReconcilerStats(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    rounds: Family<Outcome, Counter>,
    asked: Counter,
    changed: Counter,
    failed: Counter,
}

impl Default for ReconcilerStats {
    fn default() -> Self {
        let rounds = Family::default();
        for outcome in ["ok", "failed"] {
            drop(rounds.get_or_create_owned(&Outcome { outcome }));
        }
        let counter = Counter::default;
        Self(Arc::new(Counts { rounds, asked: counter(), changed: counter(), failed: counter() }))
    }
}

impl ReconcilerStats {
    /// A round came to its end, with so many invoices asked about, changed, and without an answer.
    pub fn went(&self, asked: u64, changed: u64, failed: u64) {
        self.0.rounds.get_or_create(&Outcome { outcome: "ok" }).inc();
        self.0.asked.inc_by(asked);
        self.0.changed.inc_by(changed);
        self.0.failed.inc_by(failed);
    }

    /// A round broke off.
    pub fn broke_off(&self) {
        self.0.rounds.get_or_create(&Outcome { outcome: "failed" }).inc();
    }

    /// Shows what is counted.
    pub fn register(&self, registry: &mut Registry) {
        let counts = &self.0;
        registry.register("reconciler_rounds", "Rounds of the reconciler", counts.rounds.clone());
        registry.register("reconciler_asked", "Invoices that Stripe was asked about", counts.asked.clone());
        registry.register("reconciler_changed", "Of these, invoices that changed", counts.changed.clone());
        registry.register("reconciler_failed", "Of these, invoices Stripe did not answer about", counts.failed.clone());
    }
}
