//! Credentials that the gateway hands out: API keys, sessions, revoked tokens, and the log of who did what.

mod audit;
mod keys;
mod replicas;
mod sessions;

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::app::TestApp;

/// How long something that was revoked may still be taken.
const PROMISE: Duration = Duration::from_secs(5);

const ISSUE: &str = "mutation M($input: IssueApiKeyInput!) { issueApiKey(input: $input) \
    { secret apiKey { id prefix last4 scopes kind customerIds createdBy expiresAt revokedAt lastUsedAt replacesId } \
    userErrors { code message field } } }";

const VIEWER: &str = "{ viewer { kind tenantId scopes expiresAt } }";

/// A moment so long from now.
fn ahead(time: TimeDelta) -> String {
    let now = billing_gateway::domain::clock::Clock::system().now().utc();
    (now + time).to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// What is wanted of a key, with some fields changed.
fn wanted(changes: &Value) -> Value {
    let mut input = json!({ "name": "export", "scopes": ["invoices:read"], "expiresAt": ahead(TimeDelta::days(1)) });
    input.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    json!({ "input": input })
}

/// Issues a key with a token, and gives its text and its id.
async fn issued(app: &TestApp, token: &str, changes: &Value) -> (String, String) {
    let answer = app.ask(token, ISSUE, wanted(changes)).await;
    let payload = &answer["data"]["issueApiKey"];
    assert_eq!(payload["userErrors"], json!([]), "{answer}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&payload["secret"]), text(&payload["apiKey"]["id"]))
}

/// Asks who one is, with these headers, and gives status and body.
async fn who(app: &TestApp, headers: &[(&str, &str)]) -> (u16, Value) {
    let mut request = app.client.post(app.url("/graphql")).json(&json!({ "query": VIEWER }));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Waits until a question is refused, and fails when it is still answered after what was promised.
async fn refused_in_time(ask: impl AsyncFn() -> u16) {
    let begun = std::time::Instant::now();
    while ask().await != 401 {
        assert!(begun.elapsed() < PROMISE, "still taken after {:?}", begun.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
