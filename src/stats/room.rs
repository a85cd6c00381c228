//! The places where requests are worked on, and who waits for one. Tenants are counted together.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::{Durations, seconds};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    room: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NoPlace {
    room: &'static str,
    reason: &'static str,
}

/// Counts who is worked for, who waits, and who is refused.
#[derive(Clone, Debug)]
pub struct RoomStats {
    working: Family<Of, Gauge>,
    waiting: Family<Of, Gauge>,
    waits: Durations<Of>,
    refused: Family<NoPlace, Counter>,
}

impl Default for RoomStats {
    fn default() -> Self {
        Self {
            working: Family::default(),
            waiting: Family::default(),
            waits: Family::new_with_constructor(seconds),
            refused: Family::default(),
        }
    }
}

impl RoomStats {
    /// What counts for the places of that name.
    pub fn desk(&self, room: &'static str) -> DeskStats {
        let of = Of { room };
        let refused = |reason| self.refused.get_or_create_owned(&NoPlace { room, reason });
        DeskStats {
            working: self.working.get_or_create_owned(&of),
            waiting: self.waiting.get_or_create_owned(&of),
            waits: self.waits.get_or_create_owned(&of),
            full: refused("full"),
            hopeless: refused("hopeless"),
            waited: refused("waited"),
        }
    }

    /// A client behind a proxy has as many requests under way as it may have.
    pub fn address_refused(&self) {
        self.refused.get_or_create(&NoPlace { room: "address", reason: "full" }).inc();
    }

    /// A client does not read what it asked for before.
    pub fn unread_refused(&self) {
        self.refused.get_or_create(&NoPlace { room: "connection", reason: "unread" }).inc();
    }

    /// Shows what is counted.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("room_working", "Requests that are worked on", self.working.clone());
        registry.register("room_waiting", "Requests that wait to be worked on", self.waiting.clone());
        registry.register_with_unit(
            "room_wait",
            "How long requests waited that found no place at once, whatever came of it",
            Unit::Seconds,
            self.waits.clone(),
        );
        registry.register("room_refusals", "Requests that found no place", self.refused.clone());
    }
}

/// Counts for the places of one name.
#[derive(Clone, Debug)]
pub struct DeskStats {
    working: Gauge,
    waiting: Gauge,
    waits: Histogram,
    full: Counter,
    hopeless: Counter,
    waited: Counter,
}

impl DeskStats {
    /// Someone has a place.
    pub fn works(&self) {
        self.working.inc();
    }

    /// A place was given back.
    pub fn worked(&self) {
        self.working.dec();
    }

    /// Someone begins to wait.
    pub fn waits(&self) {
        self.waiting.inc();
    }

    /// Someone waited so long.
    pub fn waited(&self, time: Duration) {
        self.waiting.dec();
        self.waits.observe(time.as_secs_f64());
    }

    /// Someone was refused because as many waited as may.
    pub fn full(&self) {
        self.full.inc();
    }

    /// Someone was refused because the wait would have been too long.
    pub fn hopeless(&self) {
        self.hopeless.inc();
    }

    /// Someone was refused after a wait.
    pub fn waited_in_vain(&self) {
        self.waited.inc();
    }
}
