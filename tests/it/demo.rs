//! The demo: the same world in every store, however often it is loaded.

use std::collections::BTreeSet;
use std::sync::Arc;

use billing_gateway::app::demo::{self, Demo};
use billing_gateway::auth::JwtKeys;
use billing_gateway::demo::{Plan, principals};
use billing_gateway::domain::clock::Clock;
use billing_gateway::domain::link::LinkHosts;
use billing_gateway::store::StatementStats;
use billing_gateway::store::Whose;
use entity::{InvoiceId, TenantId};
use sea_orm::{ConnectionTrait, EntityTrait, PaginatorTrait};
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use crate::batching::page_query;
use crate::support::api::Api;
use crate::support::app::SECRET;
use crate::support::database::{Engine, for_each_engine};
use crate::support::gateway::{Gateway, merchant};

const REFERENCE: &str = include_str!("../../examples/reference.graphql");

/// How deep the answers go that are compared: invoice, line, rental, price.
const DEPTH: usize = 3;

/// Loads the demo into a store.
pub(crate) async fn load(gateway: &Gateway) -> Demo {
    let secret = SecretString::from(SECRET);
    let keys = JwtKeys::new(&secret, "billing-gateway", "billing-gateway", Clock::system()).unwrap();
    demo::load(&gateway.store, &keys, &LinkHosts::default(), &Plan::of(8)).await.unwrap()
}

/// The two companies of the demo.
fn tenants() -> BTreeSet<TenantId> {
    principals().into_iter().map(|principal| principal.tenant).collect()
}

/// Everything that the companies can read, through every list, in the order of the lists.
async fn everything(gateway: &Gateway) -> Value {
    let api = Api::read().await;
    // Up again from what stands below leads around in circles.
    let upward = ["invoice", "invoices", "rentals", "customer", "parent", "refundOf"];
    let wanted = |of: &str, field: &str| of == "Invoice" || !upward.contains(&field);
    let invoice = api.selection("Invoice", DEPTH, &wanted);
    let rental = api.selection("Rental", 1, &wanted);
    let customer = api.selection("Customer", 1, &wanted);
    let query = format!(
        "query Q($after: String) {{ \
            invoices(first: 20, after: $after, filter: {{ includeDrafts: true }}, \
                orderBy: {{ field: CREATED_AT, direction: ASC }}) {{ nodes {invoice} pageInfo {{ hasNextPage endCursor }} \
                totalCount totals {{ currency count total {{ amount }} amountRemaining {{ amount }} }} }} \
            rentals(first: 100) {{ totalCount nodes {rental} }} \
            customers(first: 100) {{ totalCount nodes {customer} }} }}"
    );
    let mut all = Map::new();
    for tenant in tenants() {
        let mut after = Value::Null;
        let mut pages = Vec::new();
        loop {
            let answer = gateway.ask(&merchant(&tenant), &query, json!({ "after": after })).await;
            assert!(answer.codes().iter().all(|code| *code == "UPSTREAM_UNAVAILABLE"), "{:?}", answer.errors);
            let page = answer.data["invoices"]["pageInfo"].clone();
            // Errors come in the order in which fields failed, which no one promises.
            let mut errors = answer.errors;
            errors.sort_by_key(|error| error["path"].to_string());
            pages.push(json!({ "data": answer.data, "errors": errors }));
            after = page["endCursor"].clone();
            if page["hasNextPage"] == false {
                break;
            }
        }
        all.insert(tenant.0.clone(), Value::Array(pages));
    }
    Value::Object(all)
}

#[tokio::test]
async fn the_demo_reads_back_identically_on_both_engines() {
    let sqlite = Gateway::new(Engine::Sqlite).await;
    let postgres = Gateway::new(Engine::Postgres).await;
    let (left, right) = (load(&sqlite).await, load(&postgres).await);
    assert_eq!(left.plan, right.plan);
    assert_eq!(left.characters, right.characters);
    assert_eq!(left.imported, right.imported);
    let (left, right) = (everything(&sqlite).await, everything(&postgres).await);
    same(&left, &right, "");
}

/// Fails at the first place where two values differ.
fn same(left: &Value, right: &Value, place: &str) {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            assert_eq!(left.len(), right.len(), "at {place}");
            for (key, value) in left {
                same(value, &right[key], &format!("{place}/{key}"));
            }
        }
        (Value::Array(left), Value::Array(right)) => {
            assert_eq!(left.len(), right.len(), "at {place}");
            for (index, (left, right)) in left.iter().zip(right).enumerate() {
                same(left, right, &format!("{place}/{index}"));
            }
        }
        _ => assert_eq!(left, right, "at {place}"),
    }
}

/// How many rows each table has.
pub(crate) async fn rows(db: &impl ConnectionTrait) -> Vec<(&'static str, u64)> {
    macro_rules! counts {
        ($($table:ident),*) => { vec![$((stringify!($table), count::<entity::$table::Entity>(db).await)),*] };
    }
    counts!(
        tenant,
        customer,
        rental,
        subscription,
        product,
        price,
        payment_method,
        invoice,
        line_item,
        sub_line,
        tax,
        discount,
        invoice_change,
        customer_snapshot,
        payment,
        upstream_invoice,
        invoice_event,
        source_document
    )
}

async fn count<E>(db: &impl ConnectionTrait) -> u64
where
    E: EntityTrait,
    E::Model: Sync,
{
    E::find().count(db).await.unwrap()
}

#[tokio::test]
async fn loading_the_demo_again_changes_nothing() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let first = load(&gateway).await;
        let reader = gateway.store.reader(Whose::Everyones, &Arc::<StatementStats>::default());
        let before = (rows(&reader).await, everything(&gateway).await);
        assert!(before.0.iter().all(|(_, count)| *count > 0), "{:?}", before.0);
        let second = load(&gateway).await;
        assert_eq!((first.characters, first.imported), (second.characters, second.imported));
        assert_eq!(rows(&reader).await, before.0);
        same(&everything(&gateway).await, &before.1, "");
    })
    .await;
}

#[tokio::test]
async fn every_character_has_an_id_and_a_story_of_its_own() {
    let gateway = Gateway::new(Engine::Sqlite).await;
    let demo = load(&gateway).await;
    assert_eq!((demo.characters.len(), demo.imported.len()), (22, 5));
    let named = || demo.characters.iter().chain(&demo.imported);
    let ids: BTreeSet<_> = named().map(|(_, id)| id).collect();
    let called: BTreeSet<_> = named().map(|(name, _)| name).collect();
    assert_eq!((ids.len(), called.len()), (27, 27));
    for (name, id) in named() {
        let mut readers = 0;
        for tenant in tenants() {
            let query = "query Q($id: ID!) { invoice(id: $id) { id status total { amount } } }";
            let data = gateway.ask(&merchant(&tenant), query, json!({ "id": id })).await.ok();
            readers += usize::from(data["invoice"]["id"] == id.0.as_str());
        }
        assert_eq!(readers, 1, "{name} belongs to one company");
    }
}

fn character<'a>(demo: &'a Demo, name: &str) -> &'a InvoiceId {
    demo.invoice(name).unwrap_or_else(|| panic!("no invoice {name}"))
}

#[tokio::test]
async fn the_reference_query_costs_seven_statements_on_the_demo() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let demo = load(&gateway).await;
        let company =
            principals().into_iter().find(|principal| principal.name == "merchant").expect("a merchant").tenant;
        let id = character(&demo, "overage-week");
        let one = gateway.ask(&merchant(&company), REFERENCE, json!({ "id": id })).await;
        assert_eq!(one.statements, 7);
        assert_eq!(one.data["invoice"]["id"], id.0.as_str());

        let page = gateway.ask(&merchant(&company), &page_query(), json!({ "first": 100 })).await;
        let nodes = page.data["invoices"]["nodes"].as_array().expect("a page");
        assert!(nodes.len() > 20, "{} invoices", nodes.len());
        assert!(page.statements <= 7, "{} statements", page.statements);
    })
    .await;
}
