//! All SQL. One file per noun; rows come out as they are stored.
//!
//! Functions on tenant-owned rows take `&Tenant` first: the tenant's id is part of every condition, and so are the
//! customers the caller is limited to. Batch reads (`by_*`, `of_*`) are one statement for all keys. Nothing here
//! knows GraphQL or HTTP.

mod count;
mod doubts;
mod driver_error;
mod dump;
mod engine;
mod error;
mod migrate;
mod page;
mod scope;
mod session;
mod wall;
mod whose;

pub mod audit_log;
pub mod bill;
pub mod browser_session;
pub mod credential;
pub mod customer;
pub mod idempotency_key;
pub mod invoice;
pub mod invoice_event;
pub mod invoice_parts;
pub mod job;
pub mod line_item;
pub mod payment;
pub mod payment_method;
pub mod price;
pub mod product;
pub mod rental;
pub mod revoked_token;
pub mod row_security;
pub mod source_document;
pub mod sub_line;
pub mod subscription;
pub mod tenant;
pub mod upstream_facts;
pub mod upstream_invoice;
pub mod webhook_event;

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};

use doubts::Doubts;
pub use driver_error::DriverError;
pub use dump::{Dump, dump};
pub use engine::{DatabaseUrl, PoolSettings, UnknownEngine};
pub use error::StoreError;
pub use migrate::{MigrationState, down as migrate_down, status as migration_status, up as migrate_up};
pub use page::{Direction, Keyset, Page, SortValue};
use row_security::RowSecurity;
use session::Patience;
pub use session::{Reader, Session, StatementStats, Tx};
use wall::{Connection, Wall};
pub use whose::Whose;

use crate::stats::{Pool, PoolStats, StoreStats};

/// The database: a pool that reads and one that writes.
#[derive(Clone, Debug)]
pub struct Store {
    read: DatabaseConnection,
    write: DatabaseConnection,
    /// Of connections that write.
    doubts: Arc<Doubts>,
    connections: u32,
    patience: Patience,
    stats: Arc<StoreStats>,
    write_patience: Duration,
    wall: Wall,
}

/// How much longer than a read may take its answer is waited for, at most: with it, a read of two seconds that is not
/// answered is given up before the third is over.
const READ_SLACK: Duration = Duration::from_millis(500);

impl Store {
    /// Opens both pools. On SQLite the file is made when it does not exist; its folder must.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database cannot be reached, with the driver's reason as its source.
    pub async fn open(url: &DatabaseUrl, settings: &PoolSettings) -> Result<Self, StoreError> {
        url.probe().await?;
        let doubts = Arc::default();
        let write = url.open_writer(settings, &doubts).await?;
        let read = url.open_reader(settings).await?;
        Ok(Self {
            wall: Wall::found(row_security::holds(&read).await?),
            read,
            write,
            doubts,
            connections: settings.connections,
            patience: Patience {
                time: settings.acquire_timeout.min(READ_SLACK) + settings.read_timeout,
                // One more than the pool can hold of lost ones.
                attempts: settings.connections.saturating_add(1),
            },
            stats: Arc::default(),
            write_patience: settings.acquire_timeout + settings.write_timeout,
        })
    }

    /// A reader of rows of `whose`, whose statements count towards `stats`.
    pub fn reader(&self, whose: impl Into<Whose>, stats: &Arc<StatementStats>) -> Reader {
        let connection = Connection::new(self.read.clone(), whose.into(), self.wall.clone());
        Reader::reading(connection, Arc::clone(stats), self.patience, Arc::clone(&self.stats))
    }

    /// Begins a transaction that writes rows of `whose`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when no connection is free in time.
    pub async fn begin(&self, whose: impl Into<Whose>) -> Result<Tx, StoreError> {
        let begun = {
            let _waiting = self.stats.beginning();
            session::within(self.write_patience, self.wall.begin(&self.write, &whose.into())).await
        };
        let begun = begun.map_err(StoreError::from).inspect_err(|error| self.stats.failed(Pool::Write, error.class()));
        Ok(Tx::writing(begun?, self.write_patience, self.wall.clone(), Arc::clone(&self.doubts)))
    }

    /// What is counted of the store, with its pools as they are now.
    pub fn stats(&self) -> &StoreStats {
        self.stats.see([(Pool::Read, &self.read), (Pool::Write, &self.write)].map(|(pool, connection)| {
            let (all, idle) = engine::connections(connection);
            PoolStats { pool, busy: all.saturating_sub(idle), idle }
        }));
        &self.stats
    }

    /// How many transactions that write may run at the same time.
    pub fn writers(&self) -> u32 {
        if self.engine() == "sqlite" { 1 } else { self.connections }
    }

    /// Settings of the database under which a power failure takes away what was committed, each as `NAME = VALUE`.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn unsafe_settings(&self) -> Result<Vec<String>, StoreError> {
        let tx = self.begin(Whose::Everyones).await?;
        engine::unsafe_settings(&tx).await
    }

    /// Whether the database answers and has every step of the schema that this program needs.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn migrations(&self) -> Result<Vec<MigrationState>, StoreError> {
        migration_status(&self.reader(Whose::Everyones, &Arc::default())).await
    }

    /// Where row-level security stands, for the role that this program connects as.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn row_security(&self) -> Result<RowSecurity, StoreError> {
        row_security::status(&self.read).await
    }

    /// The engine behind the store.
    pub fn engine(&self) -> &'static str {
        match self.read.get_database_backend() {
            DbBackend::Postgres => "postgres",
            _ => "sqlite",
        }
    }

    /// Calls `observer` with the text of each statement and how long it took. Set it before the store is shared.
    pub fn observe(&mut self, observer: impl Fn(&str, Duration) + Send + Sync + Clone + 'static) {
        for connection in [&mut self.read, &mut self.write] {
            let observer = observer.clone();
            connection.set_metric_callback(move |info| observer(&info.statement.sql, info.elapsed));
        }
    }

    /// Refreshes what the query planner knows of the data, after many rows were written.
    ///
    /// # Errors
    /// The database's own.
    pub async fn analyze(&self) -> Result<(), StoreError> {
        self.write.execute_unprepared("ANALYZE").await?;
        Ok(())
    }

    /// Closes both pools; on SQLite this also folds the write-ahead log into the file.
    ///
    /// # Errors
    /// The database's own.
    pub async fn close(self) -> Result<(), StoreError> {
        self.read.close().await?;
        Ok(self.write.close().await?)
    }
}
