//! Whether an imported document adds up.

use async_graphql::SimpleObject;

/// Whether what was imported adds up and could be kept as stated.
#[derive(SimpleObject)]
pub(super) struct Integrity {
    /// True when there is no issue.
    ok: bool,
    /// What does not hold, in the order of the document.
    issues: Vec<IntegrityIssue>,
}

/// Something that a document states and that does not hold, or could not be kept as stated.
#[derive(SimpleObject)]
pub(super) struct IntegrityIssue {
    /// The sort of issue: a stable word, for programs.
    code: String,
    /// Where in the document, such as `line_items[0].tax_rate`.
    path: String,
    /// What the document states.
    stated: Option<String>,
    /// What was expected, or what is kept instead.
    expected: Option<String>,
}

impl Integrity {
    pub(super) fn of(issues: &entity::Json) -> Self {
        let issues = IntegrityIssue::all(issues);
        Self { ok: issues.is_empty(), issues }
    }
}

impl IntegrityIssue {
    /// The issues of a row.
    pub(super) fn all(issues: &entity::Json) -> Vec<Self> {
        let text = |issue: &entity::Json, key: &str| issue.get(key).and_then(entity::Json::as_str).map(str::to_owned);
        let issues = issues.as_array().into_iter().flatten();
        issues
            .map(|issue| Self {
                code: text(issue, "code").unwrap_or_default(),
                path: text(issue, "path").unwrap_or_default(),
                stated: text(issue, "stated"),
                expected: text(issue, "expected"),
            })
            .collect()
    }
}
