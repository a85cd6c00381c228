//! What a setting is: its name, its default, what it may be, and what it is for.
//!
//! Each is a `static` of the file of its area. Flag, variable and key of the file are one name in three spellings.

use std::ops::RangeInclusive;
use std::sync::OnceLock;

use clap::Arg;

/// A setting, as far as it is the same for all kinds of values.
pub(super) struct Setting {
    /// Its name, as the file has it.
    pub(super) key: &'static str,
    /// What help calls a value.
    value: &'static str,
    /// What it is for, without a full stop.
    help: &'static str,
    default: Default,
    /// Only for numbers: the least and the most.
    bounds: Option<(u64, u64)>,
    /// Told by `-h` too, not just by `--help`.
    common: bool,
    /// Never shown: told by no help, and no key of the file.
    hidden: bool,
    /// Values of the environment stay out of help.
    secret: bool,
    /// A variable that is not called like the others.
    variable: Option<&'static str>,
    flag_spelling: OnceLock<String>,
    variable_spelling: OnceLock<String>,
}

/// How a default is told.
enum Default {
    None,
    Number(u64),
    Words(&'static str),
}

impl Setting {
    /// A setting that is any text.
    pub(super) const fn new(key: &'static str, value: &'static str, help: &'static str) -> Self {
        Self {
            key,
            value,
            help,
            default: Default::None,
            bounds: None,
            common: false,
            hidden: false,
            secret: false,
            variable: None,
            flag_spelling: OnceLock::new(),
            variable_spelling: OnceLock::new(),
        }
    }

    /// With what holds when nothing is said.
    pub(super) const fn default(mut self, words: &'static str) -> Self {
        self.default = Default::Words(words);
        self
    }

    /// One of the few that everybody looks for.
    pub(super) const fn common(mut self) -> Self {
        self.common = true;
        self
    }

    /// One that people need not know.
    pub(super) const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    /// One whose value nobody is to see.
    pub(super) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// One with a variable of another name.
    pub(super) const fn variable(mut self, name: &'static str) -> Self {
        self.variable = Some(name);
        self
    }

    /// Whether the file may have it.
    pub(super) const fn is_in_file(&self) -> bool {
        !self.hidden
    }

    /// What it is called in the environment, and by faults.
    pub(super) fn env(&self) -> &str {
        let spell = || format!("BILLING_{}", self.key.to_ascii_uppercase());
        self.variable.unwrap_or_else(|| self.variable_spelling.get_or_init(spell))
    }

    /// The least and the most, if it is a number.
    #[cfg(test)]
    pub(super) const fn bounds(&self) -> Option<(u64, u64)> {
        self.bounds
    }

    /// Its flag.
    pub(super) fn arg(&'static self, area: &'static str) -> Arg {
        Arg::new(self.key)
            .long(self.flag_spelling.get_or_init(|| self.key.replace('_', "-")).as_str())
            .global(true)
            .env(self.env())
            .value_name(self.value)
            .help(self.told())
            .help_heading(area)
            .hide(self.hidden)
            .hide_short_help(!self.common)
            .hide_env_values(self.secret)
    }

    fn told(&self) -> String {
        let Self { help, .. } = self;
        match (&self.default, self.bounds) {
            (Default::None, _) => (*help).to_owned(),
            (Default::Number(number), Some((least, most))) => {
                format!("{help} [default: {number}; {least} to {most}]")
            }
            (Default::Words(words), Some((least, most))) => format!("{help} [default: {words}; {least} to {most}]"),
            (Default::Number(number), None) => format!("{help} [default: {number}]"),
            (Default::Words(words), None) => format!("{help} [default: {words}]"),
        }
    }
}

/// A setting that is a whole number.
pub(super) struct Number {
    pub(super) setting: Setting,
    pub(super) range: RangeInclusive<u64>,
    pub(super) default: u64,
}

impl Number {
    /// A number in `range`; `default` when nothing is said.
    pub(super) const fn new(
        key: &'static str,
        value: &'static str,
        range: RangeInclusive<u64>,
        default: u64,
        help: &'static str,
    ) -> Self {
        let mut setting = Setting::new(key, value, help);
        setting.default = Default::Number(default);
        setting.bounds = Some((*range.start(), *range.end()));
        Self { setting, range, default }
    }

    /// A time-out in milliseconds: a tenth of a second to ten minutes.
    pub(super) const fn timeout(key: &'static str, default_ms: u64, help: &'static str) -> Self {
        Self::new(key, "MS", 100..=600_000, default_ms, help)
    }

    /// With a default that the machine decides, told in words.
    pub(super) const fn default(mut self, words: &'static str) -> Self {
        self.setting.default = Default::Words(words);
        self
    }
}

/// A setting that is one of a few words.
pub(super) struct Words<T: 'static> {
    pub(super) setting: Setting,
    /// Every word, with what it means.
    pub(super) meanings: &'static [(&'static str, T)],
    pub(super) default: T,
}

impl<T: Copy + PartialEq> Words<T> {
    /// One of the words of `meanings`; `default` when nothing is said.
    pub(super) const fn new(
        key: &'static str,
        value: &'static str,
        meanings: &'static [(&'static str, T)],
        default: (&'static str, T),
        help: &'static str,
    ) -> Self {
        Self { setting: Setting::new(key, value, help).default(default.0), meanings, default: default.1 }
    }

    /// The word that means this.
    pub(super) fn of(&self, meaning: T) -> Option<&'static str> {
        self.meanings.iter().find(|(_, known)| *known == meaning).map(|(word, _)| *word)
    }
}

/// Settings that belong together.
pub(super) struct Area {
    /// Their heading in help.
    pub(super) title: &'static str,
    pub(super) settings: &'static [&'static Setting],
}
