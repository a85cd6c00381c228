//! The document gate: measures the text of a GraphQL document before any parser sees it.
//!
//! The parser behind the gate overflows its stack on nested values, and the validators expand
//! fragments without a limit; neither can be interrupted. [`check`] is pure, linear in the text,
//! recurses nowhere and allocates in proportion to a text whose size it has checked. All operations
//! and fragments are measured, selected or not, because the validators visit them all.
//!
//! Only a document that [`check`] accepts may be parsed. What the gate cannot read it refuses, with
//! line and column, instead of leaving the syntax error to the parser: a document the two read
//! differently would otherwise pass unmeasured.

mod cost;
mod extent;
mod lexer;
mod limits;
mod measure;
mod order;
mod outline;
mod plan;
mod size;

use std::fmt;

use lexer::Unreadable;
use order::Endless;
use outline::Outline;

pub use cost::{CostTable, Rule, Times};
pub use extent::SCHEMA_LISTS;
pub use limits::Limits;
pub use measure::Measured;
pub use plan::CostPlan;
pub use size::Size;

/// Measures `document` and compares every number with `limits`.
///
/// # Errors
/// [`GateError`] for the first limit that is exceeded, for text that is not an executable document,
/// and for fragments that spread themselves or share a name. Names, types and values are not judged.
pub fn check(document: &str, limits: &Limits) -> Result<Measured, GateError> {
    Ok(read(document, limits)?.0)
}

/// Does the same, and gives how the cost of the document's operations follows from a request's variables.
///
/// # Errors
/// Those of [`check`]: what an operation may cost depends on who asks, and is compared by the caller.
pub fn examine(document: &str, limits: &Limits, costs: &CostTable) -> Result<(Measured, CostPlan), GateError> {
    let (measured, outline, order) = read(document, limits)?;
    Ok((measured, CostPlan::new(&outline, &order, costs)))
}

/// The numbers of an accepted document, its outline, and the order in which its fragments are worked out.
fn read<'a>(document: &'a str, limits: &Limits) -> Result<(Measured, Outline<'a>, Vec<usize>), GateError> {
    within(document.len(), limits.document_bytes, GateError::DocumentTooLarge)?;
    let mut measured = Measured::of_text(document).map_err(|at| unreadable(document, at))?;
    admit(&measured, limits)?;
    let outline = Outline::read(document).map_err(|at| unreadable(document, at))?;
    measured.add_outline(&outline);
    admit(&measured, limits)?;
    let order = order::order(&outline.fragments)?;
    measured.add_expansion(&outline, &order);
    admit(&measured, limits)?;
    Ok((measured, outline, order))
}

/// Why a document is refused. Every message is safe for the client: numbers and fixed words, at most
/// 200 characters, nothing of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// Over [`Limits::document_bytes`].
    #[error("the document is too long in bytes: {0}")]
    DocumentTooLarge(Excess),
    /// Over [`Limits::tokens`].
    #[error("the document has too many tokens: {0}")]
    TooManyTokens(Excess),
    /// Over [`Limits::name_bytes`].
    #[error("a name in the document is too long in bytes: {0}")]
    NameTooLong(Excess),
    /// Over [`Limits::nesting_brackets`].
    #[error("brackets are nested too deep: {0}")]
    NestingTooDeep(Excess),
    /// Over [`Limits::depth_fields`].
    #[error("fields are nested too deep, fragments written out: {0}")]
    DepthTooDeep(Excess),
    /// Over [`Limits::introspection_depth_fields`].
    #[error("introspection fields are nested too deep, fragments written out: {0}")]
    IntrospectionTooDeep(Excess),
    /// Over [`Limits::introspection_lists`].
    #[error("too many of `fields`, `inputFields`, `interfaces`, `possibleTypes` inside each other: {0}")]
    IntrospectionListsTooDeep(Excess),
    /// Over [`Limits::introspections`].
    #[error("an operation asks for the schema too often: {0}")]
    TooManyIntrospections(Excess),
    /// Over [`Limits::introspection_repeats`].
    #[error("an operation asks too often for the same list of the schema, fragments written out: {0}")]
    TooManyIntrospectionRepeats(Excess),
    /// Over [`Limits::selection_levels`].
    #[error("selection sets are nested too deep, fragments written out: {0}")]
    LevelsTooDeep(Excess),
    /// Over [`Limits::expanded_fields`].
    #[error("the document has too many fields, fragments written out: {0}")]
    TooManyExpandedFields(Excess),
    /// Over [`Limits::height_fields`].
    #[error("an operation has too many fields, fragments written out: {0}")]
    TooManyFields(Excess),
    /// Over [`Limits::expanded_tokens`].
    #[error("the document has too many tokens, fragments written out: {0}")]
    TooManyExpandedTokens(Excess),
    /// Over [`Limits::aliases`].
    #[error("the document has too many aliases, fragments written out: {0}")]
    TooManyAliases(Excess),
    /// Over [`Limits::root_fields`].
    #[error("an operation has too many root fields, fragments written out: {0}")]
    TooManyRootFields(Excess),
    /// Over [`Limits::directives`].
    #[error("the document has too many directives: {0}")]
    TooManyDirectives(Excess),
    /// Over [`Limits::field_directives`].
    #[error("one place in the document has too many directives: {0}")]
    TooManyFieldDirectives(Excess),
    /// Over [`Limits::operations`].
    #[error("the document has too many operations: {0}")]
    TooManyOperations(Excess),
    /// Over [`Limits::fragments`].
    #[error("the document has too many fragments: {0}")]
    TooManyFragments(Excess),
    /// Over [`Limits::variables`].
    #[error("the document declares too many variables: {0}")]
    TooManyVariables(Excess),
    /// A fragment spreads itself, directly or through others, in an operation or not.
    #[error("a fragment spreads itself, directly or through other fragments")]
    FragmentCycle,
    /// Two fragments have one name.
    #[error("two fragments have the same name")]
    FragmentDuplicate,
    /// The text stops being an executable document here; what follows has not been measured.
    #[error("syntax error at line {line}, column {column}: expected {expected}")]
    Unreadable {
        /// Line of the first token that does not fit, from 1.
        line: usize,
        /// Column of that token in characters, from 1.
        column: usize,
        /// What would have fitted, in fixed words.
        expected: &'static str,
    },
}

impl GateError {
    /// The code for `extensions.code`; stable API.
    pub fn code(&self) -> &'static str {
        match self {
            Self::DocumentTooLarge(_) | Self::TooManyTokens(_) | Self::NameTooLong(_) => "QUERY_TOO_LARGE",
            Self::NestingTooDeep(_)
            | Self::DepthTooDeep(_)
            | Self::IntrospectionTooDeep(_)
            | Self::IntrospectionListsTooDeep(_)
            | Self::LevelsTooDeep(_) => "QUERY_TOO_DEEP",
            Self::TooManyExpandedFields(_)
            | Self::TooManyFields(_)
            | Self::TooManyIntrospections(_)
            | Self::TooManyIntrospectionRepeats(_)
            | Self::TooManyExpandedTokens(_)
            | Self::TooManyAliases(_)
            | Self::TooManyRootFields(_)
            | Self::TooManyDirectives(_)
            | Self::TooManyFieldDirectives(_)
            | Self::TooManyOperations(_)
            | Self::TooManyFragments(_)
            | Self::TooManyVariables(_) => "QUERY_TOO_COMPLEX",
            Self::FragmentCycle | Self::FragmentDuplicate => "GRAPHQL_VALIDATION_FAILED",
            Self::Unreadable { .. } => "GRAPHQL_PARSE_FAILED",
        }
    }
}

impl From<Endless> for GateError {
    fn from(endless: Endless) -> Self {
        match endless {
            Endless::Cycle => Self::FragmentCycle,
            Endless::Duplicate => Self::FragmentDuplicate,
        }
    }
}

/// A number above its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Excess {
    /// What the document asks for; `usize::MAX` when it cannot be counted.
    pub found: usize,
    /// The most it may ask for.
    pub limit: usize,
}

impl fmt::Display for Excess {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { found, limit } = self;
        if *found == usize::MAX {
            write!(formatter, "more than can be counted, {limit} allowed")
        } else {
            write!(formatter, "{found}, {limit} allowed")
        }
    }
}

/// Compares the numbers known so far; those not measured yet are 0 and pass.
fn admit(found: &Measured, most: &Limits) -> Result<(), GateError> {
    use GateError as Refusal;
    within(found.bytes, most.document_bytes, Refusal::DocumentTooLarge)?;
    within(found.tokens, most.tokens, Refusal::TooManyTokens)?;
    within(found.name_bytes, most.name_bytes, Refusal::NameTooLong)?;
    within(found.nesting, most.nesting_brackets, Refusal::NestingTooDeep)?;
    within(found.directives, most.directives, Refusal::TooManyDirectives)?;
    within(found.field_directives, most.field_directives, Refusal::TooManyFieldDirectives)?;
    within(found.operations, most.operations, Refusal::TooManyOperations)?;
    within(found.fragments, most.fragments, Refusal::TooManyFragments)?;
    within(found.variables, most.variables, Refusal::TooManyVariables)?;
    within(found.fields_expanded, most.expanded_fields, Refusal::TooManyExpandedFields)?;
    within(found.tokens_expanded, most.expanded_tokens, Refusal::TooManyExpandedTokens)?;
    within(found.depth, most.depth_fields, Refusal::DepthTooDeep)?;
    within(found.introspection_depth, most.introspection_depth_fields, Refusal::IntrospectionTooDeep)?;
    within(found.introspection_lists, most.introspection_lists, Refusal::IntrospectionListsTooDeep)?;
    within(found.introspections, most.introspections, Refusal::TooManyIntrospections)?;
    within(found.introspection_repeats, most.introspection_repeats, Refusal::TooManyIntrospectionRepeats)?;
    within(found.levels, most.selection_levels, Refusal::LevelsTooDeep)?;
    within(found.aliases, most.aliases, Refusal::TooManyAliases)?;
    within(found.height, most.height_fields, Refusal::TooManyFields)?;
    within(found.root_fields, most.root_fields, Refusal::TooManyRootFields)
}

fn within(found: usize, limit: usize, refuse: fn(Excess) -> GateError) -> Result<(), GateError> {
    if found > limit {
        return Err(refuse(Excess { found, limit }));
    }
    Ok(())
}

/// Turns an offset into the line and column that clients expect.
fn unreadable(document: &str, at: Unreadable) -> GateError {
    let before = document.get(..at.offset).unwrap_or(document);
    let line_start = before.rfind(['\n', '\r']).map_or(0, |end| end.saturating_add(1));
    let last_line = before.get(line_start..).unwrap_or_default();
    let line_ends = before.matches(['\n', '\r']).count();
    let double_ends = before.matches("\r\n").count();
    GateError::Unreadable {
        line: line_ends.saturating_sub(double_ends).saturating_add(1),
        column: last_line.chars().count().saturating_add(1),
        expected: at.expected,
    }
}

#[cfg(test)]
mod tests;
