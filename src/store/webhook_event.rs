//! The inbox of webhooks: stored before they are acknowledged, leased to be worked on. Source of truth: table
//! `webhook_events`.
//!
//! The inbox is the operator's: whose an event is turns out only when it is worked on. Several servers may work on the
//! same inbox: a lease is one statement, and whoever lets it run out has lost it.

use entity::{Instant, InvoiceId, TenantId, WebhookStatus, webhook_event, webhook_event::Column};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    Statement, TryInsertResult, Value,
};

use super::engine::any_of;
use super::scope::texts;
use super::tenant::System;
use super::{StoreError, Tx};

/// The columns of a row, as the lease gives them.
const COLUMNS: &str = "endpoint, event_id, tenant_id, provider, type, api_version, livemode, account_id, object_id, \
    invoice_id, event_created, payload, status, attempts, next_attempt_at, leased_by, leased_until, error, received_at, \
    processed_at, source";

/// How the work on an event ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finish {
    /// What it is now.
    pub status: WebhookStatus,
    /// When it is taken up again; absent for never.
    pub next_attempt_at: Option<Instant>,
    /// Why it is not processed.
    pub error: Option<String>,
    /// Whose it is, where that is known.
    pub tenant: Option<TenantId>,
    /// The invoice it changed.
    pub invoice: Option<InvoiceId>,
    /// When the work ended.
    pub at: Instant,
}

/// Which events are taken up again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replay {
    /// The event with this id, at every endpoint, whatever became of it.
    Event(String),
    /// All that are parked or failed.
    Unfinished,
}

/// Puts an event into the inbox; false when it is there already.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn insert(_system: &System, tx: &Tx, row: webhook_event::Model) -> Result<bool, StoreError> {
    let insert = webhook_event::Entity::insert(row.into_active_model()).on_conflict_do_nothing();
    Ok(matches!(insert.exec_without_returning(tx).await?, TryInsertResult::Inserted(1..)))
}

/// Whether an event of these endpoints waits to be worked on.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn is_due(
    _system: &System,
    db: &impl ConnectionTrait,
    endpoints: &[&str],
    now: Instant,
) -> Result<bool, StoreError> {
    let due = webhook_event::Entity::find()
        .select_only()
        .column(Column::EventId)
        .filter(Column::NextAttemptAt.lte(now))
        .filter(Column::LeasedUntil.is_null().or(Column::LeasedUntil.lte(now)))
        .filter(any_of(db.get_database_backend(), Column::Endpoint, texts(endpoints))?)
        .limit(1);
    Ok(due.into_tuple::<String>().one(db).await?.is_some())
}

/// Leases up to `limit` events of these endpoints that are due, longest waiting first, and counts the attempt.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn lease(
    _system: &System,
    tx: &Tx,
    by: &str,
    endpoints: &[&str],
    (now, until): (Instant, Instant),
    limit: u32,
) -> Result<Vec<webhook_event::Model>, StoreError> {
    let backend = tx.get_database_backend();
    // One parameter for all endpoints, and the lock that SQLite neither knows nor needs.
    let (ours, names, lock): (_, Value, _) = match backend {
        DbBackend::Postgres => ("= ANY ($5)", texts(endpoints).into(), "FOR UPDATE SKIP LOCKED"),
        _ => ("IN (SELECT value FROM json_each($5))", serde_json::to_string(endpoints)?.into(), ""),
    };
    let sql = format!(
        "WITH picked (picked_endpoint, picked_event) AS MATERIALIZED (SELECT endpoint, event_id FROM webhook_events \
            WHERE next_attempt_at <= $1 AND (leased_until IS NULL OR leased_until <= $1) \
            AND endpoint {ours} \
            ORDER BY next_attempt_at LIMIT $2 {lock}) \
         UPDATE webhook_events SET leased_by = $3, leased_until = $4, attempts = attempts + 1 \
            FROM picked WHERE endpoint = picked_endpoint AND event_id = picked_event RETURNING {COLUMNS}"
    );
    let values: [Value; 5] = [now.into(), i64::from(limit).into(), by.into(), until.into(), names];
    let statement = Statement::from_sql_and_values(backend, sql, values);
    let mut rows = webhook_event::Entity::find().from_raw_sql(statement).all(tx).await?;
    rows.sort_by(|one, other| (one.received_at, &one.event_id).cmp(&(other.received_at, &other.event_id)));
    Ok(rows)
}

/// Lengthens the leases that `by` still has.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn renew(_system: &System, tx: &Tx, by: &str, (now, until): (Instant, Instant)) -> Result<(), StoreError> {
    let leases = webhook_event::Entity::update_many().col_expr(Column::LeasedUntil, Expr::value(until));
    leases.filter(Column::LeasedBy.eq(by)).filter(Column::LeasedUntil.gt(now)).exec(tx).await?;
    Ok(())
}

/// Gives back the leases that `by` has, so that others need not wait for their end.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn release(_system: &System, tx: &Tx, by: &str) -> Result<(), StoreError> {
    let leases = webhook_event::Entity::update_many()
        .col_expr(Column::LeasedUntil, Expr::value(Option::<Instant>::None))
        .col_expr(Column::LeasedBy, Expr::value(Option::<String>::None));
    leases.filter(Column::LeasedBy.eq(by)).exec(tx).await?;
    Ok(())
}

/// Writes how the work on a leased event ended; false when the lease is another's by now, and nothing may be written.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn finish(
    _system: &System,
    tx: &Tx,
    leased: &webhook_event::Model,
    finish: &Finish,
) -> Result<bool, StoreError> {
    let over = matches!(finish.status, WebhookStatus::Processed | WebhookStatus::Ignored);
    let update = webhook_event::Entity::update_many()
        .col_expr(Column::Status, Expr::value(finish.status))
        .col_expr(Column::NextAttemptAt, Expr::value(finish.next_attempt_at))
        .col_expr(Column::Error, Expr::value(finish.error.clone()))
        .col_expr(Column::TenantId, Expr::value(finish.tenant.clone()))
        .col_expr(Column::InvoiceId, Expr::value(finish.invoice.clone()))
        .col_expr(Column::ProcessedAt, Expr::value(over.then_some(finish.at)))
        .col_expr(Column::LeasedBy, Expr::value(Option::<String>::None))
        .col_expr(Column::LeasedUntil, Expr::value(Option::<Instant>::None));
    let written = update
        .filter(Column::Endpoint.eq(leased.endpoint.clone()))
        .filter(Column::EventId.eq(leased.event_id.clone()))
        .filter(Column::LeasedBy.eq(leased.leased_by.clone()))
        .filter(Column::Attempts.eq(leased.attempts))
        .exec(tx)
        .await?;
    Ok(written.rows_affected == 1)
}

/// Takes up again now what is about this object at Stripe, and was parked or ignored because nobody knew it.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn wake(_system: &System, tx: &Tx, object: &str, now: Instant) -> Result<(), StoreError> {
    let unknown = webhook_event::Entity::update_many()
        .col_expr(Column::Status, Expr::value(WebhookStatus::Received))
        .col_expr(Column::NextAttemptAt, Expr::value(Some(now)))
        .col_expr(Column::Attempts, Expr::value(0));
    unknown
        .filter(Column::ObjectId.eq(object))
        .filter(Column::Status.is_in([WebhookStatus::Parked, WebhookStatus::Ignored]))
        .filter(Column::LeasedUntil.is_null().or(Column::LeasedUntil.lte(now)))
        .exec(tx)
        .await?;
    Ok(())
}

/// Takes away up to `limit` events that came before `before` and were processed or ignored, the oldest first. Gives how
/// many.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn prune(_system: &System, tx: &Tx, before: Instant, limit: u64) -> Result<u64, StoreError> {
    let backend = tx.get_database_backend();
    // One status at a time, so that the index on status and time is read from its beginning.
    let oldest = |status: WebhookStatus| {
        format!(
            "SELECT * FROM (SELECT endpoint, event_id, received_at FROM webhook_events \
                WHERE status = '{}' AND received_at < $1 AND leased_until IS NULL ORDER BY received_at LIMIT $2) AS old",
            status.word()
        )
    };
    let sql = format!(
        "DELETE FROM webhook_events WHERE (endpoint, event_id) IN (SELECT endpoint, event_id FROM ({} UNION ALL {}) \
            AS oldest ORDER BY received_at LIMIT $2)",
        oldest(WebhookStatus::Processed),
        oldest(WebhookStatus::Ignored),
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let statement = Statement::from_sql_and_values(backend, sql, [Value::from(before), limit.into()]);
    Ok(tx.execute_raw(statement).await?.rows_affected())
}

/// The newest `limit` events, of one status or of all.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn list(
    _system: &System,
    db: &impl ConnectionTrait,
    status: Option<WebhookStatus>,
    limit: u64,
) -> Result<Vec<webhook_event::Model>, StoreError> {
    let mut rows = webhook_event::Entity::find();
    if let Some(status) = status {
        rows = rows.filter(Column::Status.eq(status));
    }
    Ok(rows.order_by_desc(Column::ReceivedAt).order_by_asc(Column::EventId).limit(limit).all(db).await?)
}

/// How many events there are of each status that is not the end, and when the oldest of them came.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn unfinished(
    _system: &System,
    db: &impl ConnectionTrait,
) -> Result<Vec<(WebhookStatus, i64, Instant)>, StoreError> {
    let waiting = [WebhookStatus::Received, WebhookStatus::Parked, WebhookStatus::Failed];
    let statuses = webhook_event::Entity::find()
        .select_only()
        .column(Column::Status)
        .column_as(Column::EventId.count(), "events")
        .column_as(Column::ReceivedAt.min(), "oldest")
        .filter(Column::Status.is_in(waiting))
        .group_by(Column::Status);
    Ok(statuses.into_tuple().all(db).await?)
}

/// Makes events due now, with all their attempts before them. Gives how many. Those that are being worked on stay.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn replay(_system: &System, tx: &Tx, which: &Replay, now: Instant) -> Result<u64, StoreError> {
    let update = webhook_event::Entity::update_many()
        .col_expr(Column::Status, Expr::value(WebhookStatus::Received))
        .col_expr(Column::NextAttemptAt, Expr::value(Some(now)))
        .col_expr(Column::Attempts, Expr::value(0))
        .col_expr(Column::ProcessedAt, Expr::value(Option::<Instant>::None))
        .col_expr(Column::LeasedBy, Expr::value(Option::<String>::None))
        .col_expr(Column::LeasedUntil, Expr::value(Option::<Instant>::None));
    let update = match which {
        Replay::Event(id) => update.filter(Column::EventId.eq(id.as_str())),
        Replay::Unfinished => update.filter(Column::Status.is_in([WebhookStatus::Parked, WebhookStatus::Failed])),
    };
    let idle = Column::LeasedUntil.is_null().or(Column::LeasedUntil.lte(now));
    Ok(update.filter(idle).exec(tx).await?.rows_affected)
}
