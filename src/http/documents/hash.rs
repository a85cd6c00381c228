//! The SHA-256 of a document's text: what a document is known by.

use std::fmt;

use sha2::{Digest, Sha256};

/// Characters of a hash as it is written.
const DIGITS: usize = 64;

/// The SHA-256 of a document's text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DocumentHash([u8; 32]);

impl DocumentHash {
    /// The hash of `text`.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// Reads 64 hexadecimal digits; anything else is no hash.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if text.len() != DIGITS || !rest.is_empty() {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Self(bytes))
    }
}

fn digit(letter: u8) -> Option<u8> {
    char::from(letter).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

impl fmt::Display for DocumentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for DocumentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DocumentHash({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_as_it_is_written_in_either_case() {
        let hash = DocumentHash::of("{ viewer { kind } }");
        let text = hash.to_string();
        assert_eq!(text.len(), DIGITS);
        assert_eq!(DocumentHash::parse(&text), Some(hash));
        assert_eq!(DocumentHash::parse(&text.to_uppercase()), Some(hash));
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(DocumentHash::of("").to_string(), empty);
    }

    #[test]
    fn anything_else_is_no_hash() {
        for text in ["", "e3", &"g".repeat(64), &"0".repeat(63), &"0".repeat(65), &"é".repeat(32), &"+0".repeat(32)] {
            assert_eq!(DocumentHash::parse(text), None, "{text}");
        }
    }
}
