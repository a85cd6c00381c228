//! Faults: where, how often, and what the caller meets.

use std::time::{Duration, Instant};

use fake_stripe::{Endpoint, Fault, FaultKind, Invoice, State};
use serde_json::{Value, json};

use crate::Asked;

async fn asked() -> Asked {
    Asked::new(State { rate_per_second: 0, ..State::with([Invoice::paid("in_1", 5, 9)]) }).await
}

const PATH: &str = "/v1/invoices/in_1";

#[tokio::test]
async fn a_fault_holds_for_so_many_calls_of_its_endpoint() {
    let asked = asked().await;
    let down = FaultKind::Status { status: 500, retry_after: None, should_retry: Some(false), reason: None };
    asked.fake.fault(Fault::new(down).at(Endpoint::Invoice).times(2));
    asked.ok("/v1/charges/ch_1_1").await;
    for _ in 0..2 {
        let answer = asked.get(PATH).await;
        assert_eq!(answer.status(), 500);
        assert_eq!(answer.headers()["stripe-should-retry"], "false");
        assert_eq!(answer.json::<Value>().await.unwrap()["error"]["type"], "api_error");
    }
    asked.ok(PATH).await;
    let limited = json!({ "kind": { "status": { "status": 429, "retry_after": 3, "reason": "global-rate" } } });
    asked.tell("faults", &limited).await;
    let answer = asked.get(PATH).await;
    assert_eq!(answer.headers()["retry-after"], "3");
    assert_eq!(answer.headers()["stripe-rate-limited-reason"], "global-rate");
    asked.fake.clear_faults();
    asked.ok(PATH).await;
    assert_eq!(asked.fake.count(Endpoint::Invoice), 5);
    assert_eq!(asked.fake.counts().total, 6);
    asked.fake.reset_counts();
    assert_eq!((asked.fake.count(Endpoint::Invoice), asked.fake.calls().len()), (0, 0));
}

#[tokio::test]
async fn answers_can_be_late_or_never_come() {
    let asked = asked().await;
    asked.fake.fault(Fault::new(FaultKind::Delay(80)).times(1));
    let begun = Instant::now();
    asked.ok(PATH).await;
    assert!(begun.elapsed() >= Duration::from_millis(80));
    asked.fake.fault(Fault::new(FaultKind::Hang).times(1));
    assert!(tokio::time::timeout(Duration::from_millis(100), asked.get(PATH)).await.is_err());
    asked.ok(PATH).await;
}

#[tokio::test]
async fn bodies_can_be_wrong_in_every_way() {
    let asked = asked().await;
    let url = format!("{}{PATH}", asked.fake.url());
    let send = async |kind: FaultKind| {
        asked.fake.fault(Fault::new(kind).times(1));
        asked.client.get(&url).bearer_auth("rk_test_fake").send().await
    };
    let garbage = send(FaultKind::Garbage).await.unwrap();
    assert!(garbage.status() == 200 && garbage.json::<Value>().await.is_err());
    assert_eq!(send(FaultKind::Body("[1]".to_owned())).await.unwrap().text().await.unwrap(), "[1]");
    assert!(send(FaultKind::Truncated).await.unwrap().text().await.is_err());
    let large = send(FaultKind::Oversized(3_000_000)).await.unwrap().text().await.unwrap();
    assert!(large.len() >= 3_000_000 && large.starts_with("{\"amount_due\""));
    let away = send(FaultKind::Redirect(String::new())).await.unwrap();
    assert_eq!(away.status(), 302);
    assert_eq!(away.headers()["location"], format!("{}/v1/charges/ch_redirected", asked.fake.url()));
    assert!(send(FaultKind::Reset).await.is_err());
    asked.ok(PATH).await;
}

#[tokio::test]
async fn the_state_can_be_replaced_and_read_back() {
    let asked = asked().await;
    asked.fake.fault(Fault::new(FaultKind::Hang));
    let state = json!({ "invoices": [{ "id": "in_2", "status": "open", "total": 7, "currency": "jpy" }] });
    let put = asked.client.put(format!("{}/_fake/state", asked.fake.url())).json(&state);
    assert_eq!(put.send().await.unwrap().status(), 204);
    assert_eq!(asked.ok("/v1/invoices/in_2").await["currency"], "jpy");
    asked.body(PATH, 404).await;
    let back: State = serde_json::from_value(serde_json::to_value(asked.fake.state()).unwrap()).unwrap();
    assert_eq!(back, asked.fake.state());
    let misspelt = json!({ "invoices": [{ "id": "in_2", "totl": 7 }] });
    let put = asked.client.put(format!("{}/_fake/state", asked.fake.url())).json(&misspelt);
    assert_eq!(put.send().await.unwrap().status(), 422);
}
