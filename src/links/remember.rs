//! What was learned of an invoice at Stripe, written to its mirror behind the answer; and mirrors that are refreshed
//! there because their links were given while they should soon be newer.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use entity::{EventSource, Instant, InvoiceId, invoice, invoice_event, upstream_invoice};
use serde_json::json;
use tokio::sync::mpsc;

use super::Links;
use super::error::LinkError;
use super::flights::UpstreamStats;
use super::resolve::{Ask, Asker, LinkKey, receipt_of};
use crate::domain::ids;
use crate::domain::viewer::Tenant;
use crate::store::{self, StoreError};
use crate::stripe::{Deadline, Invoice, Link, Receipts};

/// Refreshes that may wait; beyond, mirrors stay as old as they are.
const WAITING_MAX: usize = 512;

/// How long a refresh behind an answer may take.
const REFRESH_TIME: Duration = Duration::from_secs(5);

/// What was fetched of one invoice. Absent is what was not asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Fetched {
    pub(super) invoice: Option<Result<Arc<Invoice>, LinkError>>,
    pub(super) receipts: Option<Result<Arc<Receipts>, LinkError>>,
}

impl Fetched {
    /// Why the pay page and the PDF could not be read, if they were asked for.
    fn links_error(&self) -> Option<LinkError> {
        match self.invoice.as_ref()? {
            Err(error) => Some(*error),
            Ok(invoice) if invoice.hosted_invoice_url.is_err() || invoice.invoice_pdf.is_err() => {
                Some(LinkError::BadUrl)
            }
            Ok(_) => None,
        }
    }

    /// Whether the pay page and the PDF were read for this answer.
    pub(super) fn has_live_links(&self) -> bool {
        self.invoice.is_some() && self.links_error().is_none()
    }

    /// The mirror with what was fetched.
    pub(super) fn mirror(&self, before: &Arc<upstream_invoice::Model>, now: Instant) -> Arc<upstream_invoice::Model> {
        if self.invoice.is_none() && self.receipts.is_none() {
            return Arc::clone(before);
        }
        let mut mirror = upstream_invoice::Model::clone(before);
        let mut failed = self.links_error();
        if let Some(Ok(invoice)) = &self.invoice {
            read(&mut mirror, invoice, now);
        }
        match &self.receipts {
            Some(Ok(receipts)) => {
                let newest = receipts.newest().and_then(|receipt| receipt.url.as_ref().ok()?.as_ref());
                mirror.receipt_url = newest.map(|link| link.expose().to_owned());
                mirror.receipt_fetched_at = Some(now);
            }
            Some(Err(error)) => failed = failed.or(Some(*error)),
            None => {}
        }
        if let Some(error) = failed {
            mirror.last_error_code = Some(error.word().to_owned());
            mirror.last_error_at = Some(now);
            mirror.fetch_failures = mirror.fetch_failures.saturating_add(1);
        } else {
            mirror.last_error_code = None;
            mirror.last_error_at = None;
            mirror.fetch_failures = 0;
        }
        mirror.updated_at = now;
        Arc::new(mirror)
    }
}

/// What Stripe says of the invoice. A link that may not be shown leaves the stored one as it is.
fn read(mirror: &mut upstream_invoice::Model, invoice: &Invoice, now: Instant) {
    if let (Ok(page), Ok(pdf)) = (&invoice.hosted_invoice_url, &invoice.invoice_pdf) {
        let text = |link: &Option<Link>| link.as_ref().map(|link| link.expose().to_owned());
        mirror.hosted_invoice_url = text(page);
        mirror.invoice_pdf_url = text(pdf);
        mirror.links_fetched_at = Some(now);
    }
    if let Some(status) = &invoice.status {
        mirror.upstream_status = Some(status.word().to_owned());
    }
    if let Some(due) = invoice.amount_due {
        mirror.upstream_amount_due = Some(entity::Minor(due));
    }
    if let Some(paid) = invoice.amount_paid {
        mirror.upstream_amount_paid = Some(entity::Minor(paid));
    }
    if let Some(customer) = &invoice.customer {
        mirror.stripe_customer_id = Some(customer.as_str().to_owned());
    }
}

/// Work that is done behind an answer.
#[derive(Debug)]
pub(super) struct Refresh {
    tenant: Tenant,
    invoice: Arc<invoice::Model>,
    before: Arc<upstream_invoice::Model>,
    now: Instant,
    /// What was fetched, and the mirror with it; absent: it is still to be fetched.
    learned: Option<(Fetched, Arc<upstream_invoice::Model>)>,
}

impl Refresh {
    pub(super) fn of(
        tenant: &Tenant,
        invoice: &Arc<invoice::Model>,
        before: &Arc<upstream_invoice::Model>,
        now: Instant,
        learned: Option<(Fetched, Arc<upstream_invoice::Model>)>,
    ) -> Self {
        let (invoice, before) = (Arc::clone(invoice), Arc::clone(before));
        Self { tenant: tenant.clone(), invoice, before, now, learned }
    }
}

/// A queue for a [`Refresher`].
pub(super) fn refresher() -> (mpsc::Sender<Refresh>, mpsc::Receiver<Refresh>) {
    mpsc::channel(WAITING_MAX)
}

/// Does what is left to do behind answers.
#[derive(Debug)]
pub struct Refresher {
    links: Links,
    waiting: mpsc::Receiver<Refresh>,
}

impl Refresher {
    pub(super) const fn new(links: Links, waiting: mpsc::Receiver<Refresh>) -> Self {
        Self { links, waiting }
    }

    /// Works until the last [`Links`] is gone, which holds the queue; a caller ends it by dropping the future.
    pub async fn run(mut self) {
        let mut batch = Vec::new();
        while self.waiting.recv_many(&mut batch, WAITING_MAX).await > 0 {
            self.work(std::mem::take(&mut batch)).await;
        }
    }

    async fn work(&self, batch: Vec<Refresh>) {
        let (learned, unread): (Vec<_>, Vec<_>) = batch.into_iter().partition(|refresh| refresh.learned.is_some());
        for refresh in learned {
            if let Err(error) = self.remember(&refresh).await {
                tracing::warn!(error = %error, "What Stripe said could not be written to the mirror");
            }
        }
        // No pay links are asked for here, so nobody's are counted.
        let nobody: Arc<str> = "".into();
        // Whoever asked first is served for all.
        let mut seen: HashSet<InvoiceId> = HashSet::new();
        for refresh in unread.into_iter().filter(|refresh| seen.insert(refresh.invoice.id.clone())) {
            let key = LinkKey {
                invoice: refresh.invoice,
                mirror: refresh.before,
                ask: Ask::Page(super::Wanted::RequireFresh),
            };
            let (deadline, stats) = (Deadline::after(REFRESH_TIME), UpstreamStats::default());
            // What comes is queued again, to be remembered.
            let asker = Asker { tenant: &refresh.tenant, subject: &nobody, now: refresh.now, deadline };
            let _seen = self.links.resolve(asker, vec![key], &stats).await;
        }
    }

    async fn remember(&self, refresh: &Refresh) -> Result<(), StoreError> {
        let (Some(stripe), Some((fetched, after))) = (&self.links.stripe, &refresh.learned) else {
            return Ok(());
        };
        let tx = stripe.store.begin(&refresh.tenant).await?;
        if !store::upstream_invoice::save_read(&refresh.tenant, &tx, &refresh.before, after).await? {
            return Ok(());
        }
        let (before, now) = (&refresh.before, refresh.now);
        let read_anew = before.links_fetched_at.is_some() && after.links_fetched_at != before.links_fetched_at;
        if read_anew && before.hosted_invoice_url != after.hosted_invoice_url {
            store::bill::insert_events(&tx, vec![links_refreshed(&refresh.invoice, now)]).await?;
        }
        if let Some(Ok(receipts)) = &fetched.receipts {
            self.remember_receipts(refresh, &tx, receipts).await?;
        }
        tx.commit().await
    }

    async fn remember_receipts(
        &self,
        refresh: &Refresh,
        tx: &store::Tx,
        receipts: &Receipts,
    ) -> Result<(), StoreError> {
        let invoices = [refresh.invoice.id.clone()];
        let mut payments = store::payment::of_invoices(&refresh.tenant, tx, &invoices).await?;
        for payment in payments.remove(&refresh.invoice.id).unwrap_or_default() {
            let link = receipt_of(receipts, &payment).and_then(|receipt| receipt.url.as_ref().ok()?.as_ref());
            if let Some(link) = link {
                store::payment::save_receipt(&refresh.tenant, tx, &payment.id, link.expose(), refresh.now).await?;
            }
        }
        Ok(())
    }
}

fn links_refreshed(invoice: &invoice::Model, now: Instant) -> invoice_event::Model {
    let at = now.utc().timestamp_millis().to_string();
    invoice_event::Model {
        tenant_id: invoice.tenant_id.clone(),
        id: ids::at(now, &[invoice.id.as_str(), "links_refreshed", &at]),
        invoice_id: invoice.id.clone(),
        kind: "links_refreshed".to_owned(),
        source: EventSource::System,
        actor_kind: "system".to_owned(),
        data: json!({}),
        occurred_at: now,
        recorded_at: now,
        ..Default::default()
    }
}
