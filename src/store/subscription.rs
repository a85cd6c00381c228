//! Subscriptions. Reads; source of truth: table `subscriptions`.

use std::collections::HashMap;

use entity::{SubscriptionId, subscription, subscription::Column};
use sea_orm::{ConnectionTrait, EntityTrait, QueryFilter};

use super::StoreError;
use super::engine::any_of;
use super::scope::{texts, visible};
use crate::domain::viewer::Tenant;

/// Subscriptions by id; those that are unknown, or not the caller's, are left out.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn by_ids(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    ids: &[SubscriptionId],
) -> Result<HashMap<SubscriptionId, subscription::Model>, StoreError> {
    let backend = db.get_database_backend();
    let rows = subscription::Entity::find()
        .filter(visible(backend, tenant, Column::TenantId, Column::CustomerId)?)
        .filter(any_of(backend, Column::Id, texts(ids))?)
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|row| (row.id.clone(), row)).collect())
}
