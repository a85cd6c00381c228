//! The claims of a token whose signature is right, read strictly.
//!
//! Every claim we use must be there with the right JSON type; nothing is converted. Numbers of seconds are whole.
//! Names of claims: `iss aud sub jti exp iat nbf` as registered, `tid` the tenant, `kind` the sort of principal,
//! `scope` what it may open, `cus` the customers it is limited to.

use chrono::{DateTime, Utc};
use entity::{CustomerId, Instant, TenantId};
use serde_json::{Map, Value};

use crate::domain::viewer::{PrincipalKind, ScopeSet, Viewer};

/// How far the clock of whoever signs may be off, in seconds.
pub(super) const LEEWAY_SECONDS: i64 = 30;

/// The longest lifetime of a token, in seconds: a day. What must live longer can be revoked and is not a token.
const LIFETIME_SECONDS_MAX: i64 = 24 * 60 * 60;

/// Customers that one token may be limited to.
const CUSTOMERS_MAX: usize = 1_000;

/// Length of a claim that is text, in bytes.
const TEXT_BYTES_MAX: usize = 255;

/// Length of a claim that is an id, in bytes; columns hold no longer ones.
const ID_BYTES_MAX: usize = 64;

/// Which claim is wrong, and how. Names the claim, never its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// A claim is not there.
    #[error("claim {0} is missing")]
    Missing(&'static str),
    /// A claim is of another JSON type, empty, too long or has control characters.
    #[error("claim {0} is malformed")]
    Malformed(&'static str),
    /// A claim has a value that is not ours: another issuer, another audience, an unknown kind.
    #[error("claim {0} has a value that is not accepted")]
    NotAccepted(&'static str),
    /// The list of customers does not fit the kind: a customer has exactly one.
    #[error("claim cus does not fit the kind")]
    Customers,
    /// It was issued in the future.
    #[error("the token was issued in the future")]
    IssuedInFuture,
    /// It is not valid yet.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It has expired.
    #[error("the token has expired")]
    Expired,
    /// It lives longer than a day, or ends before it begins.
    #[error("the lifetime of the token is not between one second and a day")]
    Lifetime,
}

/// What claims are compared with.
#[derive(Clone, Copy)]
pub(super) struct Expected<'a> {
    /// `iss` must be this.
    pub(super) issuer: &'a str,
    /// `aud` must be or contain this.
    pub(super) audience: &'a str,
    /// The credential clock's time.
    pub(super) now: Instant,
}

/// Reads the caller out of the claims.
///
/// # Errors
/// [`ClaimError`] for the first claim that is wrong.
pub(super) fn read(claims: &Map<String, Value>, expected: Expected<'_>) -> Result<Viewer, ClaimError> {
    let claims = Claims(claims);
    if claims.text("iss")? != expected.issuer {
        return Err(ClaimError::NotAccepted("iss"));
    }
    claims.check_audience(expected.audience)?;
    let expires_at = claims.check_times(expected.now.utc().timestamp())?;
    let jti = claims.text("jti")?;
    let subject = claims.text("sub")?.to_owned();
    let tenant = TenantId::from(claims.id("tid")?);
    let kind = PrincipalKind::named(claims.text("kind")?).ok_or(ClaimError::NotAccepted("kind"))?;
    let scopes = ScopeSet::parse(claims.string("scope")?);
    let customers = claims.customers(kind)?;
    Ok(Viewer::new(kind, subject, scopes, expires_at, tenant, customers).by_token(jti))
}

struct Claims<'a>(&'a Map<String, Value>);

impl<'a> Claims<'a> {
    fn get(&self, name: &'static str) -> Result<&'a Value, ClaimError> {
        self.0.get(name).ok_or(ClaimError::Missing(name))
    }

    /// A string that may be empty.
    fn string(&self, name: &'static str) -> Result<&'a str, ClaimError> {
        self.get(name)?.as_str().ok_or(ClaimError::Malformed(name))
    }

    /// A string of a reasonable length, without control characters.
    fn text(&self, name: &'static str) -> Result<&'a str, ClaimError> {
        plain(self.string(name)?, TEXT_BYTES_MAX).ok_or(ClaimError::Malformed(name))
    }

    fn id(&self, name: &'static str) -> Result<&'a str, ClaimError> {
        plain(self.string(name)?, ID_BYTES_MAX).ok_or(ClaimError::Malformed(name))
    }

    /// Whole seconds since 1970.
    fn seconds(&self, name: &'static str) -> Result<i64, ClaimError> {
        self.get(name)?.as_i64().ok_or(ClaimError::Malformed(name))
    }

    fn check_audience(&self, ours: &str) -> Result<(), ClaimError> {
        let for_us = match self.get("aud")? {
            Value::String(one) => one == ours,
            Value::Array(several) if several.iter().all(Value::is_string) => several.iter().any(|one| one == ours),
            _ => return Err(ClaimError::Malformed("aud")),
        };
        if for_us { Ok(()) } else { Err(ClaimError::NotAccepted("aud")) }
    }

    /// Checks `iat`, `nbf` and `exp`, and gives the end.
    fn check_times(&self, now: i64) -> Result<DateTime<Utc>, ClaimError> {
        let (issued, expires) = (self.seconds("iat")?, self.seconds("exp")?);
        let latest = now.saturating_add(LEEWAY_SECONDS);
        if issued > latest {
            return Err(ClaimError::IssuedInFuture);
        }
        if self.0.contains_key("nbf") && self.seconds("nbf")? > latest {
            return Err(ClaimError::NotYetValid);
        }
        if expires.saturating_add(LEEWAY_SECONDS) <= now {
            return Err(ClaimError::Expired);
        }
        match expires.checked_sub(issued) {
            Some(1..=LIFETIME_SECONDS_MAX) => {}
            _ => return Err(ClaimError::Lifetime),
        }
        DateTime::from_timestamp(expires, 0).ok_or(ClaimError::Malformed("exp"))
    }

    /// The customers the credential is limited to; absent means all of the tenant's.
    fn customers(&self, kind: PrincipalKind) -> Result<Option<Vec<CustomerId>>, ClaimError> {
        let customers = match self.0.get("cus") {
            None => None,
            Some(Value::Array(ids)) if (1..=CUSTOMERS_MAX).contains(&ids.len()) => {
                let ids = ids.iter().map(|id| plain(id.as_str()?, ID_BYTES_MAX).map(CustomerId::from));
                Some(ids.collect::<Option<Vec<_>>>().ok_or(ClaimError::Malformed("cus"))?)
            }
            Some(_) => return Err(ClaimError::Malformed("cus")),
        };
        let one = customers.as_ref().is_some_and(|ids| ids.len() == 1);
        if kind == PrincipalKind::Customer && !one {
            return Err(ClaimError::Customers);
        }
        Ok(customers)
    }
}

fn plain(text: &str, bytes_max: usize) -> Option<&str> {
    let fits = (1..=bytes_max).contains(&text.len()) && !text.contains(char::is_control);
    fits.then_some(text)
}
