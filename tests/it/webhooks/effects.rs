//! What follows from events.

use std::sync::Arc;

use billing_gateway::actions::mirror_invoice::{Answer, Mirrored, as_of, mirror_invoice};
use billing_gateway::domain::actor::Actor;
use billing_gateway::domain::clock::Clock;
use billing_gateway::domain::viewer::Tenant;
use billing_gateway::store::Whose;
use billing_gateway::store::bill;
use billing_gateway::stripe::{Deadline, StripeInvoiceId};
use entity::{
    Day, EventSource, Instant, InvoiceId, InvoiceStatus, Minor, PaymentKind, PaymentStatus, TenantId, WebhookStatus,
    payment, tenant,
};
use fake_stripe::{Change, Delivery, FakeStripe, Invoice};
use serde_json::json;

use crate::support::database::{Engine, for_each_engine};
use crate::support::hooks::{Hooks, PAY_ALL, SECRET, TOTAL, client_of, event, fake_of, lived, now, object, quick};

/// An eventful life of `in_1`, as a list of events.
async fn eventful() -> FakeStripe {
    lived(&[
        Change::Announce { kind: "invoice.sent".to_owned() },
        Change::PaymentFailed,
        Change::PaymentFailed,
        Change::Update { total: None, due_date: Some(now() + 1_000), metadata: None },
        Change::Pay { amount: Some(300), out_of_band: false },
        Change::MarkUncollectible,
        PAY_ALL,
        Change::Refund { charge: None, amount: Some(50) },
        Change::Refund { charge: None, amount: Some(70) },
    ])
    .await
}

#[tokio::test]
async fn every_order_of_delivery_ends_alike_and_keeps_every_rule() {
    for_each_engine(async |engine| {
        let fake = eventful().await;
        let mut states = Vec::new();
        for shuffle in [None, Some(1), Some(2), Some(3)] {
            let hooks = Hooks::working(engine).await;
            let id = hooks.open("one", Some("in_1")).await;
            // A refund waits for its payment.
            hooks.delivered(&fake, true, shuffle).await;
            let invoice = hooks.invoice(&id).await;
            assert_eq!((invoice.status, invoice.amount_paid), (InvoiceStatus::Paid, Minor(TOTAL)));
            assert_eq!(invoice.amount_refunded, Minor(120));
            assert!(invoice.uncollectible_at.is_some() && invoice.due_at.is_some() && !invoice.paid_out_of_band);
            let kinds = hooks
                .history(&id)
                .await
                .into_iter()
                .map(|entry| entry.kind)
                .filter(|kind| kind != "marked_uncollectible");
            let mut kinds: Vec<_> = kinds.collect();
            kinds.sort();
            kinds.dedup();
            assert_eq!(kinds, ["paid", "payment_failed", "payment_refunded", "payment_succeeded", "sent"]);
            states.push((hooks.payments(&id).await, hooks.mirror(&id).await, invoice));
        }
        // Our own part of each invoice was written at another moment.
        for (_, _, invoice) in &mut states {
            *invoice = entity::invoice::Model {
                created_at: Instant::default(),
                finalized_at: None,
                issue_date: Day::default(),
                version: 0,
                ..invoice.clone()
            };
        }
        assert!(states.windows(2).all(|pair| pair[0] == pair[1]), "{states:#?}");
    })
    .await;
}

#[tokio::test]
async fn payment_succeeded_without_paid_pays_and_the_payment_itself_may_come_later() {
    for_each_engine(async |engine| {
        let hooks = Hooks::working(engine).await;
        let id = hooks.open("one", Some("in_1")).await;
        let at = now() - 60;
        hooks.hear([&event("evt_1", "invoice.payment_succeeded", at, &object("in_1", "paid", TOTAL))]).await;
        let invoice = hooks.invoice(&id).await;
        assert_eq!((invoice.status, invoice.amount_paid), (InvoiceStatus::Paid, Minor(TOTAL)));
        assert_eq!(invoice.paid_at.map(|at| at.utc().timestamp()), Some(at));
        let payments = hooks.payments(&id).await;
        assert_eq!((payments.len(), payments[0].amount_paid), (1, Minor(TOTAL)));
        assert_eq!(payments[0].external_id, None);
        hooks.assert_sound().await;

        let payment = json!({ "id": "inpay_1", "object": "invoice_payment", "invoice": "in_1", "status": "paid",
            "amount_paid": TOTAL, "currency": "usd", "payment": { "type": "payment_intent", "payment_intent": "pi_1" },
            "status_transitions": { "paid_at": at } });
        hooks.hear([&event("evt_2", "invoice_payment.paid", at, &payment)]).await;
        let payments = hooks.payments(&id).await;
        assert_eq!((payments.len(), payments[0].external_id.as_deref()), (1, Some("inpay_1")));
        assert_eq!(payments[0].payment_intent_id.as_deref(), Some("pi_1"));
        hooks.assert_sound().await;
    })
    .await;
}

#[tokio::test]
async fn a_payment_that_we_began_is_the_one_that_succeeds() {
    let hooks = Hooks::working(Engine::Sqlite).await;
    let id = hooks.open("one", Some("in_1")).await;
    let tx = hooks.store.begin(Whose::Everyones).await.unwrap();
    let row = hooks.invoice(&id).await;
    let begun = payment::Model {
        tenant_id: hooks.tenant.clone(),
        id: "pay_begun".into(),
        invoice_id: id.clone(),
        customer_id: row.customer_id,
        status: PaymentStatus::Pending,
        amount_requested: Minor(TOTAL),
        payment_intent_id: Some("pi_1_1".to_owned()),
        provider: "stripe".to_owned(),
        external_attributes: json!({}),
        created_at: row.created_at,
        updated_at: row.created_at,
        ..Default::default()
    };
    billing_gateway::store::payment::save_all(&tx, vec![begun]).await.unwrap();
    tx.commit().await.unwrap();
    let fake = fake_of([Invoice::open("in_1", TOTAL)]).await;
    fake.change("in_1", &PAY_ALL).unwrap();
    fake.deliver(Delivery::to(&hooks.url("default"), SECRET)).await.unwrap();
    hooks.settled().await;
    let payments = hooks.payments(&id).await;
    assert_eq!((payments.len(), payments[0].id.as_str()), (1, "pay_begun"));
    assert_eq!((payments[0].status, payments[0].amount_paid), (PaymentStatus::Succeeded, Minor(TOTAL)));
    hooks.assert_sound().await;
}

#[tokio::test]
async fn a_draft_follows_stripe_through_its_life_and_may_go_away() {
    for_each_engine(async |engine| {
        let hooks = Hooks::working(engine).await;
        let (issued, voided, deleted) = (
            hooks.draft("issued", Some("in_1")).await,
            hooks.draft("voided", Some("in_2")).await,
            hooks.draft("deleted", Some("in_3")).await,
        );
        let fake = fake_of(["in_1", "in_2", "in_3"].map(|id| Invoice::draft(id, TOTAL))).await;
        fake.change("in_1", &Change::Finalize).unwrap();
        fake.change("in_2", &Change::Finalize).unwrap();
        fake.change("in_2", &Change::Void).unwrap();
        fake.change("in_3", &Change::Delete).unwrap();
        let delivery = Delivery { copies: 2, shuffle: Some(5), ..Delivery::to(&hooks.url("default"), SECRET) };
        assert_eq!(fake.deliver(delivery).await.unwrap().failed, 0);
        hooks.settled().await;
        let row = hooks.invoice(&issued).await;
        assert_eq!((row.status, row.number.as_deref()), (InvoiceStatus::Open, Some("F-in_1")));
        let row = hooks.invoice(&voided).await;
        assert_eq!((row.status, row.voided_at.is_some()), (InvoiceStatus::Void, true));
        assert!(hooks.invoice(&deleted).await.deleted_at.is_some());
        assert_eq!(hooks.history(&deleted).await.iter().filter(|entry| entry.kind == "deleted").count(), 1);
        hooks.assert_sound().await;
    })
    .await;
}

#[tokio::test]
async fn a_state_that_cannot_follow_is_noted_and_changes_nothing() {
    let hooks = Hooks::working(Engine::Sqlite).await;
    let id = hooks.open("one", Some("in_1")).await;
    let at = now() - 60;
    let events = [
        event("evt_1", "invoice.paid", at, &object("in_1", "paid", TOTAL)),
        event("evt_2", "invoice.voided", at + 1, &object("in_1", "void", 0)),
        event("evt_3", "invoice.updated", at + 2, &object("in_1", "open", 0)),
        // Late, but no contradiction.
        event("evt_4", "invoice.finalized", at - 5, &object("in_1", "open", 0)),
    ];
    // Of two final states the first stands, so these come one after the other.
    for event in &events {
        hooks.hear([event]).await;
    }
    assert_eq!(hooks.invoice(&id).await.status, InvoiceStatus::Paid);
    let ignored: Vec<_> = hooks.history(&id).await;
    let ignored = ignored.iter().filter(|entry| entry.kind == "transition_ignored");
    let ignored: Vec<_> = ignored.map(|entry| entry.webhook_event_id.as_deref()).collect();
    assert_eq!(ignored.len(), 2, "{ignored:?}");
    assert!(ignored.contains(&Some("evt_2")) && ignored.contains(&Some("evt_3")));
    for event in hooks.events().await {
        assert_eq!(event.status, WebhookStatus::Processed, "{event:?}");
    }
}

#[tokio::test]
async fn links_are_those_of_the_newest_event_or_dropped() {
    for_each_engine(async |engine| {
        let hooks = Hooks::working(engine).await;
        let id = hooks.open("one", Some("in_1")).await;
        let at = now() - 60;
        let linked = |link: &str| {
            let mut object = object("in_1", "open", 0);
            object["hosted_invoice_url"] = json!(link);
            object
        };
        let new = "https://invoice.stripe.com/i/new";
        hooks.hear([&event("evt_1", "invoice.updated", at, &linked(new))]).await;
        let mirror = hooks.mirror(&id).await;
        assert_eq!((mirror.hosted_invoice_url.as_deref(), mirror.invoice_pdf_url), (Some(new), None));
        assert_eq!(mirror.links_fetched_at.map(|at| at.utc().timestamp()), Some(at));
        // An older event knows nothing better; a newer one without a link that may be shown drops what there is.
        hooks.hear([&event("evt_2", "invoice.updated", at - 1, &linked("https://invoice.stripe.com/i/older"))]).await;
        assert_eq!(hooks.mirror(&id).await.hosted_invoice_url.as_deref(), Some(new));
        hooks.hear([&event("evt_3", "invoice.updated", at + 1, &linked("https://evil.example/i"))]).await;
        let mirror = hooks.mirror(&id).await;
        assert_eq!((mirror.hosted_invoice_url, mirror.links_fetched_at), (None, None));
    })
    .await;
}

#[tokio::test]
async fn accounts_tell_the_tenant_of_the_platform_and_others_are_stored_and_ignored() {
    for_each_engine(async |engine| {
        let hooks = Hooks::working(engine).await;
        let tx = hooks.store.begin(Whose::Everyones).await.unwrap();
        let connected = tenant::Model {
            id: TenantId::from("ten_connected"),
            stripe_account_id: Some("acct_connected".to_owned()),
            settings: json!({}),
            ..Default::default()
        };
        bill::insert_tenants(&tx, vec![connected]).await.unwrap();
        tx.commit().await.unwrap();
        let other = hooks.open("other", Some("in_1")).await;
        let of = |id: &str, account: Option<&str>, livemode: bool| {
            let mut event = event(id, "invoice.paid", now(), &object("in_1", "paid", TOTAL));
            event["account"] = json!(account);
            event["livemode"] = json!(livemode);
            event
        };
        for event in [
            of("evt_known", Some("acct_connected"), false),
            of("evt_unknown", Some("acct_unknown"), false),
            of("evt_none", None, false),
            of("evt_live", Some("acct_connected"), true),
        ] {
            hooks.send_to("connect", &event).await;
        }
        hooks.settled().await;
        let known = hooks.event("evt_known").await;
        assert_eq!(known.tenant_id, Some(TenantId::from("ten_connected")));
        // What another tenant has under the same id is not its business.
        assert_eq!(hooks.invoice(&other).await.status, InvoiceStatus::Open);
        for id in ["evt_unknown", "evt_none", "evt_live"] {
            let row = hooks.event(id).await;
            assert_eq!((row.status, &row.tenant_id), (WebhookStatus::Ignored, &None), "{row:?}");
            assert!(row.error.is_some() && row.next_attempt_at.is_none());
        }
    })
    .await;
}

#[tokio::test]
async fn an_invoice_that_is_not_there_yet_is_waited_for_and_a_foreign_one_is_not() {
    for_each_engine(async |engine| {
        let hooks = Hooks::working(engine).await;
        let mut named = object("in_1", "paid", TOTAL);
        named["customer"] = json!("cus_elsewhere");
        named["metadata"] = json!({ "billing_invoice_id": "inv_late" });
        let mut foreign = object("in_2", "paid", TOTAL);
        foreign["customer"] = json!("cus_elsewhere");
        let at = now() - 60;
        let payment = json!({ "id": "inpay_1", "object": "invoice_payment", "invoice": "in_1", "status": "paid",
            "amount_paid": TOTAL, "currency": "usd", "payment": { "type": "payment_intent", "payment_intent": "pi_1" } });
        hooks.hear([
            &event("evt_named", "invoice.paid", at, &named),
            &event("evt_foreign", "invoice.paid", at, &foreign),
            &event("evt_customer", "invoice.paid", at, &object("in_3", "paid", TOTAL)),
            &event("evt_payment", "invoice_payment.paid", at, &payment),
            &event("evt_other", "customer.updated", at, &json!({ "id": "cus_9", "object": "customer" })),
        ])
        .await;
        for (id, status) in [
            ("evt_named", WebhookStatus::Parked),
            ("evt_customer", WebhookStatus::Parked),
            ("evt_payment", WebhookStatus::Parked),
            ("evt_foreign", WebhookStatus::Ignored),
            ("evt_other", WebhookStatus::Ignored),
        ] {
            assert_eq!(hooks.event(id).await.status, status, "{id}");
        }
        let id = hooks.open("late", None).await;
        let done = |events: &[entity::webhook_event::Model]| {
            let of = |id: &str| events.iter().any(|it| it.event_id == id && it.status == WebhookStatus::Processed);
            of("evt_named") && of("evt_payment")
        };
        hooks.until(done).await;
        let invoice = hooks.invoice(&id).await;
        assert_eq!((invoice.status, invoice.amount_paid), (InvoiceStatus::Paid, Minor(TOTAL)));
        assert_eq!(hooks.mirror(&id).await.stripe_invoice_id.as_deref(), Some("in_1"));
        assert_eq!(hooks.payments(&id).await.len(), 1);
        hooks.assert_sound().await;
    })
    .await;
}

#[tokio::test]
async fn what_only_names_an_invoice_is_asked_for() {
    for_each_engine(async |engine| {
        let mut hooks = Hooks::on(engine).await;
        let id = hooks.open("one", Some("in_1")).await;
        let fake = lived(&[PAY_ALL]).await;
        let thin = json!({ "id": "evt_thin", "object": "v2.core.event", "type": "v1.invoice.paid", "livemode": false,
            "created": "2026-11-20T06:20:52.246Z", "related_object": { "id": "in_1", "type": "invoice" } });
        let mut odd = object("in_1", "paid", TOTAL);
        odd["amount_due"] = json!("a lot");
        let odd = event("evt_odd", "invoice.paid", now(), &odd);
        let meter = json!({ "id": "evt_meter", "object": "v2.core.event", "type": "v1.billing.meter.no_meter_found",
            "created": "2026-11-20T06:20:52.246Z", "related_object": { "id": "mtr_1", "type": "billing.meter" } });

        // Nobody to ask: it waits, and nothing of it is lost.
        hooks.start(quick(), None);
        hooks.hear([&thin, &odd, &meter]).await;
        assert_eq!(hooks.event("evt_thin").await.status, WebhookStatus::Parked);
        assert_eq!(hooks.event("evt_odd").await.status, WebhookStatus::Parked);
        assert_eq!(hooks.event("evt_meter").await.status, WebhookStatus::Ignored);
        hooks.stop().await;

        hooks.start(quick(), Some(client_of(&fake)));
        hooks.until(|events| events.iter().all(|event| event.status != WebhookStatus::Parked)).await;
        assert_eq!(hooks.event("evt_thin").await.status, WebhookStatus::Processed);
        let invoice = hooks.invoice(&id).await;
        assert_eq!((invoice.status, invoice.amount_paid), (InvoiceStatus::Paid, Minor(TOTAL)));
        assert!(hooks.mirror(&id).await.hosted_invoice_url.unwrap().contains("/i/acct_fake/"));
        hooks.assert_sound().await;
    })
    .await;
}

#[tokio::test]
async fn stripe_settles_what_two_events_of_one_second_leave_open() {
    for_each_engine(async |engine| {
        let mut hooks = Hooks::on(engine).await;
        let id = hooks.open("one", Some("in_1")).await;
        let fake = lived(&[]).await;
        let at = now() - 60;
        let mut larger = object("in_1", "open", 0);
        larger["amount_due"] = json!(TOTAL + 5);
        let events = [
            event("evt_1", "invoice.updated", at, &larger),
            event("evt_2", "invoice.updated", at, &object("in_1", "open", 0)),
        ];
        hooks.start(quick(), Some(client_of(&fake)));
        hooks.hear(&events).await;
        assert_eq!(fake.calls().len(), 1);
        assert_eq!(hooks.mirror(&id).await.upstream_amount_due, Some(Minor(TOTAL)));
        // The same news in the same second is no question.
        hooks.hear([&event("evt_3", "invoice.sent", at, &object("in_1", "open", 0))]).await;
        assert_eq!(fake.calls().len(), 1);
        hooks.assert_sound().await;
    })
    .await;
}

#[tokio::test]
async fn an_answer_of_stripe_is_taken_over_once() {
    for_each_engine(async |engine| {
        let hooks = Hooks::on(engine).await;
        let id = hooks.open("one", Some("in_1")).await;
        let fake = fake_of([Invoice::open("in_1", TOTAL)]).await;
        fake.change("in_1", &PAY_ALL).unwrap();
        let (tenant, stripe_id) = (Tenant::whole(hooks.tenant.clone()), StripeInvoiceId::parse("in_1").unwrap());
        let as_of = as_of(&hooks.store, &tenant, &stripe_id).await.unwrap();
        let deadline = Deadline::after(std::time::Duration::from_secs(5));
        let invoice = client_of(&fake).invoice(&stripe_id, deadline).await.unwrap();
        let answer = Answer {
            invoice: &invoice,
            as_of,
            read_at: Clock::system().now(),
            source: EventSource::Reconciler,
            by: None,
        };
        let mirrored = || mirror_invoice(&hooks.store, &tenant, &answer);
        assert_eq!(mirrored().await.unwrap(), Mirrored::Changed(id.clone()));
        assert_eq!(mirrored().await.unwrap(), Mirrored::Unchanged(id.clone()));
        let row = hooks.invoice(&id).await;
        assert_eq!((row.status, row.amount_paid, row.version), (InvoiceStatus::Paid, Minor(TOTAL), 2));
        assert_eq!(hooks.history(&id).await[0].source, EventSource::Reconciler);
        // The events come all the same, and find everything done but the payment's name.
        let mut hooks = hooks;
        hooks.start(quick(), None);
        fake.deliver(Delivery::to(&hooks.url("default"), SECRET)).await.unwrap();
        hooks.settled().await;
        assert_eq!(hooks.payments(&id).await.len(), 1);
        hooks.assert_sound().await;
        let other = Tenant::whole(TenantId::from("ten_other"));
        assert_eq!(mirror_invoice(&hooks.store, &other, &answer).await.unwrap(), Mirrored::Unknown);
    })
    .await;
}

#[tokio::test]
async fn a_refund_that_comes_before_its_payment_waits_for_it() {
    let hooks = Hooks::working(Engine::Sqlite).await;
    let id = hooks.open("one", Some("in_1")).await;
    let fake = fake_of([Invoice::open("in_1", TOTAL)]).await;
    fake.change("in_1", &PAY_ALL).unwrap();
    for _ in 0..2 {
        fake.change("in_1", &Change::Refund { charge: None, amount: Some(100) }).unwrap();
    }
    let delivery = Delivery { copies: 3, shuffle: Some(9), ..Delivery::to(&hooks.url("default"), SECRET) };
    fake.deliver(delivery).await.unwrap();
    hooks.until(|events| events.iter().all(|event| event.status == WebhookStatus::Processed)).await;
    let payments = hooks.payments(&id).await;
    let refunds = payments.iter().filter(|row| row.kind == PaymentKind::Refund);
    assert_eq!(refunds.map(|row| row.amount_paid).collect::<Vec<_>>(), [Minor(100), Minor(100)]);
    let invoice = hooks.invoice(&id).await;
    assert_eq!((invoice.amount_paid, invoice.amount_refunded), (Minor(TOTAL), Minor(200)));
    let paid = payments.iter().find(|row| row.kind == PaymentKind::Payment).unwrap();
    assert!(paid.receipt_url.as_ref().is_some_and(|url| url.contains("/receipts/acct_fake/ch_1_1")), "{paid:?}");
    let mirror = hooks.mirror(&id).await;
    assert_eq!((&mirror.receipt_url, mirror.receipt_fetched_at), (&paid.receipt_url, paid.receipt_fetched_at));
    hooks.assert_sound().await;
}

/// The statements that work on an event change nothing when they are repeated.
#[tokio::test]
async fn a_replay_leaves_the_store_as_it_is() {
    for_each_engine(async |engine| {
        let hooks = Hooks::working(engine).await;
        let id: InvoiceId = hooks.open("one", Some("in_1")).await;
        let fake = eventful().await;
        fake.deliver(Delivery::to(&hooks.url("default"), SECRET)).await.unwrap();
        hooks.until(|events| events.iter().all(|event| event.status == WebhookStatus::Processed)).await;
        let dump = async || {
            let reader = hooks.store.reader(Whose::Everyones, &Arc::default());
            billing_gateway::store::dump(&hooks.inbox.system, &reader).await.unwrap()
        };
        let (before, state) = (dump().await, hooks.state(&id).await);
        for event in fake.events() {
            let which = billing_gateway::store::webhook_event::Replay::Event(event.id.clone());
            let now = Clock::system().now();
            let actor = Actor::operator();
            let replayed = billing_gateway::actions::replay_events::replay_events(
                &hooks.store,
                &hooks.inbox.system,
                &actor,
                &which,
                now,
            );
            assert_eq!(replayed.await.unwrap(), 1);
        }
        hooks.until(|events| events.iter().all(|event| event.status == WebhookStatus::Processed)).await;
        assert_eq!((dump().await, hooks.state(&id).await), (before, state));
    })
    .await;
}
