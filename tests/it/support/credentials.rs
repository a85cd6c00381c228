//! API keys and sessions as tests issue, use and lose them.

use std::time::Duration;

use billing_gateway::auth::{AuthConfig, Authenticator};
use billing_gateway::domain::browser_session::SessionPolicy;
use billing_gateway::domain::clock::Clock;
use billing_gateway::domain::viewer::Viewer;
use billing_gateway::store::tenant::System;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::app::TestApp;
use super::gateway::Gateway;

/// How long something that was revoked may still be taken.
const PROMISE: Duration = Duration::from_secs(5);

/// Issues the key that `$input` describes.
pub(crate) const ISSUE: &str = "mutation M($input: IssueApiKeyInput!) { issueApiKey(input: $input) \
    { secret alreadyIssued apiKey { id prefix last4 scopes kind customerIds createdBy expiresAt state revokedAt lastUsedAt \
    replacesId } userErrors { code message field } } }";

/// Asks who one is.
pub(crate) const VIEWER: &str = "{ viewer { kind tenantId scopes expiresAt } }";

/// A moment so long from now.
pub(crate) fn ahead(time: TimeDelta) -> String {
    let now = Clock::system().now().utc();
    (now + time).to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// What is wanted of a key, with some fields changed.
pub(crate) fn wanted(changes: &Value) -> Value {
    let mut input = json!({ "name": "export", "scopes": ["invoices:read"], "expiresAt": ahead(TimeDelta::days(1)) });
    input.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    json!({ "input": input })
}

/// Issues a key with a token, and gives its text and its id.
pub(crate) async fn issued(app: &TestApp, token: &str, changes: &Value) -> (String, String) {
    let answer = app.ask(token, ISSUE, wanted(changes)).await;
    let payload = &answer["data"]["issueApiKey"];
    assert_eq!(payload["userErrors"], json!([]), "{answer}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&payload["secret"]), text(&payload["apiKey"]["id"]))
}

/// Asks who one is, with these headers, and gives status and body.
pub(crate) async fn who(app: &TestApp, headers: &[(&str, &str)]) -> (u16, Value) {
    let mut request = app.client.post(app.url("/graphql")).json(&json!({ "query": VIEWER }));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Waits until a question is refused, and fails when it is still answered after what was promised.
pub(crate) async fn refused_in_time(ask: impl AsyncFn() -> u16) {
    let begun = std::time::Instant::now();
    while ask().await != 401 {
        assert!(begun.elapsed() < PROMISE, "still taken after {:?}", begun.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Opens a session of the customer `$customer` with the scopes `$scopes`.
pub(crate) const OPEN: &str = "mutation M($customer: ID!, $scopes: [String!]!) { issueSession(input: \
    { customerId: $customer, scopes: $scopes, subject: \"mara\" }) \
    { sessionId secret setCookie expiresAt userErrors { code field } } }";

/// The header that says that a page of ours asks.
pub(crate) const MARK: (&str, &str) = ("x-csrf-token", "1");

/// The customer of the demo whose token is called `customer`.
pub(crate) async fn customer(app: &TestApp) -> Value {
    let answer = app.ask(&app.token("customer"), "{ viewer { customer { id } } }", json!({})).await;
    answer["data"]["viewer"]["customer"]["id"].clone()
}

/// What tells who asks, over a store whose statements are seen.
pub(crate) fn desk(gateway: &Gateway) -> Authenticator {
    let (auth, usage) = Authenticator::new(AuthConfig {
        tokens: None,
        jwks: None,
        store: gateway.store.clone(),
        system: System::operator(),
        clock: Clock::system(),
        sessions: SessionPolicy::default(),
    });
    tokio::spawn(usage.run());
    auth
}

/// Issues a key without HTTP, and gives the payload.
pub(crate) async fn issue_as(gateway: &Gateway, who: &Viewer, changes: &Value) -> Value {
    gateway.ask(who, ISSUE, wanted(changes)).await.ok()["issueApiKey"].clone()
}
