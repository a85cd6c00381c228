//! Bringing the schema up or down, all of it or nothing.
//!
//! Several replicas may start at once: on Postgres an advisory lock inside the same transaction lets one of them
//! migrate while the others wait; on SQLite the write lock does.

use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, TransactionTrait};

use super::{DatabaseUrl, PoolSettings, StoreError, engine, row_security};

/// The advisory lock of the migrations: any number that no other program on the server uses.
const LOCK: i64 = 0x_b111_1a91_0001;

/// A step of the schema's history.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct MigrationState {
    /// Its name, which starts with its date.
    pub name: String,
    /// Whether the database has it.
    pub applied: bool,
}

/// Applies every step the database lacks.
///
/// # Errors
/// When the database cannot be opened, or a step fails: nothing has changed then.
pub async fn up(url: &DatabaseUrl, settings: &PoolSettings) -> Result<(), StoreError> {
    alone(url, settings, async |tx| {
        Migrator::up(tx, None).await?;
        row_security::keep_up(tx).await
    })
    .await
}

/// Takes back the last `steps` steps, with all data that only they held.
///
/// # Errors
/// When the database cannot be opened, or a step fails: nothing has changed then.
pub async fn down(url: &DatabaseUrl, settings: &PoolSettings, steps: u32) -> Result<(), StoreError> {
    alone(url, settings, async |tx| Migrator::down(tx, Some(steps)).await).await
}

/// The steps this program knows, oldest first, and whether the database has them. Changes nothing.
///
/// Steps that only a newer program knows are not listed: an older one can serve a newer schema.
///
/// # Errors
/// When the database cannot be read.
pub async fn status(connection: &impl ConnectionTrait) -> Result<Vec<MigrationState>, StoreError> {
    let applied = applied(connection).await?;
    let known = Migrator::migrations();
    Ok(known
        .iter()
        .map(|step| MigrationState {
            name: step.name().to_owned(),
            applied: applied.iter().any(|name| name == step.name()),
        })
        .collect())
}

/// Names in the table of migrations; none where there is no such table.
async fn applied(connection: &impl ConnectionTrait) -> Result<Vec<String>, StoreError> {
    let backend = connection.get_database_backend();
    let tables = match backend {
        DbBackend::Postgres => "SELECT to_regclass('seaql_migrations') IS NOT NULL AS known",
        _ => "SELECT count(*) > 0 AS known FROM sqlite_master WHERE name = 'seaql_migrations'",
    };
    let known = connection.query_one_raw(sea_orm::Statement::from_string(backend, tables)).await?;
    let known: bool = known.map(|row| row.try_get("", "known")).transpose()?.unwrap_or(false);
    if !known {
        return Ok(Vec::new());
    }
    let names = sea_orm::Statement::from_string(backend, "SELECT version FROM seaql_migrations ORDER BY version");
    let rows = connection.query_all_raw(names).await?;
    Ok(rows.iter().map(|row| row.try_get("", "version")).collect::<Result<_, _>>()?)
}

/// Changes the schema in one transaction, while nobody else does.
///
/// # Errors
/// When the database cannot be opened, or the change fails: nothing has changed then.
pub(super) async fn alone(
    url: &DatabaseUrl,
    settings: &PoolSettings,
    change: impl AsyncFnOnce(&DatabaseTransaction) -> Result<(), DbErr>,
) -> Result<(), StoreError> {
    url.probe().await?;
    let connection = url.open_migrator(settings).await?;
    let tx = begin(&connection).await?;
    change(&tx).await?;
    finish(connection, tx).await
}

async fn begin(connection: &DatabaseConnection) -> Result<DatabaseTransaction, StoreError> {
    let tx = connection.begin_with_options(engine::writing()).await?;
    if tx.get_database_backend() == DbBackend::Postgres {
        tx.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({LOCK})")).await?;
    }
    Ok(tx)
}

/// Commits, after SQLite (whose foreign keys were off meanwhile) has looked for rows without their parents.
async fn finish(connection: DatabaseConnection, tx: DatabaseTransaction) -> Result<(), StoreError> {
    if tx.get_database_backend() == DbBackend::Sqlite {
        let check = sea_orm::Statement::from_string(DbBackend::Sqlite, "PRAGMA foreign_key_check");
        if !tx.query_all_raw(check).await?.is_empty() {
            return Err(StoreError::Defect(DbErr::Migration("rows lost their parents".to_owned()).into()));
        }
    }
    tx.commit().await?;
    Ok(connection.close().await?)
}
