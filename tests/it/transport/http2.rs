//! HTTP/2 without TLS, as proxies speak it, and what only it can be attacked with.

use std::time::Instant;

use billing_gateway::http::Transport;
use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use http::{Request, Response};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::raw::{Raw, address, get};
use super::{LATER, SLACK, SOON, hasty};
use crate::support::app::TestApp;

/// A connection: what asks on it, and what drives it until it ends.
struct Http2 {
    asking: SendRequest<Bytes>,
    driving: JoinHandle<Result<(), h2::Error>>,
}

impl Http2 {
    async fn connect(app: &TestApp) -> Self {
        Self::with(app, &Builder::new()).await
    }

    async fn with(app: &TestApp, builder: &Builder) -> Self {
        let stream = TcpStream::connect(address(app)).await.unwrap();
        let (asking, connection) = builder.handshake(stream).await.unwrap();
        Self { asking, driving: tokio::spawn(connection) }
    }

    async fn send(&mut self, request: Request<()>, body: Option<String>) -> Result<ResponseFuture, h2::Error> {
        self.asking = self.asking.clone().ready().await?;
        let (answer, mut sending) = self.asking.send_request(request, body.is_none())?;
        if let Some(body) = body {
            sending.send_data(body.into(), true)?;
        }
        Ok(answer)
    }

    async fn ask(&mut self, request: Request<()>, body: Option<String>) -> Result<(Response<()>, Value), h2::Error> {
        let answer = self.send(request, body).await?.await?;
        let (head, mut body) = answer.into_parts();
        let mut bytes = Vec::new();
        while let Some(chunk) = body.data().await {
            let chunk = chunk?;
            body.flow_control().release_capacity(chunk.len())?;
            bytes.extend_from_slice(&chunk);
        }
        Ok((Response::from_parts(head, ()), serde_json::from_slice(&bytes).unwrap_or_default()))
    }
}

fn request(app: &TestApp, path: &str) -> Request<()> {
    Request::get(app.url(path)).body(()).unwrap()
}

/// A question by POST, and its body.
fn question(app: &TestApp, query: &str) -> (Request<()>, Option<String>) {
    let request = Request::post(app.url("/graphql"))
        .header("authorization", format!("Bearer {}", app.token("merchant")))
        .header("content-type", "application/json");
    (request.body(()).unwrap(), Some(json!({ "query": query }).to_string()))
}

#[tokio::test]
async fn http2_is_spoken_to_whoever_begins_with_it() {
    let app = TestApp::new().await;
    let mut http2 = Http2::connect(&app).await;
    let (ask, body) = question(&app, "{ viewer { kind } }");
    let (head, answer) = http2.ask(ask, body).await.unwrap();
    assert_eq!((head.status().as_u16(), &answer["data"]["viewer"]["kind"]), (200, &json!("MERCHANT")));
    assert_eq!(head.headers()["x-content-type-options"], "nosniff");
    let (head, problem) = http2.ask(request(&app, "/nothing"), None).await.unwrap();
    assert_eq!((head.status().as_u16(), &problem["status"]), (404, &json!(404)));
    assert_eq!(problem["instance"], head.headers()["x-request-id"].to_str().unwrap());
}

#[tokio::test]
async fn headers_are_counted_on_http2_too() {
    let app = TestApp::new().await;
    let mut http2 = Http2::connect(&app).await;
    for (count, status) in [(99, 200), (101, 431)] {
        let mut request = request(&app, "/livez");
        for n in 0..count {
            request.headers_mut().insert(http::HeaderName::try_from(format!("x-{n}")).unwrap(), "y".parse().unwrap());
        }
        assert_eq!(http2.ask(request, None).await.unwrap().0.status().as_u16(), status);
    }
    let mut long = request(&app, "/livez");
    long.headers_mut().insert("x-long", "y".repeat(70_000).parse().unwrap());
    // Refused by the server's protocol with a status, or not sent at all by a client that knows its limit.
    if let Ok((head, _body)) = http2.ask(long, None).await {
        assert_eq!(head.status().as_u16(), 431);
    }
}

#[tokio::test]
async fn a_connection_that_rests_is_told_to_go_and_closed() {
    let app = TestApp::with_transport(Transport { headers_timeout: LATER, ..hasty() }).await;
    let mut http2 = Http2::connect(&app).await;
    assert_eq!(http2.ask(request(&app, "/livez"), None).await.unwrap().0.status(), 200);
    let begun = Instant::now();
    // A client that is told to go ends without an error.
    let driving = timeout(SLACK, http2.driving).await.expect("it is closed").unwrap();
    assert!(driving.is_ok(), "{driving:?}");
    assert!(begun.elapsed() >= SOON / 2, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_connection_that_rests_shortly_goes_on() {
    let app = TestApp::with_transport(Transport { headers_timeout: SOON, ..Transport::default() }).await;
    let mut http2 = Http2::connect(&app).await;
    for _ in 0..2 {
        assert_eq!(http2.ask(request(&app, "/livez"), None).await.unwrap().0.status(), 200);
        sleep(LATER).await;
    }
}

#[tokio::test]
async fn streams_beyond_the_limit_wait_for_their_turn() {
    let app = TestApp::with_transport(Transport { streams_per_connection: 3, ..Transport::default() }).await;
    let mut http2 = Http2::connect(&app).await;
    // The limit is known once something was heard of the server.
    http2.ask(request(&app, "/livez"), None).await.unwrap();
    assert_eq!(http2.asking.current_max_send_streams(), 3);
    let app = TestApp::new().await;
    let mut http2 = Http2::connect(&app).await;
    http2.ask(request(&app, "/livez"), None).await.unwrap();
    assert_eq!(http2.asking.current_max_send_streams(), 100);
}

/// A frame as it is written: length, kind, flags, stream.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [length[1], length[2], length[3], kind, flags];
    [&head, stream.to_be_bytes().as_slice(), payload].concat()
}

/// Requests for `/`, each taken back at once.
fn taken_back(count: u32) -> Vec<u8> {
    const ASK: [u8; 10] = [0x82, 0x86, 0x84, 0x41, 5, b'l', b'o', b'c', b'a', b'l'];
    const CANCEL: [u8; 4] = [0, 0, 0, 8];
    let streams = (0..count).map(|n| n * 2 + 1);
    streams.flat_map(|stream| [frame(1, 5, stream, &ASK), frame(3, 0, stream, &CANCEL)].concat()).collect()
}

#[tokio::test]
async fn a_flood_of_streams_that_are_taken_back_ends_its_own_connection_alone() {
    let app = TestApp::new().await;
    let mut bystander = Raw::connect(&app).await;
    for (count, stays) in [(5, true), (20_000, false)] {
        let mut raw = Raw::connect(&app).await;
        raw.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        raw.send(frame(4, 0, 0, &[])).await;
        raw.try_send(&taken_back(count)).await;
        assert_eq!(raw.closes_within(if stays { LATER } else { SLACK }).await, !stays, "{count}");
        bystander.send(get("/livez")).await;
        assert_eq!(bystander.answer().await.status, 200);
    }
}

/// A large question, of which the client takes nothing; and whether the connection is over a while later.
async fn is_over_after_a_large_answer(transport: Transport) -> bool {
    let app = TestApp::with_transport(transport).await;
    let mut narrow = Builder::new();
    narrow.initial_window_size(16).initial_connection_window_size(65_535);
    let mut http2 = Http2::with(&app, &narrow).await;
    let whale = app.invoice("whale");
    let lines = "id description amount { amount formatted } a: description b: description c: description";
    let (ask, body) =
        question(&app, &format!("{{ invoice(id: \"{whale}\") {{ lineItems(first: 1000) {{ {lines} }} }} }}"));
    let answer = http2.send(ask, body).await.unwrap();
    let answer = timeout(SLACK, answer).await.unwrap().unwrap();
    assert_eq!(answer.status(), 200);
    sleep(LATER * 2).await;
    http2.driving.is_finished()
}

#[tokio::test]
async fn an_answer_that_the_client_gives_no_room_for_ends_the_connection() {
    assert!(is_over_after_a_large_answer(Transport { answer_timeout: SOON, ..Transport::default() }).await);
    assert!(!is_over_after_a_large_answer(Transport::default()).await);
}
