//! Invoices whose webhooks were lost: Stripe is asked about them, and what it says is taken over.

use std::time::Duration;

use billing_gateway::app::jobs::lease::Lease;
use billing_gateway::app::jobs::reconciler::{Intervals, JOB, Reconciler, Round};
use billing_gateway::domain::clock::Clock;
use billing_gateway::domain::ids;
use billing_gateway::domain::viewer::{PrincipalKind, Scope, Tenant};
use billing_gateway::links::Accounts;
use billing_gateway::stats::ReconcilerStats;
use billing_gateway::store::tenant::System;
use billing_gateway::stripe::{ApiKey, BaseUrl, StripeClient, StripeConfig, StripeLimits};
use chrono::TimeDelta;
use fake_stripe::{Change, Endpoint, Fault, FaultKind};
use sea_orm::ConnectionTrait;
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
        look: Duration::from_millis(50),
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
        let Round { asked, changed, failed, .. } = reconciler.round().await.unwrap();
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
        assert_eq!(reconciler.round().await.unwrap(), Round { asked: 1, failed: 1, ..Round::default() });
        assert_eq!(invoice(&world, 1).await["upstream"]["lastErrorCode"], "UNAVAILABLE");
        assert_eq!(reconciler.round().await.unwrap(), Round::default());
    })
    .await;
}

// ---- Several servers --------------------------------------------------------------------------------------------

fn due(count: usize) -> Vec<crate::links::Given> {
    (1..=count).map(|number| given(number, TimeDelta::hours(7))).collect()
}

#[tokio::test]
async fn two_servers_do_not_ask_about_the_same_invoice() {
    for_each_engine(async |engine| {
        let world = World::new(engine, &due(12)).await;
        world.fake.fault(Fault::new(FaultKind::Delay(20)));
        let (one, other) = (reconciler(&world), reconciler(&world));
        let (one_round, other_round) = tokio::join!(one.round(), other.round());
        let (first, second) = (one_round.unwrap(), other_round.unwrap());
        assert_eq!(first.asked + second.asked, 12, "{first:?} {second:?}");
        assert_eq!(world.fake.count(Endpoint::Invoice), 12);
        // And whoever comes later finds nothing to do.
        assert_eq!(other.round().await.unwrap(), Round::default());
        assert_eq!(world.fake.count(Endpoint::Invoice), 12);
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_gone_leaves_its_round_to_another() {
    for_each_engine(async |engine| {
        let world = World::new(engine, &due(2)).await;
        let tenant = Tenant::whole(world.tenant.clone());
        // A server that takes the lease and is not heard of any more.
        let gone = Lease::on(&world.gateway.store, &tenant, JOB, Duration::from_millis(6_500));
        assert!(gone.take().await.unwrap());
        let mut reconciler = reconciler(&world);
        let left = reconciler.round().await.unwrap();
        assert_eq!(left, Round { elsewhere: 1, ..Round::default() });
        assert_eq!(world.fake.count(Endpoint::Invoice), 0);
        // Nothing but the look at leases left behind makes it work again within the hour.
        reconciler.intervals.paying = Duration::from_hours(1);
        let (stop, stopping) = tokio::sync::watch::channel(false);
        let running = tokio::spawn(reconciler.run(stopping));
        let asked = async {
            while world.fake.count(Endpoint::Invoice) < 2 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), asked).await.expect("it is taken over");
        stop.send_replace(true);
        running.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_lease_is_one_holders_until_it_runs_out() {
    for_each_engine(async |engine| {
        let world = World::new(engine, &due(1)).await;
        let tenant = Tenant::whole(world.tenant.clone());
        let lease = |name, time| Lease::on(&world.gateway.store, &tenant, name, time);
        let long = Duration::from_mins(1);
        let (one, other) = (lease("one", long), lease("one", long));
        assert!(one.take().await.unwrap() && one.take().await.unwrap());
        assert!(!other.take().await.unwrap() && lease("two", long).take().await.unwrap());
        assert!(one.save_state(Some(json!({ "at": 1 }))).await.unwrap());
        assert!(!other.save_state(Some(json!({ "at": 2 }))).await.unwrap(), "it has no lease");
        one.release().await.unwrap();
        assert!(other.take().await.unwrap());
        assert_eq!(other.state().await.unwrap(), Some(json!({ "at": 1 })));
        // Its holder hears that it is lost, and does not get it back by renewing.
        let short = lease("three", Duration::from_millis(30));
        assert!(short.take().await.unwrap());
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert!(lease("three", long).take().await.unwrap());
        tokio::time::timeout(Duration::from_secs(5), short.keep()).await.expect("it ends when it is lost");
        assert!(!short.save_state(None).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_tenant_of_the_other_mode_is_not_asked_about() {
    let world = World::new(Engine::Sqlite, &due(2)).await;
    let connection = world.gateway.database.connect().await;
    connection.execute_unprepared("UPDATE tenants SET livemode = 1").await.unwrap();
    connection.execute_unprepared("UPDATE upstream_invoices SET stripe_account_id = 'acct_fake'").await.unwrap();
    // Its own key, and a platform's: both are of the test mode.
    assert_eq!(reconciler(&world).round().await.unwrap(), Round::default());
    let platform = StripeConfig {
        base: BaseUrl::parse(world.fake.url(), true).unwrap(),
        key: ApiKey::parse(crate::links::KEY).unwrap(),
        account: None,
        hosts: billing_gateway::domain::link::LinkHosts::default(),
        limits: StripeLimits::default(),
        stats: billing_gateway::stats::StripeStats::default(),
    };
    let accounts: [(entity::TenantId, StripeClient); 0] = [];
    let accounts = std::sync::Arc::new(Accounts::new(accounts, Some(platform)));
    let by_platform = Reconciler { accounts, ..reconciler(&world) };
    assert_eq!(by_platform.round().await.unwrap(), Round::default());
    assert_eq!(world.fake.calls().len(), 0);
    // What asks for links knows it then, too.
    let links = world.ask("query L($id: ID!) { invoice(id: $id) { payUrl } }", json!({ "id": id(1) })).await;
    assert_eq!((world.fake.calls().len(), links.codes()), (0, vec!["UPSTREAM_UNAVAILABLE"]));
    connection.execute_unprepared("UPDATE tenants SET livemode = 0").await.unwrap();
    assert_eq!(by_platform.round().await.unwrap().asked, 2);
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
