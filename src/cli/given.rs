//! What several commands are given: times, kinds and scopes, read the same way everywhere.

use chrono::TimeDelta;
use entity::Instant;

use super::CliError;
use crate::domain::viewer::{Scope, ScopeSet};

/// Names of scopes, with spaces between them, in one argument or several.
pub(super) fn scopes(given: &[String]) -> Result<ScopeSet, CliError> {
    let names = given.iter().flat_map(|names| names.split_whitespace());
    names
        .map(|name| {
            let all = || Scope::ALL.map(Scope::name).join(", ");
            Scope::named(name).ok_or_else(|| CliError::UnknownScope(name.to_owned(), all()))
        })
        .collect()
}

/// A length of time such as `90s`, `15m`, `24h` or `90d`.
pub(super) fn time(text: &str) -> Result<TimeDelta, String> {
    let wrong = || format!("{text:?} is not a number with s, m, h or d behind it");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: i64 = text.trim_end_matches(unit).parse().map_err(|_unreadable| wrong())?;
    number.checked_mul(seconds).and_then(TimeDelta::try_seconds).ok_or_else(wrong)
}

/// A moment in UTC.
pub(super) fn moment(at: Instant) -> String {
    at.utc().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// When a credential was last used, in words.
pub(super) fn used(last_used_at: Option<Instant>) -> String {
    last_used_at.map_or_else(|| "never used".to_owned(), |at| format!("used {}", moment(at)))
}
