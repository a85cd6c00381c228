//! How often one caller may have a pay link read from Stripe.
//!
//! A pay link is never a stored one, so each costs a part of what Stripe allows the whole account. Whoever asks too
//! often is told when to ask again, and takes nothing from the others.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use entity::TenantId;

use crate::domain::rate::Bucket;
use crate::rate::{Limiter, Owner, Refused};
use crate::stats::Limited;

/// Over what time reads are counted.
const WINDOW: Duration = Duration::from_mins(1);

/// When to ask again where the counts of all replicas are not to be had.
const UNCOUNTED: Duration = Duration::from_secs(2);

/// Counts reads by caller: the limit at once, and then as many as come free with time.
#[derive(Debug)]
pub struct PayLinkPace {
    limiter: Arc<Limiter>,
    bucket: Bucket,
}

impl PayLinkPace {
    /// So many reads a minute.
    pub fn new(limiter: Arc<Limiter>, per_minute: NonZeroU32) -> Self {
        Self { limiter, bucket: Bucket::new(u64::from(per_minute.get()), WINDOW) }
    }

    /// Takes one read of the caller's, or says when there is one again.
    pub(super) async fn take(&self, tenant: &TenantId, caller: &str) -> Result<(), Duration> {
        let owner = Owner::of("pay link", &[&tenant.0, caller]);
        match self.limiter.take_for(Limited::PayLink, &[(owner, self.bucket)], 1).await {
            Ok(_level) => Ok(()),
            Err(Refused::Exhausted(exhausted)) => Err(exhausted.retry_after),
            Err(Refused::Unavailable) => Err(UNCOUNTED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_caller_has_the_limit_at_once_and_then_what_comes_free() {
        let pace = PayLinkPace::new(Arc::new(Limiter::local()), NonZeroU32::new(3).unwrap());
        let (tenant, other) = (TenantId::from("ten_1"), TenantId::from("ten_2"));
        for _ in 0..3 {
            assert_eq!(pace.take(&tenant, "someone").await, Ok(()));
        }
        let wait = pace.take(&tenant, "someone").await.unwrap_err();
        assert!(wait <= Duration::from_secs(20) && wait > Duration::from_secs(10), "{wait:?}");
        // Nobody else is meant, of another tenant neither.
        assert_eq!(pace.take(&tenant, "another").await, Ok(()));
        assert_eq!(pace.take(&other, "someone").await, Ok(()));
    }
}
