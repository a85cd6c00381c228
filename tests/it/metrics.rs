//! What `/metrics` shows: everything that is described and nothing else, on a listener of its own, without a word of
//! clients.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fake_stripe::{Fault, FaultKind, signature};
use futures::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::hooks::{event, now, object};
use crate::support::redis::Redis;
use crate::support::served::{Served, WEBHOOK_SECRET};

const PAGE: &str = include_str!("../../docs/operations.md");
const ALERTS: &str = include_str!("../../ops/prometheus/alerts.yml");
const REFERENCE: &str = include_str!("../../examples/reference.graphql");

/// A metric by its type and the names of its labels.
type Shapes = BTreeMap<String, (String, BTreeSet<String>)>;

/// What the page describes.
fn described() -> Shapes {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `"));
    let words = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<BTreeSet<_>>();
    rows.map(|row| {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 5, "{row}");
        (cells[0].trim_matches('`').to_owned(), (cells[1].to_owned(), words(cells[2])))
    })
    .collect()
}

/// What the program shows.
fn shown(text: &str) -> Shapes {
    let mut shapes = Shapes::new();
    for line in text.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            let name = if kind == "info" { format!("{name}_info") } else { name.to_owned() };
            shapes.insert(name, (kind.to_owned(), BTreeSet::new()));
        }
    }
    for (name, labels, _) in samples(text) {
        let ends = ["", "_total", "_bucket", "_sum", "_count"];
        let mut families = ends.into_iter().filter_map(|end| name.strip_suffix(end));
        let family = families.find(|family| shapes.contains_key(*family)).map(str::to_owned);
        let family = family.unwrap_or_else(|| panic!("{name} has no type"));
        shapes.get_mut(&family).unwrap().1.extend(labels.into_keys().filter(|label| label != "le"));
    }
    shapes
}

/// Every sample: its name, its labels and its value.
fn samples(text: &str) -> Vec<(String, BTreeMap<String, String>, String)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let labels = labels.trim_end_matches('}').split("\",").filter(|label| !label.is_empty());
            let labels = labels.map(|label| {
                let (key, value) = label.split_once("=\"").unwrap();
                (key.to_owned(), value.trim_end_matches('"').to_owned())
            });
            (name.to_owned(), labels.collect(), value.to_owned())
        })
        .collect()
}

/// The sum of the samples of a name that have these labels.
fn count(text: &str, name: &str, labels: &[(&str, &str)]) -> u64 {
    let fits = |found: &BTreeMap<String, String>| {
        labels.iter().all(|(key, value)| found.get(*key).is_some_and(|found| found == value))
    };
    let values = samples(text).into_iter().filter(|(of, found, _)| of == name && fits(found)).map(|(.., value)| value);
    values.map(|value| value.trim_end_matches(".0").parse::<u64>().unwrap_or_else(|_| panic!("{name}: {value}"))).sum()
}

/// Words that a client makes up.
const CANARY: &str = "Canary7";

/// Makes everything happen that is counted.
async fn everything(served: &Served) {
    let id = json!({ "id": served.invoice("overage-week") });
    let answer: Value = served.ask(REFERENCE, id.clone()).await.json().await.unwrap();
    assert!(answer["data"]["invoice"].is_object(), "{answer}");
    // Refused by the gate, by the parser, for want of a token; and a path that nobody serves.
    let deep = format!("{{ {} }}", "a { ".repeat(60) + &"} ".repeat(60));
    served.ask(&deep, json!({})).await;
    served.ask(&format!("query {CANARY} {{ {CANARY} }}"), json!({})).await;
    served.client.get(served.url("/graphql")).send().await.unwrap();
    let odd = reqwest::Method::from_bytes(CANARY.as_bytes()).unwrap();
    served.client.request(odd, served.url(&format!("/{CANARY}"))).send().await.unwrap();
    // Credentials that are good, that never were, that are no more; a hash that nobody knows, and then one does.
    let ask = |name: &'static str, credential: String, body: Value| {
        let request = served.client.post(served.url("/graphql")).header(name, credential);
        async move { request.json(&body).send().await.unwrap().status() }
    };
    let viewer = json!({ "query": "{ viewer { kind } }" });
    for (key, status) in [("service_key", 200), ("service_key", 200), ("revoked_key", 401)] {
        assert_eq!(ask("x-api-key", served.token(key).to_owned(), viewer.clone()).await, status);
    }
    for token in [CANARY.to_owned(), served.token("expired").to_owned()] {
        assert_eq!(ask("authorization", format!("Bearer {token}"), viewer.clone()).await, 401);
    }
    let text = format!("query {CANARY} {{ viewer {{ kind }} }}");
    let hash =
        json!({ "persistedQuery": { "version": 1, "sha256Hash": billing_gateway::domain::secret::sha256(&text) } });
    let merchant = || format!("Bearer {}", served.token("merchant"));
    let (alone, whole) = (json!({ "extensions": hash }), json!({ "query": text, "extensions": hash }));
    for body in [&alone, &whole, &alone] {
        assert_eq!(ask("authorization", merchant(), body.clone()).await, 200);
    }
    let other = json!({ "query": "{ viewer { tenantId } }", "extensions": hash });
    ask("authorization", merchant(), other).await;
    // Stripe fails: an answer in part.
    served.fake.fault(Fault::new(FaultKind::status(401)));
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    served.ask(&format!("query {CANARY}($id: ID!) {{ invoice(id: $id) {{ id payUrl }} }}"), id).await;
    served.fake.clear_faults();
    // Webhooks: one that is foreign, of a type that nobody knows, and one with a bad signature.
    let foreign = event(&format!("evt_{CANARY}"), CANARY, now() - 3, &object("in_nobody", "paid", 1)).to_string();
    let header = signature(&[WEBHOOK_SECRET], foreign.as_bytes(), now());
    assert_eq!(served.webhook(foreign.clone(), &header).await.status(), StatusCode::OK);
    assert_eq!(served.webhook(foreign, &header).await.status(), StatusCode::OK);
    assert_eq!(served.webhook("{}".to_owned(), "t=1,v1=00").await.status(), StatusCode::BAD_REQUEST);
    for _ in 0..300 {
        if count(&served.metrics().await, "billing_webhook_events_total", &[]) > 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the event was not worked on");
}

#[tokio::test]
async fn every_metric_is_described_and_every_description_is_of_a_metric() {
    let served = Served::demo(|_command| {}).await;
    everything(&served).await;
    let text = served.metrics().await;
    assert_eq!(shown(&text), described());
    assert!(text.ends_with("# EOF\n") && !text.contains(CANARY), "{text}");

    let of_route = |route, status| count(&text, "billing_http_requests_total", &[("route", route), ("status", status)]);
    assert_eq!((of_route("/graphql", "401"), of_route("none", "404")), (4, 1), "{text}");
    let came = |kind, outcome, reason| {
        let labels = [("kind", kind), ("outcome", outcome), ("reason", reason)];
        count(&text, "billing_auth_credentials_total", &labels)
    };
    assert_eq!((came("key", "accepted", "none"), came("key", "refused", "revoked")), (2, 1), "{text}");
    assert_eq!((came("token", "refused", "malformed"), came("token", "refused", "expired")), (1, 1));
    assert_eq!(came("none", "refused", "absent"), 1);
    let looked_up = |kind, result| count(&text, "billing_auth_lookups_total", &[("kind", kind), ("result", result)]);
    // Two keys in three requests; one is looked up again where seconds passed between them.
    let keys = (looked_up("key", "miss"), looked_up("key", "hit"));
    assert!(keys == (2, 1) || keys == (3, 0), "{text}");
    assert!(looked_up("token", "hit") >= 4 && looked_up("revoked_tokens", "hit") >= 1);
    let asked = |result| count(&text, "billing_document_persisted_queries_total", &[("result", result)]);
    assert_eq!([asked("miss"), asked("registered"), asked("hit"), asked("mismatch")], [1, 1, 1, 1], "{text}");
    let found = |source| count(&text, "billing_documents_total", &[("source", source)]);
    assert!(found("read") >= 3 && found("cache") >= 1 && found("trusted") == 0, "{text}");
    assert!(count(&text, "billing_document_cache_entries", &[]) >= 3);
    assert!(count(&text, "billing_document_cache_bytes", &[]) > 3_000);
    assert_eq!(count(&text, "billing_http_requests_total", &[("method", "other")]), 1);
    assert_eq!(count(&text, "billing_http_requests_in_flight", &[]), 0);
    let operations = |outcome| count(&text, "billing_graphql_operations_total", &[("outcome", outcome)]);
    assert_eq!((operations("ok"), operations("partial"), operations("failed")), (5, 1, 0));
    // 7 for the reference query, 2 for the other.
    assert_eq!(count(&text, "billing_graphql_statements_sum", &[]), 9);
    let refused = |stage, code| count(&text, "billing_graphql_refusals_total", &[("stage", stage), ("code", code)]);
    assert_eq!(refused("gate", "QUERY_TOO_DEEP"), 1, "{text}");
    assert_eq!(refused("credential", "UNAUTHENTICATED"), 4);
    assert_eq!(refused("document", "GRAPHQL_VALIDATION_FAILED"), 1);
    assert_eq!(refused("document", "PERSISTED_QUERY_MISMATCH"), 1);
    assert_eq!(count(&text, "billing_graphql_errors_total", &[]), 1);
    // The reconciler asks beside the requests.
    assert!(count(&text, "billing_stripe_calls_total", &[("outcome", "auth")]) >= 1);
    assert!(count(&text, "billing_stripe_accounts", &[("breaker", "closed")]) >= 1);
    assert_eq!(count(&text, "billing_links_total", &[("result", "failed")]), 1);
    let webhooks = |outcome| count(&text, "billing_webhooks_total", &[("outcome", outcome)]);
    assert_eq!((webhooks("new"), webhooks("duplicate"), webhooks("bad_signature")), (1, 1, 1));
    assert_eq!(count(&text, "billing_webhook_events_total", &[("type", "other"), ("outcome", "ignored")]), 1);
    assert_eq!(count(&text, "billing_webhook_lag_seconds_count", &[]), 1);
    assert!(count(&text, "process_resident_memory_bytes", &[]) > 1_000_000);
    let (_, err) = served.stop();
    assert!(!err.contains("panicked"), "{err}");
}

/// Waits until what is counted is as wanted.
async fn until(served: &Served, what: &str, wanted: impl Fn(&str) -> bool) {
    let mut text = String::new();
    for _ in 0..500 {
        text = served.metrics().await;
        if wanted(&text) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what}: {text}");
}

#[tokio::test]
async fn connections_are_counted_with_why_there_are_no_more_of_them() {
    let served = Served::demo(|command| {
        command.env("BILLING_CONNECTIONS_PER_ADDRESS", "3").env("BILLING_HEADERS_TIMEOUT_MS", "500");
        command.env("BILLING_IDLE_TIMEOUT_MS", "500");
    })
    .await;
    let address = served.url("").trim_start_matches("http://").to_owned();
    let connect = || TcpStream::connect(&address);
    let (silent, mut resting, _third) = (connect().await, connect().await.unwrap(), connect().await);
    until(&served, "open", |text| count(text, "billing_connections", &[]) == 3).await;
    let _one_more = connect().await;
    let refused = |text: &str| count(text, "billing_connections_refused_total", &[("reason", "address")]);
    until(&served, "refused", |text| refused(text) == 1).await;
    resting.write_all(b"GET /livez HTTP/1.1\r\nhost: gateway\r\n\r\n").await.unwrap();
    let overdue = |text: &str, state| count(text, "billing_connections_overdue_total", &[("state", state)]);
    until(&served, "overdue", |text| overdue(text, "headers") >= 2 && overdue(text, "idle") == 1).await;
    drop(silent);
    until(&served, "closed", |text| count(text, "billing_connections", &[]) == 0).await;
    assert_eq!(count(&served.metrics().await, "billing_connections_accepted_total", &[]), 3);
    served.stop();
}

#[tokio::test]
async fn requests_that_find_no_place_are_counted_with_why() {
    let served = Served::demo(|command| {
        command.env("BILLING_EXECUTING_MAX", "1").env("BILLING_QUEUE_MAX", "1").env("BILLING_QUEUE_TIMEOUT_MS", "300");
    })
    .await;
    served.fake.fault(Fault::new(FaultKind::Hang));
    let query = "query($id: ID!) { invoice(id: $id) { id payUrl } }";
    let id = json!({ "id": served.invoice("overage-week") });
    let ask = || served.ask(query, id.clone());
    let in_all = |text: &str, name: &str| count(text, name, &[("room", "all")]);
    let refused =
        |text: &str, reason| count(text, "billing_room_refusals_total", &[("room", "all"), ("reason", reason)]);
    let works = until(&served, "works", |text| in_all(text, "billing_room_working") == 1);
    let others = async {
        works.await;
        let waits =
            until(&served, "waits", |text| in_all(text, "billing_room_waiting") == 1 || refused(text, "waited") > 0);
        let full = async {
            waits.await;
            ask().await
        };
        let (waited, full) = tokio::join!(ask(), full);
        assert_eq!(waited.status(), StatusCode::SERVICE_UNAVAILABLE);
        full.status()
    };
    let (first, last) = tokio::join!(ask(), others);
    assert_eq!(first.status(), StatusCode::OK);
    let text = served.metrics().await;
    assert!(refused(&text, "waited") >= 1, "{text}");
    assert_eq!(refused(&text, "waited") + refused(&text, "full") + u64::from(last == StatusCode::OK), 2, "{text}");
    assert!(count(&text, "billing_room_wait_seconds_count", &[("room", "all")]) >= 1, "{text}");
    assert_eq!(in_all(&text, "billing_room_working") + in_all(&text, "billing_room_waiting"), 0, "{text}");
    // The pace is known now, and nobody gets a place in that time.
    let answers = join_all((0..4).map(|_n| ask())).await;
    assert!(answers.iter().any(|answer| answer.status() == StatusCode::SERVICE_UNAVAILABLE));
    assert!(refused(&served.metrics().await, "hopeless") >= 1);
    served.stop();
}

#[tokio::test]
async fn metrics_have_a_listener_of_their_own_and_the_public_one_has_none() {
    let served = Served::demo(|_command| {}).await;
    let public = served.client.get(served.url("/metrics")).send().await.unwrap();
    assert_eq!(public.status(), StatusCode::NOT_FOUND);
    let metrics = served.ready["metrics"].as_str().unwrap();
    let answer = served.client.get(metrics).send().await.unwrap();
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    for (method, path, status) in [("POST", "", 405), ("GET", "/graphql", 404), ("GET", "/livez", 404)] {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let answer = served.client.request(method, format!("{metrics}{path}")).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
    served.stop();
}

#[tokio::test]
async fn webhooks_that_come_faster_than_the_setting_says_are_counted_as_such() {
    let served = Served::demo(|command| {
        command.args(["--webhooks-per-second", "1"]);
    })
    .await;
    let event = json!({"id": "evt_1", "object": "event", "type": "invoice.sent", "created": now(), "livemode": false,
        "data": {"object": {}}});
    let body = event.to_string();
    let mut taken = 0;
    while served.webhook(body.clone(), &signature(&[WEBHOOK_SECRET], body.as_bytes(), now())).await.status() == 200 {
        taken += 1;
    }
    let text = served.metrics().await;
    let webhooks = |outcome| count(&text, "billing_webhooks_total", &[("outcome", outcome)]);
    assert_eq!((webhooks("new"), webhooks("duplicate"), webhooks("rate_limited")), (1, taken - 1, 1));
}

#[tokio::test]
async fn without_the_setting_nothing_is_shown() {
    let served = Served::demo(|command| {
        command.env_remove("BILLING_METRICS_LISTEN");
    })
    .await;
    assert_eq!(served.ready["metrics"], Value::Null);
    served.stop();
}

#[tokio::test]
async fn a_cache_of_documents_that_is_full_shows() {
    let served = Served::demo(|command| {
        command.env("BILLING_DOCUMENT_CACHE_MIB", "1");
    })
    .await;
    // About a fifth of a mebibyte each.
    for number in 0..16 {
        let document = format!("{{ viewer {{ {} }} }}", "kind ".repeat(480 + number));
        assert_eq!(served.ask(&document, json!({})).await.status(), StatusCode::OK);
    }
    let text = served.metrics().await;
    assert!(count(&text, "billing_document_cache_evictions_total", &[]) >= 4, "{text}");
    assert!(count(&text, "billing_document_cache_bytes", &[]) <= 1_048_576);
    assert!((1..=6).contains(&count(&text, "billing_document_cache_entries", &[])));
    served.stop();
}

#[tokio::test]
async fn a_server_of_rates_that_is_gone_shows_and_so_does_who_is_refused() {
    use billing_gateway::domain::rate::Bucket;
    use billing_gateway::rate::{Limiter, Owner, WithoutShared};
    use billing_gateway::stats::{Limited, Registry, text};
    let bucket = [(Owner::of("user", &["u"]), Bucket::new(1, Duration::from_mins(1)))];
    let shown = |limiter: &Limiter| {
        let mut registry = Registry::default();
        limiter.stats().register(&mut registry);
        text(&registry)
    };
    let refused = |text: &str, reason| count(text, "rate_refused_total", &[("kind", "operation"), ("reason", reason)]);
    let mut redis = Redis::start();
    let limiter = Limiter::shared(&redis.url().parse().unwrap(), WithoutShared::Closed);
    limiter.take_for(Limited::Operation, &bucket, 1).await.unwrap();
    limiter.take_for(Limited::Operation, &bucket, 1).await.unwrap_err();
    let well = shown(&limiter);
    assert_eq!((refused(&well, "exhausted"), refused(&well, "uncounted")), (1, 0), "{well}");
    assert_eq!(count(&well, "rate_shared_calls_total", &[("outcome", "ok")]), 2);
    assert_eq!(count(&well, "rate_shared_call_duration_seconds_count", &[]), 2);
    assert_eq!(count(&well, "rate_shared_without", &[]), 0);
    redis.stop();
    for _ in 0..2 {
        limiter.take_for(Limited::Operation, &bucket, 1).await.unwrap_err();
    }
    let gone = shown(&limiter);
    assert_eq!((refused(&gone, "exhausted"), refused(&gone, "uncounted")), (1, 2), "{gone}");
    assert_eq!(count(&gone, "rate_shared_calls_total", &[("outcome", "skipped")]), 1, "{gone}");
    assert_eq!(count(&gone, "rate_shared_without", &[]), 1);
}

#[test]
fn a_request_whose_client_goes_away_is_counted_as_abandoned() {
    let stats = billing_gateway::stats::HttpStats::default();
    let mut registry = billing_gateway::stats::Registry::default();
    stats.register(&mut registry);
    drop(stats.begin("/graphql", "POST"));
    stats.begin("/graphql", "POST").answered(200);
    let text = billing_gateway::stats::text(&registry);
    assert_eq!(count(&text, "http_requests_abandoned_total", &[]), 1);
    assert_eq!(count(&text, "http_requests_total", &[]), 1);
    assert_eq!(count(&text, "http_requests_in_flight", &[]), 0);
}

#[test]
fn alerts_are_about_metrics_that_there_are() {
    let described = described();
    let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words: BTreeSet<_> = ALERTS.split(|c| !name(c)).filter(|word| word.starts_with("billing_")).collect();
    assert!(words.len() >= 10, "{words:?}");
    for word in words {
        let counted = |end: &str, kind: &str| {
            word.strip_suffix(end).and_then(|name| described.get(name)).is_some_and(|(of, _)| of == kind)
        };
        let gauge = described.get(word).is_some_and(|(kind, _)| kind == "gauge");
        assert!(gauge || counted("_total", "counter") || counted("_bucket", "histogram"), "{word}");
    }
}
