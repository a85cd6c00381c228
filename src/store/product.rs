//! Products. Reads; source of truth: table `products`.

use std::collections::HashMap;

use entity::{ProductId, product, product::Column};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use super::StoreError;
use super::engine::any_of;
use super::scope::texts;
use crate::domain::viewer::Tenant;

/// Products by id; those that are unknown, or not the caller's, are left out.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn by_ids(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    ids: &[ProductId],
) -> Result<HashMap<ProductId, product::Model>, StoreError> {
    let backend = db.get_database_backend();
    let rows = product::Entity::find()
        .filter(Column::TenantId.eq(tenant.id().clone()))
        .filter(any_of(backend, Column::Id, texts(ids))?)
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|row| (row.id.clone(), row)).collect())
}
