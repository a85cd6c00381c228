//! Traps that have no twin: what would have to be switched off is not ours, or does not exist.

use std::time::{Duration, Instant};

use billing_gateway::gate::Limits;
use billing_gateway::graphql::schema;
use billing_gateway::http::{DocumentSettings, Documents, Trusted};
use billing_gateway::store::{PoolSettings, StatementStats, Store, StoreError, Whose};
use fake_stripe::{Fault, FaultKind};
use reqwest::StatusCode;
use sea_orm::{ConnectionTrait, DbBackend, Statement, TransactionTrait};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::api::Api;
use crate::support::app::TestApp;
use crate::support::database::{Engine, TestDatabase, for_each_engine};
use crate::support::gateway::{Gateway, merchant};
use crate::support::seed::{Size, seed};

/// What a machine that is busy may add.
const BUSY: Duration = Duration::from_secs(10);

/// All that comes on a connection to which these bytes are sent, up to its end or a second of silence.
async fn talk(app: &TestApp, bytes: &str) -> String {
    let mut stream = TcpStream::connect(app.url("").trim_start_matches("http://")).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut all = Vec::new();
    while let Ok(Ok(1..)) = tokio::time::timeout(Duration::from_secs(1), stream.read_buf(&mut all)).await {}
    String::from_utf8(all).unwrap()
}

fn statuses(answers: &str) -> Vec<&str> {
    answers.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 ")?.split(' ').next()).collect()
}

/// Lines may end without the carriage return, which RFC 9112 allows. What must not be: that a proxy which reads them
/// otherwise sees fewer requests than we do. A line feed within a line ends it, and both lines count as headers.
#[tokio::test]
async fn vi_bare_line_feeds_end_lines_and_hide_no_second_request() {
    let app = TestApp::new().await;
    assert_eq!(statuses(&talk(&app, "GET /livez HTTP/1.1\nhost: a\nconnection: close\n\n").await), ["200"]);
    for smuggled in [
        "GET /livez HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /version HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /livez HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\ncontent-length: 40\r\n\r\nGET /version HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /livez HTTP/1.1\r\nhost: a\r\ncontent-length: +1\r\n\r\nxGET /version HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /livez HTTP/1.1\r\nhost: a\r\ntransfer-encoding: identity, chunked, identity\r\n\r\n0\r\n\r\nGET /version HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /livez HTTP/1.1\r\nhost: a\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\nGET /version HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /livez HTTP/1.1\r\nhost: a\r\nx: a\r\n content-length: 9\r\n\r\nGET /version HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /livez HTTP/1.1\r\nhost: a\rGET /version HTTP/1.1\r\n\r\n",
    ] {
        let answers = talk(&app, smuggled).await;
        assert!(!answers.contains("billing-gateway\",\"version"), "the second request was read: {smuggled}\n{answers}");
    }
}

/// There is no subscription, so there is no websocket with limits of its own.
#[tokio::test]
async fn vi_an_upgrade_to_a_websocket_is_not_made_as_there_is_no_subscription() {
    let app = TestApp::new().await;
    let subscriptions = app.ask(&app.token("merchant"), "{ __schema { subscriptionType { name } } }", json!({})).await;
    assert_eq!(subscriptions["data"], json!({ "__schema": { "subscriptionType": null } }));
    for protocol in ["graphql-transport-ws", "graphql-ws"] {
        let answers = talk(
            &app,
            &format!(
                "GET /graphql HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\nconnection: upgrade\r\n\
                 upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                 sec-websocket-protocol: {protocol}\r\n\r\n",
                app.token("merchant")
            ),
        )
        .await;
        assert_eq!(statuses(&answers), ["400"], "{answers}");
        assert!(answers.contains("BAD_USER_INPUT"), "{answers}");
    }
}

/// Introspection is for whoever has a credential, and for nobody else.
#[tokio::test]
async fn iii_introspection_is_answered_with_a_credential_and_not_without() {
    let app = TestApp::new().await;
    let query = json!({ "query": "{ __schema { queryType { name } } }" });
    let ask = app.client.post(app.url("/graphql")).json(&query);
    let anonymous = ask.try_clone().unwrap().send().await.unwrap();
    assert_eq!(anonymous.status(), StatusCode::UNAUTHORIZED);
    let answer: Value = ask.bearer_auth(app.token("partner")).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["data"], json!({ "__schema": { "queryType": { "name": "Query" } } }));
}

#[tokio::test]
async fn vi_what_one_request_read_is_read_again_for_the_next() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let world = seed(&gateway.store, "cached", Size { customers: 1, rentals: 1, invoices: 1, lines: 1 }).await;
        let (viewer, query) = (merchant(&world.tenant), "{ customers { nodes { name } } }");
        let first = gateway.ask(&viewer, query, json!({})).await;
        let changed = "UPDATE customers SET name = 'another name'";
        gateway.database.connect().await.execute_unprepared(changed).await.unwrap();
        let second = gateway.ask(&viewer, query, json!({})).await;
        assert_eq!((first.statements, second.statements), (1, 1));
        assert_eq!(second.ok()["customers"]["nodes"][0]["name"], "another name");
    })
    .await;
}

#[tokio::test]
async fn iii_a_request_has_ten_seconds_in_all() {
    let patient = Duration::from_secs(40);
    let pools =
        PoolSettings { connections: 3, acquire_timeout: patient, read_timeout: patient, write_timeout: patient };
    let app = TestApp::with_pools(Engine::Postgres, pools).await;
    let lock = app.database.connect().await.begin().await.unwrap();
    lock.execute_unprepared("LOCK TABLE invoices IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let begun = Instant::now();
    let request = app.client.post(app.url("/graphql")).bearer_auth(app.token("merchant"));
    let query = json!({ "query": "{ invoices(first: 1) { nodes { id } } }" });
    let answer = request.json(&query).send().await.unwrap();
    let took = begun.elapsed();
    assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["errors"][0]["extensions"]["code"], "TIMEOUT", "{body}");
    assert!((Duration::from_secs(10)..Duration::from_secs(10) + BUSY).contains(&took), "{took:?}");
}

/// What a setting of Postgres is on a connection.
async fn setting(db: &impl ConnectionTrait, name: &str) -> String {
    let statement = Statement::from_string(DbBackend::Postgres, format!("SELECT current_setting('{name}') AS it"));
    db.query_one_raw(statement).await.unwrap().unwrap().try_get("", "it").unwrap()
}

#[tokio::test]
async fn vi_every_connection_to_postgres_has_its_time_limits_and_readers_cannot_write() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let pools = PoolSettings {
        connections: 2,
        acquire_timeout: Duration::from_secs(5),
        read_timeout: Duration::from_millis(1_900),
        write_timeout: Duration::from_millis(7_700),
    };
    let store = Store::open(&database.url.parse().unwrap(), &pools).await.unwrap();
    let reader = store.reader(Whose::Everyones, &std::sync::Arc::<StatementStats>::default());
    let tx = store.begin(Whose::Everyones).await.unwrap();
    for (name, reads, writes) in [
        ("statement_timeout", "1900ms", "7700ms"),
        ("lock_timeout", "5s", "2s"),
        ("default_transaction_read_only", "on", "off"),
    ] {
        assert_eq!(
            (setting(&reader, name).await.as_str(), setting(&tx, name).await.as_str()),
            (reads, writes),
            "{name}"
        );
    }
}

/// There is one connection to read on. Whoever held it while waiting would let nobody else ask.
#[tokio::test]
async fn vi_no_connection_is_held_while_stripe_is_asked() {
    // Less than what is left of the time for Stripe once its waiting was seen.
    let soon = Duration::from_millis(700);
    let pools = PoolSettings { connections: 1, acquire_timeout: soon, ..crate::support::gateway::POOLS };
    let (app, fake) = TestApp::with_stripe_and_pools(Some(pools)).await;
    let ask = |query: String| {
        let request = app.client.post(app.url("/graphql")).bearer_auth(app.token("merchant"));
        let asking = request.json(&json!({ "query": query })).send();
        async { asking.await.unwrap().json::<Value>().await.unwrap() }
    };
    fake.fault(Fault::new(FaultKind::Hang));
    let links: Vec<_> = ["overage-week", "declined-topup", "overage-week"]
        .map(|name| tokio::spawn(ask(format!("{{ invoice(id: \"{}\") {{ payUrl }} }}", app.invoice(name)))))
        .into();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(links.iter().all(|link| !link.is_finished()), "nobody waits for Stripe");
    let answer = ask("{ customers(first: 1) { nodes { id } } }".to_owned()).await;
    assert_eq!(answer.get("errors"), None, "{answer}");
    for link in links {
        let answer = link.await.unwrap();
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UPSTREAM_TIMEOUT", "{answer}");
    }
}

/// Makes new connections to the database take writes, or none; those there are end.
async fn take_writes(database: &TestDatabase, taken: bool) {
    let connection = database.connect().await;
    let tx = connection.begin().await.unwrap();
    tx.execute_unprepared("SET TRANSACTION READ WRITE").await.unwrap();
    let said = if taken { "RESET default_transaction_read_only" } else { "SET default_transaction_read_only = on" };
    let change = format!("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I {said}', current_database()); END $$");
    tx.execute_unprepared(&change).await.unwrap();
    tx.commit().await.unwrap();
}

/// As after a failover whose name still led to the old server: nothing is wrong with the connections but that they take
/// no writes, and they would be kept for ever.
#[tokio::test]
async fn vi_connections_that_take_no_writes_are_left_once_there_are_others() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let pools = PoolSettings { connections: 2, ..crate::support::gateway::POOLS };
    let store = Store::open(&database.url.parse().unwrap(), &pools).await.unwrap();
    let write = async || {
        let tx = store.begin(Whose::Everyones).await?;
        tx.execute_unprepared("UPDATE customers SET name = name WHERE false").await?;
        tx.commit().await
    };
    write().await.unwrap();
    take_writes(&database, false).await;
    database.end_connections().await;
    // First those that were ended are found out, then all that there are take no writes.
    for _ in 0..6 {
        let refused = write().await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    }
    take_writes(&database, true).await;
    let begun = Instant::now();
    while let Err(refused) = write().await {
        assert!(matches!(refused, StoreError::Unavailable(_)), "{refused:?}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{refused:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for _ in 0..6 {
        write().await.unwrap();
    }
}

/// Everything that a line says itself, for as many lines as fit into the roots of an operation. At the default an
/// operation has too few fields for that.
#[tokio::test]
async fn iii_an_answer_of_more_than_ten_mebibytes_is_not_sent() {
    let limits = Limits { height_fields: 2_000, ..Limits::default() };
    let settings = DocumentSettings { limits, ..DocumentSettings::default() };
    let documents = Documents::new(&schema(), settings, Trusted::default()).unwrap();
    let (app, api) = (TestApp::with_documents(documents).await, Api::read().await);
    let own = |of: &str, name: &str| {
        let gives = api.field(of, name).of.named();
        gives == "Money" || api.is_leaf(gives)
    };
    let line = api.selection("LineItem", 1, &own);
    let lines = format!("fragment L on Invoice {{ lineItems(first: 1000) {line} }}");
    let many = |count: usize| {
        let roots: String = (0..count)
            .map(|n| format!("a{n}: invoice(id: \"{}\") {{ ...L }} ", app.invoice("whale")))
            .collect::<Vec<_>>()
            .concat();
        format!("{{ {roots} }} {lines}")
    };
    let ask = async |count: usize| {
        let request = app.client.post(app.url("/graphql")).bearer_auth(app.token("merchant"));
        let answer = request.json(&json!({ "query": many(count) })).send().await.unwrap();
        let status = answer.status();
        (status, answer.text().await.unwrap())
    };
    let (status, one) = ask(1).await;
    assert_eq!(status, StatusCode::OK);
    assert!(!one.contains("errors") && one.len() > 600_000, "{} bytes: {:.300}", one.len(), one);
    let (status, text) = ask(20).await;
    assert_eq!(status, StatusCode::OK);
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(body["errors"][0]["extensions"]["code"], "RESPONSE_TOO_LARGE", "{} bytes: {text:.300}", text.len());
    assert!(body["data"].is_null() && body["extensions"]["cost"]["requested"].is_u64() && text.len() < 500, "{text}");
}
