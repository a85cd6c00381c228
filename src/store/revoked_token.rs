//! Tokens that are refused before they expire. Source of truth: table `revoked_tokens`.

use entity::{Instant, TenantId, revoked_token, revoked_token::Column};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, TryInsertResult,
};

use super::tenant::System;
use super::{StoreError, Tx, count};
use crate::domain::viewer::Tenant;

/// Every token that is refused at `now`, at most `limit`: tenant and digest of the token's own id.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn live(
    _system: &System,
    db: &impl ConnectionTrait,
    now: Instant,
    limit: u64,
) -> Result<Vec<(TenantId, String)>, StoreError> {
    let live = revoked_token::Entity::find().select_only().column(Column::TenantId).column(Column::JtiSha256);
    let live = live.filter(Column::ExpiresAt.gt(now)).order_by_desc(Column::ExpiresAt).limit(limit);
    Ok(live.into_tuple().all(db).await?)
}

/// Whether a token is refused at `now`, by its tenant and the digest of its own id.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn is_live(
    _system: &System,
    db: &impl ConnectionTrait,
    (tenant, jti_sha256): (&TenantId, &str),
    now: Instant,
) -> Result<bool, StoreError> {
    let row = revoked_token::Entity::find_by_id((tenant.clone(), jti_sha256.to_owned()));
    Ok(row.filter(Column::ExpiresAt.gt(now)).one(db).await?.is_some())
}

/// Refuses a token from now on; gives the row by which it was refused before.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn insert(
    tenant: &Tenant,
    tx: &Tx,
    row: revoked_token::Model,
) -> Result<Option<revoked_token::Model>, StoreError> {
    let key = (tenant.id().clone(), row.jti_sha256.clone());
    let insert = revoked_token::Entity::insert(row.into_active_model()).on_conflict_do_nothing();
    if matches!(insert.exec_without_returning(tx).await?, TryInsertResult::Inserted(1..)) {
        return Ok(None);
    }
    Ok(revoked_token::Entity::find_by_id(key).one(tx).await?)
}

/// How many tokens of the tenant are refused at `now`.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn count(tenant: &Tenant, db: &impl ConnectionTrait, now: Instant) -> Result<i64, StoreError> {
    let own = revoked_token::Entity::find().filter(Column::TenantId.eq(tenant.id().clone()));
    count::rows(db, own.filter(Column::ExpiresAt.gt(now))).await
}

/// Takes away rows of tokens that have expired anyway.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn forget(_system: &System, tx: &Tx, expired_before: Instant) -> Result<(), StoreError> {
    revoked_token::Entity::delete_many().filter(Column::ExpiresAt.lt(expired_before)).exec(tx).await?;
    Ok(())
}
