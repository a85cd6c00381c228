//! Customers, as known now. Source of truth: table `customers`. Lists are newest first.

use std::collections::HashMap;

use entity::{CustomerId, CustomerStatus, customer, customer::Column};
use sea_orm::sea_query::{ExprTrait, LikeExpr};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, Select};

use super::StoreError;
use super::count;
use super::engine::{any_of, lower};
use super::page::{self, Direction, Keyset, Ordering, Page, SortValue};
use super::scope::{texts, visible};
use crate::domain::viewer::Tenant;

/// Which customers a list has; given fields all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// With exactly this e-mail address, in any case of letters.
    pub email: Option<String>,
    /// With exactly this id in the source system.
    pub external_id: Option<String>,
    /// With this text in name, company, alias or foreign id, in any case of ASCII letters.
    pub search: Option<String>,
    /// In one of these states.
    pub status: Option<Vec<CustomerStatus>>,
}

const ORDER: Ordering<Column> =
    Ordering { column: Column::CreatedAt, id: Column::Id, direction: Direction::Descending };

/// Customers by id; those that are unknown, or not the caller's, are left out.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn by_ids(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    ids: &[CustomerId],
) -> Result<HashMap<CustomerId, customer::Model>, StoreError> {
    let these = any_of(db.get_database_backend(), Column::Id, texts(ids))?;
    let rows = existing(tenant, db)?.filter(these).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.id.clone(), row)).collect())
}

/// Whether a customer of the tenant is this one at Stripe.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn has_stripe_customer(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    stripe_customer_id: &str,
) -> Result<bool, StoreError> {
    let row = customer::Entity::find()
        .filter(Column::TenantId.eq(tenant.id().clone()))
        .filter(Column::StripeCustomerId.eq(stripe_customer_id));
    Ok(row.one(db).await?.is_some())
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
) -> Result<(Vec<customer::Model>, bool), StoreError> {
    let rows = ORDER.paged(filtered(tenant, db, filter)?, page).all(db).await?;
    Ok(page::finish(rows, page))
}

/// How many customers a filter has.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn count(tenant: &Tenant, db: &impl ConnectionTrait, filter: &Filter) -> Result<i64, StoreError> {
    count::rows(db, filtered(tenant, db, filter)?).await
}

/// Where `row` stands in a list.
pub fn place(row: &customer::Model) -> Keyset {
    Keyset { value: SortValue::Instant(row.created_at), id: row.id.0.clone() }
}

fn existing(tenant: &Tenant, db: &impl ConnectionTrait) -> Result<Select<customer::Entity>, StoreError> {
    // A caller who is limited to some customers sees just these rows.
    let own = visible(db.get_database_backend(), tenant, Column::TenantId, Column::Id)?;
    Ok(customer::Entity::find().filter(own))
}

fn filtered(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    filter: &Filter,
) -> Result<Select<customer::Entity>, StoreError> {
    let backend = db.get_database_backend();
    let mut all = Condition::all()
        .add_option(filter.external_id.as_ref().map(|id| Column::ExternalId.eq(id.clone())))
        .add_option(filter.email.as_ref().map(|email| lower(backend, "email").eq(email.to_ascii_lowercase())));
    if let Some(status) = &filter.status {
        all = all.add(any_of(backend, Column::Status, status.iter().map(|word| word.word()).collect())?);
    }
    if let Some(search) = &filter.search {
        let fields = ["name", "company_name", "alias", "external_id"];
        let found = fields.into_iter().fold(Condition::any(), |any, field| {
            any.add(lower(backend, field).like(containing(&search.to_ascii_lowercase())))
        });
        all = all.add(found);
    }
    Ok(existing(tenant, db)?.filter(all))
}

/// A pattern for texts that contain `text` as it stands: `%` and `_` mean themselves.
fn containing(text: &str) -> LikeExpr {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    LikeExpr::new(format!("%{escaped}%")).escape('\\')
}
