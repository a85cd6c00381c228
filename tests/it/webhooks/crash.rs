//! The program is killed in the middle of a burst: what it acknowledged is done, and done once.
//!
//! Two rounds on each database; `./dev bench webhooks` runs twenty.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use entity::{InvoiceId, InvoiceStatus, Minor, WebhookStatus};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::support::app::http_client;
use crate::support::database::for_each_engine;
use crate::support::hooks::{Hooks, SECRET, TOTAL, event, now, object, signed};
use crate::support::program::{Running, program};

/// How many rounds there are, where not two.
const ROUNDS: &str = "BILLING_CRASH_ROUNDS";

/// Invoices of one round; each has three events.
const INVOICES: usize = 150;

/// Events that are sent in a second.
const PER_SECOND: u32 = 300;

#[allow(clippy::disallowed_methods, reason = "a measurement asks for more rounds than the tests do")]
fn rounds() -> u64 {
    std::env::var(ROUNDS).ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(2)
}

/// The program on the test's database, and where its webhooks come to.
fn start(folder: &TempDir, hooks: &Hooks) -> (Running, String) {
    let mut command = program(folder.path());
    command.args(["serve", "--json", "--listen", "127.0.0.1:0", "--explorer", "off"]);
    command.env("DATABASE_URL", &hooks.database.url).env("BILLING_DB_CONNECTIONS", "4");
    command.env("BILLING_JWT_SECRET", "a secret of the tests, longer than 32 bytes").env("BILLING_LOG_LEVEL", "error");
    command.env("BILLING_WEBHOOK_TENANT", hooks.tenant.as_str()).env("BILLING_WEBHOOK_SECRETS", SECRET);
    let mut running = Running::start(command);
    let ready: Value = serde_json::from_str(&running.line(|line| line.starts_with('{'))).unwrap();
    (running, format!("{}/webhooks/stripe/default", ready["url"].as_str().unwrap()))
}

/// What tells of one invoice: that it was sent, that money came, and that it is paid.
fn events_of(name: &str) -> Vec<Value> {
    let (stripe_id, at) = (format!("in_{name}"), now() - 60);
    let payment = json!({ "id": format!("inpay_{name}"), "object": "invoice_payment", "invoice": stripe_id,
        "status": "paid", "amount_paid": TOTAL, "currency": "usd", "status_transitions": { "paid_at": at },
        "payment": { "type": "payment_intent", "payment_intent": format!("pi_{name}") } });
    vec![
        event(&format!("evt_{name}_sent"), "invoice.sent", at, &object(&stripe_id, "open", 0)),
        event(&format!("evt_{name}_payment"), "invoice_payment.paid", at, &payment),
        event(&format!("evt_{name}_paid"), "invoice.paid", at, &object(&stripe_id, "paid", TOTAL)),
    ]
}

/// Sends events at their pace and notes which are acknowledged.
async fn burst(url: &str, events: &[Value], acknowledged: &Arc<Mutex<BTreeSet<String>>>) {
    let client = http_client();
    let mut pace = tokio::time::interval(Duration::from_secs(1) / PER_SECOND);
    let mut running = JoinSet::new();
    for event in events {
        pace.tick().await;
        let (id, body) = (event["id"].as_str().unwrap().to_owned(), event.to_string());
        let request = client.post(url).header("stripe-signature", signed(&body)).body(body);
        let acknowledged = Arc::clone(acknowledged);
        running.spawn(async move {
            if request.send().await.is_ok_and(|answer| answer.status() == 200) {
                acknowledged.lock().unwrap().insert(id);
            }
        });
    }
    while running.join_next().await.is_some() {}
}

/// Half a minute passes, for the leases of the program that was killed.
async fn let_leases_run_out(connection: &DatabaseConnection) {
    let past = "UPDATE webhook_events SET leased_until = received_at WHERE leased_by IS NOT NULL";
    connection.execute_unprepared(past).await.unwrap();
}

async fn round(hooks: &Hooks, folder: &TempDir, number: u64) {
    let mut invoices = Vec::new();
    let mut events = Vec::new();
    for place in 0..INVOICES {
        let name = format!("{number}_{place}");
        invoices.push(hooks.open(&name, Some(&format!("in_{name}"))).await);
        events.push(events_of(&name));
    }
    // One after the other of each invoice, but not next to each other.
    let events: Vec<Value> = (0..3).flat_map(|kind| events.iter().map(move |of| of[kind].clone())).collect();

    let (first, url) = start(folder, hooks);
    let acknowledged = Arc::default();
    let moment = Duration::from_millis(500 + number * 137 % 800);
    let killed = async {
        tokio::time::sleep(moment).await;
        first.kill();
    };
    tokio::join!(burst(&url, &events, &acknowledged), killed);
    let before = acknowledged.lock().unwrap().clone();
    assert!(!before.is_empty() && before.len() < events.len(), "killed at the wrong moment: {}", before.len());
    let connection = hooks.database.connect().await;
    let stored: BTreeSet<_> = hooks.events().await.into_iter().map(|event| event.event_id).collect();
    assert!(before.is_subset(&stored), "acknowledged and lost: {:?}", before.difference(&stored));
    let_leases_run_out(&connection).await;

    // Stripe sends again what was not acknowledged, and here and there what was.
    let (second, url) = start(folder, hooks);
    let again = events
        .iter()
        .enumerate()
        .filter(|(place, event)| place % 7 == 0 || !before.contains(event["id"].as_str().unwrap()));
    let again: Vec<Value> = again.map(|(_, event)| event.clone()).collect();
    burst(&url, &again, &acknowledged).await;
    assert_eq!(acknowledged.lock().unwrap().len(), events.len());
    hooks.until(|events| events.iter().all(|event| event.status == WebhookStatus::Processed)).await;
    second.stop();
    for id in invoices {
        done_once(hooks, &id).await;
    }
    hooks.assert_sound().await;
}

async fn done_once(hooks: &Hooks, id: &InvoiceId) {
    let row = hooks.invoice(id).await;
    assert_eq!((row.status, row.amount_paid), (InvoiceStatus::Paid, Minor(TOTAL)), "{id}");
    let payments = hooks.payments(id).await;
    assert_eq!((payments.len(), payments[0].amount_paid), (1, Minor(TOTAL)), "{id}");
    let mut kinds: Vec<_> = hooks.history(id).await.into_iter().map(|entry| entry.kind).collect();
    kinds.sort();
    assert_eq!(kinds, ["paid", "payment_succeeded", "sent"], "{id}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_in_a_burst_loses_no_acknowledged_event_and_applies_none_twice() {
    for_each_engine(async |engine| {
        let hooks = Hooks::on(engine).await;
        let folder = TempDir::with_prefix("billing-gateway-crash-").unwrap();
        for number in 0..rounds() {
            round(&hooks, &folder, number).await;
        }
    })
    .await;
}
