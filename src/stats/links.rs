//! Links that were asked for, and where they came from.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Where a link came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkResult {
    /// The mirror: it was fresh, or there was nobody to ask.
    Hit,
    /// The mirror, which is refreshed behind the answer.
    Refreshing,
    /// Stripe.
    Miss,
    /// The mirror, because Stripe did not answer.
    Stale,
    /// Nowhere: there is an error instead.
    Failed,
}

impl LinkResult {
    const ALL: [Self; 5] = [Self::Hit, Self::Refreshing, Self::Miss, Self::Stale, Self::Failed];

    const fn word(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Refreshing => "refreshing",
            Self::Miss => "miss",
            Self::Stale => "stale",
            Self::Failed => "failed",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Result {
    result: &'static str,
}

/// Counts links.
#[derive(Clone, Debug)]
pub struct LinkStats(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    links: Family<Result, Counter>,
    coalesced: Counter,
    dropped: Counter,
}

impl Default for LinkStats {
    fn default() -> Self {
        let links = Family::default();
        for result in LinkResult::ALL {
            drop(links.get_or_create_owned(&Result { result: result.word() }));
        }
        Self(Arc::new(Counts { links, coalesced: Counter::default(), dropped: Counter::default() }))
    }
}

impl LinkStats {
    /// A link that can be there was asked for.
    pub fn asked(&self, result: LinkResult) {
        self.0.links.get_or_create(&Result { result: result.word() }).inc();
    }

    /// A question to Stripe was answered by a call that another request made.
    pub fn coalesced(&self) {
        self.0.coalesced.inc();
    }

    /// A refresh behind an answer was left out, because too many wait.
    pub fn dropped(&self) {
        self.0.dropped.inc();
    }

    /// Shows what is counted.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("links", "Links that were asked for, by where they came from", self.0.links.clone());
        registry.register(
            "links_coalesced",
            "Questions to Stripe that shared the call of another request",
            self.0.coalesced.clone(),
        );
        registry.register(
            "links_refreshes_dropped",
            "Refreshes behind answers that were left out because too many waited",
            self.0.dropped.clone(),
        );
    }
}
