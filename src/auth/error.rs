//! Why a credential is refused, or cannot be looked at. For the log: values of credentials are never part of it.

use std::sync::Arc;

use super::claims::ClaimError;
use super::token::TOKEN_BYTES_MAX;
use crate::store::StoreError;

/// Why a credential is refused.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// Longer than any token of ours.
    #[error("the token has {bytes} bytes, {TOKEN_BYTES_MAX} are allowed")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not three parts, or one of the first two is not a JSON object in base64url.
    #[error("it is not a token of three readable parts")]
    Unreadable,
    /// The header names another algorithm, or none.
    #[error("the header names another algorithm")]
    Algorithm,
    /// The header asks for something that must be understood (`crit`); we understand nothing.
    #[error("the header asks for extensions that must be understood")]
    Critical,
    /// The header says that it is something else.
    #[error("the header says that it is not an access token")]
    Type,
    /// The header does not say which key it was signed with.
    #[error("the header names no key")]
    NoKeyNamed,
    /// The provider has no key of that name.
    #[error("the header names a key that the provider does not have")]
    KeyUnknown,
    /// The signature is not ours.
    #[error("the signature does not fit")]
    Signature,
    /// The signature could not be checked: it is not base64url, or the cryptography failed.
    #[error("the signature cannot be checked")]
    Unverifiable(#[source] jsonwebtoken::errors::Error),
    /// The signature is ours, a claim is not acceptable.
    #[error("{0}")]
    Claim(#[from] ClaimError),
    /// The token was revoked.
    #[error("the token was revoked")]
    TokenRevoked,
    /// It has the beginning of a key and is none.
    #[error("it is not a key: its form or its checksum is wrong")]
    NotAKey,
    /// There is no such key, or its secret is another one.
    #[error("there is no such key")]
    KeyNotFound,
    /// The key is for real money and was issued for tests, or the other way round.
    #[error("the key is of the other mode")]
    Mode,
    /// The key was revoked.
    #[error("the key was revoked")]
    KeyRevoked,
    /// The key has ended.
    #[error("the key has expired")]
    KeyExpired,
    /// There is no such session, or it has ended.
    #[error("there is no such session, or it has ended")]
    Session,
    /// The application's key and the user's token do not belong together.
    #[error("the user's token and the application's key do not belong together")]
    Apart,
}

impl AuthError {
    /// The reason as a word, for whoever counts.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::TooLong { .. } | Self::Unreadable | Self::NotAKey => "malformed",
            Self::Algorithm | Self::Critical | Self::Type | Self::NoKeyNamed => "header",
            Self::KeyUnknown => "key_unknown",
            Self::Signature | Self::Unverifiable(_) => "signature",
            Self::Claim(ClaimError::Expired) | Self::KeyExpired => "expired",
            Self::Claim(_) => "claim",
            Self::TokenRevoked | Self::KeyRevoked => "revoked",
            Self::KeyNotFound => "not_found",
            Self::Mode => "mode",
            Self::Session => "ended",
            Self::Apart => "apart",
        }
    }
}

impl AuthFailure {
    /// Why it is not known whether a credential is good, as a word; nothing where it is refused.
    pub(super) const fn word(&self) -> Option<&'static str> {
        match self {
            Self::Refused(_) => None,
            Self::Store(_) => Some("store"),
            Self::Slow => Some("timeout"),
            Self::Provider => Some("provider"),
        }
    }
}

/// Why there is no caller.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AuthFailure {
    /// The credential is refused.
    #[error("{0}")]
    Refused(#[source] Arc<AuthError>),
    /// The database failed, so that the credential could not be looked up. It may be good.
    #[error("the credential could not be looked up")]
    Store(#[source] Arc<StoreError>),
    /// The database did not answer in time.
    #[error("the credential could not be looked up in time")]
    Slow,
    /// The keys of the identity provider could not be had yet. The token may be good.
    #[error("the keys of the identity provider are not known")]
    Provider,
}

impl From<AuthError> for AuthFailure {
    fn from(error: AuthError) -> Self {
        Self::Refused(Arc::new(error))
    }
}
