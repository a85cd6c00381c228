//! More than there is room for: refused at once, said when to try again, and nobody else's trouble.

use std::time::{Duration, Instant};

use billing_gateway::http::Transport;
use billing_gateway::store::PoolSettings;
use reqwest::Response;
use sea_orm::{ConnectionTrait, DatabaseTransaction, TransactionTrait};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::SLACK;
use super::raw::{Raw, post_head};
use crate::support::app::TestApp;

/// Enough connections for everyone here, and patience with locks.
const POOLS: PoolSettings = PoolSettings {
    connections: 12,
    acquire_timeout: Duration::from_secs(10),
    read_timeout: Duration::from_secs(30),
    write_timeout: Duration::from_secs(30),
};

/// Hangs while [`lock`] is held.
const INVOICES: &str = "{ invoices(first: 1) { nodes { id } } }";

/// Does not.
const CUSTOMERS: &str = "{ customers(first: 1) { nodes { id } } }";

async fn app(transport: Transport) -> TestApp {
    TestApp::with_pools_and_transport(POOLS, transport).await
}

/// Makes every question for invoices wait.
async fn lock(app: &TestApp) -> DatabaseTransaction {
    let lock = app.database.connect().await.begin().await.unwrap();
    lock.execute_unprepared("LOCK TABLE invoices IN ACCESS EXCLUSIVE MODE").await.unwrap();
    lock
}

fn ask(app: &TestApp, principal: &str, query: &str) -> JoinHandle<Response> {
    let request = app.client.post(app.url("/graphql")).bearer_auth(app.token(principal));
    let asking = request.json(&json!({ "query": query })).send();
    tokio::spawn(async { asking.await.unwrap() })
}

/// So many questions that hang, once they do.
async fn hanging(app: &TestApp, count: usize) -> Vec<JoinHandle<Response>> {
    let asked = (0..count).map(|_n| ask(app, "merchant", INVOICES)).collect();
    tokio::time::sleep(Duration::from_millis(700)).await;
    asked
}

async fn is_refused(answer: Response) {
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "2");
    assert!(answer.headers().contains_key("x-request-id"));
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["errors"][0]["extensions"]["code"], "OVERLOADED", "{body}");
    assert!(body.get("data").is_none(), "{body}");
}

async fn is_answered(answer: Response) {
    assert_eq!(answer.status(), 200);
    let body: Value = answer.json().await.unwrap();
    assert!(body.get("errors").is_none(), "{body}");
}

#[tokio::test]
async fn what_has_no_room_is_refused_soon_and_what_had_it_is_answered() {
    let narrow =
        Transport { executing_max: 2, queue_max: 2, queue_timeout: Duration::from_millis(100), ..Transport::default() };
    let app = app(narrow).await;
    let lock = lock(&app).await;
    let admitted = hanging(&app, 2).await;
    let begun = Instant::now();
    let refused: Vec<_> = (0..20).map(|_n| ask(&app, "merchant", CUSTOMERS)).collect();
    for refused in refused {
        is_refused(refused.await.unwrap()).await;
    }
    assert!(begun.elapsed() < SLACK, "{:?}", begun.elapsed());
    for path in ["/livez", "/readyz", "/version", "/"] {
        assert_eq!(app.client.get(app.url(path)).send().await.unwrap().status(), 200, "{path}");
    }
    // A webhook has a room of its own: this one is refused for what it is.
    let hook = app.client.post(app.url("/webhooks/stripe/default")).body("{}").send().await.unwrap();
    assert_eq!(hook.status(), 404);
    let link = app.client.get(app.url("/v1/billing/invoices/inv_1/pay-url")).bearer_auth(app.token("merchant"));
    let link = link.send().await.unwrap();
    assert_eq!((link.status().as_u16(), link.headers()["retry-after"].to_str().unwrap()), (503, "2"));
    let problem: Value = link.json().await.unwrap();
    assert_eq!((&problem["status"], &problem["code"]), (&json!(503), &json!("OVERLOADED")), "{problem}");

    lock.rollback().await.unwrap();
    for admitted in admitted {
        is_answered(admitted.await.unwrap()).await;
    }
    is_answered(ask(&app, "merchant", CUSTOMERS).await.unwrap()).await;
}

/// Whether another tenant is answered while one asks for more than it may have at the same time.
async fn another_tenant_is_answered(per_tenant: usize) -> bool {
    let transport = Transport {
        executing_max: 6,
        executing_per_tenant: per_tenant,
        queue_max: 2,
        queue_timeout: Duration::from_millis(300),
        ..Transport::default()
    };
    let app = app(transport).await;
    let lock = lock(&app).await;
    let greedy = hanging(&app, 12).await;
    let other = ask(&app, "other_tenant", CUSTOMERS).await.unwrap();
    let status = other.status();
    lock.rollback().await.unwrap();
    let mut refused = 0;
    for answer in greedy {
        let answer = answer.await.unwrap();
        if answer.status() == 503 {
            refused += 1;
        }
    }
    assert_eq!(refused, 12 - per_tenant.min(6), "those beyond its part waited in vain");
    status == 200
}

#[tokio::test]
async fn a_tenant_that_asks_for_everything_gets_its_part_and_others_theirs() {
    assert!(another_tenant_is_answered(3).await);
    assert!(!another_tenant_is_answered(6).await);
}

#[tokio::test]
async fn clients_behind_a_trusted_proxy_are_counted_by_their_own_address() {
    let trusting = |proxies: &str| Transport {
        trusted_proxies: proxies.split(',').filter_map(|network| network.parse().ok()).collect(),
        connections_per_address: 3,
        ..Transport::default()
    };
    let app = TestApp::with_transport(trusting("127.0.0.0/8")).await;
    let from = |address: &str, length: usize| {
        post_head(&app, length).replace("\r\n\r\n", &format!("\r\nx-forwarded-for: {address}\r\n\r\n"))
    };
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut raw = Raw::connect(&app).await;
        raw.send(from("192.0.2.1", 100)).await;
        open.push(raw);
    }
    let body = json!({ "query": "{ __typename }" }).to_string();
    tokio::time::sleep(Duration::from_millis(300)).await;
    // The proxy itself may have more connections than anyone else.
    for (address, status) in [("192.0.2.1", 503), ("192.0.2.2", 200), ("192.0.2.1, 192.0.2.3", 200)] {
        let mut raw = Raw::connect(&app).await;
        raw.send(from(address, body.len()) + &body).await;
        assert_eq!(raw.answer().await.status, status, "{address}");
    }

    let app = TestApp::with_transport(trusting("")).await;
    let mut open = Vec::new();
    for n in 0..3 {
        let mut raw = Raw::connect(&app).await;
        raw.send(post_head(&app, 100).replace("\r\n\r\n", &format!("\r\nx-forwarded-for: 192.0.2.{n}\r\n\r\n"))).await;
        open.push(raw);
    }
    assert_eq!(Raw::connect(&app).await.answer().await.status, 503, "without trust a stranger's word is not taken");
}
