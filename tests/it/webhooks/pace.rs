//! How many webhooks are taken within a second, and what forged ones do to those that are not.

use std::time::Duration;

use billing_gateway::http::{RateSettings, Rates, WebhookPace};
use serde_json::json;

use crate::support::app::http_client;
use crate::support::database::{Engine, for_each_engine};
use crate::support::hooks::{Hooks, event, now, signed};

/// Events that are sent at once; half of them are taken where the pace is half of it.
const BURST: usize = 40;

/// Sends so many different events as fast as they go, and gives the statuses.
async fn burst(hooks: &Hooks, count: usize) -> Vec<u16> {
    let posts = (0..count).map(|number| async move {
        let body = event(&format!("evt_{number}"), "invoice.sent", now(), &json!({})).to_string();
        hooks.post("default", &body, Some(&signed(&body))).await.0
    });
    futures::future::join_all(posts).await
}

fn count(statuses: &[u16], status: u16) -> usize {
    statuses.iter().filter(|other| **other == status).count()
}

#[tokio::test]
async fn what_comes_faster_than_the_pace_is_asked_for_again_and_nothing_acknowledged_is_lost() {
    for_each_engine(async |engine| {
        let hooks = Hooks::paced(engine, WebhookPace::new(2), Rates::default()).await;
        let statuses = burst(&hooks, BURST).await;
        let (taken, refused) = (count(&statuses, 200), count(&statuses, 429));
        assert_eq!(taken + refused, BURST, "{statuses:?}");
        assert!(taken >= 2 && refused > 0, "{statuses:?}");
        assert_eq!(hooks.events().await.len(), taken, "what is acknowledged is stored, and nothing else");
        // Stripe sends again what was refused, and all of it gets in.
        for number in 0..4 {
            let id = format!("evt_{number}");
            let body = event(&id, "invoice.sent", now(), &json!({})).to_string();
            while hooks.post("default", &body, Some(&signed(&body))).await.0 == 429 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            hooks.event(&id).await;
        }
    })
    .await;
}

#[tokio::test]
async fn with_a_higher_pace_the_same_burst_is_taken() {
    let hooks = Hooks::paced(Engine::Sqlite, WebhookPace::default(), Rates::default()).await;
    assert_eq!(count(&burst(&hooks, BURST).await, 200), BURST);
}

#[tokio::test]
async fn a_refusal_says_when_to_come_again_and_each_endpoint_has_a_pace_of_its_own() {
    let hooks = Hooks::paced(Engine::Sqlite, WebhookPace::new(1), Rates::default()).await;
    let body = event("evt_1", "invoice.sent", now(), &json!({})).to_string();
    let client = http_client();
    let post = async |endpoint: &str| {
        let request = client.post(hooks.url(endpoint)).header("stripe-signature", signed(&body));
        request.body(body.clone()).send().await.unwrap()
    };
    let refused = loop {
        let answer = post("default").await;
        if answer.status() == 429 {
            break answer;
        }
    };
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    let problem: serde_json::Value = refused.json().await.unwrap();
    assert_eq!((&problem["status"], &problem["code"]), (&json!(429), &json!("RATE_LIMITED")));
    assert_eq!(post("connect").await.status(), 200, "each endpoint has a pace of its own");
}

#[tokio::test]
async fn forged_webhooks_are_counted_by_address_and_keep_no_real_one_away() {
    let settings = RateSettings { bad_credentials_per_minute: 3, ..RateSettings::default() };
    let rates = Rates { settings, ..Rates::default() };
    let hooks = Hooks::paced(Engine::Sqlite, WebhookPace::new(5), rates).await;
    let body = event("evt_1", "invoice.sent", now(), &json!({})).to_string();
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(hooks.post("default", &body, Some("t=1,v1=00")).await.0);
        statuses.push(hooks.post("nowhere", &body, None).await.0);
    }
    assert_eq!(statuses, [400, 404, 400, 429, 429, 429], "bad signatures and unknown endpoints together");
    for _ in 0..50 {
        assert_eq!(hooks.post("default", &body, Some("t=1,v1=00")).await.0, 429);
    }
    let (status, answer) = hooks.post("default", &body, Some(&signed(&body))).await;
    assert_eq!((status, answer), (200, json!({ "received": true })), "forged ones took nothing of the endpoint's pace");
}

#[tokio::test]
async fn with_a_higher_limit_on_addresses_forged_webhooks_have_their_own_answers() {
    let settings = RateSettings { bad_credentials_per_minute: 1_000, ..RateSettings::default() };
    let hooks = Hooks::paced(Engine::Sqlite, WebhookPace::new(5), Rates { settings, ..Rates::default() }).await;
    for _ in 0..6 {
        assert_eq!(hooks.post("default", "{}", Some("t=1,v1=00")).await.0, 400);
        assert_eq!(hooks.post("nowhere", "{}", None).await.0, 404);
    }
}
