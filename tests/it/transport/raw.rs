//! A client that speaks bytes, so that it can speak wrongly.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::SLACK;
use crate::support::app::TestApp;

/// The server's address.
pub(super) fn address(app: &TestApp) -> SocketAddr {
    app.url("").trim_start_matches("http://").parse().unwrap()
}

/// A connection, and what came on it that was not looked at yet.
pub(super) struct Raw {
    stream: TcpStream,
    received: Vec<u8>,
}

/// An answer as it came.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let pairs = self.head.lines().filter_map(|line| line.split_once(':'));
        let mut values = pairs.filter(|(stated, _)| stated.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim());
        values.next()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A problem document with a status, a code, and the id of the request.
    #[track_caller]
    pub(super) fn is_problem(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let body = self.json();
        assert_eq!((&body["status"], &body["code"]), (&status.into(), &code.into()), "{body}");
        assert_eq!(body["instance"].as_str(), self.header("x-request-id"), "{self:?}");
    }
}

impl Raw {
    pub(super) async fn connect(app: &TestApp) -> Self {
        Self::connect_to(address(app)).await
    }

    pub(super) async fn connect_to(server: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(server).await.unwrap(), received: Vec::new() }
    }

    /// From one of this machine's own addresses, 127.0.0.`last`.
    pub(super) async fn connect_from(app: &TestApp, last: u8) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), 0)).unwrap();
        Self { stream: socket.connect(address(app)).await.unwrap(), received: Vec::new() }
    }

    /// With hardly any room for what it does not read.
    pub(super) async fn connect_narrow(app: &TestApp) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        Self { stream: socket.connect(address(app)).await.unwrap(), received: Vec::new() }
    }

    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends, if the other side still takes it.
    pub(super) async fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// Sends, and lets go while the other side does not take it.
    pub(super) async fn send_within(&mut self, bytes: &[u8], time: Duration) -> bool {
        timeout(time, self.stream.write_all(bytes)).await.is_ok_and(|written| written.is_ok())
    }

    /// The next answer.
    pub(super) async fn answer(&mut self) -> Answer {
        timeout(SLACK, self.read_answer()).await.expect("an answer in time").expect("an answer")
    }

    /// The next answer; absent where the connection ends instead.
    pub(super) async fn read_answer(&mut self) -> Option<Answer> {
        let end = loop {
            if let Some(end) = self.received.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            self.more().await?;
        };
        let head = String::from_utf8(self.received.drain(..end + 4).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer { status, head, body: String::new() };
        let length: usize = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        while self.received.len() < length {
            self.more().await?;
        }
        answer.body = String::from_utf8(self.received.drain(..length).collect()).unwrap();
        Some(answer)
    }

    async fn more(&mut self) -> Option<()> {
        let read = self.stream.read_buf(&mut self.received).await.ok()?;
        (read > 0).then_some(())
    }

    /// Reads what still comes, and asserts that the connection ends.
    #[track_caller]
    pub(super) fn is_closed(&mut self) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            let ended = timeout(SLACK, async { while self.more().await.is_some() {} }).await;
            assert!(ended.is_ok(), "it is still open: {place}");
        }
    }

    /// Whether the connection ends within `time`.
    pub(super) async fn closes_within(&mut self, time: Duration) -> bool {
        timeout(time, async { while self.more().await.is_some() {} }).await.is_ok()
    }
}

/// A request without a body.
pub(super) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: gateway\r\n\r\n")
}

/// The head of a question by POST; the body has yet to come.
pub(super) fn post_head(app: &TestApp, length: usize) -> String {
    let token = app.token("merchant");
    format!(
        "POST /graphql HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

/// A question by POST.
pub(super) fn post(app: &TestApp, query: &str) -> String {
    let body = serde_json::json!({ "query": query }).to_string();
    post_head(app, body.len()) + &body
}
