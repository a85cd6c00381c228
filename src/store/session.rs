//! A connection that counts what goes through it.
//!
//! Loaders and actions of one request share one [`StatementStats`], so the number of statements a query costs is a
//! fact at the driver and not a guess. BEGIN and COMMIT are not statements.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement,
};

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
}

/// Reads, each on whichever connection is free.
pub type Reader = Session<DatabaseConnection>;

/// Writes that take effect together, or not at all.
pub type Tx = Session<DatabaseTransaction>;

impl<C> Session<C> {
    pub(super) const fn new(inner: C, stats: Arc<StatementStats>) -> Self {
        Self { inner, stats }
    }
}

impl Tx {
    /// Makes everything written through this transaction last.
    ///
    /// # Errors
    /// The database's own, nothing being written then.
    pub async fn commit(self) -> Result<(), super::StoreError> {
        Ok(self.inner.commit().await?)
    }
}

#[async_trait]
impl<C: ConnectionTrait + Send> ConnectionTrait for Session<C> {
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
        self.stats.count();
        self.inner.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.stats.count();
        self.inner.query_all_raw(statement).await
    }
}
