//! `POST /oauth/revoke`: whoever shows a key or a token may end it.

use billing_gateway::http::{RateSettings, Rates};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::credentials::{issued, refused_in_time, who};
use crate::support::database::for_each_engine;

async fn revoke(app: &TestApp, token: &str) -> Response {
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("token", token)
        .append_pair("token_type_hint", "access_token")
        .finish();
    post(app, "application/x-www-form-urlencoded", form).await
}

async fn post(app: &TestApp, kind: &str, body: String) -> Response {
    app.client.post(app.url("/oauth/revoke")).header("content-type", kind).body(body).send().await.unwrap()
}

#[tokio::test]
async fn whoever_shows_a_key_or_a_token_may_end_it_and_that_is_written_down() {
    for_each_engine(async |engine| {
        let app = TestApp::on(engine).await;
        let merchant = app.token("merchant");
        // Neither has the scope to manage credentials.
        let (key, id) = issued(&app, &merchant, &json!({})).await;
        let token = app.token("partner_without_payments");
        let bearer = format!("Bearer {token}");
        assert_eq!(who(&app, &[("x-api-key", &key)]).await.0, 200);
        assert_eq!(who(&app, &[("authorization", &bearer)]).await.0, 200);
        for secret in [&key, &token] {
            for _ in 0..2 {
                let answer = revoke(&app, secret).await;
                assert_eq!(answer.status(), StatusCode::OK);
                assert_eq!(answer.bytes().await.unwrap().len(), 0);
            }
        }
        refused_in_time(async || who(&app, &[("x-api-key", &key)]).await.0).await;
        refused_in_time(async || who(&app, &[("authorization", &bearer)]).await.0).await;
        let log =
            "query Q { auditLog(first: 10) { nodes { action actorKind credentialId objectId address requestId } } }";
        let log = app.ask(&merchant, log, Value::Null).await;
        let of = |action: &str| {
            let entries = log["data"]["auditLog"]["nodes"].as_array().unwrap().iter();
            entries.filter(|entry| entry["action"] == action).cloned().collect::<Vec<_>>()
        };
        let (keys, tokens) = (of("api_key.revoke"), of("token.revoke"));
        assert_eq!((keys.len(), tokens.len()), (1, 1), "once each: {log}");
        assert_eq!((&keys[0]["objectId"], &keys[0]["credentialId"]), (&json!(id), &json!(id)), "by itself");
        assert!(tokens[0]["credentialId"].is_string() && tokens[0]["address"].is_string(), "{log}");
    })
    .await;
}

#[tokio::test]
async fn what_is_not_good_is_the_same_answer_and_is_counted() {
    let settings = RateSettings { bad_credentials_per_minute: 4, ..RateSettings::default() };
    let app = TestApp::with_rates(Rates { settings, ..Rates::default() }).await;
    let sid = app.cookie.split_once('=').unwrap().1.to_owned();
    for bad in ["no.such.token", "bgk_live_nonsense", "ü", &sid] {
        assert_eq!(revoke(&app, bad).await.status(), StatusCode::OK);
    }
    let cookie = app.cookie.clone();
    let (status, _) = who(&app, &[("cookie", &cookie), ("graphql-require-preflight", "1")]).await;
    assert_eq!(status, 429, "a session was not ended, and not looked up after that");
    let refused = revoke(&app, "no.such.token").await;
    assert_eq!(
        (refused.status(), refused.headers().contains_key("retry-after")),
        (StatusCode::TOO_MANY_REQUESTS, true)
    );
}

#[tokio::test]
async fn what_is_no_form_with_one_token_is_a_problem() {
    let app = TestApp::new().await;
    let form = "application/x-www-form-urlencoded";
    for (kind, body) in [
        (form, String::new()),
        (form, "token=".to_owned()),
        (form, "token=a&token=b".to_owned()),
        (form, format!("token={}", "a".repeat(20_000))),
        ("application/json", json!({ "token": "a" }).to_string()),
        ("text/plain", "token=a".to_owned()),
    ] {
        let refused = post(&app, kind, body).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{kind}");
        assert_eq!(refused.headers()["content-type"], "application/problem+json");
        assert_eq!(refused.json::<Value>().await.unwrap()["code"], "BAD_USER_INPUT");
    }
    let get = app.client.get(app.url("/oauth/revoke")).send().await.unwrap();
    assert_eq!(get.status(), StatusCode::METHOD_NOT_ALLOWED);
}
