//! The lease on a job of a tenant: one process does it at a time, and another one takes over when that is gone.

use std::time::Duration;

use chrono::TimeDelta;
use entity::{Instant, Json};
use tokio::time::sleep;
use ulid::Ulid;

use crate::domain::clock::Clock;
use crate::domain::viewer::Tenant;
use crate::store::{Store, StoreError, job};

/// A job of a tenant, and who wants to do it.
#[derive(Clone, Debug)]
pub struct Lease {
    store: Store,
    tenant: Tenant,
    name: &'static str,
    holder: String,
    /// Leases go by the system's time, whatever the bills go by.
    clock: Clock,
    time: Duration,
}

impl Lease {
    /// A lease that is not taken yet; it will hold for `time` without being renewed.
    pub fn on(store: &Store, tenant: &Tenant, name: &'static str, time: Duration) -> Self {
        let holder = Ulid::new().to_string();
        Self { store: store.clone(), tenant: tenant.clone(), name, holder, clock: Clock::system(), time }
    }

    fn until(&self) -> (Instant, Instant) {
        let now = self.clock.now();
        (now, Instant::new(now.utc() + TimeDelta::from_std(self.time).unwrap_or_default()))
    }

    fn named(&self) -> (&str, &str) {
        (self.name, &self.holder)
    }

    /// Takes the lease; false while another has it.
    ///
    /// # Errors
    /// Those of [`StoreError`].
    pub async fn take(&self) -> Result<bool, StoreError> {
        let tx = self.store.begin(&self.tenant).await?;
        let taken = job::take(&self.tenant, &tx, self.named(), self.until()).await?;
        tx.commit().await?;
        Ok(taken)
    }

    /// Takes the lease, and waits for one that may be left over from a process that is gone: so long as a lease holds,
    /// and a look. False when whoever has it goes on renewing it.
    ///
    /// # Errors
    /// Those of [`StoreError`].
    pub async fn take_patiently(&self, look: Duration, mut tell: impl FnMut()) -> Result<bool, StoreError> {
        let mut waited = Duration::ZERO;
        loop {
            if self.take().await? {
                return Ok(true);
            }
            if waited > self.time {
                return Ok(false);
            }
            if waited.is_zero() {
                tell();
            }
            sleep(look).await;
            waited += look;
        }
    }

    /// Keeps the lease for as long as it is polled; ends when it is lost.
    pub async fn keep(&self) {
        loop {
            sleep(self.time / 3).await;
            match self.renew().await {
                Ok(true) => {}
                Ok(false) => return,
                // Until it has run out, the next attempt may work.
                Err(error) => error.log(),
            }
        }
    }

    async fn renew(&self) -> Result<bool, StoreError> {
        let tx = self.store.begin(&self.tenant).await?;
        let renewed = job::renew(&self.tenant, &tx, self.named(), self.until()).await?;
        tx.commit().await?;
        Ok(renewed)
    }

    /// Gives the lease back.
    ///
    /// # Errors
    /// Those of [`StoreError`]; it then runs out by itself.
    pub async fn release(&self) -> Result<(), StoreError> {
        let tx = self.store.begin(&self.tenant).await?;
        job::release(&self.tenant, &tx, self.named()).await?;
        tx.commit().await
    }

    /// How far the job came.
    ///
    /// # Errors
    /// Those of [`StoreError`].
    pub async fn state(&self) -> Result<Option<Json>, StoreError> {
        job::state(&self.tenant, &self.store.reader(&self.tenant, &std::sync::Arc::default()), self.name).await
    }

    /// Writes how far the job came; false when the lease was lost.
    ///
    /// # Errors
    /// Those of [`StoreError`].
    pub async fn save_state(&self, state: Option<Json>) -> Result<bool, StoreError> {
        let tx = self.store.begin(&self.tenant).await?;
        let saved = job::save_state(&self.tenant, &tx, self.named(), state).await?;
        tx.commit().await?;
        Ok(saved)
    }
}
