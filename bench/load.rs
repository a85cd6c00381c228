//! What the server does under many connections, and under more requests than it can answer.
//!
//! `load connections PROGRAM` and `load overload PROGRAM` start the program with a small demo, ask it over HTTP from the
//! same machine, and print ratios: between the same run with and without the burden. They end with 1 where a promise of
//! `docs/proof.md` is broken. Run it by `./dev bench`.
//!
//! Under overload the program has one half of the cores and this the other: otherwise the load itself would take from
//! what can be done, and the more the heavier it is.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a measurement prints what it measured, as ratios, and fails at once"
)]

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, sleep_until, timeout};

/// How long each part of a measurement lasts.
const PART: Duration = Duration::from_secs(5);

/// Connections that keep the server busy while its peak is measured.
const BUSY: usize = 32;

/// Connections that ask, and those that rest, where the system has descriptors for them.
const ACTIVE: usize = 500;
const IDLE: usize = 10_000;

/// How many times its peak the server is asked for.
const OVERLOAD: u32 = 5;

/// What is promised under overload: of the peak still done, the time of refusals, the memory, and when all is as before.
const GOODPUT_MIN: f64 = 0.9;
const REFUSED_MAX: Duration = Duration::from_millis(100);
const GROWTH_MAX: f64 = 2.0;
const RECOVERED: Duration = Duration::from_secs(5);

/// What is promised among connections that rest: the time of answers, and the memory.
const SLOWER_MAX: f64 = 2.0;
const MEMORY_MAX_MB: u64 = 300;

/// What of a time is noise on a machine that does something else, too.
const NOISE: Duration = Duration::from_millis(10);

/// A server with a small demo, which is killed in the end.
struct Server {
    child: Child,
    address: SocketAddr,
    question: Arc<str>,
    _folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// On which connection something is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    /// On one that was asked on before, where one is free.
    Kept,
    /// On one of its own.
    Own,
}

impl Server {
    /// Where this runs on cores of its own, the program does on the others.
    fn start(program: &str, apart: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = std::fs::canonicalize(program).expect("the path of the program");
        let mut command = Command::new(&program);
        let cores = std::thread::available_parallelism().unwrap().get();
        if apart && cores > 1 {
            let (ours, its) = (format!("0-{}", cores / 2 - 1), format!("{}-{}", cores / 2, cores - 1));
            let this = Command::new("taskset").args(["-apc", &ours, &std::process::id().to_string()]).output();
            assert!(this.expect("taskset is there").status.success());
            command = Command::new("taskset");
            command.args(["-c", &its]).arg(&program);
        }
        let mut child = command
            .args(["serve", "--demo", "--demo-size", "tiny", "--json", "--listen", "127.0.0.1:0"])
            .args(["--connections-max", "100000", "--connections-per-address", "100000", "--idle-timeout-ms", "600000"])
            .args(["--rate-operations", "1000"])
            .args(["--log-level", "error"])
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        let address = ready["url"].as_str().unwrap().trim_start_matches("http://").parse().unwrap();
        let invoice = ready["characters"]["overage-week"].as_str().unwrap();
        let query = format!("{{ invoice(id: \"{invoice}\") {{ id number lineItems {{ id description }} }} }}");
        let body = json!({ "query": query }).to_string();
        let question = format!(
            "POST /graphql HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            ready["tokens"]["merchant"].as_str().unwrap(),
            body.len()
        );
        Self { child, address, question: question.into(), _folder: folder }
    }

    /// Resident memory in kilobytes.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// A connection from one of many addresses of this machine: one alone has not enough ports.
    async fn connect(&self, n: usize) -> TcpStream {
        let last = u8::try_from(n % 200).unwrap() + 2;
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), 0)).unwrap();
        socket.connect(self.address).await.unwrap()
    }
}

/// An answer's status, and how long it took.
#[derive(Clone, Copy)]
struct Answered {
    status: u16,
    took: Duration,
}

/// Asks on an open connection. Absent when it broke.
async fn ask(stream: &mut TcpStream, question: &str) -> Option<Answered> {
    let begun = Instant::now();
    stream.write_all(question.as_bytes()).await.ok()?;
    let mut bytes = Vec::with_capacity(4096);
    let (mut end, mut length) = (usize::MAX, 0);
    while end == usize::MAX || bytes.len() < end + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        if end == usize::MAX
            && let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n")
        {
            end = at + 4;
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            let stated = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            length = stated.map_or(0, |length| length.trim().parse().unwrap());
        }
    }
    let status = std::str::from_utf8(&bytes[9..12]).ok()?.parse().ok()?;
    Some(Answered { status, took: begun.elapsed() })
}

/// Asks on a new connection. Absent when it broke.
async fn ask_anew(address: SocketAddr, question: &str) -> Option<Answered> {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address).await.ok()?;
    let answered = ask(&mut stream, question).await?;
    Some(Answered { took: begun.elapsed(), ..answered })
}

/// So many connections ask for a while, each at its pace or as fast as it can. Gives what was answered.
async fn run(server: &Server, connections: usize, pause: Duration, on: On) -> Vec<Answered> {
    let end = Instant::now() + PART;
    let mut asking = tokio::task::JoinSet::new();
    for n in 0..connections {
        let mut stream = server.connect(n).await;
        let (address, question) = (server.address, Arc::clone(&server.question));
        asking.spawn(async move {
            let mut answers = Vec::new();
            let mut next = tokio::time::Instant::now() + pause * u32::try_from(n).unwrap() / 500;
            while Instant::now() < end {
                sleep_until(next).await;
                next = (next + pause).max(tokio::time::Instant::now());
                let answered = match on {
                    On::Kept => ask(&mut stream, &question).await,
                    On::Own => ask_anew(address, &question).await,
                };
                let Some(answered) = answered else { break };
                answers.push(answered);
            }
            answers
        });
    }
    asking.join_all().await.into_iter().flatten().collect()
}

/// Connections on which nothing is asked at the moment.
type Free = Arc<Mutex<Vec<TcpStream>>>;

/// Asks on a connection that is free, or a new one.
async fn ask_on_free(free: &Free, address: SocketAddr, question: &str) -> Option<Answered> {
    let begun = Instant::now();
    let kept = free.lock().unwrap().pop();
    let mut stream = match kept {
        Some(kept) => kept,
        None => TcpStream::connect(address).await.ok()?,
    };
    let answered = ask(&mut stream, question).await?;
    free.lock().unwrap().push(stream);
    Some(Answered { took: begun.elapsed(), ..answered })
}

/// Requests begin at a pace that does not wait for answers. Gives what was answered, and how many were not.
async fn pour(server: &Server, per_second: u32, on: On) -> (Vec<Answered>, usize) {
    let (begun, mut poured, mut broken) = (Instant::now(), 0_u32, 0);
    let mut asking = tokio::task::JoinSet::new();
    let mut answers = Vec::new();
    let free = Free::default();
    while begun.elapsed() < PART {
        let due = (begun.elapsed().as_secs_f64() * f64::from(per_second)) as u32;
        while poured < due {
            let (address, question, free) = (server.address, Arc::clone(&server.question), Arc::clone(&free));
            asking.spawn(async move {
                let asked = async {
                    match on {
                        On::Kept => ask_on_free(&free, address, &question).await,
                        On::Own => ask_anew(address, &question).await,
                    }
                };
                timeout(Duration::from_secs(20), asked).await.ok().flatten()
            });
            poured += 1;
        }
        sleep(Duration::from_millis(2)).await;
        while let Some(done) = asking.try_join_next() {
            done.unwrap().map_or_else(|| broken += 1, |answered| answers.push(answered));
        }
    }
    for done in asking.join_all().await {
        done.map_or_else(|| broken += 1, |answered| answers.push(answered));
    }
    (answers, broken)
}

/// The answers of a status, and of their times one that so many in a hundred do not pass.
fn times(answers: &[Answered], status: u16, percent: usize) -> (usize, Duration) {
    let mut times: Vec<_> =
        answers.iter().filter(|answered| answered.status == status).map(|answered| answered.took).collect();
    times.sort();
    let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    (times.len(), times.get(at).copied().unwrap_or_default())
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64().max(1e-9)
}

fn tell(what: &str, answers: &[Answered]) {
    for status in [200, 503] {
        let (count, median) = times(answers, status, 50);
        if count > 0 {
            println!("{what}: {count} answered {status}, median {median:?}, p99 {:?}", times(answers, status, 99).1);
        }
    }
}

/// Says whether a promise held, and gives it.
fn held(promise: &str, holds: bool) -> bool {
    println!("{}: {promise}", if holds { "held" } else { "BROKEN" });
    holds
}

async fn connections(server: &Server) -> bool {
    let peak = run(server, BUSY, Duration::ZERO, On::Kept).await;
    tell("at its peak", &peak);
    // Half of what it can do, spread over all who ask.
    let pause = PART * u32::try_from(ACTIVE * 2).unwrap() / u32::try_from(times(&peak, 200, 0).0).unwrap().max(1);
    let alone = run(server, ACTIVE, pause, On::Kept).await;
    tell(&format!("{ACTIVE} connections alone"), &alone);
    let before = server.memory();
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let idle = IDLE.min(usize::try_from(descriptors.saturating_sub(1_000)).unwrap_or(IDLE));
    let mut resting = Vec::with_capacity(idle);
    for n in 0..idle {
        let mut stream = server.connect(n).await;
        let answered = ask(&mut stream, "GET /livez HTTP/1.1\r\nhost: gateway\r\n\r\n").await;
        assert_eq!(answered.expect("it is answered").status, 200);
        resting.push(stream);
    }
    let crowded = run(server, ACTIVE, pause, On::Kept).await;
    tell(&format!("the same beside {idle} that rest"), &crowded);
    let after = server.memory();
    let mut open = 0;
    for mut stream in resting {
        let answered = ask(&mut stream, "GET /livez HTTP/1.1\r\nhost: gateway\r\n\r\n").await;
        open += usize::from(answered.is_some_and(|answered| answered.status == 200));
    }
    println!("{open} of {idle} that rested are still answered");
    // Once more without them: what else the machine does shows in the difference between the two.
    let again = run(server, ACTIVE, pause, On::Kept).await;
    tell(&format!("{ACTIVE} connections alone again"), &again);
    let p99 = |answers: &[Answered]| times(answers, 200, 99).1;
    let slower = ratio(p99(&crowded), p99(&alone).max(p99(&again)).max(NOISE));
    println!(
        "p99 beside those that rest: {:.2} of that before, {:.2} of that afterwards",
        ratio(p99(&crowded), p99(&alone)),
        ratio(p99(&crowded), p99(&again)),
    );
    println!("memory {} MB, {} KB for each that rests", after / 1024, after.saturating_sub(before) / idle as u64);
    let all = held("whoever rested is answered", open == idle);
    let quick = held(&format!("p99 at most {SLOWER_MAX} times that of {ACTIVE} alone"), slower <= SLOWER_MAX);
    let small = held(&format!("at most {MEMORY_MAX_MB} MB"), after <= MEMORY_MAX_MB * 1024);
    all && quick && small
}

/// The slowest answer of health while something else goes on.
async fn health(server: &Server) -> Duration {
    let (mut slowest, end) = (Duration::ZERO, Instant::now() + PART);
    let mut stream = server.connect(0).await;
    while Instant::now() < end {
        let answered = ask(&mut stream, "GET /livez HTTP/1.1\r\nhost: gateway\r\n\r\n").await.expect("health answers");
        assert_eq!(answered.status, 200);
        slowest = slowest.max(answered.took);
        sleep(Duration::from_millis(50)).await;
    }
    slowest
}

async fn overload(server: &Server) -> bool {
    println!("on connections that are kept");
    let kept = overload_on(server, On::Kept).await;
    println!("each on a connection of its own");
    overload_on(server, On::Own).await && kept
}

async fn overload_on(server: &Server, on: On) -> bool {
    let pace = Duration::from_millis(50);
    let calm = times(&run(server, 4, pace, on).await, 200, 99).1;
    let peak = run(server, BUSY, Duration::ZERO, on).await;
    tell("at its peak", &peak);
    let (count, _) = times(&peak, 200, 0);
    let (memory, per_second) =
        (server.memory(), u32::try_from(count).unwrap() / u32::try_from(PART.as_secs()).unwrap());
    let ((answers, broken), slowest) = tokio::join!(pour(server, per_second * OVERLOAD, on), health(server));
    tell(&format!("at {OVERLOAD} times that"), &answers);
    println!("{broken} without an answer; slowest answer of health {slowest:?}");
    let goodput = times(&answers, 200, 0).0 as f64 / count as f64;
    let grown = server.memory() as f64 / memory as f64;
    println!("goodput {goodput:.2} of the peak; memory {grown:.2} of that at the peak");
    let over = Instant::now();
    let (mut slower, mut after) = (f64::INFINITY, Duration::ZERO);
    while slower > SLOWER_MAX && over.elapsed() < RECOVERED + PART {
        after = over.elapsed();
        let again = times(&run(server, 4, pace, on).await, 200, 99).1;
        slower = ratio(again, calm.max(NOISE));
    }
    println!("p99 after {after:?}: {slower:.2} of that before");
    let answered = held("all are answered", broken == 0);
    let done = held(&format!("goodput at least {GOODPUT_MIN} of the peak"), goodput >= GOODPUT_MIN);
    let quick = times(&answers, 503, 99).1 < REFUSED_MAX;
    let quick = held(&format!("p99 of refusals below {REFUSED_MAX:?}"), quick);
    let small = held(&format!("memory at most {GROWTH_MAX} times that at the peak"), grown <= GROWTH_MAX);
    let back = held(&format!("as before within {RECOVERED:?}"), slower <= SLOWER_MAX && after <= RECOVERED);
    answered && done && quick && small && back
}

#[tokio::main]
async fn main() -> ExitCode {
    let limit = getrlimit(Resource::Nofile);
    let _refused = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let arguments: Vec<String> = std::env::args().collect();
    let [_, what, program] = arguments.as_slice() else {
        eprintln!("load: connections PROGRAM, or overload PROGRAM");
        return ExitCode::from(2);
    };
    let holds = match what.as_str() {
        "connections" => connections(&Server::start(program, false)).await,
        "overload" => overload(&Server::start(program, true)).await,
        other => {
            eprintln!("load: there is no measurement {other}");
            return ExitCode::from(2);
        }
    };
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
