//! Bodies: slow, huge, without end.

use std::time::{Duration, Instant};

use billing_gateway::http::Transport;
use tokio::time::sleep;

use super::raw::{Raw, get, post, post_head};
use super::{SLACK, SOON, hasty};
use crate::support::app::TestApp;

const TYPENAME: &str = "{ __typename }";

/// Sends a question with a pause in the middle of its body.
async fn haltingly(app: &TestApp, pause: Duration) -> super::raw::Answer {
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
