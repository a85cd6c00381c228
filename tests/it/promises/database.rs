//! A database that crashes, is down, is frozen or locked, while dozens of clients ask.
#![allow(clippy::print_stderr, reason = "what was measured is worth reading")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use billing_gateway::store::{DatabaseUrl, Store, Whose};
use entity::webhook_event;
use sea_orm::{ConnectionTrait, EntityTrait, TransactionTrait};

use super::served::{Answer, Load, Served, acknowledged, are_answered, counted, slowest};
use crate::support::database::{Engine, OwnServer, TestDatabase};
use crate::support::gateway::POOLS;

/// How soon it serves once the database is back.
const BACK: Duration = Duration::from_secs(5);

/// How long an answer may take while the database is frozen: on a busy machine, too, less than three seconds.
const FROZEN: Duration = Duration::from_millis(2_300);

/// Clients that ask, and how long each pauses.
const CLIENTS: usize = 24;
const PAUSE: Duration = Duration::from_millis(150);

/// Senders of webhooks.
const SENDERS: usize = 6;

/// Time-outs of the database with which nothing gives up before the request itself does.
const PATIENT: [(&str, &str); 3] = [
    ("BILLING_DB_ACQUIRE_TIMEOUT_MS", "60000"),
    ("BILLING_DB_READ_TIMEOUT_MS", "60000"),
    ("BILLING_DB_WRITE_TIMEOUT_MS", "60000"),
];

/// The demo on a server of its own, with clients and senders at work.
struct Outage {
    postgres: OwnServer,
    served: Arc<Served>,
    clients: Load,
    senders: Load,
}

impl Outage {
    async fn begin(settings: &[(&str, &str)]) -> Self {
        let postgres = OwnServer::start();
        let served = Arc::new(Served::demo(&postgres.url, settings));
        served.until_answered(BACK).await;
        let (asks, sends) = (Arc::clone(&served), Arc::clone(&served));
        let clients = Load::start(CLIENTS, PAUSE, move || (String::new(), asks.question()));
        let senders = Load::start(SENDERS, PAUSE, move || sends.event(0));
        // Long enough for every client to have been answered.
        wait(1_000).await;
        Self { postgres, served, clients, senders }
    }

    /// Livez says yes and readyz says no, both soon.
    async fn is_alive_and_not_ready(&self) {
        let (live, ready) = tokio::join!(self.served.status("/livez"), self.served.status("/readyz"));
        are_answered(std::slice::from_ref(&live), &[200], Duration::from_millis(100));
        // It has no header of its own: balancers go by the status.
        assert_eq!(ready.status, Some(503), "{ready:?}");
        assert!(ready.took < Duration::from_secs(2), "{ready:?}");
        assert!(!ready.body.contains("postgres") && ready.body.contains("\"database\",\"ok\":false"), "{ready:?}");
    }

    /// Waits until both kinds of requests succeed again, and gives what was answered in all.
    async fn end(self, back_since: Instant) -> (Vec<Answer>, Vec<Answer>) {
        self.served.until_answered(BACK.saturating_sub(back_since.elapsed())).await;
        self.served.until_taken(BACK.saturating_sub(back_since.elapsed())).await;
        eprintln!("back after {:?}", back_since.elapsed());
        // Until whoever waited for a connection since before has given up.
        wait(1_500).await;
        assert_eq!(self.served.status("/readyz").await.status, Some(200));
        let (asked, sent) = tokio::join!(self.clients.end(), self.senders.end());
        eprintln!("queries {:?}, slowest {:?}", counted(&asked), slowest(&asked));
        eprintln!("webhooks {:?}, slowest {:?}", counted(&sent), slowest(&sent));
        for answers in [&asked, &sent] {
            assert!(answers.iter().any(|answer| answer.status == Some(503)), "nothing went wrong");
            assert_eq!(answers.last().unwrap().status, Some(200), "{:?}", answers.last());
        }
        nothing_is_lost(&self.postgres, &sent).await;
        Arc::into_inner(self.served).expect("the clients are gone").is_sound();
        (asked, sent)
    }
}

/// What was acknowledged is stored.
async fn nothing_is_lost(postgres: &OwnServer, sent: &[Answer]) {
    let rows = webhook_event::Entity::find().all(&postgres.connect().await).await.unwrap();
    let stored: BTreeSet<String> = rows.into_iter().map(|row| row.event_id).collect();
    let acknowledged = acknowledged(sent);
    assert!(acknowledged.is_subset(&stored), "lost: {:?}", acknowledged.difference(&stored));
}

async fn wait(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

#[tokio::test]
async fn r01_what_is_acknowledged_is_on_the_disk_and_a_database_that_does_not_do_so_is_named() {
    // SQLite: FULL, whatever the library's default.
    let database = TestDatabase::new(Engine::Sqlite).await;
    let url: DatabaseUrl = database.url.parse().unwrap();
    let store = Store::open(&url, &POOLS).await.unwrap();
    let tx = store.begin(Whose::Everyones).await.unwrap();
    for (pragma, expected) in [
        ("SELECT synchronous AS it FROM pragma_synchronous", "2"),
        ("SELECT journal_mode AS it FROM pragma_journal_mode", "wal"),
    ] {
        assert_eq!(text(&tx, pragma).await, expected, "{pragma}");
    }
    drop(tx);
    assert_eq!(store.unsafe_settings().await.unwrap(), Vec::<String>::new());

    // Postgres as it comes does so too, and nothing of ours switches it off.
    let postgres = OwnServer::start();
    let store = Store::open(&postgres.url.parse().unwrap(), &POOLS).await.unwrap();
    let tx = store.begin(Whose::Everyones).await.unwrap();
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        assert_eq!(text(&tx, &format!("SELECT current_setting('{setting}') AS it")).await, "on", "{setting}");
    }
    drop(tx);
    assert_eq!(store.unsafe_settings().await.unwrap(), Vec::<String>::new());

    // The server that tests share is fast instead of safe: whoever runs on such a one is told.
    let database = TestDatabase::empty(Engine::Postgres).await;
    let served = Served::demo(&database.url, &[]);
    let told = served.log();
    assert!(told.contains("fsync = off, full_page_writes = off, synchronous_commit = off"), "{told}");
}

async fn text(db: &impl ConnectionTrait, sql: &str) -> String {
    let statement = sea_orm::Statement::from_string(db.get_database_backend(), sql);
    let row = db.query_one_raw(statement).await.unwrap().unwrap();
    row.try_get("", "it").unwrap_or_else(|_| row.try_get::<i64>("", "it").unwrap().to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r02_a_postmaster_that_is_killed_loses_nothing_acknowledged_and_is_served_from_again_in_five_seconds() {
    let outage = Outage::begin(&[]).await;
    outage.postgres.kill();
    wait(500).await;
    outage.is_alive_and_not_ready().await;
    outage.postgres.start_again();
    let (asked, sent) = outage.end(Instant::now()).await;
    are_answered(&asked, &[200, 503], Duration::from_secs(2));
    are_answered(&sent, &[200, 503], Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r03_a_database_that_is_down_is_said_within_two_seconds_and_never_ends_the_process() {
    let outage = Outage::begin(&[]).await;
    outage.postgres.stop();
    for _ in 0..3 {
        outage.is_alive_and_not_ready().await;
        wait(500).await;
    }
    outage.postgres.start_again();
    let (asked, sent) = outage.end(Instant::now()).await;
    are_answered(&asked, &[200, 503], Duration::from_secs(2));
    are_answered(&sent, &[200, 503], Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r04_a_database_that_is_frozen_is_answered_for_within_three_seconds_and_piles_up_nothing() {
    let outage = Outage::begin(&[]).await;
    let (descriptors, memory) = (outage.served.descriptors(), outage.served.memory());
    outage.postgres.freeze();
    for _ in 0..3 {
        wait(900).await;
        outage.is_alive_and_not_ready().await;
        // One connection for each pooled one may be on its way.
        let now = outage.served.descriptors();
        assert!(now <= descriptors + 8, "{now} descriptors instead of {descriptors}");
    }
    let grown = outage.served.memory().saturating_sub(memory);
    assert!(grown < 64 << 20, "{grown} bytes more");
    outage.postgres.thaw();
    let (asked, sent) = outage.end(Instant::now()).await;
    are_answered(&asked, &[200, 503, 504], FROZEN);
    are_answered(&sent, &[200, 503], FROZEN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r04_without_time_outs_a_database_that_is_frozen_holds_its_clients() {
    let postgres = OwnServer::start();
    let served = Served::demo(&postgres.url, &PATIENT);
    served.until_answered(BACK).await;
    postgres.freeze();
    let held = super::served::ask(String::new(), served.question().timeout(Duration::from_secs(4))).await;
    assert_eq!(held.status, None, "{held:?}");
    postgres.thaw();
    served.until_answered(BACK).await;
}

/// Holds the tables of invoices as a migration would, until it is dropped.
async fn locked(postgres: &OwnServer) -> sea_orm::DatabaseTransaction {
    let lock = postgres.connect().await.begin().await.unwrap();
    lock.execute_unprepared("LOCK TABLE invoices IN ACCESS EXCLUSIVE MODE").await.unwrap();
    lock
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r05_a_locked_table_and_a_pool_that_is_used_up_shed_in_a_second_each_and_webhooks_are_taken() {
    let outage = Outage::begin(&[]).await;
    let lock = locked(&outage.postgres).await;
    let since = Instant::now();
    for _ in 0..3 {
        wait(900).await;
        are_answered(&[outage.served.status("/livez").await], &[200], Duration::from_millis(100));
    }
    lock.rollback().await.unwrap();
    let until = Instant::now();
    outage.served.until_answered(BACK).await;
    let (asked, sent) = tokio::join!(outage.clients.end(), outage.senders.end());
    let during: Vec<Answer> = asked.into_iter().filter(|answer| (since..until).contains(&answer.at)).collect();
    eprintln!("queries {:?}, slowest {:?}", counted(&during), slowest(&during));
    eprintln!("webhooks {:?}, slowest {:?}", counted(&sent), slowest(&sent));
    // A second for a connection, and one for the table.
    are_answered(&during, &[200, 503, 504], Duration::from_secs(2));
    assert!(during.iter().any(|answer| answer.status == Some(503)), "the pool was never used up");
    assert!(during.iter().any(|answer| answer.status == Some(504)), "nobody waited for the table");
    are_answered(&sent, &[200], Duration::from_secs(1));
    nothing_is_lost(&outage.postgres, &sent).await;
    Arc::into_inner(outage.served).expect("the clients are gone").is_sound();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r05_without_time_outs_a_locked_table_holds_its_clients() {
    let postgres = OwnServer::start();
    let served = Served::demo(&postgres.url, &PATIENT);
    served.until_answered(BACK).await;
    let lock = locked(&postgres).await;
    let held = super::served::ask(String::new(), served.question().timeout(Duration::from_secs(3))).await;
    assert_eq!(held.status, None, "{held:?}");
    lock.rollback().await.unwrap();
}
