//! What a caller may see, as conditions.

use entity::{InvoiceId, InvoiceStatus, invoice};
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ColumnTrait, Condition, DbBackend};

use super::{StoreError, engine::any_of};
use crate::domain::viewer::Tenant;

/// Rows of the caller's tenant and, where the caller is limited to some customers, of those only.
pub(super) fn visible<C: ColumnTrait>(
    backend: DbBackend,
    tenant: &Tenant,
    tenant_id: C,
    customer_id: C,
) -> Result<Condition, StoreError> {
    let own = Condition::all().add(tenant_id.eq(tenant.id().clone()));
    Ok(match tenant.customers() {
        Some(customers) => own.add(any_of(backend, customer_id, texts(customers))?),
        None => own,
    })
}

/// Parts of these invoices, for tables that name no customer: those of a limited caller are asked of the invoice.
pub(super) fn parts_of<C: ColumnTrait>(
    backend: DbBackend,
    tenant: &Tenant,
    tenant_id: C,
    invoice_id: C,
    invoices: &[InvoiceId],
) -> Result<Condition, StoreError> {
    let own =
        Condition::all().add(tenant_id.eq(tenant.id().clone())).add(any_of(backend, invoice_id, texts(invoices))?);
    owned(backend, tenant, own, invoice_id)
}

/// `condition`, and for a limited caller: the invoice is of one of its customers.
pub(super) fn owned<C: ColumnTrait>(
    backend: DbBackend,
    tenant: &Tenant,
    condition: Condition,
    invoice_id: C,
) -> Result<Condition, StoreError> {
    let Some(customers) = tenant.customers() else {
        return Ok(condition);
    };
    let theirs = Query::select()
        .column(invoice::Column::Id)
        .from(invoice::Entity)
        .and_where(Expr::col((invoice::Entity, invoice::Column::TenantId)).eq(tenant.id().clone()))
        .and_where(any_of(backend, invoice::Column::CustomerId, texts(customers))?)
        .to_owned();
    Ok(condition.add(invoice_id.in_subquery(theirs)))
}

/// `condition`, and the invoice exists for the caller. A part that is asked for by its own id is then found or not by
/// one statement, whyever it is not.
pub(super) fn shown<C: ColumnTrait>(
    backend: DbBackend,
    tenant: &Tenant,
    condition: Condition,
    invoice_id: C,
) -> Result<Condition, StoreError> {
    let of = |column| Expr::col((invoice::Entity, column));
    let mut invoices = Query::select()
        .column(invoice::Column::Id)
        .from(invoice::Entity)
        .and_where(of(invoice::Column::TenantId).eq(tenant.id().clone()))
        .and_where(of(invoice::Column::DeletedAt).is_null())
        .to_owned();
    if !tenant.sees_drafts() {
        invoices.and_where(invoice::Column::Status.ne(InvoiceStatus::Draft));
    }
    if let Some(customers) = tenant.customers() {
        invoices.and_where(any_of(backend, invoice::Column::CustomerId, texts(customers))?);
    }
    Ok(condition.add(invoice_id.in_subquery(invoices)))
}

/// Ids as texts, for a list of keys.
pub(super) fn texts<Id: ToString>(ids: &[Id]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

/// Rows sorted into one list per key, each in the order they came.
pub(super) fn grouped<K: Eq + std::hash::Hash, T>(
    rows: Vec<T>,
    key: impl Fn(&T) -> K,
) -> std::collections::HashMap<K, Vec<T>> {
    let mut groups = std::collections::HashMap::new();
    for row in rows {
        groups.entry(key(&row)).or_insert_with(Vec::new).push(row);
    }
    groups
}
