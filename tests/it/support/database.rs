//! A database of its own for each test, on either engine.
//!
//! SQLite: a copy of a migrated file. Postgres: a copy of a migrated template on a throw-away server (see `server`), as
//! its superuser, or with row-level security, as a role that is held to it.
//! A database is removed when its test has passed; after a failure it stays, and its URL is printed.
#![allow(clippy::print_stderr, reason = "a test that fails tells its reader more")]

mod own;
mod server;

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, TransactionTrait};
use tempfile::TempDir;
use tokio::sync::OnceCell;

pub(crate) use own::{OwnServer, is_root, limiting, run};
use server::Server;

/// A template that no test has been built against for so long is not needed any more.
const OLD_TEMPLATE: Duration = Duration::from_hours(24);

/// What a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
    /// Postgres with row-level security.
    WalledPostgres,
}

impl Engine {
    pub(crate) const ALL: [Self; 3] = [Self::Sqlite, Self::Postgres, Self::WalledPostgres];
}

/// Runs the body on each engine in turn, and says on which one it failed.
pub(crate) async fn for_each_engine(body: impl AsyncFn(Engine)) {
    for engine in Engine::ALL {
        let _named = NameOnPanic(engine);
        // Boxed: some bodies are large, and every test would carry their room along.
        Box::pin(body(engine)).await;
    }
}

struct NameOnPanic(Engine);

impl Drop for NameOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed on {:?}", self.0);
        }
    }
}

/// A database that no other test sees. Keep it until the test ends: dropping it removes the data.
#[derive(Debug)]
pub(crate) struct TestDatabase {
    /// Where it is, in the form the program takes.
    pub(crate) url: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Folder(TempDir),
    Server { server: &'static Server, name: String },
}

impl TestDatabase {
    /// A database with the newest schema and no rows.
    pub(crate) async fn new(engine: Engine) -> Self {
        Self::create(engine, true).await
    }

    /// A database without a schema.
    pub(crate) async fn empty(engine: Engine) -> Self {
        Self::create(engine, false).await
    }

    /// On Postgres: makes the server refuse connections to this database and ends those there are, or take them again.
    pub(crate) async fn take_connections(&self, taken: bool) {
        match &self.place {
            Place::Server { server, name } => server.take_connections(name, taken).await,
            Place::Folder(_) => panic!("nobody connects to a file"),
        }
    }

    /// On Postgres: ends all connections to this database.
    pub(crate) async fn end_connections(&self) {
        match &self.place {
            Place::Server { server, name } => server.end_connections(name).await,
            Place::Folder(_) => panic!("nobody connects to a file"),
        }
    }

    /// A small pool of plain connections that see everything, for looking at what is stored.
    pub(crate) async fn connect(&self) -> DatabaseConnection {
        let url = if matches!(self.place, Place::Server { .. }) { self.admin_url() } else { self.url.clone() };
        connect(&url, 2).await
    }

    /// On Postgres: where it is for whoever owns everything.
    pub(crate) fn admin_url(&self) -> String {
        match &self.place {
            Place::Server { server, name } => server.url(name),
            Place::Folder(_) => panic!("a file has one owner"),
        }
    }

    async fn create(engine: Engine, migrated: bool) -> Self {
        match engine {
            Engine::Sqlite => {
                let folder = TempDir::with_prefix("billing-gateway-").expect("a temporary folder");
                let file = folder.path().join("test.db");
                if migrated {
                    std::fs::copy(sqlite_template().await, &file).expect("the template can be copied");
                }
                Self { url: sqlite_url(&file), place: Place::Folder(folder) }
            }
            Engine::Postgres => {
                let server = postgres().await;
                let name = server.create_database(migrated).await;
                Self { url: server.url(&name), place: Place::Server { server, name } }
            }
            Engine::WalledPostgres => {
                let server = postgres().await;
                let name = server.create_walled_database(migrated).await;
                Self { url: server.walled_url(&name), place: Place::Server { server, name } }
            }
        }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        if failed {
            eprintln!("the database of the failed test is kept: {}", self.url);
        }
        match &mut self.place {
            Place::Folder(folder) => folder.disable_cleanup(failed),
            Place::Server { server, name } if !failed => server.drop_database(name),
            Place::Server { .. } => {}
        }
    }
}

/// The server, started by whoever asks first.
async fn postgres() -> &'static Server {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    SERVER.get_or_init(Server::ready).await
}

/// A migrated file without rows, made by whichever test process of this build comes first.
async fn sqlite_template() -> &'static Path {
    static TEMPLATE: OnceCell<PathBuf> = OnceCell::const_new();
    TEMPLATE.get_or_init(make_sqlite_template).await
}

async fn make_sqlite_template() -> PathBuf {
    let folder = target_folder().join("test-sqlite");
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    let template = folder.join(format!("{}.db", template_name()));
    let _lock = lock(&folder);
    if !template.exists() {
        remove_old(&folder);
        let draft = folder.join("draft.db");
        drop(std::fs::remove_file(&draft));
        migrate(&sqlite_url(&draft)).await;
        std::fs::rename(&draft, &template).expect("the template can be put in its place");
    }
    template
}

fn remove_old(folder: &Path) {
    let entries = std::fs::read_dir(folder).expect("the folder can be read").flatten();
    let aged = entries.filter(|entry| {
        let changed = entry.metadata().and_then(|data| data.modified()).ok();
        changed.and_then(|at| at.elapsed().ok()).is_some_and(|age| age > OLD_TEMPLATE)
    });
    for entry in aged.filter(|entry| entry.path().extension().is_some_and(|kind| kind == "db")) {
        drop(std::fs::remove_file(entry.path()));
    }
}

/// Applies every migration and closes the database, so that it can be copied.
async fn migrate(url: &str) {
    let connection = connect(url, 1).await;
    if url.starts_with("sqlite") {
        connection.execute_unprepared("PRAGMA journal_mode = WAL").await.expect("the file takes WAL");
    }
    let tx = connection.begin().await.expect("a transaction");
    Migrator::up(&tx, None).await.expect("the migrations apply");
    tx.commit().await.expect("the migrations are committed");
    connection.close().await.expect("the connection closes");
}

async fn connect(url: &str, connections: u32) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(connections).sqlx_logging(false);
    Database::connect(options).await.expect("the test database answers")
}

fn sqlite_url(file: &Path) -> String {
    format!("sqlite://{}?mode=rwc", file.display())
}

/// One name for each build of the tests: a template can never be older than the migrations in this program.
fn template_name() -> String {
    let program = std::env::current_exe().expect("the program knows its file");
    let data = program.metadata().expect("the program's file is there");
    let modified = data.modified().expect("the file system keeps times");
    format!("tpl_{:016x}", hash(&(program, data.len(), modified)))
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// The build folder, where templates and the server live.
fn target_folder() -> &'static Path {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    scratch.parent().unwrap_or(scratch)
}

/// Waits until no other test process prepares things in `folder`. The lock ends when the file is dropped.
fn lock(folder: &Path) -> File {
    let file = File::create(folder.join("lock")).expect("the lock file can be written");
    file.lock().expect("the lock can be taken");
    file
}

#[tokio::test]
async fn databases_of_two_tests_are_apart() {
    for_each_engine(async |engine| {
        let (mine, other) = tokio::join!(TestDatabase::new(engine), TestDatabase::new(engine));
        assert_ne!(mine.url, other.url);
        mine.connect().await.execute_unprepared("CREATE TABLE mine (id bigint)").await.expect("a table of mine");
        let seen = other.connect().await.execute_unprepared("SELECT id FROM mine").await;
        assert!(seen.is_err(), "a table of one database is seen in the other");
    })
    .await;
}
