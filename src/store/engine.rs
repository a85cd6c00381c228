//! The one small place that knows SQLite from Postgres.
//!
//! How each is opened, how many keys become one parameter, and where their SQL differs by a word.

use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sea_orm::sea_query::{Expr, ExprTrait, Func, Query};
use sea_orm::{
    ColumnTrait, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, RuntimeErr,
    SqliteTransactionMode, Statement, TransactionOptions,
};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};

use super::doubts::Doubts;
use super::{StoreError, error, row_security};

/// How often SQLite looks at its deadline: about every 10,000 of its instructions, well below a millisecond.
const SQLITE_STEPS_BETWEEN_CHECKS: i32 = 10_000;

/// How long a SQLite writer waits for another process's write to end.
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait before a locked SQLite file is tried again.
const SQLITE_RETRY_PAUSE: Duration = Duration::from_millis(20);

/// The page cache of the connection that writes: 64 MiB, in the negative KiB that SQLite understands.
const SQLITE_WRITER_CACHE: &str = "-65536";

/// How long a Postgres writer waits for a row that another transaction holds.
const POSTGRES_LOCK_TIMEOUT: &str = "2s";

/// A Postgres connection idle for longer is tested before it is used again.
const POSTGRES_IDLE_BEFORE_TEST: Duration = Duration::from_secs(5);

/// Sizes and time-outs of the connection pools.
#[derive(Clone, Copy, Debug)]
pub struct PoolSettings {
    /// Connections for reading; on Postgres as many again for writing.
    pub connections: u32,
    /// Longest wait for a free connection.
    pub acquire_timeout: Duration,
    /// Longest time one read may take.
    pub read_timeout: Duration,
    /// Longest time one write may take; on SQLite a whole transaction.
    pub write_timeout: Duration,
}

/// Which engine a database URL names, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file, made when it does not exist.
    Sqlite(String),
    /// A server.
    Postgres(String),
}

/// A database URL that is neither.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the database URL must be sqlite://FILE or postgres://…")]
pub struct UnknownEngine;

impl FromStr for DatabaseUrl {
    type Err = UnknownEngine;

    fn from_str(url: &str) -> Result<Self, UnknownEngine> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") if names_a_file(url) => Ok(Self::Sqlite(url.to_owned())),
            Some("postgres" | "postgresql") => Ok(Self::Postgres(url.to_owned())),
            _ => Err(UnknownEngine),
        }
    }
}

/// A database in memory, or one without a name, is another one for each connection.
fn names_a_file(url: &str) -> bool {
    let name = url.trim_start_matches("sqlite:").trim_start_matches("//");
    let name = name.split('?').next().unwrap_or_default();
    !name.is_empty() && name != ":memory:" && !url.contains("mode=memory")
}

impl DatabaseUrl {
    /// The URL without user and password, fit for logs and answers.
    pub fn shown(&self) -> String {
        match self {
            Self::Sqlite(url) => url.clone(),
            Self::Postgres(url) => match url::Url::parse(url) {
                Ok(mut url) => {
                    // Both fail only for URLs that cannot have a user, which then show none.
                    let _no_user = url.set_username("");
                    let _no_password = url.set_password(None);
                    url.set_query(None);
                    url.to_string()
                }
                Err(_unreadable) => "postgres".to_owned(),
            },
        }
    }

    fn options(&self, connections: u32, settings: &PoolSettings) -> ConnectOptions {
        let url = match self {
            Self::Sqlite(url) | Self::Postgres(url) => url.clone(),
        };
        let mut options = ConnectOptions::new(url);
        options
            .min_connections(connections)
            .max_connections(connections)
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(settings.acquire_timeout)
            .connect_timeout(settings.acquire_timeout)
            .test_before_acquire(false)
            .sqlx_logging(false);
        options
    }

    /// Tries one connection without a pool: a pool would wait for its whole time-out and hide why.
    pub(super) async fn probe(&self) -> Result<(), DbErr> {
        use sqlx::ConnectOptions as _;
        let Self::Postgres(url) = self else { return Ok(()) };
        let refused = |source: sqlx::Error| DbErr::Conn(RuntimeErr::SqlxError(source.into()));
        let options = sqlx::postgres::PgConnectOptions::from_str(url).map_err(refused)?;
        let connection = options.connect().await.map_err(refused)?;
        connection.close().await.map_err(refused)
    }

    /// Opens the pool that writes. On SQLite it is a single connection, and a missing file is made.
    pub(super) async fn open_writer(
        &self,
        settings: &PoolSettings,
        doubts: &Arc<Doubts>,
    ) -> Result<DatabaseConnection, DbErr> {
        let connections = if matches!(self, Self::Sqlite(_)) { 1 } else { settings.connections };
        let mut options = self.options(connections, settings);
        match self {
            Self::Sqlite(_) => {
                options.map_sqlx_sqlite_opts(|sqlite| durable(sqlite).foreign_keys(true).create_if_missing(true));
                limit_time(&mut options, settings.write_timeout);
            }
            Self::Postgres(_) => {
                options
                    .statement_timeout(settings.write_timeout)
                    .test_before_acquire_if_idle_for(POSTGRES_IDLE_BEFORE_TEST)
                    .map_sqlx_postgres_opts(|postgres| postgres.options([("lock_timeout", POSTGRES_LOCK_TIMEOUT)]));
                leave_what_takes_no_writes(&mut options, doubts);
            }
        }
        connect_patiently(&options).await
    }

    /// Opens the pool that only reads. The file must exist.
    pub(super) async fn open_reader(&self, settings: &PoolSettings) -> Result<DatabaseConnection, DbErr> {
        let mut options = self.options(settings.connections, settings);
        // A table that is locked is waited for like a connection: what is locked for longer is being rebuilt.
        let lock_timeout = format!("{}ms", settings.acquire_timeout.as_millis().max(1));
        match self {
            Self::Sqlite(_) => {
                options.map_sqlx_sqlite_opts(|sqlite| sqlite.read_only(true).busy_timeout(SQLITE_BUSY_TIMEOUT));
                limit_time(&mut options, settings.read_timeout);
            }
            Self::Postgres(_) => {
                options
                    .statement_timeout(settings.read_timeout)
                    .test_before_acquire_if_idle_for(POSTGRES_IDLE_BEFORE_TEST)
                    .map_sqlx_postgres_opts(move |postgres| {
                        postgres.options([
                            ("plan_cache_mode", "force_generic_plan"),
                            ("default_transaction_read_only", "on"),
                            ("lock_timeout", lock_timeout.as_str()),
                        ])
                    });
            }
        }
        Database::connect(options).await
    }

    /// Opens the one connection that changes the schema: without foreign keys on SQLite (rebuilding a table would
    /// otherwise delete its children), and without a time limit.
    pub(super) async fn open_migrator(&self, settings: &PoolSettings) -> Result<DatabaseConnection, DbErr> {
        let mut options = self.options(1, settings);
        match self {
            Self::Sqlite(_) => {
                options.map_sqlx_sqlite_opts(|sqlite| durable(sqlite).foreign_keys(false).create_if_missing(true));
            }
            // A step that changes rows changes everyone's.
            Self::Postgres(_) => {
                options.map_sqlx_postgres_opts(|postgres| postgres.options(row_security::EVERYONES));
            }
        }
        connect_patiently(&options).await
    }
}

/// Opens a pool that writes. A SQLite file that another process makes at the same moment refuses the change to WAL at
/// once, whatever the busy time-out: so it is tried again for as long.
async fn connect_patiently(options: &ConnectOptions) -> Result<DatabaseConnection, DbErr> {
    let deadline = Instant::now() + SQLITE_BUSY_TIMEOUT;
    loop {
        match Database::connect(options.clone()).await {
            Err(refusal) if error::is_locked_file(&refusal) && Instant::now() < deadline => {
                tokio::time::sleep(SQLITE_RETRY_PAUSE).await;
            }
            opened => return opened,
        }
    }
}

/// Acknowledged writes survive a power failure. The default cache of 2 MiB makes SQLite read pages of indexes again and
/// again while many rows are written.
fn durable(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options
        .pragma("cache_size", SQLITE_WRITER_CACHE)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(SQLITE_BUSY_TIMEOUT)
}

/// What [`Store::unsafe_settings`](super::Store::unsafe_settings) tells, asked of a connection that writes.
pub(super) async fn unsafe_settings(db: &impl ConnectionTrait) -> Result<Vec<String>, StoreError> {
    let backend = db.get_database_backend();
    let sql = match backend {
        DbBackend::Postgres => {
            "SELECT name || ' = ' || setting AS told FROM pg_settings \
             WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off' ORDER BY name"
        }
        _ => "SELECT 'synchronous = ' || synchronous AS told FROM pragma_synchronous WHERE synchronous < 2",
    };
    let rows = db.query_all_raw(Statement::from_string(backend, sql)).await?;
    rows.iter().map(|row| Ok(row.try_get::<String>("", "told")?)).collect()
}

/// SQLite has no statement time-out, and a dropped future does not stop its query: a progress handler ends what is
/// still running when the connection has been out for `limit`.
fn limit_time(options: &mut ConnectOptions, limit: Duration) {
    options
        .map_sqlx_sqlite_pool_opts(move |pool| {
            pool.after_connect(move |connection, _| Box::pin(set_deadline(connection, limit)))
        })
        .map_sqlx_sqlite_before_acquire(move |connection, _| {
            Box::pin(async move {
                set_deadline(connection, limit).await?;
                Ok(is_fresh(connection))
            })
        });
}

/// Closes connections of Postgres that are in doubt and take no writes, before they are used again.
fn leave_what_takes_no_writes(options: &mut ConnectOptions, doubts: &Arc<Doubts>) {
    let doubts = Arc::clone(doubts);
    options.map_sqlx_postgres_before_acquire(move |connection, about| {
        let doubted = doubts.reach(about.age);
        Box::pin(async move {
            if !doubted {
                return Ok(true);
            }
            let writes = "SELECT current_setting('transaction_read_only') = 'off'";
            sqlx::query_scalar(writes).fetch_one(connection).await
        })
    });
}

/// Whether no transaction of whoever had the connection before is counted as open.
///
/// When the disk is full, SQLite takes a transaction back by itself, and the ROLLBACK that follows fails. The driver
/// goes on counting, and would make a savepoint of the next transaction, and its COMMIT a RELEASE: what is acknowledged
/// then is stored nowhere. Such a connection is closed, and a new one opened.
fn is_fresh(connection: &SqliteConnection) -> bool {
    !connection.is_in_transaction()
}

async fn set_deadline(connection: &mut SqliteConnection, limit: Duration) -> Result<(), sqlx::Error> {
    let deadline = Instant::now() + limit;
    connection
        .lock_handle()
        .await?
        .set_progress_handler(SQLITE_STEPS_BETWEEN_CHECKS, move || Instant::now() < deadline);
    Ok(())
}

/// How many connections a pool has, and how many of them are free.
pub(super) fn connections(pool: &DatabaseConnection) -> (u32, u32) {
    let (all, idle) = if pool.get_database_backend() == DbBackend::Postgres {
        let pool = pool.get_postgres_connection_pool();
        (pool.size(), pool.num_idle())
    } else {
        let pool = pool.get_sqlite_connection_pool();
        (pool.size(), pool.num_idle())
    };
    (all, u32::try_from(idle).unwrap_or(u32::MAX))
}

/// How a transaction that writes begins: SQLite takes its write lock at once, since one that reads first and writes
/// later fails when anyone else wrote in between.
pub(super) fn writing() -> TransactionOptions {
    TransactionOptions { sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate), ..Default::default() }
}

/// The condition that `column` is one of `keys`, as one parameter whatever their number: the statement's text never
/// changes, so it is prepared once. No key gives no row.
pub(super) fn any_of<C: ColumnTrait>(backend: DbBackend, column: C, keys: Vec<String>) -> Result<Expr, StoreError> {
    if backend == DbBackend::Postgres {
        return Ok(column.eq_any(keys));
    }
    Ok(Expr::col(column.as_column_ref()).in_subquery(listed(&keys)?))
}

/// [`any_of`] for an expression that is not a column.
pub(super) fn expr_any_of(backend: DbBackend, expr: Expr, keys: Vec<String>) -> Result<Expr, StoreError> {
    if backend == DbBackend::Postgres {
        return Ok(Expr::cust_with_exprs("$1 = ANY($2)", [expr, Expr::val(keys)]));
    }
    Ok(expr.in_subquery(listed(&keys)?))
}

/// The condition that the JSON list in `column` has only texts that are among `keys`.
pub(super) fn list_within<C: ColumnTrait>(backend: DbBackend, column: C, keys: &[String]) -> Result<Expr, StoreError> {
    let column = Expr::col(column.as_column_ref());
    let keys = Expr::val(serde_json::to_string(keys)?);
    let within = match backend {
        DbBackend::Postgres => "$1 <@ CAST($2 AS jsonb)",
        _ => "NOT EXISTS (SELECT 1 FROM json_each(?) WHERE value NOT IN (SELECT value FROM json_each(?)))",
    };
    Ok(Expr::cust_with_exprs(within, [column, keys]))
}

/// SQLite's `SELECT value FROM json_each(?)`.
fn listed(keys: &[String]) -> Result<sea_orm::sea_query::SelectStatement, StoreError> {
    let list = serde_json::to_string(keys)?;
    Ok(Query::select()
        .expr(Expr::cust("value"))
        .from_function(Func::cust("json_each").arg(Expr::val(list)), "keys")
        .to_owned())
}

/// `column` with its ASCII letters in lower case, the same on both engines whatever the server's locale.
pub(super) fn lower(backend: DbBackend, column: &str) -> Expr {
    match backend {
        DbBackend::Postgres => Expr::cust(format!("lower({column} COLLATE \"C\")")),
        _ => Expr::cust(format!("lower({column})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_has_all_its_connections_and_logs_nothing() {
        let second = Duration::from_secs(1);
        let settings =
            PoolSettings { connections: 7, acquire_timeout: second, read_timeout: second, write_timeout: second };
        let url: DatabaseUrl = "postgres://localhost/x".parse().unwrap();
        let options = url.options(7, &settings);
        assert_eq!((options.get_min_connections(), options.get_max_connections()), (Some(7), Some(7)));
        assert_eq!((options.get_acquire_timeout(), options.get_connect_timeout()), (Some(second), Some(second)));
        assert_eq!((options.get_sqlx_logging(), options.get_test_before_acquire()), (false, false));
    }
}
