//! Why a document is refused.
//!
//! Every refusal names the path in the document (`$` for the whole of it) and fits one line. What is quoted of the
//! document is clipped and free of control characters.

/// The longest quotation from a document in messages and paths, in characters.
const QUOTE_MAX: usize = 60;

/// A document that cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialectError {
    /// The bytes are no JSON text.
    #[error("{path}: not JSON: {reason}")]
    NotJson {
        /// Where reading stopped.
        path: String,
        /// What is wrong with the text.
        reason: String,
    },
    /// A value of another JSON type than the system documents.
    #[error("{path}: expected {expected}, found {found}")]
    WrongType {
        /// Where it stands.
        path: String,
        /// What belongs there.
        expected: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// A number that cannot be held.
    #[error("{path}: {found} does not fit: {reason}")]
    OutOfRange {
        /// Where it stands.
        path: String,
        /// The number as written, clipped.
        found: String,
        /// What would fit.
        reason: &'static str,
    },
    /// An amount in another currency than the invoice.
    #[error("{path}: currency {found}, but the invoice is in {expected}")]
    CurrencyMismatch {
        /// Where it stands.
        path: String,
        /// The currency of the invoice.
        expected: String,
        /// The other currency.
        found: String,
    },
    /// More bytes than are read.
    #[error("{path}: {bytes} bytes, at most {max} are read")]
    TooLarge {
        /// Always the whole document.
        path: String,
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A list with more entries than are read.
    #[error("{path}: {count} entries, at most {max} are read")]
    TooManyLines {
        /// The list.
        path: String,
        /// Its length.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// Lists and objects inside each other beyond the limit.
    #[error("{path}: nested more than {max} levels deep")]
    TooDeep {
        /// The first value that is too deep.
        path: String,
        /// The limit.
        max: usize,
    },
    /// A field without which the document means nothing.
    #[error("{path}: required, but absent")]
    Missing {
        /// Where it should stand.
        path: String,
    },
    /// The same key twice in one object, or the same id twice in one list.
    #[error("{path}: {found} occurs twice")]
    Duplicate {
        /// The second occurrence.
        path: String,
        /// What occurs twice, clipped.
        found: String,
    },
    /// An id longer than ids are kept.
    #[error("{path}: {length} characters, at most {max} are kept")]
    TooLong {
        /// Where it stands.
        path: String,
        /// Its length in characters.
        length: usize,
        /// The limit.
        max: usize,
    },
    /// A NUL character in a text or a key: no database keeps it.
    #[error("{path}: contains a NUL character")]
    NulCharacter {
        /// Where it stands.
        path: String,
    },
}

impl DialectError {
    /// Where in the document: `line_items[0].tax_rate`, `$` for the whole of it.
    pub fn path(&self) -> &str {
        match self {
            Self::NotJson { path, .. }
            | Self::WrongType { path, .. }
            | Self::OutOfRange { path, .. }
            | Self::CurrencyMismatch { path, .. }
            | Self::TooLarge { path, .. }
            | Self::TooManyLines { path, .. }
            | Self::TooDeep { path, .. }
            | Self::Missing { path }
            | Self::Duplicate { path, .. }
            | Self::TooLong { path, .. }
            | Self::NulCharacter { path } => path,
        }
    }
}

/// The text as it may be quoted: at most 60 characters, without control characters.
pub(super) fn quoted(text: &str) -> String {
    let mut characters = text.chars();
    let mut quoted: String = characters
        .by_ref()
        .take(QUOTE_MAX)
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    if characters.next().is_some() {
        quoted.push('…');
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotations_are_short_and_stay_on_one_line() {
        assert_eq!(quoted("a\n\u{0}b"), "a\u{fffd}\u{fffd}b");
        assert_eq!(quoted(&"é".repeat(60)), "é".repeat(60));
        assert_eq!(quoted(&"é".repeat(61)), format!("{}…", "é".repeat(60)));
    }
}
