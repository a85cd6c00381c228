//! Work that goes on beside requests: leased, so that one process does it at a time, with how far it came. Source of
//! truth: table `jobs`.
//!
//! A lease is one statement, and whoever lets it run out has lost it.

use entity::{Instant, Json, job, job::Column};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect, UpdateMany};

use super::tenant::System;
use super::{StoreError, Tx};
use crate::domain::viewer::Tenant;

/// Leases a job of the tenant for `by` until a moment; false while somebody else has it. Whoever has it may take it
/// again.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn take(
    tenant: &Tenant,
    tx: &Tx,
    (name, by): (&str, &str),
    (now, until): (Instant, Instant),
) -> Result<bool, StoreError> {
    let row = job::Model { tenant_id: tenant.id().clone(), name: name.to_owned(), ..Default::default() };
    job::Entity::insert(row.into_active_model()).on_conflict_do_nothing().exec_without_returning(tx).await?;
    let free = Column::LeasedUntil.is_null().or(Column::LeasedUntil.lte(now)).or(Column::LeasedBy.eq(by));
    let lease = named(tenant, name)
        .col_expr(Column::LeasedBy, Expr::value(Some(by)))
        .col_expr(Column::LeasedUntil, Expr::value(Some(until)));
    Ok(lease.filter(free).exec(tx).await?.rows_affected == 1)
}

/// Lengthens the lease that `by` has; false when it has none any more.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn renew(
    tenant: &Tenant,
    tx: &Tx,
    (name, by): (&str, &str),
    (now, until): (Instant, Instant),
) -> Result<bool, StoreError> {
    let lease = named(tenant, name).col_expr(Column::LeasedUntil, Expr::value(Some(until)));
    let held = lease.filter(Column::LeasedBy.eq(by)).filter(Column::LeasedUntil.gt(now));
    Ok(held.exec(tx).await?.rows_affected == 1)
}

/// Gives back the lease that `by` has, so that others need not wait for its end.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn release(tenant: &Tenant, tx: &Tx, (name, by): (&str, &str)) -> Result<(), StoreError> {
    let lease = named(tenant, name)
        .col_expr(Column::LeasedBy, Expr::value(Option::<String>::None))
        .col_expr(Column::LeasedUntil, Expr::value(Option::<Instant>::None));
    lease.filter(Column::LeasedBy.eq(by)).exec(tx).await?;
    Ok(())
}

/// Whether anybody let the lease on a job of this name run out, of whatever tenant: it ended without giving it back.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn is_abandoned(
    _system: &System,
    db: &impl ConnectionTrait,
    name: &str,
    now: Instant,
) -> Result<bool, StoreError> {
    let abandoned = job::Entity::find()
        .select_only()
        .column(Column::TenantId)
        .filter(Column::Name.eq(name))
        .filter(Column::LeasedUntil.lte(now))
        .limit(1);
    Ok(abandoned.into_tuple::<String>().one(db).await?.is_some())
}

/// How far a job came; nothing when it never began or ended.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn state(tenant: &Tenant, db: &impl ConnectionTrait, name: &str) -> Result<Option<Json>, StoreError> {
    let row = job::Entity::find_by_id((tenant.id().clone(), name.to_owned())).one(db).await?;
    Ok(row.and_then(|row| row.state))
}

/// Writes how far a job came; false when its lease is another's by now, and nothing may be written.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn save_state(
    tenant: &Tenant,
    tx: &Tx,
    (name, by): (&str, &str),
    state: Option<Json>,
) -> Result<bool, StoreError> {
    let update = named(tenant, name).col_expr(Column::State, Expr::value(state));
    Ok(update.filter(Column::LeasedBy.eq(by)).exec(tx).await?.rows_affected == 1)
}

fn named(tenant: &Tenant, name: &str) -> UpdateMany<job::Entity> {
    job::Entity::update_many().filter(Column::TenantId.eq(tenant.id().clone())).filter(Column::Name.eq(name))
}
