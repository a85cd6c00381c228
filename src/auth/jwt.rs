//! JSON Web Tokens, signed with HS256 and one secret.
//!
//! The library is asked for one thing only, the signature. Its own rules about headers and claims are lenient (a
//! wrongly typed audience passes, `nbf` and `crit` are ignored) and read the system's time, so they are not used:
//! headers are checked here, claims in `claims.rs` with the credential clock. The algorithm belongs to the key, never
//! to the header.

use chrono::Duration;
use entity::{CustomerId, Instant, TenantId};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use ulid::Ulid;

use super::claims::{self, Expected};
use super::error::AuthError;
use super::token::{Token, check_length};
use crate::domain::clock::Clock;
use crate::domain::viewer::{PrincipalKind, ScopeSet, Viewer};

/// The shortest secret, in bytes: as long as what HS256 computes.
pub const SECRET_BYTES_MIN: usize = 32;

/// The only algorithm.
const ALGORITHM: Algorithm = Algorithm::HS256;

/// The same, as headers write it.
pub(super) const ALGORITHM_NAME: &str = "HS256";

/// What a header may state as its type; compared without regard to case.
const TYPES: [&str; 2] = ["JWT", "at+jwt"];

/// Why no keys can be made of the settings.
#[derive(Debug, thiserror::Error)]
pub enum AuthConfigError {
    /// The secret is too short to be one.
    #[error("the token secret has {bytes} bytes; it needs at least {SECRET_BYTES_MIN}")]
    SecretTooShort {
        /// Its length.
        bytes: usize,
    },
    /// Issuer or audience is empty.
    #[error("the token {0} is empty")]
    Empty(&'static str),
    /// What was signed with the secret could not be verified with it, or a forgery could.
    #[error("signing and verifying a token for a test failed")]
    SelfTest(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Why a token cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// It would be refused even in its first second.
    #[error("such a token would be refused")]
    Refused(#[source] AuthError),
    /// The library could not sign it.
    #[error("the token could not be signed")]
    Signing(#[source] jsonwebtoken::errors::Error),
}

/// A token to be made, for development and the demo.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// The sort of principal.
    pub kind: PrincipalKind,
    /// The tenant it belongs to.
    pub tenant: TenantId,
    /// The customers it is limited to; absent means all. Exactly one for kind customer.
    pub customers: Option<Vec<CustomerId>>,
    /// What it may open.
    pub scopes: ScopeSet,
    /// Who it is, for people.
    pub subject: String,
    /// When it begins. In the past, a token can be made that has already expired.
    pub issued_at: Instant,
    /// How long it lives: whole seconds, at most a day.
    pub lifetime: Duration,
}

/// The secret that tokens are signed with, and what else they must say.
pub struct JwtKeys {
    signing: EncodingKey,
    verifying: DecodingKey,
    issuer: String,
    audience: String,
    clock: Clock,
}

impl JwtKeys {
    /// Keys from the settings, tried out before they are used. `clock` is the credential clock.
    ///
    /// # Errors
    /// [`AuthConfigError`] when the secret is too short, a setting is empty, or the test fails.
    pub fn new(
        secret: &SecretString,
        issuer: impl Into<String>,
        audience: impl Into<String>,
        clock: Clock,
    ) -> Result<Self, AuthConfigError> {
        let (secret, issuer, audience) = (secret.expose_secret().as_bytes(), issuer.into(), audience.into());
        if secret.len() < SECRET_BYTES_MIN {
            return Err(AuthConfigError::SecretTooShort { bytes: secret.len() });
        }
        for (name, value) in [("issuer", &issuer), ("audience", &audience)] {
            if value.is_empty() {
                return Err(AuthConfigError::Empty(name));
            }
        }
        let keys = Self {
            signing: EncodingKey::from_secret(secret),
            verifying: DecodingKey::from_secret(secret),
            issuer,
            audience,
            clock,
        };
        keys.self_test()?;
        Ok(keys)
    }

    /// The caller behind a token.
    ///
    /// # Errors
    /// [`AuthError`]: the reason is for the log, not for the caller.
    pub fn verify(&self, token: &str) -> Result<Viewer, AuthError> {
        self.verify_at(token, self.clock.now())
    }

    /// Makes a token.
    ///
    /// # Errors
    /// [`SignError::Refused`] when no moment exists at which it would be accepted.
    pub fn sign(&self, token: &NewToken) -> Result<String, SignError> {
        let claims = self.claims_of(token);
        claims::read(&claims, self.expected_at(token.issued_at)).map_err(|error| SignError::Refused(error.into()))?;
        let signed = self.encode(&claims).map_err(SignError::Signing)?;
        check_length(&signed).map_err(SignError::Refused)?;
        Ok(signed)
    }

    pub(super) fn verify_at(&self, token: &str, now: Instant) -> Result<Viewer, AuthError> {
        self.verify_read(&Token::read(token)?, now)
    }

    /// The caller behind a token that was read.
    pub(super) fn verify_read(&self, token: &Token<'_>, now: Instant) -> Result<Viewer, AuthError> {
        if !token.names(ALGORITHM_NAME) {
            return Err(AuthError::Algorithm);
        }
        token.check_header(&TYPES, false)?;
        let claims = token.claims(&self.verifying, ALGORITHM)?;
        Ok(claims::read(&claims, self.expected_at(now))?)
    }

    fn expected_at(&self, now: Instant) -> Expected<'_> {
        Expected { issuer: &self.issuer, audience: &self.audience, now }
    }

    fn claims_of(&self, token: &NewToken) -> Map<String, Value> {
        let issued = token.issued_at.utc().timestamp();
        let mut claims = Map::new();
        let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        set("iss", json!(self.issuer));
        set("aud", json!(self.audience));
        set("sub", json!(token.subject));
        set("jti", json!(Ulid::new().to_string()));
        set("iat", json!(issued));
        set("exp", json!(issued.saturating_add(token.lifetime.num_seconds())));
        set("tid", json!(token.tenant));
        set("kind", json!(token.kind.name()));
        set("scope", json!(token.scopes.to_string()));
        if let Some(customers) = &token.customers {
            set("cus", json!(customers));
        }
        claims
    }

    fn encode(&self, claims: &Map<String, Value>) -> Result<String, jsonwebtoken::errors::Error> {
        jsonwebtoken::encode(&Header::new(ALGORITHM), claims, &self.signing)
    }

    /// The library chooses its cryptography when it is first used; better at the start than at the first request.
    fn self_test(&self) -> Result<(), AuthConfigError> {
        let token = NewToken {
            kind: PrincipalKind::Service,
            tenant: "ten_self_test".into(),
            customers: None,
            scopes: ScopeSet::default(),
            subject: "self-test".to_owned(),
            issued_at: self.clock.now(),
            lifetime: Duration::seconds(1),
        };
        let signed = self.sign(&token).map_err(|error| AuthConfigError::SelfTest(error.into()))?;
        self.verify(&signed).map_err(|error| AuthConfigError::SelfTest(error.into()))?;
        let foreign = EncodingKey::from_secret(&[0; SECRET_BYTES_MIN]);
        let forged = jsonwebtoken::encode(&Header::new(ALGORITHM), &self.claims_of(&token), &foreign)
            .map_err(|error| AuthConfigError::SelfTest(error.into()))?;
        match self.verify(&forged) {
            Err(AuthError::Signature) => Ok(()),
            _ => Err(AuthConfigError::SelfTest("a forged signature was not refused".into())),
        }
    }
}
