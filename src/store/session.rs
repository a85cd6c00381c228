//! A connection that counts what goes through it.
//!
//! Loaders and actions of one request share one [`StatementStats`], so the number of statements a query costs is a
//! fact at the driver and not a guess. BEGIN and COMMIT are not statements.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr,
    Statement,
};

use super::StoreError;
use super::error::is_lost_connection;
use crate::stats::{Pool, StoreStats};

/// How many statements went to the database.
#[derive(Debug, Default)]
pub struct StatementStats {
    statements: AtomicU64,
}

impl StatementStats {
    /// Reads and writes so far.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    fn count(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
    }
}

/// A connection, or a transaction, and the counter of the request it works for.
#[derive(Clone, Debug)]
pub struct Session<C> {
    inner: C,
    stats: Arc<StatementStats>,
    reading: Option<Reading>,
}

/// What a reader has of its own.
#[derive(Clone, Debug)]
struct Reading {
    patience: Patience,
    all: Arc<StoreStats>,
}

/// How long a reader waits, and how often it tries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For an answer, in all.
    pub(super) time: Duration,
    /// On connections that turn out to be lost. After a restart of the database every pooled one is.
    pub(super) attempts: u32,
}

/// Reads, each on whichever connection is free.
pub type Reader = Session<DatabaseConnection>;

/// Writes that take effect together, or not at all.
pub type Tx = Session<DatabaseTransaction>;

impl Reader {
    /// A reader with bounds of its own: a server that is frozen cannot keep its own time limit.
    pub(super) const fn reading(
        inner: DatabaseConnection,
        stats: Arc<StatementStats>,
        patience: Patience,
        all: Arc<StoreStats>,
    ) -> Self {
        Self { inner, stats, reading: Some(Reading { patience, all }) }
    }
}

impl<C> Session<C> {
    /// Calls once, and for a reader again as long as its connections turn out to be lost, within its patience.
    async fn read<T, F>(&self, call: impl Fn() -> F + Send + Sync) -> Result<T, DbErr>
    where
        F: Future<Output = Result<T, DbErr>> + Send,
    {
        self.stats.count();
        let Some(Reading { patience, all }) = &self.reading else {
            return call().await;
        };
        let waiting = all.reading();
        let patiently = async {
            let mut answered = call().await;
            for _ in 1..patience.attempts {
                match &answered {
                    Err(error) if is_lost_connection(error) => {
                        self.stats.count();
                        answered = call().await;
                    }
                    _ => break,
                }
            }
            answered
        };
        let unanswered = |_elapsed| Err(DbErr::Conn(RuntimeErr::Internal("no answer in time".to_owned())));
        let answered = tokio::time::timeout(patience.time, patiently).await.unwrap_or_else(unanswered);
        drop(waiting);
        answered.inspect_err(|error| all.failed(Pool::Read, StoreError::class_of(error)))
    }
}

impl Tx {
    pub(super) fn writing(inner: DatabaseTransaction) -> Self {
        Self { inner, stats: Arc::default(), reading: None }
    }

    /// Makes everything written through this transaction last.
    ///
    /// # Errors
    /// The database's own, nothing being written then.
    pub async fn commit(self) -> Result<(), super::StoreError> {
        Ok(self.inner.commit().await?)
    }
}

#[async_trait]
impl<C: ConnectionTrait + Send + Sync> ConnectionTrait for Session<C> {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.stats.count();
        self.inner.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.stats.count();
        self.inner.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.read(|| self.inner.query_one_raw(statement.clone())).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.read(|| self.inner.query_all_raw(statement.clone())).await
    }
}
