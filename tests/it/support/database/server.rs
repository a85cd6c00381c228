//! The throw-away Postgres server of the tests.
//!
//! The first test starts it if it does not run; it stays for the next run. Nothing survives a crash of the machine
//! (no fsync), it listens on a socket file only, and its databases sort by the rules of a language on purpose: what
//! has to sort by bytes must say so itself.
//!
//! With `TEST_POSTGRES_URL` set, that server is used instead, by a superuser.
//!
//! To stop the server: `target/test-postgres/path` names its data folder, and the first line of `postmaster.pid` in
//! there is the process to be sent SIGINT. Afterwards the folder above the data folder can be removed.
#![allow(clippy::print_stderr, reason = "a test that fails tells its reader more")]

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use billing_gateway::store::row_security;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use url::Url;

use crate::support::gateway::POOLS;

/// How many templates of earlier builds stay, two for each, for test runs that overlap.
const TEMPLATES_KEPT: u32 = 6;

/// The name of a socket file may have about a hundred bytes; the longest part of it is ours to choose.
const FOLDER_LENGTH_MAX: usize = 80;

/// Who uses databases with row-level security. Owns no tables of those with a schema, as the documentation has it.
const ROLE: &str = "billing_tests";

/// What that role may do with the newest schema: what the documentation gives it, and to find that no step is missing,
/// for which whoever migrates must be able to make tables.
const RIGHTS: &str = "
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO billing_tests;
REVOKE UPDATE, DELETE ON audit_log FROM billing_tests;
GRANT CREATE ON SCHEMA public TO billing_tests
";

/// Speed before safety, no network, and enough connections for a pool in each of many tests.
const SETTINGS: &str = "
listen_addresses = ''
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
autovacuum = off
max_connections = 200
";

/// A server that answers, with the newest schema as a template.
#[derive(Debug)]
pub(super) struct Server {
    base: Url,
    admin: String,
    template: String,
}

impl Server {
    /// Finds or starts the server. Fails, rather than skips, where there is none.
    pub(super) async fn ready() -> Self {
        let control = super::target_folder().join("test-postgres");
        std::fs::create_dir_all(&control).expect("the target folder can be written");
        let _lock = super::lock(&control);
        let base = match variable("TEST_POSTGRES_URL") {
            Some(url) => Url::parse(&url).expect("TEST_POSTGRES_URL is a URL"),
            None => local(&control).await,
        };
        let admin = base.path().trim_start_matches('/').to_owned();
        let server = Self { base, admin, template: super::template_name() };
        server.make_templates().await;
        server
    }

    pub(super) fn url(&self, database: &str) -> String {
        let mut url = self.base.clone();
        url.set_path(database);
        url.to_string()
    }

    /// The same for the role that row-level security holds.
    pub(super) fn walled_url(&self, database: &str) -> String {
        let mut url = Url::parse(&self.url(database)).expect("it was one");
        url.set_username(ROLE).and_then(|()| url.set_password(Some(ROLE))).expect("a server has users");
        url.to_string()
    }

    /// Makes a database, empty or with the newest schema, and gives its name.
    pub(super) async fn create_database(&self, migrated: bool) -> String {
        let template = if migrated { self.template.as_str() } else { "template1" };
        self.copy(template, "DEFAULT").await
    }

    /// Makes a database with row-level security, and gives its name; an empty one belongs to the role it shall hold.
    pub(super) async fn create_walled_database(&self, migrated: bool) -> String {
        if migrated { self.copy(&self.walled_template(), "DEFAULT").await } else { self.copy("template1", ROLE).await }
    }

    async fn copy(&self, template: &str, owner: &str) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut admin = self.connect().await;
        run(&mut admin, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        run(&mut admin, format!("CREATE DATABASE {name} OWNER {owner} TEMPLATE {template} STRATEGY file_copy")).await;
        name
    }

    fn walled_template(&self) -> String {
        format!("{}_walled", self.template)
    }

    /// Drops a database, whoever is still connected. Takes a thread of its own: a test that ends cannot wait.
    pub(super) fn drop_database(&'static self, name: &str) {
        let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        let work = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async { run(&mut self.connect().await, statement).await });
        });
        if work.join().is_err() {
            eprintln!("the database {name} could not be dropped");
        }
    }

    /// Ends all connections to a database, and refuses new ones; or takes them again.
    pub(super) async fn take_connections(&self, name: &str, taken: bool) {
        let statement = format!("ALTER DATABASE {name} WITH ALLOW_CONNECTIONS {taken}");
        run(&mut self.connect().await, statement).await;
        if !taken {
            self.end_connections(name).await;
        }
    }

    /// Ends all connections to a database and waits until they are gone.
    pub(super) async fn end_connections(&self, name: &str) {
        let statement =
            format!("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'");
        run(&mut self.connect().await, statement).await;
    }

    /// Makes the two templates of this build, where they are not there yet.
    async fn make_templates(&self) {
        let mut admin = self.connect().await;
        let (plain, walled) = (&self.template, &self.walled_template());
        if !is_template(&mut admin, plain).await {
            drop_old_templates(&mut admin).await;
            run(&mut admin, format!("DROP DATABASE IF EXISTS {plain} WITH (FORCE)")).await;
            run(&mut admin, format!("CREATE DATABASE {plain}")).await;
            super::migrate(&self.url(plain)).await;
            run(&mut admin, format!("ALTER DATABASE {plain} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false")).await;
        }
        if !is_template(&mut admin, walled).await {
            run(&mut admin, format!("DROP DATABASE IF EXISTS {walled} WITH (FORCE)")).await;
            run(&mut admin, format!("CREATE DATABASE {walled} TEMPLATE {plain}")).await;
            self.wall_up(walled, &mut admin).await;
            run(&mut admin, format!("ALTER DATABASE {walled} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false")).await;
        }
    }

    /// Switches row-level security on, and lets the role that it shall hold use the tables.
    async fn wall_up(&self, database: &str, admin: &mut PgConnection) {
        let url = self.url(database);
        let switched = row_security::switch(&url.parse().expect("it is a server's"), &POOLS, true).await;
        assert!(switched.expect("row-level security can be switched on"));
        let known = format!("SELECT FROM pg_roles WHERE rolname = '{ROLE}'");
        run(
            admin,
            format!(
                "DO $$ BEGIN IF NOT EXISTS ({known}) THEN CREATE ROLE {ROLE} LOGIN PASSWORD '{ROLE}'; END IF; END $$"
            ),
        )
        .await;
        let mut connection = PgConnection::connect(&url).await.expect("the template answers");
        run(&mut connection, RIGHTS.to_owned()).await;
        connection.close().await.expect("the connection closes");
    }

    async fn connect(&self) -> PgConnection {
        let url = self.url(&self.admin);
        PgConnection::connect(&url).await.unwrap_or_else(|error| panic!("the test server does not answer: {error}"))
    }
}

async fn run(connection: &mut PgConnection, statement: String) {
    let outcome = sqlx::raw_sql(AssertSqlSafe(statement.as_str())).execute(connection).await;
    outcome.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

async fn is_template(admin: &mut PgConnection, name: &str) -> bool {
    let known = "SELECT EXISTS (SELECT FROM pg_database WHERE datistemplate AND datname = $1)";
    sqlx::query_scalar(known).bind(name).fetch_one(admin).await.expect("the templates are known")
}

async fn drop_old_templates(admin: &mut PgConnection) {
    let old = format!(
        r"SELECT datname::text FROM pg_database WHERE datistemplate AND datname LIKE 'tpl\_%'
          ORDER BY oid DESC OFFSET {TEMPLATES_KEPT}"
    );
    let old: Vec<String> =
        sqlx::query_scalar(AssertSqlSafe(old)).fetch_all(&mut *admin).await.expect("the templates are known");
    for name in old {
        run(admin, format!("ALTER DATABASE {name} WITH IS_TEMPLATE false")).await;
        run(admin, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
    }
}

/// The server below the build folder, running.
async fn local(control: &Path) -> Url {
    let account = Account::for_server();
    let home = home(control, account.is_some());
    let data = home.join("data");
    std::fs::write(control.join("path"), format!("{}\n", data.display())).expect("the path can be noted");
    let url = format!("postgres://postgres@localhost/postgres?host={}", home.display());
    if PgConnection::connect(&url).await.is_err() {
        let programs = Programs { folder: programs(), home, account };
        programs.start(&data);
    }
    Url::parse(&url).expect("a path makes a URL")
}

/// Where the server may live: below the build folder, unless its account cannot get there or the path is too long
/// for a socket.
fn home(control: &Path, other_account: bool) -> PathBuf {
    let reachable = !other_account || control.ancestors().all(open_to_all);
    if reachable && control.as_os_str().len() <= FOLDER_LENGTH_MAX {
        return control.join("server");
    }
    std::env::temp_dir().join(format!("billing-gateway-postgres-{:016x}", super::hash(&control)))
}

fn open_to_all(folder: &Path) -> bool {
    folder.metadata().is_ok_and(|data| data.permissions().mode() & 0o001 != 0)
}

/// An account of the machine that is not root: the server refuses to run as root.
#[derive(Clone, Copy, Debug)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Account {
    /// The account that the tests run as.
    pub(super) fn of_tests() -> Self {
        let own = tempfile::tempfile().and_then(|file| file.metadata()).expect("a temporary file");
        Self { uid: own.uid(), gid: own.gid() }
    }

    /// The account to change to; none where the tests do not run as root.
    pub(super) fn for_server() -> Option<Self> {
        if Self::of_tests().uid != 0 {
            return None;
        }
        let accounts = std::fs::read_to_string("/etc/passwd").expect("the accounts of the machine");
        let named = ["postgres", "nobody"].iter().find_map(|name| Self::named(&accounts, name));
        Some(named.expect("run as root, the tests need an account `postgres` or `nobody` for the server"))
    }

    fn named(accounts: &str, name: &str) -> Option<Self> {
        let fields = accounts.lines().map(|line| line.split(':').collect::<Vec<_>>());
        fields.into_iter().find_map(|fields| match fields.as_slice() {
            [this, _, uid, gid, ..] if *this == name => Some(Self { uid: uid.parse().ok()?, gid: gid.parse().ok()? }),
            _ => None,
        })
    }
}

/// The folder with `initdb` and `pg_ctl`: from the search path, or the newest of those that Debian keeps apart.
pub(super) fn programs() -> PathBuf {
    let path = variable("PATH").unwrap_or_default();
    let on_path =
        std::env::split_paths(&path).map(|folder| folder.join("initdb")).find_map(|file| file.canonicalize().ok());
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .map(|version| version.path().join("bin/initdb"))
        .filter(|file| file.exists())
        .max_by_key(|file| version_of(file));
    let initdb = on_path.or(newest).expect(
        "the tests need the programs of Postgres 15 or newer: `apt-get install postgresql`, or set TEST_POSTGRES_URL",
    );
    initdb.parent().map(Path::to_path_buf).unwrap_or_default()
}

fn version_of(initdb: &Path) -> u32 {
    initdb.components().filter_map(|part| part.as_os_str().to_str()?.parse().ok()).max().unwrap_or(0)
}

/// The programs of the server, run by the account it belongs to.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) folder: PathBuf,
    pub(super) home: PathBuf,
    pub(super) account: Option<Account>,
}

impl Programs {
    /// Starts the server on the data it had; where that fails, on fresh data.
    fn start(&self, data: &Path) {
        if data.join("PG_VERSION").exists() {
            if self.start_on(data).is_ok() {
                return;
            }
            drop(self.run("pg_ctl", &["stop", "--mode=immediate"], data));
        }
        drop(std::fs::remove_dir_all(&self.home));
        std::fs::create_dir_all(&self.home).expect("the server's folder can be made");
        self.give_away(&self.home);
        self.init(data, SETTINGS).unwrap_or_else(|said| panic!("initdb failed: {said}"));
        self.start_on(data).unwrap_or_else(|said| panic!("pg_ctl failed: {said}"));
    }

    /// Lets the server's account have a folder.
    pub(super) fn give_away(&self, folder: &Path) {
        if let Some(Account { uid, gid }) = self.account {
            std::os::unix::fs::chown(folder, Some(uid), Some(gid)).expect("the folder can be given away");
        }
    }

    /// Makes an empty cluster, with these settings over the server's own.
    pub(super) fn init(&self, data: &Path, ours: &str) -> Result<(), String> {
        let language = ["--encoding=UTF8", "--locale=C", "--locale-provider=icu", "--icu-locale=en-US"];
        let options = ["--username=postgres", "--auth=trust", "--no-sync", "--no-instructions"];
        self.run("initdb", &[language, options].concat(), data)?;
        let file = data.join("postgresql.conf");
        let settings = std::fs::read_to_string(&file).map_err(|error| error.to_string())?;
        let sockets = format!("unix_socket_directories = '{}'\n", self.home.display());
        std::fs::write(&file, settings + ours + &sockets).map_err(|error| error.to_string())
    }

    pub(super) fn start_on(&self, data: &Path) -> Result<(), String> {
        let log = format!("--log={}", self.home.join("log").display());
        self.run("pg_ctl", &["start", "--wait", &log], data)
    }

    /// Runs a program without a terminal or a pipe of ours: the server must not hold on to those of the tests.
    pub(super) fn run(&self, program: &str, options: &[&str], data: &Path) -> Result<(), String> {
        let said = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
        let mut command = Command::new(self.folder.join(program));
        command.args(options).arg("--pgdata").arg(data).current_dir(&self.home);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(said.reopen().map_err(|error| error.to_string())?);
        if let Some(Account { uid, gid }) = self.account {
            command.uid(uid).gid(gid);
        }
        let status = command.status().map_err(|error| error.to_string())?;
        if status.success() { Ok(()) } else { Err(std::fs::read_to_string(said.path()).unwrap_or_default()) }
    }
}

#[expect(clippy::disallowed_methods, reason = "the program's settings are not these: only the tests look here")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
