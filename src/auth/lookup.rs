//! What is looked up for every request and kept for a few seconds, so that a busy credential costs one statement every
//! few seconds, and what is revoked is refused within five.
//!
//! A look-up may take [`PATIENCE`] and its result is kept for [`KEPT`]: together less than five seconds. Those who ask
//! the same at the same time share one look-up. What is not there is kept like what is, failures are not.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

use super::error::AuthFailure;
use crate::stats::AuthStats;
use crate::store::StoreError;

/// How long what was looked up is relied on.
const KEPT: Duration = Duration::from_secs(3);

/// How long a look-up may take.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// What is kept at the same time.
const KEPT_MAX: u64 = 10_000;

/// A cache in front of one sort of look-up.
pub(super) struct Lookup<V> {
    kept: Cache<String, V>,
    kind: &'static str,
    stats: AuthStats,
}

impl<V: Clone + Send + Sync + 'static> Lookup<V> {
    /// An empty one; `kind` is what is looked up, for whoever counts.
    pub(super) fn new(kind: &'static str, stats: &AuthStats) -> Self {
        let kept = Cache::builder().max_capacity(KEPT_MAX).time_to_live(KEPT).build();
        Self { kept, kind, stats: stats.clone() }
    }

    /// What is kept under a key, or what `read` gives.
    ///
    /// # Errors
    /// [`AuthFailure::Store`], [`AuthFailure::Slow`].
    pub(super) async fn get(
        &self,
        key: &str,
        read: impl Future<Output = Result<V, StoreError>>,
    ) -> Result<V, AuthFailure> {
        let read = async {
            match tokio::time::timeout(PATIENCE, read).await {
                Ok(Ok(found)) => Ok(found),
                Ok(Err(error)) => {
                    error.log();
                    Err(AuthFailure::Store(Arc::new(error)))
                }
                Err(_elapsed) => {
                    tracing::warn!("a credential was not looked up in time");
                    Err(AuthFailure::Slow)
                }
            }
        };
        let looked_up = self.kept.entry_by_ref(key).or_try_insert_with(read).await;
        self.stats.looked_up(self.kind, looked_up.as_ref().is_ok_and(|entry| !entry.is_fresh()));
        let found = looked_up.map_err(|failure: Arc<AuthFailure>| AuthFailure::clone(&failure))?;
        Ok(found.into_value())
    }

    /// Forgets what is kept under a key, so that this replica need not wait for its end.
    pub(super) async fn forget(&self, key: &str) {
        self.kept.invalidate(key).await;
    }
}
