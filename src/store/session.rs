//! A connection that counts what goes through it.
//!
//! Loaders and actions of one request share one [`StatementStats`], so the number of statements a query costs is a
//! fact at the driver and not a guess. BEGIN and COMMIT are not statements.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};

use super::StoreError;
use super::doubts::Doubts;
use super::error::{is_lost_connection, is_read_only};
use super::wall::{Connection, Wall};
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
    patience: Patience,
    wall: Wall,
    /// Where what a reader does is counted.
    all: Option<Arc<StoreStats>>,
    /// Where it is noted that the server takes no writes.
    doubts: Option<Arc<Doubts>>,
}

/// How long is waited for an answer, and how often a read is tried: a server that is frozen, or a network that drops
/// what it carries, keeps no time limit of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For an answer, in all.
    pub(super) time: Duration,
    /// On connections that turn out to be lost. After a restart of the database every pooled one is.
    pub(super) attempts: u32,
}

/// Reads, each on whichever connection is free.
pub type Reader = Session<Connection>;

/// Writes that take effect together, or not at all.
pub type Tx = Session<DatabaseTransaction>;

impl Reader {
    pub(super) fn reading(
        inner: Connection,
        stats: Arc<StatementStats>,
        patience: Patience,
        all: Arc<StoreStats>,
    ) -> Self {
        Self { wall: inner.wall().clone(), inner, stats, patience, all: Some(all), doubts: None }
    }
}

impl<C> Session<C> {
    /// Calls once, and for a reader again as long as its connections turn out to be lost, within its patience.
    async fn read<T, F>(&self, call: impl Fn() -> F + Send + Sync) -> Result<T, DbErr>
    where
        F: Future<Output = Result<T, DbErr>> + Send,
    {
        self.stats.count();
        let all = self.all.as_deref();
        let waiting = all.map(StoreStats::reading);
        let patiently = async {
            let mut answered = call().await;
            for _ in 1..self.patience.attempts {
                match &answered {
                    Err(error) if is_lost_connection(error) || self.wall.is_met_by(error) => {
                        self.stats.count();
                        answered = call().await;
                    }
                    _ => break,
                }
            }
            answered
        };
        let answered = within(self.patience.time, patiently).await;
        drop(waiting);
        answered.inspect_err(|error| {
            if let Some(all) = all {
                all.failed(Pool::Read, StoreError::class_of(error));
            }
            self.doubt(error);
        })
    }

    async fn write<T>(&self, call: impl Future<Output = Result<T, DbErr>> + Send) -> Result<T, DbErr> {
        self.stats.count();
        within(self.patience.time, call).await.inspect_err(|error| {
            // Whoever begins the next transaction says whose it is.
            let _met = self.wall.is_met_by(error);
            self.doubt(error);
        })
    }

    /// Notes a write that is refused because the server takes none; a row that is given back makes it a read here.
    fn doubt(&self, error: &DbErr) {
        if let Some(doubts) = self.doubts.as_ref().filter(|_| is_read_only(error)) {
            doubts.raise();
        }
    }
}

/// What `call` answers, or that it did not in time. What it does in the database goes on to its end there.
pub(super) async fn within<T>(time: Duration, call: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
    let unanswered = |_elapsed| Err(DbErr::Conn(RuntimeErr::Internal("no answer in time".to_owned())));
    tokio::time::timeout(time, call).await.unwrap_or_else(unanswered)
}

impl Tx {
    /// What may wait so long for each answer. Nothing is tried again: that is for whoever began the transaction.
    pub(super) fn writing(inner: DatabaseTransaction, time: Duration, wall: Wall, doubts: Arc<Doubts>) -> Self {
        let patience = Patience { time, attempts: 1 };
        Self { inner, stats: Arc::default(), patience, wall, all: None, doubts: Some(doubts) }
    }

    /// Makes everything written through this transaction last.
    ///
    /// # Errors
    /// The database's own. Nothing is written then, unless it is [`StoreError::Unavailable`](super::StoreError): who
    /// lost the connection while it was written cannot know.
    pub async fn commit(self) -> Result<(), super::StoreError> {
        Ok(within(self.patience.time, self.inner.commit()).await?)
    }
}

#[async_trait]
impl<C: ConnectionTrait + Send + Sync> ConnectionTrait for Session<C> {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.write(self.inner.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.write(self.inner.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.read(|| self.inner.query_one_raw(statement.clone())).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.read(|| self.inner.query_all_raw(statement.clone())).await
    }
}
