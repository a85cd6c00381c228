//! The end: what was accepted is answered, what rests is closed, and the program is gone by its deadline.

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::raw::{Raw, get};
use crate::support::program::{Running, program};

const DEADLINE: Duration = Duration::from_secs(2);

/// The program with its demo; told to stop, it has until [`DEADLINE`].
struct Server {
    running: Running,
    ready: Value,
    _folder: TempDir,
}

impl Server {
    fn start() -> Self {
        let folder = TempDir::with_prefix("billing-gateway-drain-").unwrap();
        let mut command = program(folder.path());
        command.args(["serve", "--demo", "--demo-size", "tiny", "--json", "--listen", "127.0.0.1:0"]);
        command.env("BILLING_SHUTDOWN_DEADLINE_MS", DEADLINE.as_millis().to_string());
        let mut running = Running::start(command);
        let ready = serde_json::from_str(&running.line(|line| line.starts_with('{'))).unwrap();
        Self { running, ready, _folder: folder }
    }

    fn address(&self) -> String {
        self.ready["url"].as_str().unwrap().trim_start_matches("http://").to_owned()
    }

    /// A question in two parts, the second of which is the end of its body.
    fn question(&self) -> (String, String) {
        let token = self.ready["tokens"]["merchant"].as_str().unwrap();
        let body = json!({ "query": "{ viewer { kind } }" }).to_string();
        let head = format!(
            "POST /graphql HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        (head, body)
    }

    fn tell(&self) {
        self.running.tell("TERM");
    }
}

#[tokio::test]
async fn what_was_accepted_is_answered_and_what_rests_is_closed() {
    let server = Server::start();
    let address = server.address().parse().unwrap();
    let (mut working, mut resting, mut probe) =
        (Raw::connect_to(address).await, Raw::connect_to(address).await, Raw::connect_to(address).await);
    resting.send(get("/livez")).await;
    assert_eq!(resting.answer().await.status, 200);
    let (head, body) = server.question();
    working.send(head).await;
    sleep(Duration::from_millis(100)).await;

    server.tell();
    let refusing = async {
        // At once, while connections still work.
        loop {
            probe.send(get("/readyz")).await;
            let answer = probe.answer().await;
            if answer.status == 503 {
                return answer;
            }
        }
    };
    let answer = tokio::time::timeout(Duration::from_secs(1), refusing).await.expect("it is not ready any more");
    assert!(answer.body.contains("the process is stopping"), "{answer:?}");
    resting.is_closed().await;
    working.send(body).await;
    let answer = working.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")), "{answer:?}");
    working.is_closed().await;
    assert!(TcpStream::connect(address).await.is_err(), "nobody is taken any more");
    server.running.stop();
}

#[tokio::test]
async fn streams_of_http2_are_answered_and_their_connection_is_told_to_go() {
    let server = Server::start();
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let (mut asking, connection) = h2::client::handshake(stream).await.unwrap();
    let driving = tokio::spawn(connection);
    let (_head, body) = server.question();
    let request = http::Request::post(format!("{}/graphql", server.ready["url"].as_str().unwrap()))
        .header("authorization", format!("Bearer {}", server.ready["tokens"]["merchant"].as_str().unwrap()))
        .header("content-type", "application/json");
    let (answer, mut sending) = asking.send_request(request.body(()).unwrap(), false).unwrap();
    sleep(Duration::from_millis(200)).await;

    server.tell();
    sleep(Duration::from_millis(500)).await;
    sending.send_data(Bytes::from(body), true).unwrap();
    assert_eq!(answer.await.unwrap().status(), 200);
    let later = asking.ready().await.map(|mut asking| {
        let request = http::Request::get("http://gateway/livez").body(()).unwrap();
        asking.send_request(request, true).is_ok()
    });
    assert!(!matches!(later, Ok(true)), "nothing new is taken");
    driving.await.unwrap().unwrap();
    server.running.stop();
}

#[tokio::test]
async fn who_never_ends_is_left_at_the_deadline() {
    let server = Server::start();
    let mut stuck = Raw::connect_to(server.address().parse().unwrap()).await;
    stuck.send(server.question().0).await;
    let mut silent = Raw::connect_to(server.address().parse().unwrap()).await;
    sleep(Duration::from_millis(100)).await;
    let begun = Instant::now();
    let stopping = tokio::task::spawn_blocking(move || {
        server.running.stop();
    });
    silent.is_closed().await;
    stuck.is_closed().await;
    stopping.await.unwrap();
    assert!(begun.elapsed() >= DEADLINE / 2, "it had its time: {:?}", begun.elapsed());
}
