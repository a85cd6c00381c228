//! Requests, by what they asked for and what they were answered.

use std::sync::Arc;
use std::time::Instant;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::{Durations, seconds};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    route: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: &'static str,
}

/// Counts requests.
#[derive(Clone, Debug)]
pub struct HttpStats(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    answered: Family<Answer, Counter>,
    durations: Durations<Route>,
    in_flight: Gauge,
    abandoned: Counter,
    panics: Counter,
}

impl Default for HttpStats {
    fn default() -> Self {
        Self(Arc::new(Counts {
            answered: Family::default(),
            durations: Family::new_with_constructor(seconds),
            in_flight: Gauge::default(),
            abandoned: Counter::default(),
            panics: Counter::default(),
        }))
    }
}

impl HttpStats {
    /// A request begins. Route and method are words of the program's own.
    pub fn begin(&self, route: &'static str, method: &'static str) -> InFlight {
        self.0.in_flight.inc();
        InFlight { stats: self.clone(), route, method, begun: Instant::now(), answered: false }
    }

    /// A request panicked.
    pub fn panicked(&self) {
        self.0.panics.inc();
    }

    /// Shows what is counted.
    pub fn register(&self, registry: &mut Registry) {
        let counts = &self.0;
        registry.register("http_requests", "Requests that were answered", counts.answered.clone());
        registry.register_with_unit(
            "http_request_duration",
            "Time from the headers of a request to its answer",
            Unit::Seconds,
            counts.durations.clone(),
        );
        registry.register("http_requests_in_flight", "Requests that are being answered", counts.in_flight.clone());
        registry.register(
            "http_requests_abandoned",
            "Requests whose client went away before the answer",
            counts.abandoned.clone(),
        );
        registry.register("http_panics", "Requests that a defect ended", counts.panics.clone());
    }
}

/// A request that is being answered. One that is dropped was abandoned.
#[derive(Debug)]
pub struct InFlight {
    stats: HttpStats,
    route: &'static str,
    method: &'static str,
    begun: Instant,
    answered: bool,
}

impl InFlight {
    /// The request was answered.
    pub fn answered(mut self, status: u16) {
        self.answered = true;
        let counts = &self.stats.0;
        let (route, method) = (self.route, self.method);
        counts.answered.get_or_create(&Answer { route, method, status }).inc();
        counts.durations.get_or_create(&Route { route }).observe(self.begun.elapsed().as_secs_f64());
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.stats.0.in_flight.dec();
        if !self.answered {
            self.stats.0.abandoned.inc();
        }
    }
}
