//! What is counted: every metric with its name, its labels and what it says. One file per part of the program.
//!
//! Whoever does the work holds a handle and counts: an addition, or a few under a short lock. Labels have closed
//! vocabularies or are words of the program's own; nothing that a client sends becomes one. Nobody has to read what is
//! counted. What `docs/operations.md` says of each metric is held to these files by a test.

mod auth;
mod connections;
mod documents;
mod graphql;
mod http;
mod links;
mod process;
mod rate;
mod reconciler;
mod room;
mod store;
mod stripe;
mod webhooks;

pub use self::auth::AuthStats;
pub use self::connections::{ConnectionStats, OpenConnection};
pub use self::documents::{DocumentStats, Persisted, Source};
pub use self::graphql::{GraphqlStats, Outcome};
pub use self::http::{HttpStats, InFlight};
pub use self::links::{LinkResult, LinkStats};
pub use self::process::ProcessStats;
pub use self::rate::{Limited, RateStats, SharedCall};
pub use self::reconciler::ReconcilerStats;
pub use self::room::{DeskStats, RoomStats};
pub use self::store::{Pool, PoolStats, StoreStats, Waiting};
pub use self::stripe::{Refused, StripeStats};
pub use self::webhooks::{InboxStatus, WebhookStats};

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

/// The metrics that are shown, as they are read.
pub use prometheus_client::registry::Registry;

/// What all names begin with, but for those that every process has.
pub const PREFIX: &str = "billing";

/// The upper bounds of durations, in seconds: from a read of the cache to the longest that a request may take.
const SECONDS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Durations that do not come near a second.
fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

/// Durations by a label.
type Durations<L> = Family<L, Histogram>;

/// Every metric as text, in the format of `OpenMetrics`, which Prometheus reads.
pub fn text(registry: &Registry) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _written = prometheus_client::encoding::text::encode(&mut text, registry);
    text
}
