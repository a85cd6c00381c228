//! Which tokens are refused before they expire.
//!
//! They are few, as a rule: then all of them are read every few seconds, by one statement for all tokens that are shown.
//! When they are more than [`LISTED_MAX`] the list is only a part of them, and whoever is not in it is asked for alone,
//! as keys are. So no tenant can crowd out what another has revoked, however many it revokes.

use std::collections::HashSet;
use std::sync::Arc;

use entity::{Instant, TenantId};

use super::error::AuthFailure;
use super::lookup::Lookup;
use crate::stats::AuthStats;
use crate::store::tenant::System;
use crate::store::{self, Reader};

/// Revoked tokens that are read as a list.
const LISTED_MAX: usize = 10_000;

/// The one name that the list is kept under.
const LIST: &str = "";

/// The tenant of a token, and the digest of its own id.
pub(super) type TokenName = (TenantId, String);

/// Revoked tokens, as they were some seconds ago at most.
pub(super) struct Revoked {
    listed: Lookup<Arc<Listed>>,
    singles: Lookup<bool>,
}

struct Listed {
    tokens: HashSet<TokenName>,
    /// Whether there are no others.
    is_whole: bool,
}

impl Revoked {
    /// None of which anything is known yet.
    pub(super) fn new(stats: &AuthStats) -> Self {
        Self { listed: Lookup::new("revoked_tokens", stats), singles: Lookup::new("revoked_token", stats) }
    }

    /// Whether a token is revoked.
    ///
    /// # Errors
    /// [`AuthFailure::Store`], [`AuthFailure::Slow`].
    pub(super) async fn has(
        &self,
        system: &System,
        reader: &Reader,
        name: &TokenName,
        now: Instant,
    ) -> Result<bool, AuthFailure> {
        let list = async {
            let limit = LISTED_MAX.saturating_add(1);
            let rows = store::revoked_token::live(system, reader, now, limit as u64).await?;
            let is_whole = rows.len() <= LISTED_MAX;
            if !is_whole {
                tracing::warn!(listed = rows.len(), "so many tokens are revoked that each is looked up by itself");
            }
            Ok(Arc::new(Listed { tokens: rows.into_iter().collect(), is_whole }))
        };
        let listed = self.listed.get(LIST, list).await?;
        if listed.is_whole || listed.tokens.contains(name) {
            return Ok(listed.tokens.contains(name));
        }
        // The digest has one length, so no two names make the same key.
        let (tenant, jti_sha256) = name;
        let single = store::revoked_token::is_live(system, reader, (tenant, jti_sha256), now);
        self.singles.get(&format!("{jti_sha256}{tenant}"), single).await
    }
}
