//! Invoices whose webhooks were lost: Stripe is asked about them, and what it says is taken over.

use std::time::Duration;

use billing_gateway::app::jobs::reconciler::{Intervals, Reconciler, Round};
use billing_gateway::domain::clock::Clock;
use billing_gateway::domain::ids;
use billing_gateway::domain::viewer::{PrincipalKind, Scope};
use billing_gateway::stats::ReconcilerStats;
use billing_gateway::store::tenant::System;
use chrono::TimeDelta;
use fake_stripe::{Change, Endpoint, Fault, FaultKind};
use serde_json::{Value, json};

use crate::links::{World, given, id, now};
use crate::support::database::{Engine, for_each_engine};
use crate::support::gateway::{merchant, viewer};

fn reconciler(world: &World) -> Reconciler {
    Reconciler {
        store: world.gateway.store.clone(),
        system: System::operator(),
        accounts: world.gateway.links.accounts().unwrap(),
        billing_clock: Clock::starting_at(now().utc()),
        stats: ReconcilerStats::default(),
        intervals: Intervals { open: Duration::from_hours(6), paying: Duration::from_mins(2) },
    }
}

async fn invoice(world: &World, number: usize) -> Value {
    let query = "query Q($id: ID!) { invoice(id: $id) { status paidAt amountPaid { minorUnits } \
        payments { status amountPaid { minorUnits } } events(first: 5) { type to source } \
        upstream { status lastErrorCode drift { field } } } }";
    world.ask(query, json!({ "id": id(number) })).await.ok()["invoice"].clone()
}

#[tokio::test]
async fn a_payment_whose_webhook_was_lost_is_found() {
    for_each_engine(async |engine| {
        let all = [given(1, TimeDelta::hours(7)), given(2, TimeDelta::hours(5)), given(3, TimeDelta::hours(8))];
        let world = Box::pin(World::new(engine, &all)).await;
        world.fake.change("in_1", &Change::Pay { amount: None, out_of_band: false }).unwrap();
        world.fake.change("in_2", &Change::Pay { amount: None, out_of_band: false }).unwrap();
        world.fake.reset_counts();
        let reconciler = reconciler(&world);
        let Round { asked, changed, failed } = reconciler.round().await.unwrap();
        assert_eq!((asked, failed), (2, 0));
        assert!(changed >= 1);
        let paid = invoice(&world, 1).await;
        assert_eq!((&paid["status"], &paid["amountPaid"]["minorUnits"]), (&json!("PAID"), &json!(500)));
        assert_eq!(paid["payments"][0]["status"], "SUCCEEDED");
        let sources: Vec<_> = paid["events"].as_array().unwrap().iter().filter(|event| event["to"] == "PAID").collect();
        assert_eq!(sources.len(), 1, "{paid}");
        assert_eq!(sources[0]["source"], "RECONCILER");
        assert_eq!(paid["upstream"]["drift"], json!([]));
        // What was heard of lately is not asked for, and what was asked for is not asked again.
        assert_eq!(invoice(&world, 2).await["status"], "OPEN");
        assert_eq!(reconciler.round().await.unwrap(), Round::default());
        assert_eq!(world.fake.count(Endpoint::Invoice), 2);
    })
    .await;
}

#[tokio::test]
async fn an_invoice_that_may_be_paid_right_now_is_looked_at_every_few_minutes() {
    let all = [given(1, TimeDelta::minutes(3)), given(2, TimeDelta::minutes(1)), given(3, TimeDelta::minutes(90))];
    let world = World::new(Engine::Sqlite, &all).await;
    world.fake.change("in_1", &Change::Pay { amount: None, out_of_band: false }).unwrap();
    assert_eq!(reconciler(&world).round().await.unwrap().asked, 1);
    assert_eq!(invoice(&world, 1).await["status"], "PAID");
}

#[tokio::test]
async fn a_stripe_that_does_not_answer_is_noted_and_not_asked_again_at_once() {
    for_each_engine(async |engine| {
        let world = World::new(engine, &[given(1, TimeDelta::hours(7))]).await;
        let gone = FaultKind::Status { status: 500, retry_after: None, should_retry: Some(false), reason: None };
        world.fake.fault(Fault::new(gone));
        let reconciler = reconciler(&world);
        assert_eq!(reconciler.round().await.unwrap(), Round { asked: 1, changed: 0, failed: 1 });
        assert_eq!(invoice(&world, 1).await["upstream"]["lastErrorCode"], "UNAVAILABLE");
        assert_eq!(reconciler.round().await.unwrap(), Round::default());
    })
    .await;
}

const SYNC: &str = "mutation S($id: ID!) { syncInvoice(input: { invoiceId: $id }) { changed \
    invoice { status amountPaid { minorUnits } } userErrors { code message } } }";

#[tokio::test]
async fn an_invoice_is_synced_by_a_mutation() {
    for_each_engine(async |engine| {
        let world = World::new(engine, &[given(1, TimeDelta::minutes(1)), given(2, TimeDelta::minutes(1))]).await;
        world.fake.change("in_1", &Change::Pay { amount: None, out_of_band: false }).unwrap();
        let sync = async |invoice: Value| world.ask(SYNC, json!({ "id": invoice })).await.ok()["syncInvoice"].clone();
        let paid = json!({ "status": "PAID", "amountPaid": { "minorUnits": 500 } });
        assert_eq!(sync(json!(id(1))).await, json!({ "changed": true, "invoice": paid, "userErrors": [] }));
        assert_eq!(sync(json!(id(1))).await["invoice"], paid);
        let unknown = sync(json!("inv_none")).await;
        assert_eq!(unknown["userErrors"], json!([{ "code": "NOT_FOUND", "message": "There is no such invoice." }]));
        world.fake.fault(Fault::new(FaultKind::Garbage));
        assert_eq!(sync(json!(id(2))).await["userErrors"][0]["code"], "UPSTREAM_UNAVAILABLE");
    })
    .await;
}

#[tokio::test]
async fn who_may_not_write_syncs_nothing() {
    let world = World::new(Engine::Sqlite, &[given(1, TimeDelta::minutes(1))]).await;
    let scopes = Scope::ALL.into_iter().filter(|scope| *scope != Scope::InvoicesWrite).collect();
    let reader = viewer(PrincipalKind::Partner, &world.tenant, scopes, None);
    let refused = world.gateway.ask(&reader, SYNC, json!({ "id": id(1) })).await;
    assert_eq!((refused.codes(), &refused.data["syncInvoice"]), (vec!["FORBIDDEN"], &Value::Null));
    let unknown = world.ask(SYNC, json!({ "id": "inv_none" })).await;
    let stranger = world.gateway.ask(&merchant(&ids::derived(&["another"])), SYNC, json!({ "id": id(1) })).await;
    assert_eq!((&stranger.data, stranger.errors.len()), (&unknown.data, 0));
    assert_eq!(world.fake.calls().len(), 0);
}
