//! The time, in seconds as Stripe writes it.

use std::time::{SystemTime, UNIX_EPOCH};

/// The system's time. Signatures are made with it, whatever time a state says it is.
#[expect(clippy::disallowed_methods, reason = "this is the one place of the fake that reads the time")]
pub(crate) fn system_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Tells the time from a given start on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    offset: i64,
}

impl Clock {
    /// A clock that reads `start` now; the system's time without one.
    pub(crate) fn starting_at(start: Option<i64>) -> Self {
        Self { offset: start.map_or(0, |start| start.saturating_sub(system_seconds())) }
    }

    pub(crate) fn now(self) -> i64 {
        system_seconds().saturating_add(self.offset)
    }
}
