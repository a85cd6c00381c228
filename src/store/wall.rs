//! How sessions live with row-level security: each transaction says first whose rows it is for.
//!
//! Reads get a transaction of their own for it: what is said ends with the transaction, so that nobody who borrows the
//! connection next, through a pool of ours or one in between, inherits it. Without row-level security nothing is said.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement,
    TransactionTrait,
};

use super::row_security::{ALL_TENANTS, TENANT, YES};
use super::{Whose, engine, error};

/// Whether the database holds sessions to whom they say they are for.
#[derive(Clone, Debug)]
pub(super) struct Wall(Arc<AtomicBool>);

impl Wall {
    pub(super) fn found(stands: bool) -> Self {
        Self(Arc::new(AtomicBool::new(stands)))
    }

    fn stands(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Whether a statement failed since it was not said whose rows it is for: the wall was put up while this program
    /// ran. From then on it is said.
    pub(super) fn is_met_by(&self, failure: &DbErr) -> bool {
        let met = error::is_unknown_setting(failure);
        if met && !self.0.swap(true, Ordering::Relaxed) {
            tracing::info!("The database has row-level security now");
        }
        met
    }

    /// Begins a transaction that writes.
    pub(super) async fn begin(&self, pool: &DatabaseConnection, whose: &Whose) -> Result<DatabaseTransaction, DbErr> {
        let tx = pool.begin_with_options(engine::writing()).await?;
        if self.stands() {
            say(&tx, whose).await?;
        }
        Ok(tx)
    }
}

async fn say(tx: &DatabaseTransaction, whose: &Whose) -> Result<(), DbErr> {
    let (tenant, all) = match whose {
        Whose::Of(tenant) => (tenant.0.as_str(), ""),
        Whose::Everyones => ("", YES),
    };
    let sql = format!("SELECT set_config('{TENANT}', $1, true), set_config('{ALL_TENANTS}', $2, true)");
    tx.query_one_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, [tenant.into(), all.into()])).await?;
    Ok(())
}

/// Reads rows of whoever it is for, each on whichever connection is free.
#[derive(Clone, Debug)]
pub struct Connection {
    pool: DatabaseConnection,
    whose: Whose,
    wall: Wall,
}

impl Connection {
    pub(super) const fn new(pool: DatabaseConnection, whose: Whose, wall: Wall) -> Self {
        Self { pool, whose, wall }
    }

    pub(super) const fn wall(&self) -> &Wall {
        &self.wall
    }

    /// A transaction that said whose rows it is for.
    async fn behind(&self) -> Result<DatabaseTransaction, DbErr> {
        let tx = self.pool.begin().await?;
        say(&tx, &self.whose).await?;
        Ok(tx)
    }
}

#[async_trait]
impl ConnectionTrait for Connection {
    fn get_database_backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.pool.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.pool.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        if !self.wall.stands() {
            return self.pool.query_one_raw(statement).await;
        }
        let tx = self.behind().await?;
        let row = tx.query_one_raw(statement).await?;
        tx.commit().await?;
        Ok(row)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        if !self.wall.stands() {
            return self.pool.query_all_raw(statement).await;
        }
        let tx = self.behind().await?;
        let rows = tx.query_all_raw(statement).await?;
        tx.commit().await?;
        Ok(rows)
    }
}
