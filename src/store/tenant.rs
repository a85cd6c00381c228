//! Tenants. Source of truth: table `tenants`; asked for with `&Tenant` like everything else, so only ever the own one.

use entity::{TenantId, tenant};
use sea_orm::{ConnectionTrait, EntityTrait};

use super::StoreError;
use crate::domain::viewer::Tenant;

/// The caller's tenant; absent when the store does not know it.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn find(tenant: &Tenant, db: &impl ConnectionTrait) -> Result<Option<tenant::Model>, StoreError> {
    Ok(tenant::Entity::find_by_id(TenantId(tenant.id().0.clone()))
        .one(db)
        .await?)
}
