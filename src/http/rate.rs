//! How much a caller may ask for over time, and how an answer says what is left.
//!
//! An operation takes what it costs out of two buckets: the credential's, and that of whoever is behind it, since one
//! user may hold many tokens; behind an application, out of the application's too. A request that is refused takes a
//! point: reading it was work. Bad credentials are counted by address.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{HeaderMap, HeaderName, HeaderValue};

use super::accept::places::household;
use super::cost::CostLimits;
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
    /// The account of a request of this caller.
    pub(super) fn account(&self, viewer: &Viewer, limits: CostLimits) -> Account<'_> {
        Account { rates: self, buckets: self.buckets(viewer, limits), taken: 0, level: None }
    }

    /// Whose buckets an operation takes from: the user's and the credential's, and those of the application between, each
    /// as large as it is for them by themselves. Behind a key there is nobody but the key.
    fn buckets(&self, viewer: &Viewer, limits: CostLimits) -> Vec<(Owner, Bucket)> {
        let tenant = viewer.tenant().id().as_str();
        let mut buckets = Vec::with_capacity(3);
        for one in std::iter::once(viewer).chain(viewer.application()) {
            let bucket = self.bucket(limits.of_kind(one.own_kind()));
            if !one.is_by_key() {
                buckets.push((Owner::of("user", &[tenant, &one.principal()]), bucket));
            }
            if let Some([sort, id]) = one.credential_name() {
                buckets.push((Owner::of("credential", &[tenant, sort, id]), bucket));
            }
        }
        buckets
    }

    fn bucket(&self, limit: u64) -> Bucket {
        Bucket::new(limit.saturating_mul(self.settings.operations), self.settings.refill)
    }

    /// Counts a bad credential of an address.
    pub(super) async fn bad_credential(&self, address: Option<IpAddr>) -> Refusal {
        self.bad(address).await.map_or(Refusal::Unauthenticated, Refusal::RateLimited)
    }

    /// Counts what an address sent that nobody sends who may: a bad credential, or a webhook that is not Stripe's. Gives
    /// when it was too often.
    pub(super) async fn bad(&self, address: Option<IpAddr>) -> Option<Exhausted> {
        match self.limiter.take_for(Limited::BadCredential, &[self.bucket_of(address?)], 1).await {
            Err(Refused::Exhausted(exhausted)) => Some(exhausted),
            _ => None,
        }
    }

    /// That an address had too many bad credentials, and how long it has to wait; nothing as long as it had not.
    pub(super) async fn suspects(&self, address: Option<IpAddr>) -> Option<Exhausted> {
        let (owner, bucket) = self.bucket_of(address?);
        // Without the buckets that replicas share, whoever turns out to be somebody is refused later if that is wanted.
        let level = self.limiter.take(&[(owner, bucket)], 0).await.ok().flatten()?;
        let exhausted = bucket.exhausted(level);
        if exhausted.is_some() {
            self.limiter.stats().exhausted(Limited::BadCredential);
        }
        exhausted
    }

    fn bucket_of(&self, address: IpAddr) -> (Owner, Bucket) {
        let bucket = Bucket::new(self.settings.bad_credentials_per_minute, Duration::from_mins(1));
        (Owner::of("address", &[&household(address).to_string()]), bucket)
    }
}

/// What one request takes out of its caller's buckets, and how they stand. Every request takes something once: what its
/// operation costs, or a point when it is refused before that.
#[derive(Debug)]
pub(super) struct Account<'a> {
    rates: &'a Rates,
    buckets: Vec<(Owner, Bucket)>,
    taken: u64,
    /// How the emptiest bucket stands, once it was asked.
    level: Option<Level>,
}

impl Account<'_> {
    /// Takes what an operation costs. What costs nothing takes a point all the same.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`] when it is not there; [`Refusal::Overloaded`] when nobody is to be served uncounted.
    pub(super) async fn charge(&mut self, cost: u64) -> Result<Charge, Refusal> {
        let taken = cost.max(1);
        match self.rates.limiter.take_for(Limited::Operation, &self.buckets, taken).await {
            Ok(level) => {
                let level = level.unwrap_or_else(|| self.full());
                (self.taken, self.level) = (taken, Some(level));
                Ok(Charge { taken, level })
            }
            Err(Refused::Exhausted(exhausted)) => {
                self.level = Some(exhausted.level);
                Err(Refusal::RateLimited(exhausted))
            }
            Err(Refused::Unavailable) => Err(Refusal::Overloaded),
        }
    }

    /// What a refused request is answered with: it takes a point, unless something was taken for it, and who has none is
    /// told that instead. For what was refused by its rate nothing more is taken, so that waiting helps.
    pub(super) async fn refused(&mut self, refusal: Refusal) -> Refusal {
        if self.taken > 0 || self.level.is_some() {
            return refusal;
        }
        match self.charge(1).await {
            Err(limited @ Refusal::RateLimited(_)) => limited,
            _ => refusal,
        }
    }

    /// The headers that say what is left; none when nobody knows.
    pub(super) fn headers(&self) -> HeaderMap {
        self.level.map(|level| headers(&level, self.rates.settings.refill)).unwrap_or_default()
    }

    fn full(&self) -> Level {
        let levels = self.buckets.iter().map(|(_, bucket)| bucket.level(0));
        let none = Level { limit: 0, remaining: 0, full_in: Duration::ZERO };
        levels.min_by_key(|level| level.remaining).unwrap_or(none)
    }
}

/// What an operation took, and what is left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Charge {
    taken: u64,
    level: Level,
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
}

/// The headers that say what is left: those of the draft of the IETF's working group in its two forms, and those that
/// clients of older interfaces look for.
fn headers(level: &Level, refill: Duration) -> HeaderMap {
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
