//! Webhooks that come again and again, at the same time and in any order.

use entity::{InvoiceStatus, Minor, WebhookStatus};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::database::for_each_engine;
use crate::support::hooks::{Hooks, TOTAL, event, now, object};

/// The last first: paid before it was issued.
fn events() -> [Value; 3] {
    let at = now() - 60;
    [
        event("evt_paid", "invoice.paid", at, &object("in_1", "paid", TOTAL)),
        event("evt_sent", "invoice.sent", at, &object("in_1", "open", 0)),
        event("evt_finalized", "invoice.finalized", at - 1, &object("in_1", "open", 0)),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_ten_copies_of_each_event_at_once_and_out_of_order_are_taken_once_and_all_acknowledged() {
    for_each_engine(async |engine| {
        let hooks = Hooks::working(engine).await;
        let id = hooks.open("one", Some("in_1")).await;
        let events = events();
        for event in &events {
            let answers = join_all((0..10).map(|_| hooks.send(event))).await;
            let fresh = answers.iter().filter(|answer| **answer == json!({ "received": true })).count();
            assert_eq!(fresh, 1, "{answers:?}");
        }
        hooks.until(|events| events.iter().all(|event| event.status == WebhookStatus::Processed)).await;
        assert_eq!(hooks.events().await.len(), events.len());
        let once = hooks.state(&id).await;
        assert_eq!((once.0.status, once.0.amount_paid), (InvoiceStatus::Paid, Minor(TOTAL)));
        let history = hooks.history(&id).await;

        // Once more, all together, the first first.
        let again = events.iter().rev().flat_map(|event| (0..10).map(|_| hooks.send(event)));
        for answer in join_all(again).await {
            assert_eq!(answer, json!({ "received": true, "duplicate": true }));
        }
        hooks.settled().await;
        assert_eq!((hooks.state(&id).await, hooks.history(&id).await), (once, history));
        hooks.assert_sound().await;
    })
    .await;
}
