//! Settings about how much a caller may ask for over time, and where it is counted.

use super::check::Check;
use super::setting::{Area, Number, Setting, Words};
use crate::http::RateSettings;
use crate::rate::{SharedUrl, WithoutShared};

pub(super) static AREA: Area = Area {
    title: "Rates",
    settings: &[
        &RATE_OPERATIONS.setting,
        &RATE_REFILL_SECONDS.setting,
        &RATE_BAD_CREDENTIALS_PER_MINUTE.setting,
        &RATE_SHARED_URL,
        &RATE_WITHOUT_SHARED.setting,
    ],
};

/// Operations at their limit in a full bucket.
static RATE_OPERATIONS: Number = Number::new(
    "rate_operations",
    "NUMBER",
    1..=1_000_000,
    50,
    "A caller may ask at once for so many operations that cost as much as one may",
);

/// From empty to full: up to a day.
static RATE_REFILL_SECONDS: Number =
    Number::new("rate_refill_seconds", "SECONDS", 1..=86_400, 100, "In how many seconds all of that comes back");

static RATE_BAD_CREDENTIALS_PER_MINUTE: Number = Number::new(
    "rate_bad_credentials_per_minute",
    "NUMBER",
    1..=1_000_000,
    60,
    "How many bad credentials one address may send within a minute",
);

static RATE_SHARED_URL: Setting = Setting::new(
    "rate_shared_url",
    "URL",
    "A Redis or Valkey in which replicas count together: `redis://HOST:PORT`, with TLS `rediss://…`; without one each \
     counts for itself",
)
.secret();

static RATE_WITHOUT_SHARED: Words<WithoutShared> = Words::new(
    "rate_without_shared",
    "CHOICE",
    &[("open", WithoutShared::Open), ("closed", WithoutShared::Closed)],
    ("open", WithoutShared::Open),
    "While that cannot be asked: `open` (each replica counts for itself) or `closed` (nobody is served)",
);

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

impl Check<'_> {
    /// The shared server's address may hold a password, so it is not shown.
    pub(super) fn rate(&mut self) -> RateConfig {
        let shared = self.text(&RATE_SHARED_URL).and_then(|url| {
            let parsed = url.parse::<SharedUrl>();
            parsed.map_err(|error| self.fault(&RATE_SHARED_URL, error.to_string())).ok()
        });
        RateConfig {
            settings: RateSettings {
                operations: self.number(&RATE_OPERATIONS),
                refill: self.seconds(&RATE_REFILL_SECONDS),
                bad_credentials_per_minute: self.number(&RATE_BAD_CREDENTIALS_PER_MINUTE),
            },
            shared,
            without_shared: self.word(&RATE_WITHOUT_SHARED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_server() {
        let rate = Settings::default().validate(true).unwrap().rate;
        assert_eq!((rate.settings, rate.without_shared), (RateSettings::default(), WithoutShared::default()));
    }

    #[test]
    fn numbers_words_and_the_address_are_checked_and_the_address_is_not_repeated() {
        let settings = Settings::of([
            ("rate_operations", "0"),
            ("rate_refill_seconds", "soon"),
            ("rate_bad_credentials_per_minute", "-1"),
            ("rate_shared_url", "http://:secret@cache"),
            ("rate_without_shared", "perhaps"),
        ]);
        let faults = settings.validate(true).unwrap_err();
        assert_eq!(faults.0.len(), 5, "{faults}");
        assert!(!faults.to_string().contains("secret"), "{faults}");
    }
}
