//! Settings about what one request may bring and be answered with. The numbers of documents, with their reasons, stand in
//! `gate/limits.rs`.

use super::check::Check;
use super::setting::{Area, Number};
use crate::gate::Limits;
use crate::http::RequestLimits;

pub(super) static AREA: Area = Area {
    title: "Limits",
    settings: &[
        &DOCUMENT_BYTES_MAX.setting,
        &DOCUMENT_TOKENS_MAX.setting,
        &DOCUMENT_NAME_BYTES_MAX.setting,
        &DOCUMENT_NESTING_MAX.setting,
        &DOCUMENT_DEPTH_MAX.setting,
        &DOCUMENT_INTROSPECTION_DEPTH_MAX.setting,
        &DOCUMENT_INTROSPECTION_LISTS_MAX.setting,
        &DOCUMENT_INTROSPECTIONS_MAX.setting,
        &DOCUMENT_INTROSPECTION_REPEATS_MAX.setting,
        &DOCUMENT_LEVELS_MAX.setting,
        &DOCUMENT_EXPANDED_FIELDS_MAX.setting,
        &DOCUMENT_FIELDS_MAX.setting,
        &DOCUMENT_EXPANDED_TOKENS_MAX.setting,
        &DOCUMENT_ALIASES_MAX.setting,
        &DOCUMENT_ROOT_FIELDS_MAX.setting,
        &DOCUMENT_DIRECTIVES_MAX.setting,
        &DOCUMENT_DIRECTIVES_PER_PLACE_MAX.setting,
        &DOCUMENT_OPERATIONS_MAX.setting,
        &DOCUMENT_FRAGMENTS_MAX.setting,
        &DOCUMENT_VARIABLES_MAX.setting,
        &BODY_BYTES_MAX.setting,
        &BODY_VALUES_MAX.setting,
        &WEBHOOK_BODY_BYTES_MAX.setting,
        &REQUEST_TIMEOUT_MS.setting,
        &ANSWER_OBJECTS_MAX.setting,
        &ANSWER_ERRORS_MAX.setting,
    ],
};

const DEFAULT: Limits = Limits::DEFAULT;
const CEILING: Limits = Limits::CEILING;

static DOCUMENT_BYTES_MAX: Number =
    some("document_bytes_max", DEFAULT.document_bytes, CEILING.document_bytes, "Bytes of a document");

static DOCUMENT_TOKENS_MAX: Number =
    some("document_tokens_max", DEFAULT.tokens, CEILING.tokens, "Tokens of a document");

static DOCUMENT_NAME_BYTES_MAX: Number =
    some("document_name_bytes_max", DEFAULT.name_bytes, CEILING.name_bytes, "Bytes of one name in a document");

static DOCUMENT_NESTING_MAX: Number = some(
    "document_nesting_max",
    DEFAULT.nesting_brackets,
    CEILING.nesting_brackets,
    "Brackets of a document that are open at the same time",
);

static DOCUMENT_DEPTH_MAX: Number =
    some("document_depth_max", DEFAULT.depth_fields, CEILING.depth_fields, "Fields on one path, fragments written out");

static DOCUMENT_INTROSPECTION_DEPTH_MAX: Number = none_or_some(
    "document_introspection_depth_max",
    DEFAULT.introspection_depth_fields,
    CEILING.introspection_depth_fields,
    "Fields on one path of introspection; 0 refuses introspection, also that of the explorer",
);

static DOCUMENT_INTROSPECTION_LISTS_MAX: Number = none_or_some(
    "document_introspection_lists_max",
    DEFAULT.introspection_lists,
    CEILING.introspection_lists,
    "Lists of introspection inside each other",
);

static DOCUMENT_INTROSPECTIONS_MAX: Number = none_or_some(
    "document_introspections_max",
    DEFAULT.introspections,
    CEILING.introspections,
    "How often one operation asks for the schema or a type of it",
);

static DOCUMENT_INTROSPECTION_REPEATS_MAX: Number = some(
    "document_introspection_repeats_max",
    DEFAULT.introspection_repeats,
    CEILING.introspection_repeats,
    "How often one operation asks for the same list of introspection",
);

static DOCUMENT_LEVELS_MAX: Number = some(
    "document_levels_max",
    DEFAULT.selection_levels,
    CEILING.selection_levels,
    "Selection sets on one path, fragments written out",
);

static DOCUMENT_EXPANDED_FIELDS_MAX: Number = some(
    "document_expanded_fields_max",
    DEFAULT.expanded_fields,
    CEILING.expanded_fields,
    "Fields and spreads of a document, fragments written out",
);

static DOCUMENT_FIELDS_MAX: Number = some(
    "document_fields_max",
    DEFAULT.height_fields,
    CEILING.height_fields,
    "Fields of one operation, fragments written out",
);

static DOCUMENT_EXPANDED_TOKENS_MAX: Number = some(
    "document_expanded_tokens_max",
    DEFAULT.expanded_tokens,
    CEILING.expanded_tokens,
    "Tokens of a document, fragments written out",
);

static DOCUMENT_ALIASES_MAX: Number = none_or_some(
    "document_aliases_max",
    DEFAULT.aliases,
    CEILING.aliases,
    "Aliases of a document, fragments written out",
);

static DOCUMENT_ROOT_FIELDS_MAX: Number = some(
    "document_root_fields_max",
    DEFAULT.root_fields,
    CEILING.root_fields,
    "Root fields of one operation, fragments written out",
);

static DOCUMENT_DIRECTIVES_MAX: Number =
    none_or_some("document_directives_max", DEFAULT.directives, CEILING.directives, "Directives of a document");

static DOCUMENT_DIRECTIVES_PER_PLACE_MAX: Number = none_or_some(
    "document_directives_per_place_max",
    DEFAULT.field_directives,
    CEILING.field_directives,
    "Directives in one place of a document",
);

static DOCUMENT_OPERATIONS_MAX: Number =
    some("document_operations_max", DEFAULT.operations, CEILING.operations, "Operations of a document");

static DOCUMENT_FRAGMENTS_MAX: Number =
    none_or_some("document_fragments_max", DEFAULT.fragments, CEILING.fragments, "Fragments of a document");

static DOCUMENT_VARIABLES_MAX: Number =
    none_or_some("document_variables_max", DEFAULT.variables, CEILING.variables, "Variables of a document");

/// Four times the default: bodies are in memory before there is a place to work on them, one for each connection.
static BODY_BYTES_MAX: Number =
    Number::new("body_bytes_max", "BYTES", 1_024..=1_048_576, 262_144, "Bytes of the body of a GraphQL request");

/// Each takes some hundred bytes of memory.
static BODY_VALUES_MAX: Number =
    Number::new("body_values_max", "NUMBER", 10..=40_000, 10_000, "Values in the JSON of a request");

/// Stripe's events have some kilobytes, those of long invoices some hundred.
static WEBHOOK_BODY_BYTES_MAX: Number =
    Number::new("webhook_body_bytes_max", "BYTES", 65_536..=4_194_304, 1_048_576, "Bytes of the body of a webhook");

static REQUEST_TIMEOUT_MS: Number = Number::new(
    "request_timeout_ms",
    "MS",
    100..=60_000,
    10_000,
    "Longest time for a GraphQL request, its body included, in milliseconds",
);

static ANSWER_OBJECTS_MAX: Number = Number::new(
    "answer_objects_max",
    "NUMBER",
    1..=400_000,
    100_000,
    "Objects that the lists of one answer may have in all",
);

static ANSWER_ERRORS_MAX: Number =
    Number::new("answer_errors_max", "NUMBER", 1..=1_000, 100, "Errors of one answer; the rest are counted");

/// A limit that may be tightened to nothing.
const fn none_or_some(key: &'static str, default: usize, ceiling: usize, help: &'static str) -> Number {
    Number::new(key, "NUMBER", 0..=ceiling as u64, default as u64, help)
}

/// A limit without which nothing could be asked.
const fn some(key: &'static str, default: usize, ceiling: usize, help: &'static str) -> Number {
    Number::new(key, "NUMBER", 1..=ceiling as u64, default as u64, help)
}

impl Check<'_> {
    /// Those of documents.
    pub(super) fn document_limits(&mut self) -> Limits {
        Limits {
            document_bytes: self.count(&DOCUMENT_BYTES_MAX),
            tokens: self.count(&DOCUMENT_TOKENS_MAX),
            name_bytes: self.count(&DOCUMENT_NAME_BYTES_MAX),
            nesting_brackets: self.count(&DOCUMENT_NESTING_MAX),
            depth_fields: self.count(&DOCUMENT_DEPTH_MAX),
            introspection_depth_fields: self.count(&DOCUMENT_INTROSPECTION_DEPTH_MAX),
            introspection_lists: self.count(&DOCUMENT_INTROSPECTION_LISTS_MAX),
            introspections: self.count(&DOCUMENT_INTROSPECTIONS_MAX),
            introspection_repeats: self.count(&DOCUMENT_INTROSPECTION_REPEATS_MAX),
            selection_levels: self.count(&DOCUMENT_LEVELS_MAX),
            expanded_fields: self.count(&DOCUMENT_EXPANDED_FIELDS_MAX),
            height_fields: self.count(&DOCUMENT_FIELDS_MAX),
            expanded_tokens: self.count(&DOCUMENT_EXPANDED_TOKENS_MAX),
            aliases: self.count(&DOCUMENT_ALIASES_MAX),
            root_fields: self.count(&DOCUMENT_ROOT_FIELDS_MAX),
            directives: self.count(&DOCUMENT_DIRECTIVES_MAX),
            field_directives: self.count(&DOCUMENT_DIRECTIVES_PER_PLACE_MAX),
            operations: self.count(&DOCUMENT_OPERATIONS_MAX),
            fragments: self.count(&DOCUMENT_FRAGMENTS_MAX),
            variables: self.count(&DOCUMENT_VARIABLES_MAX),
        }
    }

    /// Those of requests and answers as a whole.
    pub(super) fn request_limits(&mut self) -> RequestLimits {
        RequestLimits {
            body_bytes: self.count(&BODY_BYTES_MAX),
            body_values: self.count(&BODY_VALUES_MAX),
            webhook_body_bytes: self.count(&WEBHOOK_BODY_BYTES_MAX),
            timeout: self.millis(&REQUEST_TIMEOUT_MS),
            answer_objects: self.count(&ANSWER_OBJECTS_MAX),
            answer_errors: self.count(&ANSWER_ERRORS_MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_server() {
        let config = Settings::default().validate(true).unwrap();
        assert_eq!(config.limits, RequestLimits::default());
        assert_eq!(config.documents.settings.limits, Limits::default());
    }
}
