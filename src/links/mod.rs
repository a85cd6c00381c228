//! Links of an invoice at Stripe: the pay page, the PDF and the receipt, and how old what is known of them is.
//!
//! The only place that knows both the mirror of a link and Stripe. There is no Stripe client yet, so every link is
//! the mirror's: fresh below nine days (any link that Stripe hands out works for at least ten), stale and returned
//! beyond. The pay link is always live, and therefore absent until there is someone to ask.

use chrono::Duration;
use entity::{Instant, InvoiceStatus, invoice, payment, upstream_invoice};

use crate::domain::invoice::amount_remaining;
use crate::domain::link::LinkHosts;

/// How long a link that Stripe handed out works for certain.
const GUARANTEED: Duration = Duration::days(10);

/// The age below which the mirror's links are as good as Stripe's: a day less than guaranteed.
const FRESH_LINKS: Duration = Duration::days(9);

/// The age below which a receipt link is fresh. Stripe's expire within 30 days.
const FRESH_RECEIPT: Duration = Duration::days(25);

/// How current a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Read from Stripe for this answer.
    Live,
    /// Read so lately that it still works.
    Fresh,
    /// Older; it may have died since.
    Stale,
    /// Never read.
    NeverFetched,
}

/// Why a link cannot be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// There is nobody to ask: no account at Stripe is configured.
    #[error("No connection to Stripe is configured.")]
    NotConfigured,
}

/// Gives links, from the mirror for now.
#[derive(Clone, Debug)]
pub struct Links {
    hosts: LinkHosts,
}

impl Links {
    /// Links that lead to `hosts` only.
    pub const fn new(hosts: LinkHosts) -> Self {
        Self { hosts }
    }

    /// The pay page. Absent for drafts and for what was never mirrored.
    pub fn hosted_invoice_url(
        &self,
        invoice: &invoice::Model,
        mirror: Option<&upstream_invoice::Model>,
    ) -> Option<String> {
        self.unless_draft(invoice, mirror?.hosted_invoice_url.as_deref())
    }

    /// The PDF. Absent for drafts and for what was never mirrored.
    pub fn invoice_pdf_url(
        &self,
        invoice: &invoice::Model,
        mirror: Option<&upstream_invoice::Model>,
    ) -> Option<String> {
        self.unless_draft(invoice, mirror?.invoice_pdf_url.as_deref())
    }

    /// The receipt of the newest payment. Absent while nothing was paid, and for payments outside Stripe.
    pub fn receipt_url(&self, invoice: &invoice::Model, mirror: Option<&upstream_invoice::Model>) -> Option<String> {
        let paid = invoice.status == InvoiceStatus::Paid || invoice.amount_paid.0 > 0;
        let mirrored = mirror?.receipt_url.as_deref().filter(|_link| paid && !invoice.paid_out_of_band);
        self.allowed(mirrored)
    }

    /// The receipt of one payment.
    pub fn payment_receipt_url(&self, payment: &payment::Model) -> Option<String> {
        self.allowed(payment.receipt_url.as_deref())
    }

    /// A pay link that works now. Absent when there is nothing to pay, and when Stripe never had the invoice.
    ///
    /// # Errors
    /// [`LinkError`] when there is something to pay and no live link can be had.
    pub fn pay_url(
        &self,
        invoice: &invoice::Model,
        mirror: Option<&upstream_invoice::Model>,
    ) -> Result<Option<String>, LinkError> {
        let payable = matches!(invoice.status, InvoiceStatus::Open | InvoiceStatus::Uncollectible);
        let mirrored = mirror.is_some_and(|mirror| mirror.stripe_invoice_id.is_some());
        if payable && mirrored && amount_remaining(invoice).0 > 0 { Err(LinkError::NotConfigured) } else { Ok(None) }
    }

    /// A stored link, if it leads to a host that links may lead to.
    pub fn shown(&self, link: &str) -> Option<String> {
        self.allowed(Some(link))
    }

    /// A stored link to documentation, if it leads where such links may lead.
    pub fn documentation(&self, link: &str) -> Option<String> {
        self.hosts.allow_documentation(link).then(|| link.to_owned())
    }

    fn unless_draft(&self, invoice: &invoice::Model, link: Option<&str>) -> Option<String> {
        self.allowed(link.filter(|_link| invoice.status != InvoiceStatus::Draft))
    }

    fn allowed(&self, link: Option<&str>) -> Option<String> {
        link.filter(|link| self.hosts.allow(link)).map(str::to_owned)
    }
}

/// How current the pay page and the PDF of a mirror are.
pub fn links_freshness(mirror: &upstream_invoice::Model, now: Instant) -> Freshness {
    freshness(mirror.links_fetched_at, FRESH_LINKS, now)
}

/// How current the receipt of a mirror is.
pub fn receipt_freshness(mirror: &upstream_invoice::Model, now: Instant) -> Freshness {
    freshness(mirror.receipt_fetched_at, FRESH_RECEIPT, now)
}

/// Until when the links that were read at `fetched_at` work for certain.
pub fn guaranteed_until(fetched_at: Instant) -> Instant {
    fetched_at.utc().checked_add_signed(GUARANTEED).map_or(fetched_at, Instant::new)
}

fn freshness(fetched_at: Option<Instant>, limit: Duration, now: Instant) -> Freshness {
    match fetched_at {
        None => Freshness::NeverFetched,
        Some(at) if now.utc() - at.utc() < limit => Freshness::Fresh,
        Some(_) => Freshness::Stale,
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use entity::Minor;

    use super::*;

    const LINK: &str = "https://invoice.stripe.com/i/acct_test/abc";

    fn day(n: i64) -> Instant {
        Instant::new(DateTime::<Utc>::UNIX_EPOCH + Duration::days(n))
    }

    fn mirror(link: &str) -> upstream_invoice::Model {
        upstream_invoice::Model {
            hosted_invoice_url: Some(link.to_owned()),
            receipt_url: Some(link.to_owned()),
            links_fetched_at: Some(day(0)),
            ..Default::default()
        }
    }

    fn invoice(status: InvoiceStatus) -> invoice::Model {
        invoice::Model { status, amount_due: Minor(100), ..Default::default() }
    }

    #[test]
    fn a_mirror_is_fresh_for_nine_days_and_guaranteed_for_ten() {
        let mirror = mirror(LINK);
        assert_eq!(links_freshness(&mirror, day(8)), Freshness::Fresh);
        assert_eq!(links_freshness(&mirror, day(9)), Freshness::Stale);
        assert_eq!(receipt_freshness(&mirror, day(9)), Freshness::NeverFetched);
        assert_eq!(guaranteed_until(day(0)), day(10));
    }

    #[test]
    fn drafts_have_no_links_and_unpaid_invoices_no_receipt() {
        let links = Links::new(LinkHosts::default());
        let mirror = mirror(LINK);
        let open = invoice(InvoiceStatus::Open);
        assert_eq!(links.hosted_invoice_url(&open, Some(&mirror)).as_deref(), Some(LINK));
        assert_eq!(links.hosted_invoice_url(&invoice(InvoiceStatus::Draft), Some(&mirror)), None);
        assert_eq!(links.receipt_url(&open, Some(&mirror)), None);
        assert_eq!(links.receipt_url(&invoice(InvoiceStatus::Paid), Some(&mirror)).as_deref(), Some(LINK));
        assert_eq!(links.hosted_invoice_url(&open, None), None);
    }

    #[test]
    fn a_stored_link_to_another_host_is_never_given() {
        let links = Links::new(LinkHosts::default());
        let planted = mirror("https://invoice.stripe.com.evil.example/i");
        assert_eq!(links.hosted_invoice_url(&invoice(InvoiceStatus::Open), Some(&planted)), None);
    }

    #[test]
    fn a_pay_link_is_missed_only_when_stripe_has_something_to_be_paid() {
        let links = Links::new(LinkHosts::default());
        let known = upstream_invoice::Model { stripe_invoice_id: Some("in_1".to_owned()), ..mirror(LINK) };
        let asked = |invoice: &invoice::Model| links.pay_url(invoice, Some(&known));
        assert_eq!(asked(&invoice(InvoiceStatus::Open)), Err(LinkError::NotConfigured));
        assert_eq!(asked(&invoice(InvoiceStatus::Paid)), Ok(None));
        assert_eq!(asked(&invoice::Model { amount_paid: Minor(100), ..invoice(InvoiceStatus::Open) }), Ok(None));
        assert_eq!(links.pay_url(&invoice(InvoiceStatus::Open), None), Ok(None));
    }
}
