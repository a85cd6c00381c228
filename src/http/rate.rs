//! How much a caller may ask for over time, and how an answer says what is left.
//!
//! An operation takes what it costs out of two buckets: the credential's, and that of whoever is behind it, since one
//! user may hold many tokens. Bad credentials are counted by address.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{HeaderMap, HeaderName, HeaderValue};

use super::accept::places::household;
use super::error::Refusal;
use crate::domain::clock::Clock;
use crate::domain::rate::{Bucket, Exhausted, Level};
use crate::domain::viewer::Viewer;
use crate::graphql::Charged;
use crate::rate::{Limiter, Owner, Refused};
use crate::stats::Limited;

/// How much may be asked for over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateSettings {
    /// A full bucket is so many operations that cost as much as one may.
    pub operations: u64,
    /// How long an empty bucket takes to fill.
    pub refill: Duration,
    /// Bad credentials of one address within a minute.
    pub bad_credentials_per_minute: u64,
}

impl Default for RateSettings {
    fn default() -> Self {
        Self { operations: 50, refill: Duration::from_secs(100), bad_credentials_per_minute: 60 }
    }
}

/// Takes what is asked for out of whose it is.
#[derive(Clone, Debug)]
pub struct Rates {
    /// Where the buckets are.
    pub limiter: Arc<Limiter>,
    /// How large they are.
    pub settings: RateSettings,
}

impl Default for Rates {
    fn default() -> Self {
        Self { limiter: Arc::new(Limiter::local()), settings: RateSettings::default() }
    }
}

impl Rates {
    /// Takes what an operation costs, of which one may cost `limit`. What costs nothing takes a point all the same.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`] when it is not there; [`Refusal::Overloaded`] when nobody is to be served uncounted.
    pub(super) async fn charge(&self, viewer: &Viewer, limit: u64, cost: u64) -> Result<Charge, Refusal> {
        let bucket = self.bucket(limit);
        let taken = cost.max(1);
        let buckets = owners(viewer).map(|owner| (owner, bucket));
        match self.limiter.take_for(Limited::Operation, &buckets, taken).await {
            Ok(level) => {
                Ok(Charge { taken, level: level.unwrap_or_else(|| bucket.level(0)), refill: self.settings.refill })
            }
            Err(Refused::Exhausted(exhausted)) => Err(Refusal::RateLimited(exhausted)),
            Err(Refused::Unavailable) => Err(Refusal::Overloaded),
        }
    }

    /// What is left to a caller, of whom one operation may cost `limit`.
    pub(super) async fn remaining(&self, viewer: &Viewer, limit: u64) -> u64 {
        let bucket = self.bucket(limit);
        match self.limiter.take(&owners(viewer).map(|owner| (owner, bucket)), 0).await {
            Ok(level) => level.unwrap_or_else(|| bucket.level(0)).remaining,
            Err(_not_to_be_had) => 0,
        }
    }

    fn bucket(&self, limit: u64) -> Bucket {
        Bucket::new(limit.saturating_mul(self.settings.operations), self.settings.refill)
    }

    /// Counts a bad credential of an address. Credentials that are good are not refused for it: others may be behind the
    /// same address.
    pub(super) async fn bad_credential(&self, address: Option<IpAddr>) -> Refusal {
        self.bad(address).await.map_or(Refusal::Unauthenticated, Refusal::RateLimited)
    }

    /// Counts what an address sent that nobody sends who may: a bad credential, or a webhook that is not Stripe's. Gives
    /// when it was too often.
    pub(super) async fn bad(&self, address: Option<IpAddr>) -> Option<Exhausted> {
        let bucket = Bucket::new(self.settings.bad_credentials_per_minute, Duration::from_mins(1));
        let owner = Owner::of("address", &[&household(address?).to_string()]);
        match self.limiter.take_for(Limited::BadCredential, &[(owner, bucket)], 1).await {
            Err(Refused::Exhausted(exhausted)) => Some(exhausted),
            _ => None,
        }
    }
}

/// Whose buckets an operation takes from: the user's, and the credential's where it has an id.
fn owners(viewer: &Viewer) -> [Owner; 2] {
    let tenant = viewer.tenant().id().0.as_str();
    let user = Owner::of("user", &[tenant, viewer.kind.name(), &viewer.subject]);
    [user, viewer.credential().map_or(user, |id| Owner::of("credential", &[tenant, id]))]
}

/// What an operation took, and what is left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Charge {
    taken: u64,
    level: Level,
    refill: Duration,
}

impl Charge {
    pub(super) const fn remaining(&self) -> u64 {
        self.level.remaining
    }

    /// For the query that asks for it.
    pub(super) fn shown(&self) -> Charged {
        let Level { limit, remaining, full_in } = self.level;
        let full_at = entity::Instant::new(Clock::system().now().utc() + full_in);
        Charged { cost: self.taken, limit, remaining, full_at }
    }

    pub(super) fn headers(&self) -> HeaderMap {
        headers(&self.level, self.refill)
    }
}

/// The headers that say what is left: those of the draft of the IETF's working group in its two forms, and those that
/// clients of older interfaces look for.
pub(super) fn headers(level: &Level, refill: Duration) -> HeaderMap {
    let seconds = |time: Duration| time.as_millis().div_ceil(1_000);
    let (limit, remaining, reset) = (level.limit, level.remaining, seconds(level.full_in));
    let texts = [
        ("ratelimit-limit", limit.to_string()),
        ("ratelimit-remaining", remaining.to_string()),
        ("ratelimit-reset", reset.to_string()),
        ("ratelimit-policy", format!("\"cost\";q={limit};w={}", seconds(refill))),
        ("ratelimit", format!("\"cost\";r={remaining};t={reset}")),
        ("x-ratelimit-limit", limit.to_string()),
        ("x-ratelimit-remaining", remaining.to_string()),
        ("x-ratelimit-reset", reset.to_string()),
    ];
    let headers = texts
        .into_iter()
        .filter_map(|(name, text)| Some((HeaderName::from_static(name), HeaderValue::from_str(&text).ok()?)));
    headers.collect()
}
