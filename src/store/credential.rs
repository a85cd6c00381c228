//! API keys that the gateway issued. Source of truth: table `credentials`. Lists are newest first.
//!
//! A key is looked up before its tenant is known: that, and noting its use, is the operator's.

use std::collections::HashMap;

use entity::{CredentialId, Instant, credential, credential::Column};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, Select,
};

use super::count;
use super::engine::{any_of, list_within};
use super::page::{self, Direction, Keyset, Ordering, Page, SortValue};
use super::scope::texts;
use super::tenant::System;
use super::{StoreError, Tx};
use crate::domain::viewer::Tenant;

const ORDER: Ordering<Column> =
    Ordering { column: Column::CreatedAt, id: Column::Id, direction: Direction::Descending };

/// Which keys a list has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those that are good for something at this moment, or those that are not.
    pub active: Option<(bool, Instant)>,
}

/// The key with this handle, whosever it is.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn find_by_handle(
    _system: &System,
    db: &impl ConnectionTrait,
    handle: &str,
) -> Result<Option<credential::Model>, StoreError> {
    Ok(credential::Entity::find().filter(Column::Handle.eq(handle)).one(db).await?)
}

/// Notes that a key was used, unless that was noted after `before`.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn note_use(
    _system: &System,
    tx: &Tx,
    handle: &str,
    (now, before): (Instant, Instant),
) -> Result<(), StoreError> {
    credential::Entity::update_many()
        .col_expr(Column::LastUsedAt, Expr::value(Some(now)))
        .filter(Column::Handle.eq(handle))
        .filter(Column::LastUsedAt.is_null().or(Column::LastUsedAt.lte(before)))
        .exec(tx)
        .await?;
    Ok(())
}

/// Writes a key that is new.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn insert(_tenant: &Tenant, tx: &Tx, row: credential::Model) -> Result<(), StoreError> {
    row.into_active_model().insert(tx).await?;
    Ok(())
}

/// Keys by id; those that are unknown, or not the caller's to see, are left out.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn by_ids(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    ids: &[CredentialId],
) -> Result<HashMap<CredentialId, credential::Model>, StoreError> {
    let these = any_of(db.get_database_backend(), Column::Id, texts(ids))?;
    let rows = visible(tenant, db)?.filter(these).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.id.clone(), row)).collect())
}

/// One page of the list, and whether there are more rows in the page's direction.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn list(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    filter: &Filter,
    page: &Page,
) -> Result<(Vec<credential::Model>, bool), StoreError> {
    let rows = ORDER.paged(visible(tenant, db)?.filter(matching(filter)), page).all(db).await?;
    Ok(page::finish(rows, page))
}

/// How many keys the list has.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn count(tenant: &Tenant, db: &impl ConnectionTrait, filter: &Filter) -> Result<i64, StoreError> {
    count::rows(db, visible(tenant, db)?.filter(matching(filter))).await
}

/// How many keys of the tenant are good for something still.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn count_live(tenant: &Tenant, db: &impl ConnectionTrait, now: Instant) -> Result<i64, StoreError> {
    let live = credential::Entity::find().filter(Column::TenantId.eq(tenant.id().clone())).filter(active(now));
    count::rows(db, live).await
}

/// Revokes a key; false when it was revoked before.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn revoke(tenant: &Tenant, tx: &Tx, id: &CredentialId, now: Instant) -> Result<bool, StoreError> {
    let update = credential::Entity::update_many().col_expr(Column::RevokedAt, Expr::value(Some(now)));
    let own = update.filter(Column::TenantId.eq(tenant.id().clone())).filter(Column::Id.eq(id.clone()));
    Ok(own.filter(Column::RevokedAt.is_null()).exec(tx).await?.rows_affected == 1)
}

/// Lets a key end at a moment.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn end_at(tenant: &Tenant, tx: &Tx, id: &CredentialId, at: Instant) -> Result<(), StoreError> {
    let update = credential::Entity::update_many().col_expr(Column::ExpiresAt, Expr::value(at));
    update.filter(Column::TenantId.eq(tenant.id().clone())).filter(Column::Id.eq(id.clone())).exec(tx).await?;
    Ok(())
}

/// Where `row` stands in the list.
pub fn place(row: &credential::Model) -> Keyset {
    Keyset { value: SortValue::Instant(row.created_at), id: row.id.0.clone() }
}

fn active(now: Instant) -> Condition {
    Condition::all().add(Column::RevokedAt.is_null()).add(Column::ExpiresAt.gt(now))
}

fn matching(filter: &Filter) -> Condition {
    Condition::all().add_option(filter.active.map(|(wanted, now)| if wanted { active(now) } else { active(now).not() }))
}

/// Who is limited to some customers sees the keys that are limited to these or fewer.
fn visible(tenant: &Tenant, db: &impl ConnectionTrait) -> Result<Select<credential::Entity>, StoreError> {
    let own = credential::Entity::find().filter(Column::TenantId.eq(tenant.id().clone()));
    Ok(match tenant.customers() {
        None => own,
        Some(customers) => own.filter(Column::CustomerIds.is_not_null().and(list_within(
            db.get_database_backend(),
            Column::CustomerIds,
            &texts(customers),
        )?)),
    })
}
