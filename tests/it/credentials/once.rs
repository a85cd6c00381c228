//! A request for a key that is sent again issues none a second time.

use billing_gateway::domain::viewer::{PrincipalKind, Scope, Viewer};
use chrono::TimeDelta;
use sea_orm::{ConnectionTrait, EntityTrait, PaginatorTrait};
use serde_json::{Value, json};

use crate::support::credentials::{ISSUE, ahead, issue_as, wanted};
use crate::support::database::for_each_engine;
use crate::support::full::tenant;
use crate::support::gateway::{Gateway, merchant, viewer};

const ROTATE: &str = "mutation M($id: ID!, $name: String, $grace: Int) { rotateApiKey(input: \
    { id: $id, idempotencyKey: $name, graceMinutes: $grace }) \
    { secret alreadyIssued apiKey { id replacesId } userErrors { code field } } }";

async fn keys(gateway: &Gateway) -> u64 {
    entity::credential::Entity::find().count(&gateway.database.connect().await).await.unwrap()
}

/// The same request each time: its end does not move.
fn named(name: &str, end: &str) -> Value {
    json!({ "idempotencyKey": name, "expiresAt": end })
}

#[tokio::test]
async fn a_request_that_comes_again_is_answered_with_the_same_key_and_without_its_secret() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let tenant = tenant(&gateway.store, "acme").await;
        let (owner, end) = (merchant(&tenant), ahead(TimeDelta::days(1)));
        let first = issue_as(&gateway, &owner, &named("a", &end)).await;
        assert!(first["secret"].is_string() && first["alreadyIssued"] == json!(false), "{first}");
        let again = issue_as(&gateway, &owner, &named("a", &end)).await;
        assert_eq!((&again["secret"], &again["alreadyIssued"]), (&Value::Null, &json!(true)));
        assert_eq!((&again["apiKey"], &again["userErrors"]), (&first["apiKey"], &json!([])));
        assert_eq!(keys(&gateway).await, 1);
        // Without a name each request is another one.
        for _ in 0..2 {
            issue_as(&gateway, &owner, &json!({ "expiresAt": end })).await;
        }
        assert_eq!(keys(&gateway).await, 3);
        let log = "{ auditLog { nodes { action } } }";
        let log = gateway.ask(&owner, log, json!({})).await.ok();
        assert_eq!(log["auditLog"]["nodes"].as_array().map(Vec::len), Some(3), "what changes nothing is no entry");
    })
    .await;
}

#[tokio::test]
async fn keys_of_one_name_have_names_of_requests_of_their_own() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let tenant = tenant(&gateway.store, "acme").await;
        let end = ahead(TimeDelta::days(1));
        for key in ["key_1", "key_2"] {
            let issued = issue_as(&gateway, &merchant(&tenant).by_key(key), &named("a", &end)).await;
            assert!(issued["secret"].is_string(), "{key}: {issued}");
        }
        assert_eq!(keys(&gateway).await, 2);
    })
    .await;
}

#[tokio::test]
async fn two_at_the_same_time_issue_one_key() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let tenant = tenant(&gateway.store, "acme").await;
        let (owner, end) = (merchant(&tenant), ahead(TimeDelta::days(1)));
        let (asked, end) = (named("a", &end), end.as_str());
        let answers = futures::future::join_all((0..8).map(|_| issue_as(&gateway, &owner, &asked))).await;
        let secrets = answers.iter().filter(|answer| answer["secret"].is_string()).count();
        let again = answers.iter().filter(|answer| answer["alreadyIssued"] == json!(true)).count();
        assert_eq!((secrets, again, keys(&gateway).await), (1, 7, 1), "{answers:#?}");
        assert!(answers.iter().all(|answer| answer["apiKey"]["id"] == answers[0]["apiKey"]["id"]));
        // And two that only share the name: one of them.
        let other = json!({ "idempotencyKey": "b", "expiresAt": end, "name": "another" });
        let same = named("b", end);
        let both = futures::join!(issue_as(&gateway, &owner, &same), issue_as(&gateway, &owner, &other));
        let refused: Vec<_> = [&both.0, &both.1].into_iter().filter(|one| one["apiKey"].is_null()).collect();
        assert_eq!(refused.len(), 1, "{both:?}");
        assert_eq!(refused[0]["userErrors"][0]["code"], "IDEMPOTENCY_KEY_REUSED");
    })
    .await;
}

#[tokio::test]
async fn a_name_is_the_principals_own_and_stands_for_one_request() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let (ours, theirs) = (tenant(&gateway.store, "acme").await, tenant(&gateway.store, "other").await);
        let end = ahead(TimeDelta::days(1));
        let owner = merchant(&ours);
        let first = issue_as(&gateway, &owner, &named("a", &end)).await;
        for changes in [
            json!({ "name": "another" }),
            json!({ "scopes": [] }),
            json!({ "kind": "SERVICE" }),
            json!({ "expiresAt": ahead(TimeDelta::days(2)) }),
            json!({ "customerIds": ["cus_1"] }),
        ] {
            let mut asked = named("a", &end);
            asked.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            let refused = issue_as(&gateway, &owner, &asked).await;
            assert_eq!(refused["userErrors"][0]["code"], "IDEMPOTENCY_KEY_REUSED", "{changes}: {refused}");
            assert_eq!(refused["userErrors"][0]["field"], json!(["input", "idempotencyKey"]));
            assert_eq!((&refused["apiKey"], &refused["secret"]), (&Value::Null, &Value::Null));
        }
        // Another principal, and another tenant, have names of their own.
        let partner = viewer(PrincipalKind::Partner, &ours, Scope::ALL.into_iter().collect(), None);
        for other in [&merchant(&theirs), &partner] {
            let issued = issue_as(&gateway, other, &named("a", &end)).await;
            assert!(issued["secret"].is_string() && issued["apiKey"]["id"] != first["apiKey"]["id"], "{issued}");
        }
        for bad in ["", &"x".repeat(256), "a\u{7}"] {
            let refused = issue_as(&gateway, &owner, &named(bad, &end)).await;
            assert_eq!(refused["userErrors"][0]["code"], "INVALID_VALUE", "{refused}");
        }
        assert!(issue_as(&gateway, &owner, &named(&"x".repeat(255), &end)).await["secret"].is_string());
    })
    .await;
}

#[tokio::test]
async fn what_is_not_issued_does_not_keep_its_name_and_a_name_is_kept_for_a_day() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let tenant = tenant(&gateway.store, "acme").await;
        let (owner, end) = (merchant(&tenant), ahead(TimeDelta::days(30)));
        let past = issue_as(&gateway, &owner, &named("a", &ahead(TimeDelta::seconds(-1)))).await;
        assert_eq!(past["userErrors"][0]["code"], "INVALID_VALUE", "{past}");
        let first = issue_as(&gateway, &owner, &named("a", &end)).await;
        assert!(first["secret"].is_string(), "{first}");
        // A caller who has no right to it any more hears of the key all the same: it is told without its secret.
        let weaker = Viewer::new(
            PrincipalKind::Merchant,
            "test".to_owned(),
            billing_gateway::domain::viewer::ScopeSet::parse("tokens:manage"),
            owner.expires_at,
            tenant.clone(),
            None,
        );
        let again = issue_as(&gateway, &weaker, &named("a", &end)).await;
        assert_eq!((&again["alreadyIssued"], &again["secret"]), (&json!(true), &Value::Null), "{again}");
        let old = "UPDATE idempotency_keys SET created_at = '2026-01-01T00:00:00.000+00:00', \
            expires_at = '2026-01-02T00:00:00.000+00:00'";
        gateway.database.connect().await.execute_unprepared(old).await.unwrap();
        let later = issue_as(&gateway, &owner, &named("a", &end)).await;
        assert!(later["secret"].is_string() && later["apiKey"]["id"] != first["apiKey"]["id"], "{later}");
    })
    .await;
}

#[tokio::test]
async fn a_rotation_that_comes_again_makes_one_successor() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let tenant = tenant(&gateway.store, "acme").await;
        let owner = merchant(&tenant);
        let old = gateway.ask(&owner, ISSUE, wanted(&json!({}))).await.ok()["issueApiKey"]["apiKey"]["id"].clone();
        let rotate = async |name: &str, grace: i32| {
            let asked = json!({ "id": old, "name": name, "grace": grace });
            gateway.ask(&owner, ROTATE, asked).await.ok()["rotateApiKey"].clone()
        };
        let (first, again) = futures::join!(rotate("a", 60), rotate("a", 60));
        let (first, again) = if first["secret"].is_string() { (first, again) } else { (again, first) };
        assert_eq!((&first["alreadyIssued"], &again["alreadyIssued"]), (&json!(false), &json!(true)));
        assert_eq!((&again["apiKey"], &again["secret"]), (&first["apiKey"], &Value::Null));
        assert_eq!(first["apiKey"]["replacesId"], old);
        assert_eq!(keys(&gateway).await, 2);
        assert_eq!(rotate("a", 30).await["userErrors"][0]["code"], "IDEMPOTENCY_KEY_REUSED");
        assert!(rotate("b", 60).await["secret"].is_string());
    })
    .await;
}
