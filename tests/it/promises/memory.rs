//! What hostile requests cost in memory, measured at the process.
#![allow(clippy::print_stderr, reason = "what was measured is worth reading")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::served::{Answer, BUSY, Served, ask};
use crate::support::hooks::signed;

/// The most that any attack may add.
const GROWTH_MAX: u64 = 64 << 20;

/// Attackers at the same time, and how often each comes.
const AT_ONCE: usize = 16;
const ROUNDS: usize = 3;

/// How long any of these may take to be refused, on a busy machine.
const REFUSED: Duration = Duration::from_secs(5);

/// What is sent, and which statuses are an answer to it. None: the connection may be closed before all of it was sent.
type Attack = (&'static str, Vec<Option<u16>>, Box<dyn Fn(&Served) -> Sent>);

enum Sent {
    /// An ordinary request.
    Request(Box<RequestBuilder>),
    /// A body to this path of so many mebibytes, which does not say how long it is.
    Endless(&'static str, usize),
}

fn attack(
    name: &'static str,
    statuses: &[Option<u16>],
    request: impl Fn(&Served) -> RequestBuilder + 'static,
) -> Attack {
    (name, statuses.to_vec(), Box::new(move |served| Sent::Request(Box::new(request(served)))))
}

/// Beside others there may be no memory for one.
fn endless(name: &'static str, path: &'static str) -> Attack {
    (name, vec![Some(413), Some(503), None], Box::new(move |_| Sent::Endless(path, 64)))
}

async fn send(served: &Served, name: &str, sent: Sent) -> Answer {
    match sent {
        Sent::Request(request) => ask(name.to_owned(), *request).await,
        Sent::Endless(path, mebibytes) => {
            let at = Instant::now();
            let (status, body) = pour(served, path, mebibytes).await;
            Answer { label: name.to_owned(), at, took: at.elapsed(), status, retry_after: false, body }
        }
    }
}

/// Sends piece after piece for as long as they are taken, and gives what was answered.
async fn pour(served: &Served, path: &str, mebibytes: usize) -> (Option<u16>, String) {
    let url = served.url("");
    let stream = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\nauthorization: Bearer {}\r\n\
         stripe-signature: {}\r\ntransfer-encoding: chunked\r\n\r\n",
        served.token(),
        signed("another")
    );
    let pouring = async move {
        writing.write_all(head.as_bytes()).await?;
        let piece = [b"10000\r\n".as_slice(), &vec![b' '; 1 << 16], b"\r\n"].concat();
        for _ in 0..mebibytes * 16 {
            writing.write_all(&piece).await?;
        }
        writing.write_all(b"0\r\n\r\n").await
    };
    let mut answer = vec![0; 4096];
    let (_poured, read) = tokio::join!(pouring, reading.read(&mut answer));
    // A connection that is reset while it is written to has no answer left.
    answer.truncate(read.unwrap_or_default());
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split_whitespace().nth(1).and_then(|status| status.parse().ok());
    (status, answer)
}

fn raw(served: &Served) -> RequestBuilder {
    let request = served.client.post(served.url("/graphql")).bearer_auth(served.token());
    request.header("content-type", "application/json")
}

/// Fragments of which each spreads the next one `width` times.
fn doubling(levels: usize, width: usize) -> String {
    let link =
        |level: usize| format!("fragment F{level} on Query {{ {} }} ", format!("...F{} ", level + 1).repeat(width));
    let chain: String = (0..levels).map(link).collect();
    format!("query {{ ...F0 }} {chain} fragment F{levels} on Query {{ __typename }}")
}

/// As long as a document may be, and all of it unknown fields or the like.
fn wide(piece: impl Fn(usize) -> String, around: (&str, &str)) -> String {
    let pieces: Vec<String> = (0..).map(piece).take(1_900).collect();
    format!("{}{}{}", around.0, pieces.join(" "), around.1)
}

fn attacks() -> Vec<Attack> {
    let refused = &[Some(200), Some(400)];
    let query = |text: String| move |served: &Served| served.graphql(&text, &json!({}));
    vec![
        endless("an endless body", "/graphql"),
        endless("an endless webhook", "/webhooks/stripe/default"),
        // Some find no memory beside the others.
        attack("a webhook of a mebibyte that nobody signed", &[Some(400), Some(503)], |served| {
            let request = served.client.post(served.url("/webhooks/stripe/default")).body("x".repeat(1 << 20));
            request.header("stripe-signature", signed("another"))
        }),
        attack("a body that is nested deep", &[Some(400)], |served| raw(served).body("[".repeat(200_000))),
        attack("variables that are nested deep", &[Some(400)], |served| {
            raw(served).body(format!("{{\"query\":\"{{a}}\",\"variables\":{}", "{\"a\":".repeat(40_000)))
        }),
        attack(
            "values that are nested deep",
            refused,
            query(format!("{{ a(b: {}1{}) }}", "[".repeat(6_000), "]".repeat(6_000))),
        ),
        attack("fragments that double", refused, query(doubling(40, 2))),
        attack("fragments that fan out", refused, query(doubling(6, 40))),
        attack(
            "a document of 300 kB",
            &[Some(413), Some(200), Some(400)],
            query(format!("{{ a }} #{}", "x".repeat(300_000))),
        ),
        attack("unknown fields", refused, query(wide(|n| format!("n{n}"), ("{ invoice(id: \"x\") { ", " } }")))),
        attack("unused variables", refused, query(wide(|n| format!("$v{n}: Int"), ("query(", ") { a }")))),
        attack("lists in variables", refused, |served| {
            let many: Vec<Value> = (0..20_000).map(|n| json!(format!("inv_{n}"))).collect();
            served.graphql("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", &json!({ "ids": many }))
        }),
        attack("a header of 60 kB", &[Some(401), Some(431), None], |served| {
            served.client.get(served.url("/graphql?query={a}")).header("authorization", "x".repeat(60_000))
        }),
    ]
}

/// Addresses of this machine that attackers come from.
const ADDRESSES: u8 = 12;

/// Webhooks that announce a mebibyte, send it but for its last two bytes, and wait. Nobody has signed them.
async fn withheld(served: &Served, count: u8) -> Vec<TcpStream> {
    let address: SocketAddr = served.url("").trim_start_matches("http://").parse().unwrap();
    let header = signed("another");
    let head = format!(
        "POST /webhooks/stripe/default HTTP/1.1\r\nhost: gateway\r\nstripe-signature: {header}\r\n\
         content-length: {}\r\n\r\n",
        1 << 20
    );
    let body = vec![b' '; (1 << 20) - 2];
    let sending = (0..count).map(async |number| {
        let socket = TcpSocket::new_v4().unwrap();
        let own = Ipv4Addr::new(127, 0, 0, 2 + number % ADDRESSES);
        socket.bind(SocketAddr::new(IpAddr::V4(own), 0)).unwrap();
        let mut stream = socket.connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        // Whoever is refused may be cut off in the middle.
        let _sent = stream.write_all(&body).await;
        stream
    });
    let streams = join_all(sending).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    streams
}

/// How much the process grows by a hundred of them, and what a small event and a question are answered meanwhile.
async fn grown_by_withheld(settings: &[(&str, &str)]) -> (u64, [Option<u16>; 2]) {
    let served = Served::demo("sqlite://withheld.db", settings);
    served.until_answered(REFUSED).await;
    served.until_taken(REFUSED).await;
    served.forget_peak();
    let before = served.memory();
    let streams = withheld(&served, 120).await;
    let (_, event) = served.event(0);
    let (event, question) = (ask(String::new(), event).await, ask(String::new(), served.question()).await);
    let grown = served.peak().saturating_sub(before);
    eprintln!("120 withheld webhooks, {settings:?}: {} kB more than {} kB", grown / 1024, before / 1024);
    drop(streams);
    (grown, [event.status, question.status])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r09_bodies_that_are_withheld_do_not_add_64_megabytes_and_short_ones_are_read_beside_them() {
    let (grown, statuses) = grown_by_withheld(&[]).await;
    assert!(grown < GROWTH_MAX, "{grown} bytes");
    assert_eq!(statuses, [Some(200), Some(200)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r09_with_memory_for_bodies_without_end_those_that_are_withheld_fill_it() {
    let (grown, _statuses) = grown_by_withheld(&[("BILLING_BODY_MEMORY_MIB", "65536")]).await;
    assert!(grown > GROWTH_MAX, "{grown} bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r09_no_attack_adds_64_megabytes_to_the_process() {
    let mut served = Served::demo("sqlite://memory.db", &[]);
    // What ordinary work needs is there before it is measured.
    for _ in 0..3 {
        join_all((0..AT_ONCE).map(|_| ask(String::new(), served.question()))).await;
    }
    for (name, statuses, request) in attacks() {
        served.forget_peak();
        let before = served.memory();
        for _ in 0..ROUNDS {
            let answers = join_all((0..AT_ONCE).map(|_| send(&served, name, request(&served)))).await;
            for answer in answers {
                assert!(statuses.contains(&answer.status), "{answer:?}");
                assert!(answer.took < REFUSED + BUSY, "{answer:?}");
            }
        }
        let grown = served.peak().saturating_sub(before);
        eprintln!("{name}: {} kB more than {} kB", grown / 1024, before / 1024);
        assert!(grown < GROWTH_MAX, "{name}: {grown} bytes");
        served.until_answered(REFUSED).await;
    }
    served.is_sound();
}
