//! Issues a key in the place of another: with the same rights, for as long as that one was good for. The old one lives
//! on for a while, so that whoever uses it can change over.

use chrono::TimeDelta;
use entity::{CredentialId, credential};
use serde_json::json;

use super::issue_key::{self, CredentialError, KeyIssued, KeyWanted, LIFETIME_MAX, Manager};
use super::once::{Turn, turn};
use crate::domain::browser_session::after;
use crate::domain::trail::Deed;
use crate::store::{self, Store};

/// How long an old key lives on, when nobody says.
pub const GRACE: TimeDelta = TimeDelta::hours(24);

/// How long it may live on at most.
pub const GRACE_MAX: TimeDelta = TimeDelta::days(30);

/// Issues a successor. Who asks must have all the rights of the key itself: its successor's text tells them. `request` is
/// what the request calls itself: sent again, it gives the same successor without its text.
///
/// # Errors
/// [`CredentialError`]; nothing was written then.
pub async fn rotate_key(
    store: &Store,
    by: &Manager<'_>,
    id: &CredentialId,
    grace: TimeDelta,
    request: Option<&str>,
) -> Result<KeyIssued, CredentialError> {
    if grace < TimeDelta::zero() || grace > GRACE_MAX {
        return Err(CredentialError::Lifetime);
    }
    let tx = store.begin(by.tenant).await?;
    let turn = turn(&tx, by, request, json!(["rotate", id, grace.num_seconds()])).await?;
    if let Turn::Again(id) = turn {
        return issue_key::issued_before(&tx, by, id).await;
    }
    let old = issue_key::found(by, &tx, id).await?;
    if old.revoked_at.is_some() || old.expires_at <= by.now {
        return Err(CredentialError::Ended);
    }
    let rights = issue_key::rights(&old);
    by.grantor.may_grant(by.tenant, &rights).map_err(CredentialError::Stronger)?;
    let lifetime = (old.expires_at.utc() - old.created_at.utc()).min(LIFETIME_MAX);
    let wanted = KeyWanted { name: old.name.clone(), rights, expires_at: after(by.now, lifetime), request: None };
    let issued = issue_key::write(&tx, by, wanted, Some(old.id.clone())).await?;
    turn.settle(&tx, by, issued.row.id.as_str()).await?;
    let ending = credential::Model { expires_at: old.expires_at.min(after(by.now, grace)), ..old.clone() };
    if ending.expires_at > old.created_at {
        store::credential::end_at(by.tenant, &tx, &old.id, ending.expires_at).await?;
    } else {
        store::credential::revoke(by.tenant, &tx, &old.id, by.now).await?;
    }
    let deed = Deed {
        action: "api_key.rotate",
        object_type: issue_key::OBJECT,
        object_id: old.id.0.clone(),
        before: Some(issue_key::shown(&old)),
        after: Some(json!({
            "old": issue_key::shown(&ending),
            "new": { "id": issued.row.id, "key": issue_key::shown(&issued.row) },
        })),
    };
    store::audit_log::append(by.tenant, &tx, by.actor, deed, by.now).await?;
    tx.commit().await?;
    Ok(issued)
}
