//! API keys: issued, used, rotated, revoked, and never more than who issues them.

use std::time::Duration;

use billing_gateway::auth::{AuthError, AuthFailure, Credential};
use billing_gateway::domain::api_key::NewKey;
use billing_gateway::domain::viewer::{PrincipalKind, Scope, ScopeSet};
use billing_gateway::store::PoolSettings;
use chrono::TimeDelta;
use entity::{CustomerId, InvoiceStatus};
use sea_orm::ConnectionTrait;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::credentials::{ISSUE, ahead, desk, issue_as, issued, refused_in_time, wanted, who};
use crate::support::database::{Engine, for_each_engine};
use crate::support::full::{full, tenant};
use crate::support::gateway::{Gateway, merchant, viewer};

#[tokio::test]
async fn a_key_opens_in_each_of_its_forms_what_it_was_issued_for() {
    for_each_engine(async |engine| {
        let app = TestApp::on(engine).await;
        let merchant = app.token("merchant");
        let (key, _) = issued(&app, &merchant, &json!({ "scopes": ["invoices:read", "payments:read"] })).await;
        assert!(key.starts_with("bgk_test_"), "{key}");
        let bearer = format!("Bearer {key}");
        for form in [("authorization", bearer.as_str()), ("x-api-key", &key)] {
            let (status, body) = who(&app, &[form]).await;
            let viewer = &body["data"]["viewer"];
            assert_eq!((status, &viewer["kind"]), (200, &json!("PARTNER")), "{body}");
            assert_eq!(viewer["scopes"], json!(["invoices:read", "payments:read"]));
        }
        // An application and its user: what both may.
        let customer = format!("Bearer {}", app.token("customer"));
        let both = [("userhub-api-key", key.as_str()), ("authorization", &customer)];
        let (status, body) = who(&app, &both).await;
        assert_eq!((status, &body["data"]["viewer"]["kind"]), (200, &json!("CUSTOMER")), "{body}");
        assert_eq!(body["data"]["viewer"]["scopes"], json!(["invoices:read", "payments:read"]));
        let foreign = format!("Bearer {}", app.token("other_tenant"));
        assert_eq!(who(&app, &[("userhub-api-key", &key), ("authorization", &foreign)]).await.0, 401);
        assert_eq!(who(&app, &[("userhub-api-key", &key)]).await.0, 401);
    })
    .await;
}

#[tokio::test]
async fn two_credentials_are_refused_and_told() {
    let app = TestApp::new().await;
    let (merchant, key) = (format!("Bearer {}", app.token("merchant")), app.token("service_key"));
    for pair in [
        [("authorization", merchant.as_str()), ("x-api-key", key.as_str())],
        [("authorization", &merchant), ("authorization", &merchant)],
        [("authorization", &merchant), ("cookie", &app.cookie)],
        [("x-api-key", &key), ("userhub-api-key", &key)],
    ] {
        let (status, body) = who(&app, &pair).await;
        assert_eq!((status, &body["errors"][0]["extensions"]["code"]), (401, &json!("UNAUTHENTICATED")), "{body}");
        assert!(body["errors"][0]["message"].as_str().unwrap().contains("several credentials"), "{body}");
    }
}

#[tokio::test]
async fn whatever_is_wrong_with_a_key_the_answer_is_the_same() {
    let app = TestApp::new().await;
    let good = app.token("service_key");
    let swapped = format!("{}x", &good[..good.len() - 1]);
    let stranger = NewKey::random(false).unwrap();
    let of_good = NewKey::of(false, good[9..17].to_owned(), &"y".repeat(43).into());
    let mut bodies = Vec::new();
    for bad in [
        "bgk_",
        "bgk_test_short",
        &swapped,
        stranger.text.expose_secret(),
        of_good.text.expose_secret(),
        &app.token("revoked_key"),
        &"bgk_test_".repeat(2_000),
    ] {
        let (status, body) = who(&app, &[("x-api-key", bad)]).await;
        assert_eq!(status, 401, "{bad:.30}");
        bodies.push(body.to_string());
    }
    bodies.push(who(&app, &[]).await.1.to_string());
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
}

#[tokio::test]
async fn junk_costs_no_statement_and_a_busy_key_one_every_few_seconds() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let tenant = tenant(&gateway.store, "acme").await;
        let issued = issue_as(&gateway, &merchant(&tenant), &json!({})).await;
        let key = issued["secret"].as_str().unwrap();
        let auth = desk(&gateway);
        let lookups = || gateway.statement_texts().iter().filter(|text| text.starts_with("SELECT \"cred")).count();
        lookups();
        for junk in [format!("{}A", &key[..key.len() - 1]), key.to_lowercase(), "bgk_live_x".to_owned()] {
            let refused = auth.viewer(Credential::Key(&junk)).await;
            assert!(matches!(refused, Err(AuthFailure::Refused(why)) if matches!(&*why, AuthError::NotAKey)));
        }
        assert_eq!(lookups(), 0);
        let many = futures::future::join_all((0..50).map(|_| auth.viewer(Credential::Key(key)))).await;
        assert!(many.iter().all(Result::is_ok));
        assert_eq!(lookups(), 1, "fifty requests share one look-up");
        // Nobody's keys are kept like anybody's.
        let stranger = NewKey::random(false).unwrap();
        for _ in 0..5 {
            assert!(auth.viewer(Credential::Key(stranger.text.expose_secret())).await.is_err());
        }
        assert_eq!(lookups(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_key_of_the_other_mode_and_one_that_ended_are_refused() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let tenant = tenant(&gateway.store, "acme").await;
        let issued = issue_as(&gateway, &merchant(&tenant), &json!({})).await;
        let (key, id) = (issued["secret"].as_str().unwrap(), issued["apiKey"]["id"].as_str().unwrap());
        let secret = key[18..61].to_owned().into();
        let live = NewKey::of(true, key[9..17].to_owned(), &secret);
        let why = desk(&gateway).viewer(Credential::Key(live.text.expose_secret())).await;
        assert!(matches!(why, Err(AuthFailure::Refused(why)) if matches!(&*why, AuthError::Mode)));
        assert!(desk(&gateway).viewer(Credential::Key(key)).await.is_ok());
        let past = format!(
            "UPDATE credentials SET created_at = '2026-01-01T00:00:00+00:00', expires_at = '2026-01-02T00:00:00+00:00' \
             WHERE id = '{id}'"
        );
        gateway.database.connect().await.execute_unprepared(&past).await.unwrap();
        let why = desk(&gateway).viewer(Credential::Key(key)).await;
        assert!(matches!(why, Err(AuthFailure::Refused(why)) if matches!(&*why, AuthError::KeyExpired)));
    })
    .await;
}

#[tokio::test]
async fn nobody_issues_a_key_that_may_do_more_than_the_own_credential() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let tenant = tenant(&gateway.store, "acme").await;
        let own = full(&gateway.store, &tenant, "own", InvoiceStatus::Open).await;
        let other = full(&gateway.store, &tenant, "other", InvoiceStatus::Open).await;
        let scopes = ScopeSet::parse("tokens:manage invoices:read");
        let as_kind = |kind, customers: Option<Vec<CustomerId>>| viewer(kind, &tenant, scopes, customers);
        let (partner, limited) =
            (as_kind(PrincipalKind::Partner, None), as_kind(PrincipalKind::Partner, Some(vec![own.customer.clone()])));
        let customer = as_kind(PrincipalKind::Customer, Some(vec![own.customer.clone()]));
        let all: Vec<_> = (0..101).map(|number| format!("cus_{number}")).collect();
        let cases = [
            (&partner, json!({ "scopes": ["payments:read"] }), "SCOPE_NOT_GRANTABLE", "scopes"),
            (&partner, json!({ "scopes": ["invoices"] }), "INVALID_VALUE", "scopes"),
            (&partner, json!({ "kind": "MERCHANT" }), "SCOPE_NOT_GRANTABLE", "kind"),
            (&partner, json!({ "kind": "SERVICE" }), "SCOPE_NOT_GRANTABLE", "kind"),
            (&customer, json!({ "customerIds": [own.customer] }), "SCOPE_NOT_GRANTABLE", "kind"),
            (&limited, json!({}), "SCOPE_NOT_GRANTABLE", "customerIds"),
            (&limited, json!({ "customerIds": [other.customer] }), "SCOPE_NOT_GRANTABLE", "customerIds"),
            (&partner, json!({ "customerIds": ["cus_nobody"] }), "NOT_FOUND", "customerIds"),
            (&partner, json!({ "customerIds": [] }), "INVALID_VALUE", "customerIds"),
            (&partner, json!({ "name": " " }), "INVALID_VALUE", "name"),
            (&partner, json!({ "name": "x".repeat(101) }), "INVALID_VALUE", "name"),
            (&partner, json!({ "name": "a\u{7}b" }), "INVALID_VALUE", "name"),
            (&partner, json!({ "expiresAt": ahead(TimeDelta::days(366)) }), "INVALID_VALUE", "expiresAt"),
            (&partner, json!({ "expiresAt": ahead(TimeDelta::seconds(-1)) }), "INVALID_VALUE", "expiresAt"),
        ];
        for (who, changes, code, field) in cases {
            let payload = issue_as(&gateway, who, &changes).await;
            assert_eq!(payload["userErrors"][0]["code"], code, "{changes}: {payload}");
            assert_eq!(payload["userErrors"][0]["field"], json!(["input", field]), "{changes}");
            assert_eq!((&payload["secret"], &payload["apiKey"]), (&Value::Null, &Value::Null), "{changes}");
        }
        let long = gateway.ask(&partner, ISSUE, wanted(&json!({ "customerIds": all }))).await;
        assert_eq!(long.codes(), ["BAD_USER_INPUT"]);
        let kept = issue_as(&gateway, &limited, &json!({ "customerIds": [own.customer] })).await;
        assert_eq!(kept["apiKey"]["customerIds"], json!([own.customer]), "{kept}");
        let without = viewer(PrincipalKind::Merchant, &tenant, ScopeSet::parse("invoices:read"), None);
        let refused = gateway.ask(&without, ISSUE, wanted(&json!({}))).await;
        assert_eq!(refused.codes(), ["FORBIDDEN"]);
    })
    .await;
}

const LIST: &str = "{ apiKeys { totalCount nodes { id } } }";
const REVOKE: &str = "mutation M($id: ID!) { revokeApiKey(input: { id: $id }) \
    { apiKey { id revokedAt } userErrors { code } } }";
const ROTATE: &str = "mutation M($id: ID!, $grace: Int) { rotateApiKey(input: { id: $id, graceMinutes: $grace }) \
    { secret apiKey { id replacesId scopes name expiresAt } userErrors { code field } } }";

#[tokio::test]
async fn keys_of_others_do_not_exist() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let (ours, theirs) = (tenant(&gateway.store, "acme").await, tenant(&gateway.store, "other").await);
        let own = full(&gateway.store, &ours, "own", InvoiceStatus::Open).await;
        let whole = issue_as(&gateway, &merchant(&ours), &json!({})).await["apiKey"]["id"].clone();
        let narrow =
            issue_as(&gateway, &merchant(&ours), &json!({ "customerIds": [own.customer] })).await["apiKey"]["id"]
                .clone();
        let limited = viewer(
            PrincipalKind::Partner,
            &ours,
            Scope::ALL.into_iter().collect(),
            Some(vec![own.customer.clone(), "cus_more".into()]),
        );
        for (caller, key) in [(merchant(&theirs), &whole), (limited.clone(), &whole)] {
            for query in [REVOKE, ROTATE] {
                let known = gateway.ask(&caller, query, json!({ "id": key })).await.ok();
                let unknown = gateway.ask(&caller, query, json!({ "id": "key_nobody" })).await.ok();
                assert_eq!(known, unknown);
                assert!(known.to_string().contains("NOT_FOUND"), "{known}");
            }
        }
        let seen = |answer: Value| answer["apiKeys"]["totalCount"].as_i64().unwrap();
        assert_eq!(seen(gateway.ask(&merchant(&theirs), LIST, json!({})).await.ok()), 0);
        assert_eq!(seen(gateway.ask(&merchant(&ours), LIST, json!({})).await.ok()), 3);
        assert_eq!(seen(gateway.ask(&limited, LIST, json!({})).await.ok()), 2);
        let revoked = gateway.ask(&limited, REVOKE, json!({ "id": narrow })).await.ok();
        assert_eq!(revoked["revokeApiKey"]["userErrors"], json!([]), "{revoked}");
        // Two are revoked now: that of the fixture, and the narrow one.
        let query =
            "query Q($active: Boolean) { apiKeys(filter: { active: $active }) { totalCount nodes { id state } } }";
        for (active, count, state) in [(true, 1, "ACTIVE"), (false, 2, "REVOKED")] {
            let listed =
                gateway.ask(&merchant(&ours), query, json!({ "active": active })).await.ok()["apiKeys"].clone();
            assert_eq!(
                (&listed["totalCount"], &listed["nodes"][0]["state"]),
                (&json!(count), &json!(state)),
                "{listed}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_rotated_key_lives_on_for_its_grace_and_its_successor_may_the_same() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let tenant = tenant(&gateway.store, "acme").await;
        let owner = merchant(&tenant);
        let old = issue_as(&gateway, &owner, &json!({ "scopes": ["payments:read"], "name": "nightly" })).await;
        let id = old["apiKey"]["id"].clone();
        // Who may less than the key would learn to do more by its successor.
        let weaker = viewer(PrincipalKind::Merchant, &tenant, ScopeSet::parse("tokens:manage"), None);
        let refused = gateway.ask(&weaker, ROTATE, json!({ "id": id })).await.ok();
        assert_eq!(refused["rotateApiKey"]["userErrors"][0]["code"], "SCOPE_NOT_GRANTABLE");
        for grace in [-1, 43_201] {
            let refused = gateway.ask(&owner, ROTATE, json!({ "id": id, "grace": grace })).await.ok();
            assert_eq!(refused["rotateApiKey"]["userErrors"][0]["code"], "INVALID_VALUE");
        }
        let new = gateway.ask(&owner, ROTATE, json!({ "id": id, "grace": 1 })).await.ok()["rotateApiKey"].clone();
        assert_eq!((&new["apiKey"]["replacesId"], &new["apiKey"]["name"]), (&id, &json!("nightly")));
        assert_eq!(new["apiKey"]["scopes"], json!(["payments:read"]));
        for key in [&old["secret"], &new["secret"]] {
            assert!(desk(&gateway).viewer(Credential::Key(key.as_str().unwrap())).await.is_ok());
        }
        let query = "query Q($id: ID!) { node(id: $id) { ... on ApiKey { expiresAt } } }";
        let ends = gateway.ask(&owner, query, json!({ "id": id })).await.ok()["node"]["expiresAt"].clone();
        assert!(ends.as_str().unwrap() < ahead(TimeDelta::minutes(2)).as_str(), "{ends}");
        let at_once = gateway.ask(&owner, ROTATE, json!({ "id": new["apiKey"]["id"], "grace": 0 })).await.ok();
        assert_eq!(at_once["rotateApiKey"]["userErrors"], json!([]));
        assert!(desk(&gateway).viewer(Credential::Key(new["secret"].as_str().unwrap())).await.is_err());
        let ended = gateway.ask(&owner, ROTATE, json!({ "id": new["apiKey"]["id"] })).await.ok();
        assert_eq!(ended["rotateApiKey"]["userErrors"][0]["code"], "INVALID_STATE_TRANSITION");
    })
    .await;
}

#[tokio::test]
async fn a_revoked_key_is_refused_within_five_seconds_and_stays_so() {
    let app = TestApp::new().await;
    let merchant = app.token("merchant");
    let (key, id) = issued(&app, &merchant, &json!({})).await;
    assert_eq!(who(&app, &[("x-api-key", &key)]).await.0, 200);
    let revoke = async || app.ask(&merchant, REVOKE, json!({ "id": id })).await["data"]["revokeApiKey"].clone();
    let first = revoke().await;
    refused_in_time(async || who(&app, &[("x-api-key", &key)]).await.0).await;
    assert_eq!(revoke().await, first, "revoking twice is revoking once");
    assert!(first["apiKey"]["revokedAt"].is_string());
}

#[tokio::test]
async fn a_key_is_told_once_and_only_its_digest_is_kept() {
    for_each_engine(async |engine| {
        let app = TestApp::on(engine).await;
        let merchant = app.token("merchant");
        let (key, id) = issued(&app, &merchant, &json!({})).await;
        let secret = &key[18..61];
        let query = "query Q($id: ID!) { node(id: $id) { ... on ApiKey { prefix last4 name } } \
            apiKeys(first: 100) { nodes { id prefix last4 } } auditLog(first: 100) { nodes { before after } } }";
        let seen = app.ask(&merchant, query, json!({ "id": id })).await;
        assert_eq!(seen["data"]["node"]["prefix"], key[..17], "{seen}");
        assert_eq!(seen["data"]["node"]["last4"], key[key.len() - 4..]);
        assert!(!seen.to_string().contains(secret));
        let reader = app.database.connect().await;
        let row = entity::credential::Entity::find_by_handle(&reader, &key[9..17]).await;
        assert!(!format!("{row:?}").contains(secret), "{row:?}");
    })
    .await;
}

/// Reads a row without the program's own way.
trait ByHandle {
    async fn find_by_handle(db: &sea_orm::DatabaseConnection, handle: &str) -> entity::credential::Model;
}

impl ByHandle for entity::credential::Entity {
    async fn find_by_handle(db: &sea_orm::DatabaseConnection, handle: &str) -> entity::credential::Model {
        use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
        let found = Self::find().filter(entity::credential::Column::Handle.eq(handle));
        found.one(db).await.unwrap().expect("the key is stored")
    }
}

#[tokio::test]
async fn the_use_of_a_key_is_noted_once_a_minute() {
    for_each_engine(async |engine| {
        let app = TestApp::on(engine).await;
        let (key, _) = issued(&app, &app.token("merchant"), &json!({})).await;
        let reader = app.database.connect().await;
        let row = async || entity::credential::Entity::find_by_handle(&reader, &key[9..17]).await;
        assert_eq!(row().await.last_used_at, None);
        let begun = std::time::Instant::now();
        let first = loop {
            assert_eq!(who(&app, &[("x-api-key", &key)]).await.0, 200);
            if let Some(at) = row().await.last_used_at {
                break at;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "its use is not noted");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        for _ in 0..5 {
            who(&app, &[("x-api-key", &key)]).await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(row().await.last_used_at, Some(first));
    })
    .await;
}

#[tokio::test]
async fn while_the_store_is_away_a_key_may_be_good() {
    let pools = PoolSettings {
        connections: 2,
        acquire_timeout: Duration::from_millis(200),
        read_timeout: Duration::from_secs(1),
        write_timeout: Duration::from_secs(10),
    };
    let app = TestApp::with_pools(Engine::Postgres, pools).await;
    let key = app.token("service_key");
    app.database.take_connections(false).await;
    for _ in 0..2 {
        let request = app.client.post(app.url("/graphql")).header("x-api-key", &key);
        let answer = request.json(&json!({ "query": "{ viewer { kind } }" })).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers().contains_key("retry-after")), (503, true));
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["errors"][0]["extensions"]["code"], "STORE_UNAVAILABLE", "{body}");
    }
    app.database.take_connections(true).await;
    assert_eq!(who(&app, &[("x-api-key", &key)]).await.0, 200, "and it is, once the store is back");
}
