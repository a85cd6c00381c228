//! Settings about the database.

use std::str::FromStr;

use serde_json::json;

use super::check::Check;
use super::setting::{Area, Number, Setting, Words};
use crate::domain::link::LinkHosts;
use crate::store::{DatabaseUrl, PoolSettings};

pub(super) static AREA: Area = Area {
    title: "Database",
    settings: &[
        &DATABASE_URL,
        &DB_CONNECTIONS.setting,
        &DB_ACQUIRE_TIMEOUT_MS.setting,
        &DB_READ_TIMEOUT_MS.setting,
        &DB_WRITE_TIMEOUT_MS.setting,
        &DB_ROW_SECURITY.setting,
    ],
};

static DATABASE_URL: Setting = Setting::new(
    "database_url",
    "URL",
    "The database: `sqlite://FILE`, made when it does not exist, or `postgres://USER:PASSWORD@HOST/NAME`",
)
.variable("DATABASE_URL")
.common()
.secret();

/// A server has a few hundred for everyone.
static DB_CONNECTIONS: Number = Number::new(
    "db_connections",
    "NUMBER",
    1..=1_000,
    CONNECTIONS_PER_CORE,
    "Connections for reading, and on Postgres as many again for writing",
)
.default("4 per core");

/// Waiting longer for a free connection only lengthens the queue.
static DB_ACQUIRE_TIMEOUT_MS: Number =
    Number::timeout("db_acquire_timeout_ms", 1_000, "Longest wait for a free connection, in milliseconds");

/// A read that takes longer has lost its plan.
static DB_READ_TIMEOUT_MS: Number =
    Number::timeout("db_read_timeout_ms", 2_000, "Longest time one read may take, in milliseconds");

/// Writes come in bulk: imports and the demo.
static DB_WRITE_TIMEOUT_MS: Number = Number::timeout(
    "db_write_timeout_ms",
    30_000,
    "Longest time one write may take, on SQLite a whole transaction, in milliseconds",
);

static DB_ROW_SECURITY: Words<RowSecurityMode> = Words::new(
    "db_row_security",
    "CHOICE",
    &[("auto", RowSecurityMode::Auto), ("required", RowSecurityMode::Required)],
    ("auto", RowSecurityMode::Auto),
    "Postgres' row-level security: `auto` (where the database has it) or `required` (without it nothing starts)",
);

/// The database of the demo where none is named: a file in the current folder.
const DEMO_DATABASE: &str = "sqlite://billing-demo.db";
/// Connections by default, for each core: queries are short and mostly wait for the database.
const CONNECTIONS_PER_CORE: u64 = 4;

/// Whether the database must hold this program to one tenant at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RowSecurityMode {
    /// Where it was switched on.
    #[default]
    Auto,
    /// Nothing runs without it.
    Required,
}

/// Where the bills are.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// The database.
    pub url: DatabaseUrl,
    /// Its connections.
    pub pool: PoolSettings,
    /// Whether it must have row-level security.
    pub row_security: RowSecurityMode,
    /// Hosts that links in bills may lead to beside Stripe's.
    pub more_link_hosts: Vec<String>,
}

impl StoreConfig {
    /// The hosts that links in bills may lead to.
    pub fn link_hosts(&self) -> LinkHosts {
        LinkHosts::with(&self.more_link_hosts)
    }
}

impl Check<'_> {
    pub(super) fn store(&mut self) -> StoreConfig {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let connections = u64::try_from(cores).unwrap_or(1).saturating_mul(CONNECTIONS_PER_CORE);
        let url = self.database();
        self.show(&DATABASE_URL, json!(url.shown()));
        let connections = self.number_or(&DB_CONNECTIONS, connections.min(*DB_CONNECTIONS.range.end()));
        StoreConfig {
            url,
            pool: PoolSettings {
                connections: u32::try_from(connections).unwrap_or(1),
                acquire_timeout: self.millis(&DB_ACQUIRE_TIMEOUT_MS),
                read_timeout: self.millis(&DB_READ_TIMEOUT_MS),
                write_timeout: self.millis(&DB_WRITE_TIMEOUT_MS),
            },
            row_security: self.row_security(),
            more_link_hosts: self.link_hosts(),
        }
    }

    fn row_security(&mut self) -> RowSecurityMode {
        let mode = self.word(&DB_ROW_SECURITY);
        let on_sqlite = self.text(&DATABASE_URL).is_some_and(|url| url.starts_with("sqlite"));
        if mode == RowSecurityMode::Required && on_sqlite {
            self.fault(&DB_ROW_SECURITY.setting, "cannot be `required` of SQLite, which has none");
        }
        mode
    }

    fn database(&mut self) -> DatabaseUrl {
        let default = if self.is_demo() { Some(DEMO_DATABASE) } else { None };
        let Some(url) = self.text(&DATABASE_URL).or(default) else {
            self.fault(&DATABASE_URL, "is required: sqlite://FILE or postgres://USER:PASSWORD@HOST/NAME");
            return DatabaseUrl::Sqlite(String::new());
        };
        match DatabaseUrl::from_str(url) {
            Ok(DatabaseUrl::Sqlite(url)) if url.contains(":memory:") || url.contains("mode=memory") => {
                let problem = "must name a file: each connection would have a database of its own in memory";
                self.fault(&DATABASE_URL, problem);
                DatabaseUrl::Sqlite(url)
            }
            Ok(url) => url,
            // The URL itself may hold a password, so it is not repeated.
            Err(error) => {
                self.fault(&DATABASE_URL, format!("is of no known kind: {error}"));
                DatabaseUrl::Sqlite(String::new())
            }
        }
    }
}
