//! A store that is gone, busy or slow: said so in time, without taking the server along, and over when it is over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use billing_gateway::store::{PoolSettings, StatementStats, StoreError, Whose};
use reqwest::Response;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::database::{Engine, for_each_engine};

/// One connection, little patience.
const ONE: PoolSettings = PoolSettings {
    connections: 1,
    acquire_timeout: Duration::from_millis(100),
    read_timeout: Duration::from_secs(1),
    write_timeout: Duration::from_secs(10),
};

/// What may pass beyond a limit before the answer is there, on a busy machine.
const SLACK: Duration = Duration::from_secs(3);

const SMALL: &str = "query Q($id: ID!) { invoice(id: $id) { id } }";

async fn ask(app: &TestApp, query: &str, name: &str) -> Response {
    let request = app.client.post(app.url("/graphql")).bearer_auth(app.token("merchant"));
    let body = json!({ "query": query, "variables": { "id": app.invoice(name) } });
    request.json(&body).send().await.unwrap()
}

async fn is_answered(app: &TestApp) {
    let answer = ask(app, SMALL, "overage-week").await;
    let status = answer.status();
    let body: Value = answer.json().await.unwrap();
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["data"]["invoice"]["id"], app.invoice("overage-week"), "{body}");
}

/// The answer says that the store is at fault, and when to ask again; nothing of the database shows.
async fn is_refused(answer: Response, status: u16, code: &str) {
    let retry_after = answer.headers().get("retry-after").cloned();
    assert_eq!(answer.status(), status);
    if status == 503 {
        let seconds = retry_after.expect("says when to ask again");
        assert!(seconds.to_str().unwrap().parse::<u64>().unwrap() > 0);
    }
    let text = answer.text().await.unwrap();
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(body["errors"].as_array().map(Vec::len), Some(1), "{body}");
    assert_eq!(body["errors"][0]["extensions"]["code"], code, "{body}");
    // Once it is not known any more which tokens are revoked, the request as a whole is refused.
    let whole = body.get("data").is_none();
    assert_eq!(body["errors"][0]["path"], if whole { Value::Null } else { json!(["invoice"]) }, "{body}");
    assert_eq!(body["data"], if whole { Value::Null } else { json!({ "invoice": null }) }, "{body}");
    for internal in ["sqlx", "pool", "SELECT", "postgres", "sqlite", "57014", "t_"] {
        assert!(!text.contains(internal), "{internal} in {text}");
    }
}

async fn is_alive(app: &TestApp) {
    let answer = app.client.get(app.url("/livez")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

/// The checks of `/readyz` that fail, after making sure that its status says the same.
async fn failing_checks(app: &TestApp) -> Vec<Value> {
    let answer = app.client.get(app.url("/readyz")).send().await.unwrap();
    let status = answer.status();
    let body: Value = answer.json().await.unwrap();
    let mut checks = body["checks"].as_array().expect("checks").clone();
    checks.retain(|check| check["ok"] == false);
    assert_eq!(status, if checks.is_empty() { 200 } else { 503 }, "{body}");
    for check in &checks {
        assert!(check["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{body}");
    }
    checks.iter().map(|check| check["name"].clone()).collect()
}

#[tokio::test]
async fn a_database_that_is_gone_is_said_and_comes_back_without_a_restart() {
    let pools = PoolSettings { connections: 2, ..ONE };
    let app = TestApp::with_pools(Engine::Postgres, pools).await;
    is_answered(&app).await;
    assert_eq!(failing_checks(&app).await, Vec::<Value>::new());

    app.database.take_connections(false).await;
    for _ in 0..3 {
        let begun = Instant::now();
        is_refused(ask(&app, SMALL, "overage-week").await, 503, "STORE_UNAVAILABLE").await;
        assert!(begun.elapsed() < SLACK, "{:?}", begun.elapsed());
        is_alive(&app).await;
        // Whether its schema fits cannot be known either.
        assert_eq!(failing_checks(&app).await, ["database", "migrations"]);
    }

    app.database.take_connections(true).await;
    is_answered(&app).await;
    assert_eq!(failing_checks(&app).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_read_that_meets_a_lost_connection_is_tried_on_another() {
    let pools = PoolSettings { connections: 4, acquire_timeout: Duration::from_secs(5), ..ONE };
    let app = TestApp::with_pools(Engine::Postgres, pools).await;
    for _ in 0..3 {
        is_answered(&app).await;
        app.database.end_connections().await;
    }
    is_answered(&app).await;
}

/// A read that would take a minute, or for ever.
fn slow(backend: DbBackend) -> Statement {
    let sql = match backend {
        DbBackend::Postgres => "SELECT pg_sleep(60)",
        _ => "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n",
    };
    Statement::from_string(backend, sql)
}

#[tokio::test]
async fn a_read_that_takes_too_long_ends_in_time_and_its_connection_serves_on() {
    for_each_engine(async |engine| {
        let app = TestApp::with_pools(engine, ONE).await;
        let reader = app.store.reader(Whose::Everyones, &Arc::<StatementStats>::default());
        let begun = Instant::now();
        let outcome = reader.query_all_raw(slow(reader.get_database_backend())).await;
        let taken = begun.elapsed();
        let error = StoreError::from(outcome.expect_err("it does not end by itself"));
        assert!(matches!(error, StoreError::Timeout(_)), "{error:?}");
        assert!((ONE.read_timeout..ONE.read_timeout + SLACK).contains(&taken), "{taken:?}");
        is_answered(&app).await;
    })
    .await;
}

#[tokio::test]
async fn without_a_free_connection_the_store_is_unavailable_until_there_is_one() {
    for_each_engine(async |engine| {
        let app = TestApp::with_pools(engine, ONE).await;
        let reader = app.store.reader(Whose::Everyones, &Arc::<StatementStats>::default());
        let busy = reader.query_all_raw(slow(reader.get_database_backend()));
        let meanwhile = async {
            is_refused(ask(&app, SMALL, "overage-week").await, 503, "STORE_UNAVAILABLE").await;
            is_alive(&app).await;
            assert_eq!(failing_checks(&app).await, ["database", "migrations"]);
        };
        // The first one has taken the only connection before the other asks for one.
        let (busy, ()) = tokio::join!(busy, meanwhile);
        assert!(busy.is_err());
        is_answered(&app).await;
        assert_eq!(failing_checks(&app).await, Vec::<Value>::new());
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_waits_for_a_lock_ends_with_a_timeout() {
    let app = TestApp::with_pools(Engine::Postgres, ONE).await;
    let holder = app.database.connect().await;
    let lock = sea_orm::TransactionTrait::begin(&holder).await.unwrap();
    lock.execute_unprepared("LOCK TABLE invoices IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let begun = Instant::now();
    is_refused(ask(&app, SMALL, "overage-week").await, 504, "TIMEOUT").await;
    assert!(begun.elapsed() < ONE.read_timeout + SLACK, "{:?}", begun.elapsed());
    // The database itself is well.
    assert_eq!(failing_checks(&app).await, Vec::<Value>::new());

    // What does not touch the table goes on, and so does the rest of an answer that does.
    let mixed = "query Q($id: ID!) { invoice(id: $id) { id } customers(first: 1) { nodes { id } } }";
    let answer = ask(&app, mixed, "overage-week").await;
    assert_eq!(answer.status(), 200);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["errors"][0]["extensions"]["code"], "TIMEOUT", "{body}");
    assert_eq!(body["data"]["invoice"], Value::Null, "{body}");
    assert!(body["data"]["customers"]["nodes"][0]["id"].is_string(), "{body}");

    lock.rollback().await.unwrap();
    is_answered(&app).await;
}

#[tokio::test]
async fn an_answer_that_needs_more_than_its_time_on_sqlite_ends_with_a_timeout() {
    // No time at all: what is done before the clock is first looked at still succeeds.
    let pools = PoolSettings { read_timeout: Duration::ZERO, acquire_timeout: Duration::from_secs(10), ..ONE };
    let app = TestApp::with_pools(Engine::Sqlite, pools).await;
    for _ in 0..2 {
        is_answered(&app).await;
        let whale = "query Q($id: ID!) { invoice(id: $id) { id lineItems(first: 1000) { id amount { amount } } } }";
        let answer = ask(&app, whale, "whale").await;
        assert_eq!(answer.status(), 200);
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["errors"][0]["extensions"]["code"], "TIMEOUT", "{body}");
        assert_eq!(body["errors"][0]["path"], json!(["invoice", "lineItems"]), "{body}");
        let invoice = json!({ "id": app.invoice("whale"), "lineItems": null });
        assert_eq!(body["data"], json!({ "invoice": invoice }), "{body}");
    }
}
