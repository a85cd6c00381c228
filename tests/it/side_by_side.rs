//! Two demos that start at the same moment do not collide, whatever they share.

use std::path::Path;

use sea_orm::Database;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::demo::rows;
use crate::support::database::{Engine, TestDatabase};
use crate::support::program::{Running, program};

const REFERENCE: &str = include_str!("../../examples/reference.graphql");

/// What both companies have, as lists count it.
const COUNTS: &str = "{ invoices(filter: { includeDrafts: true }) { totalCount totals { currency count \
    total { amount } amountRemaining { amount } } } rentals { totalCount } customers { totalCount } }";

fn folder() -> TempDir {
    TempDir::with_prefix("billing-gateway-side-by-side-").unwrap()
}

/// Starts a demo without waiting for it.
fn begin(folder: &Path, database: Option<&str>) -> Running {
    let mut command = program(folder);
    command.args(["serve", "--demo", "--demo-size", "30", "--json", "--listen", "127.0.0.1:0"]);
    if let Some(url) = database {
        command.args(["--database-url", url]);
    }
    Running::start(command)
}

/// What a demo answers: the reference query on an invoice with every relation, and what both companies have.
async fn answers(ready: &Value) -> Vec<Value> {
    let id = &ready["characters"]["overage-week"];
    let mut answers = vec![ask(ready, "merchant", REFERENCE, json!({ "id": id })).await];
    for company in ["merchant", "other_tenant"] {
        answers.push(ask(ready, company, COUNTS, json!({})).await);
    }
    assert_eq!(answers[0]["invoice"]["id"], *id);
    answers
}

async fn ask(ready: &Value, who: &str, query: &str, variables: Value) -> Value {
    let address = ready["graphql"].as_str().unwrap();
    let token = ready["tokens"][who].as_str().unwrap();
    let request = reqwest::Client::new().post(address).bearer_auth(token);
    let answer = request.json(&json!({ "query": query, "variables": variables })).send().await.unwrap();
    answer.json::<Value>().await.unwrap()["data"].clone()
}

/// Starts two demos, waits until both are ready, makes sure that they answer the same, and gives that and the number
/// of rows in the first one's database.
async fn two(places: [(&Path, Option<&str>); 2], stored_at: &str) -> (Vec<Value>, Vec<(&'static str, u64)>) {
    let mut both = places.map(|(folder, database)| begin(folder, database));
    let mut told = Vec::new();
    for running in &mut both {
        let ready: Value = serde_json::from_str(&running.line(|_first| true)).unwrap();
        told.push(answers(&ready).await);
    }
    let database = Database::connect(stored_at).await.unwrap();
    let stored = rows(&database).await;
    database.close().await.unwrap();
    for running in both {
        running.stop();
    }
    let second = told.pop().unwrap();
    let first = told.pop().unwrap();
    assert_eq!(first, second);
    (first, stored)
}

#[tokio::test]
async fn two_demos_that_start_at_the_same_moment_serve_the_same_world_once() {
    let (left, right) = (folder(), folder());
    let file = format!("sqlite://{}", left.path().join("billing-demo.db").display());
    let apart = two([(left.path(), None), (right.path(), None)], &file).await;

    let shared = folder();
    let file = format!("sqlite://{}", shared.path().join("billing-demo.db").display());
    assert_eq!(two([(shared.path(), None), (shared.path(), None)], &file).await, apart, "on one file");

    let (database, folder) = (TestDatabase::empty(Engine::Postgres).await, folder());
    let url = Some(database.url.as_str());
    assert_eq!(two([(folder.path(), url), (folder.path(), url)], &database.url).await, apart, "on one Postgres");
}
