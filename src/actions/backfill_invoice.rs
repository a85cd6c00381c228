//! Takes over one invoice of a list of Stripe's, with the payments that came with it, by the same rules as webhooks; or
//! only says what would change.

use entity::{EventSource, Instant, InvoiceId};

use super::mirror_invoice::{self, Answer, answered};
use super::upstream_news::{self, Unfit, latest};
use crate::domain::actor::Actor;
use crate::domain::clock::Clock;
use crate::domain::upstream::{Change, Stored, Told, changed_fields, reduce};
use crate::domain::viewer::Tenant;
use crate::store::{self, Store, StoreError, Tx};
use crate::stripe::{self, InvoicePayment};

/// How often an invoice is tried when another transaction was faster.
const ATTEMPTS: u32 = 3;

/// An invoice as it stood in a list.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    /// The invoice.
    pub invoice: &'a stripe::Invoice,
    /// Its payments, all of them.
    pub payments: &'a [InvoicePayment],
    /// The connected account it was listed for; absent for the key's own.
    pub account: Option<&'a str>,
    /// The latest event that was known, of any invoice, before Stripe was asked: what this says is newer than that, and
    /// of later events it is not known whether it is.
    pub known: Option<Instant>,
    /// When Stripe answered, on the billing clock.
    pub read_at: Instant,
}

/// What became of it, or would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backfilled {
    /// It had no mirror, and has one now.
    Created(InvoiceId, Vec<&'static str>),
    /// These fields changed.
    Changed(InvoiceId, Vec<&'static str>),
    /// Stripe says what is stored already; only when it was read is new.
    Unchanged(InvoiceId),
    /// It is none of the tenant's.
    Unknown,
    /// It cannot be taken over, and why.
    Unfit(&'static str),
}

/// Takes over an invoice, in one transaction, or finds out what would change where not to `write`.
///
/// # Errors
/// Those of [`StoreError`]; nothing was written then.
pub async fn backfill_invoice(
    store: &Store,
    tenant: &Tenant,
    listed: &Listed<'_>,
    write: bool,
) -> Result<Backfilled, StoreError> {
    // Boxed: an invoice with all its rows is large, and every caller would carry its room along.
    for _ in 1..ATTEMPTS {
        match Box::pin(attempt(store, tenant, listed, write)).await {
            Err(StoreError::Conflict(_)) => {}
            done => return done,
        }
    }
    Box::pin(attempt(store, tenant, listed, write)).await
}

async fn attempt(store: &Store, tenant: &Tenant, listed: &Listed<'_>, write: bool) -> Result<Backfilled, StoreError> {
    let tx = store.begin(tenant).await?;
    let invoice = listed.invoice;
    let found = mirror_invoice::find(tenant, &tx, Some(invoice.id.as_str()), Some(invoice)).await?;
    let Some(before) = found else { return Ok(Backfilled::Unknown) };
    let id = before.invoice.id.clone();
    let after = match Box::pin(follow(tenant, &tx, before.clone(), listed, write)).await? {
        Ok(after) => after,
        Err(Unfit(why)) => return Ok(Backfilled::Unfit(why)),
    };
    let fields = changed_fields(&before, &after);
    if write {
        if before.mirror.is_none() || !fields.is_empty() {
            let deed = mirror_invoice::deed("invoice.backfill", &before, &after);
            store::audit_log::append(tenant, &tx, &Actor::operator(), deed, Clock::system().now()).await?;
        }
        tx.commit().await?;
    }
    Ok(match (&before.mirror, fields.is_empty()) {
        (None, _) => Backfilled::Created(id, fields),
        (Some(_), false) => Backfilled::Changed(id, fields),
        (Some(_), true) => Backfilled::Unchanged(id),
    })
}

/// What follows from the payments, oldest first, and then from the invoice.
async fn follow(
    tenant: &Tenant,
    tx: &Tx,
    before: Stored,
    listed: &Listed<'_>,
    write: bool,
) -> Result<Result<Stored, Unfit>, StoreError> {
    let heard = before.mirror.as_ref().and_then(|mirror| mirror.last_event_created);
    let answer = Answer {
        invoice: listed.invoice,
        as_of: heard.min(listed.known),
        read_at: listed.read_at,
        source: EventSource::Reconciler,
        by: None,
    };
    let mut payments: Vec<&InvoicePayment> = listed.payments.iter().collect();
    payments.sort_by_key(|payment| payment.paid_at);
    let mut stored = before;
    for payment in payments {
        let news = match upstream_news::of_payment(payment, &stored.invoice.currency) {
            Ok(Some(news)) => news,
            Ok(None) => continue,
            Err(unfit) => return Ok(Err(unfit)),
        };
        let told = told(&answer, listed.account, payment.paid_at);
        let change = reduce(&stored, &told, &news);
        stored = written(tenant, tx, &stored, change, write).await?;
    }
    let mut change = match answered(&stored, &answer) {
        Ok(change) => change,
        Err(unfit) => return Ok(Err(unfit)),
    };
    // A mirror that webhooks of a connected account did not make yet names it from now on.
    if let Some(mirror) = change.stored.mirror.as_mut().filter(|mirror| mirror.stripe_account_id.is_none()) {
        mirror.stripe_account_id = listed.account.map(str::to_owned);
    }
    Ok(Ok(written(tenant, tx, &stored, change, write).await?))
}

async fn written(tenant: &Tenant, tx: &Tx, before: &Stored, change: Change, write: bool) -> Result<Stored, StoreError> {
    if !write {
        return Ok(change.stored);
    }
    Ok(mirror_invoice::write(tenant, tx, before, change).await?.0)
}

/// A payment is told as of when the money came, as its event would be: receipts that were read since are kept.
fn told<'a>(answer: &Answer<'a>, account: Option<&'a str>, paid_at: Option<Instant>) -> Told<'a> {
    Told {
        stripe_invoice: Some(answer.invoice.id.as_str()),
        account,
        at: paid_at.or_else(|| answer.as_of.max(latest(answer.invoice))).unwrap_or(answer.read_at),
        read_at: Some(answer.read_at),
        source: answer.source,
        event_id: None,
        remark: None,
        now: answer.read_at,
    }
}
