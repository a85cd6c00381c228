//! Headers: too many, too long.

use billing_gateway::http::Transport;

use super::raw::{Answer, Raw};
use crate::support::app::TestApp;

/// Asks with so many headers, the host's among them.
async fn with_headers(app: &TestApp, path: &str, count: usize) -> Answer {
    let more: Vec<_> = (1..count).map(|n| format!("x-{n}: y\r\n")).collect();
    let more = more.concat();
    let mut raw = Raw::connect(app).await;
    raw.send(format!("GET {path} HTTP/1.1\r\nhost: gateway\r\n{more}\r\n")).await;
    raw.answer().await
}

/// Asks with one header of so many bytes.
async fn with_long_header(app: &TestApp, bytes: usize) -> Answer {
    let mut raw = Raw::connect(app).await;
    raw.try_send(format!("GET /livez HTTP/1.1\r\nhost: gateway\r\nx-long: {}\r\n\r\n", "y".repeat(bytes)).as_bytes())
        .await;
    raw.answer().await
}

#[tokio::test]
async fn the_101st_header_is_refused_in_the_words_of_its_place() {
    let app = TestApp::new().await;
    assert_eq!(with_headers(&app, "/livez", 100).await.status, 200);
    let refused = with_headers(&app, "/livez", 101).await;
    refused.is_problem(431, "BAD_USER_INPUT");
    assert_eq!(refused.header("connection"), Some("close"));
    let refused = with_headers(&app, "/graphql", 101).await;
    assert_eq!((refused.status, &refused.json()["errors"][0]["extensions"]["code"]), (431, &"BAD_USER_INPUT".into()));
    // Where the protocol itself gives up, there are no words.
    assert_eq!(with_headers(&app, "/livez", 500).await.status, 431);
}

#[tokio::test]
async fn a_header_of_65_kib_is_refused() {
    let app = TestApp::new().await;
    assert_eq!(with_long_header(&app, 63 * 1024).await.status, 200);
    with_long_header(&app, 65 * 1024).await.is_problem(431, "BAD_USER_INPUT");
    assert_eq!(with_long_header(&app, 500 * 1024).await.status, 431);
}

#[tokio::test]
async fn with_higher_limits_there_may_be_more_and_longer_ones() {
    let transport = Transport { headers_max: 200, headers_bytes_max: 256 * 1024, ..Transport::default() };
    let app = TestApp::with_transport(transport).await;
    assert_eq!(with_headers(&app, "/livez", 150).await.status, 200);
    assert_eq!(with_long_header(&app, 100 * 1024).await.status, 200);
}

/// What proxies may read otherwise than we do: hosts and lengths of bodies that are told twice.
#[tokio::test]
async fn what_can_be_read_in_two_ways_is_refused_and_the_connection_ends() {
    let app = TestApp::new().await;
    let body = "2\r\n{}\r\n0\r\n\r\n";
    for (line, headers, body) in [
        ("GET /livez", "", ""),
        ("GET /livez", "host: a\r\nhost: a\r\n", ""),
        ("GET /livez", "host: a\r\nhost: b\r\n", ""),
        ("GET http://other/livez", "host: gateway\r\n", ""),
        ("GET http://gateway/livez", "", ""),
        ("POST /webhooks/stripe/default", "host: a\r\ntransfer-encoding: gzip, chunked\r\n", body),
        ("POST /webhooks/stripe/default", "host: a\r\ntransfer-encoding: chunked, chunked\r\n", body),
        (
            "POST /webhooks/stripe/default",
            "host: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            body,
        ),
    ] {
        let mut raw = Raw::connect(&app).await;
        raw.send(format!("{line} HTTP/1.1\r\n{headers}\r\n{body}")).await;
        let refused = raw.answer().await;
        refused.is_problem(400, "BAD_USER_INPUT");
        assert_eq!(refused.header("connection"), Some("close"), "{line} {headers}");
        raw.is_closed().await;
    }
    // What the protocol itself does not take has no words.
    for headers in ["transfer-encoding: gzip\r\n", "content-length: 5\r\ncontent-length: 6\r\n"] {
        let mut raw = Raw::connect(&app).await;
        raw.send(format!("POST /livez HTTP/1.1\r\nhost: a\r\n{headers}\r\n")).await;
        assert_eq!(raw.answer().await.status, 400, "{headers}");
        raw.is_closed().await;
    }
    for request in [
        "GET http://gateway:8080/livez HTTP/1.1\r\nhost: Gateway:8080\r\n\r\n".to_owned(),
        "GET /livez HTTP/1.0\r\n\r\n".to_owned(),
        format!("GET /livez HTTP/1.1\r\nhost: a\r\ntransfer-encoding: Chunked\r\n\r\n{body}"),
    ] {
        let mut raw = Raw::connect(&app).await;
        raw.send(&request).await;
        assert_eq!(raw.answer().await.status, 200, "{request}");
    }
}

/// Of a length beside `chunked` the protocol keeps one, so the request cannot be told from a good one, and is none.
#[tokio::test]
async fn a_length_beside_chunks_is_never_taken_for_the_length() {
    let app = TestApp::new().await;
    for headers in
        ["content-length: 4\r\ntransfer-encoding: chunked\r\n", "transfer-encoding: chunked\r\ncontent-length: 4\r\n"]
    {
        let mut raw = Raw::connect(&app).await;
        raw.send(format!(
            "POST /livez HTTP/1.1\r\nhost: a\r\n{headers}\r\n0\r\n\r\nGET /livez HTTP/1.1\r\nhost: a\r\n\r\n"
        ))
        .await;
        let first = raw.answer().await;
        assert!([400, 405].contains(&first.status), "{first:?}");
        if first.header("connection") == Some("close") {
            raw.is_closed().await;
        } else {
            assert_eq!(raw.answer().await.status, 200);
        }
    }
}

#[tokio::test]
async fn an_address_that_is_too_long_is_refused() {
    let app = TestApp::new().await;
    let mut raw = Raw::connect(&app).await;
    raw.send(format!("GET /livez?{} HTTP/1.1\r\nhost: gateway\r\n\r\n", "y".repeat(60_000))).await;
    assert_eq!(raw.answer().await.status, 200);
    raw.send(format!("GET /livez?{} HTTP/1.1\r\nhost: gateway\r\n\r\n", "y".repeat(65_525))).await;
    assert!([414, 431].contains(&raw.answer().await.status));
}
