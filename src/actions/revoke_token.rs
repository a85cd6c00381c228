//! Refuses a token before it expires, by its own id. Revoking twice is revoking once.

use chrono::TimeDelta;
use entity::{Instant, revoked_token};
use serde_json::json;

use super::issue_key::{CredentialError, Manager};
use crate::domain::browser_session::after;
use crate::domain::secret;
use crate::domain::trail::Deed;
use crate::store::{self, Store};

/// The longest id of a token, in bytes; as its claim may have.
pub const JTI_BYTES_MAX: usize = 255;

/// Tokens that a tenant may have refused at the same time. Every replica reads those of all tenants every few seconds, as
/// long as they are no more than this; beyond it each token is looked up by itself.
pub const LIVE_MAX: i64 = 10_000;

/// How long a token is refused: longer than any lives, with what clocks may differ. When it ends by itself is not asked:
/// a wrong answer would make it good again.
const REMEMBERED: TimeDelta = TimeDelta::hours(25);

/// Which token.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    /// The one with this id, for whoever manages credentials and sees the whole tenant: a token is written down nowhere,
    /// so nobody can tell whose customer it is for.
    Any(&'a str),
    /// The caller's own, which has this id.
    Own(&'a str),
}

/// A token that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenRevoked {
    /// Since when.
    pub at: Instant,
    /// Whether it was not refused before.
    pub is_new: bool,
}

/// Refuses a token of the tenant from now on, on every replica within five seconds.
///
/// # Errors
/// [`CredentialError`]; nothing was written then.
pub async fn revoke_token(store: &Store, by: &Manager<'_>, which: Which<'_>) -> Result<TokenRevoked, CredentialError> {
    let (Which::Any(jti) | Which::Own(jti)) = which;
    if jti.is_empty() || jti.len() > JTI_BYTES_MAX || jti.contains(char::is_control) {
        return Err(CredentialError::Jti);
    }
    let is_any = matches!(which, Which::Any(_));
    if is_any && by.tenant.customers().is_some() {
        return Err(CredentialError::UnknownToken);
    }
    let tx = store.begin(by.tenant).await?;
    store::tenant::find(by.tenant, &tx).await?.ok_or(CredentialError::TenantUnknown)?;
    let row = revoked_token::Model {
        tenant_id: by.tenant.id().clone(),
        jti_sha256: secret::sha256(jti),
        revoked_by: by.actor.subject.clone(),
        revoked_at: by.now,
        expires_at: after(by.now, REMEMBERED),
    };
    if let Some(before) = store::revoked_token::insert(by.tenant, &tx, row.clone()).await? {
        return Ok(TokenRevoked { at: before.revoked_at, is_new: false });
    }
    // Of the own token everyone has only one.
    if is_any && store::revoked_token::count(by.tenant, &tx, by.now).await? > LIVE_MAX {
        return Err(CredentialError::TooManyTokens);
    }
    let deed = Deed {
        action: "token.revoke",
        object_type: "Token",
        object_id: row.jti_sha256,
        before: None,
        after: Some(json!({ "revokedAt": by.now })),
    };
    store::audit_log::append(by.tenant, &tx, by.actor, deed, by.now).await?;
    tx.commit().await?;
    Ok(TokenRevoked { at: by.now, is_new: true })
}
