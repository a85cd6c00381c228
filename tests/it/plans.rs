//! Every read of the store is served by an index on Postgres, under the generic plans that readers are forced to.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait, DbBackend, Statement, TransactionTrait};
use serde_json::json;

use crate::support::database::Engine;
use crate::support::gateway::{Gateway, merchant, viewer};
use crate::support::seed::{Seed, Size, seed};
use billing_gateway::domain::viewer::{PrincipalKind, Scope};

/// Queries that together read through every relation and list.
fn queries(world: &Seed) -> Vec<String> {
    let invoice = &world.invoices[0];
    let whole = "id paymentStatus lineItemCount customer { id paymentMethods { id } invoices(first: 2) { nodes { id } \
        totalCount totals { count } } rentals(first: 2) { nodes { id } totalCount } parent { id } } customerSnapshot { name } \
        rental { id invoices { id } } subscription { id } taxes { name } discounts { name } changes { description } \
        lineItems { id subLines { id } discounts { name } rental { id } pricing { price { id } product { id } } } \
        payments(kind: null) { id refunds { id } refundOf { id } paymentMethod { id } } upstream { freshness } \
        events { id } sourceDocument { id }";
    let mut all = vec![format!("{{ invoice(id: \"{invoice}\") {{ {whole} }} }}")];
    for field in ["CREATED_AT", "ISSUE_DATE", "DUE_AT", "PAID_AT", "AMOUNT_DUE", "NUMBER", "UPDATED_AT"] {
        let order = format!("orderBy: {{ field: {field}, direction: ASC }}");
        all.push(format!("{{ invoices(first: 2, {order}) {{ nodes {{ id }} }} }}"));
    }
    let filters = [
        "status: [OPEN], overdue: true",
        "paymentStatus: [PAID]",
        "numberPrefix: \"T-\"",
        "stripeInvoiceId: \"in_test1\"",
        "externalId: \"x\", sourceSystem: NATIVE",
        "hasOpenBalance: true",
    ];
    all.extend(filters.map(|filter| format!("{{ invoices(filter: {{ {filter} }}) {{ totalCount nodes {{ id }} }} }}")));
    all.push(format!("{{ invoices(filter: {{ rentalId: [\"{}\"] }}) {{ nodes {{ id }} }} }}", world.rentals[0]));
    all.push("{ rentals(filter: { hasOpenInvoice: true }) { totalCount nodes { id } } }".to_owned());
    all.push("{ customers(filter: { search: \"cust\" }) { totalCount nodes { id } } }".to_owned());
    all.push("{ invoiceByNumber(number: \"T-00001\") { id } }".to_owned());
    all.push("{ invoiceByExternalId(system: METEROID, externalId: \"x\") { id } }".to_owned());
    all
}

#[tokio::test]
async fn every_read_is_served_by_an_index_on_postgres() {
    let gateway = Gateway::new(Engine::Postgres).await;
    let world = seed(&gateway.store, "acme", Size { customers: 3, rentals: 5, invoices: 12, lines: 2 }).await;
    let limited = viewer(
        PrincipalKind::Partner,
        &world.tenant,
        Scope::ALL.into_iter().filter(|scope| *scope != Scope::InvoicesWrite).collect(),
        Some(world.customers.clone()),
    );
    gateway.statement_texts();
    for query in queries(&world) {
        for viewer in [&merchant(&world.tenant), &limited] {
            gateway.ask(viewer, &query, json!({})).await.ok();
        }
    }
    let texts: BTreeSet<String> = gateway.statement_texts().into_iter().collect();
    assert!(texts.len() > 50, "only {} statements were seen", texts.len());

    let connection = gateway.database.connect().await.begin().await.unwrap();
    connection.execute_unprepared("SET plan_cache_mode = force_generic_plan").await.unwrap();
    connection.execute_unprepared("SET enable_seqscan = off").await.unwrap();
    for (number, text) in texts.iter().enumerate() {
        let parameters = (1..1_000).take_while(|n| text.contains(&format!("${n}"))).count();
        connection.execute_unprepared(&format!("PREPARE read_{number} AS {text}")).await.unwrap();
        let nulls = vec!["NULL"; parameters].join(", ");
        let arguments = if parameters == 0 { String::new() } else { format!("({nulls})") };
        let explain = format!("EXPLAIN EXECUTE read_{number}{arguments}");
        let plan = connection.query_all_raw(Statement::from_string(DbBackend::Postgres, explain)).await.unwrap();
        let plan: Vec<String> = plan.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
        assert!(!plan.iter().any(|line| line.contains("Seq Scan")), "{text}\n{}", plan.join("\n"));
    }
}
