//! Sends events to a webhook, signed as Stripe signs them.

use std::collections::BTreeMap;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::Shared;
use crate::clock::system_seconds;
use crate::event::Event;

/// How many deliveries may wait for an answer at the same time.
const IN_FLIGHT_MAX: usize = 16;

/// How long a webhook may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// What to send where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// Where to, `http://…`.
    pub url: String,
    /// What signatures are made with, each giving a `v1`. Two while a secret is rolled.
    pub secrets: Vec<String>,
    /// Ids of events. Absent: every event that no webhook took yet, oldest first.
    #[serde(default)]
    pub events: Option<Vec<String>>,
    /// How often each is sent: 1, or more for duplicates.
    #[serde(default = "one")]
    pub copies: u32,
    /// Sends in an order that this number decides. Absent: in the order of the events.
    #[serde(default)]
    pub shuffle: Option<u64>,
    /// Deliveries per second. Absent: one after the other, as fast as the webhook answers.
    #[serde(default)]
    pub per_second: Option<u32>,
    /// How often one is tried until it is answered with 2xx.
    #[serde(default = "three")]
    pub attempts: u32,
    /// Milliseconds before it is tried again.
    #[serde(default = "short")]
    pub retry_ms: u64,
}

const fn one() -> u32 {
    1
}

const fn three() -> u32 {
    3
}

const fn short() -> u64 {
    200
}

impl Delivery {
    /// Every event that no webhook took yet, once each, in order.
    #[must_use]
    pub fn to(url: &str, secret: &str) -> Self {
        Self {
            url: url.to_owned(),
            secrets: vec![secret.to_owned()],
            events: None,
            copies: one(),
            shuffle: None,
            per_second: None,
            attempts: three(),
            retry_ms: short(),
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// Requests, retries included.
    pub sent: u64,
    /// Deliveries that were answered with 2xx.
    pub taken: u64,
    /// Deliveries that never were.
    pub failed: u64,
    /// Answers by status; 0 stands for no answer.
    pub statuses: BTreeMap<u16, u64>,
}

/// The header `Stripe-Signature` for a body sent at `at`, in seconds since 1970.
#[must_use]
pub fn signature<Secret: AsRef<str>>(secrets: &[Secret], body: &[u8], at: i64) -> String {
    let mut header = format!("t={at}");
    for secret in secrets {
        // HMAC takes keys of every length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_ref().as_bytes()) else { continue };
        mac.update(format!("{at}.").as_bytes());
        mac.update(body);
        header.push_str(",v1=");
        for byte in mac.finalize().into_bytes() {
            for digit in [byte >> 4, byte & 15] {
                header.extend(char::from_digit(u32::from(digit), 16));
            }
        }
    }
    header
}

/// A client for webhooks. Those of tests and demos are on this machine: no certificates are needed.
pub(crate) fn client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .tls_certs_only(std::iter::empty())
        .timeout(ANSWER_TIMEOUT)
        .build()
}

/// Sends an event once and gives the status it is answered with; 0 for no answer. Stripe signs each attempt anew, with
/// the real time.
pub(crate) async fn post(client: &reqwest::Client, url: &str, secrets: &[String], event: &Event) -> u16 {
    let body = event.body.to_string();
    let header = signature(secrets, body.as_bytes(), system_seconds());
    let request = client.post(url).header("stripe-signature", header);
    let answer = request.header("content-type", "application/json").body(body).send().await;
    answer.map_or(0, |answer| answer.status().as_u16())
}

/// Sends what `delivery` names, and returns when everything was taken or given up.
pub(crate) async fn deliver(shared: &Shared, delivery: Delivery) -> Result<Delivered, reqwest::Error> {
    let client = client()?;
    let queue = queue(shared, &delivery);
    let at_once = if delivery.per_second.is_some() { IN_FLIGHT_MAX } else { 1 };
    let pace = delivery.per_second.map(|rate| Duration::from_secs(1) / rate.max(1));
    let mut next = Instant::now();
    let mut running = JoinSet::new();
    let mut report = Delivered::default();
    for event in queue {
        if running.len() >= at_once
            && let Some(Ok(outcome)) = running.join_next().await
        {
            note(shared, &mut report, &outcome);
        }
        if let Some(pace) = pace {
            sleep_until(next).await;
            next += pace;
        }
        running.spawn(send(client.clone(), delivery.clone(), event));
    }
    while let Some(ended) = running.join_next().await {
        if let Ok(outcome) = ended {
            note(shared, &mut report, &outcome);
        }
    }
    Ok(report)
}

struct Outcome {
    event: String,
    statuses: Vec<u16>,
    taken: bool,
}

async fn send(client: reqwest::Client, delivery: Delivery, event: Event) -> Outcome {
    let mut outcome = Outcome { event: event.id.clone(), statuses: Vec::new(), taken: false };
    for attempt in 0..delivery.attempts.max(1) {
        if attempt > 0 {
            sleep(Duration::from_millis(delivery.retry_ms)).await;
        }
        let status = post(&client, &delivery.url, &delivery.secrets, &event).await;
        outcome.statuses.push(status);
        outcome.taken = (200..300).contains(&status);
        if outcome.taken {
            break;
        }
    }
    outcome
}

fn note(shared: &Shared, report: &mut Delivered, outcome: &Outcome) {
    let add = |count: &mut u64| *count = count.saturating_add(1);
    for status in &outcome.statuses {
        add(&mut report.sent);
        add(report.statuses.entry(*status).or_default());
    }
    add(if outcome.taken { &mut report.taken } else { &mut report.failed });
    shared.world().delivered(&outcome.event, outcome.taken);
}

fn queue(shared: &Shared, delivery: &Delivery) -> Vec<Event> {
    let world = shared.world();
    let wanted = |event: &&Event| match &delivery.events {
        Some(ids) => ids.contains(&event.id),
        None => event.delivered != Some(true),
    };
    let events = world.events.iter().filter(wanted);
    let copies = usize::try_from(delivery.copies.max(1)).unwrap_or(1);
    let mut queue: Vec<Event> = events.flat_map(|event| std::iter::repeat_n(event.clone(), copies)).collect();
    if let Some(seed) = delivery.shuffle {
        shuffle(&mut queue, seed);
    }
    queue
}

/// Fisher and Yates' shuffle with xorshift, so that a seed always gives the same order.
fn shuffle(queue: &mut [Event], seed: u64) {
    let mut bits = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for last in (1..queue.len()).rev() {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        let below = u64::try_from(last).unwrap_or(u64::MAX).saturating_add(1);
        queue.swap(last, usize::try_from(bits % below).unwrap_or(last));
    }
}
