//! The time. Everyone else is handed an instant or a [`Clock`].
//!
//! The billing clock (is it overdue, how old is a link) and the credential clock (has the token expired) are two
//! values: the demo moves the first to its own instant and leaves the second alone.

use chrono::{DateTime, Duration, Utc};
use entity::Instant;

/// Tells the time, moved by a fixed offset.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    offset: Duration,
}

impl Clock {
    /// The system's time.
    pub const fn system() -> Self {
        Self { offset: Duration::zero() }
    }

    /// A clock that reads `start` now and runs on from there.
    pub fn starting_at(start: DateTime<Utc>) -> Self {
        Self { offset: start - system_now() }
    }

    /// The moment, in milliseconds.
    pub fn now(self) -> Instant {
        Instant::new(system_now().checked_add_signed(self.offset).unwrap_or(DateTime::UNIX_EPOCH))
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the time")]
fn system_now() -> DateTime<Utc> {
    Utc::now()
}
