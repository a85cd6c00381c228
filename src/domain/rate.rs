//! How much of something a caller may use over time: a bucket that holds so many points and fills up again.
//!
//! The state of a bucket is one instant: the moment at which it will be full again (the "theoretical arrival time" of
//! the generic cell rate algorithm). A bucket that is full has no state at all, so nothing has to be kept for whoever
//! does not ask.

use std::time::Duration;

/// No bucket takes longer to fill: a year, in microseconds.
const REFILL_MAX: u64 = 365 * 24 * 3600 * 1_000_000;

/// How much a bucket holds, and how long an empty one takes to fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Points in a full bucket; at least 1.
    capacity: u64,
    /// Microseconds that one point takes to come back; at least 1.
    point: u64,
}

/// How a bucket stands after it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Points of a full bucket.
    pub limit: u64,
    /// Points that are left.
    pub remaining: u64,
    /// Until it is full.
    pub full_in: Duration,
}

/// The points are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// How the bucket stands.
    pub level: Level,
    /// When they will be there. For more points than the bucket holds, when it is full.
    pub retry_after: Duration,
}

impl Bucket {
    /// A bucket of `capacity` points that takes `refill` from empty to full, rounded up so that one point takes whole
    /// microseconds.
    pub fn new(capacity: u64, refill: Duration) -> Self {
        let capacity = capacity.clamp(1, u64::from(u32::MAX));
        let micros = u64::try_from(refill.as_micros()).unwrap_or(u64::MAX).min(REFILL_MAX);
        Self { capacity, point: micros.div_ceil(capacity).max(1) }
    }

    /// From empty to full, in microseconds.
    pub const fn refill_micros(self) -> u64 {
        self.micros_of(self.capacity)
    }

    /// How long so many points take to come back, in microseconds.
    pub const fn micros_of(self, points: u64) -> u64 {
        points.saturating_mul(self.point)
    }

    /// Takes `points` at `now` out of a bucket that will be full at `full_at`, and gives when it will be full then.
    /// Instants are microseconds of whatever clock.
    ///
    /// # Errors
    /// [`Exhausted`] when they are not there; nothing is taken then.
    pub fn take(self, full_at: Option<u64>, now: u64, points: u64) -> Result<u64, Exhausted> {
        let owed = full_at.unwrap_or(now).saturating_sub(now);
        let wanted = owed.saturating_add(self.micros_of(points));
        let too_much = wanted.saturating_sub(self.refill_micros());
        if too_much == 0 {
            return Ok(now.saturating_add(wanted));
        }
        Err(Exhausted { level: self.level(owed), retry_after: Duration::from_micros(too_much.min(owed)) })
    }

    /// That a bucket which stands so has no point, and when it has one; nothing when it has.
    pub fn exhausted(self, level: Level) -> Option<Exhausted> {
        if level.remaining > 0 {
            return None;
        }
        let owed = u64::try_from(level.full_in.as_micros()).unwrap_or(u64::MAX);
        let left = self.refill_micros().saturating_sub(owed);
        Some(Exhausted { level, retry_after: Duration::from_micros(self.point.saturating_sub(left)) })
    }

    /// How a bucket stands that will be full in so many microseconds.
    pub fn level(self, owed: u64) -> Level {
        let left = self.refill_micros().saturating_sub(owed);
        let remaining = left.checked_div(self.point).unwrap_or_default();
        Level { limit: self.capacity, remaining, full_in: Duration::from_micros(owed) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000;

    fn ten_in_a_minute() -> Bucket {
        Bucket::new(10, Duration::from_mins(1))
    }

    #[test]
    fn a_full_bucket_gives_all_its_points_at_once_and_then_one_at_a_time() {
        let bucket = ten_in_a_minute();
        let full_at = bucket.take(None, 0, 10).unwrap();
        assert_eq!(bucket.level(full_at), Level { limit: 10, remaining: 0, full_in: Duration::from_mins(1) });
        let exhausted = bucket.take(Some(full_at), 0, 1).unwrap_err();
        assert_eq!(exhausted.retry_after, Duration::from_secs(6));
        assert_eq!(exhausted.level.remaining, 0);
        assert!(bucket.take(Some(full_at), 5 * SECOND, 1).is_err());
        assert!(bucket.take(Some(full_at), 6 * SECOND, 1).is_ok());
    }

    #[test]
    fn more_than_a_bucket_holds_is_never_given() {
        let exhausted = ten_in_a_minute().take(None, 0, 11).unwrap_err();
        assert_eq!(exhausted.level.remaining, 10);
        assert_eq!(exhausted.retry_after, Duration::ZERO, "waiting does not help");
        assert!(ten_in_a_minute().take(None, 0, u64::MAX).is_err());
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_away() {
        let bucket = ten_in_a_minute();
        let full_at = bucket.take(None, 100 * SECOND, 10).unwrap();
        assert!(bucket.take(Some(full_at), 40 * SECOND, 1).is_err());
    }

    #[test]
    fn an_empty_bucket_says_when_it_has_a_point() {
        let bucket = ten_in_a_minute();
        assert_eq!(bucket.exhausted(bucket.level(54 * SECOND)), None);
        let exhausted = bucket.exhausted(bucket.level(55 * SECOND)).unwrap();
        assert_eq!(exhausted.retry_after, Duration::from_secs(1));
        assert_eq!(bucket.take(Some(55 * SECOND), 0, 1), Err(exhausted));
    }

    proptest! {
        #[test]
        fn never_more_is_given_than_was_there_and_came_back(
            capacity in 1_u64..1_000,
            seconds in 1_u64..1_000,
            asks in prop::collection::vec((0_u64..20 * SECOND, 0_u64..300), 1..200),
        ) {
            let bucket = Bucket::new(capacity, Duration::from_secs(seconds));
            let (mut now, mut full_at, mut given) = (0, None, 0);
            for (pause, points) in asks {
                now += pause;
                if let Ok(then) = bucket.take(full_at, now, points) {
                    full_at = Some(then);
                    given += points;
                }
                let came_back = now * capacity / bucket.refill_micros();
                prop_assert!(given <= capacity + came_back);
            }
        }

        #[test]
        fn what_remains_can_be_taken(owed in 0_u64..60 * SECOND) {
            let bucket = ten_in_a_minute();
            let remaining = bucket.level(owed).remaining;
            prop_assert!(bucket.take(Some(owed), 0, remaining).is_ok());
            prop_assert!(bucket.take(Some(owed), 0, remaining + 1).is_err());
        }
    }
}
