//! Documents and variables: what the library makes of them, and what we do before it sees them.
#![allow(clippy::print_stderr, reason = "what was measured is worth reading")]

use std::time::{Duration, Instant};

use async_graphql::{EmptySubscription, Request, Schema};
use billing_gateway::gate::{self, Limits};
use billing_gateway::graphql::{Mutation, Query};
use serde_json::json;

use super::process::{End, alone};
use crate::support::app::TestApp;

/// How long an attack may go on before its process is killed.
const PATIENCE: Duration = Duration::from_secs(2);

/// For what ends by itself, on a busy machine.
const ENOUGH: Duration = Duration::from_mins(1);

/// How many times as long as the gate the library is busy, at least.
const LONGER: u32 = 1_000;

/// Requests at the same time, as many as the attackers of the promise on memory.
const AT_ONCE: usize = 16;

/// What those may add in all.
const GROWTH_MAX: u64 = 64 << 20;

/// The schema as one would build it with every limit that the library has, and no gate before it.
fn schema() -> Schema<Query, Mutation, EmptySubscription> {
    let builder = Schema::build(Query, Mutation, EmptySubscription);
    builder.limit_depth(10).limit_complexity(500).limit_directives(5).finish()
}

/// Fragments of which each spreads the next one `width` times.
fn fan_out(head: &str, width: usize, levels: usize) -> String {
    let link =
        |level: usize| format!("fragment F{level} on Query {{ {} }} ", format!("...F{} ", level + 1).repeat(width));
    let chain: String = (0..levels).map(link).collect();
    format!("{head} {{ ...F0 }} {chain} fragment F{levels} on Query {{ __typename }}")
}

/// A hostile document of a size.
fn document(what: &str, size: usize) -> String {
    match what {
        "lists" => format!("{{ __typename @include(if: {}true{}) }}", "[".repeat(size), "]".repeat(size)),
        "objects" => format!("{{ viewer(a: {}1{}) {{ kind }} }}", "{a:".repeat(size), "}".repeat(size)),
        "doubling" => fan_out("query", 2, size),
        "fan-out" => fan_out("query", 40, size),
        "not-selected" => format!("query Chosen {{ __typename }} {}", fan_out("query Bomb", 2, size)),
        "variables" => {
            let variables: Vec<String> = (0..size).map(|n| format!("$v{n}: Int")).collect();
            format!("query({}) {{ __typename }}", variables.join(" "))
        }
        "syntax" => format!("{{ a(x: \"{}\") ? }}", "x".repeat(size)),
        _ => panic!("no such document: {what}"),
    }
}

/// A body with as many values as fit: a map of one number is the dearest of them.
fn crowded() -> String {
    let values = vec![r#"{"":0}"#; 37_000].join(",");
    let body = format!(r#"{{"query":"{{__typename}}","variables":{{"a":[{values}]}}}}"#);
    assert!(body.len() < 256 * 1024, "{}", body.len());
    body
}

fn library() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// What a process of its own is told to do. What is prepared before is not part of the attack.
pub(super) fn prepare(what: &str, size: usize) -> Box<dyn FnOnce() -> String> {
    let runtime = library();
    if what == "values" {
        let body = crowded();
        return Box::new(move || {
            let before = resident("VmRSS:");
            let read = || runtime.block_on(async_graphql::http::receive_batch_json(body.as_bytes())).unwrap();
            let all: Vec<_> = (0..size).map(|_| read()).collect();
            assert_eq!(all.len(), size);
            (resident("VmHWM:") - before).to_string()
        });
    }
    let (schema, document) = (schema(), document(what, size));
    let chosen = (what == "not-selected").then_some("Chosen");
    Box::new(move || {
        let request = Request::new(document);
        let request = match chosen {
            Some(name) => request.operation_name(name),
            None => request,
        };
        runtime.block_on(schema.execute(request)).errors.len().to_string()
    })
}

/// Memory of this process in bytes.
fn resident(name: &str) -> u64 {
    let told = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = told.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// The code with which the gate refuses a document, and the time that it takes.
fn refused(document: &str) -> (&'static str, Duration) {
    let time = || {
        let begun = Instant::now();
        let code = gate::check(document, &Limits::default()).unwrap_err().code();
        (begun.elapsed(), code)
    };
    let (took, code) = (0..7).map(|_| time()).min().unwrap();
    (code, took)
}

/// The grammar underneath gives up when its own stack runs out; what reads its result, and what validates that, does not
/// look. So it is in a range of depths that the process ends, and where that is depends on how it was built.
#[test]
fn without_the_gate_values_that_are_nested_deep_end_the_process() {
    for what in ["lists", "objects"] {
        let ends = |levels: &usize| {
            let outcome = alone(what, *levels, ENOUGH);
            let overflowed =
                matches!(outcome.end, End::Signal(_)) && outcome.complaint.contains("overflowed its stack");
            assert!(overflowed || outcome.end == End::Well, "{outcome:?}");
            overflowed
        };
        let levels = (20..=40).map(|tens| tens * 10).chain((9..=60).map(|fifties| fifties * 50)).find(ends);
        let levels = levels.unwrap_or_else(|| panic!("{what}: no depth ends the process"));
        eprintln!("{what}: {levels} levels end the process");
        let refused = refused(&document(what, levels)).0;
        assert!(["QUERY_TOO_DEEP", "QUERY_TOO_LARGE"].contains(&refused), "{refused}");
        // It is the depth: with little of it the same is answered.
        assert_eq!(alone(what, 20, ENOUGH).end, End::Well);
    }
}

#[test]
fn without_the_gate_fragments_keep_the_process_busy_for_a_thousand_times_as_long() {
    for (what, size, small) in [("doubling", 22, 2), ("fan-out", 6, 1), ("not-selected", 22, 2)] {
        let bomb = document(what, size);
        assert!(bomb.len() < 2_500, "{what} is short: {}", bomb.len());
        let (code, gate) = refused(&bomb);
        assert_eq!(code, "QUERY_TOO_COMPLEX", "{what}");
        let outcome = alone(what, size, PATIENCE);
        eprintln!("{what}: the gate {gate:?}, the library {:?} {:?}", outcome.took, outcome.end);
        assert!(outcome.took > gate * LONGER, "{what}: the gate {gate:?}, {outcome:?}");
        assert!(!matches!(outcome.end, End::Failed), "{outcome:?}");
        let outcome = alone(what, small, ENOUGH);
        assert_eq!(outcome.end, End::Well, "{outcome:?}");
    }
}

/// Errors of the library repeat the document, or come by the thousand.
#[tokio::test]
async fn without_the_gate_a_wrong_document_has_an_answer_of_hundreds_of_kilobytes() {
    let app = TestApp::new().await;
    for (what, size) in [("variables", 5_000), ("syntax", 300_000)] {
        let wrong = document(what, size);
        let response = schema().execute(&wrong).await;
        let long = serde_json::to_vec(&response).unwrap().len();
        let request = app.client.post(app.url("/graphql")).bearer_auth(app.token("merchant"));
        let short = request.json(&json!({ "query": wrong })).send().await.unwrap().text().await.unwrap().len();
        eprintln!("{what}: {long} bytes, and {short} with the gate");
        assert!(long > 300_000 && short < 500, "{what}: {long} bytes, and {short} with the gate");
    }
}

#[tokio::test]
async fn without_a_count_of_values_a_few_bodies_take_all_the_memory_that_attacks_may() {
    let app = TestApp::new().await;
    let request = app.client.post(app.url("/graphql")).bearer_auth(app.token("merchant"));
    let answer = request.header("content-type", "application/json").body(crowded()).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert!(answer.text().await.unwrap().contains("more than 10000 values"));
    let outcome = tokio::task::spawn_blocking(|| alone("values", AT_ONCE, ENOUGH)).await.unwrap();
    assert_eq!(outcome.end, End::Well, "{outcome:?}");
    let grown: u64 = outcome.said.lines().next().unwrap().parse().unwrap();
    eprintln!("{AT_ONCE} bodies: {} kB", grown / 1024);
    assert!(grown > GROWTH_MAX, "{grown} bytes");
}
