//! What was heard of each invoice at Stripe. Source of truth: table `upstream_facts`; `domain::upstream` reads them.

use entity::{InvoiceId, upstream_facts, upstream_facts::Column};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use super::{StoreError, Tx};
use crate::domain::upstream::Facts;
use crate::domain::viewer::Tenant;

/// What was heard of an invoice so far; nothing when nothing was.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn of_invoice(tenant: &Tenant, db: &impl ConnectionTrait, invoice: &InvoiceId) -> Result<Facts, StoreError> {
    let row = upstream_facts::Entity::find()
        .filter(Column::TenantId.eq(tenant.id().clone()))
        .filter(Column::InvoiceId.eq(invoice.clone()))
        .one(db)
        .await?;
    Ok(row.map(|row| serde_json::from_value(row.facts)).transpose()?.unwrap_or_default())
}

/// Writes what was heard of an invoice, over what there is.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn save(tenant: &Tenant, tx: &Tx, invoice: &InvoiceId, facts: &Facts) -> Result<(), StoreError> {
    let row = upstream_facts::Model {
        tenant_id: tenant.id().clone(),
        invoice_id: invoice.clone(),
        facts: serde_json::to_value(facts)?,
    };
    super::bill::overwrite::<upstream_facts::Entity>(tx, vec![row]).await
}

/// Whoever writes an invoice's row anew says so here: what the row says by itself is looked at afresh then.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn forget_own(tenant: &Tenant, tx: &Tx, invoice: &InvoiceId) -> Result<(), StoreError> {
    let mut facts = of_invoice(tenant, tx, invoice).await?;
    if facts == Facts::default() {
        return Ok(());
    }
    facts.forget_own();
    save(tenant, tx, invoice, &facts).await
}
