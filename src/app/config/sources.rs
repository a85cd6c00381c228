//! Where settings come from: flags and environment, by clap, and the file under them. All are texts, not checked yet.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Command, FromArgMatches, value_parser};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::server::{EXPLORER, GATEWAY_EXPLORER};
use super::setting::Setting;
use super::stripe::GivenAccounts;
use super::webhooks::EndpointGiven;
use super::{AREAS, Fault, Faults};

/// The flag that names the file.
const CONFIG: &str = "config";
/// The table of the file with keys of tenants.
const STRIPE_ACCOUNTS: &str = "stripe_accounts";
/// The tables of the file with webhook endpoints.
const WEBHOOK_ENDPOINTS: &str = "webhook_endpoints";

/// Every key that the file may have.
static KEYS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let settings = all().filter(|setting| setting.is_in_file()).map(|setting| setting.key);
    settings.chain([STRIPE_ACCOUNTS, WEBHOOK_ENDPOINTS]).collect()
});

/// Every setting there is.
pub(super) fn all() -> impl Iterator<Item = &'static Setting> {
    AREAS.iter().flat_map(|area| area.settings).copied()
}

/// A setting as it was given, not checked yet.
#[derive(Clone)]
pub(super) struct Given(pub(super) String);

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a text, a whole number or a list of texts")]
        enum Spelling {
            Text(String),
            Number(i64),
            List(Vec<String>),
        }
        Ok(Self(match Spelling::deserialize(deserializer)? {
            Spelling::Text(text) => text,
            Spelling::Number(number) => number.to_string(),
            Spelling::List(texts) => texts.join(","),
        }))
    }
}

/// Settings as they were given, of one source or of all of them.
#[derive(Clone, Default)]
pub struct Settings {
    /// The file that is still to be read.
    file: Option<PathBuf>,
    /// By key. What is empty is not there.
    given: BTreeMap<&'static str, String>,
    /// Keys of further tenants, in the file only.
    pub(super) accounts: GivenAccounts,
    /// Webhook endpoints by name, in the file only.
    pub(super) endpoints: BTreeMap<String, EndpointGiven>,
}

impl Settings {
    /// These settings, and under them those of the file they name.
    ///
    /// # Errors
    /// The one fault of a file that cannot be read.
    pub fn with_file(mut self) -> Result<Self, Faults> {
        let Some(path) = self.file.take() else {
            return Ok(self);
        };
        let file =
            read_file(&path).map_err(|problem| Faults(vec![Fault { setting: path.display().to_string(), problem }]))?;
        Ok(self.over(file))
    }

    /// These settings, and under them others.
    pub(super) fn over(self, mut file: Self) -> Self {
        file.given.extend(self.given);
        Self { file: None, ..file }
    }

    /// What was said of a setting, if anything was.
    pub(super) fn text(&self, setting: &Setting) -> Option<&str> {
        debug_assert!(all().any(|known| known.key == setting.key), "{} stands in no area", setting.key);
        self.given.get(setting.key).map(String::as_str)
    }

    /// Takes over what is said.
    fn say(&mut self, key: &'static str, text: &str) {
        let text = text.trim();
        if !text.is_empty() {
            self.given.insert(key, text.to_owned());
        }
    }

    /// Settings by their keys, as a file would have them.
    #[cfg(test)]
    pub(super) fn of<'a>(given: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut settings = Self::default();
        for (key, text) in given {
            settings.say(all().find(|setting| setting.key == key).unwrap().key, text);
        }
        settings
    }
}

fn read_file(path: &Path) -> Result<Settings, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))?;
    toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count().saturating_add(1);
        format!("line {line}: {}", error.message().replace('\n', " "))
    })
}

// ---- Flags and environment --------------------------------------------------------------------------------------

impl clap::Args for Settings {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new(CONFIG)
            .long(CONFIG)
            .global(true)
            .env("BILLING_CONFIG")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help("A TOML file with settings; flags and environment go before it")
            .help_heading("Settings");
        let areas = AREAS.iter().flat_map(|area| area.settings.iter().map(|setting| setting.arg(area.title)));
        command.arg(file).args(areas)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Settings {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut settings = Self::default();
        settings.update_from_arg_matches(matches)?;
        Ok(settings)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        let unreadable = |error| clap::Error::raw(ErrorKind::InvalidValue, format!("{error}\n"));
        if let Some(path) = matches.try_get_one::<PathBuf>(CONFIG).map_err(unreadable)? {
            self.file = Some(path.clone());
        }
        for setting in all() {
            if let Some(text) = matches.try_get_one::<String>(setting.key).map_err(unreadable)? {
                self.say(setting.key, text);
            }
        }
        // The browser test's name for the explorer stands under the other, and over the file.
        if let Some(text) = self.given.remove(GATEWAY_EXPLORER.key) {
            self.given.entry(EXPLORER.setting.key).or_insert(text);
        }
        Ok(())
    }
}

// ---- The file ---------------------------------------------------------------------------------------------------

/// A key that the file may have.
struct Key(&'static str);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Known;

        impl Visitor<'_> for Known {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a setting")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Key, E> {
                let known = KEYS.iter().find(|key| **key == name);
                known.map(|key| Key(key)).ok_or_else(|| E::unknown_field(name, &KEYS))
            }
        }

        deserializer.deserialize_identifier(Known)
    }
}

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct File;

        impl<'de> Visitor<'de> for File {
            type Value = Settings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("settings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Settings, A::Error> {
                let mut settings = Settings::default();
                while let Some(Key(key)) = map.next_key()? {
                    match key {
                        STRIPE_ACCOUNTS => settings.accounts = map.next_value()?,
                        WEBHOOK_ENDPOINTS => settings.endpoints = map.next_value()?,
                        key => settings.say(key, &map.next_value::<Given>()?.0),
                    }
                }
                Ok(settings)
            }
        }

        deserializer.deserialize_map(File)
    }
}
