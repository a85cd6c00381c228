//! Sessions of customers' browsers: opened by the company's login, guarded against foreign pages, and ended.

use billing_gateway::auth::{AuthConfig, Authenticator, Credential};
use billing_gateway::domain::browser_session::SessionPolicy;
use billing_gateway::domain::clock::Clock;
use billing_gateway::domain::viewer::{PrincipalKind, ScopeSet};
use billing_gateway::store::tenant::System;
use entity::InvoiceStatus;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use super::{VIEWER, refused_in_time, who};
use crate::support::app::TestApp;
use crate::support::database::{Engine, for_each_engine};
use crate::support::full::{full, tenant};
use crate::support::gateway::{Gateway, viewer};

const OPEN: &str = "mutation M($customer: ID!, $scopes: [String!]!) { issueSession(input: \
    { customerId: $customer, scopes: $scopes, subject: \"mara\" }) \
    { sessionId secret setCookie expiresAt userErrors { code field } } }";

const MARK: (&str, &str) = ("x-csrf-token", "1");

async fn customer(app: &TestApp) -> Value {
    let answer = app.ask(&app.token("customer"), "{ viewer { customer { id } } }", json!({})).await;
    answer["data"]["viewer"]["customer"]["id"].clone()
}

#[tokio::test]
async fn a_cookie_opens_the_bills_of_its_customer_for_pages_that_mean_it() {
    let app = TestApp::new().await;
    let cookie = ("cookie", app.cookie.as_str());
    let (status, body) = who(&app, &[cookie, MARK]).await;
    assert_eq!((status, &body["data"]["viewer"]["kind"]), (200, &json!("CUSTOMER")), "{body}");
    for foreign in [&[cookie][..], &[cookie, MARK, ("origin", "https://evil.example")]] {
        let (status, body) = who(&app, foreign).await;
        assert_eq!((status, &body["errors"][0]["extensions"]["code"]), (403, &json!("CSRF_REFUSED")), "{body}");
    }
    let form = app.client.post(app.url("/graphql")).header("cookie", &app.cookie).header(MARK.0, MARK.1);
    let form = form.header("content-type", "text/plain").body(json!({ "query": VIEWER }).to_string());
    assert_eq!(form.send().await.unwrap().status(), 415);
    for junk in ["sid=", "sid=junk", "__Host-sid=junk", &format!("sid={}", "x".repeat(200))] {
        assert_eq!(who(&app, &[("cookie", junk), MARK]).await.0, 401, "{junk:.20}");
    }
    // Document A asks by a plain GET, whose answer no foreign page can read.
    let path = format!("/v1/billing/invoices/{}/pay-url", app.invoice("overage-week"));
    let answer = app.client.get(app.url(&path)).header("cookie", &app.cookie).send().await.unwrap();
    assert_ne!(answer.status(), 401);
    assert_ne!(answer.status(), 403);
}

#[tokio::test]
async fn the_login_of_the_company_opens_a_session_and_its_customer_ends_it() {
    for_each_engine(async |engine| {
        let app = TestApp::on(engine).await;
        let customer = customer(&app).await;
        let asked = json!({ "customer": customer, "scopes": ["invoices:read", "payments:read"] });
        let answer = app.ask(&app.token("service_key"), OPEN, asked).await;
        let session = &answer["data"]["issueSession"];
        assert_eq!(session["userErrors"], json!([]), "{answer}");
        let set_cookie = session["setCookie"].as_str().unwrap();
        for attribute in ["__Host-sid=", "; Path=/", "; HttpOnly", "; Secure", "; SameSite=Lax", "; Max-Age=43200"] {
            assert!(set_cookie.contains(attribute), "{attribute}");
        }
        let cookie = format!("__Host-sid={}", session["secret"].as_str().unwrap());
        let (status, body) = who(&app, &[("cookie", &cookie), MARK]).await;
        assert_eq!((status, &body["data"]["viewer"]["scopes"]), (200, &json!(["invoices:read", "payments:read"])));

        let logout = async |headers: &[(&str, &str)]| {
            let mut request = app.client.delete(app.url("/v1/session"));
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            request.send().await.unwrap()
        };
        let json_body = ("content-type", "application/json");
        assert_eq!(logout(&[("cookie", &cookie), json_body]).await.status(), 403);
        assert_eq!(logout(&[MARK, json_body]).await.status(), 401);
        for _ in 0..2 {
            let answer = logout(&[("cookie", &cookie), MARK, json_body]).await;
            assert_eq!(answer.status(), 204);
            let cleared = answer.headers()["set-cookie"].to_str().unwrap();
            assert!(cleared.starts_with("__Host-sid=;") && cleared.contains("Max-Age=0"), "{cleared}");
        }
        assert_eq!(who(&app, &[("cookie", &cookie), MARK]).await.0, 401, "at once, where it was ended");
    })
    .await;
}

#[tokio::test]
async fn only_the_company_opens_sessions_and_none_that_may_do_more_than_itself() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let tenant = tenant(&gateway.store, "acme").await;
        let own = full(&gateway.store, &tenant, "own", InvoiceStatus::Open).await;
        let scopes = ScopeSet::parse("tokens:manage invoices:read");
        let as_kind = |kind| viewer(kind, &tenant, scopes, None);
        let service = as_kind(PrincipalKind::Service);
        let asked = |customer: &str, scope: &str| json!({ "customer": customer, "scopes": [scope] });
        let own = own.customer.as_str();
        for (who, variables, code) in [
            (&as_kind(PrincipalKind::Partner), asked(own, "invoices:read"), "SCOPE_NOT_GRANTABLE"),
            (&service, asked(own, "payments:read"), "SCOPE_NOT_GRANTABLE"),
            (&service, asked(own, "everything"), "INVALID_VALUE"),
            (&service, asked("cus_nobody", "invoices:read"), "NOT_FOUND"),
        ] {
            let payload = gateway.ask(who, OPEN, variables).await.ok()["issueSession"].clone();
            assert_eq!((&payload["userErrors"][0]["code"], &payload["secret"]), (&json!(code), &Value::Null));
        }
        let opened = gateway.ask(&service, OPEN, asked(own, "invoices:read")).await.ok();
        assert_eq!(opened["issueSession"]["userErrors"], json!([]), "{opened}");
    })
    .await;
}

#[tokio::test]
async fn a_session_ends_unused_and_use_moves_its_end_ahead() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let tenant = tenant(&gateway.store, "acme").await;
        let own = full(&gateway.store, &tenant, "own", InvoiceStatus::Open).await;
        let service = viewer(PrincipalKind::Service, &tenant, ScopeSet::parse("tokens:manage"), None);
        let opened = gateway.ask(&service, OPEN, json!({ "customer": own.customer, "scopes": [] })).await.ok();
        let sid = opened["issueSession"]["secret"].as_str().unwrap().to_owned();
        let desk = || {
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
        };
        let db = gateway.database.connect().await;
        let near = Clock::system().now().utc() + chrono::TimeDelta::minutes(1);
        let set = format!("UPDATE sessions SET idle_until = '{}'", near.format("%Y-%m-%dT%H:%M:%S%.3f+00:00"));
        db.execute_unprepared(&set).await.unwrap();
        assert!(desk().viewer(Credential::Session(&sid)).await.is_ok());
        let begun = std::time::Instant::now();
        let idle_until = async || {
            use sea_orm::EntityTrait;
            entity::browser_session::Entity::find().one(&db).await.unwrap().unwrap().idle_until.utc()
        };
        while idle_until().await < near + chrono::TimeDelta::minutes(20) {
            assert!(begun.elapsed() < std::time::Duration::from_secs(20), "its end is not moved ahead");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        db.execute_unprepared("UPDATE sessions SET idle_until = '2026-01-01T00:00:00.000+00:00'").await.unwrap();
        assert!(desk().viewer(Credential::Session(&sid)).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_session_that_is_revoked_is_refused_within_five_seconds() {
    let app = TestApp::on(Engine::Postgres).await;
    let customer = customer(&app).await;
    let service = app.token("service_key");
    let answer = app.ask(&service, OPEN, json!({ "customer": customer, "scopes": [] })).await;
    let session = answer["data"]["issueSession"].clone();
    let cookie = format!("sid={}", session["secret"].as_str().unwrap());
    assert_eq!(who(&app, &[("cookie", &cookie), MARK]).await.0, 200);
    let revoke = "mutation M($id: ID!) { revokeSession(input: { id: $id }) { revokedAt userErrors { code } } }";
    let revoked = app.ask(&service, revoke, json!({ "id": session["sessionId"] })).await;
    assert!(revoked["data"]["revokeSession"]["revokedAt"].is_string(), "{revoked}");
    refused_in_time(async || who(&app, &[("cookie", &cookie), MARK]).await.0).await;
    let unknown = app.ask(&service, revoke, json!({ "id": "ses_nobody" })).await;
    assert_eq!(unknown["data"]["revokeSession"]["userErrors"][0]["code"], "NOT_FOUND");
}
