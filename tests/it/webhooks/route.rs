//! The route: who is let in, and what it answers.

use std::time::Duration;

use billing_gateway::stripe::webhook::BODY_BYTES_MAX;
use fake_stripe::signature;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::app::http_client;
use crate::support::database::{Engine, for_each_engine};
use crate::support::hooks::{Hooks, SECRET, event, now, object, signed};

fn paid() -> Value {
    event("evt_1", "invoice.paid", now(), &object("in_1", "paid", 1_000))
}

#[tokio::test]
async fn only_what_stripe_signed_lately_is_stored() {
    for_each_engine(async |engine| {
        let hooks = Hooks::on(engine).await;
        let body = paid().to_string();
        let at = |seconds| signature(&[SECRET], body.as_bytes(), now() + seconds);
        let refused = [
            None,
            Some(String::new()),
            Some("t=1".to_owned()),
            Some(signature(&["whsec_other"], body.as_bytes(), now())),
            Some(signature(&[SECRET], b"{}", now())),
            Some(at(-310)),
            Some(at(310)),
        ];
        for header in refused {
            let (status, answer) = hooks.post("default", &body, header.as_deref()).await;
            assert_eq!(status, 400, "{header:?}: {answer}");
            assert_eq!((&answer["status"], &answer["detail"]), (&json!(400), &json!("invalid_signature")));
        }
        let nonsense = json!({ "type": "invoice.paid" }).to_string();
        let (status, answer) = hooks.post("default", &nonsense, Some(&signed(&nonsense))).await;
        assert_eq!((status, &answer["detail"]), (400, &json!("invalid_event")));
        assert_eq!(hooks.events().await, []);
        let (status, answer) = hooks.post("default", &body, Some(&at(-290))).await;
        assert_eq!((status, answer), (200, json!({ "received": true })));
    })
    .await;
}

/// The status of a webhook whose body does not come.
async fn without_body(hooks: &Hooks, endpoint: &str, headers: &str) -> String {
    let url = hooks.url(endpoint);
    let (server, path) = url.trim_start_matches("http://").split_once('/').unwrap();
    let mut stream = TcpStream::connect(server).await.unwrap();
    let head = format!("POST /{path} HTTP/1.1\r\nhost: gateway\r\n{headers}content-length: 1048576\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    let read = timeout(Duration::from_secs(5), stream.read_exact(&mut answer)).await;
    read.expect("an answer in time").unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn without_a_header_that_may_be_stripe_s_no_body_is_waited_for() {
    let hooks = Hooks::on(Engine::Sqlite).await;
    let header = |seconds| format!("stripe-signature: {}\r\n", signature(&[SECRET], b"{}", now() + seconds));
    let unsigned = format!("stripe-signature: t={}\r\n", now());
    let (late, good) = (header(-310), header(0));
    let twice = good.repeat(2);
    for headers in ["", "stripe-signature: t=1,v1=00\r\n", "stripe-signature: x\r\n", &unsigned, &late, &twice] {
        assert_eq!(without_body(&hooks, "default", headers).await, "HTTP/1.1 400", "{headers}");
    }
    assert_eq!(without_body(&hooks, "other", &good).await, "HTTP/1.1 404");
}

#[tokio::test]
async fn while_a_secret_is_rolled_both_are_taken() {
    let hooks = Hooks::on(Engine::Sqlite).await;
    let signings = [&["whsec_old"][..], &[SECRET], &["whsec_new", "whsec_old"], &[SECRET, "whsec_new"]];
    for (number, secrets) in signings.iter().enumerate() {
        let body = event(&format!("evt_{number}"), "invoice.sent", now(), &json!({})).to_string();
        let header = signature(secrets, body.as_bytes(), now());
        assert_eq!(hooks.post("default", &body, Some(&header)).await.0, 200, "{secrets:?}");
    }
    // The other endpoint has its own.
    let body = paid().to_string();
    let header = signature(&["whsec_old"], body.as_bytes(), now());
    assert_eq!(hooks.post("connect", &body, Some(&header)).await.0, 400);
}

#[tokio::test]
async fn an_event_that_comes_again_is_a_duplicate_of_its_endpoint() {
    for_each_engine(async |engine| {
        let hooks = Hooks::on(engine).await;
        // Made once: its moment is now.
        let paid = paid();
        assert_eq!(hooks.send(&paid).await, json!({ "received": true }));
        assert_eq!(hooks.send(&paid).await, json!({ "received": true, "duplicate": true }));
        assert_eq!(hooks.send_to("connect", &paid).await, json!({ "received": true }));
        let rows = hooks.events().await;
        assert_eq!(rows.len(), 2);
        let row = rows.iter().find(|row| row.endpoint == "default").unwrap();
        assert_eq!((row.kind.as_str(), row.object_id.as_deref()), ("invoice.paid", Some("in_1")));
        assert_eq!((row.tenant_id.as_ref(), row.attempts), (Some(&hooks.tenant), 0));
        assert_eq!(serde_json::from_str::<Value>(&row.payload).unwrap(), paid);
    })
    .await;
}

#[tokio::test]
async fn bodies_are_read_up_to_a_mebibyte() {
    let hooks = Hooks::on(Engine::Sqlite).await;
    let padded = |bytes: usize| {
        let mut event = paid();
        event["padding"] = json!("");
        let room = bytes - event.to_string().len();
        event["padding"] = json!("x".repeat(room));
        event.to_string()
    };
    let body = padded(BODY_BYTES_MAX);
    assert_eq!(hooks.post("default", &body, Some(&signed(&body))).await.0, 200);
    let body = padded(BODY_BYTES_MAX + 1);
    let (status, answer) = hooks.post("default", &body, Some(&signed(&body))).await;
    assert_eq!((status, &answer["status"]), (413, &json!(413)));
}

#[tokio::test]
async fn there_is_nothing_at_other_endpoints_and_for_other_methods() {
    let hooks = Hooks::on(Engine::Sqlite).await;
    let body = paid().to_string();
    let (status, answer) = hooks.post("other", &body, Some(&signed(&body))).await;
    assert_eq!((status, &answer["detail"]), (404, &json!("There is nothing at this path.")));
    assert_eq!(http_client().get(hooks.url("default")).send().await.unwrap().status(), 405);
}

#[tokio::test]
async fn what_cannot_be_stored_is_asked_for_again() {
    let hooks = Hooks::on(Engine::Postgres).await;
    hooks.database.take_connections(false).await;
    hooks.database.end_connections().await;
    let body = paid().to_string();
    let (status, answer) = hooks.post("default", &body, Some(&signed(&body))).await;
    assert_eq!((status, &answer["status"]), (503, &json!(503)));
    hooks.database.take_connections(true).await;
}
