//! Tokens that are refused before they expire: by who manages credentials, and by whoever logs out.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use billing_gateway::domain::viewer::{PrincipalKind, Scope, ScopeSet};
use entity::InvoiceStatus;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::credentials::{MARK, refused_in_time, who};
use crate::support::database::for_each_engine;
use crate::support::full::{full, tenant};
use crate::support::gateway::{Gateway, merchant, viewer};

const REVOKE: &str = "mutation M($jti: String!) { revokeToken(input: { jti: $jti }) \
    { revokedAt userErrors { code field } } }";
const REVOKE_OWN: &str = "mutation { revokeOwnToken { revokedAt userErrors { code field } } }";

fn jti(token: &str) -> String {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice::<Value>(&claims).unwrap()["jti"].as_str().unwrap().to_owned()
}

async fn revoke(app: &TestApp, token: &str, jti: &str) -> Value {
    app.ask(token, REVOKE, json!({ "jti": jti })).await["data"]["revokeToken"].clone()
}

#[tokio::test]
async fn a_token_is_refused_in_time_by_its_id_and_only_in_its_own_tenant() {
    for_each_engine(async |engine| {
        let app = TestApp::on(engine).await;
        let (merchant, partner, other) = (app.token("merchant"), app.token("partner"), app.token("other_tenant"));
        let bearer = format!("Bearer {partner}");
        assert_eq!(who(&app, &[("authorization", &bearer)]).await.0, 200);
        // What another tenant revokes under the same id is a token of its own.
        let foreign = revoke(&app, &other, &jti(&partner)).await;
        if foreign["userErrors"] == json!([]) {
            tokio::time::sleep(std::time::Duration::from_secs(5)).await;
            assert_eq!(who(&app, &[("authorization", &bearer)]).await.0, 200, "refused by another tenant");
        }
        let first = revoke(&app, &merchant, &jti(&partner)).await;
        assert_eq!(first["userErrors"], json!([]), "{first}");
        refused_in_time(async || who(&app, &[("authorization", &bearer)]).await.0).await;
        assert_eq!(revoke(&app, &merchant, &jti(&partner)).await, first, "revoking twice is revoking once");
        let log = "{ auditLog(filter: { action: \"token.revoke\" }) { nodes { actor objectType objectId after } } }";
        let log = app.ask(&merchant, log, json!({})).await;
        let entries = log["data"]["auditLog"]["nodes"].as_array().unwrap();
        assert_eq!((entries.len(), &entries[0]["objectType"]), (1, &json!("Token")), "{log}");
        assert!(!log.to_string().contains(&jti(&partner)), "the id opens nothing, and is not told all the same");
    })
    .await;
}

#[tokio::test]
async fn whoever_logs_out_needs_no_scope_and_ends_the_own_token_alone() {
    let app = TestApp::new().await;
    let (customer, partner) = (app.token("customer"), app.token("partner_without_links"));
    let bearer = format!("Bearer {customer}");
    let refused = app.ask(&customer, REVOKE, json!({ "jti": jti(&customer) })).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN", "{refused}");
    let own = app.ask(&customer, REVOKE_OWN, json!({})).await;
    assert!(own["data"]["revokeOwnToken"]["revokedAt"].is_string(), "{own}");
    refused_in_time(async || who(&app, &[("authorization", &bearer)]).await.0).await;
    assert_eq!(who(&app, &[("authorization", &format!("Bearer {partner}"))]).await.0, 200);
    // A key and a session are no tokens.
    let service = app.token("service_key");
    for headers in [&[("x-api-key", service.as_str())][..], &[("cookie", app.cookie.as_str()), MARK]] {
        let mut request = app.client.post(app.url("/graphql")).json(&json!({ "query": REVOKE_OWN }));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["data"]["revokeOwnToken"]["userErrors"][0]["code"], "NOT_FOUND", "{answer}");
        assert_eq!(who(&app, headers).await.0, 200);
    }
}

#[tokio::test]
async fn who_is_limited_to_customers_revokes_no_token_but_the_own() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let tenant = tenant(&gateway.store, "acme").await;
        let own = full(&gateway.store, &tenant, "own", InvoiceStatus::Open).await;
        let scopes: ScopeSet = Scope::ALL.into_iter().collect();
        let limited = viewer(PrincipalKind::Partner, &tenant, scopes, Some(vec![own.customer])).by_token("mine");
        for jti in ["mine", "theirs"] {
            let refused = gateway.ask(&limited, REVOKE, json!({ "jti": jti })).await.ok();
            assert_eq!(refused["revokeToken"]["userErrors"][0]["code"], "NOT_FOUND", "{refused}");
        }
        let done = gateway.ask(&limited, REVOKE_OWN, json!({})).await.ok();
        assert!(done["revokeOwnToken"]["revokedAt"].is_string(), "{done}");
        for bad in ["", "a\u{0}b", &"x".repeat(256)] {
            let refused = gateway.ask(&merchant(&tenant), REVOKE, json!({ "jti": bad })).await;
            let coded = refused.codes() == ["BAD_USER_INPUT"]
                || refused.data["revokeToken"]["userErrors"][0]["code"] == "INVALID_VALUE";
            assert!(coded, "{refused:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn no_tenant_crowds_out_what_others_have_revoked() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let tenant = tenant(&gateway.store, "acme").await;
        let owner = merchant(&tenant);
        let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)";
        // 64 digits, each another.
        let digest = "substr('0000000000000000000000000000000000000000000000000000000000000000' || i, -64)";
        let digest = match gateway.database.connect().await.get_database_backend() {
            sea_orm::DbBackend::Postgres => "lpad(i::text, 64, '0')",
            _ => digest,
        };
        let fill = format!(
            "INSERT INTO revoked_tokens (tenant_id, jti_sha256, revoked_by, revoked_at, expires_at) {numbers} \
             SELECT '{tenant}', {digest}, 'x', '2026-01-01T00:00:00.000+00:00', '2099-01-01T00:00:00.000+00:00' FROM n"
        );
        gateway.database.connect().await.execute_unprepared(&fill).await.unwrap();
        let code = async |jti: &str| {
            let answer = gateway.ask(&owner, REVOKE, json!({ "jti": jti })).await.ok();
            answer["revokeToken"]["userErrors"][0]["code"].clone()
        };
        assert_eq!(code("the last").await, Value::Null);
        assert_eq!(code("one more").await, "LIMIT_EXCEEDED");
        assert_eq!(code("the last").await, Value::Null, "revoked before");
        // Nobody is kept from logging out.
        let own = gateway.ask(&owner.by_token("mine"), REVOKE_OWN, json!({})).await.ok();
        assert_eq!(own["revokeOwnToken"]["userErrors"], json!([]));
    })
    .await;
}
