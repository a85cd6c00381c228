//! The credential of a request, in one of the forms that clients of the five systems know.
//!
//! A token or an API key in `authorization: Bearer`; an API key in `x-api-key`; an application's key in
//! `userhub-api-key` with its user's token in `authorization`; a session in the cookie `__Host-sid`. Exactly one of them:
//! which of two counts would be a guess.

use axum::http::Method;
use axum::http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue};
use axum::http::request::Parts;

use super::client::ClientAddress;
use super::error::Refusal;
use super::{AppState, GRAPHQL_PATH, csrf};
use crate::auth::{AuthFailure, Credential};
use crate::domain::viewer::Viewer;

/// Where clients of HostUp have their key.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Where clients of UserHub have the key of their application.
const APPLICATION_KEY: HeaderName = HeaderName::from_static("userhub-api-key");

/// The cookie of a session where there is no TLS: on this machine only.
const PLAIN_COOKIE_NAME: &str = "sid";

/// Why a request has no caller. For the log.
#[derive(Debug, thiserror::Error)]
enum NoCredential {
    /// None at all.
    #[error("there is no credential")]
    Absent,
    /// More than one.
    #[error("there are several credentials")]
    Several,
    /// `authorization` is not `Bearer` and one word.
    #[error("the authorization header is not a bearer token")]
    NotBearer,
    /// A key is not one plain word.
    #[error("the header of a key is not one word")]
    NotAKey,
    /// The cookie of a session holds no text.
    #[error("the cookie of a session is no text")]
    NotASession,
    /// An application's key has no token of a user beside it.
    #[error("the application's key comes without its user's token")]
    NoUser,
}

impl NoCredential {
    /// The same as a word, for whoever counts.
    const fn word(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Several => "several",
            Self::NotBearer | Self::NotAKey | Self::NotASession => "malformed",
            Self::NoUser => "apart",
        }
    }
}

/// The caller behind a request.
///
/// # Errors
/// [`Refusal::Unauthenticated`] and [`Refusal::SeveralCredentials`] without saying why, which is logged;
/// [`Refusal::CrossSite`] and [`Refusal::BodyType`] for a cookie that a foreign page may have sent along;
/// [`Refusal::Unverifiable`] when the credential cannot be looked up; [`Refusal::RateLimited`] when its address had too many
/// bad ones.
pub(super) async fn of(state: &AppState, head: &Parts) -> Result<Viewer, Refusal> {
    let credential = credential(&head.headers, state.plain_cookie).map_err(|reason| {
        tracing::info!(%reason, "a credential was refused");
        state.auth.stats().refused("none", reason.word());
        match reason {
            NoCredential::Several => Refusal::SeveralCredentials,
            _ => Refusal::Unauthenticated,
        }
    })?;
    if matches!(credential, Credential::Session(_)) {
        check_page(state, head)?;
    }
    behind(state, head, credential).await
}

/// The caller behind a credential. While an address has had too many bad ones, no key and no session of it is looked up
/// that was not good lately: whoever guesses costs nothing then, and learns nothing.
///
/// # Errors
/// Those of [`of`] that are about one credential.
pub(super) async fn behind(state: &AppState, head: &Parts, credential: Credential<'_>) -> Result<Viewer, Refusal> {
    let address = head.extensions.get::<ClientAddress>().and_then(|client| client.0);
    if state.auth.is_stranger(credential)
        && let Some(exhausted) = state.rates.suspects(address).await
    {
        tracing::info!(reason = "its address had too many bad ones", "a credential was refused");
        return Err(Refusal::RateLimited(exhausted));
    }
    match state.auth.viewer(credential).await {
        Ok(viewer) => Ok(viewer),
        Err(AuthFailure::Refused(reason)) => {
            tracing::info!(%reason, "a credential was refused");
            Err(state.rates.bad_credential(address).await)
        }
        Err(failure) => Err(Refusal::Unverifiable(failure)),
    }
}

/// The session that the cookie of a request holds, when that is its only credential and its own page sent it.
pub(super) fn session<'a>(state: &AppState, head: &'a Parts) -> Result<&'a str, Refusal> {
    match credential(&head.headers, state.plain_cookie) {
        Ok(Credential::Session(sid)) => check_page(state, head).map(|()| sid),
        Err(NoCredential::Several) => Err(Refusal::SeveralCredentials),
        _ => Err(Refusal::Unauthenticated),
    }
}

/// A foreign page cannot read what a GET of data answers, so only what executes documents or changes something asks.
fn check_page(state: &AppState, head: &Parts) -> Result<(), Refusal> {
    let origins = &state.transport.cors_origins;
    match (&head.method, head.uri.path()) {
        (&Method::GET, GRAPHQL_PATH) => csrf::check_read(&head.headers, origins),
        (&Method::GET | &Method::HEAD, _) => Ok(()),
        _ => csrf::check(&head.headers, origins),
    }
}

fn credential(headers: &HeaderMap, plain_cookie: bool) -> Result<Credential<'_>, NoCredential> {
    let bearer = only(headers, &AUTHORIZATION)?.map(bearer).transpose()?;
    let key = only(headers, &API_KEY)?.map(word).transpose()?;
    let application = only(headers, &APPLICATION_KEY)?.map(word).transpose()?;
    let session = cookie(headers, plain_cookie)?;
    match (bearer, key, application, session) {
        (None, None, None, None) => Err(NoCredential::Absent),
        (Some(text), None, None, None) => Ok(Credential::Bearer(text)),
        (None, Some(text), None, None) => Ok(Credential::Key(text)),
        (Some(token), None, Some(key), None) => Ok(Credential::Application { key, token }),
        (None, None, Some(_), None) => Err(NoCredential::NoUser),
        (None, None, None, Some(sid)) => Ok(Credential::Session(sid)),
        _ => Err(NoCredential::Several),
    }
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a HeaderValue>, NoCredential> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() { Err(NoCredential::Several) } else { Ok(first) }
}

fn bearer(value: &HeaderValue) -> Result<&str, NoCredential> {
    let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(NoCredential::NotBearer)?;
    let token = token.trim_matches(' ');
    if scheme.eq_ignore_ascii_case("bearer") && is_word(token) { Ok(token) } else { Err(NoCredential::NotBearer) }
}

fn word(value: &HeaderValue) -> Result<&str, NoCredential> {
    value.to_str().ok().filter(|text| is_word(text)).ok_or(NoCredential::NotAKey)
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
}

/// What the cookie of a session holds. Other cookies are other people's business, and may be of any bytes.
fn cookie(headers: &HeaderMap, plain: bool) -> Result<Option<&str>, NoCredential> {
    let names = [csrf::SESSION_COOKIE, PLAIN_COOKIE_NAME];
    let names = names.get(..if plain { 2 } else { 1 }).unwrap_or_default();
    let pairs = headers.get_all(COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    let mut ours = pairs.filter_map(|pair| {
        let pair = pair.trim_ascii();
        names.iter().find_map(|name| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
    });
    let Some(sid) = ours.next() else { return Ok(None) };
    if ours.next().is_some() {
        return Err(NoCredential::Several);
    }
    std::str::from_utf8(sid).map(Some).map_err(|_no_text| NoCredential::NotASession)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&'static str, &'static str)]) -> Result<String, &'static str> {
        let known = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let headers: HeaderMap = headers.iter().map(known).collect();
        match credential(&headers, true) {
            Ok(Credential::Bearer(text)) => Ok(format!("bearer {text}")),
            Ok(Credential::Key(text)) => Ok(format!("key {text}")),
            Ok(Credential::Application { key, token }) => Ok(format!("application {key} {token}")),
            Ok(Credential::Session(sid)) => Ok(format!("session {sid}")),
            Err(NoCredential::Absent) => Err("absent"),
            Err(NoCredential::Several) => Err("several"),
            Err(NoCredential::NotBearer) => Err("not bearer"),
            Err(NoCredential::NotAKey) => Err("not a key"),
            Err(NoCredential::NotASession) => Err("not a session"),
            Err(NoCredential::NoUser) => Err("no user"),
        }
    }

    #[test]
    fn one_bearer_token_is_read_whatever_the_case_of_the_scheme() {
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER   a.b.c "] {
            assert_eq!(read(&[("authorization", value)]).unwrap(), "bearer a.b.c", "{value}");
        }
    }

    #[test]
    fn anything_else_is_no_token() {
        assert_eq!(read(&[]), Err("absent"));
        for value in ["", "Bearer", "Bearer ", "Basic a", "a.b.c", "Bearer a b", "Bearer a,Bearer b", "Bearer\ta"] {
            assert_eq!(read(&[("authorization", value)]), Err("not bearer"), "{value}");
        }
        for value in ["", "a b", "a,b", " "] {
            assert_eq!(read(&[("x-api-key", value)]), Err("not a key"), "{value}");
        }
    }

    #[test]
    fn each_system_has_its_form() {
        assert_eq!(read(&[("x-api-key", "bgk_x")]).unwrap(), "key bgk_x");
        let both = [("userhub-api-key", "bgk_x"), ("authorization", "Bearer a.b.c")];
        assert_eq!(read(&both).unwrap(), "application bgk_x a.b.c");
        assert_eq!(read(&[("userhub-api-key", "bgk_x")]), Err("no user"));
        assert_eq!(read(&[("cookie", "theme=dark; __Host-sid=abc; x")]).unwrap(), "session abc");
        assert_eq!(read(&[("cookie", "sid=abc")]).unwrap(), "session abc");
        assert_eq!(read(&[("cookie", "theme=dark; xsid=abc; __Host-sid2=abc")]), Err("absent"));
    }

    #[test]
    fn other_cookies_of_the_line_may_be_of_any_bytes() {
        let read = |line: &[u8]| {
            let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_bytes(line).unwrap())]);
            credential(&headers, false).map(|found| matches!(found, Credential::Session("abc"))).ok()
        };
        assert_eq!(read(b"name=M\xfcller; __Host-sid=abc"), Some(true));
        assert_eq!(read("__Host-sid=abc; stadt=Köln".as_bytes()), Some(true));
        assert_eq!(read(b"__Host-sid=\xff"), None);
        assert_eq!(read(b"__Host-sid=abc; \xff; __Host-sid=abc"), None);
    }

    #[test]
    fn a_cookie_without_its_prefix_counts_only_where_that_is_allowed() {
        let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_static("sid=abc"))]);
        assert!(matches!(credential(&headers, false), Err(NoCredential::Absent)));
    }

    #[test]
    fn two_credentials_are_none() {
        let (bearer, key) = (("authorization", "Bearer a.b.c"), ("x-api-key", "bgk_x"));
        let (application, cookie) = (("userhub-api-key", "bgk_y"), ("cookie", "__Host-sid=abc"));
        for pair in [
            &[bearer, bearer][..],
            &[bearer, key],
            &[bearer, cookie],
            &[key, cookie],
            &[key, application],
            &[key, key],
            &[application, cookie],
            &[bearer, application, key],
            &[bearer, application, cookie],
            &[cookie, cookie],
            &[("cookie", "__Host-sid=a; sid=b")],
        ] {
            assert_eq!(read(pair), Err("several"), "{pair:?}");
        }
    }
}
