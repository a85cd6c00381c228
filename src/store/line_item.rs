//! Lines of invoices, in printed order. Reads; source of truth: table `invoice_line_items`.

use std::collections::HashMap;

use entity::{InvoiceId, LineItemId, line_item, line_item::Column};
use sea_orm::sea_query::{Expr, ExprTrait, Func, Order, Query, WindowStatement};
use sea_orm::{ConnectionTrait, EntityTrait, FromQueryResult, Iterable, QueryFilter, QueryTrait};

use super::StoreError;
use super::count;
use super::engine::any_of;
use super::scope::{grouped, shown, texts, visible};
use crate::domain::viewer::Tenant;

/// Which lines of an invoice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Part {
    /// At most so many.
    pub first: u64,
    /// Only those behind this line; none when the invoice has no such line.
    pub after: Option<LineItemId>,
}

/// Lines by id; those that are unknown, or not the caller's, are left out.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn by_ids(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    ids: &[LineItemId],
) -> Result<HashMap<LineItemId, line_item::Model>, StoreError> {
    let backend = db.get_database_backend();
    let own = visible(backend, tenant, Column::TenantId, Column::CustomerId)?;
    let these = own.add(any_of(backend, Column::Id, texts(ids))?);
    let rows = line_item::Entity::find().filter(shown(backend, tenant, these, Column::InvoiceId)?).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.id.clone(), row)).collect())
}

/// Part of the lines of each invoice.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn of_invoices(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    invoices: &[InvoiceId],
    part: &Part,
) -> Result<HashMap<InvoiceId, Vec<line_item::Model>>, StoreError> {
    let backend = db.get_database_backend();
    let mut lines = line_item::Entity::find()
        .filter(visible(backend, tenant, Column::TenantId, Column::CustomerId)?)
        .filter(any_of(backend, Column::InvoiceId, texts(invoices))?);
    if let Some(after) = &part.after {
        let place = Query::select()
            .expr(Expr::col(("place", Column::Position)))
            .from_as(line_item::Entity, "place")
            .and_where(Expr::col(("place", Column::TenantId)).eq(tenant.id().clone()))
            .and_where(Expr::col(("place", Column::InvoiceId)).equals((line_item::Entity, Column::InvoiceId)))
            .and_where(Expr::col(("place", Column::Id)).eq(after.clone()))
            .to_owned();
        let place = Expr::SubQuery(None, Box::new(place.into()));
        lines = lines.filter(Expr::col((line_item::Entity, Column::Position)).gt(place));
    }
    let mut window = WindowStatement::partition_by(Column::InvoiceId);
    window.order_by(Column::Position, Order::Asc);
    let mut ranked = lines.into_query();
    ranked.expr_window_as(Func::cust("row_number"), window, "row_rank");
    let first = Query::select()
        .columns(Column::iter())
        .from_subquery(ranked, "ranked")
        .and_where(Expr::col("row_rank").lte(part.first))
        .order_by("row_rank", Order::Asc)
        .to_owned();
    let rows = db.query_all(&first).await?;
    let rows: Vec<_> = rows.iter().map(|row| line_item::Model::from_query_result(row, "")).collect::<Result<_, _>>()?;
    Ok(grouped(rows, |row| row.invoice_id.clone()))
}

/// How many lines each invoice has.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn count_of_invoices(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    invoices: &[InvoiceId],
) -> Result<HashMap<InvoiceId, i64>, StoreError> {
    let backend = db.get_database_backend();
    let lines = line_item::Entity::find()
        .filter(visible(backend, tenant, Column::TenantId, Column::CustomerId)?)
        .filter(any_of(backend, Column::InvoiceId, texts(invoices))?);
    count::rows_by(db, lines, Column::InvoiceId).await
}
