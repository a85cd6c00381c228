//! Sessions of customers' browsers. Source of truth: table `sessions`.
//!
//! A session is looked up by the digest of its cookie, before its tenant is known: that, and noting its use, is the
//! operator's.

use entity::{Instant, SessionId, browser_session, browser_session::Column};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter};

use super::scope::visible;
use super::tenant::System;
use super::{StoreError, Tx};
use crate::domain::viewer::Tenant;

/// The session whose cookie has this digest, whosever it is.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn find_by_digest(
    _system: &System,
    db: &impl ConnectionTrait,
    sid_sha256: &str,
) -> Result<Option<browser_session::Model>, StoreError> {
    Ok(browser_session::Entity::find().filter(Column::SidSha256.eq(sid_sha256)).one(db).await?)
}

/// Moves the end of an unused session ahead, never back.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn note_use(_system: &System, tx: &Tx, sid_sha256: &str, until: Instant) -> Result<(), StoreError> {
    let update = browser_session::Entity::update_many().col_expr(Column::IdleUntil, Expr::value(until));
    update.filter(Column::SidSha256.eq(sid_sha256)).filter(Column::IdleUntil.lt(until)).exec(tx).await?;
    Ok(())
}

/// Takes away sessions that ended long ago.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn forget(_system: &System, tx: &Tx, ended_before: Instant) -> Result<(), StoreError> {
    browser_session::Entity::delete_many().filter(Column::ExpiresAt.lt(ended_before)).exec(tx).await?;
    Ok(())
}

/// Writes a session that is new.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn insert(_tenant: &Tenant, tx: &Tx, row: browser_session::Model) -> Result<(), StoreError> {
    row.into_active_model().insert(tx).await?;
    Ok(())
}

/// A session by its id; nothing when it is unknown or not the caller's to see.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn find(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    id: &SessionId,
) -> Result<Option<browser_session::Model>, StoreError> {
    let own = visible(db.get_database_backend(), tenant, Column::TenantId, Column::CustomerId)?;
    Ok(browser_session::Entity::find().filter(own).filter(Column::Id.eq(id.clone())).one(db).await?)
}

/// Revokes a session; false when it was revoked before.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn revoke(tenant: &Tenant, tx: &Tx, id: &SessionId, now: Instant) -> Result<bool, StoreError> {
    let update = browser_session::Entity::update_many().col_expr(Column::RevokedAt, Expr::value(Some(now)));
    let own = update.filter(Column::TenantId.eq(tenant.id().clone())).filter(Column::Id.eq(id.clone()));
    Ok(own.filter(Column::RevokedAt.is_null()).exec(tx).await?.rows_affected == 1)
}
