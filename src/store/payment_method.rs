//! Stored means of payment. Reads; source of truth: table `payment_methods`. The default one first.

use std::collections::HashMap;

use entity::{CustomerId, PaymentMethodId, payment_method, payment_method::Column};
use sea_orm::{ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};

use super::StoreError;
use super::engine::any_of;
use super::scope::{grouped, texts, visible};
use crate::domain::viewer::Tenant;

/// Means of payment by id, those that were removed since among them.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn by_ids(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    ids: &[PaymentMethodId],
) -> Result<HashMap<PaymentMethodId, payment_method::Model>, StoreError> {
    let backend = db.get_database_backend();
    let own = visible(backend, tenant, Column::TenantId, Column::CustomerId)?;
    let rows = payment_method::Entity::find().filter(own.add(any_of(backend, Column::Id, texts(ids))?)).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.id.clone(), row)).collect())
}

/// Usable means of payment of each customer.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn of_customers(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    customers: &[CustomerId],
) -> Result<HashMap<CustomerId, Vec<payment_method::Model>>, StoreError> {
    use sea_orm::ColumnTrait;
    let backend = db.get_database_backend();
    let own = visible(backend, tenant, Column::TenantId, Column::CustomerId)?;
    let rows = payment_method::Entity::find()
        .filter(own.add(any_of(backend, Column::CustomerId, texts(customers))?).add(Column::DetachedAt.is_null()))
        .order_by_desc(Column::IsDefault)
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id)
        .all(db)
        .await?;
    Ok(grouped(rows, |row| row.customer_id.clone()))
}
