//! Many connections that rest, and few that ask.
#![allow(clippy::print_stderr, reason = "what was measured is worth reading")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use super::served::{BUSY, Served, are_answered, ask};

/// Connections that rest, where the system has descriptors for them, and those that this process needs beside them.
const CROWD: usize = 1_000;
const BESIDE: u64 = 300;

/// The most that one of them may cost: with the buffers of its protocol it is some 29 KB.
const EACH_BYTES_MAX: u64 = 10 * 1024;

/// Connections that come together, and how long they rest until the next come: their buffers are given back by then.
const TOGETHER: usize = 250;
const REST: Duration = Duration::from_millis(1_500);

/// How long it may take until buffers are given back, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

const LIVE: &[u8] = b"GET /livez HTTP/1.1\r\nhost: gateway\r\n\r\n";

const SETTINGS: [(&str, &str); 4] = [
    ("BILLING_CONNECTIONS_PER_ADDRESS", "10000"),
    ("BILLING_IDLE_TIMEOUT_MS", "600000"),
    ("BILLING_HEADERS_TIMEOUT_MS", "600000"),
    ("BILLING_RATE_OPERATIONS", "1000"),
];

/// As many as there are descriptors for.
fn crowd() -> usize {
    let limit = getrlimit(Resource::Nofile);
    // What is not granted is not used.
    let _refused = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let free = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX).saturating_sub(BESIDE);
    CROWD.min(usize::try_from(free).unwrap_or(CROWD))
}

/// Whether a request on this connection is answered.
async fn lives(stream: &mut TcpStream) -> bool {
    let mut answer = Vec::new();
    let answered = async {
        stream.write_all(LIVE).await.ok()?;
        while !answer.ends_with(b"}") {
            (stream.read_buf(&mut answer).await.ok()? > 0).then_some(())?;
        }
        Some(())
    };
    timeout(PATIENCE, answered).await.is_ok_and(|done| done.is_some()) && answer.starts_with(b"HTTP/1.1 200 ")
}

/// So many connections, on each of which one request was answered, or none was asked.
async fn gather(served: &Served, size: usize, asks: bool) -> Vec<TcpStream> {
    let address: SocketAddr = served.url("").trim_start_matches("http://").parse().unwrap();
    let mut crowd = Vec::with_capacity(size);
    for n in 0..size {
        let socket = TcpSocket::new_v4().unwrap();
        let last = u8::try_from(n % 200).unwrap() + 2;
        socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), 0)).unwrap();
        let mut stream = socket.connect(address).await.unwrap();
        assert!(!asks || lives(&mut stream).await, "number {n}");
        crowd.push(stream);
        if asks && crowd.len().is_multiple_of(TOGETHER) {
            sleep(REST).await;
        }
    }
    crowd
}

/// What each of so many connections costs, once it costs little, or after a while.
async fn cost_of_each(served: &Served, before: u64, size: usize) -> u64 {
    let begun = Instant::now();
    loop {
        let each = served.memory().saturating_sub(before) / u64::try_from(size).unwrap();
        if each < EACH_BYTES_MAX || begun.elapsed() > PATIENCE {
            return each;
        }
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r08_a_connection_that_rests_costs_little_and_is_answered_when_it_asks_again() {
    let mut served = Served::demo("sqlite://crowd.db", &SETTINGS);
    let size = crowd();
    // What ordinary work needs is there before it is measured.
    served.until_answered(PATIENCE).await;
    drop(gather(&served, TOGETHER, true).await);
    for asks in [true, false] {
        let before = served.memory();
        let mut resting = gather(&served, size, asks).await;
        let each = cost_of_each(&served, before, size).await;
        eprintln!(
            "{size} connections, {} asked before: {each} bytes for each",
            if asks { "which" } else { "none of which" }
        );
        assert!(each < EACH_BYTES_MAX, "{each} bytes");
        for stream in &mut resting {
            assert!(lives(stream).await, "who rested is answered");
        }
    }
    served.is_sound();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r08_who_asks_among_thousands_that_rest_is_answered_as_soon_as_alone() {
    let size = crowd();
    let (mut alone, mut crowded) =
        (Served::demo("sqlite://alone.db", &SETTINGS), Served::demo("sqlite://crowded.db", &SETTINGS));
    let _resting = gather(&crowded, size, true).await;
    let (mut times_alone, mut times_crowded) = (Vec::new(), Vec::new());
    // One after the other by turns: whatever else the machine does slows both.
    for _ in 0..200 {
        for (served, times) in [(&alone, &mut times_alone), (&crowded, &mut times_crowded)] {
            let answer = ask(String::new(), served.question()).await;
            are_answered(std::slice::from_ref(&answer), &[200], BUSY);
            times.push(answer.took);
        }
    }
    times_alone.sort();
    times_crowded.sort();
    let (alone_median, crowded_median) = (times_alone[100], times_crowded[100]);
    eprintln!("half within {alone_median:?} alone, within {crowded_median:?} beside {size} that rest");
    assert!(crowded_median < alone_median * 2 + Duration::from_millis(5), "{crowded_median:?} for {alone_median:?}");
    alone.is_sound();
    crowded.is_sound();
}
