//! Settings about documents: what operations may cost, what is kept, and which documents are trusted.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::check::{Check, text};
use super::{Settings, env};
use crate::http::{CostLimits, DocumentSettings, TrustedMode};

/// What an operation may cost: from next to nothing to beyond what any document can.
const COST: RangeInclusive<u64> = 1..=1_000_000_000;
/// Memory for parsed documents, in mebibytes: some thousand documents as they usually are.
const CACHE_MIB: u64 = 32;
/// More than this is not a cache of documents any more.
const CACHE_MIB_RANGE: RangeInclusive<u64> = 0..=4_096;
/// Bytes of a mebibyte.
const MIB: u64 = 1_024 * 1_024;

/// Every mode, by its word.
const MODES: [(&str, TrustedMode); 3] =
    [("off", TrustedMode::Off), ("prefer", TrustedMode::Prefer), ("only", TrustedMode::Only)];

const SWITCH: [(&str, bool); 2] = [("on", true), ("off", false)];

/// What holds for documents, and where trusted ones are.
#[derive(Clone, Debug)]
pub struct DocumentConfig {
    /// What holds.
    pub settings: DocumentSettings,
    /// The file with trusted documents.
    pub trusted: Option<PathBuf>,
}

impl Check {
    pub(super) fn documents(&mut self, given: &Settings) -> DocumentConfig {
        let default = DocumentSettings::default();
        let cost_limits = CostLimits {
            customers: self.number(
                env::COST_LIMIT_CUSTOMERS,
                given.cost_limit_customers.as_ref(),
                default.cost_limits.customers,
                COST,
            ),
            others: self.number(env::COST_LIMIT, given.cost_limit.as_ref(), default.cost_limits.others, COST),
        };
        let cache_mib =
            self.number(env::DOCUMENT_CACHE_MIB, given.document_cache_mib.as_ref(), CACHE_MIB, CACHE_MIB_RANGE);
        let persisted = self.word(env::PERSISTED_QUERIES, given.persisted_queries.as_ref(), &SWITCH, default.persisted);
        let trusted_mode = self.word(env::TRUSTED_MODE, given.trusted_mode.as_ref(), &MODES, default.trusted_mode);
        let trusted = text(given.trusted_documents.as_ref()).map(PathBuf::from);
        if trusted_mode == TrustedMode::Only && trusted.is_none() {
            let problem = format!("is only, which needs {}: without it nothing could be asked", env::TRUSTED_DOCUMENTS);
            self.fault(env::TRUSTED_MODE, problem);
        }
        let cache_bytes = cache_mib.saturating_mul(MIB);
        DocumentConfig {
            settings: DocumentSettings { cost_limits, cache_bytes, persisted, trusted_mode, ..default },
            trusted,
        }
    }
}

impl DocumentConfig {
    /// As settings of the file.
    pub(super) fn shown(&self) -> Vec<(&'static str, Value)> {
        let DocumentSettings { cost_limits, cache_bytes, persisted, trusted_mode, .. } = &self.settings;
        let mode = MODES.iter().find(|(_, mode)| mode == trusted_mode).map(|(word, _)| *word);
        let switch = SWITCH.iter().find(|(_, on)| on == persisted).map(|(word, _)| *word);
        let files: Vec<_> = self.trusted.iter().map(|path| path.display().to_string()).collect();
        vec![
            ("cost_limit", json!(cost_limits.others)),
            ("cost_limit_customers", json!(cost_limits.customers)),
            ("document_cache_mib", json!(cache_bytes / MIB)),
            ("persisted_queries", json!(switch)),
            ("trusted_documents", json!(files)),
            ("trusted_mode", json!(mode)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::config::Given;

    fn given<T: From<Given>>(text: &str) -> T {
        Given::from(text.to_owned()).into()
    }

    #[test]
    fn numbers_and_words_are_checked() {
        let settings = Settings {
            cost_limit: given("0"),
            cost_limit_customers: given("many"),
            document_cache_mib: given("4097"),
            persisted_queries: given("perhaps"),
            trusted_mode: given("strict"),
            ..Settings::default()
        };
        let faults = settings.validate(true).unwrap_err();
        assert_eq!(faults.0.len(), 5, "{faults}");
    }

    #[test]
    fn only_trusted_documents_need_a_file() {
        let only = |file| Settings { trusted_mode: given("only"), trusted_documents: file, ..Settings::default() };
        let faults = only(None).validate(true).unwrap_err();
        assert!(faults.to_string().contains("BILLING_TRUSTED_DOCUMENTS"), "{faults}");
        let documents = only(given("documents.json")).validate(true).unwrap().documents;
        assert_eq!(documents.trusted, Some(PathBuf::from("documents.json")));
        assert_eq!(documents.settings.trusted_mode, TrustedMode::Only);
    }
}
