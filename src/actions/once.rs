//! Requests that may come again: whoever names one gets what was made for it the first time, and nothing is made twice.
//!
//! The name is the principal's own and good for a day. It is taken in the transaction that makes the thing, so of two
//! requests at the same time one waits for the other, and what is not made does not keep its name.

use chrono::TimeDelta;
use entity::idempotency_key;
use serde_json::json;

use super::issue_key::{CredentialError, Manager};
use crate::domain::browser_session::after;
use crate::domain::secret;
use crate::store::{self, Tx};

/// The longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 255;

/// How long a name stands for the same request.
pub const KEPT: TimeDelta = TimeDelta::hours(24);

/// Whether a request is the first of its name.
#[derive(Debug)]
pub(super) enum Turn {
    /// It has no name.
    Unnamed,
    /// Its name is taken now, to be settled with what is made.
    First(String),
    /// What was made for it before.
    Again(String),
}

/// Takes a request's name, where it has one; `request` is everything that it asks for.
///
/// # Errors
/// [`CredentialError::RequestName`], [`CredentialError::Reused`] when another request has the name.
pub(super) async fn turn(
    tx: &Tx,
    by: &Manager<'_>,
    name: Option<&str>,
    request: serde_json::Value,
) -> Result<Turn, CredentialError> {
    let Some(name) = name else { return Ok(Turn::Unnamed) };
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains(char::is_control) {
        return Err(CredentialError::RequestName);
    }
    store::idempotency_key::forget(by.tenant, tx, by.now).await?;
    let row = idempotency_key::Model {
        tenant_id: by.tenant.id().clone(),
        key_sha256: secret::sha256(&json!([by.actor.principal, name]).to_string()),
        request_sha256: secret::sha256(&request.to_string()),
        object_id: None,
        created_at: by.now,
        expires_at: after(by.now, KEPT),
    };
    let (key, digest) = (row.key_sha256.clone(), row.request_sha256.clone());
    match store::idempotency_key::claim(by.tenant, tx, row).await? {
        None => Ok(Turn::First(key)),
        Some(before) if before.request_sha256 == digest => {
            before.object_id.map(Turn::Again).ok_or(CredentialError::Reused)
        }
        Some(_other) => Err(CredentialError::Reused),
    }
}

impl Turn {
    /// Notes what was made.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) async fn settle(self, tx: &Tx, by: &Manager<'_>, object: &str) -> Result<(), CredentialError> {
        if let Self::First(key) = self {
            store::idempotency_key::settle(by.tenant, tx, &key, object).await?;
        }
        Ok(())
    }
}
