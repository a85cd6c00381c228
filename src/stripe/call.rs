//! How Stripe is called.
//!
//! A call waits for a place in the bulkhead, then for a token of its endpoint, then for the answer, all of it before
//! its deadline. It is repeated at most once, and only where that can help and the time allows.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, InvalidHeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep, timeout_at};
use url::Url;

use super::STRIPE_VERSION;
use super::breaker::{Breaker, Open, Outcome, Pass};
use super::config::{StripeConfig, StripeConfigError, StripeLimits};
use super::deadline::Deadline;
use super::error::{Endpoint, StripeError, StripeErrorKind as Kind};
use super::json::without_nul;
use super::limits::TokenBucket;
use crate::stats::{Refused, StripeStats};

/// The largest answer that is read, in bytes.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// The same for lists: a hundred invoices, each with its first ten lines, can be more than two megabytes.
const LIST_BYTES_MAX: usize = 4 * BODY_BYTES_MAX;

/// What must be left of the time for a second attempt, and what a first one must have had to say anything.
const WORTH_TRYING: Duration = Duration::from_millis(300);

/// The longest pause before a second attempt, in milliseconds.
const PAUSE_MS_MAX: u64 = 100;

/// How long an endpoint is left alone after it refused a call as one too many, when Stripe does not say.
const DRAIN: Duration = Duration::from_secs(1);

/// The longest that it is left alone.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// How long an unused connection is kept.
const IDLE: Duration = Duration::from_mins(1);

/// The longest id of a request that is kept, in bytes.
const REQUEST_ID_MAX: usize = 100;

/// What Stripe calls this program.
const USER_AGENT: &str = concat!("billing-gateway/", env!("CARGO_PKG_VERSION"));

/// Calls Stripe for one account.
pub(super) struct Caller {
    http: Client,
    limits: StripeLimits,
    permits: Semaphore,
    breaker: Breaker,
    buckets: Buckets,
    stats: StripeStats,
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller").field("is_open", &self.is_open()).finish_non_exhaustive()
    }
}

impl Caller {
    /// A caller with the key and the account of `config`.
    ///
    /// # Errors
    /// [`StripeConfigError`] when the library for HTTPS cannot be set up.
    pub(super) fn new(config: &StripeConfig) -> Result<Self, StripeConfigError> {
        let http = Client::builder()
            .default_headers(headers(config).map_err(|_invalid| StripeConfigError::Key)?)
            .user_agent(USER_AGENT)
            // The key must not follow a redirection, and no proxy shall see it.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            // Repeating is decided here, where the deadline is known.
            .retry(reqwest::retry::never())
            .https_only(config.base.is_https())
            .connect_timeout(config.limits.connect_timeout)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(config.limits.in_flight);
        for endpoint in Endpoint::ALL {
            config.stats.may_call(endpoint.name());
        }
        // Certificates of the system are read only where they are needed.
        let http = if config.base.is_https() { http } else { http.tls_certs_only(std::iter::empty()) };
        Ok(Self {
            http: http.build().map_err(StripeConfigError::Http)?,
            permits: Semaphore::new(config.limits.in_flight),
            breaker: Breaker::new(),
            buckets: Buckets::new(&config.limits),
            limits: config.limits.clone(),
            stats: config.stats.clone(),
        })
    }

    /// Whether calls fail at once for now.
    pub(super) fn is_open(&self) -> bool {
        self.breaker.is_open()
    }

    /// Asks once, and a second time where that can help. What comes is checked, or it is said why it is of no use.
    pub(super) async fn get<W: DeserializeOwned, T>(
        &self,
        endpoint: Endpoint,
        url: Url,
        deadline: Deadline,
        check: impl FnOnce(W) -> Result<T, &'static str>,
    ) -> Result<T, StripeError> {
        let mut attempt = self.attempt(endpoint, url.clone(), deadline).await;
        if attempt.as_ref().is_err_and(|failed| failed.repeat) && deadline.remaining() >= WORTH_TRYING {
            sleep(jitter()).await;
            attempt = self.attempt(endpoint, url, deadline).await;
        }
        let answer = attempt.map_err(|failed| failed.error)?;
        // What serde says may quote the answer, and with it a link.
        let wire = serde_json::from_slice(&without_nul(&answer.body))
            .map_err(|_quoting| "it is not the JSON that is documented");
        wire.and_then(check).map_err(|why| {
            StripeError::new(Kind::BadResponse(why)).at(endpoint).with_request_id(answer.request_id.as_ref())
        })
    }

    async fn attempt(&self, endpoint: Endpoint, url: Url, deadline: Deadline) -> Result<Answer, Failed> {
        let (_permit, pass) = self.enter(endpoint, deadline).await.map_err(Failed::for_good)?;
        let begun = Instant::now();
        let end = deadline.instant().min(begun + self.limits.timeout(endpoint));
        let exchanged = timeout_at(end, self.exchange(endpoint, url)).await;
        let (result, outcome) = match exchanged {
            Ok(Ok(answer)) => self.judge(endpoint, answer),
            Ok(Err(error)) => (Err(Failed::broken(error)), Outcome::Down),
            Err(_elapsed) => {
                let fair = begun.elapsed() >= WORTH_TRYING;
                let outcome = if fair { Outcome::Down } else { Outcome::Uncounted };
                (Err(Failed::for_good(StripeError::new(Kind::Timeout))), outcome)
            }
        };
        pass.settle(outcome, Instant::now());
        let result = result.map_err(|failed| Failed { error: failed.error.at(endpoint), ..failed });
        self.note(endpoint, begun.elapsed(), &result);
        result
    }

    /// Waits for a turn: a place in the bulkhead, a token, and a breaker that lets through.
    async fn enter(
        &self,
        endpoint: Endpoint,
        deadline: Deadline,
    ) -> Result<(SemaphorePermit<'_>, Pass<'_>), StripeError> {
        let open = |open: Open| {
            self.stats.refused(endpoint.name(), Refused::Breaker);
            StripeError::new(Kind::Unavailable { retry_after: Some(open.retry_after) }).at(endpoint)
        };
        let begun = Instant::now();
        self.breaker.check(Instant::now()).map_err(open)?;
        // The semaphore is never closed, so an error here means the same as no turn.
        let Ok(Ok(permit)) = timeout_at(deadline.instant(), self.permits.acquire()).await else {
            self.stats.refused(endpoint.name(), Refused::Bulkhead);
            return Err(StripeError::new(Kind::Timeout).at(endpoint));
        };
        if deadline.remaining().is_zero() {
            self.stats.refused(endpoint.name(), Refused::Bulkhead);
            return Err(StripeError::new(Kind::Timeout).at(endpoint));
        }
        self.buckets.of(endpoint).take(deadline).await.map_err(|exhausted| {
            self.stats.refused(endpoint.name(), Refused::Rate);
            StripeError::new(Kind::RateLimited { retry_after: exhausted.retry_after }).at(endpoint)
        })?;
        // It may have opened while this call waited.
        let pass = self.breaker.admit(Instant::now()).map_err(open)?;
        self.stats.waited(endpoint.name(), begun.elapsed());
        Ok((permit, pass))
    }

    fn note(&self, endpoint: Endpoint, time: Duration, result: &Result<Answer, Failed>) {
        let outcome = result.as_ref().map_or_else(|failed| failed.error.kind().word(), |_answer| "ok");
        self.stats.called(endpoint.name(), outcome, time);
        note(endpoint, time, result);
    }

    async fn exchange(&self, endpoint: Endpoint, url: Url) -> Result<Answer, reqwest::Error> {
        let response = self.http.get(url).send().await?;
        let mut answer = Answer::of(&response);
        let bytes_max = if endpoint.is_list() { LIST_BYTES_MAX } else { BODY_BYTES_MAX };
        let read = answer.read_body(response, bytes_max).await;
        if answer.status == StatusCode::OK {
            read?;
        } else {
            // It was read so that the connection can be used again. What it says is never kept.
            answer.body.clear();
        }
        Ok(answer)
    }

    /// What an answer means, for the caller and for the breaker.
    fn judge(&self, endpoint: Endpoint, answer: Answer) -> (Result<Answer, Failed>, Outcome) {
        let (kind, repeat, outcome) = match answer.status {
            StatusCode::OK if answer.too_large => (Kind::BadResponse("it is too large"), false, Outcome::Up),
            StatusCode::OK => return (Ok(answer), Outcome::Up),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => (Kind::Auth, false, Outcome::Up),
            StatusCode::NOT_FOUND => (Kind::NotFound, false, Outcome::Up),
            StatusCode::TOO_MANY_REQUESTS => {
                let retry_after = answer.retry_after.unwrap_or(DRAIN).min(DRAIN_MAX);
                self.buckets.drain(endpoint, answer.limit_hit, retry_after);
                (Kind::RateLimited { retry_after }, false, Outcome::Uncounted)
            }
            StatusCode::CONFLICT => (Kind::Unavailable { retry_after: None }, answer.may_repeat, Outcome::Up),
            status if status.is_server_error() => {
                let retry_after = answer.retry_after.map(|time| time.min(DRAIN_MAX));
                (Kind::Unavailable { retry_after }, answer.may_repeat, Outcome::Down)
            }
            status if status.is_redirection() => (Kind::BadResponse("it is a redirection"), false, Outcome::Up),
            _ => (Kind::BadResponse("it refuses the request"), false, Outcome::Up),
        };
        let error = StripeError::new(kind).with_request_id(answer.request_id.as_ref());
        (Err(Failed { error, repeat }), outcome)
    }
}

struct Buckets {
    invoice: TokenBucket,
    invoices: TokenBucket,
    invoice_payments: TokenBucket,
    charge: TokenBucket,
    events: TokenBucket,
}

impl Buckets {
    fn new(limits: &StripeLimits) -> Self {
        let now = Instant::now();
        let bucket = || TokenBucket::new(limits.rate_per_second, limits.replicas, now);
        Self { invoice: bucket(), invoices: bucket(), invoice_payments: bucket(), charge: bucket(), events: bucket() }
    }

    /// Leaves what is exhausted alone for a time.
    fn drain(&self, endpoint: Endpoint, hit: LimitHit, time: Duration) {
        let now = Instant::now();
        match hit {
            LimitHit::Account => Endpoint::ALL.into_iter().for_each(|endpoint| self.of(endpoint).drain(now, time)),
            LimitHit::Endpoint => self.of(endpoint).drain(now, time),
            LimitHit::Object => {}
        }
    }

    const fn of(&self, endpoint: Endpoint) -> &TokenBucket {
        match endpoint {
            Endpoint::Invoice => &self.invoice,
            Endpoint::Invoices => &self.invoices,
            Endpoint::InvoicePayments => &self.invoice_payments,
            Endpoint::Charge => &self.charge,
            Endpoint::Events => &self.events,
        }
    }
}

/// Which limit a call ran into.
#[derive(Clone, Copy)]
enum LimitHit {
    /// That of the account.
    Account,
    /// That of the endpoint; also where Stripe does not say.
    Endpoint,
    /// One object is in use. It says nothing about others.
    Object,
}

impl LimitHit {
    fn of(reason: Option<&str>) -> Self {
        match reason {
            Some("global-rate" | "global-concurrency") => Self::Account,
            Some("resource-specific") => Self::Object,
            _ => Self::Endpoint,
        }
    }
}

fn headers(config: &StripeConfig) -> Result<HeaderMap, InvalidHeaderValue> {
    let mut headers = HeaderMap::new();
    let mut key = HeaderValue::from_str(&format!("Bearer {}", config.key.expose()))?;
    key.set_sensitive(true);
    headers.insert(AUTHORIZATION, key);
    headers.insert("stripe-version", HeaderValue::from_static(STRIPE_VERSION));
    if let Some(account) = &config.account {
        headers.insert("stripe-account", HeaderValue::from_str(account.as_str())?);
    }
    Ok(headers)
}

/// What is kept of an answer.
struct Answer {
    status: StatusCode,
    request_id: Option<Arc<str>>,
    retry_after: Option<Duration>,
    /// Unless Stripe says that it is of no use.
    may_repeat: bool,
    /// What was too much, of an answer that says so.
    limit_hit: LimitHit,
    too_large: bool,
    /// Only of answers with status 200.
    body: Vec<u8>,
}

impl Answer {
    fn of(response: &Response) -> Self {
        let text = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let id = text("request-id").filter(|id| id.len() <= REQUEST_ID_MAX && id.bytes().all(plain));
        let retry_after = text(RETRY_AFTER.as_str()).and_then(|seconds| seconds.parse().ok());
        Self {
            status: response.status(),
            request_id: id.map(Arc::from),
            retry_after: retry_after.map(Duration::from_secs),
            may_repeat: text("stripe-should-retry") != Some("false"),
            limit_hit: LimitHit::of(text("stripe-rate-limited-reason")),
            too_large: false,
            body: Vec::new(),
        }
    }

    async fn read_body(&mut self, mut response: Response, bytes_max: usize) -> Result<(), reqwest::Error> {
        while let Some(chunk) = response.chunk().await? {
            if self.body.len().saturating_add(chunk.len()) > bytes_max {
                self.too_large = true;
                return Ok(());
            }
            self.body.extend_from_slice(&chunk);
        }
        Ok(())
    }
}

/// An attempt that failed.
struct Failed {
    error: StripeError,
    /// Whether a second attempt can help.
    repeat: bool,
}

impl Failed {
    const fn for_good(error: StripeError) -> Self {
        Self { error, repeat: false }
    }

    /// There was no connection, or it broke.
    fn broken(error: reqwest::Error) -> Self {
        Self { error: StripeError::new(Kind::Unavailable { retry_after: None }).because(error), repeat: true }
    }
}

fn note(endpoint: Endpoint, time: Duration, result: &Result<Answer, Failed>) {
    let duration_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let endpoint = endpoint.name();
    match result {
        Ok(answer) => {
            tracing::debug!(endpoint, duration_ms, request_id = answer.request_id.as_deref(), "Stripe answered");
        }
        Err(failed) => {
            let error = &failed.error;
            tracing::debug!(endpoint, duration_ms, request_id = error.request_id(), %error, "a call to Stripe failed");
        }
    }
}

/// A random part of the longest pause, so that callers who failed together do not come back together.
fn jitter() -> Duration {
    Duration::from_millis(RandomState::new().hash_one(PAUSE_MS_MAX) % (PAUSE_MS_MAX + 1))
}
