//! What follows from events about money: refunds, declined attempts, credit notes, disputes, and too much of it.

use entity::{InvoiceStatus, Minor, PaymentKind, PaymentStatus, WebhookStatus};
use fake_stripe::state::Links;
use fake_stripe::{Change, FakeStripe, Invoice, State, Webhook};
use serde_json::json;

use crate::support::app::http_client;
use crate::support::database::for_each_engine;
use crate::support::hooks::{Hooks, PAY_ALL, SECRET, TOTAL, client_of, event, lived, now, object, quick};

const fn refund(amount: i64) -> Change {
    Change::Refund { charge: None, amount: Some(amount) }
}

#[tokio::test]
async fn refunds_have_names_and_one_that_fails_comes_again() {
    for_each_engine(async |engine| {
        let fake = lived(&[PAY_ALL, refund(100), refund(250), Change::RefundFails]).await;
        for shuffle in [None, Some(3), Some(8)] {
            let hooks = Hooks::working(engine).await;
            let id = hooks.open("one", Some("in_1")).await;
            hooks.delivered(&fake, true, shuffle).await;
            assert_eq!(hooks.invoice(&id).await.amount_refunded, Minor(100));
            let mut refunds: Vec<_> = hooks.payments(&id).await;
            refunds.retain(|row| row.kind == PaymentKind::Refund);
            refunds.sort_by(|one, other| one.external_id.cmp(&other.external_id));
            let shown: Vec<_> = refunds.iter().map(|row| (row.status, row.amount_requested, row.amount_paid)).collect();
            assert_eq!(
                shown,
                [(PaymentStatus::Succeeded, Minor(100), Minor(100)), (PaymentStatus::Failed, Minor(250), Minor(0))]
            );
            assert_eq!(refunds[0].external_id.as_deref(), Some("re_1_1_fake_1"));
            assert_eq!(refunds[1].failure_code.as_deref(), Some("lost_or_stolen_card"));
        }
    })
    .await;
}

#[tokio::test]
async fn what_went_back_stands_in_the_history_once() {
    for_each_engine(async |engine| {
        let hooks = Hooks::working(engine).await;
        let id = hooks.open("one", Some("in_1")).await;
        // One after the other: the history says in which order things were heard.
        for event in lived(&[PAY_ALL, refund(100), refund(250), Change::RefundFails]).await.events() {
            hooks.hear([&event.body, &event.body]).await;
        }
        hooks.assert_sound().await;
        let mut given: Vec<_> = hooks.history(&id).await;
        given.retain(|entry| entry.kind.contains("refund"));
        let mut given: Vec<_> = given.into_iter().map(|entry| (entry.kind, entry.data["minorUnits"].clone())).collect();
        given.sort_by_key(|(kind, amount)| (kind.clone(), amount.as_i64()));
        let expected = [("payment_refunded", 100), ("payment_refunded", 250), ("refund_failed", 250)];
        assert_eq!(given, expected.map(|(kind, amount)| (kind.to_owned(), json!(amount))));
    })
    .await;
}

#[tokio::test]
async fn a_declined_attempt_says_why() {
    for_each_engine(async |engine| {
        let decline = |code: &str| Change::Decline { code: code.to_owned() };
        let fake = lived(&[decline("expired_card")]).await;
        let mut hooks = Hooks::on(engine).await;
        let id = hooks.open("one", Some("in_1")).await;
        // Only Stripe knows what the intent pays.
        hooks.start(quick(), Some(client_of(&fake)));
        hooks.delivered(&fake, false, Some(2)).await;
        let payments = hooks.payments(&id).await;
        assert_eq!(payments.len(), 1);
        let row = &payments[0];
        assert_eq!((row.status, row.failure_code.as_deref()), (PaymentStatus::Failed, Some("expired_card")));
        assert_eq!(row.failure_message.as_deref(), Some("Your card was declined."));
        assert_eq!(row.payment_intent_id.as_deref(), Some("pi_1_1"));
        // From then on it is known.
        let asked = fake.calls().len();
        fake.change("in_1", &decline("insufficient_funds")).unwrap();
        fake.change("in_1", &PAY_ALL).unwrap();
        hooks.delivered(&fake, false, None).await;
        assert_eq!(fake.calls().iter().skip(asked).filter(|call| call.path == "/v1/invoice_payments").count(), 0);
        let mut codes: Vec<_> = hooks.payments(&id).await.into_iter().map(|row| row.failure_code).collect();
        codes.sort();
        assert_eq!(codes, [None, Some("expired_card".to_owned()), Some("insufficient_funds".to_owned())]);
        assert_eq!(hooks.invoice(&id).await.status, InvoiceStatus::Paid);
    })
    .await;
}

#[tokio::test]
async fn an_attempt_that_pays_no_invoice_is_stored_and_ignored() {
    for_each_engine(async |engine| {
        let fake = lived(&[]).await;
        let mut hooks = Hooks::on(engine).await;
        hooks.open("one", Some("in_1")).await;
        hooks.start(quick(), Some(client_of(&fake)));
        let of = |object: &str, id: &str| json!({ "id": id, "object": object, "customer": "cus_stripe" });
        let top_up = json!({ "id": "pi_9", "object": "payment_intent", "customer": "cus_stripe",
            "last_payment_error": { "code": "card_declined" } });
        hooks
            .hear([
                &event("evt_1", "payment_intent.payment_failed", now(), &top_up),
                &event("evt_2", "payment_intent.succeeded", now(), &of("payment_intent", "pi_9")),
                &event("evt_3", "checkout.session.completed", now(), &of("checkout.session", "cs_1")),
                &event("evt_4", "setup_intent.succeeded", now(), &of("setup_intent", "seti_1")),
            ])
            .await;
        let reasons: Vec<_> = hooks.events().await.into_iter().map(|event| (event.status, event.error)).collect();
        let wallets = (WebhookStatus::Ignored, Some("wallets and stored cards are not kept here".to_owned()));
        let nothing = (WebhookStatus::Ignored, Some("it pays no invoice".to_owned()));
        assert_eq!(reasons, [nothing, wallets.clone(), wallets.clone(), wallets]);
    })
    .await;
}

#[tokio::test]
async fn a_credit_note_takes_off_what_is_due_as_stripe_counts_it() {
    for_each_engine(async |engine| {
        let fake = lived(&[Change::Credit { amount: 300 }]).await;
        let mut hooks = Hooks::on(engine).await;
        let id = hooks.open("one", Some("in_1")).await;
        hooks.start(quick(), Some(client_of(&fake)));
        hooks.delivered(&fake, false, Some(4)).await;
        let invoice = hooks.invoice(&id).await;
        assert_eq!((invoice.total, invoice.amount_due), (Minor(TOTAL), Minor(TOTAL - 300)));
        assert_eq!(invoice.applied_credits, Minor(300));
        assert_eq!(hooks.payments(&id).await, []);
        assert!(hooks.history(&id).await.iter().any(|entry| entry.kind == "credit_note_created"));
        // Once more changes nothing, and what remains is enough.
        fake.change("in_1", &PAY_ALL).unwrap();
        hooks.delivered(&fake, false, None).await;
        let invoice = hooks.invoice(&id).await;
        assert_eq!((invoice.status, invoice.amount_paid), (InvoiceStatus::Paid, Minor(TOTAL - 300)));
        assert!(!invoice.paid_out_of_band);
        assert_eq!(hooks.mirror(&id).await.upstream_amount_due, Some(Minor(TOTAL - 300)));
    })
    .await;
}

#[tokio::test]
async fn money_beyond_what_is_due_shows_and_a_dispute_is_noted() {
    for_each_engine(async |engine| {
        let hooks = Hooks::working(engine).await;
        let id = hooks.open("one", Some("in_1")).await;
        let fake = lived(&[Change::Overpay { by: 70 }, Change::Dispute]).await;
        hooks.delivered(&fake, false, Some(6)).await;
        let invoice = hooks.invoice(&id).await;
        assert_eq!((invoice.status, invoice.amount_paid), (InvoiceStatus::Paid, Minor(TOTAL + 70)));
        assert_eq!(hooks.payments(&id).await.len(), 1);
        let kinds: Vec<_> = hooks.history(&id).await.into_iter().map(|entry| entry.kind).collect();
        for kind in ["overpaid", "dispute_created"] {
            assert_eq!(kinds.iter().filter(|known| *known == kind).count(), 1, "{kinds:?}");
        }
    })
    .await;
}

/// What a visitor of the demo does: ask for the pay link, open its page, press the button.
#[tokio::test]
async fn whoever_pays_at_the_page_of_the_fake_has_paid_here() {
    for_each_engine(async |engine| {
        let hooks = Hooks::working(engine).await;
        let id = hooks.open("one", Some("in_1")).await;
        let webhook = Webhook { url: hooks.url("default"), secret: SECRET.to_owned() };
        let state = State::with([Invoice::open("in_1", TOTAL).of("cus_stripe")]);
        let now = Some(now() - 600);
        let fake = FakeStripe::start(State { now, links: Links::Fake, webhook: Some(webhook), ..state }).await.unwrap();
        let page = fake.hosted_invoice_url("in_1").unwrap();
        let client = http_client();
        let shown = client.get(&page).send().await.unwrap().text().await.unwrap();
        assert!(shown.contains("<button>Pay 10.00 USD</button>"), "{shown}");
        // The client follows the answer back to the page.
        let pay = format!("{}/pay", page.trim_end_matches("?s=ap"));
        let paid = client.post(pay).send().await.unwrap().text().await.unwrap();
        assert!(paid.contains("Paid."), "{paid}");
        hooks.until(|events| events.iter().filter(|it| it.status == WebhookStatus::Processed).count() == 4).await;
        let invoice = hooks.invoice(&id).await;
        assert_eq!((invoice.status, invoice.amount_paid), (InvoiceStatus::Paid, Minor(TOTAL)));
        hooks.assert_sound().await;
        // A fake that is started anew tells new events.
        let ids: Vec<_> = fake.events().into_iter().map(|event| event.id).collect();
        fake.replace(State::with([Invoice::open("in_1", TOTAL)]));
        fake.change("in_1", &PAY_ALL).unwrap();
        assert!(fake.events().iter().all(|event| !ids.contains(&event.id)));
    })
    .await;
}

/// Versions of Stripe's API before 2025 name the intent of an invoice, and the invoice of an intent.
#[tokio::test]
async fn older_versions_of_the_api_need_nobody_to_ask() {
    for_each_engine(async |engine| {
        let hooks = Hooks::working(engine).await;
        let id = hooks.open("one", Some("in_1")).await;
        let at = now() - 60;
        let mut failed = object("in_1", "open", 0);
        failed["payment_intent"] = json!("pi_1");
        failed["attempt_count"] = json!(1);
        let intent = json!({ "id": "pi_1", "object": "payment_intent", "invoice": "in_1",
            "last_payment_error": { "charge": "ch_1", "code": "card_declined", "decline_code": "lost_card" } });
        hooks
            .hear([
                &event("evt_1", "payment_intent.payment_failed", at, &intent),
                &event("evt_2", "invoice.payment_failed", at + 1, &failed),
            ])
            .await;
        let payments = hooks.payments(&id).await;
        assert_eq!(payments.len(), 1);
        assert_eq!(
            (payments[0].failure_code.as_deref(), payments[0].charge_id.as_deref()),
            (Some("lost_card"), Some("ch_1"))
        );
        hooks.assert_sound().await;
    })
    .await;
}
