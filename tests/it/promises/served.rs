//! The program itself with the demo, and what a promise is held to: its answers and its process.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use billing_gateway::demo::Plan;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::support::app::http_client;
use crate::support::hooks::{SECRET, event, now, object, signed};
use crate::support::program::{Running, program};

/// What a busy machine may add to a time that is promised.
pub(crate) const BUSY: Duration = Duration::from_millis(700);

/// When a client gives up: no promise is as long.
const GIVE_UP: Duration = Duration::from_secs(25);

const SMALL: &str = "query Q($id: ID!) { invoice(id: $id) { id lineItems { id } } }";

/// A running program.
pub(crate) struct Served {
    pub(crate) client: Client,
    pub(crate) ready: Value,
    running: Running,
    folder: TempDir,
}

impl Served {
    /// The demo on a database, with these settings over those of the tests.
    pub(crate) fn demo(database: &str, settings: &[(&str, &str)]) -> Self {
        Self::start(|folder| program(folder.path()), database, settings)
    }

    /// The same, run by a command that ends in being the program.
    pub(crate) fn start(
        command: impl FnOnce(&TempDir) -> std::process::Command,
        database: &str,
        settings: &[(&str, &str)],
    ) -> Self {
        let folder = TempDir::with_prefix("billing-gateway-promise-").unwrap();
        let mut command = command(&folder);
        command.args(["serve", "--demo", "--demo-size", "0", "--json", "--listen", "127.0.0.1:0"]);
        command.env("DATABASE_URL", database).env("BILLING_EXPLORER", "off").env("BILLING_LOG_LEVEL", "warn");
        command.env("BILLING_DB_CONNECTIONS", "4").env("BILLING_WEBHOOK_SECRETS", SECRET);
        command.env("BILLING_WEBHOOK_TENANT", Plan::of(0).companies()[0].id.as_str());
        command.envs(settings.iter().copied());
        let mut running = Running::start_with_log(command, &folder.path().join("log"));
        let ready = serde_json::from_str(&running.line(|line| line.starts_with('{'))).unwrap();
        let client = http_client();
        Self { client, ready, running, folder }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.ready["url"].as_str().unwrap())
    }

    pub(crate) fn invoice(&self) -> &str {
        self.ready["characters"]["overage-week"].as_str().unwrap()
    }

    pub(crate) fn token(&self) -> &str {
        self.ready["tokens"]["merchant"].as_str().unwrap()
    }

    /// A request to `/graphql`.
    pub(crate) fn graphql(&self, query: &str, variables: &Value) -> RequestBuilder {
        let request = self.client.post(self.url("/graphql")).timeout(GIVE_UP).bearer_auth(self.token());
        request.json(&json!({ "query": query, "variables": variables }))
    }

    /// A query that reads two tables.
    pub(crate) fn question(&self) -> RequestBuilder {
        self.graphql(SMALL, &json!({ "id": self.invoice() }))
    }

    /// A signed event that nobody sent before, and its id. It tells of an invoice that is not ours.
    pub(crate) fn event(&self, padding: usize) -> (String, RequestBuilder) {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let id = format!("evt_{}_{number}", std::process::id());
        let mut event = event(&id, "invoice.sent", now(), &object("in_unknown", "open", 0));
        event["padding"] = json!(noise(number, padding));
        let body = event.to_string();
        let request = self.client.post(self.url("/webhooks/stripe/default")).timeout(GIVE_UP);
        (id, request.header("stripe-signature", signed(&body)).body(body))
    }

    pub(crate) async fn status(&self, path: &str) -> Answer {
        ask(String::new(), self.client.get(self.url(path)).timeout(GIVE_UP)).await
    }

    /// Waits until a query is answered, and gives how long that took.
    pub(crate) async fn until_answered(&self, patience: Duration) -> Duration {
        until(patience, || (String::new(), self.question())).await
    }

    /// Waits until an event is taken, and gives how long that took.
    pub(crate) async fn until_taken(&self, patience: Duration) -> Duration {
        until(patience, || self.event(0)).await
    }

    /// The process is the one that was started, has not panicked, and says so.
    pub(crate) fn is_sound(&mut self) {
        assert!(self.running.is_running(), "it ended: {}", self.log());
        assert!(!self.log().contains("panicked"), "{}", self.log());
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Open descriptors.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.running.pid())).unwrap().count()
    }

    /// Memory in bytes: what it holds now.
    pub(crate) fn memory(&self) -> u64 {
        self.memory_of("VmRSS:")
    }

    /// The most it held since the last call of [`Self::forget_peak`].
    pub(crate) fn peak(&self) -> u64 {
        self.memory_of("VmHWM:")
    }

    pub(crate) fn forget_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.running.pid()), "5").unwrap();
    }

    fn memory_of(&self, name: &str) -> u64 {
        let told = std::fs::read_to_string(format!("/proc/{}/status", self.running.pid())).unwrap();
        let line = told.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }
}

/// Asks until the answer is 200.
async fn until(patience: Duration, next: impl Fn() -> (String, RequestBuilder)) -> Duration {
    let begun = Instant::now();
    loop {
        let (label, request) = next();
        let answer = ask(label, request).await;
        if answer.status == Some(200) {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < patience, "not answered within {patience:?}: {answer:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// So many letters that no database makes shorter, others for each number.
fn noise(number: u64, letters: usize) -> String {
    let mut state = number + 1;
    let next = || {
        // The constants are those of Knuth's MMIX; the high bits are the good ones.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'0' + u8::try_from(state >> 58).unwrap_or_default())
    };
    std::iter::repeat_with(next).map(|letter| if letter == '\\' { '-' } else { letter }).take(letters).collect()
}

/// How one request went.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) label: String,
    pub(crate) at: Instant,
    pub(crate) took: Duration,
    /// None when there was no answer at all.
    pub(crate) status: Option<u16>,
    pub(crate) retry_after: bool,
    pub(crate) body: String,
}

/// Sends a request and waits for all of its answer.
pub(crate) async fn ask(label: String, request: RequestBuilder) -> Answer {
    let at = Instant::now();
    let mut answer = Answer { label, at, took: Duration::ZERO, status: None, retry_after: false, body: String::new() };
    match request.send().await {
        Ok(response) => {
            answer.status = Some(response.status().as_u16());
            answer.retry_after = response.headers().contains_key("retry-after");
            answer.body = response.text().await.unwrap_or_else(|error| format!("broke off: {error}"));
        }
        Err(error) => answer.body = format!("{error:?}"),
    }
    answer.took = at.elapsed();
    answer
}

/// Clients that ask again and again.
pub(crate) struct Load {
    stop: watch::Sender<bool>,
    clients: JoinSet<Vec<Answer>>,
}

impl Load {
    /// So many clients, each with a pause between its requests.
    pub(crate) fn start(
        clients: usize,
        pause: Duration,
        next: impl Fn() -> (String, RequestBuilder) + Clone + Send + 'static,
    ) -> Self {
        let (stop, stopping) = watch::channel(false);
        let mut running = JoinSet::new();
        for _ in 0..clients {
            let (next, stopping) = (next.clone(), stopping.clone());
            running.spawn(async move {
                let mut answers = Vec::new();
                while !*stopping.borrow() {
                    let (label, request) = next();
                    answers.push(ask(label, request).await);
                    tokio::time::sleep(pause).await;
                }
                answers
            });
        }
        Self { stop, clients: running }
    }

    /// Lets everyone finish, and gives all answers in the order they were asked for.
    pub(crate) async fn end(self) -> Vec<Answer> {
        self.stop.send_replace(true);
        let mut all: Vec<Answer> = self.clients.join_all().await.into_iter().flatten().collect();
        all.sort_by_key(|answer| answer.at);
        all
    }
}

/// Every answer came within `limit`, is one of these, and a 503 says when to ask again.
#[track_caller]
pub(crate) fn are_answered(answers: &[Answer], statuses: &[u16], limit: Duration) {
    assert!(!answers.is_empty(), "nobody asked");
    for answer in answers {
        assert!(answer.status.is_some_and(|status| statuses.contains(&status)), "{answer:?}");
        assert!(answer.took <= limit + BUSY, "{answer:?}");
        assert!(answer.status != Some(503) || answer.retry_after, "{answer:?}");
    }
}

/// The labels of what was acknowledged.
pub(crate) fn acknowledged(answers: &[Answer]) -> BTreeSet<String> {
    answers.iter().filter(|answer| answer.status == Some(200)).map(|answer| answer.label.clone()).collect()
}

/// The slowest answer, for whoever reads what the tests print.
pub(crate) fn slowest(answers: &[Answer]) -> Duration {
    answers.iter().map(|answer| answer.took).max().unwrap_or_default()
}

/// How many answers there are of each status.
pub(crate) fn counted(answers: &[Answer]) -> BTreeMap<Option<u16>, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer.status).or_default() += 1;
    }
    counts
}
