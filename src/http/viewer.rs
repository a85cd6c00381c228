//! The credential of a request: one `Authorization` header with a bearer token.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use crate::auth::{AuthError, JwtKeys};
use crate::domain::viewer::Viewer;

/// Why a request has no caller. For the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum CredentialError {
    /// No header at all.
    #[error("there is no authorization header")]
    Absent,
    /// More than one; which of them counts would be a guess.
    #[error("there are several authorization headers")]
    Several,
    /// Not `Bearer` and one word.
    #[error("the authorization header is not a bearer token")]
    NotBearer,
    /// The token is refused.
    #[error("{0}")]
    Refused(#[from] AuthError),
}

/// The caller behind the headers.
pub(super) fn of(headers: &HeaderMap, keys: &JwtKeys) -> Result<Viewer, CredentialError> {
    Ok(keys.verify(bearer(headers)?)?)
}

fn bearer(headers: &HeaderMap) -> Result<&str, CredentialError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(CredentialError::Absent)?;
    if values.next().is_some() {
        return Err(CredentialError::Several);
    }
    let (scheme, token) =
        value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(CredentialError::NotBearer)?;
    let token = token.trim_matches(' ');
    let is_one_word = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
    if scheme.eq_ignore_ascii_case("bearer") && is_one_word { Ok(token) } else { Err(CredentialError::NotBearer) }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn one_bearer_token_is_read_whatever_the_case_of_the_scheme() {
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER   a.b.c "] {
            assert_eq!(bearer(&headers(&[value])).unwrap(), "a.b.c", "{value}");
        }
    }

    #[test]
    fn anything_else_is_no_credential() {
        assert!(matches!(bearer(&headers(&[])), Err(CredentialError::Absent)));
        assert!(matches!(bearer(&headers(&["Bearer a", "Bearer a"])), Err(CredentialError::Several)));
        for value in ["", "Bearer", "Bearer ", "Basic a", "a.b.c", "Bearer a b", "Bearer a,Bearer b", "Bearer\ta"] {
            assert!(matches!(bearer(&headers(&[value])), Err(CredentialError::NotBearer)), "{value}");
        }
    }
}
