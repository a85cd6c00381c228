//! How many webhooks an endpoint takes within a second, in this process.
//!
//! Only events that are verified take from an endpoint's bucket, so that nobody can empty it who has no secret. What is
//! forged is counted by address instead (`http/rate.rs`).

use std::sync::Arc;
use std::time::Duration;

use crate::domain::rate::{Bucket, Exhausted};
use crate::rate::{Limiter, Owner, Refused};

/// The buckets of all endpoints.
#[derive(Clone, Debug)]
pub struct WebhookPace {
    limiter: Arc<Limiter>,
    bucket: Bucket,
}

impl Default for WebhookPace {
    fn default() -> Self {
        Self::new(Self::PER_SECOND)
    }
}

impl WebhookPace {
    /// Webhooks of one endpoint within a second, where nothing else is said: more than the bursts of 300 that are held to
    /// lose nothing (`./dev bench webhooks`).
    pub const PER_SECOND: u64 = 500;

    /// So many for each endpoint.
    pub fn new(per_second: u64) -> Self {
        Self { limiter: Arc::new(Limiter::local()), bucket: Bucket::new(per_second, Duration::from_secs(1)) }
    }

    /// Whether there is room for an event that is not verified yet. Nothing is taken.
    ///
    /// # Errors
    /// [`Exhausted`] when there is none.
    pub(super) async fn look(&self, endpoint: &str) -> Result<(), Exhausted> {
        match self.limiter.take(&[self.of(endpoint)], 0).await {
            Ok(Some(level)) if level.remaining == 0 => Err(Exhausted { level, retry_after: Duration::ZERO }),
            _ => Ok(()),
        }
    }

    /// Takes the place of a verified event.
    ///
    /// # Errors
    /// [`Exhausted`] when there is none.
    pub(super) async fn take(&self, endpoint: &str) -> Result<(), Exhausted> {
        match self.limiter.take(&[self.of(endpoint)], 1).await {
            Err(Refused::Exhausted(exhausted)) => Err(exhausted),
            _ => Ok(()),
        }
    }

    fn of(&self, endpoint: &str) -> (Owner, Bucket) {
        (Owner::of("webhooks", &[endpoint]), self.bucket)
    }
}
