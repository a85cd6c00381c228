//! Revokes an API key. Revoking twice is revoking once.

use entity::{CredentialId, credential};

use super::issue_key::{self, CredentialError, Manager};
use crate::domain::trail::Deed;
use crate::store::{self, Store};

/// Revokes a key, and gives it as it is then. It is refused everywhere within five seconds. Who asks must have all the
/// rights of the key, as whoever rotates it: or the weakest integration could take away the company's own keys.
///
/// # Errors
/// [`CredentialError`]; nothing was written then.
pub async fn revoke_key(
    store: &Store,
    by: &Manager<'_>,
    id: &CredentialId,
) -> Result<credential::Model, CredentialError> {
    let tx = store.begin(by.tenant).await?;
    let row = issue_key::found(by, &tx, id).await?;
    by.grantor.may_grant(by.tenant, &issue_key::rights(&row)).map_err(CredentialError::Stronger)?;
    if row.revoked_at.is_some() || !store::credential::revoke(by.tenant, &tx, id, by.now).await? {
        return Ok(row);
    }
    let revoked = credential::Model { revoked_at: Some(by.now), ..row.clone() };
    let deed = Deed {
        action: "api_key.revoke",
        object_type: issue_key::OBJECT,
        object_id: row.id.0.clone(),
        before: Some(issue_key::shown(&row)),
        after: Some(issue_key::shown(&revoked)),
    };
    store::audit_log::append(by.tenant, &tx, by.actor, deed, by.now).await?;
    tx.commit().await?;
    Ok(revoked)
}
