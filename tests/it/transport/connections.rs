//! Sockets: silent, slow, idle, too many, and full of rubbish.

use std::time::{Duration, Instant};

use billing_gateway::http::Transport;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::sleep;

use super::raw::{Raw, get};
use super::{LATER, SLACK, SOON, hasty};
use crate::support::app::TestApp;
use crate::support::program::{Running, shell};

#[tokio::test]
async fn a_silent_socket_is_closed() {
    let app = TestApp::with_transport(hasty()).await;
    let begun = Instant::now();
    let mut silent = Raw::connect(&app).await;
    silent.is_closed().await;
    assert!((SOON..SOON + SLACK).contains(&begun.elapsed()), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn with_time_to_spare_a_silent_socket_stays() {
    let app = TestApp::new().await;
    let mut silent = Raw::connect(&app).await;
    assert!(!silent.closes_within(LATER).await);
    silent.send(get("/livez")).await;
    assert_eq!(silent.answer().await.status, 200);
}

/// Sends headers byte by byte, and gives after what time nobody listened any more; absent when all were taken.
async fn drip(raw: &mut Raw, total: Duration) -> Option<Duration> {
    let begun = Instant::now();
    raw.send("GET /livez HTTP/1.1\r\nhost: gateway\r\nx-slow: ").await;
    while begun.elapsed() < total {
        if !raw.try_send(b"x").await || raw.closes_within(Duration::from_millis(20)).await {
            return Some(begun.elapsed());
        }
    }
    None
}

#[tokio::test]
async fn headers_that_drip_have_their_time_in_all() {
    let app = TestApp::with_transport(hasty()).await;
    let mut first = Raw::connect(&app).await;
    assert!(drip(&mut first, SLACK).await.is_some());
    let patient = Transport { idle_timeout: SLACK, ..hasty() };
    let app = TestApp::with_transport(patient).await;
    let mut later = Raw::connect(&app).await;
    later.send(get("/livez")).await;
    assert_eq!(later.answer().await.status, 200);
    sleep(LATER).await;
    let taken = drip(&mut later, SLACK).await.expect("the headers of a later request have the same time");
    assert!(taken >= SOON / 2, "{taken:?}");
}

#[tokio::test]
async fn with_time_to_spare_headers_may_drip() {
    let app = TestApp::new().await;
    let mut slow = Raw::connect(&app).await;
    assert_eq!(drip(&mut slow, LATER).await, None);
    slow.send("\r\n\r\n").await;
    assert_eq!(slow.answer().await.status, 200);
}

#[tokio::test]
async fn a_connection_that_rests_is_closed() {
    let app = TestApp::with_transport(Transport { headers_timeout: SLACK, ..hasty() }).await;
    let mut idle = Raw::connect(&app).await;
    idle.send(get("/livez")).await;
    assert_eq!(idle.answer().await.status, 200);
    let begun = Instant::now();
    idle.is_closed().await;
    assert!(begun.elapsed() >= SOON / 2, "{:?}", begun.elapsed());

    let app = TestApp::with_transport(Transport { headers_timeout: SOON, ..Transport::default() }).await;
    let mut resting = Raw::connect(&app).await;
    for _ in 0..2 {
        resting.send(get("/livez")).await;
        assert_eq!(resting.answer().await.status, 200);
        assert!(!resting.closes_within(LATER).await, "it may rest longer than headers may take");
    }
}

#[tokio::test]
async fn the_101st_connection_of_an_address_is_told_so_and_closed() {
    let app = TestApp::new().await;
    let mut open = Vec::new();
    for _ in 0..100 {
        open.push(Raw::connect(&app).await);
    }
    let mut one_more = Raw::connect(&app).await;
    let answer = one_more.answer().await;
    answer.is_problem(503, "OVERLOADED");
    assert_eq!((answer.header("retry-after"), answer.header("connection")), (Some("2"), Some("close")));
    one_more.is_closed().await;

    let mut other_address = Raw::connect_from(&app, 2).await;
    other_address.send(get("/livez")).await;
    assert_eq!(other_address.answer().await.status, 200);

    drop(open.pop());
    let mut again = loop {
        // That it left is noticed a moment later.
        let mut again = Raw::connect(&app).await;
        again.try_send(get("/livez").as_bytes()).await;
        if again.answer().await.status == 200 {
            break again;
        }
    };
    again.send(get("/livez")).await;
    assert_eq!(again.answer().await.status, 200);
}

#[tokio::test]
async fn with_a_higher_limit_an_address_has_more_connections() {
    let app = TestApp::with_transport(Transport { connections_per_address: 130, ..Transport::default() }).await;
    let mut open = Vec::new();
    for _ in 0..129 {
        open.push(Raw::connect(&app).await);
    }
    let mut one_more = Raw::connect(&app).await;
    one_more.send(get("/livez")).await;
    assert_eq!(one_more.answer().await.status, 200);
}

#[tokio::test]
async fn connections_are_counted_in_all_too() {
    let app = TestApp::with_transport(Transport { connections_max: 2, ..Transport::default() }).await;
    let _open = (Raw::connect_from(&app, 2).await, Raw::connect_from(&app, 3).await);
    Raw::connect_from(&app, 4).await.answer().await.is_problem(503, "OVERLOADED");
}

/// Hundredths of a second that a process has spent on its own and in the system.
fn spent(pid: u64) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields = stat.rsplit_once(')').unwrap().1;
    fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

#[tokio::test]
async fn a_server_without_descriptors_neither_spins_nor_falls() {
    let folder = TempDir::with_prefix("billing-gateway-descriptors-").unwrap();
    let serve = "ulimit -n 150; exec billing-gateway serve --demo --demo-size tiny --json --listen 127.0.0.1:0 \
         --connections-per-address 1000 --headers-timeout-ms 60000";
    let mut running = Running::start(shell(folder.path(), serve));
    let ready: Value = serde_json::from_str(&running.line(|line| line.starts_with('{'))).unwrap();
    let server = ready["url"].as_str().unwrap().trim_start_matches("http://").parse().unwrap();
    let mut open = Vec::new();
    // More than it can take, and fewer than the kernel keeps waiting for it beyond that.
    for _ in 0..200 {
        open.push(Raw::connect_to(server).await);
    }
    let before = spent(ready["pid"].as_u64().unwrap());
    sleep(Duration::from_secs(1)).await;
    let spent = spent(ready["pid"].as_u64().unwrap()) - before;
    assert!(spent < 50, "{spent} hundredths of a second");
    let mut first = open.swap_remove(0);
    first.send(get("/livez")).await;
    assert_eq!(first.answer().await.status, 200, "who is there is answered");
    drop(open);
    let mut later = Raw::connect_to(server).await;
    later.send(get("/livez")).await;
    assert_eq!(later.answer().await.status, 200);
    running.stop();
}

#[tokio::test]
async fn requests_behind_each_other_are_answered_in_order_up_to_rubbish() {
    let app = TestApp::new().await;
    let mut raw = Raw::connect(&app).await;
    raw.send(get("/livez") + &get("/version") + &get("/nothing") + "\u{0}\u{1}rubbish\r\n\r\n" + &get("/livez")).await;
    assert!(raw.answer().await.body.contains("ok"));
    assert!(raw.answer().await.body.contains("billing-gateway"));
    assert_eq!(raw.answer().await.status, 404);
    let refusal = raw.answer().await;
    assert_eq!((refusal.status, refusal.body.as_str()), (400, ""));
    raw.is_closed().await;
    assert!(raw.read_answer().await.is_none(), "nothing behind rubbish is read");
}

#[tokio::test]
async fn rubbish_in_many_forms_ends_only_its_own_connection() {
    let app = TestApp::new().await;
    let mut bystander = Raw::connect(&app).await;
    let long_line = "A".repeat(200_000);
    for rubbish in [
        "\r\n\r\n\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET /livez HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
        "POST /graphql HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\nzzzz\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nrubbish rubbish rubbish rubbish",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}",
        &long_line,
    ] {
        let mut raw = Raw::connect(&app).await;
        raw.try_send(rubbish.as_bytes()).await;
        raw.try_send(b"\r\n\r\n").await;
        if let Ok(Some(answer)) = tokio::time::timeout(SOON, raw.read_answer()).await {
            assert!((400..=503).contains(&answer.status) || answer.status == 101, "{answer:?}");
        }
        bystander.send(get("/livez")).await;
        assert_eq!(bystander.answer().await.status, 200);
    }
}
