//! Asks Stripe about one invoice, and takes over what it says.

use entity::{EventSource, Instant, InvoiceId};

use super::mirror_invoice::{self, Answer, By, Mirrored, mirror_invoice};
use crate::domain::viewer::Tenant;
use crate::links::{Accounts, LinkError};
use crate::store::{self, Store, StoreError};
use crate::stripe::{Deadline, StripeInvoiceId};

/// With what an invoice is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Sync<'a> {
    /// The database.
    pub store: &'a Store,
    /// Who is asked.
    pub accounts: &'a Accounts,
    /// By when Stripe must have answered.
    pub deadline: Deadline,
    /// The billing clock's time.
    pub now: Instant,
    /// Why it is asked: `Reconciler` or `Api`.
    pub source: EventSource,
    /// Who asks, where someone does.
    pub by: Option<By<'a>>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Synced {
    /// Stripe answered.
    Mirrored(Mirrored),
    /// Stripe never had the invoice, or the caller has no such invoice.
    NotMirrored,
    /// Stripe did not answer.
    Failed(LinkError),
}

/// Asks Stripe about an invoice that has a mirror, and takes over what it says. No transaction is open meanwhile.
///
/// # Errors
/// Those of [`StoreError`]; nothing was written then.
pub async fn sync_invoice(sync: &Sync<'_>, tenant: &Tenant, invoice: &InvoiceId) -> Result<Synced, StoreError> {
    let reader = sync.store.reader(tenant, &std::sync::Arc::default());
    let mut mirrors = store::upstream_invoice::of_invoices(tenant, &reader, std::slice::from_ref(invoice)).await?;
    let mirror = mirrors.remove(invoice);
    let id = mirror.as_ref().and_then(|mirror| mirror.stripe_invoice_id.as_deref());
    let (Some(mirror), Some(id)) = (&mirror, id.and_then(|id| StripeInvoiceId::parse(id).ok())) else {
        return Ok(Synced::NotMirrored);
    };
    let Some(client) = sync.accounts.client(tenant.id(), mirror.stripe_account_id.as_deref()) else {
        return Ok(Synced::Failed(LinkError::NotConfigured));
    };
    let as_of = mirror_invoice::as_of(sync.store, tenant, &id).await?;
    let answered = match client.invoice(&id, sync.deadline).await {
        Ok(answered) => answered,
        Err(error) => {
            let error = LinkError::from(&error);
            let tx = sync.store.begin(tenant).await?;
            store::upstream_invoice::note_failure(tenant, &tx, invoice, error.word(), sync.now).await?;
            tx.commit().await?;
            return Ok(Synced::Failed(error));
        }
    };
    let answer = Answer { invoice: &answered, as_of, read_at: sync.now, source: sync.source, by: sync.by };
    Ok(Synced::Mirrored(mirror_invoice(sync.store, tenant, &answer).await?))
}
