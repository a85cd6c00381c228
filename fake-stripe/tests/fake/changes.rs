//! Changes of invoices and the events that tell of them.

use fake_stripe::state::Status;
use fake_stripe::{Change, ChangeError, Event, FakeStripe, Invoice, State};
use serde_json::json;

use crate::{Asked, ids};

const PAY: Change = Change::Pay { amount: None, out_of_band: false };

fn kinds(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.kind.as_str()).collect()
}

async fn with(invoice: Invoice) -> FakeStripe {
    FakeStripe::start(State { now: Some(1_000_000), ..State::with([invoice]) }).await.unwrap()
}

#[tokio::test]
async fn an_invoice_goes_its_way_and_every_step_is_told() {
    let fake = with(Invoice::draft("in_1", 500)).await;
    let events = fake.change("in_1", &Change::Finalize).unwrap();
    assert_eq!(kinds(&events), ["invoice.updated", "invoice.finalized"]);
    let body = &events[0].body;
    assert_eq!(body["object"], "event");
    assert_eq!(body["api_version"], "2026-04-22.dahlia");
    assert_eq!(body["account"], "acct_fake");
    assert_eq!(body["livemode"], false);
    assert!((1_000_000..1_000_060).contains(&body["created"].as_i64().unwrap()));
    assert_eq!(body["data"]["object"]["status"], "open");
    let previous = &body["data"]["previous_attributes"];
    assert_eq!(previous["status"], "draft");
    assert_eq!(previous["number"], json!(null));
    assert!(previous.get("amount_due").is_none());
    assert!(events[1].body["data"].get("previous_attributes").is_none());

    let events = fake.change("in_1", &Change::PaymentFailed).unwrap();
    assert_eq!(kinds(&events), ["invoice.updated", "invoice.payment_failed"]);
    let events = fake.change("in_1", &Change::Pay { amount: Some(200), out_of_band: false }).unwrap();
    assert_eq!(kinds(&events), ["invoice_payment.paid", "invoice.updated"]);
    assert_eq!(events[0].body["data"]["object"]["payment"]["payment_intent"], "pi_1_1");
    let events = fake.change("in_1", &PAY).unwrap();
    assert_eq!(
        kinds(&events),
        ["invoice_payment.paid", "invoice.updated", "invoice.paid", "invoice.payment_succeeded"]
    );
    let invoice = fake.invoice("in_1").unwrap();
    assert_eq!((invoice.amount_paid, invoice.amount_remaining), (Some(500), Some(0)));
    let events = fake.change("in_1", &Change::Refund { charge: None, amount: Some(100) }).unwrap();
    assert_eq!(kinds(&events), ["charge.refunded", "refund.created"]);
    assert_eq!(events[0].body["data"]["object"]["amount_refunded"], 100);
    assert_eq!(events[0].body["data"]["object"]["id"], "ch_1_2");
    let refund = &events[1].body["data"]["object"];
    assert_eq!(
        (&refund["amount"], &refund["status"], &refund["charge"]),
        (&json!(100), &json!("succeeded"), &json!("ch_1_2"))
    );
    let events = fake.change("in_1", &Change::RefundFails).unwrap();
    assert_eq!(kinds(&events), ["refund.updated", "refund.failed", "charge.updated"]);
    assert_eq!(events[1].body["data"]["object"]["status"], "failed");
    assert_eq!(events[2].body["data"]["object"]["amount_refunded"], 0);
    assert!(matches!(fake.change("in_1", &Change::RefundFails), Err(ChangeError::NotAllowed(_))));
}

#[tokio::test]
async fn a_declined_attempt_says_why_and_its_intent_is_paid_later() {
    let asked = Asked::new(State::with([Invoice::open("in_1", 500)])).await;
    let decline = json!({ "change": "decline", "code": "expired_card" });
    let (status, events) = asked.tell("invoices/in_1/change", &decline).await;
    assert_eq!((status, &events[0]["type"]), (200, &json!("payment_intent.payment_failed")));
    let intent = &events[0]["body"]["data"]["object"];
    assert_eq!(intent["last_payment_error"]["decline_code"], "expired_card");
    assert_eq!(intent["id"], "pi_1_1");
    let of_intent = "/v1/invoice_payments?payment[type]=payment_intent&payment[payment_intent]";
    assert_eq!(asked.ok(&format!("{of_intent}=pi_1_1")).await["data"][0]["invoice"], "in_1");
    assert_eq!(ids(&asked.ok(&format!("{of_intent}=pi_2")).await), [""; 0]);
    asked.fake.change("in_1", &PAY).unwrap();
    let payments = asked.fake.invoice("in_1").unwrap().payments;
    assert_eq!(payments.len(), 1);
    assert_eq!((payments[0].payment_intent.as_deref(), payments[0].amount), (Some("pi_1_1"), 500));
}

#[tokio::test]
async fn credit_notes_disputes_and_too_much_money() {
    let fake = with(Invoice::open("in_1", 500)).await;
    let events = fake.change("in_1", &Change::Credit { amount: 100 }).unwrap();
    assert_eq!(kinds(&events), ["credit_note.created", "invoice.updated"]);
    assert_eq!(events[0].body["data"]["object"]["invoice"], "in_1");
    let invoice = &events[1].body["data"]["object"];
    assert_eq!((&invoice["amount_due"], &invoice["pre_payment_credit_notes_amount"]), (&json!(400), &json!(100)));
    let events = fake.change("in_1", &Change::Overpay { by: 50 }).unwrap();
    assert_eq!(*kinds(&events).last().unwrap(), "invoice.overpaid");
    assert_eq!(fake.invoice("in_1").unwrap().payments[0].amount, 450);
    let events = fake.change("in_1", &Change::Dispute).unwrap();
    assert_eq!(events[0].body["data"]["object"]["payment_intent"], "pi_1_1");
}

#[tokio::test]
async fn what_a_state_does_not_allow_changes_nothing() {
    let fake = with(Invoice::paid("in_1", 500, 5)).await;
    for change in [Change::Finalize, Change::Void, Change::MarkUncollectible, PAY, Change::Delete] {
        assert!(matches!(fake.change("in_1", &change), Err(ChangeError::NotAllowed(_))), "{change:?}");
    }
    assert_eq!(fake.change("in_2", &Change::Void), Err(ChangeError::NoInvoice));
    assert_eq!(fake.invoice("in_1").unwrap().status, Status::Paid);
    assert!(fake.events().is_empty());
}

#[tokio::test]
async fn giving_up_voiding_and_deleting() {
    let fake = with(Invoice::open("in_1", 500)).await;
    let events = fake.change("in_1", &Change::MarkUncollectible).unwrap();
    assert_eq!(kinds(&events), ["invoice.updated", "invoice.marked_uncollectible"]);
    let events = fake.change("in_1", &Change::Void).unwrap();
    assert_eq!(kinds(&events), ["invoice.updated", "invoice.voided"]);
    assert_eq!(fake.invoice("in_1").unwrap().amount_remaining, Some(0));

    assert_eq!(kinds(&fake.put(Invoice::draft("in_2", 0))), ["invoice.created"]);
    assert_eq!(kinds(&fake.change("in_2", &Change::Delete).unwrap()), ["invoice.deleted"]);
    assert!(fake.invoice("in_2").is_none());
    fake.put(Invoice::draft("in_3", 0));
    let nothing_due = fake.change("in_3", &Change::Finalize).unwrap();
    assert_eq!(kinds(&nothing_due)[2..], ["invoice.paid", "invoice.payment_succeeded"]);
}

#[tokio::test]
async fn amounts_change_and_anything_can_be_announced() {
    let fake = with(Invoice::open("in_1", 500)).await;
    let update = Change::Update { total: Some(700), due_date: Some(9), metadata: None };
    let events = fake.change("in_1", &update).unwrap();
    assert_eq!(events[0].body["data"]["previous_attributes"]["amount_due"], 500);
    let sent = Change::Announce { kind: "invoice.sent".to_owned() };
    assert_eq!(kinds(&fake.change("in_1", &sent).unwrap()), ["invoice.sent"]);
    let invoice = fake.invoice("in_1").unwrap();
    assert_eq!((invoice.amount_remaining, invoice.due_date), (Some(700), Some(9)));
}

#[tokio::test]
async fn events_are_listed_newest_first_by_type_time_and_delivery() {
    let asked = Asked::new(State { now: Some(1_000), ..State::with([Invoice::open("in_1", 5)]) }).await;
    assert_eq!(asked.tell("invoices/in_1/change", &json!({ "change": "pay" })).await.0, 200);
    let late = json!({ "id": "evt_late", "object": "event", "type": "made.up", "created": 2_000_000 });
    assert_eq!(asked.tell("events", &late).await.0, 200);
    let all = asked.ok("/v1/events?limit=2").await;
    assert_eq!(ids(&all)[0], "evt_late");
    assert_eq!(all["has_more"], true);
    let paid = asked.ok("/v1/events?types[]=invoice.paid&types[]=invoice_payment.paid").await;
    assert_eq!(ids(&paid).len(), 2);
    assert_eq!(ids(&asked.ok("/v1/events?created[gte]=2000000").await), ["evt_late"]);
    assert_eq!(ids(&asked.ok("/v1/events?delivery_success=false&limit=100").await).len(), 5);
    assert!(ids(&asked.ok("/v1/events?delivery_success=true").await).is_empty());
    let many = "types[]=a&".repeat(21);
    asked.body(&format!("/v1/events?{many}"), 400).await;
}
