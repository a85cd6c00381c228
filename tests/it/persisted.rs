//! Documents that are not sent each time: kept parsed, found by their hash, and trusted ones.

use billing_gateway::store::Whose;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_graphql::parser::parse_query;
use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{Request, Variables};
use billing_gateway::demo::principals;
use billing_gateway::gate::{self, Limits};
use billing_gateway::graphql::{self, RequestContext};
use billing_gateway::http::{DocumentHash, DocumentSettings, Documents, Manifest, Trusted, TrustedMode};
use billing_gateway::loaders::batch::unconstrained;
use serde_json::{Value, json};

use crate::demo::load;
use crate::support::app::TestApp;
use crate::support::database::Engine;
use crate::support::gateway::{self, Gateway};

const DOCUMENT: &str = "query Who { viewer { kind } }";

fn hash(document: &str) -> String {
    DocumentHash::of(document).to_string()
}

/// The `extensions` that name a document by its hash.
fn by_hash(hash: &str) -> Value {
    json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } })
}

/// What a server answers to a body: the status, and the body.
async fn post(app: &TestApp, principal: &str, body: Value) -> (u16, Value) {
    let request = app.client.post(app.url("/graphql")).bearer_auth(app.token(principal)).json(&body);
    let answer = request.header("accept", "application/graphql-response+json").send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// The same by GET, with these parameters.
async fn get(app: &TestApp, parameters: &[(&str, &str)]) -> (u16, Value) {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let request = app.client.get(app.url(&format!("/graphql?{query}"))).bearer_auth(app.token("merchant"));
    let answer = request.header("accept", "application/graphql-response+json").send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn code(answer: &(u16, Value)) -> &str {
    answer.1["errors"][0]["extensions"]["code"].as_str().unwrap_or("none")
}

async fn server(settings: DocumentSettings, trusted: &[(&str, &str)]) -> TestApp {
    let schema = graphql::schema();
    let costs = graphql::cost::table(&schema).unwrap();
    let pairs = trusted.iter().map(|(id, text)| ((*id).to_owned(), (*text).to_owned()));
    let trusted =
        Trusted::read(Manifest::of(pairs), &settings.limits, &costs).await.map_err(|faults| format!("{faults:?}"));
    TestApp::with_documents(Documents::new(&schema, settings, trusted.unwrap()).unwrap()).await
}

// ---- Automatic persisted queries --------------------------------------------------------------------------------

#[tokio::test]
async fn a_document_is_sent_once_and_asked_for_by_its_hash_from_then_on() {
    let app = TestApp::new().await;
    let asked = json!({ "extensions": by_hash(&hash(DOCUMENT)) });
    let first = post(&app, "merchant", asked.clone()).await;
    // Apollo's client and urql read this message, and a status of 200 in every case.
    assert_eq!((first.0, &first.1["errors"][0]["message"]), (200, &json!("PersistedQueryNotFound")));
    assert_eq!(code(&first), "PERSISTED_QUERY_NOT_FOUND");
    let sent = post(&app, "merchant", json!({ "query": DOCUMENT, "extensions": by_hash(&hash(DOCUMENT)) })).await;
    assert_eq!(sent.1["data"]["viewer"]["kind"], "MERCHANT");
    assert_eq!(post(&app, "merchant", asked.clone()).await, sent);
    assert_eq!(post(&app, "merchant", json!({ "extensions": by_hash(&hash(DOCUMENT).to_uppercase()) })).await, sent);
    assert_eq!(get(&app, &[("extensions", &by_hash(&hash(DOCUMENT)).to_string())]).await, sent);
}

#[tokio::test]
async fn nobody_learns_what_another_tenant_asks() {
    let app = TestApp::new().await;
    let both = json!({ "query": DOCUMENT, "extensions": by_hash(&hash(DOCUMENT)) });
    post(&app, "merchant", both).await;
    let asked = json!({ "extensions": by_hash(&hash(DOCUMENT)) });
    assert_eq!(code(&post(&app, "other_tenant", asked.clone()).await), "PERSISTED_QUERY_NOT_FOUND");
    assert_eq!(code(&post(&app, "customer", asked.clone()).await), "none", "the same tenant");
    let anonymous = app.client.post(app.url("/graphql")).json(&asked).send().await.unwrap();
    assert_eq!(anonymous.status().as_u16(), 401);
}

#[tokio::test]
async fn a_hash_that_is_not_the_documents_is_refused() {
    let app = TestApp::new().await;
    for wrong in [hash("{ other }"), "0".repeat(64), "short".to_owned(), "é".to_owned()] {
        let answer = post(&app, "merchant", json!({ "query": DOCUMENT, "extensions": by_hash(&wrong) })).await;
        assert_eq!((answer.0, code(&answer)), (400, "PERSISTED_QUERY_MISMATCH"), "{wrong}");
        let answer = post(&app, "merchant", json!({ "extensions": by_hash(&wrong) })).await;
        assert_eq!(code(&answer), "PERSISTED_QUERY_NOT_FOUND", "{wrong}");
    }
    let answer = post(&app, "merchant", json!({ "extensions": { "persistedQuery": { "version": 2 } } })).await;
    assert_eq!((answer.0, code(&answer)), (400, "BAD_USER_INPUT"));
}

#[tokio::test]
async fn only_documents_that_can_be_executed_are_kept() {
    let app = TestApp::new().await;
    let bomb = "{ a { a { a { a { a { a { a { a { a { a { a { a { a } } } } } } } } } } } } }";
    let costly =
        "query($n: Int = 100) { invoices(first: $n) { nodes { payUrl lineItems { rental { id } } payments { id } } } }";
    for (document, principal, wanted) in [
        ("{ nothing }", "merchant", "GRAPHQL_VALIDATION_FAILED"),
        (bomb, "merchant", "QUERY_TOO_DEEP"),
        ("{", "merchant", "GRAPHQL_PARSE_FAILED"),
        (costly, "customer", "QUERY_TOO_COMPLEX"),
    ] {
        let both = json!({ "query": document, "extensions": by_hash(&hash(document)) });
        assert_eq!(code(&post(&app, principal, both).await), wanted, "{document}");
        let answer = post(&app, principal, json!({ "extensions": by_hash(&hash(document)) })).await;
        assert_eq!(code(&answer), "PERSISTED_QUERY_NOT_FOUND", "{document}");
    }
}

#[tokio::test]
async fn a_mutation_is_not_executed_by_get_whatever_names_it() {
    let app = TestApp::new().await;
    let document = "mutation { refreshPayUrl(input: { invoiceId: \"inv_1\" }) { url } }";
    post(&app, "merchant", json!({ "query": document, "extensions": by_hash(&hash(document)) })).await;
    assert_eq!(get(&app, &[("extensions", &by_hash(&hash(document)).to_string())]).await.0, 405);
}

#[tokio::test]
async fn asking_by_hash_can_be_switched_off() {
    let app = server(DocumentSettings { persisted: false, ..DocumentSettings::default() }, &[]).await;
    let both = json!({ "query": DOCUMENT, "extensions": by_hash(&hash(DOCUMENT)) });
    assert_eq!(post(&app, "merchant", both).await.1["data"]["viewer"]["kind"], "MERCHANT");
    let answer = post(&app, "merchant", json!({ "extensions": by_hash(&hash(DOCUMENT)) })).await;
    assert_eq!((answer.0, code(&answer)), (200, "PERSISTED_QUERY_NOT_SUPPORTED"));
    assert_eq!(answer.1["errors"][0]["message"], "PersistedQueryNotSupported");
}

// ---- Trusted documents ------------------------------------------------------------------------------------------

const TRUSTED: [(&str, &str); 2] =
    [("who", DOCUMENT), ("bill", "query Bill($id: ID!) { invoice(id: $id) { number } }")];

#[tokio::test]
async fn trusted_documents_are_asked_for_by_their_id() {
    let app = server(DocumentSettings::default(), &TRUSTED).await;
    let wanted = post(&app, "merchant", json!({ "query": DOCUMENT })).await;
    assert_eq!(wanted.1["data"]["viewer"]["kind"], "MERCHANT");
    for body in [
        json!({ "documentId": "who" }),
        json!({ "documentId": hash(DOCUMENT) }),
        json!({ "documentId": "who", "query": DOCUMENT }),
        json!({ "extensions": by_hash("who") }),
        json!({ "extensions": by_hash(&hash(DOCUMENT)) }),
    ] {
        assert_eq!(post(&app, "merchant", body.clone()).await, wanted, "{body}");
    }
    assert_eq!(get(&app, &[("documentId", "who")]).await, wanted);
    let id = app.invoice("overage-week");
    let bill = post(&app, "merchant", json!({ "documentId": "bill", "variables": { "id": id } })).await;
    assert!(bill.1["data"]["invoice"]["number"].is_string(), "{bill:?}");
    let missing = post(&app, "merchant", json!({ "documentId": "bill" })).await;
    assert_eq!(code(&missing), "BAD_USER_INPUT", "variables are checked all the same");
    assert_eq!(code(&post(&app, "merchant", json!({ "documentId": "nothing" })).await), "PERSISTED_QUERY_NOT_FOUND");
    let other = json!({ "documentId": "who", "query": "{ viewer { tenantId } }" });
    assert_eq!(code(&post(&app, "merchant", other).await), "PERSISTED_QUERY_MISMATCH");
    let foreign = post(&app, "merchant", json!({ "query": "{ viewer { tenantId } }" })).await;
    assert!(foreign.1["data"]["viewer"]["tenantId"].is_string(), "others are answered too");
}

#[tokio::test]
async fn where_only_trusted_documents_are_answered_no_other_is() {
    let settings = DocumentSettings { trusted_mode: TrustedMode::Only, ..DocumentSettings::default() };
    let app = server(settings, &TRUSTED).await;
    for body in [json!({ "documentId": "who" }), json!({ "query": DOCUMENT }), json!({ "extensions": by_hash("who") })]
    {
        assert_eq!(post(&app, "merchant", body).await.1["data"]["viewer"]["kind"], "MERCHANT");
    }
    let other = "{ viewer { tenantId } }";
    for body in [
        json!({ "query": other }),
        json!({ "query": format!("{DOCUMENT} ") }),
        json!({ "query": other, "extensions": by_hash(&hash(other)) }),
        json!({ "query": "{ __schema { queryType { name } } }" }),
        json!({ "query": "{" }),
    ] {
        let answer = post(&app, "merchant", body.clone()).await;
        assert_eq!((answer.0, code(&answer)), (400, "DOCUMENT_NOT_TRUSTED"), "{body}");
    }
    let kept = post(&app, "merchant", json!({ "extensions": by_hash(&hash(other)) })).await;
    assert_eq!(code(&kept), "PERSISTED_QUERY_NOT_FOUND");
}

#[tokio::test]
async fn trusted_documents_can_be_left_aside() {
    let settings = DocumentSettings { trusted_mode: TrustedMode::Off, ..DocumentSettings::default() };
    let app = server(settings, &TRUSTED).await;
    assert_eq!(code(&post(&app, "merchant", json!({ "documentId": "who" })).await), "PERSISTED_QUERY_NOT_FOUND");
    assert_eq!(post(&app, "merchant", json!({ "query": DOCUMENT })).await.1["data"]["viewer"]["kind"], "MERCHANT");
}

// ---- The cache --------------------------------------------------------------------------------------------------

/// Requests for one document, valid and not, one after the other: what is remembered of those before must not show.
#[expect(clippy::too_many_lines, reason = "a list")]
fn conversations(invoice: &str) -> Vec<(&'static str, Vec<Value>)> {
    let page = "query($first: Int, $after: String) { invoices(first: $first, after: $after) { nodes { number } } }";
    let required = "query($id: ID!, $n: Int!) { invoice(id: $id) { lineItems(first: $n) { description } } }";
    let nullable = "query($n: Int = 3) { rentals(first: 1) { nodes { invoices(first: $n) { id } } } }";
    let listed = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    let words = "query($status: [InvoiceStatus!], $f: InvoiceFilter) { invoices(first: 2, filter: {status: $status}) { \
        nodes { number } } more: invoices(first: 1, filter: $f) { nodes { id } } }";
    let instants = "query($from: DateTime!) { invoices(first: 2, filter: {createdAt: {gte: $from}}) { nodes { id } } }";
    let skipped = "query($yes: Boolean!) { viewer { kind tenantId @include(if: $yes) } }";
    vec![
        (
            page,
            vec![
                json!({"first": 2}),
                json!({"first": 3}),
                json!({"first": 0}),
                json!({"first": "x"}),
                json!({"first": 2.5}),
                json!({"first": 3_000_000_000_u32}),
                json!({"first": null}),
                json!({}),
                json!({"after": "nonsense"}),
                json!({"first": 2, "after": null}),
                json!({"first": 2, "after": 7}),
            ],
        ),
        (
            required,
            vec![
                json!({"id": invoice, "n": 2}),
                json!({"id": invoice, "n": 3}),
                json!({"id": invoice}),
                json!({"id": null, "n": 1}),
                json!({"id": 5, "n": 1}),
                json!({"id": 18_446_744_073_709_551_615_u64, "n": 1}),
                json!({"id": ["x"], "n": 1}),
                json!({"id": invoice, "n": -1}),
            ],
        ),
        (nullable, vec![json!({"n": 2}), json!({}), json!({"n": null}), json!({"n": 1}), json!({"n": []})]),
        (
            listed,
            vec![
                json!({"ids": [invoice]}),
                json!({"ids": invoice}),
                json!({"ids": []}),
                json!({"ids": [null]}),
                json!({"ids": [invoice, 7]}),
                json!({"ids": [[invoice]]}),
            ],
        ),
        (
            words,
            vec![
                json!({"status": ["PAID"], "f": {"overdue": true}}),
                json!({"status": ["NOTHING"], "f": {"overdue": true}}),
                json!({"status": ["PAID"], "f": {"nothing": true}}),
                json!({"status": "OPEN"}),
                json!({"status": [1]}),
            ],
        ),
        (
            instants,
            vec![
                json!({"from": "2026-01-01T00:00:00Z"}),
                json!({"from": "yesterday"}),
                json!({"from": 5}),
                json!({"from": {"a": 1}}),
                json!({"from": "2026-06-01T00:00:00Z"}),
            ],
        ),
        (skipped, vec![json!({"yes": true}), json!({"yes": false}), json!({"yes": "no"}), json!({})]),
    ]
}

/// An answer without what depends on the questions before it.
fn of_question((status, mut answer): (u16, Value)) -> (u16, Value) {
    if let Some(cost) = answer.pointer_mut("/extensions/cost").and_then(Value::as_object_mut) {
        cost.remove("remaining");
    }
    (status, answer)
}

#[tokio::test]
async fn what_is_remembered_of_a_document_changes_no_answer() {
    let remembering = TestApp::new().await;
    let forgetting = server(DocumentSettings { cache_bytes: 0, ..DocumentSettings::default() }, &[]).await;
    let invoice = remembering.invoice("overage-week");
    for (document, requests) in conversations(&invoice) {
        for _round in 0..2 {
            for variables in &requests {
                let body = json!({ "query": document, "variables": variables });
                let remembered = of_question(post(&remembering, "merchant", body.clone()).await);
                let forgotten = of_question(post(&forgetting, "merchant", body).await);
                assert_eq!(remembered, forgotten, "{document} {variables}");
            }
        }
    }
}

/// What is remembered of a document's validity relies on it: only whether a scalar is given, not what it is.
#[test]
fn the_validators_do_not_look_at_values_of_our_scalars() {
    for entry in std::fs::read_dir(format!("{}/src/graphql", env!("CARGO_MANIFEST_DIR"))).unwrap() {
        let path = entry.unwrap().path();
        let text = if path.is_file() { std::fs::read_to_string(&path).unwrap() } else { String::new() };
        assert!(!text.contains("fn is_valid("), "{}: then `Shape` must not count its scalars", path.display());
    }
}

// ---- A measurement ----------------------------------------------------------------------------------------------

/// How long the reference query takes that is read anew, that is kept parsed, and that is known to be valid as well:
/// one after the other in turn, on SQLite. On a machine with other work the quickest says more than the median.
#[tokio::test]
#[ignore = "a measurement, for ./dev bench documents"]
#[expect(clippy::print_stderr, reason = "what was measured")]
async fn what_is_saved_on_a_document_that_is_known() {
    let gateway = Gateway::new(Engine::Sqlite).await;
    let demo = load(&gateway).await;
    let id = demo.characters.iter().find(|(name, _)| *name == "declined-topup").unwrap().1.0.clone();
    let principal = principals().into_iter().find(|principal| principal.name == "merchant").unwrap();
    let merchant = gateway::merchant(&principal.tenant);
    let text = std::fs::read_to_string(format!("{}/examples/reference.graphql", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let (full, known) = (graphql::schema(), graphql::schema_for_known_documents());
    let costs = graphql::cost::table(&full).unwrap();
    let kept = parse_query(&text).unwrap();
    let read = || {
        gate::examine(&text, &Limits::default(), &costs).unwrap();
        parse_query(&text).unwrap()
    };
    let find = || {
        std::hint::black_box(DocumentHash::of(&text));
        kept.clone()
    };
    let ask = async |schema: &graphql::Schema, document: &dyn Fn() -> ExecutableDocument| {
        let reader = gateway.store.reader(Whose::Everyones, &Arc::default());
        let context = RequestContext::new(merchant.clone(), reader, Arc::clone(&gateway.links), gateway.now);
        let begun = Instant::now();
        let variables = Variables::from_json(json!({ "id": id }));
        let mut request = Request::new("").variables(variables).data(context);
        request.set_parsed_query(document());
        let response = unconstrained(schema.execute(request)).await;
        let took = begun.elapsed();
        assert_eq!(response.errors.len(), 1, "the pay link alone: {:?}", response.errors);
        took
    };
    let mut took: [Vec<Duration>; 5] = std::array::from_fn(|_| Vec::new());
    for _ in 0..400 {
        took[0].push(ask(&full, &read).await);
        took[1].push(ask(&full, &find).await);
        took[2].push(ask(&known, &find).await);
        let begun = Instant::now();
        std::hint::black_box(read());
        took[3].push(begun.elapsed());
        let begun = Instant::now();
        std::hint::black_box(find());
        took[4].push(begun.elapsed());
    }
    let names =
        ["read anew", "kept parsed", "kept and known to be valid", "gate and parser alone", "hash and copy alone"];
    for (name, mut took) in names.into_iter().zip(took) {
        took.sort();
        eprintln!("{name}: quickest {:?}, median {:?}", took[0], took[took.len() / 2]);
    }
}
