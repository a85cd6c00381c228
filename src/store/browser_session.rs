//! Sessions of customers' browsers. Source of truth: table `sessions`. Lists are newest first.
//!
//! A session is looked up by the digest of its cookie, before its tenant is known: that, and noting its use, is the
//! operator's.

use std::collections::HashMap;

use entity::{CustomerId, Instant, SessionId, browser_session, browser_session::Column};
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait};
use sea_orm::{ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter};

use super::engine::any_of;
use super::page::{self, Direction, Keyset, Ordering, Page, SortValue};
use super::scope::{texts, visible};
use super::tenant::System;
use super::{StoreError, Tx, count};
use crate::domain::viewer::Tenant;

const ORDER: Ordering<Column> =
    Ordering { column: Column::CreatedAt, id: Column::Id, direction: Direction::Descending };

/// Which sessions a list has; given fields all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those that last at this moment, or those that have ended.
    pub active: Option<(bool, Instant)>,
    /// Of this customer.
    pub customer: Option<CustomerId>,
}

/// The session whose cookie has this digest, whosever it is.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn find_by_digest(
    _system: &System,
    db: &impl ConnectionTrait,
    sid_sha256: &str,
) -> Result<Option<browser_session::Model>, StoreError> {
    Ok(browser_session::Entity::find().filter(Column::SidSha256.eq(sid_sha256)).one(db).await?)
}

/// Notes that a session was used, unless that was noted after `before`, and moves the end of an unused one ahead, never
/// back.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn note_use(
    _system: &System,
    tx: &Tx,
    sid_sha256: &str,
    (now, before): (Instant, Instant),
    until: Instant,
) -> Result<(), StoreError> {
    let later = CaseStatement::new()
        .case(Column::IdleUntil.lt(until), Expr::value(until))
        .finally(Expr::col(Column::IdleUntil));
    browser_session::Entity::update_many()
        .col_expr(Column::LastUsedAt, Expr::value(Some(now)))
        .col_expr(Column::IdleUntil, later.into())
        .filter(Column::SidSha256.eq(sid_sha256))
        .filter(Column::LastUsedAt.is_null().or(Column::LastUsedAt.lte(before)))
        .exec(tx)
        .await?;
    Ok(())
}

/// Takes away sessions that ended long ago.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn forget(_system: &System, tx: &Tx, ended_before: Instant) -> Result<(), StoreError> {
    browser_session::Entity::delete_many().filter(Column::ExpiresAt.lt(ended_before)).exec(tx).await?;
    Ok(())
}

/// Writes a session that is new.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn insert(_tenant: &Tenant, tx: &Tx, row: browser_session::Model) -> Result<(), StoreError> {
    row.into_active_model().insert(tx).await?;
    Ok(())
}

/// A session by its id; nothing when it is unknown or not the caller's to see.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn find(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    id: &SessionId,
) -> Result<Option<browser_session::Model>, StoreError> {
    Ok(browser_session::Entity::find().filter(seen(tenant, db)?).filter(Column::Id.eq(id.clone())).one(db).await?)
}

/// Sessions by id; those that are unknown, or not the caller's to see, are left out.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn by_ids(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    ids: &[SessionId],
) -> Result<HashMap<SessionId, browser_session::Model>, StoreError> {
    let these = any_of(db.get_database_backend(), Column::Id, texts(ids))?;
    let rows = browser_session::Entity::find().filter(seen(tenant, db)?).filter(these).all(db).await?;
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
) -> Result<(Vec<browser_session::Model>, bool), StoreError> {
    let rows = browser_session::Entity::find().filter(seen(tenant, db)?).filter(matching(filter));
    Ok(page::finish(ORDER.paged(rows, page).all(db).await?, page))
}

/// How many sessions the list has.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn count(tenant: &Tenant, db: &impl ConnectionTrait, filter: &Filter) -> Result<i64, StoreError> {
    count::rows(db, browser_session::Entity::find().filter(seen(tenant, db)?).filter(matching(filter))).await
}

/// Where `row` stands in the list.
pub fn place(row: &browser_session::Model) -> Keyset {
    Keyset { value: SortValue::Instant(row.created_at), id: row.id.0.clone() }
}

/// Revokes a session; false when it was revoked before.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn revoke(tenant: &Tenant, tx: &Tx, id: &SessionId, now: Instant) -> Result<bool, StoreError> {
    let update = browser_session::Entity::update_many().col_expr(Column::RevokedAt, Expr::value(Some(now)));
    let own = update.filter(Column::TenantId.eq(tenant.id().clone())).filter(Column::Id.eq(id.clone()));
    Ok(own.filter(Column::RevokedAt.is_null()).exec(tx).await?.rows_affected == 1)
}

/// Sessions of the tenant and, where the caller is limited to some customers, of those only.
fn seen(tenant: &Tenant, db: &impl ConnectionTrait) -> Result<Condition, StoreError> {
    visible(db.get_database_backend(), tenant, Column::TenantId, Column::CustomerId)
}

fn matching(filter: &Filter) -> Condition {
    let active = |now: Instant| {
        let lasts = Condition::all().add(Column::IdleUntil.gt(now)).add(Column::ExpiresAt.gt(now));
        lasts.add(Column::RevokedAt.is_null())
    };
    Condition::all()
        .add_option(filter.active.map(|(wanted, now)| if wanted { active(now) } else { active(now).not() }))
        .add_option(filter.customer.as_ref().map(|id| Column::CustomerId.eq(id.clone())))
}
