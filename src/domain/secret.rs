//! Secrets that the gateway hands out: made of the system's randomness, kept as digests, compared in constant time.
//!
//! The one place that reads randomness for secrets, as `clock.rs` is for the time. A secret has 256 bits, so its plain
//! SHA-256 says nothing of it: there is nothing to guess that a slow hash would have to protect.

use aws_lc_rs::{constant_time, rand};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// Digits and letters: what is copied whole by a double click, and needs no escaping anywhere.
pub(super) const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Characters of a secret: 43 × log2(62) is 256 bits.
pub const SECRET_LENGTH: usize = 43;

/// The system has no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandomness;

/// So many random characters of digits and letters, each as likely as any other.
///
/// # Errors
/// [`NoRandomness`].
pub fn random(length: usize) -> Result<SecretString, NoRandomness> {
    let mut text = String::with_capacity(length);
    let mut bytes = [0_u8; 64];
    while text.len() < length {
        rand::fill(&mut bytes).map_err(|_unspecified| NoRandomness)?;
        // Six bits each; the two values beyond the alphabet are thrown away, or some characters were more likely.
        let drawn = bytes.iter().filter_map(|byte| BASE62.get(usize::from(byte & 0x3f)));
        let missing = length - text.len();
        text.extend(drawn.take(missing).map(|byte| char::from(*byte)));
    }
    Ok(SecretString::from(text))
}

/// The SHA-256 of a text, in lower-case hexadecimal digits.
pub fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// The same of a secret.
pub fn sha256_of(secret: &SecretString) -> String {
    sha256(secret.expose_secret())
}

/// Whether two texts are the same. How long that takes says nothing of where they differ.
pub fn same(one: &str, other: &str) -> bool {
    constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0f)]).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn secrets_differ_have_their_length_and_use_the_whole_alphabet() {
        let all: BTreeSet<String> =
            (0..200).map(|_| random(SECRET_LENGTH).unwrap().expose_secret().to_owned()).collect();
        assert_eq!(all.len(), 200);
        assert!(all.iter().all(|text| text.len() == SECRET_LENGTH));
        let letters: BTreeSet<u8> = all.iter().flat_map(|text| text.bytes()).collect();
        assert_eq!(letters, BASE62.iter().copied().collect());
    }

    #[test]
    fn a_digest_is_the_one_that_everyone_computes() {
        assert_eq!(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(same("abc", "abc") && !same("abc", "abd") && !same("abc", "ab"));
    }
}
