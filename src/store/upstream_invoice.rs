//! What is known of each invoice's mirror at Stripe. Source of truth: table `upstream_invoices`.

use std::collections::HashMap;

use entity::{Instant, InvoiceId, InvoiceStatus, invoice, upstream_invoice, upstream_invoice::Column};
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
};

use super::engine::any_of;
use super::scope::{parts_of, texts};
use super::{StoreError, Tx};
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

/// Writes what was read of an invoice at Stripe over its mirror, if that is still what it was `before` Stripe was asked:
/// an event that came meanwhile may know more. Tells whether it was written.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn save_read(
    tenant: &Tenant,
    tx: &Tx,
    before: &upstream_invoice::Model,
    row: &upstream_invoice::Model,
) -> Result<bool, StoreError> {
    let backend = tx.get_database_backend();
    let these = parts_of(backend, tenant, Column::TenantId, Column::InvoiceId, std::slice::from_ref(&row.invoice_id))?;
    let heard = match before.last_event_created {
        Some(at) => Column::LastEventCreated.eq(at),
        None => Column::LastEventCreated.is_null(),
    };
    let unchanged = Condition::all().add(Column::UpdatedAt.eq(before.updated_at)).add(heard);
    let values = upstream_invoice::ActiveModel {
        stripe_customer_id: Set(row.stripe_customer_id.clone()),
        upstream_status: Set(row.upstream_status.clone()),
        hosted_invoice_url: Set(row.hosted_invoice_url.clone()),
        invoice_pdf_url: Set(row.invoice_pdf_url.clone()),
        links_fetched_at: Set(row.links_fetched_at),
        receipt_url: Set(row.receipt_url.clone()),
        receipt_fetched_at: Set(row.receipt_fetched_at),
        upstream_amount_due: Set(row.upstream_amount_due),
        upstream_amount_paid: Set(row.upstream_amount_paid),
        last_error_code: Set(row.last_error_code.clone()),
        last_error_at: Set(row.last_error_at),
        fetch_failures: Set(row.fetch_failures),
        updated_at: Set(row.updated_at),
        ..Default::default()
    };
    let written = upstream_invoice::Entity::update_many().set(values).filter(these).filter(unchanged).exec(tx).await?;
    Ok(written.rows_affected > 0)
}

/// Which open invoices are due to be asked for at Stripe.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    /// Those that were not heard of since then,
    pub heard_before: Instant,
    /// and those whose links were read since this moment
    pub paying_since: Instant,
    /// and that were not heard of since this one.
    pub paying_heard_before: Instant,
    /// How many at the most, the longest unheard of first.
    pub limit: u64,
}

/// Open invoices that have a mirror and are due. One that Stripe did not answer about counts as heard of then.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn due(tenant: &Tenant, db: &impl ConnectionTrait, due: &Due) -> Result<Vec<InvoiceId>, StoreError> {
    let open = Query::select()
        .column(invoice::Column::Id)
        .from(invoice::Entity)
        .and_where(Expr::col((invoice::Entity, invoice::Column::TenantId)).eq(tenant.id().clone()))
        .and_where(invoice::Column::Status.is_in([InvoiceStatus::Open, InvoiceStatus::Uncollectible]))
        .and_where(invoice::Column::DeletedAt.is_null())
        .to_owned();
    let unheard = |since: Instant| {
        let asked = Condition::any().add(Column::LastErrorAt.is_null()).add(Column::LastErrorAt.lt(since));
        Condition::all().add(Column::UpdatedAt.lt(since)).add(asked)
    };
    let paying =
        Condition::all().add(Column::LinksFetchedAt.gte(due.paying_since)).add(unheard(due.paying_heard_before));
    let rows = upstream_invoice::Entity::find()
        .filter(Column::TenantId.eq(tenant.id().clone()))
        .filter(Column::StripeInvoiceId.is_not_null())
        .filter(Column::InvoiceId.in_subquery(open))
        .filter(Condition::any().add(unheard(due.heard_before)).add(paying))
        .order_by_asc(Column::UpdatedAt)
        .order_by_asc(Column::InvoiceId)
        .limit(due.limit)
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|row| row.invoice_id).collect())
}

/// Notes that Stripe did not answer about an invoice, and why.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn note_failure(
    tenant: &Tenant,
    tx: &Tx,
    invoice: &InvoiceId,
    code: &str,
    at: Instant,
) -> Result<(), StoreError> {
    let values = upstream_invoice::ActiveModel {
        last_error_code: Set(Some(code.to_owned())),
        last_error_at: Set(Some(at)),
        ..Default::default()
    };
    upstream_invoice::Entity::update_many()
        .set(values)
        .col_expr(Column::FetchFailures, Expr::col(Column::FetchFailures).add(1))
        .filter(Column::TenantId.eq(tenant.id().clone()))
        .filter(Column::InvoiceId.eq(invoice.clone()))
        .exec(tx)
        .await?;
    Ok(())
}

/// The mirror of the invoice that Stripe knows by this id; absent when there is none.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn find_by_stripe_id(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    stripe_invoice_id: &str,
) -> Result<Option<upstream_invoice::Model>, StoreError> {
    let row = upstream_invoice::Entity::find()
        .filter(Column::TenantId.eq(tenant.id().clone()))
        .filter(Column::StripeInvoiceId.eq(stripe_invoice_id));
    Ok(row.one(db).await?)
}

/// The mirrors of the invoices that Stripe knows by these ids, by that id; those of no invoice are left out.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn by_stripe_ids(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    ids: &[&str],
) -> Result<HashMap<String, upstream_invoice::Model>, StoreError> {
    let these = any_of(db.get_database_backend(), Column::StripeInvoiceId, texts(ids))?;
    let rows = upstream_invoice::Entity::find().filter(Column::TenantId.eq(tenant.id().clone())).filter(these);
    let rows = rows.all(db).await?.into_iter();
    Ok(rows.filter_map(|row| Some((row.stripe_invoice_id.clone()?, row))).collect())
}

/// Mirrors of invoices that Stripe has, by the invoice's id: the first `limit` behind `after`.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn page(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    after: Option<&InvoiceId>,
    limit: u64,
) -> Result<Vec<upstream_invoice::Model>, StoreError> {
    let mut rows = upstream_invoice::Entity::find()
        .filter(Column::TenantId.eq(tenant.id().clone()))
        .filter(Column::StripeInvoiceId.is_not_null());
    if let Some(after) = after {
        rows = rows.filter(Column::InvoiceId.gt(after.clone()));
    }
    Ok(rows.order_by_asc(Column::InvoiceId).limit(limit).all(db).await?)
}

/// How many invoices of the tenant Stripe has.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn count(tenant: &Tenant, db: &impl ConnectionTrait) -> Result<u64, StoreError> {
    let rows = upstream_invoice::Entity::find()
        .filter(Column::TenantId.eq(tenant.id().clone()))
        .filter(Column::StripeInvoiceId.is_not_null());
    Ok(rows.count(db).await?)
}

/// The connected accounts that the tenant's mirrors name, in order.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn accounts(tenant: &Tenant, db: &impl ConnectionTrait) -> Result<Vec<String>, StoreError> {
    let rows = upstream_invoice::Entity::find()
        .select_only()
        .distinct()
        .column(Column::StripeAccountId)
        .filter(Column::TenantId.eq(tenant.id().clone()))
        .filter(Column::StripeAccountId.is_not_null())
        .order_by_asc(Column::StripeAccountId);
    Ok(rows.into_tuple().all(db).await?)
}

/// The latest event that is known of any of the tenant's invoices; absent when there was none.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn last_event(tenant: &Tenant, db: &impl ConnectionTrait) -> Result<Option<Instant>, StoreError> {
    let latest = upstream_invoice::Entity::find()
        .select_only()
        .column(Column::LastEventCreated)
        .filter(Column::TenantId.eq(tenant.id().clone()))
        .filter(Column::LastEventCreated.is_not_null())
        .order_by_desc(Column::LastEventCreated)
        .limit(1);
    Ok(latest.into_tuple().one(db).await?)
}

/// Whether any invoice of the tenant bills this customer of Stripe.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn has_customer(tenant: &Tenant, db: &impl ConnectionTrait, customer: &str) -> Result<bool, StoreError> {
    let row = upstream_invoice::Entity::find()
        .filter(Column::TenantId.eq(tenant.id().clone()))
        .filter(Column::StripeCustomerId.eq(customer));
    Ok(row.one(db).await?.is_some())
}

/// Writes a mirror, over the one there is.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn save(tx: &Tx, row: upstream_invoice::Model) -> Result<(), StoreError> {
    super::bill::overwrite::<upstream_invoice::Entity>(tx, vec![row]).await
}
