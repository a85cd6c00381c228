//! The history of invoices, newest first. Append-only; source of truth: table `invoice_events`.

use std::collections::HashMap;

use entity::{InvoiceEventId, InvoiceId, invoice_event, invoice_event::Column};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};

use super::StoreError;
use super::engine::any_of;
use super::page::{Direction, Ordering, Page};
use super::scope::{grouped, parts_of, shown, texts};
use crate::domain::viewer::Tenant;

/// Entries by id; those that are unknown, or not the caller's, are left out.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn by_ids(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    ids: &[InvoiceEventId],
) -> Result<HashMap<InvoiceEventId, invoice_event::Model>, StoreError> {
    let backend = db.get_database_backend();
    let these =
        Condition::all().add(Column::TenantId.eq(tenant.id().clone())).add(any_of(backend, Column::Id, texts(ids))?);
    let rows = invoice_event::Entity::find()
        .filter(shown(backend, tenant, these, Column::InvoiceId)?)
        .order_by_asc(Column::Id)
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|row| (row.id.clone(), row)).collect())
}

/// The newest `limit` entries of each invoice.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn of_invoices(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    invoices: &[InvoiceId],
    limit: u64,
) -> Result<HashMap<InvoiceId, Vec<invoice_event::Model>>, StoreError> {
    let order = Ordering { column: Column::OccurredAt, id: Column::Id, direction: Direction::Descending };
    let these = parts_of(db.get_database_backend(), tenant, Column::TenantId, Column::InvoiceId, invoices)?;
    let page = Page { limit, ..Page::default() };
    let rows = order.paged_by(db, invoice_event::Entity::find().filter(these), Column::InvoiceId, &page).await?;
    let entries = grouped(rows, |row| row.invoice_id.clone());
    Ok(entries.into_iter().map(|(invoice, rows)| (invoice, super::page::finish(rows, &page).0)).collect())
}
