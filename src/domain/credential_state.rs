//! Whether a credential that the gateway issued is good for something still.

use entity::{Instant, browser_session, credential};

use super::browser_session::is_live;

/// How it stands with a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialState {
    /// It is accepted.
    Active,
    /// It has ended by itself.
    Expired,
    /// Somebody ended it.
    Revoked,
}

impl CredentialState {
    /// That of an API key.
    pub fn of_key(row: &credential::Model, now: Instant) -> Self {
        Self::told(row.revoked_at, now < row.expires_at)
    }

    /// That of a session, which also ends when it is not used.
    pub fn of_session(row: &browser_session::Model, now: Instant) -> Self {
        Self::told(row.revoked_at, is_live(row, now))
    }

    /// As people read it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }

    const fn told(revoked_at: Option<Instant>, is_good: bool) -> Self {
        match revoked_at {
            Some(_) => Self::Revoked,
            None if is_good => Self::Active,
            None => Self::Expired,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;

    fn at(minutes: i64) -> Instant {
        Instant::new(DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes))
    }

    #[test]
    fn a_key_is_active_until_it_ends_and_revoked_whenever_somebody_ended_it() {
        let key = credential::Model { expires_at: at(10), ..Default::default() };
        assert_eq!(CredentialState::of_key(&key, at(9)), CredentialState::Active);
        assert_eq!(CredentialState::of_key(&key, at(10)), CredentialState::Expired);
        let revoked = credential::Model { revoked_at: Some(at(1)), ..key };
        assert_eq!(CredentialState::of_key(&revoked, at(20)), CredentialState::Revoked);
    }

    #[test]
    fn a_session_that_was_not_used_in_time_is_expired() {
        let session = browser_session::Model { idle_until: at(5), expires_at: at(10), ..Default::default() };
        assert_eq!(CredentialState::of_session(&session, at(4)), CredentialState::Active);
        assert_eq!(CredentialState::of_session(&session, at(5)), CredentialState::Expired);
        let revoked = browser_session::Model { revoked_at: Some(at(1)), ..session };
        assert_eq!(CredentialState::of_session(&revoked, at(4)).word(), "revoked");
    }
}
