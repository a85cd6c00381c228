//! Credentials: who asks, proven. A token in, a [`Viewer`](crate::domain::viewer::Viewer) out.
//!
//! Knows neither HTTP nor GraphQL. Why a credential is refused is for the log only: whoever presents it hears one
//! fixed sentence, the same for every reason.

mod claims;
mod jwt;

pub use claims::ClaimError;
pub use jwt::{AuthConfigError, AuthError, JwtKeys, NewToken, SECRET_BYTES_MIN, SignError};

#[cfg(test)]
mod tests;
