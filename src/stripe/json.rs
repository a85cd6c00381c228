//! JSON of Stripe, fit for a database.

use std::borrow::Cow;

/// How JSON writes the one character that Postgres refuses in any text.
const NUL: &[u8] = br"\u0000";

/// What stands in its place: the mark for a character that cannot be shown.
const INSTEAD: &[u8] = br"\ufffd";

/// `json` with U+FFFD wherever a text has a NUL. What is written without an escape is no JSON and stays.
pub(super) fn without_nul(json: &[u8]) -> Cow<'_, [u8]> {
    if !json.windows(NUL.len()).any(|part| part == NUL) {
        return Cow::Borrowed(json);
    }
    let mut clean = Vec::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        let (before, escape) = rest.split_at(at);
        clean.extend_from_slice(before);
        if let Some(behind) = escape.strip_prefix(NUL) {
            clean.extend_from_slice(INSTEAD);
            rest = behind;
        } else {
            // The second character may be a backslash, which escapes nothing then.
            let (both, behind) = escape.split_at(escape.len().min(2));
            clean.extend_from_slice(both);
            rest = behind;
        }
    }
    clean.extend_from_slice(rest);
    Cow::Owned(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escaped_nul_is_replaced_and_an_escaped_backslash_before_it_is_none() {
        for (json, expected) in [
            (r#"{"a":"b"}"#, r#"{"a":"b"}"#),
            (r#"{"a\u0000":"\u0000b\u0000"}"#, r#"{"a\ufffd":"\ufffdb\ufffd"}"#),
            (
                r#"["\\u0000","\\\u0000","\"\u0000","\u00000","\u0001"]"#,
                r#"["\\u0000","\\\ufffd","\"\ufffd","\ufffd0","\u0001"]"#,
            ),
            (r#"["\u0000","\"#, r#"["\ufffd","\"#),
        ] {
            assert_eq!(without_nul(json.as_bytes()), expected.as_bytes(), "{json}");
        }
    }
}
