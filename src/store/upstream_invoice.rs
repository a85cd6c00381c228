//! What is known of each invoice's mirror at Stripe. Source of truth: table `upstream_invoices`.

use std::collections::HashMap;

use entity::{InvoiceId, upstream_invoice, upstream_invoice::Column};
use sea_orm::{ConnectionTrait, EntityTrait, QueryFilter};

use super::StoreError;
use super::scope::parts_of;
use crate::domain::viewer::Tenant;

/// The mirror of each invoice; invoices that were never mirrored are left out.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn of_invoices(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    invoices: &[InvoiceId],
) -> Result<HashMap<InvoiceId, upstream_invoice::Model>, StoreError> {
    let these = parts_of(db.get_database_backend(), tenant, Column::TenantId, Column::InvoiceId, invoices)?;
    let rows = upstream_invoice::Entity::find().filter(these).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.invoice_id.clone(), row)).collect())
}
