//! How much callers may ask for over time, counted by one server or by several through Redis.

use std::sync::Arc;
use std::time::{Duration, Instant};

use billing_gateway::domain::api_key::NewKey;
use billing_gateway::domain::clock::Clock;
use billing_gateway::domain::rate::Bucket;
use billing_gateway::http::{RateSettings, Rates};
use billing_gateway::rate::{Limiter, Owner, Refused, WithoutShared};
use chrono::TimeDelta;
use reqwest::Response;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::redis::Redis;

/// So slow that nothing comes back within a test.
const SLOW: Duration = Duration::from_secs(20_000_000);

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

/// A server that takes three bad credentials of an address in a long while.
async fn suspicious() -> TestApp {
    let settings = RateSettings { bad_credentials_per_minute: 3, ..RateSettings::default() };
    TestApp::with_rates(Rates { settings, ..Rates::default() }).await
}

async fn with_key(app: &TestApp, key: &str) -> Response {
    let request = app.client.post(app.url("/graphql")).header("x-api-key", key);
    request.json(&json!({ "query": "{ viewer { kind } }" })).send().await.unwrap()
}

/// A key that nobody issued; its checksum is right.
fn made_up() -> String {
    NewKey::random(false).unwrap().text.expose_secret().to_owned()
}

#[tokio::test]
async fn bad_credentials_of_one_address_are_counted_and_tokens_are_answered_all_the_same() {
    let app = suspicious().await;
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
async fn who_guesses_keys_too_often_is_not_told_any_more_whether_one_is_good() {
    let app = suspicious().await;
    let known = app.token("service_key");
    assert_eq!(with_key(&app, &known).await.status(), 200);
    let expires = Clock::system().now().utc() + TimeDelta::days(1);
    let issue =
        "mutation M($at: DateTime!) { issueApiKey(input: { name: \"new\", scopes: [], expiresAt: $at }) { secret } }";
    let issued = app.ask(&app.token("merchant"), issue, json!({ "at": expires })).await;
    let unknown = issued["data"]["issueApiKey"]["secret"].as_str().unwrap();
    for _ in 0..3 {
        assert_eq!(with_key(&app, &made_up()).await.status(), 401);
    }
    for guess in [&made_up(), unknown] {
        let refused = with_key(&app, guess).await;
        assert_eq!(refused.status(), 429, "a key that was never good here is not looked up");
        assert!(number(&refused, "retry-after") >= 1);
    }
    // Longer than what was looked up is kept.
    tokio::time::sleep(Duration::from_millis(3_200)).await;
    assert_eq!(with_key(&app, &known).await.status(), 200, "one that was good goes on");
    assert_eq!(ask(&app, "merchant", "{ viewer { kind } }").await.status(), 200, "so does a token");
    let twin = TestApp::new().await;
    for _ in 0..5 {
        assert_eq!(with_key(&twin, &made_up()).await.status(), 401, "with a limit that is high enough");
    }
}

#[tokio::test]
async fn logging_out_is_no_way_to_guess_sessions() {
    let app = suspicious().await;
    let log_out = async |sid: &str| {
        let request = app.client.delete(app.url("/v1/session")).header("graphql-require-preflight", "1");
        let request = request.header("content-type", "application/json");
        request.header("cookie", format!("sid={sid}")).send().await.unwrap()
    };
    for number in 0..3 {
        assert_eq!(log_out(&format!("guess{number}")).await.status(), 204, "what is not there is forgotten");
    }
    assert_eq!(log_out("guess3").await.status(), 429);
    let own = app.cookie.split_once('=').unwrap().1;
    assert_eq!(log_out(own).await.status(), 429, "a session that was never good here is not looked up");
}

#[tokio::test]
async fn logging_out_says_what_is_left_like_every_answer() {
    let app = TestApp::new().await;
    let request = app.client.delete(app.url("/v1/session")).header("graphql-require-preflight", "1");
    let request = request.header("content-type", "application/json");
    let answer = request.header("cookie", &app.cookie).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), number(&answer, "ratelimit-remaining")), (204, 49_999));
}

/// Documents that are refused, each at another stage, and none of them twice.
fn refused_documents(number: usize) -> [(String, &'static str); 5] {
    let deep = format!("{{ a{number}: viewer {}", "{ kind".repeat(60));
    let costly = format!(
        "{{ a{number}: invoices(first: 100) {{ nodes {{ customer {{ invoices(first: 100) {{ nodes {{ payUrl }} }} }} }} }} }}"
    );
    [
        (deep, "QUERY_TOO_DEEP"),
        (costly, "QUERY_TOO_COMPLEX"),
        (format!("{{ a{number}: viewer {{ kind }} }} }}"), "GRAPHQL_PARSE_FAILED"),
        (format!("{{ a{number}: nothing }}"), "GRAPHQL_VALIDATION_FAILED"),
        (format!("query A{number} {{ viewer {{ kind }} }} query B {{ viewer {{ kind }} }}"), "OPERATION_NOT_RESOLVED"),
    ]
}

#[tokio::test]
async fn every_answer_to_a_caller_says_what_is_left_and_every_refusal_costs_a_point() {
    let app = TestApp::with_rates(rates(50)).await;
    let mut left = number(&ask(&app, "merchant", "{ viewer { kind } }").await, "ratelimit-remaining");
    assert_eq!(left, 499_999);
    for round in 0..3 {
        for (document, code) in refused_documents(round) {
            let refused = ask(&app, "merchant", &document).await;
            left -= 1;
            assert_eq!(number(&refused, "ratelimit-remaining"), left, "{document}");
            assert_eq!(refused.headers()["x-ratelimit-limit"], "500000");
            let body = body(refused).await;
            assert_eq!(body["errors"][0]["extensions"]["code"], json!(code), "{document}: {body}");
        }
    }
    // Whatever is wrong with a request of somebody who is known.
    let bare = || app.client.post(app.url("/graphql")).bearer_auth(app.token("merchant"));
    for (request, status) in [
        (bare().header("content-type", "text/plain").body("{}"), 415),
        (bare().header("content-type", "application/json").body("{"), 400),
        (bare().header("accept", "text/html").json(&json!({ "query": "{ viewer { kind } }" })), 406),
        (bare().header("content-type", "application/json").body(" ".repeat(300_000)), 413),
        (app.client.put(app.url("/graphql")).bearer_auth(app.token("merchant")), 405),
        (app.client.get(app.url("/v1/billing/invoices/inv_x/pay-url")).bearer_auth(app.token("merchant")), 404),
        (app.client.get(app.url("/v1/billing/invoices/%ff/pay-url")).bearer_auth(app.token("merchant")), 404),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
        let now = number(&answer, "ratelimit-remaining");
        assert!(now < left, "{status}: {now} of {left}");
        left = now;
    }
    let stranger = app.client.post(app.url("/graphql")).json(&json!({ "query": "{ viewer { kind } }" })).send().await;
    assert!(!stranger.unwrap().headers().contains_key("ratelimit-remaining"), "nobody has nothing");
}

#[tokio::test]
async fn who_has_nothing_left_is_told_so_whatever_the_document() {
    let app = TestApp::with_rates(rates(1)).await;
    for question in [
        "{ a: invoices(first: 90) { nodes { number customer { name } } } }",
        "{ b: invoices { nodes { number } } }",
        "{ viewer { kind } }",
    ] {
        while ask(&app, "customer", question).await.status() == 200 {}
    }
    for (document, _) in refused_documents(0).into_iter().take(4) {
        // The executor finds out only what is asked; all others are stopped before it.
        let refused = ask(&app, "customer", &document).await;
        assert_eq!(refused.status(), 429, "{document}");
        assert_eq!(number(&refused, "ratelimit-remaining"), 0);
        assert!(number(&refused, "retry-after") >= 1);
    }
}

#[tokio::test]
async fn keys_of_one_name_are_two_and_none_is_a_token_s_user() {
    let app = TestApp::with_rates(rates(50)).await;
    let expires = Clock::system().now().utc() + TimeDelta::days(1);
    let issue = "mutation M($at: DateTime!) { issueApiKey(input: { name: \"partner\", scopes: [\"invoices:read\"], \
        expiresAt: $at }) { secret } }";
    let issued = async || {
        let issued = app.ask(&app.token("merchant"), issue, json!({ "at": expires })).await;
        issued["data"]["issueApiKey"]["secret"].as_str().unwrap().to_owned()
    };
    let (one, other) = (issued().await, issued().await);
    for _ in 0..10 {
        with_key(&app, &one).await;
    }
    assert_eq!(number(&with_key(&app, &one).await, "ratelimit-remaining"), 500_000 - 11);
    assert_eq!(number(&with_key(&app, &other).await, "ratelimit-remaining"), 500_000 - 1, "the other of that name");
    let token = ask(&app, "partner", "{ viewer { kind } }").await;
    assert_eq!(number(&token, "ratelimit-remaining"), 500_000 - 1, "a user of that name");
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
