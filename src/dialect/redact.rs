//! Credentials in documents: found by the name of their key, anywhere, and cut out before anything is kept.

use std::ops::Range;

/// How the keys of credentials end, letters only, in lower case.
const ENDINGS: [&str; 17] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "privatekey",
    "secretkey",
    "accesskey",
    "signingkey",
    "passwordhash",
    "authorization",
    "cookie",
    "cvv",
    "cvc",
    "cardnum",
    "cardnumber",
];

/// Keys that only count as a whole.
const WHOLE: [&str; 1] = ["resetexpiry"];

/// What stands in the kept text where a credential stood.
const REPLACEMENT: &str = "\"[redacted]\"";

/// A credential in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Credential {
    /// Where: `data.invoice.client.reset_token`.
    pub(super) path: String,
    /// The bytes of its value in the text.
    pub(super) span: Range<usize>,
}

/// Whether a key names a credential. Only its letters count, without regard to case.
pub(super) fn is_credential(key: &str) -> bool {
    let letters: String = key.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect();
    ENDINGS.iter().any(|ending| letters.ends_with(ending)) || WHOLE.contains(&letters.as_str())
}

/// The text with the value of every credential replaced and every other byte as it was.
///
/// The credentials stand in the order of the text and do not overlap.
pub(super) fn without(text: &str, credentials: &[Credential]) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut position = 0;
    for credential in credentials {
        kept.push_str(text.get(position..credential.span.start).unwrap_or_default());
        kept.push_str(REPLACEMENT);
        position = credential.span.end;
    }
    kept.push_str(text.get(position..).unwrap_or_default());
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_judged_by_their_letters() {
        for key in [
            "reset_token",
            "RESET-TOKEN",
            "clientSecret",
            "api_key",
            "x-api-key2",
            "Card Number",
            "cvc",
            "reset_expiry",
            "pass_word",
            "set-cookie",
            "private.key",
            "TOKEN",
        ] {
            assert!(is_credential(key), "{key}");
        }
        for key in [
            "tokens",
            "token_id",
            "card_last4",
            "account_number_hint",
            "card_reset_expiry",
            "secretary",
            "",
            "id",
            "cvv_check",
        ] {
            assert!(!is_credential(key), "{key}");
        }
    }

    #[test]
    fn only_the_values_are_replaced() {
        let text = "{ \"a\" :1,\n\"token\": [1, 2] , \"b\":\"é\",\"cvc\":7}";
        let span = |part: &str| {
            let start = text.find(part).unwrap();
            start..start + part.len()
        };
        let credential = |path: &str, part| Credential { path: path.to_owned(), span: span(part) };
        let cut = without(text, &[credential("token", "[1, 2]"), credential("cvc", "7")]);
        assert_eq!(cut, "{ \"a\" :1,\n\"token\": \"[redacted]\" , \"b\":\"é\",\"cvc\":\"[redacted]\"}");
    }
}
