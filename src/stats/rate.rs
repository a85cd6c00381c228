//! What callers may ask for over time: who was refused, and how the server does in which replicas count together.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// The upper bounds of the time that the shared server takes, in seconds. It is given a tenth of one.
const SHARED_SECONDS: [f64; 8] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1];

/// What is limited over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limited {
    /// What operations cost.
    Operation,
    /// Bad credentials of one address.
    BadCredential,
    /// Pay links that are read from Stripe.
    PayLink,
}

impl Limited {
    const ALL: [Self; 3] = [Self::Operation, Self::BadCredential, Self::PayLink];

    const fn word(self) -> &'static str {
        match self {
            Self::Operation => "operation",
            Self::BadCredential => "bad_credential",
            Self::PayLink => "pay_link",
        }
    }
}

/// How asking the shared server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedCall {
    /// It answered.
    Ok,
    /// It could not be reached, or made no sense.
    Failed,
    /// It did not answer in time.
    Timeout,
    /// It was not asked, a moment after it failed.
    Skipped,
}

impl SharedCall {
    const ALL: [Self; 4] = [Self::Ok, Self::Failed, Self::Timeout, Self::Skipped];

    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
            Self::Skipped => "skipped",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refusal {
    kind: &'static str,
    reason: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    outcome: &'static str,
}

/// Counts refusals.
#[derive(Clone, Debug)]
pub struct RateStats(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    refused: Family<Refusal, Counter>,
    calls: Family<Call, Counter>,
    durations: Histogram,
    alone: Gauge,
}

impl Default for RateStats {
    fn default() -> Self {
        let counts = Counts {
            refused: Family::default(),
            calls: Family::default(),
            durations: Histogram::new(SHARED_SECONDS),
            alone: Gauge::default(),
        };
        for kind in Limited::ALL.map(Limited::word) {
            for reason in ["exhausted", "uncounted"] {
                drop(counts.refused.get_or_create_owned(&Refusal { kind, reason }));
            }
        }
        for outcome in SharedCall::ALL.map(SharedCall::word) {
            drop(counts.calls.get_or_create_owned(&Call { outcome }));
        }
        Self(Arc::new(counts))
    }
}

impl RateStats {
    /// Somebody asked for more than there is.
    pub fn exhausted(&self, kind: Limited) {
        self.0.refused.get_or_create(&Refusal { kind: kind.word(), reason: "exhausted" }).inc();
    }

    /// Somebody was not served because nobody could count it.
    pub fn uncounted(&self, kind: Limited) {
        self.0.refused.get_or_create(&Refusal { kind: kind.word(), reason: "uncounted" }).inc();
    }

    /// The shared server was asked, which took so long, or was not asked.
    pub fn called(&self, outcome: SharedCall, time: Duration) {
        self.0.calls.get_or_create(&Call { outcome: outcome.word() }).inc();
        if outcome != SharedCall::Skipped {
            self.0.durations.observe(time.as_secs_f64());
        }
        self.0.alone.set(i64::from(outcome != SharedCall::Ok));
    }

    /// Shows what is counted.
    pub fn register(&self, registry: &mut Registry) {
        let counts = &self.0;
        registry.register(
            "rate_refused",
            "What was refused because its caller asked for too much, or because nobody could count it",
            counts.refused.clone(),
        );
        registry.register(
            "rate_shared_calls",
            "Questions to the server in which replicas count together",
            counts.calls.clone(),
        );
        registry.register_with_unit(
            "rate_shared_call_duration",
            "Time that server took to answer, or was waited for",
            Unit::Seconds,
            counts.durations.clone(),
        );
        registry.register(
            "rate_shared_without",
            "1 while that server cannot be asked, 0 otherwise and where there is none",
            counts.alone.clone(),
        );
    }
}
