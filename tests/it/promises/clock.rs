//! Clocks that are wrong, and one that is set back while the gateway runs.

use billing_gateway::auth::{JwtKeys, NewToken};
use billing_gateway::domain::clock::Clock;
use billing_gateway::domain::viewer::{PrincipalKind, Scope};
use chrono::TimeDelta;
use entity::{InvoiceStatus, WebhookStatus};
use fake_stripe::signature;
use secrecy::SecretString;

use crate::support::app;
use crate::support::database::{Engine, TestDatabase, for_each_engine};
use crate::support::hooks::{Hooks, SECRET, TOTAL, event, now, object, quick};

/// A clock that is wrong by so many minutes.
fn wrong_by(minutes: i64) -> Clock {
    Clock::starting_at(Clock::system().now().utc() + TimeDelta::minutes(minutes))
}

/// A token of whoever issues them by the right time.
fn token(lifetime: TimeDelta) -> String {
    let secret = SecretString::from(app::SECRET);
    let issuer = JwtKeys::new(&secret, "billing-gateway", "billing-gateway", Clock::system()).unwrap();
    let token = NewToken {
        kind: PrincipalKind::Merchant,
        tenant: "ten_hooks".into(),
        customers: None,
        scopes: Scope::ALL.into_iter().collect(),
        subject: "test".to_owned(),
        issued_at: Clock::system().now(),
        lifetime,
    };
    issuer.sign(&token).unwrap()
}

#[tokio::test]
async fn r14_a_clock_ten_minutes_off_refuses_what_it_must_and_ends_nothing() {
    let (short, long) = (TimeDelta::minutes(5), TimeDelta::hours(1));
    // By a clock that is behind, every token is from the future; by one that is ahead, short ones have expired.
    for (minutes, lifetime, expected) in
        [(0, short, 200), (0, long, 200), (-10, short, 401), (-10, long, 401), (10, short, 401), (10, long, 200)]
    {
        let hooks = Hooks::at(wrong_by(minutes), TestDatabase::new(Engine::Sqlite).await).await;
        let (status, answer) = hooks.ask(&token(lifetime), "{ viewer { kind } invoices { totalCount } }").await;
        assert_eq!(status, expected, "{minutes} minutes off, for {lifetime}: {answer}");

        // Stripe signs by the right time. What a wrong clock refuses comes again.
        let body = event("evt_1", "invoice.paid", now(), &object("in_1", "paid", TOTAL)).to_string();
        let header = signature(&[SECRET], body.as_bytes(), now());
        let (status, answer) = hooks.post("default", &body, Some(&header)).await;
        assert_eq!(status, if minutes == 0 { 200 } else { 400 }, "{minutes} minutes off: {answer}");
        // Nobody can make up for it but who has the secret.
        let header = signature(&[SECRET], body.as_bytes(), now() + minutes * 60);
        assert_eq!(hooks.post("default", &body, Some(&header)).await.0, 200, "{minutes} minutes off");
    }
}

#[tokio::test]
async fn r14_a_clock_that_is_set_back_delays_events_by_no_more_than_that_and_loses_none() {
    for_each_engine(async |engine| {
        // An event is taken, and the worker that leased it is gone, by a clock ten minutes ahead.
        let hooks = Hooks::on(engine).await;
        let id = hooks.open("one", Some("in_1")).await;
        let mut ahead = hooks.moved(wrong_by(10)).await;
        let paid = event("evt_1", "invoice.paid", now() + 600, &object("in_1", "paid", TOTAL)).to_string();
        let header = signature(&[SECRET], paid.as_bytes(), now() + 600);
        assert_eq!(ahead.post("default", &paid, Some(&header)).await.0, 200);
        ahead.start(quick(), None);
        ahead.until(|events| events.iter().all(|event| event.status == WebhookStatus::Processed)).await;
        ahead.stop().await;
        let sent = event("evt_2", "invoice.sent", now() + 600, &object("in_1", "open", 0)).to_string();
        let header = signature(&[SECRET], sent.as_bytes(), now() + 600);
        assert_eq!(ahead.post("default", &sent, Some(&header)).await.0, 200);

        // Set right again, new events are worked on at once; the other one waits for its time.
        let mut right = ahead.moved(Clock::system()).await;
        right.start(quick(), None);
        right.send(&event("evt_3", "invoice.updated", now(), &object("in_1", "paid", TOTAL))).await;
        right.until(|events| events.iter().filter(|it| it.status == WebhookStatus::Processed).count() == 2).await;
        assert_eq!(right.event("evt_2").await.status, WebhookStatus::Received);
        right.stop().await;
        let mut later = right.moved(wrong_by(11)).await;
        later.start(quick(), None);
        later.until(|events| events.iter().all(|event| event.status == WebhookStatus::Processed)).await;
        assert_eq!(later.invoice(&id).await.status, InvoiceStatus::Paid);
        assert_eq!(later.payments(&id).await.len(), 1);
    })
    .await;
}
