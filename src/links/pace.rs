//! How often one caller may have a pay link read from Stripe.
//!
//! A pay link is never a stored one, so each costs a part of what Stripe allows the whole account. Whoever asks too
//! often is told when to ask again, and takes nothing from the others.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use entity::TenantId;
use moka::future::Cache;

/// Over what time reads are counted.
const WINDOW: Duration = Duration::from_mins(1);

/// Callers that are remembered. Of more, those that were seen least begin anew.
const CALLERS_MAX: u64 = 10_000;

/// One caller: the tenant, and who it is there.
type Caller = (TenantId, Arc<str>);

/// Counts reads by caller: the limit at once, and then as many as come free with time.
#[derive(Debug)]
pub(super) struct Pace {
    /// How long one read takes away from the minute.
    cost: Duration,
    /// For each caller, when all its reads are free again.
    free_at: Cache<Caller, Arc<Mutex<Instant>>>,
}

impl Pace {
    /// So many reads a minute.
    pub(super) fn new(per_minute: NonZeroU32) -> Self {
        let free_at = Cache::builder().max_capacity(CALLERS_MAX).time_to_idle(WINDOW.saturating_mul(2)).build();
        Self { cost: WINDOW / per_minute.get(), free_at }
    }

    /// Takes one read of the caller's, or says when there is one again.
    pub(super) async fn take(&self, tenant: &TenantId, caller: &Arc<str>, now: Instant) -> Result<(), Duration> {
        let fresh = async { Arc::new(Mutex::new(now)) };
        let free_at = self.free_at.get_with((tenant.clone(), Arc::clone(caller)), fresh).await;
        let mut free_at = free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let after = (*free_at).max(now) + self.cost;
        match after.duration_since(now).checked_sub(WINDOW).filter(|wait| !wait.is_zero()) {
            Some(wait) => Err(wait),
            None => {
                *free_at = after;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_caller_has_the_limit_at_once_and_then_what_comes_free() {
        let pace = Pace::new(NonZeroU32::new(3).unwrap());
        let (tenant, other) = (TenantId::from("ten_1"), TenantId::from("ten_2"));
        let (caller, another): (Arc<str>, Arc<str>) = ("someone".into(), "another".into());
        let begun = Instant::now();
        let after = |seconds| begun + Duration::from_secs(seconds);
        for _ in 0..3 {
            assert_eq!(pace.take(&tenant, &caller, begun).await, Ok(()));
        }
        assert_eq!(pace.take(&tenant, &caller, begun).await, Err(Duration::from_secs(20)));
        // Nobody else is meant, of another tenant neither.
        assert_eq!(pace.take(&tenant, &another, begun).await, Ok(()));
        assert_eq!(pace.take(&other, &caller, begun).await, Ok(()));
        assert_eq!(pace.take(&tenant, &caller, after(5)).await, Err(Duration::from_secs(15)));
        assert_eq!(pace.take(&tenant, &caller, after(20)).await, Ok(()));
        assert!(pace.take(&tenant, &caller, after(20)).await.is_err());
        for _ in 0..3 {
            assert_eq!(pace.take(&tenant, &caller, after(3_600)).await, Ok(()));
        }
    }

    #[tokio::test]
    async fn callers_that_are_many_do_not_fill_the_memory() {
        let pace = Pace::new(NonZeroU32::MIN);
        let (tenant, now) = (TenantId::from("ten_1"), Instant::now());
        for number in 0..CALLERS_MAX + 500 {
            assert_eq!(pace.take(&tenant, &number.to_string().into(), now).await, Ok(()));
        }
        pace.free_at.run_pending_tasks().await;
        assert!(pace.free_at.entry_count() <= CALLERS_MAX);
    }
}
