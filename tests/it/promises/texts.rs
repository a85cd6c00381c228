//! Texts and numbers that a database stumbles over: NUL, and sums beyond 64 bits.

use entity::WebhookStatus;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::support::api::{Api, Input};
use crate::support::database::for_each_engine;
use crate::support::gateway::{Gateway, merchant};
use crate::support::hooks::{Hooks, TOTAL, event, now, signed};
use crate::support::seed::{Size, seed};

/// A text with NUL in it, as GraphQL writes it.
const NUL: &str = r#""a\u0000b""#;

/// Codes that say that something failed on our side.
const OURS: [&str; 3] = ["INTERNAL", "STORE_UNAVAILABLE", "TIMEOUT"];

/// Every value of a type that has a NUL in one place.
fn with_nul(api: &Api, type_name: &str) -> Vec<String> {
    let of = &api.types[type_name];
    match of.kind.as_str() {
        "INPUT_OBJECT" => {
            let fields = of.input_fields.as_deref().unwrap_or_default();
            let below = |field: &Input| {
                let others = arguments(api, fields, &field.name);
                let values = with_nul(api, field.of.named()).into_iter();
                values.map(|value| format!("{{{}: {value}{others}}}", field.name)).collect::<Vec<_>>()
            };
            fields.iter().flat_map(below).collect()
        }
        "SCALAR" if !["Int", "Boolean", "Float", "SafeInt"].contains(&type_name) => vec![NUL.to_owned()],
        _ => Vec::new(),
    }
}

/// What has to be given beside the argument of that name.
fn arguments(api: &Api, all: &[Input], but: &str) -> String {
    let needed = all.iter().filter(|input| input.name != but && input.of.is_required());
    let given: Vec<_> = needed.map(|input| format!(", {}: {}", input.name, plain(api, input.of.named()))).collect();
    given.concat()
}

fn plain(api: &Api, type_name: &str) -> String {
    let of = &api.types[type_name];
    match of.kind.as_str() {
        "ENUM" => of.enum_values.as_deref().unwrap_or_default()[0].name.clone(),
        "INPUT_OBJECT" => {
            let needed = arguments(api, of.input_fields.as_deref().unwrap_or_default(), "");
            format!("{{{}}}", needed.trim_start_matches(", "))
        }
        _ if type_name == "Int" => "1".to_owned(),
        _ if type_name == "Boolean" => "true".to_owned(),
        _ => "\"x\"".to_owned(),
    }
}

/// Every question with a NUL in one place of one argument of a root field.
fn questions(api: &Api) -> Vec<String> {
    let mut all = Vec::new();
    for (root, word) in [("Query", "query"), ("Mutation", "mutation")] {
        for field in api.fields(root) {
            for argument in &field.args {
                let others = arguments(api, &field.args, &argument.name);
                for value in with_nul(api, argument.of.named()) {
                    let arguments = format!("({}: {value}{others})", argument.name);
                    all.push(format!("{word} {{ {} }}", api.one(root, &field.name, &arguments)));
                }
            }
        }
    }
    all
}

#[tokio::test]
async fn vi_nul_in_any_argument_is_refused_or_finds_nothing_and_never_fails() {
    let api = Api::read().await;
    let questions = questions(&api);
    assert!(questions.len() > 30, "{questions:#?}");
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let world = seed(&gateway.store, "nul", Size { customers: 1, rentals: 1, invoices: 2, lines: 1 }).await;
        let viewer = merchant(&world.tenant);
        for question in &questions {
            let answer = gateway.ask(&viewer, question, json!({})).await;
            let ours = answer.codes().into_iter().any(|code| OURS.contains(&code));
            assert!(!ours, "{question}: {:?}", answer.errors);
        }
        // As a variable it comes another way.
        for (question, variables) in [
            ("query($it: ID!) { invoice(id: $it) { id } }", json!({ "it": "a\0b" })),
            ("query($it: [ID!]!) { nodes(ids: $it) { id } }", json!({ "it": ["a\0b"] })),
            (
                "query($it: CustomerFilter) { customers(filter: $it) { totalCount } }",
                json!({ "it": { "search": "\0" } }),
            ),
        ] {
            let answer = gateway.ask(&viewer, question, variables).await;
            let ours = answer.codes().into_iter().any(|code| OURS.contains(&code));
            assert!(!ours, "{question}: {:?}", answer.errors);
        }
    })
    .await;
}

#[tokio::test]
async fn vi_nul_in_what_stripe_sends_stops_no_event_behind_it() {
    for_each_engine(async |engine| {
        let hooks = Hooks::working(engine).await;
        let (one, two) = (hooks.open("one", Some("in_1")).await, hooks.open("two", Some("in_2")).await);
        let odd = json!({
            "id": "in_1", "object": "invoice", "status": "open", "currency": "usd", "customer": "cus_stripe\0",
            "amount_due": TOTAL, "amount_paid": 0, "amount_remaining": TOTAL, "number": "N\0", "billing_reason": "m\0",
            "metadata": { "k\0": "v\0" }, "hosted_invoice_url": "https://invoice.stripe.com/i/\0",
            "last_finalization_error": { "code": "c\0", "message": "m\0" },
        });
        let payment = json!({ "id": "inpay_\0", "object": "invoice_payment", "invoice": "in_1", "status": "paid",
            "amount_paid": TOTAL, "currency": "usd\0", "status_transitions": { "paid_at": now() },
            "payment": { "type": "payment_intent\0", "payment_intent": "pi_\0" } });
        let paid = json!({ "id": "in_2", "object": "invoice", "status": "paid", "currency": "usd", "metadata": {},
            "customer": "cus_stripe", "amount_due": TOTAL, "amount_paid": TOTAL, "amount_remaining": 0 });
        for (number, (kind, about)) in [
            ("invoice.updated", &odd),
            ("invoice.payment_failed", &odd),
            ("invoice_payment.paid", &payment),
            ("charge.refunded", &odd),
            ("odd\0kind", &odd),
        ]
        .into_iter()
        .enumerate()
        {
            let body = event(&format!("evt_{number}"), kind, now() - 10, about).to_string();
            let (status, answer) = hooks.post("default", &body, Some(&signed(&body))).await;
            assert!([200, 400].contains(&status), "{kind}: {status} {answer}");
        }
        hooks.send(&event("evt_good", "invoice.paid", now(), &paid)).await;
        hooks.settled().await;
        let events = hooks.events().await;
        let odd = events.iter().filter(|event| event.status == WebhookStatus::Failed);
        assert_eq!(odd.count(), 0, "{events:#?}");
        assert_eq!(hooks.event("evt_good").await.status, WebhookStatus::Processed);
        assert_eq!(hooks.invoice(&two).await.status, entity::InvoiceStatus::Paid);
        assert_eq!(hooks.invoice(&one).await.status, entity::InvoiceStatus::Open);
        hooks.assert_sound().await;
    })
    .await;
}

#[tokio::test]
async fn vi_a_sum_beyond_64_bits_is_an_error_and_never_a_wrong_number() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let world = seed(&gateway.store, "sums", Size { customers: 1, rentals: 1, invoices: 3, lines: 1 }).await;
        let connection = gateway.database.connect().await;
        let largest = format!("UPDATE invoices SET total = {}", i64::MAX);
        connection.execute_unprepared(&largest).await.unwrap();
        let query = "{ invoices { totals { total { amount } count } } }";
        let answer = gateway.ask(&merchant(&world.tenant), query, json!({})).await;
        assert_eq!(answer.codes(), ["INTERNAL"], "{:?}", answer.data);
        assert_eq!(answer.data["invoices"], Value::Null);
        // Where the sum fits it is exact, whatever the digits; what does not fit a number of JSON is a text.
        connection.execute_unprepared("UPDATE invoices SET total = 3000000000000000001").await.unwrap();
        let data = gateway.ask(&merchant(&world.tenant), query, json!({})).await.ok();
        assert_eq!(data["invoices"]["totals"][0]["total"]["amount"], "90000000000000000.03");
        let minor = "{ invoices { totals { total { minorUnits } } } viewer { kind } }";
        let answer = gateway.ask(&merchant(&world.tenant), minor, json!({})).await;
        assert_eq!((answer.codes(), &answer.data["invoices"]), (vec!["INTERNAL"], &Value::Null));
        assert_eq!(answer.data["viewer"]["kind"], "MERCHANT");
    })
    .await;
}
