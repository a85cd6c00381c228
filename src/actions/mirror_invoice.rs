//! Brings an invoice up to what Stripe answered about it: for the reconciler, for a refresh that someone asks for, and
//! for events that only name an invoice.
//!
//! Ask [`as_of`] first, then Stripe, then [`mirror_invoice`]: no transaction is open while Stripe is asked, and an
//! event that came meanwhile is not overwritten by an older answer.

use entity::{EventSource, Instant, InvoiceId};
use serde_json::json;

use super::upstream_news::{self, Unfit, latest};
use crate::domain::actor::Actor;
use crate::domain::trail::Deed;
use crate::domain::upstream::{Change, News, Stored, Told, reduce};
use crate::domain::viewer::Tenant;
use crate::store::{self, Store, StoreError, Tx};
use crate::stripe::{self, StripeInvoiceId};

/// An answer of Stripe about one invoice.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The invoice, as it was read.
    pub invoice: &'a stripe::Invoice,
    /// What [`as_of`] gave before Stripe was asked.
    pub as_of: Option<Instant>,
    /// When Stripe answered, on the billing clock: its links count as read then.
    pub read_at: Instant,
    /// Why it was asked: `Reconciler`, `Api` or `Webhook`.
    pub source: EventSource,
    /// Who asked, where someone did: that is written to the audit log.
    pub by: Option<By<'a>>,
}

/// Someone who changes something, and when, on the clock of credentials.
#[derive(Clone, Copy, Debug)]
pub struct By<'a> {
    /// What the audit log says of them.
    pub actor: &'a Actor,
    /// When.
    pub at: Instant,
}

/// What came of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mirrored {
    /// Something of this invoice changed: its state, its payments, its links or what is known of its mirror.
    Changed(InvoiceId),
    /// Everything is as it was.
    Unchanged(InvoiceId),
    /// The tenant has no such invoice.
    Unknown,
    /// It cannot be taken over, and why.
    Unfit(&'static str),
}

/// The latest event that is known of an invoice at Stripe; absent when there is none. To be asked before Stripe is.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn as_of(store: &Store, tenant: &Tenant, invoice: &StripeInvoiceId) -> Result<Option<Instant>, StoreError> {
    let reader = store.reader(tenant, &std::sync::Arc::default());
    let mirror = store::upstream_invoice::find_by_stripe_id(tenant, &reader, invoice.as_str()).await?;
    Ok(mirror.and_then(|mirror| mirror.last_event_created))
}

/// Takes over an answer of Stripe, in one transaction.
///
/// The same answer twice changes nothing. Amounts of the invoice itself are not taken over, only compared: the mirror
/// says what Stripe counts.
///
/// # Errors
/// Those of [`StoreError`]; nothing was written then. A [`StoreError::Conflict`] may be tried again.
pub async fn mirror_invoice(store: &Store, tenant: &Tenant, answer: &Answer<'_>) -> Result<Mirrored, StoreError> {
    let tx = store.begin(tenant).await?;
    let found = find(tenant, &tx, Some(answer.invoice.id.as_str()), Some(answer.invoice)).await?;
    let Some(before) = found else { return Ok(Mirrored::Unknown) };
    let id = before.invoice.id.clone();
    let change = match answered(&before, answer) {
        Ok(change) => change,
        Err(Unfit(why)) => return Ok(Mirrored::Unfit(why)),
    };
    let (after, changed) = write(tenant, &tx, &before, change).await?;
    if let Some(by) = answer.by.filter(|_by| changed) {
        let deed = deed("invoice.sync", &before, &after);
        store::audit_log::append(tenant, &tx, by.actor, deed, by.at).await?;
    }
    tx.commit().await?;
    Ok(if changed { Mirrored::Changed(id) } else { Mirrored::Unchanged(id) })
}

/// What the audit log says where someone had an invoice follow Stripe.
pub(super) fn deed(action: &'static str, before: &Stored, after: &Stored) -> Deed {
    Deed {
        action,
        object_type: "Invoice",
        object_id: before.invoice.id.0.clone(),
        before: Some(told(before)),
        after: Some(told(after)),
    }
}

/// What the audit log says of an invoice.
fn told(stored: &Stored) -> serde_json::Value {
    json!({
        "status": stored.invoice.status,
        "version": stored.invoice.version,
        "amountPaid": stored.invoice.amount_paid,
        "payments": stored.payments.len(),
    })
}

/// What follows from an answer.
pub(super) fn answered(before: &Stored, answer: &Answer<'_>) -> Result<Change, Unfit> {
    let news = upstream_news::of_invoice(answer.invoice, "", &before.invoice.currency)?;
    let news = news.ok_or(Unfit("Stripe says a state that is not known"))?;
    let told = Told {
        stripe_invoice: Some(answer.invoice.id.as_str()),
        account: None,
        at: answer.as_of.max(latest(answer.invoice)).unwrap_or(answer.read_at),
        read_at: Some(answer.read_at),
        source: answer.source,
        event_id: None,
        remark: None,
        now: answer.read_at,
    };
    Ok(reduce(before, &told, &news))
}

/// The invoice of ours that Stripe knows by this id, or that names one of ours, locked. One that stands for another
/// invoice of Stripe already is not it.
pub(super) async fn find(
    tenant: &Tenant,
    tx: &Tx,
    stripe_invoice: Option<&str>,
    shown: Option<&stripe::Invoice>,
) -> Result<Option<Stored>, StoreError> {
    let mut id = None;
    if let Some(stripe_invoice) = stripe_invoice {
        let mirror = store::upstream_invoice::find_by_stripe_id(tenant, tx, stripe_invoice).await?;
        id = mirror.map(|mirror| mirror.invoice_id);
    }
    let id = id.or_else(|| shown.and_then(|shown| upstream_news::named(&shown.metadata)));
    let Some(id) = id else { return Ok(None) };
    let stored = load(tenant, tx, &id).await?;
    let other = |stored: &Stored| {
        let known = stored.mirror.as_ref().and_then(|mirror| mirror.stripe_invoice_id.as_deref());
        known.is_some() && known != stripe_invoice
    };
    Ok(stored.filter(|stored| !other(stored)))
}

/// An invoice with all that follows from what Stripe says, locked.
pub(super) async fn load(tenant: &Tenant, tx: &Tx, id: &InvoiceId) -> Result<Option<Stored>, StoreError> {
    let Some(invoice) = store::invoice::lock(tenant, tx, id).await? else { return Ok(None) };
    let ids = std::slice::from_ref(id);
    Ok(Some(Stored {
        mirror: store::upstream_invoice::of_invoices(tenant, tx, ids).await?.remove(id),
        facts: store::upstream_facts::of_invoice(tenant, tx, id).await?,
        payments: store::payment::of_invoices(tenant, tx, ids).await?.remove(id).unwrap_or_default(),
        invoice,
    }))
}

/// Writes what differs. Gives what is stored then, and whether anything changed.
pub(super) async fn write(
    tenant: &Tenant,
    tx: &Tx,
    before: &Stored,
    change: Change,
) -> Result<(Stored, bool), StoreError> {
    let Change { stored: mut after, removed, entries, .. } = change;
    let changed = after != *before || !removed.is_empty();
    if after.invoice != before.invoice {
        after.invoice.version = after.invoice.version.saturating_add(1);
        store::invoice::save(tx, after.invoice.clone()).await?;
    }
    store::payment::remove(tenant, tx, &removed).await?;
    let payments = after.payments.iter().filter(|row| !before.payments.contains(row)).cloned();
    store::payment::save_all(tx, payments.collect()).await?;
    if let Some(mirror) = after.mirror.as_ref().filter(|mirror| Some(*mirror) != before.mirror.as_ref()) {
        store::upstream_invoice::save(tx, mirror.clone()).await?;
    }
    if after.facts != before.facts {
        store::upstream_facts::save(tenant, tx, &after.invoice.id, &after.facts).await?;
    }
    store::bill::insert_events(tx, entries).await?;
    Ok((after, changed))
}

/// The news that an event of `kind` brings with it, if it shows an invoice.
pub(super) fn shown(invoice: &stripe::Invoice, kind: &str, before: &Stored) -> Result<Option<News>, Unfit> {
    upstream_news::of_invoice(invoice, kind, &before.invoice.currency)
}
