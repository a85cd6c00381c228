//! What a valid credential can ask for at the most: deep documents, wide answers.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::app::{TestApp, http_client};

/// A selection that goes round a circle of the schema until it is as deep as a document may be.
fn around(circle: &[&str], depth: usize) -> String {
    let fields: Vec<_> = circle.iter().cycle().take(depth).collect();
    fields.iter().rev().fold("id".to_owned(), |inner, field| format!("{field} {{ {inner} }}"))
}

/// The deepest documents through each circle of the schema, from a root that gives objects.
fn deepest(invoice: &str, payment: &str) -> Vec<String> {
    let list = |inner: &str| format!("{{ invoices(first: 1) {{ nodes {{ {inner} }} }} }}");
    let one = |inner: &str| format!("{{ invoice(id: \"{invoice}\") {{ {inner} }} }}");
    let paid = |inner: &str| format!("{{ payment(id: \"{payment}\") {{ {inner} }} }}");
    vec![
        list(&around(&["customer", "invoices(first: 1)", "nodes"], 9)),
        one(&around(&["lineItems(first: 1)", "invoice"], 10)),
        one(&around(&["rental", "invoices(first: 1)"], 10)),
        one(&around(&["customer", "rentals(first: 1)", "nodes", "invoices(first: 1)"], 8)),
        one(&around(&["payments(first: 1)", "invoice"], 10)),
        paid(&around(&["invoice", "payments(first: 1)"], 10)),
    ]
}

/// Wraps the document's deepest part in fragments, which cost levels and no depth.
fn in_fragments(document: &str, levels: usize) -> String {
    let link = |n: usize| format!("fragment F{n} on Invoice {{ ...F{} }}", n + 1);
    let chain: Vec<_> = (0..levels).map(link).collect();
    let chain = chain.join(" ");
    format!("{} {chain} fragment F{levels} on Invoice {{ id }}", document.replacen("{ id }", "{ ...F0 }", 1))
}

#[tokio::test]
async fn the_deepest_document_that_is_admitted_does_not_end_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}", folder.path().join("demo.db").display());
    let mut server = Command::new(env!("CARGO_BIN_EXE_billing-gateway"))
        .args([
            "serve",
            "--demo",
            "--demo-size",
            "tiny",
            "--json",
            "--listen",
            "127.0.0.1:0",
            "--database-url",
            &database,
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    let client = http_client();
    let token = ready["tokens"]["merchant"].as_str().unwrap();
    let ask = async |query: &str| {
        let request = client.post(ready["graphql"].as_str().unwrap()).bearer_auth(token);
        request.json(&json!({ "query": query })).send().await.expect("the server lives").json::<Value>().await.unwrap()
    };
    let invoice = ready["characters"]["written-off-then-paid"].as_str().unwrap();
    let first = ask(&format!("{{ invoice(id: \"{invoice}\") {{ payments {{ id }} }} }}")).await;
    let payment = first["data"]["invoice"]["payments"][0]["id"].as_str().unwrap();
    for document in deepest(invoice, payment) {
        let answer = ask(&document).await;
        assert_eq!(answer.get("errors"), None, "{document}");
        // Too many levels are refused; what is admitted is answered. Either way the server lives.
        ask(&in_fragments(&document, 18)).await;
        ask(&in_fragments(&document, 30)).await;
    }
    assert!(ask("{ viewer { kind } }").await["data"]["viewer"].is_object());
    server.kill().unwrap();
    server.wait().unwrap();
}

#[tokio::test]
async fn the_lists_of_one_answer_are_bounded_however_few_the_levels() {
    let app = TestApp::new().await;
    let whale = app.invoice("whale");
    let lines = |inner: &str| format!("lineItems(first: 1000) {{ id {inner} }}");
    let nested = lines(&format!("invoice {{ {} }}", lines("")));
    let query = format!("{{ invoice(id: \"{whale}\") {{ {nested} }} viewer {{ kind }} }}");
    let answer = app.ask(&app.token("merchant"), &query, json!({})).await;
    let codes: Vec<_> = answer["errors"].as_array().unwrap().iter().map(|error| &error["extensions"]["code"]).collect();
    assert!(codes.contains(&&json!("QUERY_TOO_COMPLEX")), "{codes:?}");
    assert!(answer["data"]["viewer"].is_object(), "what was asked beside it is answered");
    let alone = format!("{{ invoice(id: \"{whale}\") {{ {} }} }}", lines(""));
    let answer = app.ask(&app.token("merchant"), &alone, json!({})).await;
    assert_eq!(answer["data"]["invoice"]["lineItems"].as_array().map(Vec::len), Some(1000));
}
