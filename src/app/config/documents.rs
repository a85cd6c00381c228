//! Settings about documents: what operations may cost, what is kept, and which documents are trusted.

use std::path::PathBuf;

use serde_json::json;

use super::check::Check;
use super::setting::{Area, Number, Setting, Words};
use crate::http::{CostLimits, DocumentSettings, TrustedMode};

pub(super) static AREA: Area = Area {
    title: "Documents",
    settings: &[
        &COST_LIMIT.setting,
        &COST_LIMIT_CUSTOMERS.setting,
        &DOCUMENT_CACHE_MIB.setting,
        &PERSISTED_QUERIES.setting,
        &TRUSTED_DOCUMENTS,
        &TRUSTED_MODE.setting,
    ],
};

/// From next to nothing to beyond what any document can.
static COST_LIMIT: Number = Number::new(
    "cost_limit",
    "NUMBER",
    1..=1_000_000_000,
    10_000,
    "What an operation of a merchant, partner or service may cost at the most",
);

static COST_LIMIT_CUSTOMERS: Number = Number::new(
    "cost_limit_customers",
    "NUMBER",
    1..=1_000_000_000,
    1_000,
    "What an operation of a customer may cost at the most",
);

/// Some thousand documents as they usually are. More than four gibibytes is not a cache of documents any more.
static DOCUMENT_CACHE_MIB: Number =
    Number::new("document_cache_mib", "MIB", 0..=4_096, 32, "Memory for parsed documents, in mebibytes; 0 keeps none");

static PERSISTED_QUERIES: Words<bool> = Words::new(
    "persisted_queries",
    "SWITCH",
    &[("on", true), ("off", false)],
    ("on", true),
    "Whether clients may ask by the hash of a document that they sent before: `on` or `off`",
);

static TRUSTED_DOCUMENTS: Setting =
    Setting::new("trusted_documents", "FILE", "A file of trusted documents, which are asked for by their ids");

static TRUSTED_MODE: Words<TrustedMode> = Words::new(
    "trusted_mode",
    "MODE",
    &[("off", TrustedMode::Off), ("prefer", TrustedMode::Prefer), ("only", TrustedMode::Only)],
    ("prefer", TrustedMode::Prefer),
    "What the file is for: `prefer` (other documents are answered too), `only` (no others are) or `off`",
);

/// Bytes of a mebibyte.
const MIB: u64 = 1_024 * 1_024;

/// What holds for documents, and where trusted ones are.
#[derive(Clone, Debug)]
pub struct DocumentConfig {
    /// What holds.
    pub settings: DocumentSettings,
    /// The file with trusted documents.
    pub trusted: Option<PathBuf>,
}

impl Check<'_> {
    pub(super) fn documents(&mut self) -> DocumentConfig {
        let settings = DocumentSettings {
            limits: self.document_limits(),
            cost_limits: CostLimits { others: self.number(&COST_LIMIT), customers: self.number(&COST_LIMIT_CUSTOMERS) },
            cache_bytes: self.number(&DOCUMENT_CACHE_MIB).saturating_mul(MIB),
            persisted: self.word(&PERSISTED_QUERIES),
            trusted_mode: self.word(&TRUSTED_MODE),
        };
        let trusted = self.text(&TRUSTED_DOCUMENTS).map(PathBuf::from);
        self.show(&TRUSTED_DOCUMENTS, json!(Vec::from_iter(self.text(&TRUSTED_DOCUMENTS))));
        if settings.trusted_mode == TrustedMode::Only && trusted.is_none() {
            let file = TRUSTED_DOCUMENTS.env();
            let problem = format!("is only, which needs {file}: without it nothing could be asked");
            self.fault(&TRUSTED_MODE.setting, problem);
        }
        DocumentConfig { settings, trusted }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_server() {
        let settings = Settings::default().validate(true).unwrap().documents.settings;
        assert_eq!(format!("{settings:?}"), format!("{:?}", DocumentSettings::default()));
    }

    #[test]
    fn numbers_and_words_are_checked() {
        let settings = Settings::of([
            ("cost_limit", "0"),
            ("cost_limit_customers", "many"),
            ("document_cache_mib", "4097"),
            ("persisted_queries", "perhaps"),
            ("trusted_mode", "strict"),
        ]);
        let faults = settings.validate(true).unwrap_err();
        assert_eq!(faults.0.len(), 5, "{faults}");
    }

    #[test]
    fn only_trusted_documents_need_a_file() {
        let only = |file| Settings::of([("trusted_mode", "only"), ("trusted_documents", file)]);
        let faults = only("").validate(true).unwrap_err();
        assert!(faults.to_string().contains("BILLING_TRUSTED_DOCUMENTS"), "{faults}");
        let documents = only("documents.json").validate(true).unwrap().documents;
        assert_eq!(documents.trusted, Some(PathBuf::from("documents.json")));
        assert_eq!(documents.settings.trusted_mode, TrustedMode::Only);
    }
}
