//! Postgres' row-level security: a second wall behind the conditions of this folder's statements.
//!
//! Every statement names the tenant in its condition. Where row-level security is on, the database itself shows a
//! transaction only the rows of the tenant that it said it is for ([`Whose`](super::Whose)), and takes no others from
//! it: a condition that was forgotten finds nothing of anybody else. It is no wall against whoever can run statements
//! of their own, who can say whatever they like.
//!
//! It covers every table whose rows belong to a tenant, and the tenants themselves. The inbox of webhooks is not among
//! them: an event comes before it is known whose it is, and only the operator's side reads it.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};
use serde::Serialize;

use super::{DatabaseUrl, PoolSettings, StoreError, migrate};

/// The setting of a transaction that names its tenant.
pub(super) const TENANT: &str = "billing.tenant";

/// The setting that is [`YES`] in a transaction for all of them.
pub(super) const ALL_TENANTS: &str = "billing.all_tenants";

pub(super) const YES: &str = "yes";

/// What a connection starts with that is for everyone's rows.
pub(super) const EVERYONES: [(&str, &str); 2] = [(TENANT, ""), (ALL_TENANTS, YES)];

/// The name of the policy on each table.
const POLICY: &str = "of_tenant";

/// The tables that have a tenant, by the column that names it.
const TABLES: &str = "\
    SELECT c.relname::text AS table, a.attname::text AS column, c.relrowsecurity AND c.relforcerowsecurity \
        AND EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid AND polname = 'of_tenant') AS held \
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped AND a.attnotnull \
    WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace \
        AND (a.attname = 'tenant_id' OR c.relname = 'tenants' AND a.attname = 'id') \
    ORDER BY c.relname";

/// Where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RowSecurity {
    /// The role that this program connects as.
    pub role: String,
    /// Whether the database holds that role to it: not a superuser, nor one that was let off (`BYPASSRLS`).
    pub holds_role: bool,
    /// The tables whose rows have a tenant.
    pub tables: Vec<Table>,
}

/// A table whose rows have a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Whether its rows are shown only to who said that it is for their tenant.
    pub held: bool,
}

impl RowSecurity {
    /// Whether every table is held, and this program to it.
    pub fn stands(&self) -> bool {
        self.gap().is_none()
    }

    /// What is missing before it stands; none when it does.
    pub fn gap(&self) -> Option<String> {
        let open: Vec<_> = self.tables.iter().filter(|table| !table.held).map(|table| table.name.as_str()).collect();
        if self.role.is_empty() {
            return Some("SQLite has none".to_owned());
        }
        if self.tables.is_empty() {
            return Some("no table has a tenant: the migrations are missing".to_owned());
        }
        if open.len() == self.tables.len() {
            return Some("it is off".to_owned());
        }
        if !open.is_empty() {
            return Some(format!("it is off for {}", open.join(", ")));
        }
        (!self.holds_role)
            .then(|| format!("the role {} is a superuser or has BYPASSRLS, whom nothing holds", self.role))
    }
}

/// Whether anything of it holds this connection's role. Never on SQLite, which has no such thing.
pub(super) async fn holds(db: &DatabaseConnection) -> Result<bool, StoreError> {
    if db.get_database_backend() != DbBackend::Postgres {
        return Ok(false);
    }
    let sql = format!("SELECT coalesce(bool_or(row_security_active(t.table)), false) AS held FROM ({TABLES}) t");
    let row = db.query_one_raw(postgres(sql)).await?;
    Ok(row.map(|row| row.try_get("", "held")).transpose()?.unwrap_or(false))
}

/// Where it stands. On SQLite no table is named.
pub(super) async fn status(db: &DatabaseConnection) -> Result<RowSecurity, StoreError> {
    if db.get_database_backend() != DbBackend::Postgres {
        return Ok(RowSecurity { role: String::new(), holds_role: false, tables: Vec::new() });
    }
    let role = "SELECT rolname::text AS role, NOT (rolsuper OR rolbypassrls) AS held FROM pg_roles \
                WHERE rolname = current_user";
    let row = db.query_one_raw(postgres(role)).await?.ok_or_else(|| DbErr::RecordNotFound("the role".to_owned()))?;
    let tables = tables(db).await?.into_iter().map(|found| Table { name: found.name, held: found.held }).collect();
    Ok(RowSecurity { role: row.try_get("", "role")?, holds_role: row.try_get("", "held")?, tables })
}

/// Puts it on every table whose rows have a tenant, or takes it off; true when the engine has it at all. Whoever owns
/// the tables may do so. Programs that run learn of it by themselves.
///
/// # Errors
/// When the database cannot be opened, or refuses: nothing has changed then.
pub async fn switch(url: &DatabaseUrl, settings: &PoolSettings, on: bool) -> Result<bool, StoreError> {
    if matches!(url, DatabaseUrl::Sqlite(_)) {
        return Ok(false);
    }
    migrate::alone(url, settings, async |tx| if on { put_up(tx).await } else { take_down(tx).await }).await?;
    Ok(true)
}

/// Puts it on tables that came after it was switched on.
pub(super) async fn keep_up(db: &impl ConnectionTrait) -> Result<(), DbErr> {
    if db.get_database_backend() == DbBackend::Postgres && tables(db).await?.iter().any(|found| found.held) {
        put_up(db).await?;
    }
    Ok(())
}

async fn put_up(db: &impl ConnectionTrait) -> Result<(), DbErr> {
    for Found { name, column, .. } in tables(db).await?.into_iter().filter(|found| !found.held) {
        // Asked once for each statement, and not for each row.
        let condition = format!(
            "{column} = (SELECT current_setting('{TENANT}')) OR (SELECT current_setting('{ALL_TENANTS}')) = '{YES}'"
        );
        db.execute_unprepared(&format!(
            "DROP POLICY IF EXISTS {POLICY} ON {name}; \
             CREATE POLICY {POLICY} ON {name} USING ({condition}) WITH CHECK ({condition}); \
             ALTER TABLE {name} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
        ))
        .await?;
    }
    Ok(())
}

async fn take_down(db: &impl ConnectionTrait) -> Result<(), DbErr> {
    for Found { name, .. } in tables(db).await? {
        db.execute_unprepared(&format!(
            "ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY; \
             DROP POLICY IF EXISTS {POLICY} ON {name}"
        ))
        .await?;
    }
    Ok(())
}

/// Names are those of this project's own migrations, which need no quotes.
struct Found {
    name: String,
    column: String,
    held: bool,
}

async fn tables(db: &impl ConnectionTrait) -> Result<Vec<Found>, DbErr> {
    let rows = db.query_all_raw(postgres(TABLES)).await?;
    let found = |row: &sea_orm::QueryResult| {
        Ok(Found {
            name: row.try_get("", "table")?,
            column: row.try_get("", "column")?,
            held: row.try_get("", "held")?,
        })
    };
    rows.iter().map(found).collect()
}

fn postgres(sql: impl Into<String>) -> Statement {
    Statement::from_string(DbBackend::Postgres, sql)
}
