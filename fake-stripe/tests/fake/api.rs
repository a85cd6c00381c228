//! The API answers as Stripe's does.

use fake_stripe::state::{Key, PaymentKind, Permission};
use fake_stripe::{Endpoint, Invoice, Payment, State};
use serde_json::{Value, json};

use crate::{Asked, client, ids};

/// An invoice that was paid in two parts, and once more outside Stripe.
fn paid_in_parts() -> Invoice {
    let mut invoice = Invoice::paid("in_parts", 300, 1_000);
    invoice.payments.push(Payment::paid("parts_2", 200, 2_000));
    invoice.payments.push(Payment {
        kind: PaymentKind::PaymentRecord,
        payment_intent: None,
        charge: None,
        ..Payment::paid("parts_3", 100, 3_000)
    });
    invoice
}

const RECEIPTS: &str = "/v1/invoice_payments?invoice=in_parts&status=paid&limit=100\
                        &expand[]=data.payment.payment_intent.latest_charge";

#[tokio::test]
async fn an_invoice_has_its_links_and_its_amounts() {
    let asked = Asked::new(State::with([Invoice::open("in_1", 1_250).of("cus_1")])).await;
    let answer = asked.get("/v1/invoices/in_1").await;
    assert!(answer.headers()["request-id"].to_str().unwrap().starts_with("req_"));
    let invoice: Value = answer.json().await.unwrap();
    assert_eq!(invoice["object"], "invoice");
    assert_eq!(invoice["status"], "open");
    assert_eq!(invoice["amount_due"], 1_250);
    assert_eq!(invoice["amount_remaining"], 1_250);
    assert_eq!(invoice["customer"], "cus_1");
    let hosted = invoice["hosted_invoice_url"].as_str().unwrap();
    assert!(hosted.starts_with("https://invoice.stripe.com/i/acct_fake/test_"), "{hosted}");
    let pdf = invoice["invoice_pdf"].as_str().unwrap();
    assert!(pdf.starts_with("https://pay.stripe.com/invoice/acct_fake/test_") && pdf.contains("/pdf"), "{pdf}");
    assert!(invoice.get("payment_intent").is_none() && invoice.get("payments").is_none());
}

#[tokio::test]
async fn a_draft_has_neither_links_nor_a_number() {
    let mut draft = Invoice::draft("in_1", 10);
    draft.number = Some("F-1".to_owned());
    let asked = Asked::new(State::with([draft])).await;
    let invoice = asked.ok("/v1/invoices/in_1").await;
    for field in ["hosted_invoice_url", "invoice_pdf", "number"] {
        assert_eq!(invoice.get(field), Some(&Value::Null), "{field}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_404_of_stripe() {
    let asked = Asked::new(State::default()).await;
    let error = asked.body("/v1/invoices/in_none", 404).await;
    assert_eq!(error["error"]["code"], "resource_missing");
    assert_eq!(error["error"]["type"], "invalid_request_error");
    assert_eq!(error["error"]["message"], "No such invoice: 'in_none'");
    assert_eq!(asked.body("/v1/charges/ch_none", 404).await["error"]["code"], "resource_missing");
    assert!(asked.body("/v1/customers/cus_1", 404).await["error"]["message"].is_string());
    assert_eq!(asked.fake.count(Endpoint::Other), 1);
}

#[tokio::test]
async fn four_segments_expand_and_five_are_refused() {
    let asked = Asked::new(State::with([paid_in_parts()])).await;
    let page = asked.ok(RECEIPTS).await;
    assert_eq!(ids(&page), ["inpay_parts_3", "inpay_parts_2", "inpay_parts_1"]);
    let charge = &page["data"][1]["payment"]["payment_intent"]["latest_charge"];
    assert_eq!(charge["receipt_url"], "https://pay.stripe.com/receipts/acct_fake/ch_parts_2");
    assert_eq!(page["data"][0]["payment"], json!({ "type": "payment_record", "payment_record": "pyr_parts_3" }));

    let longer = "/v1/invoices/in_parts?expand[]=payments.data.payment.payment_intent.latest_charge";
    let error = asked.body(longer, 400).await;
    assert_eq!(error["error"]["code"], "property_expansion_max_depth");
    let four = asked.ok("/v1/invoices/in_parts?expand[]=payments.data.payment.payment_intent").await;
    assert_eq!(four["payments"]["data"][2]["payment"]["payment_intent"]["latest_charge"], "ch_parts_1");
}

#[tokio::test]
async fn without_expansion_there_are_ids() {
    let asked = Asked::new(State::with([paid_in_parts()])).await;
    let page = asked.ok("/v1/invoice_payments?invoice=in_parts&status=paid").await;
    assert_eq!(page["data"][1]["payment"]["payment_intent"], "pi_parts_2");
    let charge = asked.ok("/v1/charges/ch_parts_2").await;
    assert_eq!(charge["payment_intent"], "pi_parts_2");
    let error = asked.body("/v1/charges/ch_parts_2?expand[]=amount", 400).await;
    assert!(error["error"]["message"].as_str().unwrap().contains("cannot be expanded"), "{error}");
}

#[tokio::test]
async fn invoices_are_listed_newest_first_in_pages() {
    let invoice = |number: i64| {
        let customer = if number % 2 == 0 { "cus_even" } else { "cus_odd" };
        Invoice { created: Some(number / 2), ..Invoice::open(&format!("in_{number}"), number) }.of(customer)
    };
    let asked = Asked::new(State::with((0..10).map(invoice))).await;
    let first = asked.ok("/v1/invoices?customer=cus_odd&limit=3").await;
    assert_eq!(ids(&first), ["in_9", "in_7", "in_5"]);
    assert_eq!(first["has_more"], true);
    let second = asked.ok("/v1/invoices?customer=cus_odd&limit=3&starting_after=in_5").await;
    assert_eq!(ids(&second), ["in_3", "in_1"]);
    assert_eq!(second["has_more"], false);
    assert_eq!(ids(&asked.ok("/v1/invoices?created[gte]=4&limit=100").await), ["in_9", "in_8"]);
    assert_eq!(ids(&asked.ok("/v1/invoices?status=draft").await), Vec::<&str>::new());
    for refused in ["limit=0", "limit=101", "limit=x", "starting_after=in_none", "created[gte]=x", "colour=red"] {
        let status = asked.get(&format!("/v1/invoices?{refused}")).await.status();
        assert!(status == 400 || status == 404, "{refused}: {status}");
    }
}

#[tokio::test]
async fn keys_open_what_they_may() {
    let mut state = State::with([Invoice::paid("in_1", 10, 5)]);
    state.keys.push(Key { permissions: vec![Permission::Invoices], ..Key::new("rk_test_narrow") });
    state.keys.push(Key { connected: vec!["acct_other".to_owned()], ..Key::new("rk_test_platform") });
    state.invoices.push(Invoice { account: "acct_other".to_owned(), ..Invoice::open("in_other", 10) });
    let asked = Asked::new(state).await;
    let status = async |key: &str, account: Option<&str>, path: &str| {
        let mut request = asked.client.get(format!("{}{path}", asked.fake.url())).bearer_auth(key);
        if let Some(account) = account {
            request = request.header("stripe-account", account).header("stripe-version", "2026-04-22.dahlia");
        }
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(status("rk_test_nobody", None, "/v1/invoices/in_1").await, 401);
    assert_eq!(status("rk_test_narrow", None, "/v1/invoices/in_1").await, 200);
    assert_eq!(status("rk_test_narrow", None, "/v1/charges/ch_1_1").await, 403);
    let expanded = "/v1/invoice_payments?invoice=in_1&expand[]=data.payment.payment_intent";
    assert_eq!(status("rk_test_narrow", None, expanded).await, 403);
    assert_eq!(status("rk_test_platform", None, "/v1/invoices/in_other").await, 404);
    assert_eq!(status("rk_test_platform", Some("acct_other"), "/v1/invoices/in_other").await, 200);
    assert_eq!(status("rk_test_narrow", Some("acct_other"), "/v1/invoices/in_other").await, 403);
    assert!(asked.fake.revoke_key("rk_test_platform"));
    assert_eq!(status("rk_test_platform", None, "/v1/invoices/in_1").await, 401);

    let call = asked.fake.calls().into_iter().find(|call| call.account.is_some()).unwrap();
    assert_eq!(call.version.as_deref(), Some("2026-04-22.dahlia"));
    assert_eq!(call.key.as_deref(), Some("rk_test_platform"));
    assert_eq!(call.status, Some(200));
    assert!(client().get(format!("{}/v1/invoices/in_1", asked.fake.url())).send().await.unwrap().status() == 401);
}

#[tokio::test]
async fn one_endpoint_of_one_account_takes_so_many_calls_a_second() {
    let state = State { rate_per_second: 3, ..State::with([Invoice::paid("in_1", 10, 5)]) };
    let asked = Asked::new(state).await;
    for _ in 0..3 {
        asked.ok("/v1/invoices/in_1").await;
    }
    let limited = asked.get("/v1/invoices/in_1").await;
    assert_eq!(limited.status(), 429);
    assert_eq!(limited.headers()["stripe-rate-limited-reason"], "endpoint-rate");
    assert!(limited.headers().get("retry-after").is_none());
    assert_eq!(limited.json::<Value>().await.unwrap()["error"]["code"], "rate_limit");
    asked.ok("/v1/charges/ch_1_1").await;
}

#[tokio::test]
async fn nothing_but_reading_is_there() {
    let asked = Asked::new(State::with([Invoice::open("in_1", 1)])).await;
    let answer = asked.client.post(format!("{}/v1/invoices/in_1", asked.fake.url())).bearer_auth("rk_test_fake");
    assert_eq!(answer.send().await.unwrap().status(), 404);
    let calls = asked.fake.calls();
    assert_eq!(calls.iter().map(|call| call.method.as_str()).collect::<Vec<_>>(), ["POST"]);
}
