//! Rate limits that replicas share through Redis.

use std::time::{Duration, Instant};

use billing_gateway::domain::rate::Bucket;
use billing_gateway::rate::{Limiter, Owner, Refused, WithoutShared};

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
