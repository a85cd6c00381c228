//! Tenants. Source of truth: table `tenants`. A caller sees only the own one; the operator sees all.

use entity::{TenantId, tenant, tenant::Column};
use sea_orm::{ConnectionTrait, EntityTrait, QueryOrder};

use super::StoreError;
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
