//! How much callers may ask for over time, counted by one server or by several through Redis.

use std::sync::Arc;
use std::time::{Duration, Instant};

use billing_gateway::domain::rate::Bucket;
use billing_gateway::http::{RateSettings, Rates};
use billing_gateway::rate::{Limiter, Owner, Refused, WithoutShared};
use reqwest::Response;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::redis::Redis;

/// So slow that nothing comes back within a test.
const SLOW: Duration = Duration::from_secs(100_000);

fn limiter(redis: &Redis, without: WithoutShared) -> Limiter {
    Limiter::shared(&redis.url().parse().unwrap(), without)
}

fn owner(name: &str) -> Owner {
    Owner::of("test", &[name])
}

#[tokio::test]
async fn replicas_give_out_of_the_same_bucket() {
    let redis = Redis::start();
    let (one, other) = (limiter(&redis, WithoutShared::Closed), limiter(&redis, WithoutShared::Closed));
    let buckets = [(owner("token"), Bucket::new(300, SLOW)), (owner("user"), Bucket::new(200, SLOW))];
    let take = async |limiter: &Limiter| {
        let mut given = 0;
        for _ in 0..40 {
            given += usize::from(limiter.take(&buckets, 3).await.is_ok());
        }
        given
    };
    let (a, b, c, d) = tokio::join!(take(&one), take(&other), take(&one), take(&other));
    assert_eq!(a + b + c + d, 66, "66 times 3 of 200");
    let Err(Refused::Exhausted(exhausted)) = one.take(&buckets, 3).await else { panic!("198 of 200 were given") };
    assert_eq!((exhausted.level.limit, exhausted.level.remaining), (200, 2));
    let level = other.take(&buckets[..1], 2).await.unwrap().unwrap();
    assert_eq!((level.limit, level.remaining), (300, 100), "a refusal takes nothing out of the other bucket");
}

#[tokio::test]
async fn shared_buckets_fill_up_again_as_those_of_one_process_do() {
    let redis = Redis::start();
    let buckets = [(owner("quick"), Bucket::new(10, Duration::from_millis(500)))];
    for limiter in [Limiter::local(), limiter(&redis, WithoutShared::Closed)] {
        assert_eq!(limiter.take(&buckets, 10).await.unwrap().unwrap().remaining, 0);
        let Err(Refused::Exhausted(exhausted)) = limiter.take(&buckets, 2).await else { panic!("it is empty") };
        assert!(exhausted.retry_after <= Duration::from_millis(100), "{exhausted:?}");
        tokio::time::sleep(exhausted.retry_after + Duration::from_millis(5)).await;
        limiter.take(&buckets, 2).await.unwrap();
    }
}

#[tokio::test]
async fn without_the_shared_buckets_each_replica_counts_for_itself_or_nobody_is_served() {
    let mut redis = Redis::start();
    let (open, closed) = (limiter(&redis, WithoutShared::Open), limiter(&redis, WithoutShared::Closed));
    let buckets = [(owner("token"), Bucket::new(10, SLOW))];
    open.take(&buckets, 4).await.unwrap();
    redis.stop();
    assert_eq!(closed.take(&buckets, 1).await, Err(Refused::Unavailable));
    assert_eq!(open.take(&buckets, 7).await.unwrap().unwrap().remaining, 3, "a bucket of its own");
    assert!(matches!(open.take(&buckets, 7).await, Err(Refused::Exhausted(_))), "which ends as well");
    redis.start_again();
    let started = Instant::now();
    while closed.take(&buckets, 1).await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(5), "it comes back without a restart");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn shared_buckets_that_hang_cost_one_short_wait_and_not_one_for_each_request() {
    let redis = Redis::start();
    let open = limiter(&redis, WithoutShared::Open);
    let buckets = [(owner("token"), Bucket::new(1_000, SLOW))];
    open.take(&buckets, 1).await.unwrap();
    redis.freeze();
    let started = Instant::now();
    for _ in 0..20 {
        open.take(&buckets, 1).await.unwrap();
    }
    let waited = started.elapsed();
    redis.thaw();
    assert!(
        waited < Duration::from_millis(500),
        "20 requests waited {waited:?} in all, one of them a tenth of a second"
    );
}

#[test]
fn an_address_that_cannot_be_used_is_not_repeated() {
    for url in ["http://host", "redis://", "secret", "redis://:secret@host:port"] {
        let error = url.parse::<billing_gateway::rate::SharedUrl>().unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}

/// Rates of a server whose callers may ask for so many operations at their limit, of which hardly anything comes back.
fn rates(operations: u64) -> Rates {
    let settings = RateSettings { operations, refill: SLOW, ..RateSettings::default() };
    Rates { settings, ..Rates::default() }
}

async fn ask(app: &TestApp, name: &str, query: &str) -> Response {
    let request = app.client.post(app.url("/graphql")).bearer_auth(app.token(name));
    request.json(&json!({ "query": query })).send().await.unwrap()
}

fn number(response: &Response, header: &str) -> u64 {
    response.headers()[header].to_str().unwrap().parse().unwrap()
}

async fn body(response: Response) -> Value {
    response.json().await.unwrap()
}

/// A page of 100 bills with a link of each: 100 and 500.
const PAGE: &str = "{ invoices(first: 100) { nodes { hostedInvoiceUrl } } }";

#[tokio::test]
async fn an_operation_takes_what_it_costs_and_the_answer_says_what_is_left() {
    let app = TestApp::with_rates(rates(2)).await;
    let first = ask(&app, "merchant", PAGE).await;
    let (limit, remaining) = (number(&first, "ratelimit-limit"), number(&first, "ratelimit-remaining"));
    assert_eq!(limit, 20_000, "two operations of 10,000");
    let spent = body(first).await["extensions"]["cost"].clone();
    assert_eq!((&spent["limit"], &spent["remaining"]), (&json!(10_000), &json!(remaining)));
    assert_eq!(remaining, limit - spent["requested"].as_u64().unwrap());
    let question = "{ rateLimit { limit remaining cost resetAt } }";
    let second = ask(&app, "merchant", question).await;
    assert_eq!(second.headers()["x-ratelimit-remaining"], second.headers()["ratelimit-remaining"]);
    assert!(second.headers()["ratelimit-policy"].to_str().unwrap().contains("q=20000"));
    let left = number(&second, "ratelimit-remaining");
    let told = body(second).await["data"]["rateLimit"].clone();
    assert_eq!((&told["limit"], &told["remaining"], &told["cost"]), (&json!(limit), &json!(left), &json!(1)));
    assert!(told["resetAt"].is_string());
    assert_eq!(left, remaining - 1, "what costs nothing takes a point");
}

#[tokio::test]
async fn what_is_not_there_is_refused_with_429_and_takes_nothing_from_others() {
    let app = TestApp::with_rates(rates(1)).await;
    let mut answers = Vec::new();
    for _ in 0..40 {
        let answer = ask(&app, "merchant", PAGE).await;
        if answer.status() != 200 {
            answers.push(answer);
            break;
        }
    }
    let refused = answers.pop().expect("10,000 points do not last for 40 pages");
    assert_eq!(refused.status(), 429);
    assert!(number(&refused, "retry-after") > 0);
    let error = body(refused).await["errors"][0].clone();
    assert_eq!(error["extensions"]["code"], json!("RATE_LIMITED"));
    assert!(error["extensions"]["retryAfterMs"].as_u64().unwrap() > 0);
    let other = ask(&app, "partner", PAGE).await;
    assert_eq!(other.status(), 200, "another caller of the same tenant");
    let rest = app.client.get(app.url("/v1/billing/invoices/inv_unknown/pay-url")).bearer_auth(app.token("merchant"));
    let rest = rest.send().await.unwrap();
    // What is left of a page's cost may do for an invoice; then there is nothing left.
    if rest.status() == 429 {
        assert_eq!(rest.headers()["content-type"], "application/problem+json");
    }
}

#[tokio::test]
async fn with_a_bucket_that_is_large_enough_the_same_burst_is_answered() {
    let app = TestApp::with_rates(rates(1_000)).await;
    for _ in 0..40 {
        assert_eq!(ask(&app, "merchant", PAGE).await.status(), 200);
    }
}

#[tokio::test]
async fn bad_credentials_of_one_address_are_counted_and_good_ones_are_answered_all_the_same() {
    let settings = RateSettings { bad_credentials_per_minute: 3, ..RateSettings::default() };
    let app = TestApp::with_rates(Rates { settings, ..Rates::default() }).await;
    let bad = async || {
        let request = app.client.post(app.url("/graphql")).bearer_auth("no.such.token");
        request.json(&json!({ "query": "{ viewer { kind } }" })).send().await.unwrap()
    };
    for _ in 0..3 {
        assert_eq!(bad().await.status(), 401);
    }
    let refused = bad().await;
    assert_eq!(refused.status(), 429);
    assert!(number(&refused, "retry-after") >= 1);
    assert_eq!(body(refused).await["errors"][0]["extensions"]["code"], json!("RATE_LIMITED"));
    let good = ask(&app, "merchant", "{ viewer { kind } }").await;
    assert_eq!(good.status(), 200, "others may be behind the same address");
}

#[tokio::test]
async fn servers_that_share_their_buckets_let_a_caller_have_the_limit_once() {
    let redis = Redis::start();
    let shared = || Rates {
        limiter: Arc::new(limiter(&redis, WithoutShared::Closed)),
        settings: RateSettings { operations: 1, refill: SLOW, ..RateSettings::default() },
    };
    let (one, other) = (TestApp::with_rates(shared()).await, TestApp::with_rates(shared()).await);
    let cost = body(ask(&one, "customer", "{ viewer { kind } }").await).await["extensions"]["cost"].clone();
    let answer = ask(&other, "customer", "{ viewer { kind } }").await;
    let left = number(&answer, "ratelimit-remaining");
    assert_eq!(left + 1, cost["remaining"].as_u64().unwrap(), "the other server counts on from where the first was");
    let told = async || {
        let ready = one.client.get(one.url("/readyz")).send().await.unwrap();
        let (status, checks) = (ready.status(), body(ready).await["checks"].clone());
        let rates = checks.as_array().unwrap().iter().find(|check| check["name"] == "rates").unwrap().clone();
        (status, rates["ok"].clone())
    };
    assert_eq!(told().await, (reqwest::StatusCode::OK, json!(true)));
    drop(redis);
    assert_eq!(told().await, (reqwest::StatusCode::OK, json!(false)), "told, and not counted");
    let refused = ask(&one, "customer", "{ viewer { kind } }").await;
    assert_eq!(refused.status(), 503, "closed without the shared buckets");
    assert_eq!(body(refused).await["errors"][0]["extensions"]["code"], json!("OVERLOADED"));
}
