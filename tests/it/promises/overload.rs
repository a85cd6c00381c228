//! More than can be worked on, asked for at a pace that does not wait for answers.
#![allow(clippy::print_stderr, reason = "what was measured is worth reading")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use sea_orm::ConnectionTrait;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::served::{Answer, Load, Served, are_answered, ask, counted};
use crate::support::database::{Engine, TestDatabase};

/// How long a request may wait, and how many may: so many that only the discipline of the queue keeps it short.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(4);
const SETTINGS: [(&str, &str); 5] = [
    ("BILLING_QUEUE_TIMEOUT_MS", "4000"),
    ("BILLING_QUEUE_MAX", "5000"),
    ("BILLING_EXECUTING_MAX", "2"),
    ("BILLING_EXECUTING_PER_TENANT", "5000"),
    ("BILLING_RATE_OPERATIONS", "1000"),
];

/// Clients that are always answered: more than have a place, so that none is ever free.
const CLIENTS: usize = 3;

/// How long each part lasts.
const PART: Duration = Duration::from_secs(3);
const POURED: Duration = Duration::from_secs(8);

/// How many times what can be done is asked for.
const OVERLOAD: u32 = 5;

/// A query that takes as long as [`slow_down`] says, and nearly nothing of the processor.
const CUSTOMERS: &str = "{ customers(first: 1) { nodes { id } } }";

/// Makes every read of customers take a while: what can be done does not depend on the machine then.
async fn slow_down(database: &TestDatabase) {
    let connection = database.connect().await;
    connection.execute_unprepared("ALTER TABLE customers RENAME TO customers_at_once").await.unwrap();
    let slow = "CREATE VIEW customers AS SELECT c.* FROM pg_sleep(0.1), customers_at_once c";
    connection.execute_unprepared(slow).await.unwrap();
}

/// Requests that begin at this pace for a while, and all their answers.
async fn pour(served: &Arc<Served>, apart: Duration) -> Vec<Answer> {
    let mut asking = JoinSet::new();
    let mut pace = interval(apart);
    // What a busy machine is late with comes at once: the pace stays.
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let begun = Instant::now();
    while begun.elapsed() < POURED {
        pace.tick().await;
        let served = Arc::clone(served);
        asking.spawn(async move { ask(String::new(), served.graphql(CUSTOMERS, &json!({}))).await });
    }
    asking.join_all().await
}

/// The time that half of the answers of a status took at most, and that nine in ten did.
fn times(answers: &[Answer], status: u16) -> (Duration, Duration) {
    let answers = answers.iter().filter(|answer| answer.status == Some(status));
    let mut times: Vec<_> = answers.map(|answer| answer.took).collect();
    times.sort();
    (times[times.len() / 2], times[times.len() * 9 / 10])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r07_at_five_times_what_can_be_done_refusals_are_quick_and_as_much_is_done() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let mut served = Served::demo(&database.url, &SETTINGS);
    slow_down(&database).await;
    let served_by_all = Arc::new(served);
    let asks = Arc::clone(&served_by_all);
    let begun = Instant::now();
    let clients = Load::start(CLIENTS, Duration::ZERO, move || (String::new(), asks.graphql(CUSTOMERS, &json!({}))));
    tokio::time::sleep(PART).await;
    let alone = clients.end().await;
    let took = begun.elapsed();
    are_answered(&alone, &[200], PART);
    let apart = took / u32::try_from(alone.len()).unwrap() / OVERLOAD;

    let begun = Instant::now();
    let poured = pour(&served_by_all, apart).await;
    let could = f64::from(u32::try_from(alone.len()).unwrap()) * begun.elapsed().as_secs_f64() / took.as_secs_f64();
    let counts = counted(&poured);
    let (done, refused) = (counts[&Some(200)], counts[&Some(503)]);
    let (median, most) = times(&poured, 503);
    eprintln!("{done} of {could:.0} done; {refused} refused, half within {median:?}, nine in ten within {most:?}");
    assert_eq!(done + refused, poured.len(), "{counts:?}");
    // One that is not told at once waits a tenth of what is allowed; without the discipline everyone waits all of it.
    assert!(median < QUEUE_TIMEOUT / 4 && most < QUEUE_TIMEOUT / 2, "{median:?}, {most:?}");
    assert!(f64::from(u32::try_from(done).unwrap()) > could * 0.6, "{done} of {could}");
    assert!(refused > poured.len() / 3, "it was not overloaded: {counts:?}");

    served = Arc::into_inner(served_by_all).unwrap();
    are_answered(&[ask(String::new(), served.question()).await], &[200], Duration::from_secs(1));
    served.is_sound();
}
