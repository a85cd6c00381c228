//! Every hostile input that we know, and what it is answered: one table, held on the running program.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::served::Served;
use crate::support::hooks::{SECRET, now, signed};

const README: &str = include_str!("../../../README.md");

const GRAPHQL_JSON: &str = "application/graphql-response+json";

/// What stands in hostile input, and in no answer. Only a name that the schema does not have is repeated.
const MARK: &str = "hostile7word";

/// What would tell how the program is made, or that it stumbled.
const INTERNALS: [&str; 10] =
    ["async_graphql", "sqlx", "sea_orm", "panicked", "src/", ".rs", "Error(", "SELECT ", "INTERNAL", "Did you mean"];

/// An input by its name, and the status and code of its answer. Outside of GraphQL the code is the problem's detail.
struct Case {
    name: &'static str,
    request: RequestBuilder,
    status: u16,
    code: &'static str,
}

const fn case(name: &'static str, request: RequestBuilder, status: u16, code: &'static str) -> Case {
    Case { name, request, status, code }
}

/// A question as the merchant, in the type that has statuses of its own.
fn query(served: &Served, text: &str) -> RequestBuilder {
    served.graphql(text, &json!({})).header("accept", GRAPHQL_JSON)
}

/// A body as the merchant.
fn body(served: &Served, content_type: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
    let request = served.client.post(served.url("/graphql")).bearer_auth(served.token());
    request.header("accept", GRAPHQL_JSON).header("content-type", content_type).body(body)
}

fn json_body(served: &Served, text: impl Into<reqwest::Body>) -> RequestBuilder {
    body(served, "application/json", text)
}

/// A small question with other headers than usual, and no credential.
fn bare(served: &Served) -> RequestBuilder {
    served
        .client
        .post(served.url("/graphql"))
        .header("accept", GRAPHQL_JSON)
        .json(&json!({ "query": "{ __typename }" }))
}

fn nested(count: usize, open: &str, inside: &str, close: &str) -> String {
    format!("{}{inside}{}", open.repeat(count), close.repeat(count))
}

fn numbered(count: usize, piece: impl Fn(usize) -> String) -> String {
    (0..count).map(piece).collect()
}

fn fan_out(head: &str, width: usize, levels: usize) -> String {
    let link = |n: usize| format!("fragment F{n} on Query {{ {} }} ", format!("...F{} ", n + 1).repeat(width));
    format!("{head} {{ ...F0 }} {} fragment F{levels} on Query {{ __typename }}", numbered(levels, link))
}

/// Documents that are over a limit, or none.
fn documents(served: &Served) -> Vec<Case> {
    let ask = |name, text: String, code| case(name, query(served, &text), 400, code);
    let (large, deep, complex) = ("QUERY_TOO_LARGE", "QUERY_TOO_DEEP", "QUERY_TOO_COMPLEX");
    let (parse, fits) = ("GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED");
    let lists = |levels| format!("{{ __typename @include(if: {}) }}", nested(levels, "[", "true", "]"));
    let objects = |levels| format!("{{ viewer(a: {}) {{ kind }} }}", nested(levels, "{a:", "1", "}"));
    let selected = fan_out("query Bomb", 2, 28) + " query Chosen { __typename }";
    let chosen = served.client.post(served.url("/graphql")).bearer_auth(served.token()).header("accept", GRAPHQL_JSON);
    let chosen = chosen.json(&json!({ "query": selected, "operationName": "Chosen" }));
    vec![
        ask("lists in lists", lists(100), deep),
        ask("lists in lists by the thousand", lists(6_000), large),
        ask("objects in objects", objects(100), deep),
        ask("objects in objects by the thousand", objects(4_000), large),
        ask("types in lists", format!("query($a: {}) {{ a }}", nested(100, "[", "Int", "]")), deep),
        ask("fields in fields", nested(13, "{ a ", "", "}"), deep),
        ask("inline fragments in each other", format!("{{ {} }}", nested(38, "... on Query { ", "a", " }")), deep),
        ask("deep introspection", format!("{{ __schema {{ types {{ {} }} }} }}", nested(19, "ofType { ", "name", " }")), deep),
        ask("wide introspection", format!("{{ __type(name: \"Q\") {} }}", nested(3, "{ fields { type ", "{ name }", "} }")), deep),
        ask("fragments that double", fan_out("query", 2, 28), complex),
        ask("fragments that fan out", fan_out("query", 40, 6), complex),
        case("a bomb in an operation that is not selected", chosen, 400, complex),
        ask("fragments in a circle", "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }".to_owned(), fits),
        ask("a document of 20,001 bytes", format!("{{ a }}#{}", MARK.repeat(1_667)), large),
        ask("a document of 2,001 tokens", format!("{{ a(x: [{}]) }}", "1 ".repeat(1_992)), large),
        ask("a name of 129 bytes", format!("{{ {} }}", "a".repeat(129)), large),
        ask("31 aliases", format!("{{ invoice(id: 1) {{ {} }} }}", numbered(31, |n| format!("a{n}: id "))), complex),
        ask("21 root fields", format!("{{ {} }}", "viewer { kind } ".repeat(21)), complex),
        ask("21 directives", format!("{{ {} }}", "__typename @skip(if: false) ".repeat(21)), complex),
        ask("5 directives in one place", format!("{{ __typename {} }}", "@skip(if: false) ".repeat(5)), complex),
        ask("11 operations", numbered(11, |n| format!("query Q{n} {{ __typename }} ")), complex),
        ask("51 fragments", numbered(51, |n| format!("fragment F{n} on Query {{ __typename }} ")), complex),
        ask("51 variables", format!("query({}) {{ a }}", numbered(51, |n| format!("$v{n}: Int "))), complex),
        ask("400 variables", format!("query({}) {{ a }}", numbered(400, |n| format!("$v{n}: Int "))), complex),
        ask("an operation that costs too much", "{ invoices(first: 100) { nodes { payUrl lineItems { rental { id } } payments { id } customer { invoices(first: 100) { nodes { id } } } } } }".to_owned(), complex),
        ask("a text without an end", format!("{{ a(x: \"{MARK}) }}"), parse),
        ask("rubbish", format!("{{ ?{MARK} }}"), parse),
        ask("NUL in a document", "{ \0 }".to_owned(), parse),
        ask("nothing", String::new(), parse),
        ask("an unknown field", "{ nothing }".to_owned(), fits),
        ask("a field that is almost there", "{ invoic(id: 1) { id } }".to_owned(), fits),
        ask("a subscription", "subscription { a }".to_owned(), fits),
        ask("two operations and no name", "query A { __typename } query B { __typename }".to_owned(), "OPERATION_NOT_RESOLVED"),
        ask("a number beyond 32 bits", "{ invoices(first: 99999999999) { totalCount } }".to_owned(), "BAD_USER_INPUT"),
    ]
}

/// Arguments that a rule refuses: the field is null, and the rest of the answer is there.
fn arguments(served: &Served) -> Vec<Case> {
    let ask = |name, field: String| {
        case(name, query(served, &format!("{{ {field} viewer {{ kind }} }}")), 200, "BAD_USER_INPUT")
    };
    let page = |arguments: &str| format!("invoices({arguments}) {{ nodes {{ id }} }}");
    let forged = |content: &Value| URL_SAFE_NO_PAD.encode(content.to_string());
    let ids = numbered(101, |n| format!("\"inv_{n}\" "));
    vec![
        ask("a page of 101", page("first: 101")),
        ask("a page of none", page("first: 0")),
        ask("a page of less than none", page("first: -1")),
        ask("a page from both ends", page("first: 1, last: 1")),
        ask("no cursor", page(&format!("after: \"{MARK}\""))),
        ask("a forged cursor", page(&format!("after: \"{}\"", forged(&json!(["CREATED_AT", { "a": 1 }, "inv_1"]))))),
        ask("a long cursor", page(&format!("after: \"{}\"", "A".repeat(4_000)))),
        ask("101 ids", format!("nodes(ids: [{ids}]) {{ id }}")),
        ask("an id of 129 bytes", format!("invoice(id: \"{}\") {{ id }}", "x".repeat(129))),
        ask(
            "a search of 201 characters",
            format!("customers(filter: {{ search: \"{}\" }}) {{ totalCount }}", "x".repeat(201)),
        ),
        ask("NUL in a search", "customers(filter: { search: \"\\u0000\" }) { totalCount }".to_owned()),
        ask(
            "lines by the thousand and one",
            format!("invoice(id: \"{}\") {{ lineItems(first: 1001) {{ id }} }}", served.invoice()),
        ),
    ]
}

/// Bodies, methods and types.
fn requests(served: &Served) -> Vec<Case> {
    let small = r#"{"query":"{ __typename }"}"#;
    let post = |content_type: &str| body(served, content_type, small);
    let get = |of: &str| {
        let request = served.client.get(served.url(&format!("/graphql?{of}"))).bearer_auth(served.token());
        request.header("accept", GRAPHQL_JSON)
    };
    let method = |of: Method| served.client.request(of, served.url("/graphql")).bearer_auth(served.token());
    let input = "BAD_USER_INPUT";
    let hashed = |hash: &str, query: Option<&str>| {
        let extensions = json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } });
        json_body(served, json!({ "extensions": extensions, "query": query }).to_string())
    };
    let untyped = served.client.post(served.url("/graphql")).bearer_auth(served.token()).body(small);
    let named = json!({ "query": "{ __typename }", "operationName": MARK }).to_string();
    let variable = json!({ "query": "query($id: ID!) { node(id: $id) { id } }", "variables": { "id": [MARK] } });
    vec![
        case("several requests in one body", json_body(served, format!("[{small}, {small}]")), 400, input),
        case("a body that is nested deep", json_body(served, "[".repeat(200_000)), 400, input),
        case("10,001 values", json_body(served, format!("{{\"variables\":[{}1]}}", "1,".repeat(10_001))), 400, input),
        case("no JSON", json_body(served, format!("{{\"query\": {MARK}")), 400, input),
        case("no UTF-8", json_body(served, b"{\"query\": \"{ \xff }\"}".to_vec()), 400, input),
        case("another type of variables", json_body(served, r#"{"query":"{a}","variables":[1]}"#), 400, input),
        case("a variable of another type", json_body(served, variable.to_string()), 400, input),
        case("an operation that is not there", json_body(served, named), 400, "OPERATION_NOT_RESOLVED"),
        case("a form's text", post("text/plain"), 415, input),
        case("a form", post("application/x-www-form-urlencoded"), 415, input),
        case("a form with parts", post("multipart/form-data; boundary=x"), 415, input),
        case("a body without a type", untyped, 415, input),
        case("another charset", post("application/json; charset=utf-16"), 415, input),
        case("a compressed body", post("application/json").header("content-encoding", "gzip"), 415, input),
        case("a body of 256 KiB and one byte", json_body(served, " ".repeat(256 * 1024 + 1)), 413, "QUERY_TOO_LARGE"),
        case("a mutation by GET", get("query=mutation%7B__typename%7D"), 405, input),
        case("GET without a document", get("x=1"), 400, input),
        case("a parameter twice", get("query=%7Ba%7D&query=%7Bb%7D"), 400, input),
        case("PUT", method(Method::PUT).header("accept", GRAPHQL_JSON), 405, input),
        case("TRACE", method(Method::TRACE).header("accept", GRAPHQL_JSON), 405, input),
        case("a type that nobody speaks", method(Method::POST).header("accept", "text/html"), 406, input),
        case("an unknown hash", hashed(&"0".repeat(64), None), 200, "PERSISTED_QUERY_NOT_FOUND"),
        case(
            "the hash of another document",
            hashed(&"0".repeat(64), Some("{ __typename }")),
            400,
            "PERSISTED_QUERY_MISMATCH",
        ),
        case("a hash of 129 bytes", hashed(&"0".repeat(129), None), 400, input),
    ]
}

/// Credentials that open nothing, all answered alike, and a cookie that another site sends.
fn credentials(served: &Served) -> Vec<Case> {
    let none = "UNAUTHENTICATED";
    let bearer = |name, token: String| case(name, bare(served).bearer_auth(token), 401, none);
    let token = served.token().to_owned();
    let parts: Vec<&str> = token.split('.').collect();
    let under = |header: &Value, signature: &str| {
        format!("{}.{}.{signature}", URL_SAFE_NO_PAD.encode(header.to_string()), parts[1])
    };
    let claims = URL_SAFE_NO_PAD.encode(json!({ "tid": "ten_1", "kind": "service" }).to_string());
    let expired = served.ready["tokens"]["expired"].as_str().unwrap().to_owned();
    let twice = bare(served).bearer_auth(&token).bearer_auth(&token);
    let in_address = format!("/graphql?query=%7B__typename%7D&access_token={token}");
    let in_address = served.client.get(served.url(&in_address)).header("accept", GRAPHQL_JSON);
    let cookie = bare(served).header("cookie", "__Host-sid=anything").header("origin", "https://evil.example");
    let introspection = json!({ "query": "{ __schema { types { name } } }" });
    let anonymous = served.client.post(served.url("/graphql")).header("accept", GRAPHQL_JSON).json(&introspection);
    vec![
        case("nobody", bare(served), 401, none),
        case("introspection by nobody", anonymous, 401, none),
        bearer("an expired token", expired),
        bearer("rubbish for a token", MARK.to_owned()),
        bearer("a token of 9 kB", "x".repeat(9_000)),
        bearer("a token without its signature", under(&json!({ "alg": "HS256" }), "")),
        bearer("alg none", under(&json!({ "alg": "none" }), "")),
        bearer("alg None", under(&json!({ "alg": "None" }), "")),
        bearer("alg NONE", under(&json!({ "alg": "NONE" }), "")),
        bearer("alg HS512", under(&json!({ "alg": "HS512" }), parts[2])),
        bearer("a critical header", under(&json!({ "alg": "HS256", "crit": ["b64"] }), parts[2])),
        bearer("a kid that leads elsewhere", under(&json!({ "alg": "RS256", "kid": "../../dev/null" }), parts[2])),
        bearer(
            "a key that the token brings along",
            under(&json!({ "alg": "RS256", "jku": "http://127.0.0.1:1/" }), parts[2]),
        ),
        bearer("other claims under the same signature", format!("{}.{claims}.{}", parts[0], parts[2])),
        bearer("a key that is none", "bgk_live_abcdefgh_0000".to_owned()),
        case("another scheme", bare(served).header("authorization", format!("Basic {token}")), 401, none),
        case("two credentials", twice, 401, none),
        case("a token in the address", in_address, 401, none),
        case("a cookie from another site", cookie, 403, "CSRF_REFUSED"),
    ]
}

/// What is not GraphQL: webhooks and paths.
fn elsewhere(served: &Served) -> Vec<Case> {
    let hook = |endpoint: &str, body: String, signature: String| {
        let request = served.client.post(served.url(&format!("/webhooks/stripe/{endpoint}")));
        request.header("stripe-signature", signature).body(body)
    };
    let (signature, nothing) = ("invalid_signature", "There is nothing at this path.");
    let old = fake_stripe::signature(&[SECRET], b"{}", now() - 400);
    let early = fake_stripe::signature(&[SECRET], b"{}", now() + 400);
    let of = |path: &str| served.client.get(served.url(path));
    vec![
        case("a webhook that nobody signed", hook("default", "{}".to_owned(), "t=1,v1=00".to_owned()), 400, signature),
        case("a webhook without a signature", hook("default", "{}".to_owned(), String::new()), 400, signature),
        case("a webhook of six minutes ago", hook("default", "{}".to_owned(), old), 400, signature),
        case("a webhook of the future", hook("default", "{}".to_owned(), early), 400, signature),
        case("a signature for another body", hook("default", "{ }".to_owned(), signed("{}")), 400, signature),
        case("a signed webhook that is no event", hook("default", "{}".to_owned(), signed("{}")), 400, "invalid_event"),
        case(
            "a webhook of a mebibyte and more",
            hook("default", "x".repeat(1_100_000), signed("{}")),
            413,
            "The body is too large.",
        ),
        case("a webhook for nobody", hook(MARK, "{}".to_owned(), signed("{}")), 404, nothing),
        case("a path that leads out", of("/assets/..%2f..%2fCargo.toml"), 404, nothing),
        case("a path that is no text", of("/assets/%FF"), 404, nothing),
        case("metrics where clients ask", of("/metrics"), 404, nothing),
        case("a pay link for nobody", of("/v1/billing/invoices/inv_1/pay-url"), 401, "UNAUTHENTICATED"),
    ]
}

/// The code of an answer; of a problem without one its detail.
fn told(body: &Value) -> &str {
    let coded = [&body["errors"][0]["extensions"]["code"], &body["code"], &body["detail"]];
    coded.into_iter().find_map(Value::as_str).unwrap_or("none")
}

/// Sends bytes, and gives the statuses of what is answered up to the end of the connection or a second of silence.
async fn bytes(served: &Served, sent: &str) -> Vec<u16> {
    let mut stream = TcpStream::connect(served.url("").trim_start_matches("http://")).await.unwrap();
    // A server that has seen enough does not take the rest.
    let _sent = stream.write_all(sent.as_bytes()).await;
    let mut all = Vec::new();
    while let Ok(Ok(1..)) = tokio::time::timeout(std::time::Duration::from_secs(1), stream.read_buf(&mut all)).await {}
    let all = String::from_utf8_lossy(&all).into_owned();
    all.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 ")?.split(' ').next()?.parse().ok()).collect()
}

/// What no client of HTTP would send.
fn wire(served: &Served) -> Vec<(&'static str, String, Vec<u16>)> {
    let token = served.token();
    let get = |headers: &str| {
        format!(
            "GET /graphql?query=%7B__typename%7D HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n{headers}\r\n"
        )
    };
    let twice = format!("authorization: Bearer {token}\r\nconnection: close\r\n");
    vec![
        ("an ordinary request", get("connection: close\r\n"), vec![200]),
        ("two Authorization headers", get(&twice), vec![401]),
        ("101 headers", get(&numbered(101, |n| format!("x-{n}: y\r\n"))), vec![431]),
        ("a header of 65 KiB", get(&format!("x: {}\r\n", "y".repeat(65 * 1024))), vec![431]),
        ("two lengths", get("content-length: 1\r\ncontent-length: 2\r\n"), vec![400]),
        ("a length that is none", get("content-length: +1\r\n"), vec![400]),
        ("rubbish", format!("\u{1}\u{2}{MARK}\r\n\r\n"), vec![400]),
        ("another protocol", "GET / HTTP/9.9\r\n\r\n".to_owned(), vec![400]),
        (
            "an upgrade",
            get(
                "connection: upgrade, close\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: eA==\r\n",
            ),
            vec![200],
        ),
    ]
}

/// What is wrong with the answer to a request, if anything.
async fn fault(request: RequestBuilder, status: u16, code: &str, codes: &BTreeSet<&str>) -> Option<String> {
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) => return Some(format!("{error:?}")),
    };
    let found = answer.status().as_u16();
    let text = answer.text().await.unwrap_or_default();
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    let is_code = code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let says = |word: &&str| text.contains(*word);
    let wrong = if (found, told(&body)) != (status, code) {
        format!("{found} {}, not {status} {code}", told(&body))
    } else if is_code && !codes.contains(code) {
        format!("README does not tell {code}")
    } else if text.len() > 1_500 {
        format!("{} bytes", text.len())
    } else {
        INTERNALS.iter().chain(&[MARK]).find(|word| says(word)).map(|word| format!("{word} is told"))?
    };
    Some(format!("{wrong}: {text:.300}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r15_every_hostile_input_is_answered_with_its_documented_error() {
    let mut served = Served::demo("sqlite://hostile.db", &[]);
    let codes: BTreeSet<&str> = README
        .split("## Error codes")
        .nth(1)
        .unwrap()
        .split("\n## ")
        .next()
        .unwrap()
        .split('`')
        .skip(1)
        .step_by(2)
        .collect();
    let cases = [documents, arguments, requests, credentials, elsewhere].map(|cases| cases(&served));
    let (mut count, mut faults) = (0, Vec::new());
    for Case { name, request, status, code } in cases.into_iter().flatten() {
        faults.extend(fault(request, status, code, &codes).await.map(|fault| format!("{name}: {fault}")));
        count += 1;
    }
    for (name, sent, statuses) in wire(&served) {
        let found = bytes(&served, &sent).await;
        faults.extend((found != statuses).then(|| format!("{name}: {found:?}")));
        count += 1;
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(count > 100, "{count}");
    // What is no fault but looks like one is answered as nothing found.
    let harmless =
        ["' OR 1=1 --", "<script>alert(1)</script>", "%", "_", "\\\\", "../../etc/passwd", "{{7*7}}", "; rm -rf /"];
    for text in harmless {
        let answer = query(&served, &format!("{{ customers(filter: {{ search: \"{text}\" }}) {{ totalCount }} }}"));
        let body: Value = answer.send().await.unwrap().json().await.unwrap();
        assert_eq!((&body["data"]["customers"]["totalCount"], body.get("errors")), (&json!(0), None), "{text}");
    }
    assert_eq!(query(&served, "{ viewer { kind } }").send().await.unwrap().status(), 200);
    served.is_sound();
}
