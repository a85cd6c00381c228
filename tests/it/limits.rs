//! Limits that are settings: a tightened one refuses what is one above it, and the twin, a loosened one, lets that through.

use std::time::Duration;

use billing_gateway::app::config::{Config, Settings};
use billing_gateway::gate::{self, GateError};
use billing_gateway::graphql;
use billing_gateway::http::{Documents, RequestLimits, Trusted};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::app::{TestApp, documents};
use crate::support::database::Engine;
use crate::support::hooks::{Hooks, event, now, signed};

fn configured(setting: &str, number: usize) -> Config {
    toml::from_str::<Settings>(&format!("{setting} = {number}")).unwrap().validate(true).unwrap()
}

// ---- Documents --------------------------------------------------------------------------------------------------

/// A limit of documents.
struct Limit {
    setting: &'static str,
    /// A number below the default, and one above it; the same where the default is the ceiling.
    tightened: usize,
    loosened: usize,
    code: &'static str,
    /// The document that needs exactly so much, and of everything else little.
    document: fn(usize) -> String,
}

fn nested(count: usize, open: &str, inside: &str, close: &str) -> String {
    format!("{}{inside}{}", open.repeat(count), close.repeat(count))
}

fn numbered(count: usize, part: impl Fn(usize) -> String) -> String {
    (1..=count).map(part).collect()
}

const LARGE: &str = "QUERY_TOO_LARGE";
const DEEP: &str = "QUERY_TOO_DEEP";
const COMPLEX: &str = "QUERY_TOO_COMPLEX";

fn limits() -> Vec<Limit> {
    let limit = |setting, tightened, loosened, code, document| Limit { setting, tightened, loosened, code, document };
    vec![
        limit("document_bytes_max", 50, 30_000, LARGE, |n| format!("{{ a }}#{}", "x".repeat(n - 6))),
        limit("document_tokens_max", 20, 3_000, LARGE, |n| format!("{{ a(x: [{}]) }}", "1 ".repeat(n - 9))),
        limit("document_name_bytes_max", 10, 200, LARGE, |n| format!("{{ {} }}", "a".repeat(n))),
        limit("document_nesting_max", 5, 60, DEEP, |n| format!("{{ a(x: {}) }}", nested(n - 2, "[", "", "]"))),
        limit("document_depth_max", 3, 20, DEEP, |n| format!("{{ {} }}", nested(n - 1, "a { ", "b", " }"))),
        limit("document_introspection_depth_max", 3, 30, DEEP, |n| {
            format!("{{ __type {{ {} }} }}", nested(n - 2, "ofType { ", "name", " }"))
        }),
        limit("document_introspection_lists_max", 1, 2, DEEP, |n| {
            format!("{{ __type {{ {} }} }}", nested(n, "fields { type { ", "name", " } }"))
        }),
        limit("document_introspections_max", 1, 2, COMPLEX, |n| format!("{{ {} }}", "__type { name } ".repeat(n))),
        limit("document_introspection_repeats_max", 1, 3, COMPLEX, |n| {
            format!("{{ __schema {{ {} }} }}", "types { name } ".repeat(n))
        }),
        limit("document_levels_max", 4, 38, DEEP, |n| format!("{{ {} }}", nested(n - 1, "... { ", "a", " }"))),
        limit("document_expanded_fields_max", 500, 12_000, COMPLEX, |n| {
            let (spreads, rest) = ((n - 1) / 100, "b ".repeat((n - 1) % 100));
            let outer = format!("fragment E on T {{ a {{ {} {rest} }} }}", "...F ".repeat(spreads));
            format!("{{ a }} {outer} fragment F on T {{ {} }}", "a ".repeat(99))
        }),
        limit("document_fields_max", 20, 700, COMPLEX, |n| format!("{{ a {{ {} }} }}", "b ".repeat(n - 1))),
        limit("document_expanded_tokens_max", 2_000, 60_000, COMPLEX, |n| {
            let (spreads, rest) = ((n - 9) / 115, "b ".repeat((n - 9) % 115));
            let (list, spreads) = ("1 ".repeat(100), "...F ".repeat(spreads));
            format!("{{ a }} fragment E on T {{ a {{ {spreads} {rest} }} }} fragment F on T {{ a(x: [{list}]) }}")
        }),
        limit("document_aliases_max", 2, 40, COMPLEX, |n| format!("{{ a {{ {} }} }}", "b: a ".repeat(n))),
        limit("document_root_fields_max", 2, 40, COMPLEX, |n| format!("{{ {} }}", "a ".repeat(n))),
        limit("document_directives_max", 2, 40, COMPLEX, |n| format!("{{ a {{ {} }} }}", "a @d ".repeat(n))),
        limit("document_directives_per_place_max", 1, 8, COMPLEX, |n| format!("{{ a {} }}", "@d ".repeat(n))),
        limit("document_operations_max", 1, 20, COMPLEX, |n| numbered(n, |at| format!("query Q{at} {{ a }} "))),
        limit("document_fragments_max", 2, 80, COMPLEX, |n| {
            format!("{{ a }} {}", numbered(n, |at| format!("fragment F{at} on T {{ a }} ")))
        }),
        limit("document_variables_max", 2, 80, COMPLEX, |n| {
            format!("query ({}) {{ a }}", numbered(n, |at| format!("$v{at}: Int ")))
        }),
    ]
}

fn checked(setting: &str, number: usize, document: &str) -> Result<(), GateError> {
    gate::check(document, &configured(setting, number).documents.settings.limits).map(|_measured| ())
}

#[test]
fn every_limit_of_documents_can_be_tightened_and_loosened() {
    let limits = limits();
    let fields = format!("{:?}", gate::Limits::DEFAULT).matches(": ").count();
    assert_eq!(limits.len(), fields, "one for each number");
    for Limit { setting, tightened, loosened, code, document } in limits {
        // What needs more than is usual of something else is let through there.
        let inside = checked(setting, tightened, &document(tightened));
        assert_eq!(inside, Ok(()), "{setting} = {tightened}");
        let above = checked(setting, tightened, &document(tightened + 1)).unwrap_err();
        assert_eq!(above.code(), code, "{setting} = {tightened}");
        let named = format!("{}, {tightened} allowed", tightened + 1);
        assert!(above.to_string().ends_with(&named), "{setting}: {above}");
        assert_eq!(checked(setting, loosened, &document(tightened + 1)), Ok(()), "{setting} = {loosened}");
    }
}

#[test]
fn what_the_defaults_refuse_passes_where_a_limit_is_loosened() {
    for Limit { setting, loosened, code, document, .. } in limits() {
        match gate::check(&document(loosened), &gate::Limits::DEFAULT) {
            Ok(_) => assert_eq!(setting, "document_introspection_lists_max", "only there is the default the ceiling"),
            Err(refused) => assert_eq!(refused.code(), code, "{setting}"),
        }
        let above = checked(setting, loosened, &document(loosened + 1)).unwrap_err();
        assert!(above.to_string().ends_with(&format!("{loosened} allowed")), "{setting}: {above}");
        let admitted = checked(setting, loosened, &document(loosened));
        assert_eq!(admitted, Ok(()), "{setting} = {loosened}");
    }
}

#[test]
fn a_limit_beyond_its_bounds_keeps_the_server_from_starting() {
    for (setting, number) in [("document_depth_max", 25), ("document_nesting_max", 251), ("document_bytes_max", 0)] {
        let settings = toml::from_str::<Settings>(&format!("{setting} = {number}")).unwrap();
        let fault = settings.validate(true).unwrap_err().to_string();
        let name = format!("BILLING_{} is {number}, not a whole number from 1 to ", setting.to_uppercase());
        assert!(fault.starts_with(&name), "{fault}");
    }
}

#[tokio::test]
async fn the_server_goes_by_the_limits_it_was_given() {
    let settings = configured("document_depth_max", 2).documents.settings;
    let strict = Documents::new(&graphql::schema(), settings, Trusted::default()).unwrap();
    for (documents, refused) in [(strict, true), (documents(), false)] {
        let app = TestApp::with_documents(documents).await;
        let answer = app.ask(&app.token("merchant"), "{ invoices { nodes { id } } }", json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"] == "QUERY_TOO_DEEP", refused, "{answer}");
        let message = answer["errors"][0]["message"].as_str();
        assert_eq!(message.is_some_and(|message| message.ends_with("3, 2 allowed")), refused, "{answer}");
    }
}

// ---- Requests and answers ---------------------------------------------------------------------------------------

async fn with(setting: &str, number: usize) -> TestApp {
    TestApp::with_limits(configured(setting, number).limits).await
}

/// Posts a body, and gives status, code and message of the first error.
async fn post(app: &TestApp, body: &Value) -> (u16, String, String) {
    let request = app.client.post(app.url("/graphql")).bearer_auth(app.token("merchant")).json(body);
    let answer = request.send().await.unwrap();
    let (status, answer) = (answer.status().as_u16(), answer.json::<Value>().await.unwrap());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let error = &answer["errors"][0];
    (status, text(&error["extensions"]["code"]), text(&error["message"]))
}

#[tokio::test]
async fn bodies_are_as_large_as_the_setting_says() {
    let padded = |bytes: usize| {
        let room = bytes - json!({"query": "{ viewer { kind } }", "padding": ""}).to_string().len();
        json!({"query": "{ viewer { kind } }", "padding": "x".repeat(room)})
    };
    for bytes in [2_000, 300_000] {
        let app = with("body_bytes_max", bytes).await;
        assert_eq!(post(&app, &padded(bytes)).await.0, 200, "{bytes}");
        let (status, code, message) = post(&app, &padded(bytes + 1)).await;
        assert_eq!((status, code.as_str()), (413, "QUERY_TOO_LARGE"));
        assert_eq!(message, format!("The body is larger than {bytes} bytes."));
    }
}

#[tokio::test]
async fn the_json_of_a_request_has_as_many_values_as_the_setting_says() {
    let body = |values: usize| json!({"query": "{ viewer { kind } }", "more": vec![1; values - 3]});
    for values in [20, 12_000] {
        let app = with("body_values_max", values).await;
        assert_eq!(post(&app, &body(values)).await.0, 200, "{values}");
        let (status, code, message) = post(&app, &body(values + 1)).await;
        assert_eq!((status, code.as_str()), (400, "BAD_USER_INPUT"));
        assert_eq!(message, format!("The parameters have more than {values} values."));
    }
}

#[tokio::test]
async fn webhooks_are_as_large_as_the_setting_says() {
    let padded = |bytes: usize| {
        let mut event = event("evt_1", "invoice.paid", now(), &json!({}));
        event["padding"] = json!("");
        let room = bytes - event.to_string().len();
        event["padding"] = json!("x".repeat(room));
        event.to_string()
    };
    for bytes in [70_000, 1_100_000] {
        let hooks = Hooks::limited(Engine::Sqlite, configured("webhook_body_bytes_max", bytes).limits).await;
        let (inside, above) = (padded(bytes), padded(bytes + 1));
        assert_eq!(hooks.post("default", &inside, Some(&signed(&inside))).await.0, 200, "{bytes}");
        assert_eq!(hooks.post("default", &above, Some(&signed(&above))).await.0, 413, "{bytes}");
    }
}

#[tokio::test]
async fn lists_of_an_answer_have_as_many_objects_as_the_setting_says() {
    let lines = |app: &TestApp, first: usize| json!({"query": format!("{{ invoice(id: \"{}\") {{ lineItems(first: {first}) {{ id }} }} }}", app.invoice("whale"))});
    let app = with("answer_objects_max", 300).await;
    assert_eq!(post(&app, &lines(&app, 300)).await.1, "");
    let (_, code, message) = post(&app, &lines(&app, 301)).await;
    assert_eq!(code, "QUERY_TOO_COMPLEX");
    assert!(message.contains("300"), "{message}");
    let twin = with("answer_objects_max", 301).await;
    assert_eq!(post(&twin, &lines(&twin, 301)).await.1, "");
}

#[tokio::test]
async fn an_answer_has_as_many_errors_as_the_setting_says() {
    let variables = numbered(8, |at| format!("$v{at}: Int "));
    for (most, shown) in [(3, 4), (200, 8)] {
        let app = with("answer_errors_max", most).await;
        let query = format!("query ({variables}) {{ viewer {{ kind }} }}");
        let answer = app.ask(&app.token("merchant"), &query, json!({})).await;
        let errors = answer["errors"].as_array().unwrap();
        assert_eq!(errors.len(), shown);
        let last = &errors.last().unwrap()["extensions"];
        let cut = if most == 3 { json!("ERRORS_TRUNCATED") } else { json!("GRAPHQL_VALIDATION_FAILED") };
        assert_eq!(last["code"], cut);
        assert_eq!(last["count"], if most == 3 { json!(5) } else { Value::Null });
    }
}

#[tokio::test]
async fn a_request_has_as_much_time_as_the_setting_says() {
    let limits = configured("request_timeout_ms", 300).limits;
    for (limits, status) in [(limits, "408"), (RequestLimits::default(), "200")] {
        let app = TestApp::with_limits(limits).await;
        let answer = late(&app, Duration::from_millis(900)).await;
        assert_eq!(answer.split(' ').nth(1), Some(status), "{answer}");
    }
}

/// Sends a request of which the second half of the body comes late, and gives the answer.
async fn late(app: &TestApp, pause: Duration) -> String {
    let (first, second) = ("{\"query\": \"{ viewer ", "{ kind } }\"}");
    let address = app.url("").replace("http://", "");
    let mut socket = TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{first}",
        app.token("merchant"),
        first.len() + second.len(),
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(pause).await;
    // Who was answered already may not be listened to any more.
    let _sent = socket.write_all(second.as_bytes()).await;
    let mut answer = Vec::new();
    let _end = socket.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}
