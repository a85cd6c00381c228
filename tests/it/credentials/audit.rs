//! The audit log: what is done is written with it, in one chain that shows every change.

use billing_gateway::app::audit::verify_in;
use billing_gateway::domain::trail::Broken;
use billing_gateway::domain::viewer::{PrincipalKind, Scope};
use billing_gateway::store::tenant::System;
use entity::{InvoiceStatus, TenantId};
use sea_orm::{ConnectionTrait, DbBackend, TransactionTrait};
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::credentials::{ISSUE, wanted};
use crate::support::database::for_each_engine;
use crate::support::full::{full, tenant};
use crate::support::gateway::{Gateway, merchant, viewer};

const LOG: &str = "query Q($filter: AuditLogFilter) { auditLog(first: 100, filter: $filter) { nodes \
    { sequence action actor actorKind credentialId objectType objectId requestId before after hash previousHash } \
    pageInfo { hasNextPage } } }";

async fn issue(gateway: &Gateway, tenant: &TenantId) -> Value {
    let answer = gateway.ask(&merchant(tenant), ISSUE, wanted(&json!({}))).await.ok();
    assert_eq!(answer["issueApiKey"]["userErrors"], json!([]), "{answer}");
    answer["issueApiKey"]["apiKey"]["id"].clone()
}

async fn log(gateway: &Gateway, tenant: &TenantId, filter: Value) -> Vec<Value> {
    let answer = gateway.ask(&merchant(tenant), LOG, json!({ "filter": filter })).await.ok();
    answer["auditLog"]["nodes"].as_array().unwrap().clone()
}

async fn broken(gateway: &Gateway, tenant: &TenantId) -> Option<Broken> {
    broken_beside(gateway, tenant, &[]).await
}

/// The same where hashes of the chain's ends were noted elsewhere.
async fn broken_beside(gateway: &Gateway, tenant: &TenantId, noted: &[&str]) -> Option<Broken> {
    let noted: Vec<_> = noted.iter().map(|hash| (tenant.clone(), (*hash).to_owned())).collect();
    let followed = verify_in(&gateway.store, &System::operator(), Some(tenant), &noted).await.unwrap();
    followed.into_iter().next().unwrap().broken
}

#[tokio::test]
async fn each_change_of_a_key_is_an_entry_with_who_and_what() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let tenant = tenant(&gateway.store, "acme").await;
        let id = issue(&gateway, &tenant).await;
        for (query, times) in [("rotateApiKey(input: { id: $id })", 1), ("revokeApiKey(input: { id: $id })", 2)] {
            for _ in 0..times {
                let query = format!("mutation M($id: ID!) {{ {query} {{ userErrors {{ code }} }} }}");
                gateway.ask(&merchant(&tenant), &query, json!({ "id": id })).await.ok();
            }
        }
        let entries = log(&gateway, &tenant, json!({ "objectId": id })).await;
        let actions: Vec<_> = entries.iter().rev().map(|entry| entry["action"].as_str().unwrap()).collect();
        assert_eq!(actions, ["api_key.issue", "api_key.rotate", "api_key.revoke"], "what changes nothing is no entry");
        for entry in &entries {
            assert_eq!((&entry["actorKind"], &entry["actor"]), (&json!("merchant"), &json!("test")));
            assert_eq!((&entry["objectType"], &entry["requestId"]), (&json!("ApiKey"), &json!("test")));
        }
        assert_eq!(entries[0]["before"]["revokedAt"], Value::Null);
        assert!(entries[0]["after"]["revokedAt"].is_string());
        assert_eq!(entries[0]["previousHash"], entries[1]["hash"]);
        assert_eq!(log(&gateway, &tenant, json!({ "action": "api_key.rotate" })).await.len(), 1);
        assert_eq!(log(&gateway, &tenant, json!({ "until": "2020-01-01T00:00:00Z" })).await.len(), 0);
        assert_eq!(broken(&gateway, &tenant).await, None);
    })
    .await;
}

#[tokio::test]
async fn writers_at_the_same_time_make_one_chain_and_readers_do_not_wait() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let tenant = tenant(&gateway.store, "acme").await;
        futures::future::join_all((0..20).map(|_| issue(&gateway, &tenant))).await;
        let entries = log(&gateway, &tenant, Value::Null).await;
        let numbers: Vec<_> = entries.iter().rev().map(|entry| entry["sequence"].as_i64().unwrap()).collect();
        assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
        assert_eq!(broken(&gateway, &tenant).await, None);

        // A writer that holds the end of the chain, as long as it takes.
        let holder = gateway.database.connect().await.begin().await.unwrap();
        holder.execute_unprepared("UPDATE audit_heads SET entries = entries").await.unwrap();
        let begun = std::time::Instant::now();
        assert_eq!(log(&gateway, &tenant, Value::Null).await.len(), 20);
        assert!(begun.elapsed() < std::time::Duration::from_secs(1), "{:?}", begun.elapsed());
        holder.rollback().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn entries_can_neither_be_changed_nor_taken_away() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let tenant = tenant(&gateway.store, "acme").await;
        issue(&gateway, &tenant).await;
        let db = gateway.database.connect().await;
        let mut attempts = vec!["UPDATE audit_log SET actor_id = 'nobody'", "DELETE FROM audit_log"];
        if db.get_database_backend() == DbBackend::Postgres {
            attempts.push("TRUNCATE audit_log");
        }
        // Rows in the way of an insert are not replaced either.
        let columns =
            "tenant_id, sequence, at, actor_kind, actor_id, action, object_type, object_id, previous_hash, hash";
        let (copy, next) = (format!("SELECT {columns} FROM audit_log"), columns.replace("sequence,", "sequence + 1,"));
        let replacing = match db.get_database_backend() {
            DbBackend::Postgres => vec![
                format!(
                    "INSERT INTO audit_log ({columns}) {copy} ON CONFLICT (tenant_id, sequence) \
                     DO UPDATE SET actor_id = 'nobody'"
                ),
                "MERGE INTO audit_log USING (SELECT 1 AS n) AS one ON n = sequence \
                 WHEN MATCHED THEN UPDATE SET actor_id = 'nobody'"
                    .to_owned(),
            ],
            _ => vec![
                format!("INSERT OR REPLACE INTO audit_log ({columns}) {copy}"),
                format!("REPLACE INTO audit_log ({columns}) {copy}"),
                format!("INSERT OR REPLACE INTO audit_log (rowid, {columns}) SELECT rowid, {next} FROM audit_log"),
                format!(
                    "INSERT INTO audit_log ({columns}) SELECT {columns} FROM audit_log WHERE true \
                     ON CONFLICT (tenant_id, sequence) DO UPDATE SET actor_id = 'nobody'"
                ),
            ],
        };
        attempts.extend(replacing.iter().map(String::as_str));
        for attempt in attempts {
            let refused = db.execute_unprepared(attempt).await.expect_err(attempt).to_string();
            assert!(refused.contains("append-only"), "{refused}");
        }
        assert_eq!(broken(&gateway, &tenant).await, None);
    })
    .await;
}

#[tokio::test]
async fn whoever_changes_the_log_behind_its_back_is_found_out_at_the_first_entry() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let (ours, theirs) = (tenant(&gateway.store, "acme").await, tenant(&gateway.store, "other").await);
        for _ in 0..4 {
            issue(&gateway, &ours).await;
        }
        issue(&gateway, &theirs).await;
        let db = gateway.database.connect().await;
        let unguard: &[&str] = match db.get_database_backend() {
            DbBackend::Postgres => &["DROP TRIGGER audit_log_keeps_its_rows ON audit_log"],
            _ => &["DROP TRIGGER audit_log_keeps_its_rows", "DROP TRIGGER audit_log_loses_no_rows"],
        };
        for statement in unguard {
            db.execute_unprepared(statement).await.unwrap();
        }
        let mine = format!("tenant_id = '{ours}'");
        let change = |what: &str| format!("UPDATE audit_log SET {what} WHERE {mine} AND sequence = 2");
        db.execute_unprepared(&change("actor_id = 'nobody'")).await.unwrap();
        assert_eq!(broken(&gateway, &ours).await, Some(Broken::Changed(2)));
        assert_eq!(broken(&gateway, &theirs).await, None);
        db.execute_unprepared(&format!("DELETE FROM audit_log WHERE {mine} AND sequence = 2")).await.unwrap();
        assert_eq!(broken(&gateway, &ours).await, Some(Broken::Gap { expected: 2, found: 3 }));
        db.execute_unprepared(&format!("DELETE FROM audit_log WHERE {mine} AND sequence > 1")).await.unwrap();
        assert_eq!(broken(&gateway, &ours).await, Some(Broken::End { noted: 4, found: 1 }));
        db.execute_unprepared(&format!("DELETE FROM audit_log WHERE {mine}")).await.unwrap();
        assert_eq!(broken(&gateway, &ours).await, Some(Broken::End { noted: 4, found: 0 }));
    })
    .await;
}

/// The chain by itself does not show it, and does not pretend to.
#[tokio::test]
async fn an_end_that_was_cut_off_with_its_note_is_found_out_by_a_hash_that_was_kept_elsewhere() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let tenant = tenant(&gateway.store, "acme").await;
        for _ in 0..3 {
            issue(&gateway, &tenant).await;
        }
        let entries = log(&gateway, &tenant, Value::Null).await;
        let hash = |back: usize| entries[back]["hash"].as_str().unwrap();
        let (last, before) = (hash(0), hash(1));
        assert_eq!(broken_beside(&gateway, &tenant, &[last, before]).await, None);
        let db = gateway.database.connect().await;
        let unguard = match db.get_database_backend() {
            DbBackend::Postgres => "DROP TRIGGER audit_log_keeps_its_rows ON audit_log",
            _ => "DROP TRIGGER audit_log_loses_no_rows",
        };
        for statement in [
            unguard,
            "DELETE FROM audit_log WHERE sequence = 3",
            &format!("UPDATE audit_heads SET entries = 2, hash = '{before}' WHERE tenant_id = '{tenant}'"),
        ] {
            db.execute_unprepared(statement).await.unwrap();
        }
        assert_eq!(broken(&gateway, &tenant).await, None);
        assert_eq!(broken_beside(&gateway, &tenant, &[before]).await, None);
        assert_eq!(broken_beside(&gateway, &tenant, &[last]).await, Some(Broken::Noted(last.to_owned())));
        let gone = TenantId::from("ten_gone");
        assert_eq!(broken_beside(&gateway, &gone, &[last]).await, Some(Broken::Noted(last.to_owned())));
    })
    .await;
}

#[tokio::test]
async fn the_log_is_for_whoever_may_read_it_and_sees_the_whole_tenant() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let (ours, theirs) = (tenant(&gateway.store, "acme").await, tenant(&gateway.store, "other").await);
        let own = full(&gateway.store, &ours, "own", InvoiceStatus::Open).await;
        issue(&gateway, &ours).await;
        let without = Scope::ALL.into_iter().filter(|scope| *scope != Scope::AuditRead).collect();
        let refused = gateway.ask(&viewer(PrincipalKind::Merchant, &ours, without, None), LOG, json!({})).await;
        assert_eq!(refused.codes(), ["FORBIDDEN"]);
        let limited =
            viewer(PrincipalKind::Partner, &ours, Scope::ALL.into_iter().collect(), Some(vec![own.customer.clone()]));
        for (who, seen) in [(merchant(&ours), 1), (merchant(&theirs), 0), (limited, 0)] {
            let answer = gateway.ask(&who, LOG, json!({})).await.ok();
            assert_eq!(answer["auditLog"]["nodes"].as_array().map(Vec::len), Some(seen), "{answer}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_entry_has_the_gateway_s_own_id_of_the_request_and_not_a_client_s_word() {
    let app = TestApp::new().await;
    let request = app.client.post(app.url("/graphql")).bearer_auth(app.token("merchant"));
    let request = request.header("x-request-id", "someone-elses").json(&{
        let mut asked = json!({ "query": ISSUE });
        asked["variables"] = wanted(&json!({}));
        asked
    });
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["x-request-id"], "someone-elses");
    let id = answer.json::<Value>().await.unwrap()["data"]["issueApiKey"]["apiKey"]["id"].clone();
    let log = app.ask(&app.token("merchant"), LOG, json!({ "filter": { "objectId": id } })).await;
    let noted = log["data"]["auditLog"]["nodes"][0]["requestId"].as_str().unwrap().to_owned();
    assert_eq!(noted.len(), 26, "{log}");
    assert_ne!(noted, "someone-elses");
}

#[tokio::test]
async fn a_pay_link_that_someone_was_given_is_noted_without_the_link() {
    let (app, _stripe) = TestApp::with_stripe().await;
    let merchant = app.token("merchant");
    let id = app.invoice("declined-topup");
    let pay = "mutation M($id: ID!) { refreshPayUrl(input: { invoiceId: $id }) { url userErrors { code } } }";
    let answer = app.ask(&merchant, pay, json!({ "id": id })).await;
    let url = answer["data"]["refreshPayUrl"]["url"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    let log = app.ask(&merchant, LOG, json!({ "filter": { "objectId": id } })).await;
    let entry = &log["data"]["auditLog"]["nodes"][0];
    assert_eq!((&entry["action"], &entry["actor"]), (&json!("invoice.pay_link"), &json!("merchant")), "{log}");
    assert!(entry["after"]["urlSha256"].is_string() && entry["credentialId"].is_string());
    assert!(!log.to_string().contains(&url));
}
