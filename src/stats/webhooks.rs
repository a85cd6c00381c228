//! Webhooks: how they were taken, what became of them, and what waits.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// The types of events that are told apart. Anyone with an account at Stripe can make others come.
const KNOWN: [&str; 32] = [
    "invoice.created",
    "invoice.updated",
    "invoice.finalized",
    "invoice.finalization_failed",
    "invoice.sent",
    "invoice.paid",
    "invoice.payment_succeeded",
    "invoice.payment_failed",
    "invoice.payment_action_required",
    "invoice.payment_attempt_required",
    "invoice.voided",
    "invoice.marked_uncollectible",
    "invoice.overdue",
    "invoice.will_be_due",
    "invoice.overpaid",
    "invoice.deleted",
    "invoice_payment.paid",
    "charge.refunded",
    "charge.updated",
    "charge.refund.updated",
    "charge.dispute.created",
    "charge.dispute.closed",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "credit_note.created",
    "credit_note.updated",
    "credit_note.voided",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "checkout.session.completed",
    "setup_intent.succeeded",
];

/// All other types.
const OTHER: &str = "other";

/// The upper bounds of the lag, in seconds: Stripe sends an event again for up to three days.
const LAG: [f64; 12] = [0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 7_200.0, 43_200.0, 259_200.0];

/// An event of the inbox that is not done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InboxStatus {
    /// It waits to be worked on.
    Received,
    /// It waits for something that is not there yet.
    Parked,
    /// It was given up.
    Failed,
}

impl InboxStatus {
    const fn word(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Parked => "parked",
            Self::Failed => "failed",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Taken {
    outcome: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Event {
    r#type: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Status {
    status: &'static str,
}

/// Counts webhooks.
#[derive(Clone, Debug)]
pub struct WebhookStats(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    taken: Family<Taken, Counter>,
    events: Family<Event, Counter>,
    lag: Histogram,
    depth: Family<Status, Gauge>,
    oldest: Family<Status, Gauge>,
}

impl Default for WebhookStats {
    fn default() -> Self {
        Self(Arc::new(Counts {
            taken: Family::default(),
            events: Family::default(),
            lag: Histogram::new(LAG),
            depth: Family::default(),
            oldest: Family::default(),
        }))
    }
}

impl WebhookStats {
    /// A webhook came, and was taken or refused.
    pub fn came(&self, outcome: &'static str) {
        self.0.taken.get_or_create(&Taken { outcome }).inc();
    }

    /// An event was worked on, so long after it happened at Stripe. Its type is Stripe's own word.
    pub fn worked_on(&self, kind: &str, outcome: &'static str, lag: Duration) {
        let known = KNOWN.into_iter().find(|known| *known == kind).unwrap_or(OTHER);
        self.0.events.get_or_create(&Event { r#type: known, outcome }).inc();
        self.0.lag.observe(lag.as_secs_f64());
    }

    /// Takes note of the inbox as it is now: how many events there are of a status, and how old the oldest is. Without
    /// an answer of the database nothing is known of it.
    pub fn see(&self, inbox: Option<&[(InboxStatus, u64, Duration)]>) {
        let Some(inbox) = inbox else {
            self.0.depth.clear();
            self.0.oldest.clear();
            return;
        };
        for status in [InboxStatus::Received, InboxStatus::Parked, InboxStatus::Failed] {
            let found = inbox.iter().find(|(of, ..)| *of == status);
            let (events, age) = found.map_or((0, Duration::ZERO), |(_, events, age)| (*events, *age));
            let labels = Status { status: status.word() };
            self.0.depth.get_or_create(&labels).set(i64::try_from(events).unwrap_or(i64::MAX));
            self.0.oldest.get_or_create(&labels).set(i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
        }
    }

    /// Shows what is counted.
    pub fn register(&self, registry: &mut Registry) {
        let counts = &self.0;
        registry.register("webhooks", "Webhooks that came, by whether they were taken", counts.taken.clone());
        registry.register(
            "webhook_events",
            "Events that were worked on, each attempt by itself",
            counts.events.clone(),
        );
        registry.register_with_unit(
            "webhook_lag",
            "Time from the event at Stripe to the end of an attempt to work on it",
            Unit::Seconds,
            counts.lag.clone(),
        );
        registry.register("webhook_inbox_events", "Events in the inbox that are not done with", counts.depth.clone());
        registry.register_with_unit(
            "webhook_inbox_oldest",
            "Age of the oldest of these events",
            Unit::Seconds,
            counts.oldest.clone(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_that_nobody_knows_are_one_label() {
        let stats = WebhookStats::default();
        for kind in ["invoice.paid", "customer.created", "sk_live_canary", ""] {
            stats.worked_on(kind, "processed", Duration::from_secs(1));
        }
        let mut registry = Registry::default();
        stats.register(&mut registry);
        let text = super::super::text(&registry);
        assert!(text.contains("webhook_events_total{type=\"other\",outcome=\"processed\"} 3"), "{text}");
        assert!(text.contains("type=\"invoice.paid\"") && !text.contains("canary"), "{text}");
    }

    #[test]
    fn an_inbox_that_cannot_be_read_is_not_shown_as_it_was() {
        let stats = WebhookStats::default();
        let mut registry = Registry::default();
        stats.register(&mut registry);
        stats.see(Some(&[(InboxStatus::Parked, 3, Duration::from_secs(90))]));
        let text = super::super::text(&registry);
        assert!(text.contains("webhook_inbox_events{status=\"parked\"} 3"), "{text}");
        assert!(text.contains("webhook_inbox_oldest_seconds{status=\"parked\"} 90"), "{text}");
        assert!(text.contains("webhook_inbox_events{status=\"received\"} 0"), "{text}");
        stats.see(None);
        assert!(!super::super::text(&registry).contains("webhook_inbox_events{"));
    }
}
