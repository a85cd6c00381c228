//! What a valid credential can ask for at the most: deep documents, wide answers.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use billing_gateway::cli;
use billing_gateway::gate::Limits;
use billing_gateway::graphql::schema;
use billing_gateway::http::{CostLimits, DocumentSettings, Documents, Trusted};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::app::{TestApp, http_client};
use crate::support::program::{program, run};

/// A selection that goes round a circle of the schema until it is as deep as a document may be.
fn around(circle: &[&str], depth: usize) -> String {
    let fields: Vec<_> = circle.iter().cycle().take(depth).collect();
    fields.iter().rev().fold("id".to_owned(), |inner, field| format!("{field} {{ {inner} }}"))
}

/// The deepest documents through each circle of the schema, from a root that gives objects. `depth` is a multiple of 12.
fn deepest(invoice: &str, payment: &str, depth: usize) -> Vec<String> {
    let list = |inner: &str| format!("{{ invoices(first: 1) {{ nodes {{ {inner} }} }} }}");
    let one = |inner: &str| format!("{{ invoice(id: \"{invoice}\") {{ {inner} }} }}");
    let paid = |inner: &str| format!("{{ payment(id: \"{payment}\") {{ {inner} }} }}");
    vec![
        list(&around(&["customer", "invoices(first: 1)", "nodes"], depth - 3)),
        one(&around(&["lineItems(first: 1)", "invoice"], depth - 2)),
        one(&around(&["rental", "invoices(first: 1)"], depth - 2)),
        one(&around(&["customer", "rentals(first: 1)", "nodes", "invoices(first: 1)"], depth - 4)),
        one(&around(&["payments(first: 1)", "invoice"], depth - 2)),
        paid(&around(&["invoice", "payments(first: 1)"], depth - 2)),
    ]
}

/// Wraps the document's deepest part in fragments, which cost levels and no depth.
fn in_fragments(document: &str, levels: usize) -> String {
    let link = |n: usize| format!("fragment F{n} on Invoice {{ ...F{} }}", n + 1);
    let chain: Vec<_> = (0..levels).map(link).collect();
    let chain = chain.join(" ");
    format!("{} {chain} fragment F{levels} on Invoice {{ id }}", document.replacen("{ id }", "{ ...F0 }", 1))
}

/// The program, serving the demo, and an invoice and a payment of it.
struct Server {
    process: Child,
    ready: Value,
    client: reqwest::Client,
    _folder: TempDir,
}

impl Server {
    fn start(flags: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = format!("sqlite://{}", folder.path().join("demo.db").display());
        let mut process = Command::new(env!("CARGO_BIN_EXE_billing-gateway"))
            .args(["serve", "--demo", "--demo-size", "tiny", "--json", "--listen", "127.0.0.1:0"])
            .args(["--database-url", &database])
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { process, ready: serde_json::from_str(&line).unwrap(), client: http_client(), _folder: folder }
    }

    async fn ask(&self, query: &str) -> Value {
        let token = self.ready["tokens"]["merchant"].as_str().unwrap();
        let request = self.client.post(self.ready["graphql"].as_str().unwrap()).bearer_auth(token);
        request.json(&json!({ "query": query })).send().await.expect("the server lives").json::<Value>().await.unwrap()
    }

    fn invoice(&self) -> &str {
        self.ready["characters"]["written-off-then-paid"].as_str().unwrap()
    }

    async fn payment(&self) -> String {
        let query = format!("{{ invoice(id: \"{}\") {{ payments {{ id }} }} }}", self.invoice());
        self.ask(&query).await["data"]["invoice"]["payments"][0]["id"].as_str().unwrap().to_owned()
    }

    /// Asks the deepest documents, as they are and with so many fragments around their deepest part.
    async fn survives(&self, depth: usize, levels: [usize; 2]) {
        for document in deepest(self.invoice(), &self.payment().await, depth) {
            let answer = self.ask(&document).await;
            assert_eq!(answer.get("errors"), None, "{document}");
            // Too many levels are refused; what is admitted is answered. Either way the server lives.
            for levels in levels {
                self.ask(&in_fragments(&document, levels)).await;
            }
        }
        assert!(self.ask("{ viewer { kind } }").await["data"]["viewer"].is_object());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Every setting of an area as a flag, loosened as far as it may be.
fn loosest(area: &str) -> Vec<String> {
    let mut command = cli::command();
    command.build();
    let serve = command.find_subcommand("serve").unwrap();
    let settings = serve.get_arguments().filter(|argument| argument.get_help_heading() == Some(area));
    let flags = settings.map(|setting| {
        let help = setting.get_help().unwrap().to_string();
        let most = help.rsplit_once(" to ").unwrap().1.strip_suffix(']').unwrap();
        format!("--{}={most}", setting.get_long().unwrap())
    });
    flags.collect()
}

#[tokio::test]
async fn the_deepest_document_that_is_admitted_does_not_end_the_process() {
    Server::start(&[]).survives(Limits::DEFAULT.depth_fields, [18, 30]).await;
}

#[tokio::test]
async fn neither_does_it_where_every_limit_is_as_loose_as_it_may_be() {
    let flags = loosest("Limits");
    assert!(flags.len() > 20, "{flags:?}");
    let server = Server::start(&flags);
    let Limits { nesting_brackets, selection_levels, depth_fields, expanded_fields, aliases, .. } = Limits::CEILING;
    server.survives(depth_fields, [selection_levels - depth_fields - 1, selection_levels]).await;
    let deep = in_fragments(&deepest(server.invoice(), "", depth_fields)[1], selection_levels - depth_fields - 1);
    assert_eq!(server.ask(&deep).await.get("errors"), None, "as deep as it may be in fields and in levels");
    for document in nested_values(nesting_brackets) {
        let answer = server.ask(&document).await;
        assert!(["BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"].contains(&code(&answer)), "{answer}");
    }
    let spreads = expanded_fields / 200 - 1;
    let fan = format!("{} fragment F on Viewer {{ {} }}", "...F ".repeat(spreads), "kind ".repeat(198));
    let begun = Instant::now();
    let (inside, fragment) = fan.split_once("fragment").unwrap();
    let answer = server.ask(&format!("{{ viewer {{ {inside} }} }} fragment{fragment}")).await;
    assert_eq!(answer.get("errors"), None);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let types = "types { name fields { name type { fields { name description type { name kind } } } } }";
    let types = (0..aliases).map(|at| format!("t{at}: {types} ")).collect::<Vec<_>>().concat();
    let types = format!("{{ __schema {{ {types} }} }}");
    let answer = server.ask(&types).await.to_string();
    assert!(answer.len() < 16 * 1024 * 1024, "{}", answer.len());
    assert!(server.ask("{ viewer { kind } }").await["data"]["viewer"].is_object());
}

/// Documents that are nested as deep in values and types as they may be.
fn nested_values(brackets: usize) -> Vec<String> {
    let nested = |around: usize, open: &str, inside: &str, close: &str| {
        format!("{}{inside}{}", open.repeat(brackets - around), close.repeat(brackets - around))
    };
    vec![
        format!("{{ viewer {{ kind @include(if: {}) }} }}", nested(3, "[", "1", "]")),
        format!("{{ invoices(filter: {}) {{ totalCount }} }}", nested(2, "{a: ", "1", "}")),
        format!("query ($a: {}) {{ viewer {{ kind }} }}", nested(1, "[", "Int", "]")),
        format!("query ($a: Int = {}) {{ viewer {{ kind }} }}", nested(1, "[", "1", "]")),
    ]
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

#[test]
fn files_of_documents_are_checked_with_limits_as_loose_as_they_may_be() {
    let folder = tempfile::tempdir().unwrap();
    for (at, document) in nested_values(Limits::CEILING.nesting_brackets).iter().enumerate() {
        let file = folder.path().join(format!("{at}.graphql"));
        std::fs::write(&file, document).unwrap();
        let mut check = program(folder.path());
        check.args(["documents", "hash"]).arg(&file).args(loosest("Limits"));
        let said = run(check);
        assert_eq!(said.code, Some(1), "refused, and not ended by a signal: {said:?}");
        let mut strict = program(folder.path());
        strict.args(["documents", "hash"]).arg(&file);
        let said = run(strict);
        assert!(said.err.contains("40 allowed"), "{said:?}");
    }
}

/// Asks for the schema in ways that multiply it, and gives the code of each refusal, or how long the answer is.
async fn multiplied(app: &TestApp) -> Vec<Result<usize, String>> {
    let types = |count: usize| (0..count).map(|n| format!("t{n}: types {{ ...F }} ")).collect::<Vec<_>>().concat();
    let lists = "fields { name description args { name } } enumValues { name }";
    let documents = [
        format!("{{ __schema {{ {} }} }} fragment F on __Type {{ {lists} }}", types(30)),
        format!(
            "{{ __schema {{ ...S }} }} fragment S on __Schema {{ {} }} fragment F on __Type {{ {lists} }}",
            types(3)
        ),
        format!("{{ a: __schema {{ ...S }} b: __schema {{ ...S }} }} fragment S on __Schema {{ types {{ {lists} }} }}"),
        "{ a: __type(name: \"Invoice\") { name } ...F } fragment F on Query { b: __type(name: \"Query\") { name } }"
            .into(),
    ];
    let mut told = Vec::new();
    for document in documents {
        let answer = app.ask(&app.token("merchant"), &document, json!({})).await;
        let code = answer["errors"][0]["extensions"]["code"].as_str();
        told.push(code.map_or_else(|| Ok(answer.to_string().len()), |code| Err(code.to_owned())));
    }
    told
}

#[tokio::test]
async fn the_schema_is_answered_once_however_often_it_is_asked_for() {
    let refused = multiplied(&TestApp::new().await).await;
    assert!(refused.iter().all(|told| *told == Err("QUERY_TOO_COMPLEX".to_owned())), "{refused:?}");
}

#[tokio::test]
async fn without_limits_the_same_questions_are_answered_at_length() {
    let limits = Limits { introspections: 100, introspection_repeats: 100, ..Limits::default() };
    let cost_limits = CostLimits { customers: 10_000_000, others: 10_000_000 };
    let settings = DocumentSettings { limits, cost_limits, ..DocumentSettings::default() };
    let documents = Documents::new(&schema(), settings, Trusted::default()).unwrap();
    let answered = multiplied(&TestApp::with_documents(documents).await).await;
    assert!(answered[0].as_ref().is_ok_and(|bytes| *bytes > 1_000_000), "{answered:?}");
    assert!(answered.iter().all(Result::is_ok), "{answered:?}");
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
