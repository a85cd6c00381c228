//! Ends a session: by its customer, who logs out, or by who may manage credentials. Ending twice is ending once.

use entity::{SessionId, browser_session};

use super::issue_key::{CredentialError, Manager};
use super::open_session;
use crate::domain::rights::NotGrantable;
use crate::domain::trail::Deed;
use crate::domain::viewer::ScopeSet;
use crate::store::{self, Store};

/// Ends a session, and gives it as it is then. Its cookie is refused everywhere within five seconds. Who asks must be one
/// who could have opened it.
///
/// # Errors
/// [`CredentialError`]; nothing was written then.
pub async fn end_session(
    store: &Store,
    by: &Manager<'_>,
    id: &SessionId,
) -> Result<browser_session::Model, CredentialError> {
    let allowed = |row: &browser_session::Model| {
        if !by.grantor.may_open_sessions() {
            return Err(NotGrantable::Kind);
        }
        by.grantor.may_grant_scopes(ScopeSet::parse(&row.scopes))
    };
    end(store, by, id, allowed).await
}

/// The same by the session's own customer, whose credential it is.
///
/// # Errors
/// [`CredentialError`]; nothing was written then.
pub async fn log_out(
    store: &Store,
    by: &Manager<'_>,
    own: &SessionId,
) -> Result<browser_session::Model, CredentialError> {
    end(store, by, own, |_row| Ok(())).await
}

async fn end(
    store: &Store,
    by: &Manager<'_>,
    id: &SessionId,
    allowed: impl Fn(&browser_session::Model) -> Result<(), NotGrantable> + Send,
) -> Result<browser_session::Model, CredentialError> {
    let tx = store.begin(by.tenant).await?;
    let row = store::browser_session::find(by.tenant, &tx, id).await?.ok_or(CredentialError::Unknown)?;
    allowed(&row).map_err(CredentialError::Stronger)?;
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
