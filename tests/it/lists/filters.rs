//! Every field of a filter selects what a plain predicate over the rows selects.

use std::collections::{BTreeMap, BTreeSet};

use billing_gateway::domain::bill::{Bill, BillKeys, BillPayment};
use billing_gateway::domain::ids;
use billing_gateway::store::Whose;
use billing_gateway::store::bill;
use billing_gateway::store::invoice::PaymentState;
use entity as e;
use entity::InvoiceStatus::{Draft, Open, Paid, Uncollectible, Void};
use entity::PaymentStatus::{Failed, Pending, RequiresAction, Succeeded};
use sea_orm::Iterable;
use serde_json::{Value, json};

use super::world::{World, world};
use crate::support::api::Api;
use crate::support::database::for_each_engine;
use crate::support::full::tenant;
use crate::support::gateway::{Gateway, merchant};
use crate::support::seed::{customer_row, minutes};

/// A filter, and what it means.
struct Case {
    filter: Value,
    means: Box<dyn Fn(&Bill) -> bool>,
}

fn case(filter: Value, means: impl Fn(&Bill) -> bool + 'static) -> Case {
    Case { filter, means: Box::new(means) }
}

/// The same of the invoice's own row.
fn row(filter: Value, means: impl Fn(&e::invoice::Model) -> bool + 'static) -> Case {
    case(filter, move |bill| means(&bill.invoice))
}

fn remaining(row: &e::invoice::Model) -> i64 {
    if row.status == Void { 0 } else { (row.amount_due.0 - row.amount_paid.0).max(0) }
}

/// DOMAIN: the first rule that fits decides.
fn payment_status(bill: &Bill, has_method: bool) -> &'static str {
    let row = &bill.invoice;
    let attempts = bill.payments.iter().map(|payment| &payment.row);
    let attempts = attempts.filter(|row| row.kind == e::PaymentKind::Payment);
    let latest = attempts.max_by_key(|row| (row.created_at, row.id.clone())).map(|row| row.status);
    let (paid, refunded) = (row.amount_paid.0, row.amount_refunded.0);
    let rules = [
        (row.status == Void, "UNPAID"),
        (paid > 0 && refunded >= paid, "REFUNDED"),
        (refunded > 0, "PARTIALLY_REFUNDED"),
        (row.status == Paid, "PAID"),
        (latest == Some(Pending), "PROCESSING"),
        (latest == Some(RequiresAction), "REQUIRES_ACTION"),
        (0 < paid && paid < row.amount_due.0, "PARTIALLY_PAID"),
        (latest == Some(Failed) && !has_method, "REQUIRES_PAYMENT_METHOD"),
        (latest == Some(Failed), "FAILED"),
    ];
    rules.into_iter().find(|(fits, _)| *fits).map_or("UNPAID", |(_, status)| status)
}

fn words_and_ids(world: &World) -> Vec<Case> {
    let ids: Vec<_> = [3, 7, 20].map(|n: usize| world.bills[n].invoice.id.clone()).into();
    let rental = world.rentals[2].id.clone();
    let whole = world.rentals[6].id.clone();
    let customers = [world.customers[1].id.clone(), world.customers[4].id.clone()];
    let subscription = world.bills[6].invoice.subscription_id.clone();
    let drafts_named = json!({ "status": ["DRAFT", "VOID"] });
    vec![
        row(json!({ "ids": ids.clone() }), move |row| ids.contains(&row.id)),
        row(json!({ "ids": [] }), |_| false),
        row(json!({ "status": ["OPEN", "PAID"] }), |row| matches!(row.status, Open | Paid)),
        row(drafts_named, |row| matches!(row.status, Draft | Void)),
        row(json!({ "includeDrafts": true }), |_| true),
        row(json!({ "includeDrafts": false }), |_| true),
        case(json!({ "paymentStatus": ["PROCESSING", "PAID"] }), |bill| {
            ["PROCESSING", "PAID"].contains(&payment_status(bill, false))
        }),
        row(json!({ "billingReason": ["OVERAGE", "MANUAL"] }), |row| {
            matches!(row.billing_reason, e::BillingReason::Overage | e::BillingReason::Manual)
        }),
        row(json!({ "invoiceType": ["TOP_UP"] }), |row| row.invoice_type == e::InvoiceType::TopUp),
        row(json!({ "customerId": customers }), move |row| customers.contains(&row.customer_id)),
        case(json!({ "rentalId": [rental] }), move |bill| bills_rental(bill, &rental)),
        case(json!({ "rentalId": [whole] }), move |bill| bills_rental(bill, &whole)),
        row(json!({ "subscriptionId": [subscription] }), move |row| row.subscription_id == subscription),
        row(json!({ "currency": ["EUR", "JPY"] }), |row| ["EUR", "JPY"].contains(&row.currency.0.as_str())),
        row(json!({ "sourceSystem": "NATIVE" }), |row| row.source_system == e::SourceSystem::Native),
        row(json!({ "livemode": true }), |row| row.livemode),
        row(json!({ "livemode": false }), |row| !row.livemode),
        case(json!({ "stripeInvoiceId": "in_16" }), |bill| {
            bill.upstream.as_ref().is_some_and(|mirror| mirror.stripe_invoice_id.as_deref() == Some("in_16"))
        }),
    ]
}

fn bills_rental(bill: &Bill, rental: &e::RentalId) -> bool {
    let mut lines = bill.lines.iter();
    bill.invoice.rental_id.as_ref() == Some(rental) || lines.any(|line| line.row.rental_id.as_ref() == Some(rental))
}

fn texts() -> Vec<Case> {
    let number =
        |number: &'static str| row(json!({ "number": number }), move |row| row.number.as_deref() == Some(number));
    let prefix = |prefix: &'static str| {
        row(json!({ "numberPrefix": prefix }), move |row| {
            row.number.as_deref().is_some_and(|number| number.starts_with(prefix))
        })
    };
    vec![
        number("A-%0"),
        number("a-%0"),
        number("no such number"),
        prefix("A"),
        prefix("A-"),
        prefix("A-%"),
        prefix("A-_"),
        prefix("a"),
        prefix("Ä"),
        prefix("B\\"),
        prefix("%"),
        prefix(""),
        row(json!({ "reference": "REF-4" }), |row| row.reference.as_deref() == Some("REF-4")),
        row(json!({ "purchaseOrder": "PO 3" }), |row| row.purchase_order.as_deref() == Some("PO 3")),
        row(json!({ "externalId": "ext-17" }), |row| row.external_id.as_deref() == Some("ext-17")),
    ]
}

fn ranges(now: e::Instant) -> Vec<Case> {
    let at = minutes(8);
    let day = minutes(5 * 24 * 60).utc().date_naive();
    let month = minutes(30 * 24 * 60);
    vec![
        row(json!({ "createdAt": { "gte": at } }), move |row| row.created_at >= at),
        row(json!({ "createdAt": { "gt": at, "lt": minutes(12) } }), move |row| {
            row.created_at > at && row.created_at < minutes(12)
        }),
        row(json!({ "createdAt": { "lte": at } }), move |row| row.created_at <= at),
        row(json!({ "createdAt": {} }), |_| true),
        row(json!({ "dueAt": { "lte": month } }), move |row| row.due_at.is_some_and(|due| due <= month)),
        row(json!({ "dueAt": { "gt": month } }), move |row| row.due_at.is_some_and(|due| due > month)),
        row(json!({ "paidAt": { "gte": at } }), move |row| row.paid_at.is_some_and(|paid| paid >= at)),
        row(json!({ "issueDate": { "gte": day } }), move |row| row.issue_date >= day),
        row(json!({ "issueDate": { "gte": day, "lte": day } }), move |row| row.issue_date == day),
        amount(json!({ "currency": ["USD"], "amountDue": { "gte": 100, "lte": 2_500 } }), "USD", |row| {
            (100..=2_500).contains(&row.amount_due.0)
        }),
        amount(json!({ "currency": ["EUR"], "amountRemaining": { "gte": 1 } }), "EUR", |row| remaining(row) >= 1),
        amount(json!({ "currency": ["USD"], "amountRemaining": { "lte": 0 } }), "USD", |row| remaining(row) == 0),
        row(json!({ "overdue": true }), move |row| is_overdue(row, now)),
        row(json!({ "overdue": false }), move |row| !is_overdue(row, now)),
        row(json!({ "hasOpenBalance": true }), |row| remaining(row) > 0),
        row(json!({ "hasOpenBalance": false }), |row| remaining(row) == 0),
        row(json!({ "overdue": true, "currency": ["USD"], "livemode": false, "numberPrefix": "A" }), move |row| {
            let starts = row.number.as_deref().is_some_and(|number| number.starts_with('A'));
            is_overdue(row, now) && row.currency.0 == "USD" && !row.livemode && starts
        }),
    ]
}

fn amount(filter: Value, currency: &'static str, means: impl Fn(&e::invoice::Model) -> bool + 'static) -> Case {
    row(filter, move |row| row.currency.0 == currency && means(row))
}

fn is_overdue(row: &e::invoice::Model, now: e::Instant) -> bool {
    matches!(row.status, Open | Uncollectible) && remaining(row) > 0 && row.due_at.is_some_and(|due| due < now)
}

/// Newest first, drafts only when they are asked for.
fn selected<'a>(world: &'a World, case: &Case) -> Vec<&'a Bill> {
    let named = case.filter["status"].as_array().is_some_and(|words| words.contains(&json!("DRAFT")));
    let drafts = named || case.filter["includeDrafts"] == true;
    let mut bills: Vec<_> = world.bills.iter().filter(|bill| (case.means)(bill)).collect();
    bills.retain(|bill| drafts || bill.invoice.status != Draft);
    bills.sort_by_key(|bill| std::cmp::Reverse((bill.invoice.created_at, bill.invoice.id.clone())));
    bills
}

fn totals(bills: &[&Bill]) -> Value {
    let mut sums: BTreeMap<&str, [i64; 5]> = BTreeMap::new();
    for bill in bills {
        let row = &bill.invoice;
        let of = [1, row.total.0, row.amount_due.0, row.amount_paid.0, remaining(row)];
        let sum = sums.entry(&row.currency.0).or_default();
        for (sum, part) in sum.iter_mut().zip(of) {
            *sum += part;
        }
    }
    let money = |minor: i64| json!({ "minorUnits": minor });
    let rows = sums.into_iter().map(|(currency, [count, total, due, paid, left])| {
        json!({ "currency": currency, "count": count, "total": money(total), "amountDue": money(due),
            "amountPaid": money(paid), "amountRemaining": money(left) })
    });
    rows.collect()
}

const QUERY: &str = "query Q($filter: InvoiceFilter!) { invoices(first: 100, filter: $filter) { totalCount \
    nodes { id } totals { currency count total { minorUnits } amountDue { minorUnits } amountPaid { minorUnits } \
    amountRemaining { minorUnits } } } }";

#[tokio::test]
async fn every_field_of_the_filter_selects_what_it_says() {
    let api = Api::read().await;
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let world = world(&gateway.store).await;
        let mut cases = words_and_ids(&world);
        cases.extend(texts());
        cases.extend(ranges(gateway.now));
        let mut tried = BTreeSet::new();
        let mut selective = BTreeSet::new();
        for case in &cases {
            let bills = selected(&world, case);
            let variables = json!({ "filter": case.filter });
            let list = &gateway.ask(&merchant(&world.tenant), QUERY, variables).await.ok()["invoices"];
            let ids: Vec<_> = bills.iter().map(|bill| json!({ "id": bill.invoice.id })).collect();
            assert_eq!(list["nodes"], json!(ids), "{}", case.filter);
            assert_eq!(list["totalCount"], bills.len(), "{}", case.filter);
            assert_eq!(list["totals"], totals(&bills), "{}", case.filter);
            let fields = case.filter.as_object().expect("an object").keys();
            tried.extend(fields.clone().cloned());
            if !bills.is_empty() && bills.len() < world.bills.len() {
                selective.extend(fields.cloned());
            }
        }
        let inputs = api.types["InvoiceFilter"].input_fields.iter().flatten();
        let all: BTreeSet<_> = inputs.map(|input| input.name.clone()).collect();
        assert_eq!(tried, all, "a field of the filter has no case");
        assert_eq!(selective, all, "a field of the filter never selected some and left others");
    })
    .await;
}

#[tokio::test]
async fn a_range_of_amounts_needs_one_currency() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let world = world(&gateway.store).await;
        for filter in [
            json!({ "amountDue": { "gte": 1 } }),
            json!({ "amountRemaining": { "gte": 1 } }),
            json!({ "amountDue": { "gte": 1 }, "currency": [] }),
            json!({ "amountDue": { "gte": 1 }, "currency": ["USD", "EUR"] }),
        ] {
            let variables = json!({ "filter": filter });
            let answer = gateway.ask(&merchant(&world.tenant), QUERY, variables).await;
            assert_eq!(answer.codes(), ["BAD_USER_INPUT"], "{filter}");
            assert_eq!(answer.statements, 0, "{filter}");
        }
    })
    .await;
}

#[tokio::test]
async fn filters_that_are_too_long_are_refused() {
    let gateway = Gateway::new(crate::support::database::Engine::Sqlite).await;
    let world = world(&gateway.store).await;
    for (filter, fine) in [
        (json!({ "ids": vec!["inv_1"; 100] }), true),
        (json!({ "ids": vec!["inv_1"; 101] }), false),
        (json!({ "ids": ["i".repeat(128)] }), true),
        (json!({ "ids": ["i".repeat(129)] }), false),
        (json!({ "currency": vec!["USD"; 101] }), false),
        (json!({ "status": vec!["PAID"; 101] }), false),
        (json!({ "number": "n".repeat(200) }), true),
        (json!({ "number": "n".repeat(201) }), false),
        (json!({ "reference": "\u{0}" }), false),
    ] {
        let variables = json!({ "filter": filter });
        let answer = gateway.ask(&merchant(&world.tenant), QUERY, variables).await;
        let expected: &[&str] = if fine { &[] } else { &["BAD_USER_INPUT"] };
        assert_eq!(answer.codes(), expected, "{filter}");
    }
}

// ---- The payment status -----------------------------------------------------------------------------------------

/// Which means of payment a customer has.
#[derive(Clone, Copy, PartialEq)]
enum Means {
    Usable,
    Removed,
    None,
}

/// Invoices in which everything that the payment status looks at is combined with everything else.
fn combinations(tenant: &e::TenantId, customers: &[(e::CustomerId, Means)]) -> Vec<(Bill, bool)> {
    let latest = [None, Some(Succeeded), Some(Pending), Some(RequiresAction), Some(Failed)];
    let mut bills = Vec::new();
    for status in [Draft, Open, Paid, Void, Uncollectible] {
        for (paid, refunded) in [(0, 0), (400, 0), (400, 100), (400, 400), (1_000, 0), (1_200, 0), (0, 5)] {
            for attempt in latest {
                let wanted = if attempt == Some(Failed) { 3 } else { 1 };
                for (customer, means) in &customers[..wanted] {
                    let id = ids::derived(&["combination", &bills.len().to_string()]);
                    let keys = BillKeys { tenant, invoice: &id, customer };
                    let bill = Bill {
                        invoice: e::invoice::Model {
                            source_system: e::SourceSystem::Meteroid,
                            status,
                            amount_due: e::Minor(1_000),
                            amount_paid: e::Minor(paid),
                            amount_refunded: e::Minor(refunded),
                            ..Default::default()
                        },
                        payments: attempts(attempt),
                        ..Default::default()
                    };
                    bills.push((bill.keyed(keys), *means == Means::Usable));
                }
            }
        }
    }
    bills
}

/// The latest attempt, an earlier one that tells otherwise, and a later refund, which is no attempt.
fn attempts(latest: Option<e::PaymentStatus>) -> Vec<BillPayment> {
    let made = |kind, status, minute| BillPayment {
        row: e::payment::Model {
            kind,
            status,
            provider: "stripe".to_owned(),
            created_at: minutes(minute),
            ..Default::default()
        },
        ..Default::default()
    };
    let Some(latest) = latest else {
        return vec![made(e::PaymentKind::Refund, Pending, 9)];
    };
    let earlier = if latest == Failed { Pending } else { Failed };
    vec![
        made(e::PaymentKind::Payment, latest, 5),
        made(e::PaymentKind::Payment, earlier, 4),
        made(e::PaymentKind::Refund, Pending, 9),
    ]
}

async fn write_combinations(gateway: &Gateway) -> (e::TenantId, Vec<(Bill, bool)>) {
    let tenant = tenant(&gateway.store, "acme").await;
    let customers: Vec<(e::CustomerId, Means)> = [Means::Usable, Means::Removed, Means::None]
        .into_iter()
        .enumerate()
        .map(|(n, means)| (ids::derived(&["means", &n.to_string()]), means))
        .collect();
    let methods = customers.iter().filter(|(_, means)| *means != Means::None);
    let methods = methods.map(|(customer, means)| e::payment_method::Model {
        tenant_id: tenant.clone(),
        id: ids::derived(&[customer.as_str()]),
        customer_id: customer.clone(),
        detached_at: (*means == Means::Removed).then(|| minutes(1)),
        ..Default::default()
    });
    let bills = combinations(&tenant, &customers);
    let tx = gateway.store.begin(Whose::Everyones).await.unwrap();
    let rows = customers.iter().map(|(id, _)| customer_row(&tenant, id)).collect();
    bill::write_customers(&tx, rows, bill::Existing::Keep).await.unwrap();
    bill::insert_payment_methods(&tx, methods.collect()).await.unwrap();
    bill::insert_all(&tx, bills.iter().map(|(bill, _)| bill.clone()).collect()).await.unwrap();
    tx.commit().await.unwrap();
    (tenant, bills)
}

#[tokio::test]
async fn the_payment_status_follows_its_rules_as_a_field_and_as_a_filter() {
    let query = "query Q($filter: InvoiceFilter!, $after: String) { \
        invoices(first: 100, after: $after, filter: $filter) { totalCount pageInfo { hasNextPage endCursor } \
        nodes { id paymentStatus } } }";
    let states: Vec<&str> = PaymentState::iter().map(PaymentState::word).collect();
    assert_eq!(states.len(), 9);
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let (tenant, bills) = write_combinations(&gateway).await;
        for wanted in states.iter().map(|state| vec![*state]).chain([states.clone()]) {
            let expected: BTreeMap<_, _> = bills
                .iter()
                .map(|(bill, has_method)| (bill.invoice.id.0.clone(), payment_status(bill, *has_method)))
                .filter(|(_, state)| wanted.contains(state))
                .collect();
            assert!(!expected.is_empty(), "no invoice is {wanted:?}");
            let filter = json!({ "includeDrafts": true, "paymentStatus": wanted });
            let mut found = BTreeMap::new();
            let mut after = Value::Null;
            loop {
                let variables = json!({ "filter": filter, "after": after });
                let list = gateway.ask(&merchant(&tenant), query, variables).await.ok()["invoices"].clone();
                assert_eq!(list["totalCount"], expected.len(), "{wanted:?}");
                for node in list["nodes"].as_array().expect("nodes") {
                    let text = |field: &str| node[field].as_str().expect("a text").to_owned();
                    found.insert(text("id"), text("paymentStatus"));
                }
                if list["pageInfo"]["hasNextPage"] == false {
                    break;
                }
                after = list["pageInfo"]["endCursor"].clone();
            }
            let found: BTreeMap<_, _> = found.iter().map(|(id, state)| (id.clone(), state.as_str())).collect();
            assert_eq!(found, expected, "{wanted:?}");
        }
    })
    .await;
}
