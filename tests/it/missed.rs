//! Events that never came are fetched from Stripe's list, and worked on like those that did.

use std::time::Duration;

use billing_gateway::app::missed::{Options, Summary, fetch};
use billing_gateway::store::tenant::System;
use billing_gateway::store::webhook_event;
use entity::{InboxSource, WebhookStatus};
use fake_stripe::{Change, Fault, FaultKind};
use serde_json::{Value, json};

use crate::support::database::{Engine, for_each_engine};
use crate::support::hooks::{Hooks, PAY_ALL, client_of, now, quick};
use crate::support::program::run;
use crate::support::stored::stored;
use crate::support::upstream::{Upstream, at_stripe, seconds};

const NAMES: [&str; 2] = ["told", "untold"];

fn options() -> Options {
    Options {
        since: None,
        tenant: None,
        endpoint: "default".to_owned(),
        dry_run: false,
        patience: Duration::from_secs(5),
    }
}

async fn fetched(world: &Upstream, options: &Options) -> Summary {
    let mut summary = Summary::default();
    fetch(&world.config(), options, &mut summary, |_, _| {}).await.unwrap();
    summary
}

/// What a backfill of invoices leaves out: a declined attempt, a refund, a dispute.
fn things_happen(world: &Upstream, name: &str) {
    let stripe_id = format!("in_{name}");
    for change in [
        Change::Decline { code: "expired_card".to_owned() },
        PAY_ALL,
        Change::Refund { charge: None, amount: Some(100) },
        Change::Dispute,
    ] {
        world.fake.change(&stripe_id, &change).unwrap();
    }
}

#[tokio::test]
async fn what_never_came_is_fetched_and_becomes_what_webhooks_would_have_made_of_it() {
    for_each_engine(async |engine| {
        let mut world = Upstream::new(Hooks::on(engine).await, &NAMES, NAMES.map(at_stripe)).await;
        world.hooks.start(quick(), Some(client_of(&world.fake)));
        // One invoice is told of by webhook, the other by nobody.
        things_happen(&world, "told");
        world.hooks.delivered(&world.fake, false, None).await;
        let came = world.hooks.events().await.len() as u64;
        things_happen(&world, "untold");
        world.fake.write_event(json!({ "id": "evt_other", "object": "event", "type": "customer.created",
            "created": now(), "livemode": false, "data": { "object": { "id": "cus_1", "object": "customer" } } }));
        let other_mode = json!({ "id": "evt_live", "object": "event", "type": "invoice.paid", "created": now(),
            "livemode": true, "data": { "object": { "id": "in_live", "object": "invoice" } } });
        world.fake.write_event(other_mode);

        let all = world.fake.events().len() as u64;
        let expected = Summary { seen: all, other_type: 1, other_mode: 1, known: came, taken: all - came - 2 };
        let before = stored(&world.connection).await;
        assert_eq!(fetched(&world, &Options { dry_run: true, ..options() }).await, expected);
        assert_eq!(stored(&world.connection).await, before, "a dry run writes nothing");
        assert_eq!(fetched(&world, &options()).await, expected);
        world.hooks.until(|events| events.iter().all(|event| event.status == WebhookStatus::Processed)).await;
        world.hooks.assert_sound().await;
        let shown = async |name: &str| {
            let id = format!("inv_{name}").into();
            let invoice = world.hooks.invoice(&id).await;
            let payments = world.hooks.payments(&id).await;
            let mut payments: Vec<_> = payments
                .into_iter()
                .map(|row| (format!("{:?}", row.kind), row.status, row.amount_paid, row.failure_code))
                .collect();
            payments.sort_by_key(|row| format!("{row:?}"));
            let mut history: Vec<_> = world.hooks.history(&id).await.into_iter().map(|entry| entry.kind).collect();
            history.sort();
            (invoice.status, invoice.amount_paid, invoice.amount_refunded, payments, history)
        };
        let (told, untold) = (shown("told").await, shown("untold").await);
        assert_eq!(untold, told);
        assert!(told.3.len() >= 3 && told.4.iter().any(|kind| kind.contains("dispute")), "{told:?}");

        let fetched_now = world.hooks.events().await.iter().filter(|event| event.source == InboxSource::List).count();
        assert_eq!(fetched_now as u64, expected.taken, "the others came by themselves");
        let again = fetched(&world, &options()).await;
        assert_eq!((again.taken, again.known), (0, all - 2));
        let log = stored(&world.connection).await["audit_log"].concat();
        assert_eq!(log.matches("webhook.fetch").count(), 1, "what changes nothing is no entry: {log}");
    })
    .await;
}

#[tokio::test]
async fn a_long_list_is_read_to_its_end_or_to_its_day_and_a_second_run_goes_on() {
    let world = Upstream::new(Hooks::on(Engine::Sqlite).await, &["one"], [at_stripe("one")]).await;
    for _ in 0..130 {
        world.fake.change("in_one", &Change::Announce { kind: "invoice.sent".to_owned() }).unwrap();
    }
    // Half of them came meanwhile, and Stripe does not answer at once.
    let all = fetched(&world, &options()).await;
    assert_eq!((all.seen, all.taken, all.known), (130, 130, 0));
    world.sql("DELETE FROM webhook_events WHERE event_id LIKE '%1'").await;
    let gone = 130 - u64::try_from(world.count("webhook_events").await).unwrap();
    world.fake.fault(Fault::new(FaultKind::status(500)).times(2));
    let (mut summary, mut waited) = (Summary::default(), 0);
    fetch(&world.config(), &options(), &mut summary, |_, _| waited += 1).await.unwrap();
    assert_eq!((summary.seen, summary.taken, summary.known), (130, gone, 130 - gone));
    assert!(gone > 5 && waited > 0, "{gone} {waited}");
    let none = fetched(&world, &Options { since: Some(seconds(3_600)), ..options() }).await;
    assert_eq!(none, Summary::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_says_what_it_took_and_lists_how_it_came() {
    let world = Upstream::new(Hooks::on(Engine::Sqlite).await, &["one"], [at_stripe("one")]).await;
    world.fake.change("in_one", &PAY_ALL).unwrap();
    let folder = tempfile::TempDir::with_prefix("billing-gateway-missed-").unwrap();
    let fetch = |more: &[&str]| run(world.program(folder.path(), &[&["stripe", "events", "fetch"], more].concat()));
    let dry = fetch(&["--dry-run"]).ok();
    assert!(dry.contains("4 taken") && dry.contains("if this were no dry run"), "{dry}");
    let told: Value = serde_json::from_str(&fetch(&["--json"]).ok()).unwrap();
    assert_eq!((&told["complete"], &told["counts"]["taken"]), (&json!(true), &json!(4)), "{told}");
    let listed = run(world.program(folder.path(), &["stripe", "events", "list", "--json"])).ok();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed[0]["source"], "LIST", "{listed}");
    world.fake.fault(Fault::new(FaultKind::status(401)));
    let failed = fetch(&["--patience", "0"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    let reader = world.hooks.store.reader(&System::operator(), &std::sync::Arc::default());
    let rows = webhook_event::list(&System::operator(), &reader, None, 10).await.unwrap();
    assert_eq!(rows.len(), 4);
}

#[tokio::test]
async fn events_of_a_connected_account_find_their_tenant() {
    let mut hooks = Hooks::on(Engine::Sqlite).await;
    hooks.start(quick(), None);
    let world = Upstream::new(hooks, &["one"], [at_stripe("one")]).await;
    world.sql("UPDATE tenants SET stripe_account_id = 'acct_fake'").await;
    world.sql("UPDATE upstream_invoices SET stripe_account_id = 'acct_fake'").await;
    world.fake.change("in_one", &PAY_ALL).unwrap();
    let (store, access) = world.config();
    let platform = access.own.first().map(|own| own.key.clone());
    let access = billing_gateway::app::config::StripeAccess { own: Vec::new(), platform, ..access };
    let mut summary = Summary::default();
    let options = Options { endpoint: "connect".to_owned(), ..options() };
    fetch(&(store, access), &options, &mut summary, |_, _| {}).await.unwrap();
    assert_eq!(summary.taken, 4, "{summary:?}");
    world.hooks.until(|events| events.iter().all(|event| event.status == WebhookStatus::Processed)).await;
    assert_eq!(world.hooks.invoice(&"inv_one".to_owned().into()).await.status, entity::InvoiceStatus::Paid);
}
