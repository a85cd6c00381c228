//! Tokens of a GraphQL document, read once from left to right.
//!
//! Agrees with the grammar of the parser behind the gate on every text both accept: the same white
//! space (space, tab, comma, line ends, byte order mark), the same ends of strings, the same splits
//! of digits (`01` is two numbers). Stricter in one place: a `"""` without its end is an error here,
//! while that parser goes on as if it were `""`. Allocates nothing; no byte is read more than a
//! fixed number of times. Escapes inside strings are skipped, not judged.

/// Characters that mean nothing between tokens.
const IGNORED: [char; 6] = [' ', ',', '\t', '\n', '\r', '\u{feff}'];

/// Opens and closes a block string.
const BLOCK_QUOTE: &str = "\"\"\"";

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `{`
    BraceOpen,
    /// `}`
    BraceClose,
    /// `(`
    ParenOpen,
    /// `)`
    ParenClose,
    /// `[`
    ListOpen,
    /// `]`
    ListClose,
    /// `:`
    Colon,
    /// `=`
    Equals,
    /// `!`
    Bang,
    /// `@`
    At,
    /// `$`
    Dollar,
    /// `...`
    Spread,
    /// A name or keyword: ASCII letters, digits and `_`.
    Name,
    /// An integer or a decimal number.
    Number,
    /// A string or a block string, with its quotes.
    Text,
}

impl Kind {
    /// Whether the token opens a bracket of any sort.
    pub(super) fn opens(self) -> bool {
        matches!(self, Self::BraceOpen | Self::ParenOpen | Self::ListOpen)
    }

    /// Whether the token closes a bracket of any sort.
    pub(super) fn closes(self) -> bool {
        matches!(self, Self::BraceClose | Self::ParenClose | Self::ListClose)
    }
}

/// One token and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// What it is.
    pub(super) kind: Kind,
    /// Its text as written.
    pub(super) text: &'a str,
    /// Offset of its first byte in the document.
    pub(super) start: usize,
    /// Whether a comment stands between it and the token before it.
    pub(super) after_comment: bool,
}

/// The first place where a document stops being GraphQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable {
    /// Offset in bytes of the token or character that does not fit.
    pub(super) offset: usize,
    /// What would have fitted, in words for the client.
    pub(super) expected: &'static str,
}

/// Reads tokens until the end of the document or the first thing that is none.
#[derive(Debug, Clone)]
pub(super) struct Lexer<'a> {
    document: &'a str,
    /// What has not been read yet; always a suffix of `document`.
    rest: &'a str,
}

impl<'a> Lexer<'a> {
    /// Starts at the beginning of `document`.
    pub(super) fn new(document: &'a str) -> Self {
        Self { document, rest: document }
    }

    /// Offset in bytes of the next unread character.
    pub(super) fn offset(&self) -> usize {
        self.document.len().saturating_sub(self.rest.len())
    }

    /// The next token, or `None` at the end of the document.
    ///
    /// # Errors
    /// [`Unreadable`] at a character that begins no token and at a string or number that is not
    /// complete. Nothing behind that place has been read.
    pub(super) fn next_token(&mut self) -> Result<Option<Token<'a>>, Unreadable> {
        let after_comment = self.skip_ignored();
        let Some(first) = self.rest.chars().next() else {
            return Ok(None);
        };
        let start = self.offset();
        let (kind, len) = match first {
            '"' => (Kind::Text, string_len(self.rest)),
            '-' | '0'..='9' => (Kind::Number, number_len(self.rest)),
            '.' => (Kind::Spread, self.rest.starts_with("...").then_some(3)),
            other if is_name_start(other) => (Kind::Name, Some(name_len(self.rest))),
            other => (punctuator(other).ok_or_else(|| unreadable(start, "a token"))?, Some(1)),
        };
        let (text, rest) =
            len.and_then(|len| self.rest.split_at_checked(len)).ok_or_else(|| unreadable(start, whole(kind)))?;
        self.rest = rest;
        Ok(Some(Token { kind, text, start, after_comment }))
    }

    /// Moves to the next token; tells whether a comment was on the way.
    fn skip_ignored(&mut self) -> bool {
        let mut commented = false;
        loop {
            self.rest = self.rest.trim_start_matches(IGNORED);
            let Some(comment) = self.rest.strip_prefix('#') else {
                return commented;
            };
            commented = true;
            let (_, after) =
                comment.find(['\n', '\r']).and_then(|end| comment.split_at_checked(end)).unwrap_or((comment, ""));
            self.rest = after;
        }
    }
}

fn unreadable(offset: usize, expected: &'static str) -> Unreadable {
    Unreadable { offset, expected }
}

/// What the client is told when a token of this kind begins but is not complete.
fn whole(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "a complete string",
        Kind::Number => "a complete number",
        Kind::Spread => "three dots",
        _ => "a token",
    }
}

fn punctuator(character: char) -> Option<Kind> {
    Some(match character {
        '{' => Kind::BraceOpen,
        '}' => Kind::BraceClose,
        '(' => Kind::ParenOpen,
        ')' => Kind::ParenClose,
        '[' => Kind::ListOpen,
        ']' => Kind::ListClose,
        ':' => Kind::Colon,
        '=' => Kind::Equals,
        '!' => Kind::Bang,
        '@' => Kind::At,
        '$' => Kind::Dollar,
        _ => return None,
    })
}

fn is_name_start(character: char) -> bool {
    character.is_ascii_alphabetic() || character == '_'
}

fn name_len(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
}

/// Length of the number that `text` begins with; a letter right behind it spoils it.
fn number_len(text: &str) -> Option<usize> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let after_integer = match unsigned.strip_prefix('0') {
        Some(rest) => rest,
        None => strip_digits(unsigned)?,
    };
    let after_fraction = after_integer.strip_prefix('.').and_then(strip_digits).unwrap_or(after_integer);
    let after_exponent = after_fraction
        .strip_prefix(['e', 'E'])
        .map(|rest| rest.strip_prefix(['+', '-']).unwrap_or(rest))
        .and_then(strip_digits)
        .unwrap_or(after_fraction);
    let spoiled = after_exponent.starts_with(is_name_start);
    (!spoiled).then(|| text.len().saturating_sub(after_exponent.len()))
}

/// What follows at least one digit.
fn strip_digits(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    (rest.len() < text.len()).then_some(rest)
}

/// Length of the string that `text` begins with, quotes included; `None` when it does not end.
fn string_len(text: &str) -> Option<usize> {
    match text.strip_prefix(BLOCK_QUOTE) {
        Some(content) => block_content_len(content).map(|len| len.saturating_add(6)),
        None => line_content_len(text.strip_prefix('"')?).map(|len| len.saturating_add(2)),
    }
}

/// Bytes before the first `"""` that has no backslash before it.
fn block_content_len(content: &str) -> Option<usize> {
    content
        .match_indices(BLOCK_QUOTE)
        .map(|(at, _)| at)
        .find(|at| content.get(..*at).is_some_and(|before| !before.ends_with('\\')))
}

/// Bytes before the first `"` that is not escaped, all on one line.
fn line_content_len(content: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, character) in content.char_indices() {
        match character {
            '\n' | '\r' => return None,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{TestCaseError, any, prop, prop_assert, prop_assert_eq, proptest};

    use super::{Kind, Lexer, Unreadable};

    fn lex(document: &str) -> Result<Vec<(Kind, &str)>, Unreadable> {
        let mut lexer = Lexer::new(document);
        let mut tokens = Vec::new();
        while let Some(token) = lexer.next_token()? {
            tokens.push((token.kind, token.text));
        }
        Ok(tokens)
    }

    fn texts(document: &str) -> Vec<&str> {
        lex(document).unwrap().into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn white_space_commas_comments_and_byte_order_marks_are_no_tokens() {
        assert_eq!(texts("\u{feff}{ a,,\tb # } c\r\n\u{feff}}#end"), ["{", "a", "b", "}"]);
    }

    #[test]
    fn every_kind_is_told_apart() {
        let kinds: Vec<Kind> =
            lex("{ } ( ) [ ] : = ! @ $ ... _a1 -1.5e+3 \"s\"").unwrap().into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(
            kinds,
            [
                Kind::BraceOpen,
                Kind::BraceClose,
                Kind::ParenOpen,
                Kind::ParenClose,
                Kind::ListOpen,
                Kind::ListClose,
                Kind::Colon,
                Kind::Equals,
                Kind::Bang,
                Kind::At,
                Kind::Dollar,
                Kind::Spread,
                Kind::Name,
                Kind::Number,
                Kind::Text,
            ]
        );
    }

    #[test]
    fn a_string_ends_at_its_first_quote_that_is_not_escaped() {
        assert_eq!(texts(r#""a\"{[(" "\\" "" b"#), [r#""a\"{[(""#, r#""\\""#, r#""""#, "b"]);
    }

    #[test]
    fn a_block_string_ends_at_its_first_triple_quote_that_is_not_escaped() {
        assert_eq!(
            texts("\"\"\"a \"\" \\\"\"\" \n # {\"\"\" b \"\"\"\"\"\""),
            ["\"\"\"a \"\" \\\"\"\" \n # {\"\"\"", "b", "\"\"\"\"\"\""]
        );
    }

    #[test]
    fn a_fourth_quote_begins_the_next_string() {
        assert_eq!(texts("\"\"\"a\"\"\"\"b\""), ["\"\"\"a\"\"\"", "\"b\""]);
    }

    #[test]
    fn a_hash_inside_a_string_is_no_comment() {
        assert_eq!(texts("\"# {\" }"), ["\"# {\"", "}"]);
    }

    #[test]
    fn a_quote_inside_a_comment_is_no_string() {
        assert_eq!(texts("# \"\"\"\n{"), ["{"]);
    }

    #[test]
    fn digits_split_where_the_parser_splits_them() {
        assert_eq!(texts("01 1-2 0.5e-7 100"), ["0", "1", "1", "-2", "0.5e-7", "100"]);
    }

    #[test]
    fn what_does_not_end_or_begin_a_token_is_unreadable_where_it_starts() {
        let bad = [
            "a \"",
            "a \"x\n\"",
            "a \"\\",
            "a \"\"\"x\"\"",
            "a \"\"\"x\\\"\"\"",
            "a ..",
            "a .",
            "a 1x",
            "a 1.5x",
            "a -",
            "a &",
            "a |",
            "a \u{a0}",
            "a \0",
            "a \u{1f4b0}",
            "a %",
        ];
        for document in bad {
            assert_eq!(lex(document).unwrap_err().offset, 2, "{document:?}");
        }
    }

    #[test]
    fn a_token_knows_that_a_comment_stands_before_it() {
        let mut lexer = Lexer::new("on Invoice on#\nInvoice");
        let seen: Vec<bool> =
            std::iter::from_fn(|| lexer.next_token().unwrap()).map(|token| token.after_comment).collect();
        assert_eq!(seen, [false, false, false, true]);
    }

    /// Checks the tokens of any text: in order, not empty, not overlapping, where they claim to be.
    fn walks_forward(document: &str) -> Result<(), TestCaseError> {
        let mut lexer = Lexer::new(document);
        let mut end = 0;
        while let Ok(Some(token)) = lexer.next_token() {
            prop_assert!(token.start >= end);
            prop_assert!(!token.text.is_empty());
            end = token.start + token.text.len();
            prop_assert_eq!(document.get(token.start..end), Some(token.text));
            prop_assert_eq!(lexer.offset(), end);
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn any_text_is_read_forward_and_never_panics(document in ".*") {
            walks_forward(&document)?;
        }

        #[test]
        fn any_bytes_are_read_forward_and_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            walks_forward(&String::from_utf8_lossy(&bytes))?;
        }

        #[test]
        fn any_mix_of_awkward_pieces_is_read_forward(pieces in prop::collection::vec(
            prop::sample::select(vec!["\"", "\"\"\"", "\\", "#", "\n", "{", "}", "...", "é", "0", "1e", "a", ","]), 0..60)) {
            walks_forward(&pieces.concat())?;
        }
    }
}
