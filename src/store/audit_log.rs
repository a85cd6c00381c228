//! The audit log: a chain of entries for each tenant. Source of truth: tables `audit_log` and `audit_heads`.
//!
//! Every action that changes something calls [`append`] in its own transaction, last: the row of the chain's end is
//! held until the commit, so writers of one tenant wait for each other there and nowhere else. Readers never do.

use entity::{Instant, TenantId, audit_entry, audit_entry::Column, audit_head};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect,
};

use super::page::{self, Direction, Keyset, Ordering, Page, SortValue};
use super::tenant::System;
use super::{StoreError, Tx};
use crate::domain::actor::Actor;
use crate::domain::trail::{self, Deed};
use crate::domain::viewer::Tenant;

const ORDER: Ordering<Column> =
    Ordering { column: Column::Sequence, id: Column::TenantId, direction: Direction::Descending };

/// Which entries a list has; given fields all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Of this action.
    pub action: Option<String>,
    /// About the thing with this id.
    pub object_id: Option<String>,
    /// By the principal of this name.
    pub actor_id: Option<String>,
    /// Written then or later.
    pub since: Option<Instant>,
    /// Written before.
    pub until: Option<Instant>,
}

/// Adds an entry to the tenant's chain, in the transaction of what it tells.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn append(tenant: &Tenant, tx: &Tx, actor: &Actor, deed: Deed, at: Instant) -> Result<(), StoreError> {
    write(tenant.id(), tx, actor, deed, at).await
}

/// Adds an entry to the chain of whoever runs the gateway, about no tenant in particular.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn append_of_operator(
    _system: &System,
    tx: &Tx,
    actor: &Actor,
    deed: Deed,
    at: Instant,
) -> Result<(), StoreError> {
    write(&operator(), tx, actor, deed, at).await
}

/// The name of the operator's own chain: no tenant has an empty id.
pub fn operator() -> TenantId {
    TenantId(String::new())
}

async fn write(tenant: &TenantId, tx: &Tx, actor: &Actor, deed: Deed, at: Instant) -> Result<(), StoreError> {
    let head = hold(tenant, tx).await?;
    let row = trail::entry(&head, actor, deed, at);
    let moved = audit_head::Entity::update_many()
        .col_expr(audit_head::Column::Entries, Expr::value(row.sequence))
        .col_expr(audit_head::Column::Hash, Expr::value(row.hash.clone()));
    moved.filter(audit_head::Column::TenantId.eq(tenant.clone())).exec(tx).await?;
    row.into_active_model().insert(tx).await?;
    Ok(())
}

/// The end of a chain, which nobody else moves before the transaction ends.
async fn hold(tenant: &TenantId, tx: &Tx) -> Result<audit_head::Model, StoreError> {
    let none = trail::start(tenant);
    let insert = audit_head::Entity::insert(none.clone().into_active_model()).on_conflict_do_nothing();
    insert.exec_without_returning(tx).await?;
    let held = audit_head::Entity::find_by_id(tenant.clone()).lock_exclusive().one(tx).await?;
    Ok(held.unwrap_or(none))
}

/// One page of the list, newest first, and whether there are more rows in the page's direction. An entry may be about
/// any customer: who is limited to some sees none.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn list(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    filter: &Filter,
    page: &Page,
) -> Result<(Vec<audit_entry::Model>, bool), StoreError> {
    if tenant.customers().is_some() {
        return Ok((Vec::new(), false));
    }
    let filtered = Condition::all()
        .add(Column::TenantId.eq(tenant.id().clone()))
        .add_option(filter.action.as_ref().map(|action| Column::Action.eq(action.clone())))
        .add_option(filter.object_id.as_ref().map(|id| Column::ObjectId.eq(id.clone())))
        .add_option(filter.actor_id.as_ref().map(|id| Column::ActorId.eq(id.clone())))
        .add_option(filter.since.map(|at| Column::At.gte(at)))
        .add_option(filter.until.map(|at| Column::At.lt(at)));
    let rows = ORDER.paged(audit_entry::Entity::find().filter(filtered), page).all(db).await?;
    Ok(page::finish(rows, page))
}

/// Where `row` stands in the list.
pub fn place(row: &audit_entry::Model) -> Keyset {
    Keyset { value: SortValue::Integer(row.sequence), id: row.tenant_id.0.clone() }
}

/// The noted end of every chain, that of the operator included.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn heads(_system: &System, db: &impl ConnectionTrait) -> Result<Vec<audit_head::Model>, StoreError> {
    Ok(audit_head::Entity::find().order_by_asc(audit_head::Column::TenantId).all(db).await?)
}

/// The noted end of one chain, as it is now.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn head(
    _system: &System,
    db: &impl ConnectionTrait,
    chain: &TenantId,
) -> Result<Option<audit_head::Model>, StoreError> {
    Ok(audit_head::Entity::find_by_id(chain.clone()).one(db).await?)
}

/// Every chain that has an entry, whether its end is noted or not.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn chains(_system: &System, db: &impl ConnectionTrait) -> Result<Vec<TenantId>, StoreError> {
    let first = audit_entry::Entity::find().select_only().column(Column::TenantId).distinct();
    Ok(first.order_by_asc(Column::TenantId).into_tuple().all(db).await?)
}

/// Entries of a chain behind the one of that number, oldest first, at most `limit`.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn behind(
    _system: &System,
    db: &impl ConnectionTrait,
    chain: &TenantId,
    after: i64,
    limit: u64,
) -> Result<Vec<audit_entry::Model>, StoreError> {
    let rows =
        audit_entry::Entity::find().filter(Column::TenantId.eq(chain.clone())).filter(Column::Sequence.gt(after));
    Ok(rows.order_by_asc(Column::Sequence).limit(limit).all(db).await?)
}

/// The newest entries of a chain, newest first, at most `limit`.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn newest(
    _system: &System,
    db: &impl ConnectionTrait,
    chain: &TenantId,
    limit: u64,
) -> Result<Vec<audit_entry::Model>, StoreError> {
    let rows = audit_entry::Entity::find().filter(Column::TenantId.eq(chain.clone()));
    Ok(rows.order_by_desc(Column::Sequence).limit(limit).all(db).await?)
}
