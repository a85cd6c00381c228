//! Clients that go away in the middle of their question.

use std::time::Duration;

use billing_gateway::store::PoolSettings;
use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::database::{Engine, for_each_engine};

/// Two connections, so that each is met again at once.
const TWO: PoolSettings = PoolSettings {
    connections: 2,
    acquire_timeout: Duration::from_secs(5),
    read_timeout: Duration::from_secs(5),
    write_timeout: Duration::from_secs(10),
};

const WHALE: &str = "query Q($id: ID!) { invoice(id: $id) { id lineItems(first: 1000) { id amount { amount } } } }";

/// Asks, and goes away after so long, whatever has happened until then.
async fn ask_and_go(app: &TestApp, query: &str, name: &str, after: Duration) {
    let asked = app.client.post(app.url("/graphql")).bearer_auth(app.token("merchant"));
    let asked = asked.json(&json!({ "query": query, "variables": { "id": app.invoice(name) } })).send();
    // Whoever is gone does not care for the answer.
    drop(tokio::time::timeout(after, asked).await);
}

/// Each connection answers, and answers what was asked.
async fn serves_on(app: &TestApp) {
    for name in ["overage-week", "whale", "declined-topup", "overage-week"] {
        let answer = app.ask(&app.token("merchant"), WHALE, json!({ "id": app.invoice(name) })).await;
        assert_eq!(answer["errors"], Value::Null, "{answer}");
        assert_eq!(answer["data"]["invoice"]["id"], app.invoice(name));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vi_a_client_that_goes_away_in_mid_query_leaves_a_connection_that_serves_on() {
    for_each_engine(async |engine| {
        let app = TestApp::with_pools(engine, TWO).await;
        for moment in 0..40_u64 {
            let moments = [moment, moment * 2, 60 - moment].map(Duration::from_millis);
            let [one, two, three] = moments.map(|after| ask_and_go(&app, WHALE, "whale", after));
            tokio::join!(one, two, three);
        }
        serves_on(&app).await;
    })
    .await;

    // On Postgres the statement goes on without its client: here it is certain that there is one.
    let app = TestApp::with_pools(Engine::Postgres, TWO).await;
    let lock = app.database.connect().await.begin().await.unwrap();
    lock.execute_unprepared("LOCK TABLE invoices IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let gone = (0..6).map(|_| ask_and_go(&app, WHALE, "whale", Duration::from_millis(300)));
    futures::future::join_all(gone).await;
    lock.rollback().await.unwrap();
    serves_on(&app).await;
}
