//! Ends a session: by its customer, who logs out, or by who may manage credentials. Ending twice is ending once.

use entity::{SessionId, browser_session};

use super::issue_key::{CredentialError, Manager};
use super::open_session;
use crate::domain::trail::Deed;
use crate::store::{self, Store};

/// Ends a session, and gives it as it is then. Its cookie is refused everywhere within five seconds.
///
/// # Errors
/// [`CredentialError`]; nothing was written then.
pub async fn end_session(
    store: &Store,
    by: &Manager<'_>,
    id: &SessionId,
) -> Result<browser_session::Model, CredentialError> {
    let tx = store.begin(by.tenant).await?;
    let row = store::browser_session::find(by.tenant, &tx, id).await?.ok_or(CredentialError::Unknown)?;
    if row.revoked_at.is_some() || !store::browser_session::revoke(by.tenant, &tx, id, by.now).await? {
        return Ok(row);
    }
    let ended = browser_session::Model { revoked_at: Some(by.now), ..row.clone() };
    let deed = Deed {
        action: "session.end",
        object_type: open_session::OBJECT,
        object_id: row.id.0.clone(),
        before: Some(open_session::shown(&row)),
        after: Some(open_session::shown(&ended)),
    };
    store::audit_log::append(by.tenant, &tx, by.actor, deed, by.now).await?;
    tx.commit().await?;
    Ok(ended)
}
