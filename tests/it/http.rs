//! GraphQL over HTTP as clients meet it: statuses, media types, headers, limits; and health and the explorer.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers fail the test at once, and indexing into JSON gives null"
)]

use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::support::app::TestApp;

const GRAPHQL_JSON: &str = "application/graphql-response+json";
const JSON: &str = "application/json";

/// The smallest query there is.
const TYPENAME: &str = "{ __typename }";

/// A refusal may take this long, on a slow machine; the bombs took minutes before there was a gate.
const REFUSED_WITHIN: Duration = Duration::from_secs(2);

/// What must never be in an answer: names of our parts, of the database, of the language.
const INTERNALS: [&str; 9] =
    ["async_graphql", "sqlx", "sea_orm", "panicked", "src/", ".rs", "Error(", "SELECT ", "RUST_BACKTRACE"];

/// An answer that was read to its end.
struct Answer {
    status: u16,
    media: String,
    body: Value,
    text: String,
}

impl Answer {
    async fn of(response: Response) -> Self {
        let status = response.status().as_u16();
        let media = header(&response, "content-type").unwrap_or_default();
        let text = response.text().await.expect("the answer is text");
        for internal in INTERNALS {
            assert!(!text.contains(internal), "{internal} in {text}");
        }
        let body = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        Self { status, media, body, text }
    }

    fn code(&self) -> &str {
        self.body["errors"][0]["extensions"]["code"].as_str().unwrap_or("none")
    }

    fn has_data(&self) -> bool {
        self.body.as_object().is_some_and(|body| body.contains_key("data"))
    }

    /// Asserts a refusal before execution: its status, its code, and that no `data` was begun.
    #[track_caller]
    fn is_refused(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.code()), (status, code), "{}", self.text);
        assert!(!self.has_data(), "{}", self.text);
        for error in self.body["errors"].as_array().expect("errors") {
            let message = error["message"].as_str().expect("a message");
            assert!(message.chars().count() <= 200 && !message.contains(char::is_control), "{message}");
            assert!(error["extensions"]["code"].is_string(), "{error}");
        }
    }

    #[track_caller]
    fn is_answered(&self) {
        assert_eq!(self.status, 200, "{}", self.text);
        assert_eq!(self.body["data"]["__typename"], "Query", "{}", self.text);
        assert!(self.body.get("errors").is_none(), "{}", self.text);
    }
}

fn header(response: &Response, name: &str) -> Option<String> {
    let value = response.headers().get(name)?;
    Some(value.to_str().expect("plain text").to_owned())
}

fn post(app: &TestApp) -> RequestBuilder {
    app.client.post(app.url("/graphql")).bearer_auth(app.token("merchant"))
}

fn get(app: &TestApp, parameters: &[(&str, &str)]) -> RequestBuilder {
    let address = url::Url::parse_with_params(&app.url("/graphql"), parameters).expect("an address");
    app.client.get(address).bearer_auth(app.token("merchant"))
}

async fn send(request: RequestBuilder) -> Answer {
    Answer::of(request.send().await.expect("an answer")).await
}

/// Sends `body` by POST, accepting `media`.
async fn ask_as(app: &TestApp, media: &str, body: &Value) -> Answer {
    send(post(app).header("accept", media).json(body)).await
}

async fn ask(app: &TestApp, body: &Value) -> Answer {
    ask_as(app, GRAPHQL_JSON, body).await
}

async fn still_answers(app: &TestApp) {
    let started = Instant::now();
    ask(app, &json!({"query": TYPENAME})).await.is_answered();
    assert!(started.elapsed() < REFUSED_WITHIN, "{:?}", started.elapsed());
}

#[tokio::test]
async fn the_media_type_follows_what_the_client_accepts() {
    let app = TestApp::new().await;
    for (accepted, media) in [
        (GRAPHQL_JSON, GRAPHQL_JSON),
        (JSON, JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("application/graphql-response+json, application/json;q=0.9", GRAPHQL_JSON),
        ("application/json, application/graphql-response+json", GRAPHQL_JSON),
    ] {
        let answer = ask_as(&app, accepted, &json!({"query": TYPENAME})).await;
        answer.is_answered();
        assert_eq!(answer.media, format!("{media}; charset=utf-8"), "{accepted}");
    }
    let answer = send(post(&app).json(&json!({"query": TYPENAME}))).await;
    assert_eq!(answer.media, "application/json; charset=utf-8");
}

#[tokio::test]
async fn a_client_that_accepts_neither_type_is_told_which_there_are() {
    let app = TestApp::new().await;
    for accepted in ["text/html", "application/xml", "*/*;q=0"] {
        let answer = ask_as(&app, accepted, &json!({"query": TYPENAME})).await;
        answer.is_refused(406, "BAD_USER_INPUT");
        assert!(answer.text.contains(GRAPHQL_JSON));
    }
}

#[tokio::test]
async fn a_refused_document_is_400_for_the_new_type_and_200_for_the_old() {
    let app = TestApp::new().await;
    for (query, code) in [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("", "GRAPHQL_PARSE_FAILED"),
        ("{ a(x: \"unfinished) }", "GRAPHQL_PARSE_FAILED"),
        ("{ \u{0} }", "GRAPHQL_PARSE_FAILED"),
        ("{ 8f31403dfe404bccbb0e835f2629c6a7 }", "GRAPHQL_PARSE_FAILED"),
        ("{ noSuchField }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ invoice(id: \"inv_none\") }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ ...F } fragment F on Query { ...F }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ __typename } query A { __typename }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { __typename } query A { __typename }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { a }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { __typename } query B { __typename }", "OPERATION_NOT_RESOLVED"),
        ("query($id: ID!) { invoice(id: $id) { id } }", "BAD_USER_INPUT"),
        ("{ invoice(id: {}) { id } }", "BAD_USER_INPUT"),
    ] {
        ask_as(&app, GRAPHQL_JSON, &json!({"query": query})).await.is_refused(400, code);
        ask_as(&app, JSON, &json!({"query": query})).await.is_refused(200, code);
        if !query.starts_with("subscription") {
            let by_get = send(get(&app, &[("query", query)]).header("accept", GRAPHQL_JSON)).await;
            by_get.is_refused(400, code);
        }
    }
}

#[tokio::test]
async fn syntax_errors_say_where_without_repeating_the_text() {
    let app = TestApp::new().await;
    let answer = ask(&app, &json!({"query": "{\n  viewer ?SECRET?\n}"})).await;
    answer.is_refused(400, "GRAPHQL_PARSE_FAILED");
    assert_eq!(answer.body["errors"][0]["locations"], json!([{"line": 2, "column": 10}]));
    assert!(!answer.text.contains("SECRET"), "{}", answer.text);
}

#[tokio::test]
async fn the_operation_is_found_by_its_name() {
    let app = TestApp::new().await;
    let query = "query A { __typename } query B { __typename }";
    ask(&app, &json!({"query": query, "operationName": "B"})).await.is_answered();
    send(get(&app, &[("query", query), ("operationName", "B")])).await.is_answered();
    ask(&app, &json!({"query": query, "operationName": "C"})).await.is_refused(400, "OPERATION_NOT_RESOLVED");
    ask(&app, &json!({"query": TYPENAME, "operationName": "C"})).await.is_refused(400, "OPERATION_NOT_RESOLVED");
    ask(&app, &json!({"query": "query A { __typename }", "operationName": ""})).await.is_answered();
}

#[tokio::test]
async fn variables_must_fit_their_declarations() {
    let app = TestApp::new().await;
    let query = "query($id: ID!) { __typename invoice(id: $id) { id } }";
    for variables in [json!({}), json!({"id": null}), json!({"id": {"a": 1}}), json!({"id": true}), json!({"id": [1]})]
    {
        let answer = ask(&app, &json!({"query": query, "variables": variables})).await;
        answer.is_refused(400, "BAD_USER_INPUT");
        assert_eq!(answer.body["errors"][0]["message"], "The variable `$id` needs a value of type `ID!`.");
    }
    ask(&app, &json!({"query": query, "variables": {"id": "inv_none", "unknown": 1}})).await.is_answered();
    let variables = [("query", query), ("variables", "{\"id\": \"inv_none\"}")];
    send(get(&app, &variables)).await.is_answered();

    let unused = "query CoerceFailure($id: ID!) { __typename }";
    let unused = json!({"query": unused, "variables": {"id": null}});
    assert_eq!(ask(&app, &unused).await.status, 400);
    assert_eq!(ask_as(&app, JSON, &unused).await.status, 200);
}

#[tokio::test]
async fn malformed_bodies_and_parameters_are_400_for_either_type() {
    let app = TestApp::new().await;
    let deep = "[".repeat(200_000);
    for media in [GRAPHQL_JSON, JSON] {
        let raw = |body: String| post(&app).header("accept", media).header("content-type", JSON).body(body);
        for body in
            ["", "{ \"not a JSON", "{'query': 1}", "null", "1", "\"{ a }\"", "{}", "{\"qeury\": \"{ a }\"}", &deep]
        {
            send(raw(body.to_owned())).await.is_refused(400, "BAD_USER_INPUT");
        }
        for wrong in [json!({"obj": "ect"}), json!(0), json!(false), json!(["array"])] {
            let query = json!({"query": wrong});
            let name = json!({"query": TYPENAME, "operationName": wrong});
            for body in [query, name] {
                ask_as(&app, media, &body).await.is_refused(400, "BAD_USER_INPUT");
            }
        }
        for wrong in [json!("string"), json!(0), json!(false), json!(["array"])] {
            for name in ["variables", "extensions"] {
                let body = json!({"query": TYPENAME, name: wrong});
                ask_as(&app, media, &body).await.is_refused(400, "BAD_USER_INPUT");
            }
        }
        for name in ["operationName", "variables", "extensions"] {
            ask_as(&app, media, &json!({"query": TYPENAME, name: null})).await.is_answered();
        }
    }
    let not_utf8 = post(&app).header("content-type", JSON).body(b"{\"query\": \"{ \xff }\"}".to_vec());
    send(not_utf8).await.is_refused(400, "BAD_USER_INPUT");
    send(get(&app, &[("query", TYPENAME), ("variables", "{")])).await.is_refused(400, "BAD_USER_INPUT");
    send(get(&app, &[("query", TYPENAME), ("query", TYPENAME)])).await.is_refused(400, "BAD_USER_INPUT");
    send(get(&app, &[])).await.is_refused(400, "BAD_USER_INPUT");
}

#[tokio::test]
async fn several_requests_in_one_body_are_refused() {
    let app = TestApp::new().await;
    for count in [0, 1, 2, 2_000] {
        let answer = ask(&app, &json!(vec![json!({"query": TYPENAME}); count])).await;
        answer.is_refused(400, "BAD_USER_INPUT");
        assert!(answer.text.contains("Several requests"), "{}", answer.text);
    }
}

#[tokio::test]
async fn only_json_bodies_are_read() {
    let app = TestApp::new().await;
    let body = json!({"query": TYPENAME}).to_string();
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/json; charset=iso-8859-1",
        "garbage",
    ] {
        let request = post(&app).header("content-type", content_type).body(body.clone());
        send(request).await.is_refused(415, "BAD_USER_INPUT");
    }
    send(post(&app).body(body.clone())).await.is_refused(415, "BAD_USER_INPUT");
    let compressed = post(&app).header("content-type", JSON).header("content-encoding", "gzip").body(body.clone());
    send(compressed).await.is_refused(415, "BAD_USER_INPUT");
    send(post(&app).header("content-type", "application/json; charset=UTF-8").body(body)).await.is_answered();
}

#[tokio::test]
async fn only_queries_are_answered_by_get() {
    let app = TestApp::new().await;
    send(get(&app, &[("query", TYPENAME)])).await.is_answered();
    for query in ["mutation { __typename }", "subscription { a }", "query A { __typename } mutation B { __typename }"] {
        for media in [GRAPHQL_JSON, JSON] {
            let request = get(&app, &[("query", query), ("operationName", if query.len() > 30 { "B" } else { "" })]);
            let response = request.header("accept", media).send().await.expect("an answer");
            assert_eq!(header(&response, "allow").as_deref(), Some("POST"), "{query}");
            Answer::of(response).await.is_refused(405, "BAD_USER_INPUT");
        }
    }
}

#[tokio::test]
async fn other_methods_are_told_which_there_are() {
    let app = TestApp::new().await;
    for method in [Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
        let request = app.client.request(method, app.url("/graphql")).bearer_auth(app.token("merchant"));
        let response = request.send().await.expect("an answer");
        assert_eq!(header(&response, "allow").as_deref(), Some("GET, POST"));
        Answer::of(response).await.is_refused(405, "BAD_USER_INPUT");
    }
}

#[tokio::test]
async fn nobody_is_answered_without_a_valid_credential() {
    let app = TestApp::new().await;
    let merchant = app.token("merchant");
    let tampered = merchant.replacen('.', ".e", 1);
    let both = format!("Bearer {merchant}, Bearer {merchant}");
    let credentials = [
        None,
        Some(String::new()),
        Some("Bearer".to_owned()),
        Some("Bearer nonsense".to_owned()),
        Some(format!("Basic {merchant}")),
        Some(merchant.clone()),
        Some(format!("Bearer {}", app.token("expired"))),
        Some(format!("Bearer {tampered}")),
        Some(format!("Bearer {merchant}x")),
        Some(both),
    ];
    let mut bodies = Vec::new();
    for credential in &credentials {
        let mut request = app.client.post(app.url("/graphql")).header("content-type", JSON).body("{ \"not a JSON");
        if let Some(credential) = credential {
            request = request.header("authorization", credential);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(header(&response, "www-authenticate").as_deref(), Some("Bearer"), "{credential:?}");
        let answer = Answer::of(response).await;
        answer.is_refused(401, "UNAUTHENTICATED");
        bodies.push(answer.text);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "the reason is for the log only: {bodies:?}");
}

#[tokio::test]
async fn the_credential_is_looked_at_before_anything_else() {
    let app = TestApp::new().await;
    for method in [Method::GET, Method::POST, Method::PUT, Method::OPTIONS] {
        let request = app.client.request(method, app.url("/graphql")).header("accept", "text/html");
        send(request.header("content-type", "text/plain").body("x".repeat(1_000)))
            .await
            .is_refused(401, "UNAUTHENTICATED");
    }
    let twice = post(&app).header("authorization", format!("Bearer {}", app.token("merchant")));
    send(twice.json(&json!({"query": TYPENAME}))).await.is_refused(401, "UNAUTHENTICATED");
    let in_the_address =
        format!("{}?query=%7B__typename%7D&access_token={}", app.url("/graphql"), app.token("merchant"));
    send(app.client.get(in_the_address)).await.is_refused(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn the_scheme_of_the_credential_may_be_written_in_any_case() {
    let app = TestApp::new().await;
    for scheme in ["bearer", "BEARER", "Bearer"] {
        let request = app.client.post(app.url("/graphql")).json(&json!({"query": TYPENAME}));
        send(request.header("authorization", format!("{scheme} {}", app.token("partner")))).await.is_answered();
    }
}

#[tokio::test]
async fn bodies_beyond_the_limit_are_413_whether_announced_or_not() {
    let app = TestApp::new().await;
    let padded = |bytes: usize| {
        let empty = json!({"query": TYPENAME, "extensions": {"x": ""}}).to_string().len();
        json!({"query": TYPENAME, "extensions": {"x": "x".repeat(bytes - empty)}}).to_string()
    };
    let limit = 256 * 1024;
    send(post(&app).header("content-type", JSON).body(padded(limit))).await.is_answered();
    for bytes in [limit + 1, 10 * limit] {
        let response = post(&app).header("content-type", JSON).body(padded(bytes)).send().await.expect("an answer");
        assert_eq!(header(&response, "connection").as_deref(), Some("close"));
        Answer::of(response).await.is_refused(413, "QUERY_TOO_LARGE");
    }
    still_answers(&app).await;
}

#[tokio::test]
async fn a_document_may_be_shorter_than_its_body() {
    let app = TestApp::new().await;
    let long = format!("{{ __typename }} #{}", "x".repeat(20_000));
    ask(&app, &json!({"query": long})).await.is_refused(400, "QUERY_TOO_LARGE");
    ask_as(&app, JSON, &json!({"query": long})).await.is_refused(200, "QUERY_TOO_LARGE");
}

#[tokio::test]
async fn values_nested_deep_do_not_end_the_process() {
    let app = TestApp::new().await;
    for levels in [100, 1_500, 6_000] {
        let lists = format!("{{ __typename @include(if: {}true{}) }}", "[".repeat(levels), "]".repeat(levels));
        let objects = format!("{{ viewer(a: {}1{}) }}", "{a:".repeat(levels), "}".repeat(levels));
        let selections = format!("{}{}", "{a".repeat(levels), "}".repeat(levels));
        let default = format!("query($a: [Int] = {}{}) {{ a }}", "[".repeat(levels), "]".repeat(levels));
        for query in [lists, objects, selections, default] {
            let started = Instant::now();
            let answer = ask(&app, &json!({"query": query})).await;
            assert!(["QUERY_TOO_DEEP", "QUERY_TOO_LARGE"].contains(&answer.code()), "{}", answer.text);
            answer.is_refused(400, answer.code());
            assert!(started.elapsed() < REFUSED_WITHIN, "{:?}", started.elapsed());
        }
        still_answers(&app).await;
    }
}

#[tokio::test]
async fn fragments_that_double_are_refused_at_once() {
    let app = TestApp::new().await;
    for (levels, width) in [(20, 2), (28, 2), (40, 2), (6, 40)] {
        let query = doubling(levels, width);
        let selected = query.clone() + " query Chosen { __typename }";
        for body in [json!({"query": query}), json!({"query": selected, "operationName": "Chosen"})] {
            let started = Instant::now();
            let answer = ask(&app, &body).await;
            assert!(["QUERY_TOO_COMPLEX", "QUERY_TOO_DEEP"].contains(&answer.code()), "{}", answer.text);
            answer.is_refused(400, answer.code());
            assert!(started.elapsed() < REFUSED_WITHIN, "{:?}", started.elapsed());
        }
        still_answers(&app).await;
    }
}

/// A chain of fragments, each of which spreads the next one `width` times.
fn doubling(levels: usize, width: usize) -> String {
    let link =
        |level: usize| format!("fragment F{level} on Query {{ {} }} ", format!("...F{} ", level + 1).repeat(width));
    let chain: String = (0..levels).map(link).collect();
    format!("query Bomb {{ ...F0 }} {chain} fragment F{levels} on Query {{ __typename }}")
}

#[tokio::test]
async fn hundreds_of_errors_are_cut_and_counted() {
    let app = TestApp::new().await;
    let unknown = |count: usize| {
        let fields: Vec<_> = (0..count).map(|n| format!("no{n}")).collect();
        format!("{{ invoice(id: \"inv_none\") {{ {} }} }}", fields.join(" "))
    };
    let answer = ask(&app, &json!({"query": unknown(150)})).await;
    answer.is_refused(400, "GRAPHQL_VALIDATION_FAILED");
    let errors = answer.body["errors"].as_array().expect("errors");
    assert_eq!(errors.len(), 101);
    assert_eq!(errors[100]["extensions"], json!({"code": "ERRORS_TRUNCATED", "count": 50}));
}

#[tokio::test]
async fn the_same_mistake_gives_the_same_bytes() {
    let app = TestApp::new().await;
    let query = "query($a: Int, $b: Int, $c: Int) { x y z viewer { p q r } ...F ...G }";
    let first = ask(&app, &json!({"query": query})).await;
    first.is_refused(400, "GRAPHQL_VALIDATION_FAILED");
    for _ in 0..5 {
        assert_eq!(ask(&app, &json!({"query": query})).await.text, first.text);
    }
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_keeps_a_plain_one_of_the_caller() {
    let app = TestApp::new().await;
    let mut seen = Vec::new();
    for path in ["/graphql", "/livez", "/readyz", "/version", "/nothing"] {
        let response = app.client.get(app.url(path)).send().await.expect("an answer");
        let id = header(&response, "x-request-id").expect("an id");
        assert_eq!(id.len(), 26, "{id}");
        assert!(!seen.contains(&id));
        seen.push(id);
    }
    let stated = |id: &'static str| app.client.get(app.url("/livez")).header("x-request-id", id).send();
    let response = stated("client-7_a.b").await.expect("an answer");
    assert_eq!(header(&response, "x-request-id").as_deref(), Some("client-7_a.b"));
    for bad in ["a b", "<script>", "", "a/b", "12345678901234567890123456789012345678901234567890123456789012345"] {
        let response = stated(bad).await.expect("an answer");
        assert_eq!(header(&response, "x-request-id").map(|id| id.len()), Some(26), "{bad}");
    }
}

#[tokio::test]
async fn every_answer_has_the_security_headers() {
    let app = TestApp::new().await;
    for path in ["/graphql", "/livez", "/readyz", "/version", "/nothing"] {
        let response = app.client.get(app.url(path)).send().await.expect("an answer");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(header(&response, name).as_deref(), Some(value), "{name} of {path}");
        }
        let policy = header(&response, "content-security-policy").expect("a policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    }
    let answer = post(&app).json(&json!({"query": TYPENAME})).send().await.expect("an answer");
    assert_eq!(header(&answer, "cache-control").as_deref(), Some("no-store"));
    assert!(header(&answer, "vary").is_some_and(|vary| vary.contains("accept")));
    assert!(header(&answer, "access-control-allow-origin").is_none());
}

#[tokio::test]
async fn statements_are_told_to_those_who_may_ask() {
    let app = TestApp::new().await;
    let ask = |principal: &'static str, flag: &'static str| {
        let request = app.client.post(app.url("/graphql")).bearer_auth(app.token(principal));
        send(request.header("x-debug", flag).json(&json!({"query": TYPENAME})))
    };
    let told = ask("merchant", "1").await;
    assert_eq!(
        told.body["extensions"]["debug"],
        json!({"statements": 0, "upstream": {"calls": 0, "stale": 0, "durationMs": 0}})
    );
    let not_asked = ask("merchant", "0").await;
    assert!(not_asked.body["extensions"]["debug"].is_null(), "{}", not_asked.text);
}

#[tokio::test]
async fn health_says_that_all_is_well() {
    let app = TestApp::new().await;
    let live = send(app.client.get(app.url("/livez"))).await;
    assert_eq!((live.status, live.body), (200, json!({"status": "ok"})));
    let ready = send(app.client.get(app.url("/readyz"))).await;
    assert_eq!(ready.status, 200, "{}", ready.text);
    let checks = ["database", "migrations", "shutdown"].map(|name| json!({"name": name, "ok": true}));
    assert_eq!(ready.body, json!({"status": "ok", "checks": checks}));
    let version = send(app.client.get(app.url("/version"))).await;
    assert_eq!(version.body, json!({"name": "billing-gateway", "version": env!("CARGO_PKG_VERSION")}));
}

#[tokio::test]
async fn elsewhere_problems_are_problem_documents() {
    let app = TestApp::new().await;
    for path in
        ["/nothing", "/graphql/", "/../etc/passwd", "/assets/", "/assets/..%2f..%2fCargo.toml", "/assets/none.js"]
    {
        let response = app.client.get(app.url(path)).send().await.expect("an answer");
        let id = header(&response, "x-request-id").expect("an id");
        let answer = Answer::of(response).await;
        assert_eq!((answer.status, answer.media.as_str()), (404, "application/problem+json"), "{path}");
        let detail = "There is nothing at this path.";
        let problem =
            json!({"type": "about:blank", "title": "Not Found", "status": 404, "detail": detail, "instance": id});
        assert_eq!(answer.body, problem);
    }
    for path in ["/livez", "/readyz", "/version"] {
        let response = app.client.post(app.url(path)).body("x").send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(header(&response, "allow").as_deref(), Some("GET,HEAD"), "{path}");
        let answer = Answer::of(response).await;
        assert_eq!((answer.media.as_str(), &answer.body["status"]), ("application/problem+json", &json!(405)));
    }
}

#[tokio::test]
async fn the_explorer_is_served_under_a_policy_of_its_own() {
    let app = TestApp::new().await;
    let page = app.client.get(app.url("/")).send().await.expect("an answer");
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(header(&page, "content-type").as_deref(), Some("text/html; charset=utf-8"));
    assert_eq!(header(&page, "cache-control").as_deref(), Some("no-cache"));
    let policy = header(&page, "content-security-policy").expect("a policy");
    for part in
        ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'"]
    {
        assert!(policy.split("; ").any(|stated| stated == part), "{part} in {policy}");
    }
    let html = page.text().await.expect("a page");
    for file in local_files(&html) {
        let response = app.client.get(app.url(&format!("/{file}"))).send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK, "{file}");
        assert_eq!(header(&response, "content-security-policy").as_ref(), Some(&policy), "{file}");
        let is_hashed = file.starts_with("assets/");
        let caching = if is_hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
        assert_eq!(header(&response, "cache-control").as_deref(), Some(caching), "{file}");
        assert!(header(&response, "content-type").is_some_and(|media| media != "application/octet-stream"), "{file}");
    }
    let config = app.client.get(app.url("/explorer/config.json")).send().await.expect("an answer");
    assert_eq!(config.status(), StatusCode::OK);
    assert_eq!(header(&config, "cache-control").as_deref(), Some("no-store"));
}

/// What the page loads from beside it.
fn local_files(html: &str) -> Vec<String> {
    let parts = html.split("src=\"").skip(1).chain(html.split("href=\"").skip(1));
    let addresses = parts.filter_map(|part| part.split('"').next()).filter(|address| !address.starts_with("data:"));
    addresses.map(|address| address.trim_start_matches("./").to_owned()).collect()
}
