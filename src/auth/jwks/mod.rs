//! Tokens of an identity provider, verified with the keys it publishes.
//!
//! The keys are read when the program starts and every few minutes after that. A token that names another key makes
//! them be read once more, at most every half minute and by one request for all that wait. What cannot be read leaves
//! the keys as they were; for a day, then they are not believed any more. `jku`, `x5u`, `jwk` and `x5c` in the header of a
//! token are never looked at.

mod fetch;
mod set;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

pub use fetch::{BadJwksUrl, JwksUrl};

use self::fetch::{FetchError, Fetcher};
use self::set::{BadSet, KeySet};
use super::claims::{self, Expected};
use super::error::{AuthError, AuthFailure};
use super::token::Token;
use crate::domain::viewer::Viewer;
use crate::stats::AuthStats;

/// What a token of a provider must say that it is (RFC 9068), so that an ID token is never taken for one.
const TYPES: [&str; 2] = ["at+jwt", "application/at+jwt"];

/// Algorithms of keys that providers publish.
const ALGORITHMS: [&str; 3] = ["RS256", "ES256", "EdDSA"];

/// When keys are read.
#[derive(Clone, Copy, Debug)]
pub struct JwksTimes {
    /// While all is well.
    pub refresh: Duration,
    /// After a failure, and at most so often because of tokens that name unknown keys.
    pub retry: Duration,
    /// How long keys are believed that could not be read again.
    pub believed: Duration,
    /// How long a provider may take to answer.
    pub timeout: Duration,
}

impl Default for JwksTimes {
    fn default() -> Self {
        Self {
            refresh: Duration::from_mins(5),
            retry: Duration::from_secs(30),
            believed: Duration::from_hours(24),
            timeout: Duration::from_secs(3),
        }
    }
}

/// What tokens of a provider must say.
#[derive(Clone, Debug)]
pub struct JwksParties {
    /// `iss` must be this.
    pub issuer: String,
    /// `aud` must be or contain this.
    pub audience: String,
}

/// No client for HTTPS can be made, for example because this system has no certificates.
#[derive(Debug, thiserror::Error)]
#[error("keys of the identity provider cannot be read")]
pub struct JwksClientError(#[source] reqwest::Error);

/// The keys of a provider. Share it: it is one for all requests.
pub struct Jwks {
    fetcher: Arc<Fetcher>,
    parties: JwksParties,
    times: JwksTimes,
    known: RwLock<Option<Known>>,
    /// Counts sets that differ from the one before.
    version: AtomicU64,
    stats: AuthStats,
    /// Held while keys are read.
    reading: Mutex<Option<Attempt>>,
}

/// The last time that keys were read, or could not be.
struct Attempt {
    begun_at: Instant,
    ended_at: Instant,
}

struct Known {
    set: Arc<KeySet>,
    read_at: Instant,
}

impl std::fmt::Debug for Jwks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jwks").field("parties", &self.parties).finish_non_exhaustive()
    }
}

impl Jwks {
    /// Keys of the provider at that address; none are read yet.
    ///
    /// # Errors
    /// [`JwksClientError`].
    pub fn new(url: JwksUrl, parties: JwksParties, times: JwksTimes) -> Result<Self, JwksClientError> {
        Ok(Self {
            fetcher: Arc::new(Fetcher::new(url, times.timeout).map_err(JwksClientError)?),
            parties,
            times,
            known: RwLock::default(),
            version: AtomicU64::new(0),
            stats: AuthStats::default(),
            reading: Mutex::default(),
        })
    }

    /// What is counted of them, and of all credentials beside them.
    pub(super) const fn stats(&self) -> &AuthStats {
        &self.stats
    }

    /// Keeps the keys current, for ever.
    pub async fn keep(self: Arc<Self>) {
        loop {
            let read = self.read_now().await;
            tokio::time::sleep(if read { self.times.refresh } else { self.times.retry }).await;
        }
    }

    /// Whether there are keys to verify tokens with.
    pub fn has_keys(&self) -> bool {
        self.set().is_some()
    }

    /// Which set of keys tokens are verified with now; none while there is none that is believed. What was verified with
    /// another one is to be verified again.
    pub(super) fn version(&self) -> Option<u64> {
        self.has_keys().then(|| self.version.load(Ordering::Acquire))
    }

    /// Whether a token names an algorithm that a provider's key may have.
    pub(super) fn is_for(token: &Token<'_>) -> bool {
        ALGORITHMS.iter().any(|name| token.names(name))
    }

    /// The caller behind a token.
    ///
    /// # Errors
    /// [`AuthFailure::Refused`]; [`AuthFailure::Provider`] while no keys are known.
    pub(super) async fn verify(
        self: &Arc<Self>,
        token: &Token<'_>,
        now: entity::Instant,
    ) -> Result<Viewer, AuthFailure> {
        token.check_header(&TYPES, true)?;
        let kid = token.kid().ok_or(AuthError::NoKeyNamed)?;
        let set = match self.set().filter(|set| set.get(kid).is_some()) {
            Some(set) => set,
            None => self.set_with(kid).await?,
        };
        let key = set.get(kid).ok_or(AuthError::KeyUnknown)?;
        if !token.names(key.name) {
            return Err(AuthError::Algorithm.into());
        }
        let claims = token.claims(&key.decoding, key.algorithm)?;
        let JwksParties { issuer, audience } = &self.parties;
        Ok(claims::read(&claims, Expected { issuer, audience, now }).map_err(AuthError::from)?)
    }

    /// The keys, unless they are too old to be believed.
    fn set(&self) -> Option<Arc<KeySet>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|known| known.read_at.elapsed() < self.times.believed).map(|known| Arc::clone(&known.set))
    }

    /// The keys, read once more for a name that they do not have. It goes on when the request that asked is gone.
    async fn set_with(self: &Arc<Self>, kid: &str) -> Result<Arc<KeySet>, AuthFailure> {
        let this = Arc::clone(self);
        let read = tokio::spawn(async move { this.read_again().await }).await;
        if let Err(error) = read {
            tracing::error!(%error, "the keys of the identity provider were not read");
        }
        match self.set() {
            None => Err(AuthFailure::Provider),
            Some(set) if set.get(kid).is_some() => Ok(set),
            Some(_) => Err(AuthError::KeyUnknown.into()),
        }
    }

    /// Reads the keys unless that was tried a moment ago. Whoever comes meanwhile waits for that, and reads no more.
    async fn read_again(&self) {
        let asked_at = Instant::now();
        let mut last = self.reading.lock().await;
        let lately = |last: &Attempt| last.ended_at >= asked_at || last.begun_at.elapsed() < self.times.retry;
        if !last.as_ref().is_some_and(lately) {
            self.read(&mut last).await;
        }
    }

    async fn read_now(&self) -> bool {
        let mut last = self.reading.lock().await;
        self.read(&mut last).await
    }

    /// Reads the keys, and tells whether they could be.
    async fn read(&self, last: &mut Option<Attempt>) -> bool {
        let begun_at = Instant::now();
        let fetched = self.fetched().await;
        *last = Some(Attempt { begun_at, ended_at: Instant::now() });
        self.stats.fetched(fetched.as_ref().map_or_else(ReadError::word, |_set| "ok"));
        match fetched {
            Ok(set) => {
                self.take(Arc::new(set), begun_at);
                true
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the keys of the identity provider stay as they are");
                false
            }
        }
    }

    async fn fetched(&self) -> Result<KeySet, ReadError> {
        Ok(KeySet::read(self.fetcher.fetch().await?)?)
    }

    fn take(&self, set: Arc<KeySet>, read_at: Instant) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let same = known.as_ref().is_some_and(|known| known.set.bytes == set.bytes);
        if !same {
            tracing::info!(keys = set.len(), "the identity provider has new keys");
        }
        *known = Some(Known { set, read_at });
        if !same {
            self.version.fetch_add(1, Ordering::Release);
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error("no key set came")]
    Fetch(#[from] FetchError),
    #[error("what came cannot be used")]
    Bad(#[from] BadSet),
}

impl ReadError {
    /// How the attempt ended, as a word for whoever counts.
    const fn word(&self) -> &'static str {
        match self {
            Self::Fetch(FetchError::NoAnswer(_)) => "no_answer",
            Self::Fetch(FetchError::Status(_)) => "status",
            Self::Fetch(FetchError::TooLarge) => "too_large",
            Self::Bad(_) => "unusable",
        }
    }
}
