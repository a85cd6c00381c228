//! Payments and refunds of invoices, as stored.
//!
//! Source of truth: table `payments`. Order: oldest first, so that the last row is the latest attempt.
//! Amounts: minor units, never negative; `kind` tells a refund.

use std::collections::HashMap;

use entity::{Instant, InvoiceId, PaymentId, PaymentKind, payment, payment::Column};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};

use super::engine::any_of;
use super::scope::{grouped, shown, texts, visible};
use super::{StoreError, Tx};
use crate::domain::viewer::Tenant;

/// Payments by id; those that are unknown, or not the caller's, are left out.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn by_ids(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    ids: &[PaymentId],
) -> Result<HashMap<PaymentId, payment::Model>, StoreError> {
    let backend = db.get_database_backend();
    let these = own(tenant, db)?.add(any_of(backend, Column::Id, texts(ids))?);
    let rows = payment::Entity::find().filter(shown(backend, tenant, these, Column::InvoiceId)?).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.id.clone(), row)).collect())
}

/// Everything paid or returned on each invoice, oldest first.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn of_invoices(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    invoices: &[InvoiceId],
) -> Result<HashMap<InvoiceId, Vec<payment::Model>>, StoreError> {
    let these = any_of(db.get_database_backend(), Column::InvoiceId, texts(invoices))?;
    let rows = payment::Entity::find()
        .filter(own(tenant, db)?.add(these))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id)
        .all(db)
        .await?;
    Ok(grouped(rows, |row| row.invoice_id.clone()))
}

/// The refunds of each payment, oldest first.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn refunds_of(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    payments: &[PaymentId],
) -> Result<HashMap<PaymentId, Vec<payment::Model>>, StoreError> {
    let these = any_of(db.get_database_backend(), Column::RefundedPaymentId, texts(payments))?;
    let refund = Expr::col(Column::Kind).eq(PaymentKind::Refund.word());
    let rows = payment::Entity::find()
        .filter(own(tenant, db)?.add(these).add(refund))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id)
        .all(db)
        .await?;
    Ok(grouped(rows, |row| row.refunded_payment_id.clone().unwrap_or_default()))
}

/// The invoice that a charge of Stripe paid, or a payment intent; absent when no payment is known by either.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn find_invoice_of_charge(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    charge: Option<&str>,
    intent: Option<&str>,
) -> Result<Option<InvoiceId>, StoreError> {
    let of_tenant = || payment::Entity::find().filter(Column::TenantId.eq(tenant.id().clone()));
    let by_charge = of_tenant()
        .filter(Column::Provider.eq("stripe"))
        .filter(Column::ProviderPaymentId.eq(charge))
        .filter(Column::Kind.eq(PaymentKind::Payment));
    let mut found = None;
    if charge.is_some() {
        found = by_charge.one(db).await?;
    }
    if let (None, Some(intent)) = (&found, intent) {
        found = of_tenant().filter(Column::PaymentIntentId.eq(intent)).order_by_asc(Column::Id).one(db).await?;
    }
    Ok(found.map(|row| row.invoice_id))
}

/// Writes payments and refunds, over those there are. A payment is written before what goes back of it.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn save_all(tx: &Tx, mut rows: Vec<payment::Model>) -> Result<(), StoreError> {
    rows.sort_by_key(|row| row.refunded_payment_id.is_some());
    super::bill::overwrite::<payment::Entity>(tx, rows).await
}

/// Takes payments away that nothing refers to.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn remove(tenant: &Tenant, tx: &Tx, ids: &[PaymentId]) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    let these = any_of(tx.get_database_backend(), Column::Id, texts(ids))?;
    payment::Entity::delete_many().filter(own(tenant, tx)?.add(these)).exec(tx).await?;
    Ok(())
}

fn own(tenant: &Tenant, db: &impl ConnectionTrait) -> Result<Condition, StoreError> {
    visible(db.get_database_backend(), tenant, Column::TenantId, Column::CustomerId)
}

/// Writes the receipt of a payment, as it was read at Stripe at that moment.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn save_receipt(
    tenant: &Tenant,
    tx: &Tx,
    id: &PaymentId,
    link: &str,
    read_at: Instant,
) -> Result<(), StoreError> {
    let this = own(tenant, tx)?.add(Column::Id.eq(id.clone()));
    let values = payment::ActiveModel {
        receipt_url: Set(Some(link.to_owned())),
        receipt_fetched_at: Set(Some(read_at)),
        ..Default::default()
    };
    payment::Entity::update_many().set(values).filter(this).exec(tx).await?;
    Ok(())
}
