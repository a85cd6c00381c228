//! Credentials: how often they were good, and why not; what was looked up for them; the keys of an identity provider.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// How reading the keys of an identity provider may end.
const JWKS_OUTCOMES: [&str; 5] = ["ok", "no_answer", "status", "too_large", "unusable"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Came {
    kind: &'static str,
    outcome: &'static str,
    reason: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LookedUp {
    kind: &'static str,
    result: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Fetched {
    outcome: &'static str,
}

/// Counts credentials.
#[derive(Clone, Debug)]
pub struct AuthStats(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    came: Family<Came, Counter>,
    looked_up: Family<LookedUp, Counter>,
    fetches: Family<Fetched, Counter>,
}

impl Default for AuthStats {
    fn default() -> Self {
        let counts = Counts::default();
        for kind in ["token", "key", "session"] {
            drop(counts.came.get_or_create_owned(&Came { kind, outcome: "accepted", reason: "none" }));
        }
        for kind in ["token", "revoked_tokens", "revoked_token", "key", "session"] {
            for result in ["hit", "miss"] {
                drop(counts.looked_up.get_or_create_owned(&LookedUp { kind, result }));
            }
        }
        for outcome in JWKS_OUTCOMES {
            drop(counts.fetches.get_or_create_owned(&Fetched { outcome }));
        }
        Self(Arc::new(counts))
    }
}

impl AuthStats {
    /// A credential of this kind was good.
    pub fn accepted(&self, kind: &'static str) {
        self.came(kind, "accepted", "none");
    }

    /// A credential was refused, or a request had none.
    pub fn refused(&self, kind: &'static str, reason: &'static str) {
        self.came(kind, "refused", reason);
    }

    /// Whether a credential is good was not to be found out.
    pub fn unknown(&self, kind: &'static str, reason: &'static str) {
        self.came(kind, "unknown", reason);
    }

    fn came(&self, kind: &'static str, outcome: &'static str, reason: &'static str) {
        self.0.came.get_or_create(&Came { kind, outcome, reason }).inc();
    }

    /// Something was looked up for a credential, or was known.
    pub fn looked_up(&self, kind: &'static str, was_known: bool) {
        let result = if was_known { "hit" } else { "miss" };
        self.0.looked_up.get_or_create(&LookedUp { kind, result }).inc();
    }

    /// The keys of the identity provider were read (`ok`), or not.
    pub fn fetched(&self, outcome: &'static str) {
        self.0.fetches.get_or_create(&Fetched { outcome }).inc();
    }

    /// Shows what is counted.
    pub fn register(&self, registry: &mut Registry) {
        let counts = &self.0;
        registry.register(
            "auth_credentials",
            "Requests that needed a credential, by what it was and what became of it",
            counts.came.clone(),
        );
        registry.register(
            "auth_lookups",
            "What credentials were looked at with, by whether it was known",
            counts.looked_up.clone(),
        );
        registry.register(
            "auth_jwks_fetches",
            "Attempts to read the keys of the identity provider",
            counts.fetches.clone(),
        );
    }
}
