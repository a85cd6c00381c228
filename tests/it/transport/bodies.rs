//! Bodies: slow, huge, without end.

use std::time::{Duration, Instant};

use billing_gateway::http::Transport;
use tokio::time::sleep;

use super::raw::{Answer, Raw, get, post, post_head};
use super::{SLACK, SOON, hasty};
use crate::support::app::TestApp;

const TYPENAME: &str = "{ __typename }";

/// Sends a question with a pause in the middle of its body.
async fn haltingly(app: &TestApp, pause: Duration) -> Answer {
    let question = post(app, TYPENAME);
    let (begin, end) = question.split_at(question.len() - 5);
    let mut raw = Raw::connect(app).await;
    raw.send(begin).await;
    sleep(pause).await;
    raw.try_send(end.as_bytes()).await;
    raw.answer().await
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let app = TestApp::with_transport(hasty()).await;
    let mut raw = Raw::connect(&app).await;
    let begun = Instant::now();
    raw.send(post_head(&app, 100) + "{").await;
    let answer = raw.answer().await;
    assert_eq!((answer.status, &answer.json()["errors"][0]["extensions"]["code"]), (408, &"TIMEOUT".into()));
    assert_eq!(answer.header("connection"), Some("close"));
    assert!((SOON..SOON + SLACK).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    raw.is_closed().await;
}

#[tokio::test]
async fn a_body_may_pause_as_long_as_the_setting_says() {
    assert_eq!(haltingly(&TestApp::with_transport(hasty()).await, SOON * 2).await.status, 408);
    assert_eq!(haltingly(&TestApp::new().await, SOON * 2).await.status, 200);
}

#[tokio::test]
async fn clients_with_slow_bodies_take_nobody_s_place() {
    let app = TestApp::with_transport(Transport { executing_max: 1, queue_max: 1, ..Transport::default() }).await;
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut raw = Raw::connect(&app).await;
        raw.send(post_head(&app, 100) + "{").await;
        slow.push(raw);
    }
    let mut raw = Raw::connect(&app).await;
    raw.send(post(&app, TYPENAME)).await;
    assert_eq!(raw.answer().await.status, 200);
}

#[tokio::test]
async fn a_chunked_body_without_end_is_cut_off() {
    let app = TestApp::new().await;
    let mut raw = Raw::connect(&app).await;
    let head = post_head(&app, 0).replace("content-length: 0", "transfer-encoding: chunked");
    raw.send(head).await;
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let mut sent = 0;
    while sent < 100_000_000 && raw.send_within(chunk.as_bytes(), SLACK).await {
        sent += 0x10000;
    }
    // What is thrown away has its limit, and beyond that there is what the kernel holds.
    assert!(sent < 40_000_000, "{sent} bytes were taken");
    if let Some(answer) = raw.read_answer().await {
        assert_eq!(answer.status, 413, "{answer:?}");
        assert_eq!(answer.header("connection"), Some("close"));
    }
    let mut other = Raw::connect(&app).await;
    other.send(get("/livez")).await;
    assert_eq!(other.answer().await.status, 200);
}

#[tokio::test]
async fn a_body_that_is_announced_too_large_is_refused_before_it_comes() {
    let app = TestApp::new().await;
    let mut raw = Raw::connect(&app).await;
    let head = post_head(&app, 300_000);
    raw.send(head.replace("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n")).await;
    let answer = raw.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (413, Some("close")));
    raw.is_closed().await;
}

#[tokio::test]
async fn a_body_nobody_asked_for_is_not_read() {
    let app = TestApp::new().await;
    let mut raw = Raw::connect(&app).await;
    raw.send("GET /livez HTTP/1.1\r\nhost: gateway\r\ncontent-length: 1000000000\r\n\r\n").await;
    assert_eq!(raw.answer().await.status, 200);
    raw.is_closed().await;
}

/// A request with this head is refused before its body is looked at, which comes after so long, if it does.
async fn refused_early(app: &TestApp, head: &str, length: usize, pause: Option<Duration>) -> (Raw, Answer) {
    let mut raw = Raw::connect(app).await;
    raw.send(format!("{head} HTTP/1.1\r\nhost: gateway\r\ncontent-length: {length}\r\n\r\n")).await;
    if let Some(pause) = pause {
        sleep(pause).await;
        raw.send("x".repeat(length)).await;
    }
    let answer = raw.answer().await;
    (raw, answer)
}

#[tokio::test]
async fn a_short_body_that_comes_right_behind_its_headers_is_read_though_nobody_wants_it() {
    let app = TestApp::new().await;
    let heads =
        ["POST /graphql", "POST /livez", "DELETE /v1/session", "GET /v1/billing/invoices/inv_1/pay-url", "GET /no"];
    for head in heads {
        for pause in [Duration::ZERO, Duration::from_millis(5)] {
            let (mut raw, answer) = refused_early(&app, head, 100, Some(pause)).await;
            assert!(answer.status >= 400 && answer.header("connection").is_none(), "{head}: {answer:?}");
            raw.send(get("/livez")).await;
            assert_eq!(raw.answer().await.status, 200, "{head}");
        }
    }
}

#[tokio::test]
async fn whoever_leaves_a_body_unread_says_that_the_connection_ends() {
    let app = TestApp::new().await;
    for length in [100, 17 * 1024, 200_000] {
        let (mut raw, answer) = refused_early(&app, "POST /graphql", length, None).await;
        assert_eq!((answer.status, answer.header("connection")), (401, Some("close")), "{length}");
        raw.is_closed().await;
    }
    let mut raw = Raw::connect(&app).await;
    raw.send("POST /graphql HTTP/1.1\r\nhost: gateway\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n").await;
    let answer = raw.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (401, Some("close")), "it is not told to go on");
}

/// So many clients that have sent nearly all of a long body, and send no more.
async fn withholding(app: &TestApp, clients: usize) -> Vec<Raw> {
    let mut all = Vec::new();
    for _ in 0..clients {
        let mut raw = Raw::connect(app).await;
        raw.send(post_head(app, 250_000) + &" ".repeat(249_990)).await;
        all.push(raw);
    }
    sleep(SOON).await;
    all
}

/// The answers to a long body and to a short one beside eight long ones that do not end.
async fn beside_long_bodies(memory: usize) -> (Answer, Answer) {
    let app = TestApp::with_transport(Transport { body_memory_bytes: memory, ..Transport::default() }).await;
    let _withheld = withholding(&app, 8).await;
    let padding = " ".repeat(200_000);
    let (mut long, mut short) = (Raw::connect(&app).await, Raw::connect(&app).await);
    let body = serde_json::json!({ "query": TYPENAME }).to_string() + &padding;
    long.send(post_head(&app, body.len()) + &body).await;
    short.send(post(&app, TYPENAME)).await;
    (long.answer().await, short.answer().await)
}

#[tokio::test]
async fn bodies_that_do_not_end_leave_memory_for_short_ones_and_long_ones_are_told_to_come_again() {
    let (long, short) = beside_long_bodies(4 << 20).await;
    assert_eq!((long.status, &long.json()["errors"][0]["extensions"]["code"]), (503, &"OVERLOADED".into()));
    assert!(long.header("retry-after").is_some());
    assert_eq!(short.status, 200);
    let (long, short) = beside_long_bodies(64 << 20).await;
    assert_eq!((long.status, short.status), (200, 200), "with more memory there is some for both");
}

#[tokio::test]
async fn memory_of_bodies_that_break_off_comes_back() {
    let app = TestApp::with_transport(Transport { body_memory_bytes: 4 << 20, ..Transport::default() }).await;
    for _ in 0..5 {
        drop(withholding(&app, 4).await);
    }
    let mut raw = Raw::connect(&app).await;
    let body = serde_json::json!({ "query": TYPENAME }).to_string() + &" ".repeat(200_000);
    raw.send(post_head(&app, body.len()) + &body).await;
    assert_eq!(raw.answer().await.status, 200);
}
