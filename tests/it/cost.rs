//! What operations cost: the table against the schema, the costs that people rely on, and what is refused.

use std::collections::BTreeSet;

use billing_gateway::gate::{self, Limits, SCHEMA_LISTS, Size, Times};
use billing_gateway::graphql::cost::{FIELDS, INTROSPECTION, ROWS, VALUES, table};
use billing_gateway::graphql::schema;
use serde_json::{Value, json};

use crate::support::api::{Api, introspection};
use crate::support::app::TestApp;

fn example(name: &str) -> String {
    std::fs::read_to_string(format!("{}/examples/{name}.graphql", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// What a document costs whose variable `$first`, if it has one, is `first`.
fn cost(document: &str, first: Option<i64>) -> u64 {
    let costs = table(&schema()).unwrap();
    let (_, plan) = gate::examine(document, &Limits::default(), &costs).unwrap();
    plan.cost(None, |name| first.filter(|_| name == "first").map(Size::Number))
}

/// The fields of a query for a page, around the selection of the reference query.
fn page_of_bills(first: usize) -> String {
    let reference = example("reference");
    let selection = reference.split_once("invoice(id: $id)").unwrap().1.trim_end().strip_suffix('}').unwrap();
    format!("{{ invoices(first: {first}) {{ nodes {selection} }} }}")
}

// ---- The table --------------------------------------------------------------------------------------------------

#[tokio::test]
async fn every_object_type_costs_as_a_row_or_as_a_value() {
    let api = Api::read().await;
    let holds = ["Query", "Mutation"];
    let types = api.types.values().filter(|one| matches!(one.kind.as_str(), "OBJECT" | "INTERFACE"));
    let types: BTreeSet<_> = types.map(|one| one.name.as_str()).filter(|name| !holds.contains(name)).collect();
    let rows: BTreeSet<_> = ROWS.iter().copied().collect();
    let values: BTreeSet<_> = VALUES.iter().copied().collect();
    assert_eq!(rows.intersection(&values).count(), 0);
    assert_eq!(rows.len() + values.len(), ROWS.len() + VALUES.len(), "a type is listed twice");
    let listed: BTreeSet<_> = rows.union(&values).copied().collect();
    assert_eq!(types.difference(&listed).collect::<Vec<_>>(), Vec::<&&str>::new(), "a row, or part of one?");
    assert_eq!(listed.difference(&types).collect::<Vec<_>>(), Vec::<&&str>::new(), "no such type");
}

#[tokio::test]
async fn every_field_costs_what_follows_from_what_it_gives_or_is_listed() {
    let api = Api::read().await;
    let costs = table(&schema()).unwrap();
    let mut checked = 0;
    for (type_name, fields) in api.objects() {
        for field in fields {
            let rule = costs.rule(type_name, &field.name).unwrap_or_else(|| panic!("{type_name}.{}", field.name));
            let gives = field.of.named();
            assert_eq!(rule.gives, gives);
            checked += 1;
            let listed = FIELDS.iter().find(|(of, name, ..)| (*of, *name) == (type_name, field.name.as_str()));
            if let Some((_, _, own, times)) = listed {
                assert_eq!((rule.own, rule.times), (*own, *times));
                continue;
            }
            let in_page = type_name.ends_with("Connection") || type_name.ends_with("Edge");
            let gives_page = gives.ends_with("Connection");
            let own = match gives {
                _ if type_name == "Mutation" => 10,
                "URL" => 5,
                _ if gives_page => 1,
                _ if in_page => 0,
                gives => u64::from(ROWS.contains(&gives)),
            };
            assert_eq!(rule.own, own, "{type_name}.{}", field.name);
            assert_eq!(matches!(rule.times, Times::Counted { .. }), gives_page, "{type_name}.{}", field.name);
            assert!(gives_page || rule.times == Times::Fixed(1), "{type_name}.{}", field.name);
        }
    }
    assert!(checked > 250, "{checked}");
    for (type_name, field, ..) in FIELDS {
        assert_eq!(api.field(type_name, field).name, *field);
    }
}

/// Introspection is in no schema text, so its part of the table is held to what it says of itself.
#[tokio::test]
async fn every_field_of_introspection_that_leads_on_has_a_price() {
    let question = "{ __schema { types { name fields { name type { ...T } } } } } \
        fragment T on __Type { name kind ofType { name kind ofType { name kind ofType { name kind } } } }";
    let response = schema().execute(question).await;
    let data = serde_json::to_value(response.data).unwrap();
    let mut leading = BTreeSet::from([("Query".to_owned(), "__schema".to_owned()), ("Query".into(), "__type".into())]);
    for one in data["__schema"]["types"].as_array().unwrap() {
        let name = one["name"].as_str().unwrap();
        for field in one["fields"].as_array().into_iter().flatten().filter(|_| name.starts_with("__")) {
            let (mut of, mut is_list) = (&field["type"], false);
            while of["ofType"].is_object() {
                is_list |= of["kind"] == "LIST";
                of = &of["ofType"];
            }
            let field = field["name"].as_str().unwrap();
            if of["kind"] == "OBJECT" {
                assert_eq!(SCHEMA_LISTS.contains(&field), is_list, "{name}.{field}");
                leading.insert((name.to_owned(), field.to_owned()));
            }
        }
    }
    let priced: BTreeSet<_> =
        INTROSPECTION.iter().map(|(of, field, ..)| ((*of).to_owned(), (*field).to_owned())).collect();
    assert_eq!(priced, leading);
}

/// The gate counts lists of introspection by their names, wherever they stand.
#[tokio::test]
async fn no_field_of_ours_is_called_like_a_list_of_introspection() {
    let api = Api::read().await;
    for (type_name, fields) in api.objects() {
        for field in fields {
            assert!(!SCHEMA_LISTS.contains(&field.name.as_str()), "{type_name}.{}", field.name);
        }
    }
}

/// A field of which a client says how many it wants has a price that knows it; the history is taken as one entry.
#[tokio::test]
async fn every_field_that_is_asked_for_in_numbers_has_a_price_that_knows_the_number() {
    let api = Api::read().await;
    let costs = table(&schema()).unwrap();
    let usual = ["Invoice.events"];
    for (type_name, fields) in api.objects() {
        for field in fields.iter().filter(|field| field.args.iter().any(|argument| argument.name == "first")) {
            let path = format!("{type_name}.{}", field.name);
            let times = costs.rule(type_name, &field.name).unwrap().times;
            assert_ne!(matches!(times, Times::Counted { .. }), usual.contains(&path.as_str()), "{path}");
        }
    }
}

// ---- What things cost -------------------------------------------------------------------------------------------

#[test]
fn the_reference_query_costs_70_and_a_page_of_a_hundred_7000() {
    assert_eq!(cost(&example("reference"), None), 70);
    assert_eq!(cost(&page_of_bills(1), None), 70);
    assert_eq!(cost(&page_of_bills(100), None), 7_000);
}

#[test]
fn the_examples_cost_what_whoever_asks_them_may() {
    for (name, first, limit, wanted) in [
        ("customer-open-bills", None, 1_000, 101),
        ("customer-open-bills", Some(50), 1_000, 501),
        ("rental-bills", None, 1_000, 761),
        ("merchant-overdue", None, 10_000, 3_070),
        ("merchant-overdue", Some(100), 10_000, 6_120),
        ("partner-export", Some(100), 10_000, 1_900),
        ("operator-search", None, 10_000, 84),
    ] {
        let cost = cost(&example(name), first);
        assert_eq!(cost, wanted, "{name} {first:?}");
        assert!(cost <= limit, "{name} {first:?}");
    }
}

/// What tools ask, in the forms of graphql-js that are in use: with less and more of its options, and as deep as each.
#[test]
fn every_tool_may_ask_for_the_schema_and_pays_what_a_handful_of_bills_costs() {
    for depth in [7, 9] {
        for options in ["", "description isDeprecated deprecationReason"] {
            let document = introspection(depth, options);
            gate::check(&document, &Limits::default()).unwrap();
            assert_eq!(cost(&document, None), 311, "{document}");
        }
    }
    assert_eq!(cost("{ __schema { queryType { name } } }", None), 1);
    assert_eq!(cost("{ __type(name: \"Invoice\") { name fields { name type { name } } } }", None), 6);
    assert_eq!(cost("{ __typename }", None), 0);
}

#[test]
fn types_in_the_fields_of_types_cost_what_they_multiply_to() {
    let nested = "{ __schema { types { fields { type { fields { args { name } } } } } } }";
    assert_eq!(cost(nested, None), 1 + 20 * (1 + 5 * (1 + 5 * 2)));
}

// ---- Over HTTP --------------------------------------------------------------------------------------------------

#[tokio::test]
async fn every_answer_of_an_executed_operation_tells_what_it_cost() {
    let app = TestApp::new().await;
    let invoice = app.invoice("overage-week");
    let answer = app.ask(&app.token("merchant"), &example("reference"), json!({ "id": invoice })).await;
    assert_eq!(answer["extensions"]["cost"], json!({"requested": 70, "limit": 10_000, "remaining": 499_930}));
    let answer = app.ask(&app.token("customer"), "{ viewer { kind } }", json!({})).await;
    assert_eq!(answer["extensions"]["cost"], json!({"requested": 0, "limit": 1_000, "remaining": 49_999}));
    let failed = app.ask(&app.token("merchant"), "{ invoices(first: 0) { nodes { id } } }", json!({})).await;
    assert_eq!(failed["extensions"]["cost"]["requested"], 0, "{failed}");
    let refused = app.ask(&app.token("merchant"), "{ nothing }", json!({})).await;
    assert_eq!(refused["extensions"].get("cost"), None, "it was not executed: {refused}");
}

#[tokio::test]
async fn who_asks_for_too_much_is_told_how_much_it_is() {
    let app = TestApp::new().await;
    let customer = app.token("customer");
    let whole = page_of_bills(14);
    let answer = app.ask(&customer, &whole, json!({})).await;
    assert_eq!(answer["extensions"]["cost"], json!({"requested": 980, "limit": 1_000, "remaining": 49_020}));
    let answer = app.ask(&customer, &page_of_bills(15), json!({})).await;
    let error = &answer["errors"][0];
    assert_eq!(error["extensions"]["code"], "QUERY_TOO_COMPLEX");
    assert_eq!(error["extensions"]["cost"], answer["extensions"]["cost"]);
    let cost = &answer["extensions"]["cost"];
    assert_eq!((&cost["requested"], &cost["limit"]), (&json!(1_050), &json!(1_000)));
    let remaining = cost["remaining"].as_u64().unwrap();
    assert!((49_020..50_000).contains(&remaining), "nothing is taken, and what was comes back: {cost}");
    assert_eq!(error["message"], "The operation costs too much: 1050, 1000 allowed.");
    assert_eq!(answer.get("data"), None);
    let partner = app.ask(&app.token("partner"), &page_of_bills(100), json!({})).await;
    assert_eq!(partner["extensions"]["cost"]["remaining"], 493_000, "{}", partner["errors"]);
}

#[tokio::test]
async fn who_asks_for_the_schema_pays_for_it() {
    let app = TestApp::new().await;
    let answer = app.ask(&app.token("customer"), &introspection(9, "description"), json!({})).await;
    assert!(answer["data"]["__schema"]["types"].as_array().unwrap().len() > 100, "{}", answer["errors"]);
    assert_eq!(answer["extensions"]["cost"], json!({"requested": 311, "limit": 1_000, "remaining": 49_689}));
}

#[tokio::test]
async fn the_operation_that_runs_is_the_one_that_costs_with_its_variables() {
    let app = TestApp::new().await;
    let document = "query Few($n: Int = 2) { ...F } query Many($n: Int) { ...F } \
        fragment F on Query { invoices(first: $n) { nodes { payUrl } } }";
    let ask = async |name: &str, variables: Value| {
        let body = json!({"query": document, "operationName": name, "variables": variables});
        let request = app.client.post(app.url("/graphql")).bearer_auth(app.token("customer")).json(&body);
        request.send().await.unwrap().json::<Value>().await.unwrap()
    };
    for (name, variables, requested) in [
        ("Few", json!({}), 22),
        ("Few", json!({"n": 3}), 33),
        ("Many", json!({}), 220),
        ("Many", json!({"n": null}), 220),
        ("Many", json!({"n": 100}), 1_100),
        ("Many", json!({"n": 1_000_000}), 1_100),
        ("Many", json!({"n": -100}), 0),
    ] {
        let answer = ask(name, variables.clone()).await;
        assert_eq!(answer["extensions"]["cost"]["requested"], requested, "{name} {variables} {answer}");
    }
}

/// It has two defaults, and what the operation costs could follow either. So said a document of `./dev fuzz 1000000`.
#[tokio::test]
async fn an_operation_that_declares_a_variable_twice_does_not_run_at_either_cost() {
    let app = TestApp::new().await;
    for variables in ["$n: Int, $n: Int = 1", "$n: Int = 1, $n: Int = 100", "$n: Int = 100, $n: Int = 1"] {
        let query = format!("query({variables}) {{ invoices(first: $n) {{ nodes {{ id }} }} }}");
        let answer = app.ask(&app.token("merchant"), &query, json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED", "{answer}");
        assert_eq!(answer.get("data"), None, "{answer}");
    }
}
