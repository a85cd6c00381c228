//! Buckets in this process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use moka::sync::Cache;

use super::{Owner, emptiest, longest, micros};
use crate::domain::rate::{Bucket, Exhausted, Level};

/// Buckets that are not full, at most. One that is pushed out is full again, which gives its owner one bucket more.
const BUCKETS_MAX: u64 = 100_000;

/// When the bucket will be full, in microseconds since the start.
type State = Arc<Mutex<u64>>;

/// Buckets by owner. What was not asked for longest goes first.
pub(super) struct Local {
    start: Instant,
    buckets: Cache<Owner, State>,
}

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local").field("buckets", &self.buckets.entry_count()).finish_non_exhaustive()
    }
}

impl Local {
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), buckets: Cache::new(BUCKETS_MAX) }
    }

    pub(super) fn take(&self, buckets: &[(Owner, Bucket)], points: u64) -> Result<Option<Level>, Exhausted> {
        self.take_at(micros(self.start.elapsed()), buckets, points)
    }

    fn take_at(&self, now: u64, buckets: &[(Owner, Bucket)], points: u64) -> Result<Option<Level>, Exhausted> {
        // Whoever takes out of several buckets locks them in the same order as everybody else.
        let mut buckets = buckets.to_vec();
        buckets.sort_by_key(|(owner, _)| *owner);
        buckets.dedup_by_key(|(owner, _)| *owner);
        let states: Vec<(State, Bucket)> = buckets
            .into_iter()
            .map(|(owner, bucket)| (self.buckets.get_with(owner, || Arc::new(Mutex::new(0))), bucket))
            .collect();
        let mut locked: Vec<_> = states
            .iter()
            .map(|(state, bucket)| (state.lock().unwrap_or_else(PoisonError::into_inner), *bucket))
            .collect();
        let verdicts: Vec<_> = locked.iter().map(|(state, bucket)| bucket.take(Some(**state), now, points)).collect();
        if let Some(exhausted) = longest(verdicts.iter().filter_map(|verdict| verdict.err())) {
            return Err(exhausted);
        }
        let mut levels = Vec::with_capacity(locked.len());
        for ((state, bucket), full_at) in locked.iter_mut().zip(verdicts.into_iter().flatten()) {
            **state = full_at;
            levels.push(bucket.level(full_at.saturating_sub(now)));
        }
        Ok(emptiest(levels.into_iter()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn bucket(capacity: u64) -> Bucket {
        Bucket::new(capacity, Duration::from_secs(100))
    }

    #[test]
    fn points_are_taken_out_of_every_bucket_or_of_none() {
        let local = Local::new();
        let (token, user) = (Owner::of("token", &["t"]), Owner::of("user", &["u"]));
        let both = [(token, bucket(10)), (user, bucket(5))];
        assert_eq!(local.take_at(0, &both, 4).unwrap().unwrap().remaining, 1);
        let exhausted = local.take_at(0, &both, 2).unwrap_err();
        assert_eq!((exhausted.level.limit, exhausted.level.remaining), (5, 1));
        assert_eq!(local.take_at(0, &[(token, bucket(10))], 6).unwrap().unwrap().remaining, 0, "4 were taken, not 6");
    }

    #[test]
    fn an_owner_named_twice_pays_once() {
        let local = Local::new();
        let owner = Owner::of("token", &["t"]);
        let twice = [(owner, bucket(10)), (owner, bucket(10))];
        assert_eq!(local.take_at(0, &twice, 3).unwrap().unwrap().remaining, 7);
    }

    #[test]
    fn many_threads_get_exactly_what_is_there() {
        let local = Local::new();
        let buckets = [(Owner::of("token", &["t"]), bucket(1_000)), (Owner::of("user", &["u"]), bucket(600))];
        let given = std::thread::scope(|scope| {
            let take = || (0..200).filter(|_| local.take_at(0, &buckets, 1).is_ok()).count();
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(take)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        });
        assert_eq!(given, 600);
    }
}
