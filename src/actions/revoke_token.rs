//! Refuses a token before it expires, by its own id. Revoking twice is revoking once.

use chrono::TimeDelta;
use entity::{Instant, revoked_token};
use serde_json::json;

use super::issue_key::{CredentialError, Manager};
use crate::domain::browser_session::after;
use crate::domain::secret;
use crate::domain::trail::Deed;
use crate::store::tenant::System;
use crate::store::{self, Store};

/// The longest id of a token, in bytes; as its claim may have.
pub const JTI_BYTES_MAX: usize = 255;

/// How long a token is refused: longer than any lives, with what clocks may differ.
const REMEMBERED: TimeDelta = TimeDelta::hours(25);

/// Refuses a token of the tenant from now on, on every replica within five seconds; false when it was refused before.
/// Rows of tokens that have expired meanwhile are taken away.
///
/// # Errors
/// [`CredentialError`]; nothing was written then.
pub async fn revoke_token(
    store: &Store,
    system: &System,
    by: &Manager<'_>,
    jti: &str,
) -> Result<bool, CredentialError> {
    if jti.is_empty() || jti.len() > JTI_BYTES_MAX || jti.contains(char::is_control) {
        return Err(CredentialError::Unknown);
    }
    let tx = store.begin(by.tenant).await?;
    store::tenant::find(by.tenant, &tx).await?.ok_or(CredentialError::TenantUnknown)?;
    let expires_at: Instant = after(by.now, REMEMBERED);
    let row = revoked_token::Model {
        tenant_id: by.tenant.id().clone(),
        jti_sha256: secret::sha256(jti),
        revoked_by: by.actor.subject.clone(),
        revoked_at: by.now,
        expires_at,
    };
    if !store::revoked_token::insert(by.tenant, &tx, row.clone()).await? {
        return Ok(false);
    }
    store::revoked_token::forget(system, &tx, by.now).await?;
    let deed = Deed {
        action: "token.revoke",
        object_type: "Token",
        object_id: row.jti_sha256,
        before: None,
        after: Some(json!({ "revokedAt": by.now })),
    };
    store::audit_log::append(by.tenant, &tx, by.actor, deed, by.now).await?;
    tx.commit().await?;
    Ok(true)
}
