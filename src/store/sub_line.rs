//! Parts of lines, in printed order. Reads; source of truth: table `invoice_sub_lines`.
//!
//! Read by invoice and not by line, so that a page of long invoices asks with few keys.

use std::collections::HashMap;

use entity::{InvoiceId, SubLineId, sub_line, sub_line::Column};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};

use super::StoreError;
use super::engine::any_of;
use super::scope::{grouped, parts_of, shown, texts};
use crate::domain::viewer::Tenant;

/// Sub lines by id; those that are unknown, or not the caller's, are left out.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn by_ids(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    ids: &[SubLineId],
) -> Result<HashMap<SubLineId, sub_line::Model>, StoreError> {
    let backend = db.get_database_backend();
    let these =
        Condition::all().add(Column::TenantId.eq(tenant.id().clone())).add(any_of(backend, Column::Id, texts(ids))?);
    let rows = sub_line::Entity::find().filter(shown(backend, tenant, these, Column::InvoiceId)?).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.id.clone(), row)).collect())
}

/// All sub lines of each invoice, by line and position.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn of_invoices(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    invoices: &[InvoiceId],
) -> Result<HashMap<InvoiceId, Vec<sub_line::Model>>, StoreError> {
    let these = parts_of(db.get_database_backend(), tenant, Column::TenantId, Column::InvoiceId, invoices)?;
    let rows = sub_line::Entity::find().filter(these).order_by_asc(Column::Position).all(db).await?;
    Ok(grouped(rows, |row| row.invoice_id.clone()))
}
