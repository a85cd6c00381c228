//! Buckets in a Redis or Valkey server that every replica asks.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisError, Script};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::{Owner, emptiest, longest, micros};
use crate::domain::rate::{Bucket, Exhausted, Level};
use crate::stats::{RateStats, SharedCall};

/// How long a request waits for the shared buckets: several round trips within a data centre.
const TIMEOUT: Duration = Duration::from_millis(100);

/// For how long nobody asks again after it went wrong, so that not every request waits.
const PAUSE: Duration = Duration::from_secs(1);

/// What [`Bucket::take`] does, for several buckets at once and by the server's own clock.
///
/// `KEYS`: the buckets. `ARGV`: for each, the microseconds from empty to full and those the points take. Gives, for
/// each, 1 or 0 (there were enough points) and the microseconds until it is full, before anything was taken.
const TAKE: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local answer, all = {}, true
for i, key in ipairs(KEYS) do
  local owed = math.max((tonumber(redis.call('GET', key)) or now) - now, 0)
  local enough = owed + ARGV[2 * i] <= tonumber(ARGV[2 * i - 1])
  all = all and enough
  answer[2 * i - 1] = enough and 1 or 0
  answer[2 * i] = owed
end
if all then
  for i, key in ipairs(KEYS) do
    local owed = answer[2 * i] + ARGV[2 * i]
    if owed > 0 then
      redis.call('SET', key, string.format('%.0f', now + owed), 'PX', math.ceil(owed / 1000))
    end
  end
end
return answer
";

/// Where the shared buckets are. It may hold a password.
#[derive(Clone)]
pub struct SharedUrl(SecretString);

impl fmt::Debug for SharedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedUrl")
    }
}

/// Why an address cannot be used. It is not repeated: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no address such as redis://HOST:6379 or rediss://USER:PASSWORD@HOST:6379")]
pub struct SharedUrlError;

impl FromStr for SharedUrl {
    type Err = SharedUrlError;

    fn from_str(url: &str) -> Result<Self, SharedUrlError> {
        match Client::open(url) {
            Ok(_client) => Ok(Self(SecretString::from(url))),
            Err(_unreadable) => Err(SharedUrlError),
        }
    }
}

/// A connection that heals itself, and the script.
pub(super) struct Shared {
    url: SecretString,
    connection: OnceCell<ConnectionManager>,
    take: Script,
    start: Instant,
    /// Until when nobody asks, in microseconds since the start.
    paused_until: AtomicU64,
    stats: RateStats,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("connected", &self.connection.initialized()).finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn new(url: &SharedUrl, stats: &RateStats) -> Self {
        Self {
            url: url.0.clone(),
            connection: OnceCell::new(),
            take: Script::new(TAKE),
            start: Instant::now(),
            paused_until: AtomicU64::new(0),
            stats: stats.clone(),
        }
    }

    /// The verdict, or none when the server cannot be asked.
    pub(super) async fn take(
        &self,
        buckets: &[(Owner, Bucket)],
        points: u64,
    ) -> Option<Result<Option<Level>, Exhausted>> {
        let now = micros(self.start.elapsed());
        if now < self.paused_until.load(Ordering::Relaxed) {
            self.stats.called(SharedCall::Skipped, Duration::ZERO);
            return None;
        }
        let begun = Instant::now();
        let asked = timeout(TIMEOUT, self.ask(buckets, points)).await;
        let outcome = match &asked {
            Ok(Ok(_)) => SharedCall::Ok,
            Ok(Err(_)) => SharedCall::Failed,
            Err(_elapsed) => SharedCall::Timeout,
        };
        self.stats.called(outcome, begun.elapsed());
        match asked {
            Ok(Ok(answer)) => return Some(verdict(buckets, points, &answer)),
            Ok(Err(error)) => tracing::warn!(reason = error.category(), "the shared rate limits cannot be asked"),
            Err(_elapsed) => tracing::warn!(reason = "no answer in time", "the shared rate limits cannot be asked"),
        }
        self.paused_until.store(now.saturating_add(micros(PAUSE)), Ordering::Relaxed);
        None
    }

    /// Whether the server answers.
    pub(super) async fn reachable(&self) -> bool {
        matches!(timeout(TIMEOUT, self.ask(&[], 0)).await, Ok(Ok(_)))
    }

    async fn ask(&self, buckets: &[(Owner, Bucket)], points: u64) -> Result<Vec<u64>, RedisError> {
        let mut connection = self.connection.get_or_try_init(|| self.connect()).await?.clone();
        let mut call = self.take.prepare_invoke();
        for (owner, bucket) in buckets {
            call.key(owner.key()).arg(bucket.refill_micros()).arg(bucket.micros_of(points));
        }
        call.invoke_async(&mut connection).await
    }

    async fn connect(&self) -> Result<ConnectionManager, RedisError> {
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(TIMEOUT));
        Client::open(self.url.expose_secret())?.get_connection_manager_with_config(config).await
    }
}

/// What the script's answer means; buckets of which it says nothing have given.
fn verdict(buckets: &[(Owner, Bucket)], points: u64, answer: &[u64]) -> Result<Option<Level>, Exhausted> {
    let told = || {
        buckets.iter().zip(answer.chunks_exact(2)).filter_map(|((_, bucket), told)| match told {
            [enough, owed] => Some((*bucket, *enough == 1, *owed)),
            _ => None,
        })
    };
    let empty = told().filter(|(_, enough, _)| !enough);
    let refused = empty.filter_map(|(bucket, _, owed)| bucket.take(Some(owed), 0, points).err());
    if let Some(exhausted) = longest(refused) {
        return Err(exhausted);
    }
    Ok(emptiest(told().map(|(bucket, _, owed)| bucket.level(owed.saturating_add(bucket.micros_of(points))))))
}
