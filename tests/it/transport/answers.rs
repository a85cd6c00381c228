//! Answers that nobody reads.

use std::time::{Duration, Instant};

use billing_gateway::http::Transport;
use tokio::time::sleep;

use super::raw::{Raw, get, post};
use super::{LATER, SLACK, hasty};
use crate::support::app::TestApp;

/// So many large answers are more than the kernel keeps for a client that does not read.
const ANSWERS: usize = 10;

/// Asks for some megabytes on one connection, and reads nothing.
async fn sleeper(app: &TestApp) -> Raw {
    let whale = app.invoice("whale");
    let lines = "id description amount { amount currency formatted } unitPrice quantity period { start end } \
         integrity: __typename a: description b: description c: description d: id e: id f: id g: id h: id i: id";
    let question = post(app, &format!("{{ invoice(id: \"{whale}\") {{ lineItems(first: 1000) {{ {lines} }} }} }}"));
    let mut raw = Raw::connect_narrow(app).await;
    raw.send(question.repeat(ANSWERS)).await;
    raw
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answers_is_left() {
    // Only that one time is short: nothing else ends the connection.
    let app = TestApp::with_transport(Transport { answer_timeout: LATER, ..Transport::default() }).await;
    let mut raw = sleeper(&app).await;
    // What is sent to a connection that is gone comes back as an error.
    let begun = Instant::now();
    while raw.try_send(b" ").await {
        assert!(begun.elapsed() < SLACK * 6, "it is still waited for");
        sleep(Duration::from_millis(50)).await;
    }
    assert!(begun.elapsed() >= LATER / 2, "{:?}", begun.elapsed());
    let mut other = Raw::connect(&app).await;
    other.send(get("/livez")).await;
    assert_eq!(other.answer().await.status, 200);
}

#[tokio::test]
async fn with_time_to_spare_a_client_may_read_late() {
    let app = TestApp::with_transport(Transport { answer_timeout: SLACK * 6, ..Transport::default() }).await;
    let mut raw = sleeper(&app).await;
    sleep(LATER * 4).await;
    for _ in 0..ANSWERS {
        let answer = raw.answer().await;
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains("\"lineItems\"") && !answer.body.contains("\"errors\""), "{answer:?}");
    }
}

#[tokio::test]
async fn a_client_that_reads_gets_all_of_it_however_short_the_time() {
    let app = TestApp::with_transport(hasty()).await;
    let mut raw = Raw::connect(&app).await;
    for _ in 0..20 {
        raw.send(get("/explorer/scopes")).await;
        assert_eq!(raw.answer().await.status, 200);
    }
}
