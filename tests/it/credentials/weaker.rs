//! Nobody ends a credential that may do more than the own one.

use billing_gateway::domain::viewer::{PrincipalKind, Scope, ScopeSet, Viewer};
use entity::{InvoiceStatus, TenantId};
use serde_json::{Value, json};

use crate::support::credentials::{ISSUE, wanted};
use crate::support::database::for_each_engine;
use crate::support::full::{full, tenant};
use crate::support::gateway::{Gateway, merchant, viewer};

const REVOKE: &str = "mutation M($id: ID!) { done: revokeApiKey(input: { id: $id }) { userErrors { code field } } }";

const END: &str = "mutation M($id: ID!) { done: revokeSession(input: { id: $id }) { userErrors { code field } } }";

const OPEN: &str = "mutation M($id: ID!) { issueSession(input: \
    { customerId: $id, subject: \"mara\", scopes: [\"invoices:read\"] }) { sessionId userErrors { code } } }";

fn may(kind: PrincipalKind, tenant: &TenantId, scopes: &str) -> Viewer {
    viewer(kind, tenant, ScopeSet::parse(scopes), None)
}

async fn done(gateway: &Gateway, who: &Viewer, query: &str, id: &Value) -> Value {
    gateway.ask(who, query, json!({ "id": id })).await.ok()["done"]["userErrors"].clone()
}

fn refused() -> Value {
    json!([{ "code": "SCOPE_NOT_GRANTABLE", "field": ["input", "id"] }])
}

#[tokio::test]
async fn a_key_is_revoked_only_by_who_may_as_much_as_it() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let tenant = tenant(&gateway.store, "acme").await;
        let issue = async |kind: &str, scopes: Value| {
            let wanted = wanted(&json!({ "kind": kind, "scopes": scopes }));
            let issued = gateway.ask(&merchant(&tenant), ISSUE, wanted).await.ok();
            issued["issueApiKey"]["apiKey"]["id"].clone()
        };
        let all: Vec<_> = Scope::ALL.into_iter().map(Scope::name).collect();
        let strong = issue("MERCHANT", json!(all)).await;
        let weak = issue("PARTNER", json!(["invoices:read"])).await;
        let partner = may(PrincipalKind::Partner, &tenant, "tokens:manage invoices:read");
        assert_eq!(done(&gateway, &partner, REVOKE, &strong).await, refused());
        // Nor does a kind help without the scopes, or all scopes without the kind.
        let narrow = may(PrincipalKind::Merchant, &tenant, "tokens:manage");
        assert_eq!(done(&gateway, &narrow, REVOKE, &weak).await, refused());
        let wide = may(PrincipalKind::Service, &tenant, &all.join(" "));
        assert_eq!(done(&gateway, &wide, REVOKE, &strong).await, refused());
        let live = "{ apiKeys(first: 10) { nodes { id revokedAt } } }";
        let keys = gateway.ask(&merchant(&tenant), live, Value::Null).await.ok();
        let revoked: Vec<_> =
            keys["apiKeys"]["nodes"].as_array().unwrap().iter().map(|key| &key["revokedAt"]).collect();
        assert_eq!(revoked, [&Value::Null, &Value::Null]);
        assert_eq!(done(&gateway, &partner, REVOKE, &weak).await, json!([]));
        assert_eq!(done(&gateway, &merchant(&tenant), REVOKE, &strong).await, json!([]));
        assert_eq!(done(&gateway, &partner, REVOKE, &strong).await, refused(), "revoked or not");
    })
    .await;
}

#[tokio::test]
async fn a_session_is_ended_only_by_who_could_have_opened_it() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let tenant = tenant(&gateway.store, "acme").await;
        let own = full(&gateway.store, &tenant, "own", InvoiceStatus::Open).await;
        let opened = gateway.ask(&merchant(&tenant), OPEN, json!({ "id": own.customer })).await.ok();
        let id = &opened["issueSession"]["sessionId"];
        assert!(id.is_string(), "{opened}");
        let partner = may(PrincipalKind::Partner, &tenant, "tokens:manage invoices:read");
        let narrow = may(PrincipalKind::Service, &tenant, "tokens:manage");
        for who in [partner, narrow] {
            assert_eq!(done(&gateway, &who, END, id).await, refused(), "{who:?}");
        }
        let service = may(PrincipalKind::Service, &tenant, "tokens:manage invoices:read");
        assert_eq!(done(&gateway, &service, END, id).await, json!([]));
    })
    .await;
}
