//! What belongs to one invoice alone and is small: taxes, discounts, changes, and the customer as printed on it.
//!
//! Reads; source of truth: the tables `invoice_taxes`, `invoice_discounts`, `invoice_changes` and
//! `invoice_customer_snapshots`. Lists come in printed order.

use std::collections::HashMap;

use entity::{InvoiceId, customer_snapshot, discount, invoice_change, tax};
use sea_orm::{ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};

use super::StoreError;
use super::scope::{grouped, parts_of};
use crate::domain::viewer::Tenant;

/// Taxes of each invoice.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn taxes(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    invoices: &[InvoiceId],
) -> Result<HashMap<InvoiceId, Vec<tax::Model>>, StoreError> {
    use tax::Column;
    let these = parts_of(db.get_database_backend(), tenant, Column::TenantId, Column::InvoiceId, invoices)?;
    let rows = tax::Entity::find().filter(these).order_by_asc(Column::Position).all(db).await?;
    Ok(grouped(rows, |row| row.invoice_id.clone()))
}

/// Discounts of each invoice, those of its lines among them.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn discounts(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    invoices: &[InvoiceId],
) -> Result<HashMap<InvoiceId, Vec<discount::Model>>, StoreError> {
    use discount::Column;
    let these = parts_of(db.get_database_backend(), tenant, Column::TenantId, Column::InvoiceId, invoices)?;
    let rows =
        discount::Entity::find().filter(these).order_by_asc(Column::Position).order_by_asc(Column::Id).all(db).await?;
    Ok(grouped(rows, |row| row.invoice_id.clone()))
}

/// Prorated changes of each invoice.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn changes(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    invoices: &[InvoiceId],
) -> Result<HashMap<InvoiceId, Vec<invoice_change::Model>>, StoreError> {
    use invoice_change::Column;
    let these = parts_of(db.get_database_backend(), tenant, Column::TenantId, Column::InvoiceId, invoices)?;
    let rows = invoice_change::Entity::find().filter(these).order_by_asc(Column::Position).all(db).await?;
    Ok(grouped(rows, |row| row.invoice_id.clone()))
}

/// The customer as printed on each invoice.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn customer_snapshots(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    invoices: &[InvoiceId],
) -> Result<HashMap<InvoiceId, customer_snapshot::Model>, StoreError> {
    use customer_snapshot::Column;
    let these = parts_of(db.get_database_backend(), tenant, Column::TenantId, Column::InvoiceId, invoices)?;
    let rows = customer_snapshot::Entity::find().filter(these).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.invoice_id.clone(), row)).collect())
}
