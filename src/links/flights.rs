//! One call for everyone who asks the same at the same time.
//!
//! What an answer brings is kept for a second, so that fifty clients that open the same bill together cost one call;
//! errors are not kept. The mirror is the cache.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use moka::future::Cache;

use super::accounts::Account;
use super::error::LinkError;
use crate::stats::LinkStats;
use crate::stripe::{Deadline, Invoice, Page, Receipts, StripeCustomerId, StripeError, StripeInvoiceId};

/// How long an answer serves those who ask the same.
const TOGETHER: Duration = Duration::from_secs(1);

/// Answers that are kept at the same time.
const ANSWERS_MAX: u64 = 2_000;

/// Pages of a customer's invoices that are looked through; those that are not found there are asked one by one.
const PAGES_MAX: usize = 3;

/// What of Stripe was needed for one request.
#[derive(Debug, Default)]
pub struct UpstreamStats {
    calls: AtomicU64,
    stale: AtomicU64,
    micros: AtomicU64,
}

impl UpstreamStats {
    /// Calls to Stripe; those that another request made at the same time are not counted.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Links that were given although they should have been newer.
    pub fn stale(&self) -> u64 {
        self.stale.load(Ordering::Relaxed)
    }

    /// How long the answer waited for Stripe, in milliseconds.
    pub fn duration_ms(&self) -> u64 {
        self.micros.load(Ordering::Relaxed) / 1_000
    }

    pub(super) fn add_stale(&self) {
        self.stale.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn add_wait(&self, time: Duration) {
        self.micros.fetch_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn add_call(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }
}

type Key = (Arc<str>, StripeInvoiceId);
type PageKey = (Arc<str>, StripeCustomerId, Option<StripeInvoiceId>);

/// Calls under way, and what the last ones brought.
#[derive(Debug)]
pub(super) struct Flights {
    pub(super) stats: LinkStats,
    invoices: Cache<Key, Arc<Invoice>>,
    pages: Cache<PageKey, Arc<Page<Invoice>>>,
    receipts: Cache<Key, Arc<Receipts>>,
}

impl Flights {
    pub(super) fn new(stats: LinkStats) -> Self {
        Self { stats, invoices: cache(), pages: cache(), receipts: cache() }
    }
}

fn cache<K, V>() -> Cache<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    Cache::builder().max_capacity(ANSWERS_MAX).time_to_live(TOGETHER).build()
}

impl Flights {
    /// Gives what is kept under a key, or waits for `call`, or for the same call of another request, until the
    /// deadline.
    async fn shared<K, V>(
        &self,
        (kept, key): (&Cache<K, V>, K),
        call: impl Future<Output = Result<V, StripeError>>,
        deadline: Deadline,
        stats: &UpstreamStats,
    ) -> Result<V, LinkError>
    where
        K: std::hash::Hash + Eq + Send + Sync + 'static,
        V: Clone + Send + Sync + 'static,
    {
        let called = AtomicBool::new(false);
        let counted = async {
            called.store(true, Ordering::Relaxed);
            stats.add_call();
            call.await
        };
        let landed = tokio::time::timeout_at(deadline.instant(), kept.try_get_with(key, counted)).await;
        if !called.load(Ordering::Relaxed) {
            self.stats.coalesced();
        }
        match landed {
            Ok(landed) => landed.map_err(|error| LinkError::from(error.as_ref())),
            Err(_elapsed) => Err(LinkError::Timeout),
        }
    }

    pub(super) async fn invoice(
        &self,
        account: &Account,
        id: &StripeInvoiceId,
        deadline: Deadline,
        stats: &UpstreamStats,
    ) -> Result<Arc<Invoice>, LinkError> {
        let call = async { account.client.invoice(id, deadline).await.map(Arc::new) };
        self.shared((&self.invoices, (Arc::clone(&account.name), id.clone())), call, deadline, stats).await
    }

    pub(super) async fn receipts(
        &self,
        account: &Account,
        id: &StripeInvoiceId,
        deadline: Deadline,
        stats: &UpstreamStats,
    ) -> Result<Arc<Receipts>, LinkError> {
        let call = async { account.client.receipts(id, deadline).await.map(Arc::new) };
        self.shared((&self.receipts, (Arc::clone(&account.name), id.clone())), call, deadline, stats).await
    }

    /// Several invoices of one customer, as far as its newest ones have them.
    pub(super) async fn of_customer(
        &self,
        account: &Account,
        customer: &StripeCustomerId,
        wanted: &[StripeInvoiceId],
        deadline: Deadline,
        stats: &UpstreamStats,
    ) -> Result<HashMap<StripeInvoiceId, Arc<Invoice>>, LinkError> {
        let mut found = HashMap::new();
        let mut after: Option<StripeInvoiceId> = None;
        for _page in 0..PAGES_MAX {
            let key = (Arc::clone(&account.name), customer.clone(), after.clone());
            let call =
                async { account.client.invoices_of_customer(customer, after.as_ref(), deadline).await.map(Arc::new) };
            let page = self.shared((&self.pages, key), call, deadline, stats).await?;
            for invoice in page.items.iter().filter(|invoice| wanted.contains(&invoice.id)) {
                found.insert(invoice.id.clone(), Arc::new(invoice.clone()));
            }
            after = page.items.last().map(|invoice| invoice.id.clone());
            if found.len() == wanted.len() || !page.has_more || after.is_none() {
                break;
            }
        }
        Ok(found)
    }
}
