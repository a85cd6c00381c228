//! Requests that named themselves, and what was made for them. Source of truth: table `idempotency_keys`.

use entity::{Instant, idempotency_key, idempotency_key::Column};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, TryInsertResult};

use super::{StoreError, Tx};
use crate::domain::viewer::Tenant;

/// Takes a name for the request of this transaction; gives the row of the request that has it already. Whoever takes the
/// same name at the same time waits for the end of the other's transaction.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn claim(
    tenant: &Tenant,
    tx: &Tx,
    row: idempotency_key::Model,
) -> Result<Option<idempotency_key::Model>, StoreError> {
    let key = (tenant.id().clone(), row.key_sha256.clone());
    let insert = idempotency_key::Entity::insert(row.into_active_model()).on_conflict_do_nothing();
    if matches!(insert.exec_without_returning(tx).await?, TryInsertResult::Inserted(1..)) {
        return Ok(None);
    }
    Ok(idempotency_key::Entity::find_by_id(key).one(tx).await?)
}

/// Notes what was made for the request that took the name.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn settle(tenant: &Tenant, tx: &Tx, key_sha256: &str, object: &str) -> Result<(), StoreError> {
    let update = idempotency_key::Entity::update_many().col_expr(Column::ObjectId, Expr::value(Some(object)));
    let own = update.filter(Column::TenantId.eq(tenant.id().clone()));
    own.filter(Column::KeySha256.eq(key_sha256)).exec(tx).await?;
    Ok(())
}

/// Takes away the tenant's names that may be given to other requests by now.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn forget(tenant: &Tenant, tx: &Tx, now: Instant) -> Result<(), StoreError> {
    let over = idempotency_key::Entity::delete_many().filter(Column::TenantId.eq(tenant.id().clone()));
    over.filter(Column::ExpiresAt.lte(now)).exec(tx).await?;
    Ok(())
}
