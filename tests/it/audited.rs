//! Whatever is changed is written down in the transaction that changes it: no change without an entry, no entry without
//! a change. Each way to change something is tried three times: with a mistake, with a log that cannot be written, and
//! well.

use std::collections::BTreeSet;
use std::future::pending;
use std::time::Duration;

use billing_gateway::actions::create_tenant::{NewTenant, create_tenant};
use billing_gateway::actions::import_document::{ImportRequest, Mode, import_document};
use billing_gateway::actions::replay_events::replay_events;
use billing_gateway::app::backfill::{Options, Span, Summary, backfill};
use billing_gateway::dialect;
use billing_gateway::domain::actor::Actor;
use billing_gateway::domain::clock::Clock;
use billing_gateway::domain::link::LinkHosts;
use billing_gateway::domain::viewer::{Tenant, Viewer};
use billing_gateway::store::tenant::System;
use billing_gateway::store::webhook_event::Replay;
use chrono::TimeDelta;
use entity::{CurrencyCode, Instant, InvoiceStatus, WebhookStatus};
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};

use crate::links::{World, given, id};
use crate::support::api::Api;
use crate::support::credentials::{ahead, wanted};
use crate::support::database::for_each_engine;
use crate::support::full::tenant;
use crate::support::gateway::Gateway;
use crate::support::hooks::{Hooks, PAY_ALL, TOTAL, event, now, object};
use crate::support::stored::{Stored, differing, refuse_rows, stored, take_rows};
use crate::support::upstream::{Upstream, at_stripe, seconds};

const LOG: &str = "audit_log";

/// A mutation, and what to give it.
struct Deed {
    mutation: &'static str,
    /// What the log calls it.
    action: &'static str,
    /// An input that is refused.
    bad: Value,
    /// One that changes something.
    good: Value,
    /// Tables that are written beside it, whatever becomes of it.
    beside: &'static [&'static str],
}

impl Deed {
    fn new(mutation: &'static str, action: &'static str, bad: Value, good: Value) -> Self {
        Self { mutation, action, bad, good, beside: &[] }
    }

    /// Asks, and gives the payload where everything went well.
    async fn ask(&self, world: &World, viewer: &Viewer, input: &Value) -> Option<Value> {
        let kind = format!("{}{}Input", self.mutation[..1].to_uppercase(), &self.mutation[1..]);
        let told = match self.mutation {
            "refreshPayUrl" => "url",
            "syncInvoice" => "changed",
            "issueApiKey" | "rotateApiKey" => "apiKey { id } secret",
            "revokeApiKey" => "apiKey { id }",
            "issueSession" => "sessionId secret",
            "revokeSession" | "revokeToken" | "revokeOwnToken" => "revokedAt",
            other => panic!("what is told of {other}?"),
        };
        let query = format!(
            "mutation M($input: {kind}!) {{ {}(input: $input) {{ {told} userErrors {{ code }} }} }}",
            self.mutation
        );
        let answer = world.gateway.ask(viewer, &query, json!({ "input": input })).await;
        let payload = answer.data[self.mutation].clone();
        (answer.errors.is_empty() && payload["userErrors"] == json!([])).then_some(payload)
    }
}

/// Every mutation, in an order in which each finds what it needs.
async fn deeds(world: &World, viewer: &Viewer) -> Vec<Deed> {
    let customer = world.gateway.ask(viewer, "{ customers { nodes { id } } }", json!({})).await.ok();
    let customer = customer["customers"]["nodes"][0]["id"].clone();
    let made = async |deed: &Deed, of: &str| {
        let payload = deed.ask(world, viewer, &deed.good).await.unwrap();
        payload.pointer(of).unwrap_or_else(|| panic!("{payload}")).clone()
    };
    let key = |name: &str| wanted(&json!({ "name": name }))["input"].clone();
    let late = wanted(&json!({ "expiresAt": ahead(TimeDelta::days(400)) }))["input"].clone();
    let issue = Deed::new("issueApiKey", "api_key.issue", late, key("a key"));
    let session = json!({ "customerId": customer, "subject": "mara", "scopes": [] });
    let open = Deed::new(
        "issueSession",
        "session.open",
        json!({ "customerId": "cus_none", "subject": "x", "scopes": [] }),
        session,
    );
    let (one, another) = (made(&issue, "/apiKey/id").await, made(&issue, "/apiKey/id").await);
    let browser = made(&open, "/sessionId").await;
    let named = |id: &Value| json!({ "id": id });
    let nobody = |id: &str| json!({ "id": id });
    let invoice = |number: usize| json!({ "invoiceId": id(number) });
    let none = json!({ "invoiceId": "inv_none" });
    let long = json!({ "clientMutationId": "x".repeat(256) });
    // What Stripe was asked is remembered behind the answer.
    let links = &["upstream_invoices", "payments", "invoice_events"];
    vec![
        Deed { beside: links, ..Deed::new("refreshPayUrl", "invoice.pay_link", none.clone(), invoice(2)) },
        Deed::new("syncInvoice", "invoice.sync", none, invoice(1)),
        issue,
        Deed::new("rotateApiKey", "api_key.rotate", nobody("key_none"), named(&one)),
        Deed::new("revokeApiKey", "api_key.revoke", nobody("key_none"), named(&another)),
        open,
        Deed::new("revokeSession", "session.end", nobody("ses_none"), named(&browser)),
        Deed::new("revokeToken", "token.revoke", json!({ "jti": "" }), json!({ "jti": "another's" })),
        Deed::new("revokeOwnToken", "token.revoke", long, json!({})),
    ]
}

/// The entries of that action.
fn entries(stored: &Stored, action: &str) -> usize {
    let written = format!("action: \"{action}\"");
    stored[LOG].iter().filter(|entry| entry.contains(&written)).count()
}

/// What was done well is one entry more, and something beside it.
fn assert_written(before: &Stored, after: &Stored, action: &str) {
    assert_eq!(after[LOG].len(), before[LOG].len() + 1, "{action}");
    assert_eq!(entries(after, action), entries(before, action) + 1, "{action}: {:?}", after[LOG]);
}

/// Nothing was changed but these tables.
fn assert_same(before: &Stored, after: &Stored, but: &[&str], what: &str) {
    let mut differing = differing(before, after);
    differing.retain(|table| !but.contains(&table.as_str()));
    assert_eq!(differing, [""; 0], "{what}");
}

#[tokio::test]
async fn every_mutation_is_written_down_with_what_it_changes_or_changes_nothing() {
    let api = Api::read().await;
    let there: BTreeSet<&str> = api.fields("Mutation").iter().map(|field| field.name.as_str()).collect();
    for_each_engine(async |engine| {
        let world = Box::pin(World::new(engine, &[1, 2].map(|number| given(number, TimeDelta::minutes(1))))).await;
        let viewer = world.viewer.clone().by_token("mine");
        let db = world.gateway.database.connect().await;
        let deeds = deeds(&world, &viewer).await;
        let tried: BTreeSet<&str> = deeds.iter().map(|deed| deed.mutation).collect();
        assert_eq!(tried, there, "each mutation has a case here");
        world.fake.change("in_1", &PAY_ALL).unwrap();
        for deed in deeds {
            let what = deed.mutation;
            let before = stored(&db).await;
            assert_eq!(deed.ask(&world, &viewer, &deed.bad).await, None, "{what} is not refused");
            assert_same(&before, &stored(&db).await, deed.beside, &format!("{what} was refused"));

            refuse_rows(&db, LOG).await;
            assert_eq!(deed.ask(&world, &viewer, &deed.good).await, None, "{what} goes without a log");
            assert_same(&before, &stored(&db).await, deed.beside, &format!("{what} was not logged"));
            take_rows(&db, LOG).await;

            let done = deed.ask(&world, &viewer, &deed.good).await;
            assert!(done.is_some(), "{what} does not do what it should");
            assert_written(&before, &stored(&db).await, deed.action);
        }
    })
    .await;
}

/// Tries something that the operator does: `ask(false)` with a mistake, `ask(true)` well; gives whether it was done.
async fn try_all(db: &DatabaseConnection, action: &str, ask: impl AsyncFn(bool) -> bool) {
    let before = stored(db).await;
    assert!(!ask(false).await, "{action} is not refused");
    assert_same(&before, &stored(db).await, &[], action);
    refuse_rows(db, LOG).await;
    assert!(!ask(true).await, "{action} goes without a log");
    assert_same(&before, &stored(db).await, &[], action);
    take_rows(db, LOG).await;
    assert!(ask(true).await, "{action} does not do what it should");
    let after = stored(db).await;
    assert_written(&before, &after, action);
    assert!(differing(&before, &after).len() > 2, "{action} changes something beside the log");
}

#[tokio::test]
async fn a_tenant_and_an_import_are_written_down_or_not_made() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let db = gateway.database.connect().await;
        let (store, operator, at) = (&gateway.store, Actor::operator(), Clock::system().now());
        let new = |name: &str, now: Instant| NewTenant {
            name: name.to_owned(),
            currency: CurrencyCode("USD".to_owned()),
            livemode: false,
            now,
        };
        create_tenant(store, &operator, new("there", at)).await.unwrap();
        try_all(&db, "tenant.create", async |well| {
            create_tenant(store, &operator, new(if well { "new" } else { "there" }, at)).await.is_ok()
        })
        .await;

        let tenant = Tenant::whole(tenant(store, "acme").await);
        let (document, hosts) = (include_bytes!("fixtures/userhub.json").as_slice(), LinkHosts::default());
        try_all(&db, "invoice.import", async |well| {
            let request = ImportRequest {
                system: dialect::System::Userhub,
                bytes: if well { document } else { b"{" },
                customer: Some("cus_walk_in".into()),
                create_customer: true,
                mode: Mode::Lenient,
                dry_run: false,
                now: at,
                link_hosts: &hosts,
                actor: Some(&operator),
            };
            Box::pin(import_document(store, &tenant, &request)).await.is_ok()
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_backfill_is_written_down_invoice_by_invoice_or_takes_nothing_over() {
    for_each_engine(async |engine| {
        let world = Upstream::new(Hooks::on(engine).await, &["one"], [at_stripe("one")]).await;
        world.fake.change("in_one", &PAY_ALL).unwrap();
        try_all(&world.connection, "invoice.backfill", async |well| {
            let options = Options {
                span: Span { since: Some(seconds(-40 * 86_400)), until: None },
                tenant: None,
                dry_run: !well,
                restart: true,
                patience: Duration::from_secs(1),
            };
            let mut summary = Summary::default();
            let done = backfill(&world.config(), &options, &mut summary, pending(), |_| {}).await;
            well && done.is_ok() && summary.changed == 1
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn webhooks_that_are_worked_on_again_are_written_down_or_stay_as_they_are() {
    for_each_engine(async |engine| {
        let hooks = Hooks::working(engine).await;
        hooks.hear([&event("evt_1", "customer.created", now(), &json!({ "id": "cus_1", "object": "customer" }))]).await;
        let mut hooks = hooks;
        hooks.stop().await;
        let db = hooks.database.connect().await;
        try_all(&db, "webhook.replay", async |well| {
            let which = Replay::Event(if well { "evt_1" } else { "evt_none" }.to_owned());
            let at = Clock::system().now();
            let (system, operator) = (System::operator(), Actor::operator());
            replay_events(&hooks.store, &system, &operator, &which, at).await.is_ok_and(|events| events == 1)
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn what_a_webhook_changes_stands_in_the_history_or_is_not_changed() {
    for_each_engine(async |engine| {
        let hooks = Hooks::working(engine).await;
        let id = hooks.open("one", Some("in_1")).await;
        let db = hooks.database.connect().await;
        let before = stored(&db).await;
        refuse_rows(&db, "invoice_events").await;
        hooks.send(&event("evt_1", "invoice.paid", now(), &object("in_1", "paid", TOTAL))).await;
        hooks.until(|events| events.iter().any(|event| event.attempts > 1)).await;
        assert_same(&before, &stored(&db).await, &["webhook_events"], "a webhook whose history cannot be written");
        take_rows(&db, "invoice_events").await;
        hooks.until(|events| events.iter().all(|event| event.status == WebhookStatus::Processed)).await;
        assert_eq!(hooks.invoice(&id).await.status, InvoiceStatus::Paid);
        assert!(!hooks.history(&id).await.is_empty());
        // Nobody did it: the log is of people.
        assert_eq!(stored(&db).await[LOG], before[LOG]);
    })
    .await;
}
