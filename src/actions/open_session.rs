//! Opens a session for a customer whom the company's own login has let in.

use entity::{CustomerId, browser_session};
use secrecy::SecretString;
use serde_json::json;

use super::issue_key::{self, CredentialError, Manager, NAME_MAX};
use crate::domain::browser_session::SessionPolicy;
use crate::domain::ids;
use crate::domain::rights::NotGrantable;
use crate::domain::secret::{self, SECRET_LENGTH};
use crate::domain::trail::Deed;
use crate::domain::viewer::ScopeSet;
use crate::store::{self, Store};

/// What sort of thing the audit log calls a session.
pub(super) const OBJECT: &str = "Session";

/// A session to be opened.
#[derive(Clone, Debug)]
pub struct SessionWanted {
    /// Whose.
    pub customer: CustomerId,
    /// What it opens.
    pub scopes: ScopeSet,
    /// Who it is, for people.
    pub subject: String,
    /// How long it lasts.
    pub policy: SessionPolicy,
}

/// A session that was opened.
#[derive(Clone, Debug)]
pub struct SessionOpened {
    /// What is kept of it.
    pub row: browser_session::Model,
    /// What the cookie holds, which nobody can tell again.
    pub sid: SecretString,
}

/// Opens a session. Its cookie is always a new one, so none can be fixed beforehand.
///
/// # Errors
/// [`CredentialError`]; nothing was written then.
pub async fn open_session(
    store: &Store,
    by: &Manager<'_>,
    wanted: SessionWanted,
) -> Result<SessionOpened, CredentialError> {
    let subject = wanted.subject.trim();
    if subject.is_empty() || subject.chars().count() > NAME_MAX || subject.contains(char::is_control) {
        return Err(CredentialError::Name);
    }
    if !by.grantor.may_open_sessions() {
        return Err(NotGrantable::Kind.into());
    }
    by.grantor.may_grant_scopes(wanted.scopes)?;
    let tx = store.begin(by.tenant).await?;
    issue_key::check_customers(by.tenant, &tx, Some(std::slice::from_ref(&wanted.customer))).await?;
    let sid = secret::random(SECRET_LENGTH)?;
    let expires_at = wanted.policy.end(by.now);
    let sid_sha256 = secret::sha256_of(&sid);
    let row = browser_session::Model {
        tenant_id: by.tenant.id().clone(),
        id: ids::at(by.now, &[&sid_sha256]),
        customer_id: wanted.customer,
        subject: subject.to_owned(),
        sid_sha256,
        scopes: wanted.scopes.to_string(),
        created_by: by.actor.subject.clone(),
        created_at: by.now,
        idle_until: wanted.policy.idle_until(by.now, expires_at),
        expires_at,
        revoked_at: None,
        last_used_at: None,
    };
    store::browser_session::insert(by.tenant, &tx, row.clone()).await?;
    let deed = Deed {
        action: "session.open",
        object_type: OBJECT,
        object_id: row.id.0.clone(),
        before: None,
        after: Some(shown(&row)),
    };
    store::audit_log::append(by.tenant, &tx, by.actor, deed, by.now).await?;
    tx.commit().await?;
    Ok(SessionOpened { row, sid })
}

/// What the audit log says of a session.
pub(super) fn shown(row: &browser_session::Model) -> serde_json::Value {
    json!({
        "customerId": row.customer_id,
        "subject": row.subject,
        "scopes": row.scopes,
        "expiresAt": row.expires_at,
        "revokedAt": row.revoked_at,
    })
}
