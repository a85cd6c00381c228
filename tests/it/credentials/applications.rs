//! A user behind an application: both must be allowed to, both are written down, and both are charged.

use std::time::Duration;

use billing_gateway::app::audit::verify_in;
use billing_gateway::http::{RateSettings, Rates};
use billing_gateway::store::tenant::System;
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::credentials::{ISSUE, ahead, issued, wanted};
use crate::support::database::for_each_engine;

const DRAFTS: &str = "{ viewer { kind scopes } invoices(first: 100, filter: { status: DRAFT }) { nodes { id } } }";

const OPEN: &str = "mutation M($id: ID!) { issueSession(input: { customerId: $id, subject: \"mara\", scopes: [] }) \
    { sessionId userErrors { code field } } }";

/// Asks with the key of an application and the token of its user.
async fn ask(app: &TestApp, (key, user): (&str, &str), query: &str, variables: Value) -> reqwest::Response {
    let request = app.client.post(app.url("/graphql")).header("userhub-api-key", key).bearer_auth(app.token(user));
    request.json(&json!({ "query": query, "variables": variables })).send().await.unwrap()
}

async fn body(answer: reqwest::Response) -> Value {
    answer.json().await.unwrap()
}

#[tokio::test]
async fn a_merchant_behind_a_partner_s_application_may_no_more_than_the_partner() {
    for_each_engine(async |engine| {
        let app = TestApp::on(engine).await;
        let merchant = app.token("merchant");
        let scopes = json!({ "scopes": ["invoices:read", "customers:read", "tokens:manage"] });
        let (partner, _) = issued(&app, &merchant, &scopes).await;
        let alone = app.ask(&merchant, DRAFTS, Value::Null).await;
        assert_ne!(alone["data"]["invoices"]["nodes"], json!([]), "the merchant alone sees drafts: {alone}");
        let both = (partner.as_str(), "merchant");
        let seen = body(ask(&app, both, DRAFTS, Value::Null).await).await;
        assert_eq!(seen["data"]["viewer"]["kind"], "PARTNER", "{seen}");
        assert_eq!(seen["data"]["invoices"]["nodes"], json!([]), "the application sees none");

        for kind in ["MERCHANT", "SERVICE"] {
            let wanted = wanted(&json!({ "kind": kind, "expiresAt": ahead(TimeDelta::days(1)) }));
            let issued = body(ask(&app, both, ISSUE, wanted).await).await;
            let payload = &issued["data"]["issueApiKey"];
            assert_eq!(
                (&payload["userErrors"][0]["code"], &payload["secret"]),
                (&json!("SCOPE_NOT_GRANTABLE"), &Value::Null)
            );
        }
        let customers = app.ask(&merchant, "{ customers(first: 1) { nodes { id } } }", Value::Null).await;
        let customer = json!({ "id": customers["data"]["customers"]["nodes"][0]["id"] });
        let opened = body(ask(&app, both, OPEN, customer).await).await;
        assert_eq!(opened["data"]["issueSession"]["userErrors"][0]["code"], "SCOPE_NOT_GRANTABLE", "{opened}");
    })
    .await;
}

#[tokio::test]
async fn what_is_changed_through_an_application_is_written_down_with_both_credentials() {
    for_each_engine(async |engine| {
        let app = TestApp::on(engine).await;
        let merchant = app.token("merchant");
        let scopes = json!({ "scopes": ["invoices:read", "tokens:manage"] });
        let (partner, partner_id) = issued(&app, &merchant, &scopes).await;
        let changed = body(ask(&app, (&partner, "merchant"), ISSUE, wanted(&json!({}))).await).await;
        let id = &changed["data"]["issueApiKey"]["apiKey"]["id"];
        assert!(id.is_string(), "{changed}");
        let log = "query Q($id: String!) { auditLog(first: 5, filter: { objectId: $id }) \
            { nodes { actor actorKind credentialId applicationId } } }";
        let entry = async |id: &Value| {
            let answer = app.ask(&merchant, log, json!({ "id": id })).await;
            answer["data"]["auditLog"]["nodes"][0].clone()
        };
        let through = entry(id).await;
        assert_eq!(through["applicationId"], json!(partner_id), "{through}");
        assert_eq!((&through["actor"], &through["actorKind"]), (&json!("merchant"), &json!("merchant")));
        let direct = entry(&json!(partner_id)).await;
        assert_eq!(direct["applicationId"], Value::Null);
        assert_eq!(direct["credentialId"], through["credentialId"], "the same token");
        let chains = verify_in(&app.store, &System::operator(), None, &[]).await.unwrap();
        assert!(chains.iter().all(|chain| chain.broken.is_none()));
    })
    .await;
}

#[tokio::test]
async fn an_application_pays_for_all_of_its_users() {
    let settings = RateSettings { refill: Duration::from_secs(10_000_000), ..RateSettings::default() };
    let app = TestApp::with_rates(Rates { settings, ..Rates::default() }).await;
    let (key, _) = issued(&app, &app.token("merchant"), &json!({})).await;
    let (first, second) = ("merchant", "partner");
    let page = body(ask(&app, (&key, first), "{ invoices(first: 100) { nodes { number } } }", Value::Null).await).await;
    let cost = page["extensions"]["cost"]["requested"].as_u64().unwrap();
    assert!(cost >= 100, "{page}");
    let left =
        |answer: &reqwest::Response| answer.headers()["ratelimit-remaining"].to_str().unwrap().parse::<u64>().unwrap();
    let question = "{ viewer { kind } }";
    assert_eq!(left(&ask(&app, (&key, second), question, Value::Null).await), 500_000 - cost - 1, "the application's");
    let alone = app.client.post(app.url("/graphql")).bearer_auth(app.token(second));
    let alone = alone.json(&json!({ "query": question })).send().await.unwrap();
    assert_eq!(left(&alone), 500_000 - 2, "the user's own, whichever way it came");
}
