//! One statement per relation and level, whatever the number of invoices and lines.

use serde_json::json;

use crate::support::database::for_each_engine;
use crate::support::gateway::{Gateway, merchant};
use crate::support::seed::{Size, seed};

const REFERENCE: &str = include_str!("../../examples/reference.graphql");

/// The selection of the reference query, without its comment and its root field.
fn reference_selection() -> String {
    let start = REFERENCE.find("invoice(id: $id)").expect("the reference query asks for one invoice");
    let (_, selection) = REFERENCE[start..].split_once('{').expect("with a selection");
    let end = selection.rfind('}').and_then(|end| selection[..end].rfind('}')).expect("closed twice");
    format!("{{{}}}", &selection[..end])
}

/// The reference query for a page of `$first` invoices.
pub(crate) fn page_query() -> String {
    format!("query Page($first: Int!) {{ invoices(first: $first) {{ nodes {} }} }}", reference_selection())
}

#[tokio::test]
async fn the_reference_query_costs_seven_statements_for_one_invoice_and_for_a_hundred() {
    for_each_engine(async |engine| {
        for lines in [3, 250] {
            let gateway = Gateway::new(engine).await;
            let size = Size { customers: 5, rentals: 120, invoices: 100, lines };
            let world = seed(&gateway.store, "acme", size).await;
            let viewer = merchant(&world.tenant);
            let one = gateway.ask(&viewer, REFERENCE, json!({ "id": world.invoices[50] })).await;
            assert_eq!(one.statements, 7, "one invoice of {lines} lines");
            assert_eq!(one.data["invoice"]["lineItems"].as_array().map(Vec::len), Some(lines));
            let page = gateway.ask(&viewer, &page_query(), json!({ "first": 100 })).await;
            assert_eq!(page.statements, 7, "100 invoices of {lines} lines");
            let nodes = page.data["invoices"]["nodes"].as_array().expect("nodes");
            assert_eq!(nodes.len(), 100);
            assert!(nodes.iter().all(|node| node["lineItems"].as_array().map(Vec::len) == Some(lines)));
        }
    })
    .await;
}

#[tokio::test]
async fn twenty_aliases_of_an_invoice_cost_one_statement() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let world = seed(&gateway.store, "acme", Size { customers: 2, rentals: 2, invoices: 20, lines: 1 }).await;
        let alias = |(n, id)| format!("i{n}: invoice(id: \"{id}\") {{ id }}");
        let aliases: Vec<_> = world.invoices.iter().enumerate().map(alias).collect();
        let query = format!("{{ {} }}", aliases.join(" "));
        let answer = gateway.ask(&merchant(&world.tenant), &query, json!({})).await;
        assert_eq!(answer.statements, 1);
        let data = answer.ok();
        for (n, id) in world.invoices.iter().enumerate() {
            assert_eq!(data[format!("i{n}")]["id"], json!(id));
        }
    })
    .await;
}

#[tokio::test]
async fn no_statement_text_depends_on_the_number_of_keys() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let world = seed(&gateway.store, "acme", Size { customers: 5, rentals: 90, invoices: 60, lines: 4 }).await;
        let viewer = merchant(&world.tenant);
        gateway.statement_texts();
        let mut texts = Vec::new();
        for first in [1, 7, 60] {
            gateway.ask(&viewer, &page_query(), json!({ "first": first })).await;
            let mut seen = gateway.statement_texts();
            seen.sort();
            texts.push(seen);
        }
        assert_eq!(texts[0].len(), 7);
        assert_eq!(texts[0], texts[1]);
        assert_eq!(texts[1], texts[2]);
    })
    .await;
}

#[tokio::test]
async fn a_required_sibling_that_fails_leaves_every_other_root_field_its_values() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let world = seed(&gateway.store, "acme", Size { customers: 5, rentals: 40, invoices: 100, lines: 2 }).await;
        let page = "nodes { id paymentStatus lineItems { id subLines { name } rental { id } } payments { id } }";
        // `nodes` is required and refuses 101 ids, which drops whatever else runs beside it in its own parent only.
        let failing = format!(
            "query Q($ids: [ID!]!) {{ first: invoices(first: 100) {{ {page} }} doomed: nodes(ids: $ids) {{ id }} }}"
        );
        let ids: Vec<_> = (0..101).map(|_| &world.invoices[0]).collect();
        let doomed = gateway.ask(&merchant(&world.tenant), &failing, json!({ "ids": ids })).await;
        assert_eq!(doomed.codes(), ["BAD_USER_INPUT"]);

        let mixed = format!("{{ a: invoices(first: 100) {{ {page} }} b: invoices(last: 100) {{ {page} }} }}");
        let data = gateway.ask(&merchant(&world.tenant), &mixed, json!({})).await.ok();
        for root in ["a", "b"] {
            let nodes = data[root]["nodes"].as_array().expect("nodes");
            assert_eq!(nodes.len(), 100);
            assert!(nodes.iter().all(|node| node["lineItems"].as_array().is_some_and(|lines| lines.len() == 2)));
        }
    })
    .await;
}
