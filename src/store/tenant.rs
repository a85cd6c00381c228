//! Tenants. Source of truth: table `tenants`. A caller sees only the own one; the operator sees all.

use entity::{Json, TenantId, tenant, tenant::Column};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{StoreError, Tx};
use crate::domain::viewer::Tenant;

/// The right of whoever runs the gateway to see every tenant. Only `app` makes one.
#[derive(Clone, Copy, Debug)]
pub struct System(());

impl System {
    /// The right of the operator, who has the database's own credentials.
    pub const fn operator() -> Self {
        Self(())
    }
}

/// Every tenant, oldest first.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn all(_system: &System, db: &impl ConnectionTrait) -> Result<Vec<tenant::Model>, StoreError> {
    Ok(tenant::Entity::find().order_by_asc(Column::CreatedAt).order_by_asc(Column::Id).all(db).await?)
}

/// The caller's tenant; absent when the store does not know it.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn find(tenant: &Tenant, db: &impl ConnectionTrait) -> Result<Option<tenant::Model>, StoreError> {
    Ok(tenant::Entity::find_by_id(TenantId(tenant.id().0.clone())).one(db).await?)
}

/// The tenant with this account at Stripe; absent when nobody has it.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn find_by_stripe_account(
    _system: &System,
    db: &impl ConnectionTrait,
    account: &str,
) -> Result<Option<tenant::Model>, StoreError> {
    Ok(tenant::Entity::find().filter(Column::StripeAccountId.eq(account)).one(db).await?)
}

/// A tenant, which nobody else changes before the transaction ends.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn lock(_system: &System, tx: &Tx, id: &TenantId) -> Result<Option<tenant::Model>, StoreError> {
    Ok(tenant::Entity::find_by_id(id.clone()).lock_exclusive().one(tx).await?)
}

/// Writes a tenant's settings over those there are.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn save_settings(_system: &System, tx: &Tx, id: &TenantId, settings: Json) -> Result<(), StoreError> {
    let update = tenant::Entity::update_many().col_expr(Column::Settings, Expr::value(settings));
    update.filter(Column::Id.eq(id.clone())).exec(tx).await?;
    Ok(())
}
