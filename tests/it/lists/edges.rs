//! Lists of rentals and customers, lists below other objects, and what a list costs.

use std::cmp::Reverse;

use billing_gateway::domain::bill::Bill;
use billing_gateway::store::Whose;
use billing_gateway::store::bill;
use entity as e;
use entity::InvoiceStatus::{Draft, Open, Uncollectible};
use serde_json::{Value, json};

use super::Paged;
use super::world::{World, world};
use crate::support::api::Api;
use crate::support::database::for_each_engine;
use crate::support::gateway::{Gateway, merchant};
use crate::support::seed::minutes;

// ---- Cost -------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn counts_and_sums_cost_a_statement_only_when_they_are_selected() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let world = world(&gateway.store).await;
        for (query, statements) in [
            ("{ invoices { nodes { id } edges { cursor } pageInfo { endCursor } } }", 1),
            ("{ invoices { nodes { id } totalCount } }", 2),
            ("{ invoices { nodes { id } totals { count } } }", 2),
            ("{ invoices { nodes { id } totalCount totals { count total { amount } } } }", 3),
            ("{ rentals { nodes { id } } }", 1),
            ("{ rentals { nodes { id } totalCount } }", 2),
            ("{ customers { nodes { id } } }", 1),
            ("{ customers { nodes { id } totalCount } }", 2),
        ] {
            let answer = gateway.ask(&merchant(&world.tenant), query, json!({})).await;
            assert_eq!(answer.statements, statements, "{query}");
            answer.ok();
        }
    })
    .await;
}

// ---- Rentals and customers --------------------------------------------------------------------------------------

#[tokio::test]
async fn rentals_and_customers_are_listed_newest_first_in_pages_without_gaps() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let world = world(&gateway.store).await;
        let mut rentals: Vec<_> = world.rentals.iter().map(|row| (row.started_at, row.id.0.clone())).collect();
        let mut customers: Vec<_> = world.customers.iter().map(|row| (row.created_at, row.id.0.clone())).collect();
        for (list, rows) in [("rentals", &mut rentals), ("customers", &mut customers)] {
            rows.sort_by_key(|row| Reverse(row.clone()));
            let expected: Vec<_> = rows.iter().map(|(_, id)| id.clone()).collect();
            let list = Paged::of(&gateway, &world, list);
            for size in [1, 2, 100] {
                assert_eq!(list.forward(size).await, expected);
                assert_eq!(list.backward(size).await, expected);
            }
        }
    })
    .await;
}

type RentalCase = (Value, Box<dyn Fn(&World, &e::rental::Model) -> bool>);

fn rental_cases(world: &World) -> Vec<RentalCase> {
    let customer = world.customers[1].id.clone();
    vec![
        (
            json!({ "status": ["RUNNING", "FAILED"] }),
            Box::new(|_, row| matches!(row.status, e::RentalStatus::Running | e::RentalStatus::Failed)),
        ),
        (json!({ "gpuFamily": ["l40s", "L40S"] }), Box::new(|_, row| row.gpu_family == "l40s")),
        (json!({ "customerId": [customer] }), Box::new(move |_, row| row.customer_id == customer)),
        (
            json!({ "startedAt": { "gt": minutes(0), "lte": minutes(1) } }),
            Box::new(|_, row| row.started_at == minutes(1)),
        ),
        (json!({ "hasOpenInvoice": true }), Box::new(|world, row| is_billed_openly(world, &row.id))),
        (json!({ "hasOpenInvoice": false }), Box::new(|world, row| !is_billed_openly(world, &row.id))),
    ]
}

fn bills(bill: &Bill, rental: &e::RentalId) -> bool {
    let mut lines = bill.lines.iter();
    bill.invoice.rental_id.as_ref() == Some(rental) || lines.any(|line| line.row.rental_id.as_ref() == Some(rental))
}

/// Whether an invoice that is still to be paid bills the rental, as a whole or in a line.
fn is_billed_openly(world: &World, rental: &e::RentalId) -> bool {
    let owed = |bill: &Bill| bill.invoice.amount_due > bill.invoice.amount_paid;
    let open = |bill: &&Bill| matches!(bill.invoice.status, Open | Uncollectible) && owed(bill);
    world.bills.iter().filter(open).any(|bill| bills(bill, rental))
}

#[tokio::test]
async fn every_field_of_the_filter_of_rentals_selects_what_it_says() {
    let api = Api::read().await;
    let query = "query Q($filter: RentalFilter!) { rentals(filter: $filter) { totalCount nodes { id } } }";
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let mut world = world(&gateway.store).await;
        only_a_line_bills_openly(&gateway, &mut world).await;
        let cases = rental_cases(&world);
        for (filter, means) in &cases {
            let mut rows: Vec<_> = world.rentals.iter().filter(|row| means(&world, row)).collect();
            rows.sort_by_key(|row| Reverse((row.started_at, row.id.clone())));
            let ids: Vec<_> = rows.iter().map(|row| json!({ "id": row.id })).collect();
            assert!(!ids.is_empty() && ids.len() < world.rentals.len(), "{filter} tells nothing");
            let variables = json!({ "filter": filter });
            let data = gateway.ask(&merchant(&world.tenant), query, variables).await.ok();
            assert_eq!(data["rentals"], json!({ "totalCount": ids.len(), "nodes": ids }), "{filter}");
        }
        let tried = |name: &str| cases.iter().any(|(filter, _)| !filter[name].is_null());
        for input in api.types["RentalFilter"].input_fields.iter().flatten() {
            assert!(tried(&input.name), "{} has no case", input.name);
        }
    })
    .await;
}

/// Leaves few invoices open, so that one rental is billed openly in a line alone.
async fn only_a_line_bills_openly(gateway: &Gateway, world: &mut World) {
    let line_only = world.rentals[1].id.clone();
    let mut kept = false;
    for bill in &mut world.bills {
        let is_open = matches!(bill.invoice.status, Open | Uncollectible);
        let in_line = bill.invoice.rental_id.is_none() && bills(bill, &line_only);
        let keep = is_open && (in_line && !kept || bill.invoice.rental_id.as_ref() == Some(&world.rentals[6].id));
        kept |= is_open && in_line;
        if is_open && !keep {
            bill.invoice.deleted_at = Some(minutes(1));
        }
    }
    assert!(kept, "no open invoice bills the rental in a line alone");
    let (gone, left): (Vec<_>, Vec<_>) =
        std::mem::take(&mut world.bills).into_iter().partition(|bill| bill.invoice.deleted_at.is_some());
    world.bills = left;
    let tx = gateway.store.begin(Whose::Everyones).await.unwrap();
    for bill in gone {
        Box::pin(bill::replace(&tx, bill)).await.unwrap();
    }
    tx.commit().await.unwrap();
}

type CustomerCase = (Value, fn(&e::customer::Model) -> bool);

const CUSTOMER_CASES: usize = 11;

fn customer_cases() -> [CustomerCase; CUSTOMER_CASES] {
    [
        (json!({ "email": "person1@example.COM" }), |row| row.email.as_deref() == Some("Person1@Example.com")),
        (json!({ "email": "person" }), |_| false),
        (json!({ "email": "person_@example.com" }), |_| false),
        (json!({ "externalId": "C-4" }), |row| row.external_id.as_deref() == Some("C-4")),
        (json!({ "externalId": "c-4" }), |_| false),
        (json!({ "status": ["ACTIVE", "CLOSED"] }), |row| {
            matches!(row.status, e::CustomerStatus::Active | e::CustomerStatus::Closed)
        }),
        (json!({ "search": "ada" }), |row| has(row, "ada")),
        (json!({ "search": "%" }), |row| has(row, "%")),
        (json!({ "search": "a_b" }), |row| has(row, "a_b")),
        (json!({ "search": "\\" }), |row| has(row, "\\")),
        (json!({ "search": "Åke" }), |row| row.name == "Åke"),
    ]
}

/// Whether a text stands in one of the places that are searched, in any case of ASCII letters.
fn has(row: &e::customer::Model, text: &str) -> bool {
    let places = [Some(&row.name), row.company_name.as_ref(), row.alias.as_ref(), row.external_id.as_ref()];
    places.into_iter().flatten().any(|place| place.to_ascii_lowercase().contains(text))
}

#[tokio::test]
async fn every_field_of_the_filter_of_customers_selects_what_it_says() {
    let api = Api::read().await;
    let query = "query Q($filter: CustomerFilter!) { customers(filter: $filter) { totalCount nodes { id } } }";
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let world = world(&gateway.store).await;
        let cases = customer_cases();
        for (filter, means) in &cases {
            let mut rows: Vec<_> = world.customers.iter().filter(|row| means(row)).collect();
            rows.sort_by_key(|row| Reverse((row.created_at, row.id.clone())));
            let ids: Vec<_> = rows.iter().map(|row| json!({ "id": row.id })).collect();
            let variables = json!({ "filter": filter });
            let data = gateway.ask(&merchant(&world.tenant), query, variables).await.ok();
            assert_eq!(data["customers"], json!({ "totalCount": ids.len(), "nodes": ids }), "{filter}");
        }
        let tried = |name: &str| cases.iter().any(|(filter, _)| !filter[name].is_null());
        for input in api.types["CustomerFilter"].input_fields.iter().flatten() {
            assert!(tried(&input.name), "{} has no case", input.name);
        }
        for search in ["", "   "] {
            let variables = json!({ "filter": { "search": search } });
            let answer = gateway.ask(&merchant(&world.tenant), query, variables).await;
            assert_eq!(answer.codes(), ["BAD_USER_INPUT"], "{search:?}");
        }
    })
    .await;
}

// ---- Below other objects ----------------------------------------------------------------------------------------

fn newest_first<'a>(bills: impl Iterator<Item = &'a Bill>) -> Vec<&'a Bill> {
    let mut bills: Vec<_> = bills.collect();
    bills.sort_by_key(|bill| Reverse((bill.invoice.created_at, bill.invoice.id.clone())));
    bills
}

fn ids(bills: &[&Bill]) -> Value {
    bills.iter().map(|bill| json!({ "id": bill.invoice.id })).collect()
}

#[tokio::test]
async fn the_lists_of_many_customers_cost_one_statement_each() {
    let query = "{ customers { nodes { id \
        invoices(first: 3) { totalCount totals { count } nodes { id } pageInfo { hasNextPage endCursor } } \
        open: invoices(filter: { status: [OPEN] }) { nodes { id } } \
        rentals(first: 1) { totalCount nodes { id } pageInfo { hasNextPage } } } } }";
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let world = world(&gateway.store).await;
        let answer = gateway.ask(&merchant(&world.tenant), query, json!({})).await;
        // Customers, two pages of invoices, their count and their sums, a page of rentals and their count.
        assert_eq!(answer.statements, 7);
        let data = answer.ok();
        let customers = data["customers"]["nodes"].as_array().expect("customers");
        assert_eq!(customers.len(), world.customers.len());
        for customer in customers {
            let own = world
                .bills
                .iter()
                .filter(|bill| customer["id"] == bill.invoice.customer_id.as_str() && bill.invoice.status != Draft);
            let own = newest_first(own);
            let list = &customer["invoices"];
            assert_eq!(list["nodes"], ids(&own[..own.len().min(3)]));
            assert_eq!(list["totalCount"], own.len());
            assert_eq!(list["pageInfo"]["hasNextPage"], own.len() > 3);
            let counted: u64 =
                list["totals"].as_array().expect("totals").iter().filter_map(|row| row["count"].as_u64()).sum();
            assert_eq!(counted, own.len() as u64);
            let open: Vec<_> = own.into_iter().filter(|bill| bill.invoice.status == Open).collect();
            assert_eq!(customer["open"]["nodes"], ids(&open));
            let rentals = world.rentals.iter().filter(|row| customer["id"] == row.customer_id.as_str()).count();
            assert_eq!(customer["rentals"]["totalCount"], rentals);
            assert_eq!(customer["rentals"]["pageInfo"]["hasNextPage"], rentals > 1);
        }
    })
    .await;
}

#[tokio::test]
async fn the_list_of_one_customer_goes_on_behind_its_cursor() {
    let query = "query Q($id: ID!, $first: Int, $after: String) { customer(id: $id) { \
        invoices(first: $first, after: $after, filter: { includeDrafts: true }) { nodes { id } \
        pageInfo { hasNextPage endCursor } } } }";
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let world = world(&gateway.store).await;
        let customer = &world.customers[2].id;
        let own = newest_first(world.bills.iter().filter(|bill| bill.invoice.customer_id == *customer));
        let mut seen = Vec::new();
        let mut after = Value::Null;
        loop {
            let variables = json!({ "id": customer, "first": 5, "after": after });
            let data = gateway.ask(&merchant(&world.tenant), query, variables).await.ok();
            let list = &data["customer"]["invoices"];
            seen.extend(list["nodes"].as_array().cloned().unwrap_or_default());
            after = list["pageInfo"]["endCursor"].clone();
            if list["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        assert_eq!(Value::Array(seen), ids(&own));
        for first in [0, -1, 101] {
            let variables = json!({ "id": customer, "first": first });
            let answer = gateway.ask(&merchant(&world.tenant), query, variables).await;
            assert_eq!(answer.codes(), ["BAD_USER_INPUT"], "{first}");
            assert_eq!(answer.data["customer"], json!({ "invoices": null }));
        }
    })
    .await;
}

#[tokio::test]
async fn a_rental_has_the_invoices_that_bill_it_as_a_whole_or_in_a_line() {
    let query = "query Q($first: Int!) { rentals { nodes { id invoices(first: $first) { id } } } }";
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let world = world(&gateway.store).await;
        for first in [1, 4, 100] {
            let answer = gateway.ask(&merchant(&world.tenant), query, json!({ "first": first })).await;
            assert_eq!(answer.statements, 2);
            let data = answer.ok();
            for rental in data["rentals"]["nodes"].as_array().expect("rentals") {
                let id: e::RentalId = rental["id"].as_str().expect("an id").into();
                let billing = newest_first(world.bills.iter().filter(|bill| bills(bill, &id)));
                assert_eq!(rental["invoices"], ids(&billing[..billing.len().min(first)]), "{id}");
            }
        }
        for first in [0, -1, 101] {
            let answer = gateway.ask(&merchant(&world.tenant), query, json!({ "first": first })).await;
            let codes = answer.codes();
            assert!(!codes.is_empty() && codes.iter().all(|code| *code == "BAD_USER_INPUT"), "{first}");
        }
    })
    .await;
}
