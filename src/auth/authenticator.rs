//! Who asks: a credential in, a [`Viewer`] out.
//!
//! Tokens are verified by their signature and asked of the revoked ones; keys and sessions are looked up. All of it is
//! kept for seconds only (`lookup.rs`), and how much is bounded. A credential that cannot be looked up is not refused: who
//! presents it hears that the store is not there. Which keys and sessions were good lately is remembered for longer, so
//! that those who guess can be told from them before anything is looked up.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use entity::{Instant, browser_session, credential};
use moka::future::Cache;
use sha2::{Digest, Sha256};

use super::claims::{ClaimError, LEEWAY_SECONDS};
use super::error::{AuthError, AuthFailure};
use super::jwks::Jwks;
use super::jwt::{ALGORITHM_NAME, JwtKeys};
use super::lookup::Lookup;
use super::revoked::{Revoked, TokenName};
use super::token::Token;
use super::usage::{Usage, UsageWriter, Used};
use crate::domain::api_key::{self, KeyText};
use crate::domain::browser_session::{SessionPolicy, is_live};
use crate::domain::clock::Clock;
use crate::domain::secret;
use crate::domain::viewer::{PrincipalKind, ScopeSet, Viewer};
use crate::stats::AuthStats;
use crate::store::tenant::System;
use crate::store::{self, Reader, Store};

/// Verified tokens that are remembered at the same time.
const VERIFIED_MAX: u64 = 10_000;

/// How long one is remembered at most; less when it ends before.
const VERIFIED_KEPT: Duration = Duration::from_mins(10);

/// Keys and sessions that are remembered to have been good. Only good ones are, so no guesses push them out.
const PROVEN_MAX: u64 = 100_000;

/// How long they are.
const PROVEN_KEPT: Duration = Duration::from_hours(1);

/// The longest text in a cookie that can be one of ours, in bytes.
const SID_BYTES_MAX: usize = 128;

/// What a request brings to prove who asks.
#[derive(Clone, Copy)]
pub enum Credential<'a> {
    /// A token, or an API key in the place of one.
    Bearer(&'a str),
    /// An API key.
    Key(&'a str),
    /// The API key of an application, and the token of its user.
    Application {
        /// The application's key.
        key: &'a str,
        /// The user's token.
        token: &'a str,
    },
    /// What the cookie of a session holds.
    Session(&'a str),
}

impl Credential<'_> {
    /// What it is, for whoever counts.
    fn kind(&self) -> &'static str {
        match self {
            Self::Bearer(text) if text.starts_with(api_key::PREFIX) => "key",
            Self::Bearer(_) => "token",
            Self::Key(_) => "key",
            Self::Application { .. } => "application",
            Self::Session(_) => "session",
        }
    }
}

/// What credentials are checked with. Made once, by `app`.
pub struct AuthConfig {
    /// The key of tokens that are signed with a shared secret.
    pub tokens: Option<JwtKeys>,
    /// The keys of an identity provider.
    pub jwks: Option<Arc<Jwks>>,
    /// Where keys and sessions are.
    pub store: Store,
    /// The right to look them up.
    pub system: System,
    /// The credential clock.
    pub clock: Clock,
    /// How long sessions last.
    pub sessions: SessionPolicy,
}

/// Tells who asks. One for all requests.
pub struct Authenticator {
    config: AuthConfig,
    reader: Reader,
    verified: Cache<[u8; 32], Arc<Verified>>,
    revoked: Revoked,
    keys: Lookup<Option<Arc<credential::Model>>>,
    sessions: Lookup<Option<Arc<browser_session::Model>>>,
    /// Keys and sessions that were good lately, by their digests.
    proven: Cache<[u8; 32], ()>,
    usage: Usage,
    stats: AuthStats,
}

/// A token whose signature and claims were found good.
struct Verified {
    viewer: Viewer,
    /// What it may be found by among the revoked ones.
    name: TokenName,
    /// Which keys of the provider it was verified with; absent for a shared secret.
    version: Option<u64>,
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authenticator").field("jwks", &self.config.jwks).finish_non_exhaustive()
    }
}

impl Authenticator {
    /// What tells who asks, and what writes down that credentials were used, which is to be run beside it.
    pub fn new(config: AuthConfig) -> (Self, UsageWriter) {
        let (usage, writer) = Usage::new(config.store.clone(), config.system, config.clock, config.sessions);
        // Look-ups are counted apart from the statements of requests.
        let reader = config.store.reader(&config.system, &Arc::default());
        let verified = Cache::builder().max_capacity(VERIFIED_MAX).time_to_live(VERIFIED_KEPT).build();
        let proven = Cache::builder().max_capacity(PROVEN_MAX).time_to_live(PROVEN_KEPT).build();
        let stats = config.jwks.as_ref().map(|jwks| jwks.stats().clone()).unwrap_or_default();
        let (revoked, keys) = (Revoked::new(&stats), Lookup::new("key", &stats));
        let sessions = Lookup::new("session", &stats);
        (Self { config, reader, verified, revoked, keys, sessions, proven, usage, stats }, writer)
    }

    /// The credential clock's time.
    pub fn now(&self) -> Instant {
        self.config.clock.now()
    }

    /// How long sessions last.
    pub const fn session_policy(&self) -> SessionPolicy {
        self.config.sessions
    }

    /// Whether tokens of the identity provider can be verified now; nothing where there is none.
    pub fn has_provider_keys(&self) -> Option<bool> {
        self.config.jwks.as_ref().map(|jwks| jwks.has_keys())
    }

    /// What is counted of credentials.
    pub const fn stats(&self) -> &AuthStats {
        &self.stats
    }

    /// Whether the database would have to be asked for a key or a session that was not good here lately. A token is none:
    /// its signature is verified before anything is looked up. Nor is what has not the form of a key.
    pub fn is_stranger(&self, credential: Credential<'_>) -> bool {
        match credential {
            Credential::Bearer(text) if !text.starts_with(api_key::PREFIX) => false,
            Credential::Bearer(text) | Credential::Key(text) | Credential::Application { key: text, .. } => {
                KeyText::read(text).is_some() && !self.is_proven(text)
            }
            Credential::Session(sid) => is_sid(sid) && !self.is_proven(sid),
        }
    }

    fn is_proven(&self, text: &str) -> bool {
        self.proven.contains_key(&digest(text))
    }

    async fn prove(&self, text: &str) {
        if !self.is_proven(text) {
            self.proven.insert(digest(text), ()).await;
        }
    }

    /// The caller behind a credential.
    ///
    /// # Errors
    /// [`AuthFailure`]: why it is refused is for the log, not for the caller.
    pub async fn viewer(&self, credential: Credential<'_>) -> Result<Viewer, AuthFailure> {
        let kind = credential.kind();
        let found = self.behind(credential).await;
        match &found {
            Ok(_) => self.stats.accepted(kind),
            Err(AuthFailure::Refused(reason)) => self.stats.refused(kind, reason.word()),
            Err(failure) => self.stats.unknown(kind, failure.word().unwrap_or_default()),
        }
        found
    }

    async fn behind(&self, credential: Credential<'_>) -> Result<Viewer, AuthFailure> {
        match credential {
            Credential::Bearer(text) if text.starts_with(api_key::PREFIX) => self.of_key(text).await,
            Credential::Bearer(text) => self.of_token(text).await,
            Credential::Key(text) => self.of_key(text).await,
            Credential::Application { key, token } => {
                let application = self.of_key(key).await?;
                let user = self.of_token(token).await?;
                Ok(user.through(&application).ok_or(AuthError::Apart)?)
            }
            Credential::Session(sid) => self.of_session(sid).await,
        }
    }

    /// Forgets a session on this replica at once, where its customer logs out.
    pub async fn forget_session(&self, sid: &str) {
        self.sessions.forget(&secret::sha256(sid)).await;
    }

    async fn of_token(&self, text: &str) -> Result<Viewer, AuthFailure> {
        super::token::check_length(text)?;
        let digest = digest(text);
        let version = self.config.jwks.as_ref().and_then(|jwks| jwks.version());
        let known = self.verified.get(&digest).await;
        let holds = |known: &Arc<Verified>| known.version.is_none_or(|with| version == Some(with));
        let known = known.filter(holds);
        self.stats.looked_up("token", known.is_some());
        let verified = if let Some(known) = known {
            known
        } else {
            let verified = Arc::new(self.verify(text, version).await?);
            self.verified.insert(digest, Arc::clone(&verified)).await;
            verified
        };
        let end = verified.viewer.expires_at + TimeDelta::seconds(LEEWAY_SECONDS);
        if end <= self.now().utc() {
            return Err(AuthError::Claim(ClaimError::Expired).into());
        }
        if self.revoked.has(&self.config.system, &self.reader, &verified.name, self.now()).await? {
            return Err(AuthError::TokenRevoked.into());
        }
        Ok(verified.viewer.clone())
    }

    async fn verify(&self, text: &str, version: Option<u64>) -> Result<Verified, AuthFailure> {
        let token = Token::read(text)?;
        let now = self.now();
        // Without a set before, the one that was read for this token has another version: it is verified once more.
        let (viewer, version) = match (&self.config.tokens, &self.config.jwks) {
            (Some(keys), _) if token.names(ALGORITHM_NAME) => (keys.verify_read(&token, now)?, None),
            (_, Some(jwks)) if Jwks::is_for(&token) => {
                (jwks.verify(&token, now).await?, Some(version.unwrap_or_default()))
            }
            _ => return Err(AuthError::Algorithm.into()),
        };
        let name = (viewer.tenant().id().clone(), secret::sha256(viewer.credential().unwrap_or_default()));
        Ok(Verified { viewer, name, version })
    }

    async fn of_key(&self, text: &str) -> Result<Viewer, AuthFailure> {
        let key = KeyText::read(text).ok_or(AuthError::NotAKey)?;
        let read = async {
            let row = store::credential::find_by_handle(&self.config.system, &self.reader, key.handle).await?;
            Ok(row.map(Arc::new))
        };
        let row = self.keys.get(key.handle, read).await?;
        let row = row.filter(|row| key.has_secret(&row.secret_sha256)).ok_or(AuthError::KeyNotFound)?;
        if key.livemode != row.livemode {
            return Err(AuthError::Mode.into());
        }
        if row.revoked_at.is_some() {
            return Err(AuthError::KeyRevoked.into());
        }
        if row.expires_at <= self.now() {
            return Err(AuthError::KeyExpired.into());
        }
        self.prove(text).await;
        self.usage.note(Used::Key(row.handle.clone())).await;
        let customers = row.customer_ids.as_ref().map(|list| serde_json::from_value(list.clone()).unwrap_or_default());
        let (kind, scopes) = (PrincipalKind::from(row.kind), ScopeSet::parse(&row.scopes));
        let (subject, end, tenant) = (row.name.clone(), row.expires_at.utc(), row.tenant_id.clone());
        Ok(Viewer::new(kind, subject, scopes, end, tenant, customers).by_key(row.id.as_str()))
    }

    async fn of_session(&self, sid: &str) -> Result<Viewer, AuthFailure> {
        if !is_sid(sid) {
            return Err(AuthError::Session.into());
        }
        let digest = secret::sha256(sid);
        let read = async {
            let row = store::browser_session::find_by_digest(&self.config.system, &self.reader, &digest).await?;
            Ok(row.map(Arc::new))
        };
        let row = self.sessions.get(&digest, read).await?;
        let row = row.filter(|row| is_live(row, self.now())).ok_or(AuthError::Session)?;
        self.prove(sid).await;
        self.usage.note(Used::Session(digest, row.expires_at)).await;
        let (scopes, customers) = (ScopeSet::parse(&row.scopes), Some(vec![row.customer_id.clone()]));
        let (subject, end, tenant) = (row.subject.clone(), row.expires_at.utc(), row.tenant_id.clone());
        let viewer = Viewer::new(PrincipalKind::Customer, subject, scopes, end, tenant, customers);
        Ok(viewer.by_session(row.id.as_str()))
    }
}

/// Whether what a cookie holds can be one of ours.
const fn is_sid(sid: &str) -> bool {
    !sid.is_empty() && sid.len() <= SID_BYTES_MAX
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}
