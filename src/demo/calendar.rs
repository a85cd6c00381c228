//! Moments of the demo world. Nothing here reads a clock: the world always stands at the same instant.

use chrono::{DateTime, TimeDelta};
use entity::Instant;

/// The instant the demo world stands at: midnight after the first half of June 2026.
pub(super) fn now() -> Instant {
    on("2026-06-15T00:00:00Z")
}

/// The moment written as RFC 3339. A misspelt one is the epoch, which a test finds.
pub(super) fn on(text: &str) -> Instant {
    DateTime::parse_from_rfc3339(text).map(|at| Instant::new(at.to_utc())).unwrap_or_default()
}

/// The moment `span` later; earlier for a negative span.
pub(super) fn after(at: Instant, span: TimeDelta) -> Instant {
    Instant::new(at.utc() + span)
}

/// The moment `span` before the demo's instant.
pub(super) fn ago(span: TimeDelta) -> Instant {
    after(now(), -span)
}
