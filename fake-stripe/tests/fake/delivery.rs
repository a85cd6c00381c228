//! Events reach a webhook with signatures that verify.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use fake_stripe::{Change, Delivery, FakeStripe, Invoice, State, Webhook, signature};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

/// What came to a webhook, and how it answers next.
#[derive(Clone, Default)]
struct Inbox {
    came: Arc<Mutex<Vec<(String, String)>>>,
    answers: Arc<Mutex<Vec<u16>>>,
}

async fn take(Shared(inbox): Shared<Inbox>, headers: HeaderMap, body: String) -> StatusCode {
    let header = headers["stripe-signature"].to_str().unwrap().to_owned();
    inbox.came.lock().unwrap().push((header, body));
    let status = inbox.answers.lock().unwrap().pop().unwrap_or(200);
    StatusCode::from_u16(status).unwrap()
}

impl Inbox {
    async fn open() -> (Self, String) {
        let inbox = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/webhooks", listener.local_addr().unwrap());
        let router = Router::new().route("/webhooks", post(take)).with_state(inbox.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (inbox, url)
    }

    fn ids(&self) -> Vec<String> {
        let came = self.came.lock().unwrap();
        let id = |body: &str| serde_json::from_str::<Value>(body).unwrap()["id"].as_str().unwrap().to_owned();
        came.iter().map(|(_header, body)| id(body)).collect()
    }
}

fn verifies(header: &str, body: &str, secret: &str) -> bool {
    let (time, signatures) = header.strip_prefix("t=").unwrap().split_once(',').unwrap();
    signatures.split(',').any(|signature| {
        let hex = signature.strip_prefix("v1=").unwrap();
        let bytes: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{time}.{body}").as_bytes());
        mac.verify_slice(&bytes).is_ok()
    })
}

async fn paid() -> FakeStripe {
    let fake = FakeStripe::start(State::with([Invoice::open("in_1", 5)])).await.unwrap();
    fake.change("in_1", &Change::Pay { amount: None, out_of_band: false }).unwrap();
    fake
}

#[tokio::test]
async fn every_secret_signs() {
    let (inbox, url) = Inbox::open().await;
    let fake = paid().await;
    let mut delivery = Delivery::to(&url, "whsec_old");
    delivery.secrets.push("whsec_new".to_owned());
    let report = fake.deliver(delivery).await.unwrap();
    assert_eq!((report.sent, report.taken, report.failed), (4, 4, 0));
    for (header, body) in inbox.came.lock().unwrap().iter() {
        assert!(verifies(header, body, "whsec_old") && verifies(header, body, "whsec_new"), "{header}");
        assert!(!verifies(header, body, "whsec_other") && !verifies(header, &format!("{body} "), "whsec_old"));
    }
    // What was taken is not sent again.
    let again = fake.deliver(Delivery::to(&url, "whsec_old")).await.unwrap();
    assert_eq!(again.sent, 0);
}

#[tokio::test]
async fn what_is_refused_is_sent_again() {
    let (inbox, url) = Inbox::open().await;
    let fake = paid().await;
    inbox.answers.lock().unwrap().extend([500, 500]);
    let mut delivery = Delivery { retry_ms: 1, ..Delivery::to(&url, "whsec_old") };
    delivery.events = Some(vec![fake.events()[0].id.clone()]);
    let report = fake.deliver(delivery.clone()).await.unwrap();
    assert_eq!((report.sent, report.taken, report.failed), (3, 1, 0));
    assert_eq!(report.statuses.get(&500), Some(&2));
    inbox.answers.lock().unwrap().extend([400, 400, 400]);
    delivery.events = Some(vec![fake.events()[1].id.clone()]);
    let report = fake.deliver(delivery).await.unwrap();
    assert_eq!((report.taken, report.failed), (0, 1));
    let delivered: Vec<_> = fake.events().iter().map(|event| event.delivered).collect();
    assert_eq!(delivered, [Some(true), Some(false), None, None]);
}

#[tokio::test]
async fn duplicates_come_in_another_order() {
    let (inbox, url) = Inbox::open().await;
    let fake = paid().await;
    let delivery = Delivery { copies: 3, shuffle: Some(7), per_second: Some(1_000), ..Delivery::to(&url, "whsec_old") };
    assert_eq!(fake.deliver(delivery).await.unwrap().taken, 12);
    let mut came = inbox.ids();
    let in_order: Vec<String> =
        fake.events().iter().flat_map(|event| std::iter::repeat_n(event.id.clone(), 3)).collect();
    assert_ne!(came, in_order);
    came.sort();
    assert_eq!(came, in_order);
}

/// Waits until so many came.
async fn came(inbox: &Inbox, number: usize) {
    for _ in 0..500 {
        if inbox.came.lock().unwrap().len() >= number {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("only {:?} came", inbox.ids());
}

#[tokio::test]
async fn events_are_sent_as_they_happen_and_again_until_they_are_taken() {
    let (inbox, url) = Inbox::open().await;
    let webhook = Webhook { url: url.clone(), secret: "whsec_spoken".to_owned() };
    let state = State { webhook: Some(webhook.clone()), ..State::with([Invoice::open("in_1", 5)]) };
    let fake = FakeStripe::start(state.clone()).await.unwrap();
    inbox.answers.lock().unwrap().push(500);
    fake.change("in_1", &Change::MarkUncollectible).unwrap();
    came(&inbox, 3).await;
    let mut ids = inbox.ids();
    // The second did not wait for the first.
    assert_eq!(ids[0], ids[2]);
    ids.dedup();
    assert_eq!(ids.len(), 3);
    for (header, body) in inbox.came.lock().unwrap().iter() {
        assert!(verifies(header, body, "whsec_spoken"));
    }
    // A new state goes on speaking, and what is switched off does not.
    fake.replace(state);
    fake.change("in_1", &Change::Void).unwrap();
    came(&inbox, 5).await;
    fake.set_webhook(None);
    fake.put(Invoice::open("in_2", 5));
    let client = crate::client();
    let put = client.put(format!("{}/_fake/webhook", fake.url())).json(&webhook).send().await.unwrap();
    assert_eq!(put.status(), 204);
    fake.put(Invoice::open("in_3", 5));
    came(&inbox, 6).await;
    assert_eq!(fake.events().iter().filter(|event| event.delivered == Some(true)).count(), 3);
}

#[tokio::test]
async fn nobody_at_home_is_no_answer() {
    let fake = paid().await;
    let delivery = Delivery { attempts: 1, ..Delivery::to("http://127.0.0.1:9/", "whsec_old") };
    let report = fake.deliver(delivery).await.unwrap();
    assert_eq!((report.failed, report.statuses.get(&0)), (4, Some(&4)));
}

/// The example of a signature that was computed by other means: `printf '1.{}' | openssl dgst -sha256 -hmac whsec_x`.
#[test]
fn the_signature_is_that_of_openssl() {
    let header = signature(&["whsec_x"], b"{}", 1);
    assert_eq!(header, "t=1,v1=36ee2f7498f0c1777d1312b2a7361947fe5ad31223be30d0c62421f4ca753401");
}
