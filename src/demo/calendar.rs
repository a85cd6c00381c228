//! Moments of the demo world. Nothing here reads a clock: the world always stands at the same instant.

use chrono::{DateTime, Datelike, Months, NaiveTime, SecondsFormat, TimeDelta};
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

/// The moment as RFC 3339, in whole seconds.
pub(super) fn text(at: Instant) -> String {
    at.utc().to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The moment so many days, less so many seconds, before another, in whole seconds.
pub(super) fn days_before(at: Instant, days: i64, less_seconds: i64) -> Instant {
    let whole = at.utc().timestamp() - days * 86_400 + less_seconds;
    DateTime::from_timestamp(whole, 0).map(Instant::new).unwrap_or_default()
}

/// From the first moment of the month that holds `at` until the first of the next.
pub(super) fn month_of(at: Instant) -> [Instant; 2] {
    let first = at.utc().date_naive().with_day(1).unwrap_or_default();
    let next = first.checked_add_months(Months::new(1)).unwrap_or(first);
    [first, next].map(|day| Instant::new(day.and_time(NaiveTime::MIN).and_utc()))
}
