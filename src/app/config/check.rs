//! Reads settings one by one, collects what is wrong with them, and notes what they come to.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde_json::{Value, json};

use super::Settings;
use super::setting::{Number, Setting, Words};

/// A setting that is wrong or missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its name in the environment; for the file, its path.
    pub setting: String,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.setting, self.problem)
    }
}

/// All settings that are wrong or missing: one at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<String> = self.0.iter().map(Fault::to_string).collect();
        f.write_str(&faults.join("; "))
    }
}

impl std::error::Error for Faults {}

/// What settings come to, by their keys in the file.
pub(super) type Shown = Vec<(&'static str, Value)>;

/// Reads settings one by one and collects what is wrong with them.
pub(super) struct Check<'a> {
    pub(super) given: &'a Settings,
    demo: bool,
    faults: Vec<Fault>,
    shown: Shown,
}

impl<'a> Check<'a> {
    /// With `demo`, what the demo brings by itself is not missing.
    pub(super) const fn new(given: &'a Settings, demo: bool) -> Self {
        Self { given, demo, faults: Vec::new(), shown: Vec::new() }
    }

    pub(super) const fn is_demo(&self) -> bool {
        self.demo
    }

    /// What was made of the settings, and beside it what they come to by key, if nothing is wrong.
    pub(super) fn done<T>(self, value: T) -> Result<(T, Shown), Faults> {
        if self.faults.is_empty() { Ok((value, self.shown)) } else { Err(Faults(self.faults)) }
    }

    /// Notes what is wrong with a setting.
    pub(super) fn fault(&mut self, setting: &Setting, problem: impl Into<String>) {
        self.fault_at(setting.env(), problem);
    }

    /// The same for what has a place in the file only.
    pub(super) fn fault_at(&mut self, place: &str, problem: impl Into<String>) {
        self.faults.push(Fault { setting: place.to_owned(), problem: problem.into() });
    }

    /// Notes what a setting comes to, for `config print`. Numbers and words are noted when they are read.
    pub(super) fn show(&mut self, setting: &Setting, value: Value) {
        self.shown.push((setting.key, value));
    }

    /// What was said of a setting, if anything was.
    pub(super) fn text(&self, setting: &Setting) -> Option<&'a str> {
        self.given.text(setting)
    }

    /// What was said of it with commas between.
    pub(super) fn entries(&self, setting: &Setting) -> impl Iterator<Item = &'a str> + use<'a> {
        self.text(setting).unwrap_or_default().split(',').map(str::trim).filter(|entry| !entry.is_empty())
    }

    /// A whole number within its bounds.
    pub(super) fn number(&mut self, number: &Number) -> u64 {
        self.number_or(number, number.default)
    }

    /// The same with a default of the machine's.
    pub(super) fn number_or(&mut self, Number { setting, range, .. }: &Number, default: u64) -> u64 {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let number = self.parsed(setting, default, &expected);
        if !range.contains(&number) {
            self.fault(setting, format!("is {number}, not {expected}"));
        }
        self.show(setting, json!(number));
        number
    }

    /// A count of what has its place in memory.
    pub(super) fn count(&mut self, number: &Number) -> usize {
        usize::try_from(self.number(number)).unwrap_or(usize::MAX)
    }

    /// A count of what is never many.
    pub(super) fn count32(&mut self, number: &Number) -> u32 {
        u32::try_from(self.number(number)).unwrap_or(u32::MAX)
    }

    /// A number of milliseconds.
    pub(super) fn millis(&mut self, number: &Number) -> Duration {
        Duration::from_millis(self.number(number))
    }

    /// A number of seconds.
    pub(super) fn seconds(&mut self, number: &Number) -> Duration {
        Duration::from_secs(self.number(number))
    }

    /// A number of minutes.
    pub(super) fn minutes(&mut self, number: &Number) -> Duration {
        Duration::from_secs(self.number(number).saturating_mul(60))
    }

    /// One of a few words.
    pub(super) fn word<T: Copy + PartialEq>(&mut self, words: &Words<T>) -> T {
        let meaning = self.word_or(words, words.default);
        self.show(&words.setting, json!(words.of(meaning)));
        meaning
    }

    /// The same with another default, and not noted.
    pub(super) fn word_or<T: Copy>(&mut self, Words { setting, meanings, .. }: &Words<T>, default: T) -> T {
        let Some(text) = self.text(setting) else {
            return default;
        };
        if let Some((_, meaning)) = meanings.iter().find(|(word, _)| *word == text) {
            return *meaning;
        }
        let words: Vec<&str> = meanings.iter().map(|(word, _)| *word).collect();
        self.fault(setting, format!("is {text:?}, not one of {}", words.join(", ")));
        default
    }

    /// Whatever can be read from text.
    pub(super) fn parsed<T: FromStr>(&mut self, setting: &Setting, default: T, expected: &str) -> T {
        let Some(text) = self.text(setting) else {
            return default;
        };
        text.parse().unwrap_or_else(|_unreadable| {
            self.fault(setting, format!("is {text:?}, not {expected}"));
            default
        })
    }
}
