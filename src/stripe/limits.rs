//! How fast an endpoint may be asked: a token bucket whose tokens are handed out in turn.
//!
//! A caller takes the next free slot and sleeps until it comes, so nobody overtakes and nobody polls. One that would
//! come too late is refused at once, and its slot stays free for others.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::deadline::Deadline;

/// Which part of a second's calls may come at once. With Stripe's 25 and our 20, 5 more than the rate still fit.
const BURST_PART: u32 = 4;

/// Why there is no token: none is free before this time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exhausted {
    pub(super) retry_after: Duration,
}

/// The tokens of one endpoint.
#[derive(Debug)]
pub(super) struct TokenBucket {
    interval: Duration,
    /// How far ahead of an even pace calls may run.
    tolerance: Duration,
    slots: Mutex<Slots>,
}

#[derive(Debug)]
struct Slots {
    /// When the bucket is full again.
    full_at: Instant,
    /// Before this, no call goes out.
    closed_until: Instant,
}

impl TokenBucket {
    /// A full bucket that gives `rate` tokens a second to all of `replicas` together.
    pub(super) fn new(rate: NonZeroU32, replicas: NonZeroU32, now: Instant) -> Self {
        let interval = Duration::from_secs(1) * replicas.get() / rate.get();
        let burst = (rate.get() / replicas.get() / BURST_PART).max(1);
        let slots = Slots { full_at: now, closed_until: now };
        Self { interval, tolerance: interval * (burst - 1), slots: Mutex::new(slots) }
    }

    /// Waits for a token, until the deadline at most.
    ///
    /// # Errors
    /// [`Exhausted`], at once when no token can be had by the deadline.
    pub(super) async fn take(&self, deadline: Deadline) -> Result<(), Exhausted> {
        loop {
            let slot = self.reserve(Instant::now(), deadline)?;
            sleep_until(slot).await;
            // Stripe may have refused another call in the meantime; then this one goes to the end of the queue.
            if !self.is_closed(Instant::now()) {
                return Ok(());
            }
        }
    }

    /// Closes the bucket for a time, because Stripe refused a call.
    pub(super) fn drain(&self, now: Instant, time: Duration) {
        let mut slots = self.slots();
        slots.closed_until = slots.closed_until.max(now + time);
        // What was saved up is gone: a burst right after the pause would be refused again.
        slots.full_at = slots.full_at.max(slots.closed_until + self.tolerance);
    }

    fn reserve(&self, now: Instant, deadline: Deadline) -> Result<Instant, Exhausted> {
        let mut slots = self.slots();
        let free = slots.full_at.checked_sub(self.tolerance).unwrap_or(now);
        let slot = free.max(slots.closed_until).max(now);
        if slot > deadline.instant() {
            return Err(Exhausted { retry_after: slot.saturating_duration_since(now) });
        }
        slots.full_at = slots.full_at.max(slot) + self.interval;
        Ok(slot)
    }

    fn is_closed(&self, now: Instant) -> bool {
        self.slots().closed_until > now
    }

    fn slots(&self) -> std::sync::MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn number(value: u32) -> NonZeroU32 {
        NonZeroU32::new(value).unwrap()
    }

    const fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    /// The slots, in milliseconds from the start, of so many callers who all come at once.
    fn slots(bucket: &TokenBucket, start: Instant, callers: usize) -> Vec<u128> {
        let far = Deadline::at(start + Duration::from_mins(20));
        let slot = |_caller| bucket.reserve(start, far).unwrap().duration_since(start).as_millis();
        (0..callers).map(slot).collect()
    }

    #[test]
    fn a_burst_and_then_an_even_pace() {
        let start = Instant::now();
        let bucket = TokenBucket::new(number(20), number(1), start);
        assert_eq!(slots(&bucket, start, 8), [0, 0, 0, 0, 0, 50, 100, 150]);
    }

    #[test]
    fn no_second_has_more_calls_than_stripe_allows() {
        for replicas in [1_u32, 2, 3, 4, 20] {
            let start = Instant::now();
            let bucket = TokenBucket::new(number(20), number(replicas), start);
            let slots = slots(&bucket, start, 100);
            for first in &slots {
                let within = slots.iter().filter(|slot| (*first..first + 1_000).contains(slot)).count();
                let all = within * usize::try_from(replicas).unwrap();
                assert!(all <= 25, "{replicas} replicas: {all} in a second");
            }
        }
    }

    #[test]
    fn who_would_come_too_late_is_refused_and_takes_nothing() {
        let start = Instant::now();
        let bucket = TokenBucket::new(number(1), number(1), start);
        let soon = Deadline::at(start + ms(500));
        assert_eq!(bucket.reserve(start, soon), Ok(start));
        for _ in 0..3 {
            assert_eq!(bucket.reserve(start, soon), Err(Exhausted { retry_after: ms(1_000) }));
        }
        let later = start + ms(900);
        assert_eq!(bucket.reserve(later, Deadline::at(later + ms(100))), Ok(start + ms(1_000)));
    }

    #[test]
    fn a_drained_bucket_is_closed_and_then_slow() {
        let start = Instant::now();
        let bucket = TokenBucket::new(number(20), number(1), start);
        bucket.drain(start, ms(1_000));
        assert!(bucket.is_closed(start + ms(999)) && !bucket.is_closed(start + ms(1_000)));
        let soon = Deadline::at(start + ms(500));
        assert_eq!(bucket.reserve(start, soon), Err(Exhausted { retry_after: ms(1_000) }));
        assert_eq!(slots(&bucket, start, 3), [1_000, 1_050, 1_100]);
        bucket.drain(start, ms(10));
        assert!(bucket.is_closed(start + ms(999)), "a shorter pause does not end a longer one");
    }

    #[tokio::test]
    async fn who_waits_while_the_bucket_is_drained_waits_on() {
        let bucket = TokenBucket::new(number(20), number(1), Instant::now());
        let waiting = async {
            for _ in 0..6 {
                bucket.take(Deadline::after(Duration::from_secs(5))).await.unwrap();
            }
            Instant::now()
        };
        let drained = async {
            tokio::time::sleep(ms(10)).await;
            let now = Instant::now();
            bucket.drain(now, ms(150));
            now
        };
        let (ended, drained) = tokio::join!(waiting, drained);
        assert!(ended.duration_since(drained) >= ms(150));
    }
}
