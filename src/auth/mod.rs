//! Credentials: who asks, proven. A credential in, a [`Viewer`](crate::domain::viewer::Viewer) out.
//!
//! Tokens of a shared secret (`jwt.rs`) and of an identity provider (`jwks/`), API keys and sessions
//! (`authenticator.rs`). Knows neither HTTP's routes nor GraphQL; the only call it makes is for the provider's keys. Why
//! a credential is refused is for the log only: whoever presents it hears one fixed sentence, the same for every reason.

mod authenticator;
mod claims;
mod error;
mod jwks;
mod jwt;
mod lookup;
mod revoked;
mod token;
mod usage;

pub use authenticator::{AuthConfig, Authenticator, Credential};
pub use claims::ClaimError;
pub use error::{AuthError, AuthFailure};
pub use jwks::{BadJwksUrl, Jwks, JwksClientError, JwksParties, JwksTimes, JwksUrl};
pub use jwt::{AuthConfigError, JwtKeys, NewToken, SECRET_BYTES_MIN, SignError};
pub use usage::UsageWriter;

#[cfg(test)]
mod tests;
