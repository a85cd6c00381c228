//! By when a call must have ended.

use std::time::Duration;

use tokio::time::Instant;

/// The moment by which a call ends, with an answer or without. It bounds every wait of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(Instant);

impl Deadline {
    /// That moment.
    pub const fn at(moment: Instant) -> Self {
        Self(moment)
    }

    /// So much later than now.
    pub fn after(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// The moment.
    pub const fn instant(self) -> Instant {
        self.0
    }

    /// What is left of it; zero when it is over.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}
