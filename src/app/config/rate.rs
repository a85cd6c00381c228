//! Settings about how much a caller may ask for over time, and where it is counted.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Value, json};

use super::check::{Check, text};
use super::{Settings, env};
use crate::http::RateSettings;
use crate::rate::{SharedUrl, WithoutShared};

/// Operations at their limit in a full bucket.
const OPERATIONS: RangeInclusive<u64> = 1..=1_000_000;
/// Seconds from empty to full: up to a day.
const REFILL_SECONDS: RangeInclusive<u64> = 1..=86_400;
/// Bad credentials of an address within a minute.
const BAD_CREDENTIALS: RangeInclusive<u64> = 1..=1_000_000;

/// Every choice, by its word.
const WITHOUT_SHARED: [(&str, WithoutShared); 2] = [("open", WithoutShared::Open), ("closed", WithoutShared::Closed)];

/// How much a caller may ask for, and where it is counted.
#[derive(Clone, Debug)]
pub struct RateConfig {
    /// How much.
    pub settings: RateSettings,
    /// The server that counts for all replicas; without one each counts for itself.
    pub shared: Option<SharedUrl>,
    /// What happens while that server cannot be asked.
    pub without_shared: WithoutShared,
}

impl Check {
    pub(super) fn rate(&mut self, given: &Settings) -> RateConfig {
        let default = RateSettings::default();
        let refill = self.number(
            env::RATE_REFILL_SECONDS,
            given.rate_refill_seconds.as_ref(),
            default.refill.as_secs(),
            REFILL_SECONDS,
        );
        let shared = text(given.rate_shared_url.as_ref()).and_then(|url| {
            let parsed = url.parse::<SharedUrl>();
            parsed.map_err(|error| self.fault(env::RATE_SHARED_URL, error.to_string())).ok()
        });
        RateConfig {
            settings: RateSettings {
                operations: self.number(
                    env::RATE_OPERATIONS,
                    given.rate_operations.as_ref(),
                    default.operations,
                    OPERATIONS,
                ),
                refill: Duration::from_secs(refill),
                bad_credentials_per_minute: self.number(
                    env::RATE_BAD_CREDENTIALS_PER_MINUTE,
                    given.rate_bad_credentials_per_minute.as_ref(),
                    default.bad_credentials_per_minute,
                    BAD_CREDENTIALS,
                ),
            },
            shared,
            without_shared: self.word(
                env::RATE_WITHOUT_SHARED,
                given.rate_without_shared.as_ref(),
                &WITHOUT_SHARED,
                WithoutShared::default(),
            ),
        }
    }
}

impl RateConfig {
    /// As settings of the file. The shared server's address may hold a password and is left out.
    pub(super) fn shown(&self) -> Vec<(&'static str, Value)> {
        let word = WITHOUT_SHARED.iter().find(|(_, choice)| *choice == self.without_shared).map(|(word, _)| *word);
        vec![
            ("rate_operations", json!(self.settings.operations)),
            ("rate_refill_seconds", json!(self.settings.refill.as_secs())),
            ("rate_bad_credentials_per_minute", json!(self.settings.bad_credentials_per_minute)),
            ("rate_without_shared", json!(word)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::config::Given;

    #[test]
    fn numbers_words_and_the_address_are_checked_and_the_address_is_not_repeated() {
        let given = |text: &str| Some(Given::from(text.to_owned()));
        let settings = Settings {
            rate_operations: given("0"),
            rate_refill_seconds: given("soon"),
            rate_bad_credentials_per_minute: given("-1"),
            rate_shared_url: given("http://:secret@cache"),
            rate_without_shared: given("perhaps"),
            ..Settings::default()
        };
        let faults = settings.validate(true).unwrap_err();
        assert_eq!(faults.0.len(), 5, "{faults}");
        assert!(!faults.to_string().contains("secret"), "{faults}");
    }
}
