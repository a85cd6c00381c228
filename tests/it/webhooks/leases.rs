//! Leases: who works on an event, and what becomes of it when nobody does any more.

use std::time::Duration;

use billing_gateway::actions::apply_event::{Backoff, Work, apply_event};
use billing_gateway::domain::clock::Clock;
use billing_gateway::store::Whose;
use billing_gateway::store::webhook_event as inbox;
use chrono::TimeDelta;
use entity::{Instant, InvoiceStatus, WebhookStatus, webhook_event};
use serde_json::Value;

use crate::support::database::{Engine, for_each_engine};
use crate::support::hooks::{Hooks, TOTAL, event, now, object, quick};
use crate::support::program::{program, run};

/// Leases what is due to `by`, for so long from now.
async fn lease(hooks: &Hooks, by: &str, lease: TimeDelta) -> Vec<webhook_event::Model> {
    let tx = hooks.store.begin(Whose::Everyones).await.unwrap();
    let now = Clock::system().now();
    let until = (now, Instant::new(now.utc() + lease));
    let leased = inbox::lease(&hooks.inbox.system, &tx, by, &["default"], until, 10).await.unwrap();
    tx.commit().await.unwrap();
    leased
}

fn paid(id: &str, invoice: &str) -> Value {
    event(id, "invoice.paid", now() - 60, &object(invoice, "paid", TOTAL))
}

#[tokio::test]
async fn another_worker_takes_over_and_the_former_one_writes_nothing_any_more() {
    for_each_engine(async |engine| {
        let mut hooks = Hooks::on(engine).await;
        let id = hooks.open("one", Some("in_1")).await;
        hooks.send(&paid("evt_1", "in_1")).await;
        let mine = lease(&hooks, "gone", TimeDelta::milliseconds(300)).await;
        assert_eq!((mine.len(), mine[0].attempts), (1, 1));
        assert_eq!(lease(&hooks, "early", TimeDelta::seconds(30)).await, []);

        hooks.start(quick(), None);
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(hooks.event("evt_1").await.leased_by.as_deref(), Some("gone"));
        hooks.settled().await;
        let done = hooks.event("evt_1").await;
        assert_eq!((done.status, done.attempts, done.leased_by), (WebhookStatus::Processed, 2, None));
        assert_eq!(hooks.invoice(&id).await.version, 2);
        hooks.stop().await;

        // The one that was gone comes back with what it leased.
        let work = Work {
            store: &hooks.store,
            system: &hooks.inbox.system,
            endpoint: &hooks.inbox.endpoints["default"],
            accounts: None,
            backoff: Backoff::default(),
            now: Clock::system().now(),
            billing_now: Clock::system().now(),
        };
        let applied = apply_event(&work, &mine[0]).await.unwrap();
        assert_eq!(applied.status, None);
        assert_eq!(
            (hooks.event("evt_1").await.status, hooks.invoice(&id).await.version),
            (WebhookStatus::Processed, 2)
        );
    })
    .await;
}

#[tokio::test]
async fn a_lease_is_renewed_while_it_is_worked_on_and_given_back_at_the_end() {
    for_each_engine(async |engine| {
        let mut hooks = Hooks::on(engine).await;
        hooks.send(&paid("evt_1", "in_1")).await;
        lease(&hooks, "slow", TimeDelta::milliseconds(200)).await;
        let renew = async |by: &str| {
            let tx = hooks.store.begin(Whose::Everyones).await.unwrap();
            let now = Clock::system().now();
            let until = (now, Instant::new(now.utc() + TimeDelta::seconds(30)));
            inbox::renew(&hooks.inbox.system, &tx, by, until).await.unwrap();
            tx.commit().await.unwrap();
        };
        renew("other").await;
        renew("slow").await;
        tokio::time::sleep(Duration::from_millis(250)).await;
        assert_eq!(lease(&hooks, "early", TimeDelta::seconds(30)).await, []);
        let tx = hooks.store.begin(Whose::Everyones).await.unwrap();
        inbox::release(&hooks.inbox.system, &tx, "slow").await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(lease(&hooks, "next", TimeDelta::seconds(30)).await.len(), 1);
        // A worker that stops leaves nothing leased.
        hooks.start(quick(), None);
        hooks.stop().await;
        assert_eq!(hooks.event("evt_1").await.leased_by.as_deref(), Some("next"));
    })
    .await;
}

#[tokio::test]
async fn two_workers_share_the_inbox_and_nothing_is_done_twice() {
    for_each_engine(async |engine| {
        let mut hooks = Hooks::on(engine).await;
        let mut ids = Vec::new();
        for number in 0..20 {
            ids.push(hooks.open(&number.to_string(), Some(&format!("in_{number}"))).await);
            hooks.send(&paid(&format!("evt_{number}"), &format!("in_{number}"))).await;
        }
        let second = hooks.worker(quick(), None);
        hooks.start(quick(), None);
        let second = billing_gateway::app::jobs::webhooks::Running::start(second);
        hooks.settled().await;
        second.stop(Duration::from_secs(5)).await;
        for id in ids {
            let row = hooks.invoice(&id).await;
            assert_eq!((row.status, row.version), (InvoiceStatus::Paid, 2));
            assert_eq!(hooks.history(&id).await.len(), 1);
        }
        assert!(hooks.events().await.iter().all(|event| event.attempts == 1));
    })
    .await;
}

#[tokio::test]
async fn what_is_given_up_is_listed_and_can_be_replayed_by_command() {
    for_each_engine(async |engine| {
        let mut hooks = Hooks::on(engine).await;
        let mut impatient = quick();
        impatient.backoff.give_up = Duration::from_millis(1);
        hooks.start(impatient, None);
        hooks.send(&paid("evt_1", "in_late")).await;
        let parked = |event: &webhook_event::Model| event.status == WebhookStatus::Parked;
        hooks.until(|events| events.iter().all(|event| parked(event) && event.next_attempt_at.is_none())).await;

        let command = |arguments: &[&str]| {
            let folder = tempfile::TempDir::with_prefix("billing-gateway-events-").unwrap();
            let mut command = program(folder.path());
            command.args(["stripe", "events"]).args(arguments).args(["--database-url", &hooks.database.url]);
            run(command)
        };
        let listed: Value = serde_json::from_str(&command(&["list", "--status", "parked", "--json"]).ok()).unwrap();
        assert_eq!((&listed[0]["id"], listed.as_array().map(Vec::len)), (&Value::from("evt_1"), Some(1)));
        assert_eq!(listed[0]["reason"], "its invoice is not known yet");
        assert!(listed[0].get("payload").is_none());
        assert!(command(&["list"]).ok().contains("evt_1  PARKED"));
        assert_eq!(command(&["list", "--status", "failed"]).ok(), "There are none.\n");
        assert!(command(&["replay", "evt_none"]).failure().contains("evt_none"));

        let id = hooks.open("late", Some("in_late")).await;
        assert_eq!(command(&["replay", "--parked"]).ok(), "1 events are due again.\n");
        hooks.until(|events| events.iter().all(|event| event.status == WebhookStatus::Processed)).await;
        assert_eq!(hooks.invoice(&id).await.status, InvoiceStatus::Paid);
        let replayed: Value = serde_json::from_str(&command(&["replay", "evt_1", "--json"]).ok()).unwrap();
        assert_eq!(replayed["replayed"], 1);
        hooks.settled().await;
        assert_eq!(hooks.invoice(&id).await.version, 2);
        assert_eq!(engine == Engine::Sqlite, hooks.store.engine() == "sqlite");
    })
    .await;
}
