//! Who may use how much: buckets of points by credential, by user and by address, in this process or shared by replicas.
//!
//! What a bucket is stands in [`crate::domain::rate`]. Here is where its state is kept: in this process
//! (`local`), or in a Redis or Valkey that all replicas ask (`shared`).

mod local;
mod shared;

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::domain::rate::{Bucket, Exhausted, Level};
use crate::stats::{Limited, RateStats};
use local::Local;
use shared::Shared;
pub use shared::{SharedUrl, SharedUrlError};

/// Whose bucket it is. A digest: buckets tell nobody who asked, and all have the same size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner([u8; 16]);

impl Owner {
    /// The owner that is named by `parts`, whatever they contain; `class` keeps sorts of owners apart.
    pub fn of(class: &'static str, parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in std::iter::once(&class).chain(parts) {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        let mut owner = [0; 16];
        for (to, from) in owner.iter_mut().zip(digest) {
            *to = from;
        }
        Self(owner)
    }

    fn key(&self) -> String {
        use std::fmt::Write;
        let mut key = String::from("billing-gateway:rate:");
        for byte in self.0 {
            // Writing to a text does not fail.
            let _written = write!(key, "{byte:02x}");
        }
        key
    }
}

/// Why points were not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A bucket is empty.
    Exhausted(Exhausted),
    /// The buckets that replicas share cannot be asked, and the settings say that nobody is served then.
    Unavailable,
}

/// What happens while the buckets that replicas share cannot be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WithoutShared {
    /// Each replica counts for itself.
    #[default]
    Open,
    /// Nobody is served.
    Closed,
}

/// Gives points out of buckets.
#[derive(Debug)]
pub struct Limiter {
    local: Local,
    shared: Option<(Shared, WithoutShared)>,
    stats: RateStats,
}

impl Limiter {
    /// One that counts in this process.
    pub fn local() -> Self {
        Self { local: Local::new(), shared: None, stats: RateStats::default() }
    }

    /// One whose buckets are shared by everyone who asks the same server.
    pub fn shared(url: &SharedUrl, without: WithoutShared) -> Self {
        let stats = RateStats::default();
        Self { local: Local::new(), shared: Some((Shared::new(url, &stats), without)), stats }
    }

    /// What is counted of refusals, and of the server that replicas share.
    pub const fn stats(&self) -> &RateStats {
        &self.stats
    }

    /// Takes `points` out of each owner's bucket for something that is limited, or out of none; gives how the emptiest
    /// stands then.
    ///
    /// # Errors
    /// [`Refused::Exhausted`] with the bucket that makes the caller wait longest, [`Refused::Unavailable`].
    pub async fn take_for(
        &self,
        kind: Limited,
        buckets: &[(Owner, Bucket)],
        points: u64,
    ) -> Result<Option<Level>, Refused> {
        let taken = self.take(buckets, points).await;
        match &taken {
            Ok(_) => {}
            Err(Refused::Exhausted(_)) => self.stats.exhausted(kind),
            Err(Refused::Unavailable) => self.stats.uncounted(kind),
        }
        taken
    }

    /// The same without counting who is refused, for those who only want to know how a bucket stands.
    ///
    /// # Errors
    /// As above.
    pub async fn take(&self, buckets: &[(Owner, Bucket)], points: u64) -> Result<Option<Level>, Refused> {
        if let Some((shared, without)) = &self.shared {
            match (shared.take(buckets, points).await, without) {
                (Some(verdict), _) => return verdict.map_err(Refused::Exhausted),
                (None, WithoutShared::Closed) => return Err(Refused::Unavailable),
                (None, WithoutShared::Open) => {}
            }
        }
        self.local.take(buckets, points).map_err(Refused::Exhausted)
    }

    /// Whether the shared buckets answer; none where there are none.
    pub async fn reachable(&self) -> Option<bool> {
        match &self.shared {
            Some((shared, _)) => Some(shared.reachable().await),
            None => None,
        }
    }
}

/// The level that leaves least, of several buckets asked for the same points.
fn emptiest(levels: impl Iterator<Item = Level>) -> Option<Level> {
    levels.min_by_key(|level| level.remaining)
}

/// The refusal that makes a caller wait longest.
fn longest(refusals: impl Iterator<Item = Exhausted>) -> Option<Exhausted> {
    refusals.max_by_key(|exhausted| exhausted.retry_after)
}

/// Microseconds from 1970, by the system's clock; both kinds of buckets live by differences only.
fn micros(since: Duration) -> u64 {
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_of_other_classes_or_cuts_are_other_owners() {
        let owners = [
            Owner::of("user", &["a", "b"]),
            Owner::of("user", &["ab", ""]),
            Owner::of("user", &["ab"]),
            Owner::of("token", &["a", "b"]),
        ];
        for (place, owner) in owners.iter().enumerate() {
            assert_eq!(owners.iter().position(|other| other == owner), Some(place));
        }
        assert_eq!(owners[0].key().len(), "billing-gateway:rate:".len() + 32);
    }
}
