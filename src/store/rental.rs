//! Rentals of GPUs. Reads; source of truth: table `rentals`. Lists are newest start first.

use std::collections::HashMap;

use entity::{CustomerId, InvoiceStatus, RentalId, RentalStatus, invoice, line_item, rental, rental::Column};
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement, UnionType};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, Select};

use super::StoreError;
use super::count;
use super::engine::any_of;
use super::invoice::{Range, in_range};
use super::page::{self, Direction, Keyset, Ordering, Page, SortValue};
use super::scope::{grouped, texts, visible};
use crate::domain::viewer::Tenant;

/// Which rentals a list has: given fields all hold, a list holds when one of its values does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// In one of these states.
    pub status: Option<Vec<RentalStatus>>,
    /// Of one of these GPU families.
    pub gpu_family: Option<Vec<String>>,
    /// Of one of these customers.
    pub customer_id: Option<Vec<CustomerId>>,
    /// Started in this time.
    pub started_at: Range<entity::Instant>,
    /// Billed, as a whole or in a line, by an invoice that is still to be paid; or by none.
    pub has_open_invoice: Option<bool>,
}

const ORDER: Ordering<Column> =
    Ordering { column: Column::StartedAt, id: Column::Id, direction: Direction::Descending };

/// Rentals by id; those that are unknown, or not the caller's, are left out.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn by_ids(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    ids: &[RentalId],
) -> Result<HashMap<RentalId, rental::Model>, StoreError> {
    let these = any_of(db.get_database_backend(), Column::Id, texts(ids))?;
    let rows = existing(tenant, db)?.filter(these).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.id.clone(), row)).collect())
}

/// One page of a list, and whether there are more rows in the page's direction.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn list(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    filter: &Filter,
    page: &Page,
) -> Result<(Vec<rental::Model>, bool), StoreError> {
    let rows = ORDER.paged(filtered(tenant, db, filter)?, page).all(db).await?;
    Ok(page::finish(rows, page))
}

/// The same page of the rentals of each customer, in one statement.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn list_of_customers(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    customers: &[CustomerId],
    page: &Page,
) -> Result<HashMap<CustomerId, (Vec<rental::Model>, bool)>, StoreError> {
    let theirs = any_of(db.get_database_backend(), Column::CustomerId, texts(customers))?;
    let rows = ORDER.paged_by(db, existing(tenant, db)?.filter(theirs), Column::CustomerId, page).await?;
    let pages = grouped(rows, |row| row.customer_id.clone());
    Ok(pages.into_iter().map(|(customer, rows)| (customer, page::finish(rows, page))).collect())
}

/// How many rentals a filter has.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn count(tenant: &Tenant, db: &impl ConnectionTrait, filter: &Filter) -> Result<i64, StoreError> {
    count::rows(db, filtered(tenant, db, filter)?).await
}

/// How many rentals each customer has.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn count_of_customers(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    customers: &[CustomerId],
) -> Result<HashMap<CustomerId, i64>, StoreError> {
    let theirs = any_of(db.get_database_backend(), Column::CustomerId, texts(customers))?;
    count::rows_by(db, existing(tenant, db)?.filter(theirs), Column::CustomerId).await
}

/// Where `row` stands in a list.
pub fn place(row: &rental::Model) -> Keyset {
    Keyset { value: SortValue::Instant(row.started_at), id: row.id.0.clone() }
}

fn existing(tenant: &Tenant, db: &impl ConnectionTrait) -> Result<Select<rental::Entity>, StoreError> {
    let own = visible(db.get_database_backend(), tenant, Column::TenantId, Column::CustomerId)?;
    Ok(rental::Entity::find().filter(own))
}

fn filtered(tenant: &Tenant, db: &impl ConnectionTrait, filter: &Filter) -> Result<Select<rental::Entity>, StoreError> {
    let backend = db.get_database_backend();
    let mut all = Condition::all().add(in_range(&Expr::col((rental::Entity, Column::StartedAt)), filter.started_at));
    let words = [
        (Column::Status, filter.status.as_ref().map(|list| list.iter().map(|word| word.word()).collect())),
        (Column::GpuFamily, filter.gpu_family.clone()),
        (Column::CustomerId, filter.customer_id.as_deref().map(texts)),
    ];
    for (column, keys) in words {
        if let Some(keys) = keys {
            all = all.add(any_of(backend, column, keys)?);
        }
    }
    if let Some(wanted) = filter.has_open_invoice {
        let billed = Expr::col((rental::Entity, Column::Id)).in_subquery(billed_openly(tenant, backend)?);
        all = all.add(if wanted { billed } else { billed.not() });
    }
    Ok(existing(tenant, db)?.filter(all))
}

/// The rentals that invoices which are still to be paid bill, as a whole or in a line.
fn billed_openly(tenant: &Tenant, backend: DbBackend) -> Result<SelectStatement, StoreError> {
    let open = visible(backend, tenant, invoice::Column::TenantId, invoice::Column::CustomerId)?
        .add(invoice::Column::Status.is_in([InvoiceStatus::Open, InvoiceStatus::Uncollectible]))
        .add(
            Expr::col((invoice::Entity, invoice::Column::AmountDue))
                .gt(Expr::col((invoice::Entity, invoice::Column::AmountPaid))),
        )
        .add(invoice::Column::DeletedAt.is_null());
    let same = |invoice: invoice::Column, line: line_item::Column| {
        Expr::col((invoice::Entity, invoice)).equals((line_item::Entity, line))
    };
    let lines = Query::select()
        .column((line_item::Entity, line_item::Column::RentalId))
        .from(line_item::Entity)
        .inner_join(
            invoice::Entity,
            same(invoice::Column::TenantId, line_item::Column::TenantId)
                .and(same(invoice::Column::Id, line_item::Column::InvoiceId)),
        )
        .cond_where(open.clone())
        .and_where(line_item::Column::RentalId.is_not_null())
        .to_owned();
    Ok(Query::select()
        .column((invoice::Entity, invoice::Column::RentalId))
        .from(invoice::Entity)
        .cond_where(open)
        .and_where(invoice::Column::RentalId.is_not_null())
        .union(UnionType::Distinct, lines)
        .to_owned())
}
