//! Invoices whose webhooks were lost, taken over from Stripe's list: what it restores, and how it goes on after whatever
//! ended it.

use std::future::pending;
use std::time::{Duration, Instant as Stopwatch};

use billing_gateway::app::AppError;
use billing_gateway::app::backfill::{Became, Options, Progress, Span, Summary, backfill};
use entity::InvoiceStatus;
use fake_stripe::{Change, Delivery, Endpoint, Fault, FaultKind, Payment, State};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::database::{Engine, for_each_engine};
use crate::support::hooks::{Hooks, SECRET, now};
use crate::support::program::{Running, run};
use crate::support::upstream::{Upstream, at_stripe, foreign, seconds};

/// Longer ago than anything here.
fn options() -> Options {
    let span = Span { since: Some(seconds(-40 * 86_400)), until: None };
    Options { span, tenant: None, dry_run: false, restart: false, patience: Duration::from_secs(30) }
}

async fn backfilled(world: &Upstream, options: &Options) -> Summary {
    let mut summary = Summary::default();
    backfill(&world.config(), options, &mut summary, pending(), |_| {}).await.unwrap();
    summary
}

const NAMES: [&str; 8] = ["paid", "twice", "outside", "void", "given_up", "late", "same", "unmirrored"];

/// What happened at Stripe while nobody listened.
fn a_month_passes(world: &Upstream) {
    let change = |name: &str, change: Change| world.fake.change(&format!("in_{name}"), &change).map(drop).unwrap();
    let pay = |amount| Change::Pay { amount, out_of_band: false };
    change("paid", pay(None));
    change("twice", pay(Some(300)));
    change("twice", pay(Some(700)));
    change("outside", Change::Pay { amount: None, out_of_band: true });
    change("void", Change::Void);
    change("given_up", Change::MarkUncollectible);
    change("late", Change::MarkUncollectible);
    change("late", pay(Some(400)));
    change("unmirrored", pay(None));
    // A word about one of which nothing changed, so that both ways hear of it.
    change("same", Change::Announce { kind: "invoice.updated".to_owned() });
}

/// Rows removed and stale by hand, as a lost month leaves them.
async fn broken(world: &Upstream) {
    world.sql("DELETE FROM upstream_invoices WHERE invoice_id = 'inv_unmirrored'").await;
    world.sql("UPDATE upstream_invoices SET hosted_invoice_url = NULL WHERE invoice_id = 'inv_given_up'").await;
}

#[tokio::test]
async fn a_lost_month_becomes_what_webhooks_would_have_made_of_it() {
    for_each_engine(async |engine| {
        let lost = Upstream::new(Hooks::on(engine).await, &NAMES, NAMES.map(at_stripe)).await;
        a_month_passes(&lost);
        // The same Stripe tells another store by webhook.
        let heard = Hooks::working(engine).await;
        for name in NAMES {
            heard.open(name, Some(&format!("in_{name}"))).await;
        }
        let delivered = lost.fake.deliver(Delivery::to(&heard.url("default"), SECRET)).await.unwrap();
        assert_eq!(delivered.failed, 0);
        heard.settled().await;
        let heard = Upstream { connection: heard.database.connect().await, fake: lost.fake, hooks: heard };
        let lost = Upstream { fake: fake_stripe::FakeStripe::start(heard.fake.state()).await.unwrap(), ..lost };

        broken(&lost).await;
        let summary = backfilled(&lost, &options()).await;
        assert_eq!((summary.seen, summary.created, summary.unknown, summary.failed), (8, 1, 0, 0), "{summary:?}");
        assert_eq!(summary.fields["status"], 7, "{summary:?}");
        for name in NAMES {
            assert_eq!(lost.told(name).await, heard.told(name).await, "{name}");
        }
        lost.hooks.assert_sound().await;
        // A second look changes nothing.
        let again = backfilled(&lost, &options()).await;
        assert_eq!((again.unchanged, again.changed, again.created), (8, 0, 0), "{again:?}");
        // And webhooks that come after all say nothing new: the same payments, once.
        let before = lost.told("twice").await;
        let delivered = heard.fake.deliver(Delivery {
            events: Some(heard.fake.events().into_iter().map(|event| event.id).collect()),
            ..Delivery::to(&lost.hooks.url("default"), SECRET)
        });
        assert_eq!(delivered.await.unwrap().failed, 0);
        let mut hooks = lost.hooks;
        hooks.start(crate::support::hooks::quick(), None);
        hooks.settled().await;
        let lost = Upstream { hooks, ..Upstream { connection: lost.connection, fake: lost.fake, hooks: heard.hooks } };
        assert_eq!(lost.told("twice").await, before);
        lost.hooks.assert_sound().await;
    })
    .await;
}

#[tokio::test]
async fn an_event_that_came_while_it_was_listed_is_not_written_over() {
    for_each_engine(async |engine| {
        let world = Upstream::new(Hooks::working(engine).await, &["a"], [at_stripe("a")]).await;
        let invoices = world.fake.state().invoices;
        let before = fake_stripe::FakeStripe::start(State { rate_per_second: 0, ..State::with(invoices) });
        let before = before.await.unwrap();
        before.fault(Fault::new(FaultKind::Delay(1_000)).at(Endpoint::Invoices));
        world.fake.change("in_a", &Change::Pay { amount: Some(400), out_of_band: false }).unwrap();
        // The list is as it was before the payment, and is answered after its events came.
        let Upstream { hooks, fake, connection } = world;
        let world = Upstream { hooks, fake: before, connection };
        let heard = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let delivered = fake.deliver(Delivery::to(&world.hooks.url("default"), SECRET)).await.unwrap();
            assert_eq!(delivered.failed, 0);
            world.hooks.settled().await;
            assert_eq!(world.fake.calls().last().unwrap().status, None, "the list is still to be answered");
            world.told("a").await
        };
        let options = options();
        let (summary, told) = tokio::join!(backfilled(&world, &options), heard);
        assert_eq!((summary.seen, summary.unchanged), (1, 1), "{summary:?}");
        assert_eq!(world.hooks.mirror(&"inv_a".into()).await.upstream_amount_paid, Some(entity::Minor(400)));
        assert_eq!(world.told("a").await, told);
    })
    .await;
}

#[tokio::test]
async fn a_dry_run_says_what_would_change_and_writes_nothing() {
    for_each_engine(async |engine| {
        let invoices = NAMES.map(at_stripe).into_iter().chain(foreign(5));
        let world = Upstream::new(Hooks::on(engine).await, &NAMES, invoices).await;
        a_month_passes(&world);
        broken(&world).await;
        let before = world.digest().await;
        let mut said = Vec::new();
        let mut announced = Summary::default();
        let dry = Options { dry_run: true, ..options() };
        let config = world.config();
        let done = backfill(&config, &dry, &mut announced, pending(), |progress| {
            if let Progress::Invoice(_, id, became) = progress {
                said.push((id.as_str().to_owned(), became.clone()));
            }
        });
        done.await.unwrap();
        assert_eq!(world.digest().await, before);
        assert_eq!((announced.seen, announced.unknown), (13, 5));
        let of = |name: &str| &said.iter().find(|(id, _)| id == name).unwrap().1;
        assert_eq!(*of("in_foreign0"), Became::Unknown);
        let Became::Changed(id, fields) = of("in_paid") else { panic!("{said:?}") };
        assert_eq!(id.as_str(), "inv_paid");
        assert!(fields.contains(&"status") && fields.contains(&"payments"), "{fields:?}");
        assert_eq!(backfilled(&world, &options()).await, announced, "what was said is what is done");
        assert_ne!(world.digest().await, before);
    })
    .await;
}

/// The query strings of the pages that were asked for.
fn pages(world: &Upstream) -> Vec<String> {
    let calls = world.fake.calls().into_iter().filter(|call| call.endpoint == Endpoint::Invoices);
    calls.map(|call| call.query).collect()
}

#[tokio::test]
async fn a_stripe_that_fails_in_the_middle_is_asked_again_and_then_the_run_goes_on_where_it_was() {
    for_each_engine(async |engine| {
        let invoices =
            [at_stripe("old")].into_iter().map(|old| fake_stripe::Invoice { created: Some(now() - 86_400), ..old });
        let world = Upstream::new(Hooks::on(engine).await, &["old"], invoices.chain(foreign(350))).await;
        world.fake.change("in_old", &Change::Pay { amount: None, out_of_band: false }).unwrap();
        world.fake.reset_counts();
        let down = FaultKind::Status { status: 500, retry_after: None, should_retry: Some(false), reason: None };
        let mut summary = Summary::default();
        let (mut page, mut waited) = (0, 0);
        let (config, options) = (world.config(), options());
        let stopped = backfill(&config, &options, &mut summary, pending(), |progress| match progress {
            Progress::Page { .. } => {
                page += 1;
                match page {
                    // One failure is waited for; a key that is refused ends it.
                    1 => world.fake.fault(Fault::new(down.clone()).times(1)),
                    2 => world.fake.fault(Fault::new(FaultKind::status(401))),
                    _ => {}
                }
            }
            Progress::Waiting(..) => waited += 1,
            _ => {}
        });
        let error = stopped.await.unwrap_err();
        assert!(matches!(error, AppError::Asking { .. }), "{error:?}");
        assert_eq!((summary.seen, waited, page), (200, 1, 2));
        assert_eq!(pages(&world).len(), 4, "two pages, and two failures");

        world.fake.clear_faults();
        world.fake.reset_counts();
        let mut all = Summary::default();
        let mut goes_on = 0;
        let begun = Stopwatch::now();
        let done = backfill(&config, &options, &mut all, pending(), |progress| {
            if let Progress::GoesOn(_, earlier) = progress {
                goes_on = earlier.seen;
            }
        });
        done.await.unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(150), "it leaves room for requests");
        assert_eq!((goes_on, all.seen, all.unknown, all.changed), (200, 351, 350, 1), "{all:?}");
        let asked = pages(&world);
        assert_eq!(asked.len(), 2, "{asked:#?}");
        assert!(asked[0].contains("starting_after=in_foreign199"), "{asked:#?}");
        assert_eq!(world.hooks.invoice(&"inv_old".into()).await.status, InvoiceStatus::Paid);
        // What is finished is not gone on with, and another time is another backfill.
        world.fake.reset_counts();
        assert_eq!(backfilled(&world, &options).await.seen, 351);
        assert_eq!(pages(&world).len(), 4);
    })
    .await;
}

#[tokio::test]
async fn another_time_and_a_restart_begin_anew_and_a_draft_that_is_gone_does_no_harm() {
    let mut invoices: Vec<_> = foreign(250).collect();
    invoices[99].status = fake_stripe::state::Status::Draft;
    let world = Upstream::new(Hooks::on(Engine::Sqlite).await, &[], invoices).await;
    let interrupted = async || {
        let mut summary = Summary::default();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let mut stop = Some(stop);
        let stopping = async { drop(stopped.await) };
        let (config, options) = (world.config(), options());
        let ended = backfill(&config, &options, &mut summary, stopping, |progress| {
            if let Progress::Page { .. } = progress {
                drop(stop.take());
            }
        });
        assert!(matches!(ended.await.unwrap_err(), AppError::Interrupted));
        assert_eq!(summary.seen, 100);
    };
    interrupted().await;
    world.fake.reset_counts();
    let later = Options { span: Span { since: Some(seconds(-39 * 86_400)), until: None }, ..options() };
    assert_eq!(backfilled(&world, &later).await.seen, 250);
    assert_eq!(pages(&world).len(), 3);
    interrupted().await;
    world.fake.reset_counts();
    assert_eq!(backfilled(&world, &Options { restart: true, ..options() }).await.seen, 250);
    assert_eq!(pages(&world).len(), 3);
    interrupted().await;
    world.fake.change("in_foreign99", &Change::Delete).unwrap();
    world.fake.reset_counts();
    assert_eq!(backfilled(&world, &options()).await.seen, 250);
    let asked = pages(&world);
    assert!(asked[0].contains("starting_after") && !asked[1].contains("starting_after"), "{asked:#?}");
}

#[tokio::test]
async fn an_invoice_with_many_payments_gets_all_of_them() {
    let mut many = at_stripe("many");
    many.payments.extend((0..20).map(|n| Payment::paid(&format!("m{n}"), 50, now() - 1_000 + n)));
    let mut other = at_stripe("foreign_money");
    other.currency = "eur".to_owned();
    let world = Upstream::new(Hooks::on(Engine::Sqlite).await, &["many", "foreign_money"], [many, other]).await;
    let summary = backfilled(&world, &options()).await;
    assert_eq!((summary.changed, summary.failed), (1, 1));
    assert_eq!(world.fake.count(Endpoint::InvoicePayments), 1);
    assert_eq!(world.hooks.payments(&"inv_many".into()).await.len(), 20);
    assert_eq!(world.hooks.invoice(&"inv_many".into()).await.amount_paid.0, 1_000);
}

#[tokio::test]
async fn invoices_of_the_other_mode_are_counted_and_left_alone() {
    let world = Upstream::new(Hooks::on(Engine::Sqlite).await, &["a"], []).await;
    let mut live = at_stripe("a");
    live.status = fake_stripe::state::Status::Void;
    world.fake.replace(State { livemode: true, ..State::with([live]) });
    let summary = backfilled(&world, &options()).await;
    assert_eq!((summary.seen, summary.other_mode), (1, 1));
    assert_eq!(world.hooks.invoice(&"inv_a".into()).await.status, InvoiceStatus::Open);
}

// ---- The program ------------------------------------------------------------------------------------------------

async fn stored_state(world: &Upstream) -> Value {
    let statement = Statement::from_string(
        world.connection.get_database_backend(),
        "SELECT state FROM jobs WHERE name = 'stripe.backfill'",
    );
    world.connection.query_one_raw(statement).await.unwrap().unwrap().try_get("", "state").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_that_is_killed_goes_on_behind_its_last_page() {
    for_each_engine(async |engine| {
        let world = Upstream::new(Hooks::on(engine).await, &[], foreign(1_200)).await;
        world.fake.fault(Fault::new(FaultKind::Delay(150)).at(Endpoint::Invoices));
        let folder = TempDir::with_prefix("billing-gateway-backfill-").unwrap();
        let since = billing_gateway::domain::clock::Clock::system().now().utc() - chrono::TimeDelta::days(30);
        let since = since.format("%Y-%m-%d").to_string();
        let arguments = ["stripe", "backfill", "--since", since.as_str()];
        let mut first = Running::start(world.program(folder.path(), &arguments));
        // After the first invoice of the fourth page.
        first.line(|line| line.contains("in_foreign300 unknown"));
        first.kill();
        let state = stored_state(&world).await;
        let done = state["summary"]["seen"].as_u64().unwrap();
        assert!((300..1_200).contains(&done), "{state}");
        let after = state["after"].as_str().unwrap().to_owned();
        assert_eq!(after, format!("in_foreign{}", done - 1));

        world.fake.reset_counts();
        world.fake.clear_faults();
        let said = run(world.program(folder.path(), &arguments));
        assert_eq!(said.code, Some(0), "{said:?}");
        let asked = pages(&world);
        assert!(asked[0].contains(&format!("starting_after={after}")), "{asked:#?}");
        assert_eq!(asked.len() as u64, (1_200 - done) / 100, "no page is read twice");
        assert!(said.err.contains(&format!("goes on behind {done} invoices")), "{said:?}");
        assert!(said.out.contains("1200 invoices at Stripe") && said.out.contains("1200 unknown"), "{}", said.out);
        assert!(said.err.contains("%, "), "plain lines where there is no terminal: {}", said.err);
        assert_eq!(stored_state_or_null(&world).await, Value::Null);
    })
    .await;
}

async fn stored_state_or_null(world: &Upstream) -> Value {
    let statement = Statement::from_string(
        world.connection.get_database_backend(),
        "SELECT state FROM jobs WHERE name = 'stripe.backfill' AND state IS NOT NULL",
    );
    let row = world.connection.query_one_raw(statement).await.unwrap();
    row.map_or(Value::Null, |row| row.try_get("", "state").unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_says_how_it_ended() {
    let world =
        Upstream::new(Hooks::on(Engine::Sqlite).await, &["a"], [at_stripe("a")].into_iter().chain(foreign(2))).await;
    world.fake.change("in_a", &Change::Pay { amount: None, out_of_band: false }).unwrap();
    let folder = TempDir::with_prefix("billing-gateway-backfill-").unwrap();
    let backfill = |more: &[&str]| {
        let mut command = world.program(folder.path(), &["stripe", "backfill", "--since", "2020-01-01"]);
        command.args(more);
        run(command)
    };
    let dry = backfill(&["--dry-run", "--json"]).ok();
    let dry: Value = serde_json::from_str(&dry).unwrap();
    assert_eq!(
        (&dry["dryRun"], &dry["complete"], &dry["seen"], &dry["changed"]),
        (&true.into(), &true.into(), &3.into(), &1.into())
    );
    assert_eq!(dry["listed"].as_array().unwrap().len(), 3, "{dry}");
    assert!(!dry.to_string().contains("https://"), "{dry}");
    let done = backfill(&[]).ok();
    assert!(done.contains("in_a inv_a changed: status"), "{done}");
    assert!(done.contains("in_foreign0 unknown") && !done.contains("https://"), "{done}");
    world.fake.fault(Fault::new(FaultKind::status(503)));
    let failed = backfill(&["--patience", "0"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.err.contains("Stripe is not available") && failed.err.lines().count() == 1, "{failed:?}");
    world.fake.clear_faults();
    assert_eq!(backfill(&["--tenant", "ten_nobody"]).failure().matches("ten_nobody").count(), 1);
    for wrong in [["--since", "yesterday"], ["--tenant", "somebody"], ["--patience", "-1"]] {
        assert_eq!(run(world.program(folder.path(), &["stripe", "backfill", wrong[0], wrong[1]])).code, Some(2));
    }
    let mut no_key = world.program(folder.path(), &["stripe", "backfill", "--since", "2020-01-01"]);
    no_key.env_remove("BILLING_STRIPE_KEY").env_remove("BILLING_STRIPE_TENANT");
    assert!(run(no_key).failure().contains("BILLING_STRIPE_KEY is required"));
}
