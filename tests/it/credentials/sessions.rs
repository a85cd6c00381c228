//! Sessions of customers' browsers: opened by the company's login, guarded against foreign pages, and ended.

use billing_gateway::auth::Credential;
use billing_gateway::domain::clock::Clock;
use billing_gateway::domain::viewer::{PrincipalKind, ScopeSet};
use entity::InvoiceStatus;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::credentials::{MARK, OPEN, VIEWER, customer, desk, refused_in_time, who};
use crate::support::database::{Engine, for_each_engine};
use crate::support::full::{full, tenant};
use crate::support::gateway::{Gateway, merchant, viewer};

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
        let db = gateway.database.connect().await;
        let near = Clock::system().now().utc() + chrono::TimeDelta::minutes(1);
        let set = format!("UPDATE sessions SET idle_until = '{}'", near.format("%Y-%m-%dT%H:%M:%S%.3f+00:00"));
        db.execute_unprepared(&set).await.unwrap();
        assert!(desk(&gateway).viewer(Credential::Session(&sid)).await.is_ok());
        let begun = std::time::Instant::now();
        let idle_until = async || {
            use entity::browser_session::{Column, Entity};
            use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
            // The other session of the customer was ended.
            let lasting = Entity::find().filter(Column::RevokedAt.is_null());
            lasting.one(&db).await.unwrap().unwrap().idle_until.utc()
        };
        while idle_until().await < near + chrono::TimeDelta::minutes(20) {
            assert!(begun.elapsed() < std::time::Duration::from_secs(20), "its end is not moved ahead");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        db.execute_unprepared("UPDATE sessions SET idle_until = '2026-01-01T00:00:00.000+00:00'").await.unwrap();
        assert!(desk(&gateway).viewer(Credential::Session(&sid)).await.is_err());
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

const LIST: &str = "query Q($filter: SessionFilter, $first: Int, $after: String) { sessions(filter: $filter, \
    first: $first, after: $after) { totalCount pageInfo { hasNextPage endCursor } nodes { id subject customerId scopes \
    state createdBy createdAt lastUsedAt idleUntil expiresAt revokedAt customer { id } } } }";

#[tokio::test]
async fn sessions_are_listed_with_what_tells_which_one_to_end() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let tenant = tenant(&gateway.store, "acme").await;
        // Each of them has a session that was ended.
        let one = full(&gateway.store, &tenant, "one", InvoiceStatus::Open).await;
        let other = full(&gateway.store, &tenant, "other", InvoiceStatus::Open).await;
        let owner = merchant(&tenant);
        let mut opened = Vec::new();
        for customer in [&one.customer, &one.customer, &other.customer] {
            let asked = json!({ "customer": customer, "scopes": ["invoices:read"] });
            let answer = gateway.ask(&owner, OPEN, asked).await.ok()["issueSession"].clone();
            opened.push((answer["sessionId"].clone(), answer["secret"].as_str().unwrap().to_owned()));
        }
        let list = async |filter: Value| gateway.ask(&owner, LIST, json!({ "filter": filter })).await;
        let all = list(json!({})).await;
        assert_eq!(all.statements, 3, "the page, its count, and the customers");
        let all = all.ok();
        assert_eq!(all["sessions"]["totalCount"], 5);
        let newest = &all["sessions"]["nodes"][0];
        assert_eq!((&newest["id"], &newest["subject"]), (&opened[2].0, &json!("mara")), "{all}");
        assert_eq!(
            (&newest["customerId"], &newest["customer"]["id"]),
            (&json!(other.customer), &json!(other.customer))
        );
        assert_eq!((&newest["scopes"], &newest["state"]), (&json!(["invoices:read"]), &json!("ACTIVE")));
        assert_eq!((&newest["lastUsedAt"], &newest["revokedAt"]), (&Value::Null, &Value::Null));
        assert!(!all.to_string().contains(&opened[2].1), "never what the cookie holds");
        // One is ended, one was not used for too long.
        let revoke = "mutation M($id: ID!) { revokeSession(input: { id: $id }) { userErrors { code } } }";
        gateway.ask(&owner, revoke, json!({ "id": opened[0].0 })).await.ok();
        let idle = format!(
            "UPDATE sessions SET idle_until = '2026-01-01T00:00:00.000+00:00' WHERE id = '{}'",
            opened[1].0.as_str().unwrap()
        );
        gateway.database.connect().await.execute_unprepared(&idle).await.unwrap();
        let ids = |answer: &Value| {
            let nodes = answer["sessions"]["nodes"].as_array().unwrap().clone();
            nodes.into_iter().map(|node| (node["id"].clone(), node["state"].clone())).collect::<Vec<_>>()
        };
        let active = list(json!({ "active": true })).await.ok();
        assert_eq!(ids(&active), [(opened[2].0.clone(), json!("ACTIVE"))]);
        assert_eq!(active["sessions"]["totalCount"], 1);
        let ended = list(json!({ "active": false, "customerId": one.customer })).await.ok();
        let expected = [(&opened[1].0, "EXPIRED"), (&opened[0].0, "REVOKED"), (&json!(one.session), "REVOKED")];
        assert_eq!(ids(&ended), expected.map(|(id, state)| (id.clone(), json!(state))));
        // Page by page, without a gap.
        let (mut seen, mut after) = (Vec::new(), Value::Null);
        loop {
            let page = gateway.ask(&owner, LIST, json!({ "first": 2, "after": after })).await.ok();
            seen.extend(ids(&page));
            if page["sessions"]["pageInfo"]["hasNextPage"] == json!(false) {
                break;
            }
            after = page["sessions"]["pageInfo"]["endCursor"].clone();
        }
        assert_eq!(seen, ids(&list(json!({})).await.ok()));
    })
    .await;
}

#[tokio::test]
async fn sessions_of_others_do_not_exist() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let (ours, theirs) = (tenant(&gateway.store, "acme").await, tenant(&gateway.store, "other").await);
        let one = full(&gateway.store, &ours, "one", InvoiceStatus::Open).await;
        full(&gateway.store, &ours, "two", InvoiceStatus::Open).await;
        full(&gateway.store, &theirs, "three", InvoiceStatus::Open).await;
        let limited =
            viewer(PrincipalKind::Partner, &ours, ScopeSet::parse("tokens:manage"), Some(vec![one.customer.clone()]));
        let count = async |who: &_| {
            gateway.ask(who, "{ sessions { totalCount } }", json!({})).await.ok()["sessions"]["totalCount"].clone()
        };
        assert_eq!((count(&merchant(&ours)).await, count(&limited).await), (json!(2), json!(1)));
        let without = viewer(PrincipalKind::Merchant, &ours, ScopeSet::parse("invoices:read"), None);
        assert_eq!(gateway.ask(&without, LIST, json!({})).await.codes(), ["FORBIDDEN"]);
    })
    .await;
}

#[tokio::test]
async fn the_use_of_a_session_is_noted_once_a_minute() {
    use sea_orm::EntityTrait;
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let tenant = tenant(&gateway.store, "acme").await;
        let customer: entity::CustomerId = "cus_used".into();
        let tx = gateway.store.begin(billing_gateway::store::Whose::Everyones).await.unwrap();
        let row = crate::support::seed::customer_row(&tenant, &customer);
        let keep = billing_gateway::store::bill::Existing::Keep;
        billing_gateway::store::bill::write_customers(&tx, vec![row], keep).await.unwrap();
        tx.commit().await.unwrap();
        let opened = gateway.ask(&merchant(&tenant), OPEN, json!({ "customer": customer, "scopes": [] })).await.ok();
        let sid = opened["issueSession"]["secret"].as_str().unwrap().to_owned();
        let db = gateway.database.connect().await;
        let noted = async || {
            let row = entity::browser_session::Entity::find().one(&db).await.unwrap().unwrap();
            (row.last_used_at, row.idle_until)
        };
        assert_eq!(noted().await.0, None);
        assert!(desk(&gateway).viewer(Credential::Session(&sid)).await.is_ok());
        let begun = std::time::Instant::now();
        while noted().await.0.is_none() {
            assert!(begun.elapsed() < std::time::Duration::from_secs(20), "its use is not noted");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let first = noted().await;
        // Another server, within the minute.
        assert!(desk(&gateway).viewer(Credential::Session(&sid)).await.is_ok());
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        assert_eq!(noted().await, first);
    })
    .await;
}
