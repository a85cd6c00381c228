//! The outside of a JSON Web Token: its three parts and what its header says. What is shared by all keys.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value};

use super::error::AuthError;

/// The longest token, in bytes. Checked before anything is decoded.
pub(super) const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// A token that can be read; nobody has looked at its signature.
pub(super) struct Token<'a> {
    header: Map<String, Value>,
    signed: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> Token<'a> {
    /// Cuts a token at its dots and reads its header.
    ///
    /// # Errors
    /// [`AuthError::TooLong`], [`AuthError::Unreadable`].
    pub(super) fn read(text: &'a str) -> Result<Self, AuthError> {
        check_length(text)?;
        let (signed, signature) = text.rsplit_once('.').ok_or(AuthError::Unreadable)?;
        let (header, payload) = signed.split_once('.').ok_or(AuthError::Unreadable)?;
        if payload.contains('.') {
            return Err(AuthError::Unreadable);
        }
        let header = object(header).ok_or(AuthError::Unreadable)?;
        Ok(Self { header, signed, payload, signature })
    }

    /// Whether the header names this algorithm. It only tells which keys may be tried: a key knows its algorithm itself.
    pub(super) fn names(&self, algorithm: &str) -> bool {
        self.header.get("alg").and_then(Value::as_str) == Some(algorithm)
    }

    /// The name of the key that it was signed with, as the header states it.
    pub(super) fn kid(&self) -> Option<&str> {
        self.header.get("kid").and_then(Value::as_str)
    }

    /// Checks what the header asks for and what it says the token is; `types` are compared without regard to case.
    ///
    /// # Errors
    /// [`AuthError::Critical`], [`AuthError::Type`].
    pub(super) fn check_header(&self, types: &[&str], required: bool) -> Result<(), AuthError> {
        if self.header.contains_key("crit") {
            return Err(AuthError::Critical);
        }
        let ours = |stated: &str| types.iter().any(|known| known.eq_ignore_ascii_case(stated));
        match self.header.get("typ").map(|stated| stated.as_str().is_some_and(ours)) {
            Some(true) => Ok(()),
            None if !required => Ok(()),
            _ => Err(AuthError::Type),
        }
    }

    /// The claims, once the signature was found to be that of `key`.
    ///
    /// # Errors
    /// [`AuthError::Signature`], [`AuthError::Unverifiable`], [`AuthError::Unreadable`].
    pub(super) fn claims(&self, key: &DecodingKey, algorithm: Algorithm) -> Result<Map<String, Value>, AuthError> {
        let ours = jsonwebtoken::crypto::verify(self.signature, self.signed.as_bytes(), key, algorithm)
            .map_err(AuthError::Unverifiable)?;
        if !ours {
            return Err(AuthError::Signature);
        }
        object(self.payload).ok_or(AuthError::Unreadable)
    }
}

/// # Errors
/// [`AuthError::TooLong`].
pub(super) const fn check_length(token: &str) -> Result<(), AuthError> {
    match token.len() {
        0..=TOKEN_BYTES_MAX => Ok(()),
        bytes => Err(AuthError::TooLong { bytes }),
    }
}

/// A part of a token that is a JSON object.
fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
