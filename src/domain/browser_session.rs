//! How long a session of a customer's browser lasts: it ends when it was not used for a while, and in any case after
//! a time that does not move.

use chrono::TimeDelta;
use entity::{Instant, browser_session};

/// How long sessions last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionPolicy {
    /// Without being used.
    pub idle: TimeDelta,
    /// In any case.
    pub longest: TimeDelta,
}

impl Default for SessionPolicy {
    fn default() -> Self {
        Self { idle: TimeDelta::minutes(30), longest: TimeDelta::hours(12) }
    }
}

impl SessionPolicy {
    /// Until when a session lasts that is used now, if it is not used again; never beyond `end`.
    pub fn idle_until(&self, now: Instant, end: Instant) -> Instant {
        after(now, self.idle).min(end)
    }

    /// When a session ends that begins now.
    pub fn end(&self, now: Instant) -> Instant {
        after(now, self.longest)
    }
}

/// Whether a session lasts still.
pub fn is_live(row: &browser_session::Model, now: Instant) -> bool {
    row.revoked_at.is_none() && now < row.idle_until && now < row.expires_at
}

/// The moment so much later.
pub fn after(now: Instant, time: TimeDelta) -> Instant {
    Instant::new(now.utc().checked_add_signed(time).unwrap_or(chrono::DateTime::<chrono::Utc>::MAX_UTC))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Instant {
        Instant::new(chrono::DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes))
    }

    #[test]
    fn use_moves_the_end_ahead_and_never_beyond_the_last_one() {
        let policy = SessionPolicy { idle: TimeDelta::minutes(30), longest: TimeDelta::hours(1) };
        assert_eq!(policy.end(at(0)), at(60));
        assert_eq!(policy.idle_until(at(10), at(60)), at(40));
        assert_eq!(policy.idle_until(at(50), at(60)), at(60));
    }

    #[test]
    fn a_session_ends_unused_at_its_end_and_when_it_is_revoked() {
        let row = browser_session::Model { idle_until: at(30), expires_at: at(60), ..Default::default() };
        assert!(is_live(&row, at(29)));
        assert!(!is_live(&row, at(30)));
        assert!(!is_live(&browser_session::Model { idle_until: at(90), ..row.clone() }, at(60)));
        assert!(!is_live(&browser_session::Model { revoked_at: Some(at(1)), ..row }, at(2)));
    }
}
