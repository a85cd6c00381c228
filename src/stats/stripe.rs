//! Calls to Stripe. Accounts are not told apart: there may be as many as tenants.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::{Durations, seconds};

/// Why a call was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Too many failed before.
    Breaker,
    /// The endpoint's rate is used up.
    Rate,
    /// There was no place in the bulkhead in time.
    Bulkhead,
}

impl Refused {
    const fn word(self) -> &'static str {
        match self {
            Self::Breaker => "breaker",
            Self::Rate => "rate",
            Self::Bulkhead => "bulkhead",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    endpoint: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NoCall {
    endpoint: &'static str,
    reason: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Endpoint {
    endpoint: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Breaker {
    breaker: &'static str,
}

/// Counts calls of every account together.
#[derive(Clone, Debug)]
pub struct StripeStats(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    calls: Family<Call, Counter>,
    refused: Family<NoCall, Counter>,
    durations: Durations<Endpoint>,
    waits: Durations<Endpoint>,
    accounts: Family<Breaker, Gauge>,
}

impl Default for StripeStats {
    fn default() -> Self {
        Self(Arc::new(Counts {
            calls: Family::default(),
            refused: Family::default(),
            durations: Family::new_with_constructor(seconds),
            waits: Family::new_with_constructor(seconds),
            accounts: Family::default(),
        }))
    }
}

impl StripeStats {
    /// An endpoint may be called: what is counted of it begins at zero.
    pub fn may_call(&self, endpoint: &'static str) {
        drop(self.0.calls.get_or_create_owned(&Call { endpoint, outcome: "ok" }));
        for reason in [Refused::Breaker, Refused::Rate, Refused::Bulkhead] {
            drop(self.0.refused.get_or_create_owned(&NoCall { endpoint, reason: reason.word() }));
        }
        drop(self.0.durations.get_or_create_owned(&Endpoint { endpoint }));
        drop(self.0.waits.get_or_create_owned(&Endpoint { endpoint }));
    }

    /// A call was made, and took so long.
    pub fn called(&self, endpoint: &'static str, outcome: &'static str, time: Duration) {
        self.0.calls.get_or_create(&Call { endpoint, outcome }).inc();
        self.0.durations.get_or_create(&Endpoint { endpoint }).observe(time.as_secs_f64());
    }

    /// A call had to wait so long for its turn.
    pub fn waited(&self, endpoint: &'static str, time: Duration) {
        self.0.waits.get_or_create(&Endpoint { endpoint }).observe(time.as_secs_f64());
    }

    /// A call was not made.
    pub fn refused(&self, endpoint: &'static str, reason: Refused) {
        self.0.refused.get_or_create(&NoCall { endpoint, reason: reason.word() }).inc();
    }

    /// Takes note of how many accounts are asked now, and how many are left alone.
    pub fn see(&self, closed: usize, open: usize) {
        for (breaker, accounts) in [("closed", closed), ("open", open)] {
            let accounts = i64::try_from(accounts).unwrap_or(i64::MAX);
            self.0.accounts.get_or_create(&Breaker { breaker }).set(accounts);
        }
    }

    /// Shows what is counted.
    pub fn register(&self, registry: &mut Registry) {
        let counts = &self.0;
        registry.register("stripe_calls", "Calls that were made, each attempt by itself", counts.calls.clone());
        registry.register(
            "stripe_calls_refused",
            "Calls that were not made, by what held them back",
            counts.refused.clone(),
        );
        registry.register_with_unit(
            "stripe_call_duration",
            "Time from sending a call to the end of its answer",
            Unit::Seconds,
            counts.durations.clone(),
        );
        registry.register_with_unit(
            "stripe_call_wait",
            "Time a call waited for its turn: a place in the bulkhead and a token of the endpoint's rate",
            Unit::Seconds,
            counts.waits.clone(),
        );
        registry.register(
            "stripe_accounts",
            "Accounts that were asked since the start, by the state of their breaker",
            counts.accounts.clone(),
        );
    }
}
