//! Chance that is the same everywhere: a stream of numbers for each (seed, kind, number).
//!
//! Draws are made of the stream's words by arithmetic that is written down here, since distributions of libraries may
//! change from version to version, and every id of the demo with them.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sha2::{Digest, Sha256};

/// A stream of draws.
pub(super) struct Chance(ChaCha8Rng);

impl Chance {
    /// The stream of one thing: independent of those of all other things.
    pub(super) fn of(seed: u64, kind: &str, number: u32) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_be_bytes());
        hash.update(number.to_be_bytes());
        hash.update(kind.as_bytes());
        Self(ChaCha8Rng::from_seed(hash.finalize().into()))
    }

    /// From 0 until before `bound`; 0 for a bound that is not positive.
    pub(super) fn below(&mut self, bound: i64) -> i64 {
        let bound = u128::try_from(bound).unwrap_or_default();
        let scaled = (u128::from(self.0.next_u64()) * bound) >> 64;
        i64::try_from(scaled).unwrap_or_default()
    }

    /// From `low` to `high`, both included.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below(high - low + 1)
    }

    /// True so many times in a thousand.
    pub(super) fn per_mille(&mut self, times: i64) -> bool {
        self.below(1_000) < times
    }

    /// True so many times in a million.
    pub(super) fn per_million(&mut self, times: i64) -> bool {
        self.below(1_000_000) < times
    }

    /// One of these, all alike; none of none.
    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        let place = self.below(i64::try_from(of.len()).unwrap_or_default());
        usize::try_from(place).ok().and_then(|place| of.get(place)).copied()
    }

    /// One of these, all alike; the default of none.
    pub(super) fn any<T: Copy + Default>(&mut self, of: &[T]) -> T {
        self.pick(of).unwrap_or_default()
    }

    /// One of the others, each so many times in a thousand; otherwise the usual one.
    pub(super) fn mostly<T: Copy>(&mut self, usual: T, others: &[(i64, T)]) -> T {
        let mut drawn = self.below(1_000);
        for (times, other) in others {
            drawn -= times;
            if drawn < 0 {
                return *other;
            }
        }
        usual
    }
}
