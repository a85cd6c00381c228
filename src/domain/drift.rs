//! Where an invoice and its mirror at Stripe tell different stories, and how long the mirror's links last.

use chrono::Duration;
use entity::{Instant, InvoiceStatus, invoice, upstream_invoice};

use super::upstream::{Snapshot, SnapshotLinks};

/// How long after the due date Stripe shows an unpaid invoice.
const AFTER_DUE: Duration = Duration::days(30);

/// How long after it was issued Stripe shows an invoice at all.
const AFTER_ISSUE: Duration = Duration::days(120);

/// A field that Stripe states differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// The field, by its name on the invoice.
    pub field: &'static str,
    /// What is stored here; amounts in minor units.
    pub local: String,
    /// What Stripe stated when it was last read; amounts in minor units.
    pub upstream: String,
}

/// Every field that Stripe stated differently when it was last read.
pub fn drift(invoice: &invoice::Model, mirror: &upstream_invoice::Model) -> Vec<Drift> {
    let status = (mirror.upstream_status.clone(), invoice.status.word().to_lowercase());
    let amounts = [
        ("amountDue", mirror.upstream_amount_due, invoice.amount_due),
        ("amountPaid", mirror.upstream_amount_paid, invoice.amount_paid),
    ];
    let status = std::iter::once(("status", status.0, status.1));
    let amounts =
        amounts.map(|(field, upstream, local)| (field, upstream.map(|it| it.0.to_string()), local.0.to_string()));
    let stated =
        status.chain(amounts).filter_map(|(field, upstream, local)| Some(Drift { field, local, upstream: upstream? }));
    stated.filter(|drift| drift.local != drift.upstream).collect()
}

/// Every field in which an invoice, or what is known of its mirror, differs from what Stripe says now. What Stripe does
/// not say is no difference. Of links it only counts whether there is one.
pub fn drift_now(
    invoice: &invoice::Model,
    mirror: &upstream_invoice::Model,
    stated: &Snapshot,
    links: &SnapshotLinks,
) -> Vec<Drift> {
    let status = stated.status.word().to_lowercase();
    let now = upstream_invoice::Model {
        upstream_status: Some(status.clone()),
        upstream_amount_due: stated.amount_due,
        upstream_amount_paid: stated.amount_paid,
        ..Default::default()
    };
    let mut found = drift(invoice, &now);
    let mut compare = |field: &'static str, local: Option<String>, upstream: Option<String>| {
        let Some(upstream) = upstream else { return };
        let local = local.unwrap_or_else(|| ABSENT.to_owned());
        found.extend((local != upstream).then_some(Drift { field, local, upstream }));
    };
    let second = |at: Instant| at.utc().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let issued = stated.status != InvoiceStatus::Draft;
    compare("number", invoice.number.clone(), stated.number.clone().filter(|_| issued));
    compare("dueAt", invoice.due_at.map(second), stated.due_at.map(second));
    compare("upstream.status", mirror.upstream_status.clone(), Some(status));
    let minor = |amount: Option<entity::Minor>| amount.map(|amount| amount.0.to_string());
    compare("upstream.amountDue", minor(mirror.upstream_amount_due), minor(stated.amount_due));
    compare("upstream.amountPaid", minor(mirror.upstream_amount_paid), minor(stated.amount_paid));
    compare("upstream.customer", mirror.stripe_customer_id.clone(), stated.customer.clone());
    let there = |link: &Option<String>| Some(if link.is_some() { "present" } else { ABSENT }.to_owned());
    compare("hostedInvoiceUrl", there(&mirror.hosted_invoice_url), there(&links.hosted_invoice_url));
    compare("invoicePdfUrl", there(&mirror.invoice_pdf_url), there(&links.invoice_pdf_url));
    found
}

/// What is written for something that is not there.
const ABSENT: &str = "absent";

/// When the links of an invoice probably end, as Stripe documents it; absent while it was not issued.
pub fn estimated_expiry(invoice: &invoice::Model) -> Option<Instant> {
    let issued = invoice.finalized_at?;
    let due = invoice.due_at.unwrap_or(issued);
    let end = due.utc().checked_add_signed(AFTER_DUE)?.min(issued.utc().checked_add_signed(AFTER_ISSUE)?);
    Some(Instant::new(end))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use entity::{InvoiceStatus, Minor};

    use super::*;

    #[test]
    fn only_what_stripe_states_differently_is_drift() {
        let ours = invoice::Model { status: InvoiceStatus::Open, amount_due: Minor(100), ..Default::default() };
        let mut mirror = upstream_invoice::Model::default();
        assert_eq!(drift(&ours, &mirror), []);
        mirror.upstream_status = Some("paid".to_owned());
        mirror.upstream_amount_due = Some(Minor(100));
        mirror.upstream_amount_paid = Some(Minor(100));
        let found = drift(&ours, &mirror);
        let fields: Vec<_> = found.iter().map(|drift| (drift.field, &*drift.local, &*drift.upstream)).collect();
        assert_eq!(fields, [("status", "open", "paid"), ("amountPaid", "0", "100")]);
    }

    #[test]
    fn every_field_that_stripe_states_otherwise_now_is_drift_and_no_link_is_told() {
        let at = |seconds: i64| Instant::new(DateTime::from_timestamp(seconds, 0).unwrap());
        let ours = invoice::Model { status: InvoiceStatus::Open, amount_due: Minor(100), ..Default::default() };
        let mirror = upstream_invoice::Model { upstream_status: Some("open".to_owned()), ..Default::default() };
        let stated = Snapshot {
            status: InvoiceStatus::Paid,
            amount_due: Some(Minor(90)),
            amount_paid: Some(Minor(90)),
            amount_remaining: None,
            credited: None,
            attempt_count: None,
            payment_intent: None,
            number: Some("F-1".to_owned()),
            customer: Some("cus_1".to_owned()),
            due_at: Some(at(60)),
            moments: crate::domain::upstream::Moments::default(),
        };
        let links = SnapshotLinks { hosted_invoice_url: Some("secret".to_owned()), invoice_pdf_url: None };
        let found = drift_now(&ours, &mirror, &stated, &links);
        let fields: Vec<_> = found.iter().map(|drift| (drift.field, &*drift.local, &*drift.upstream)).collect();
        let expected = [
            ("status", "open", "paid"),
            ("amountDue", "100", "90"),
            ("amountPaid", "0", "90"),
            ("number", "absent", "F-1"),
            ("dueAt", "absent", "1970-01-01T00:01:00Z"),
            ("upstream.status", "open", "paid"),
            ("upstream.amountDue", "absent", "90"),
            ("upstream.amountPaid", "absent", "90"),
            ("upstream.customer", "absent", "cus_1"),
            ("hostedInvoiceUrl", "absent", "present"),
        ];
        assert_eq!(fields, expected);
        let silent = Snapshot {
            status: InvoiceStatus::Open,
            amount_due: None,
            amount_paid: None,
            number: None,
            customer: None,
            due_at: None,
            ..stated
        };
        assert_eq!(drift_now(&ours, &mirror, &silent, &SnapshotLinks::default()), []);
    }

    #[test]
    fn links_end_a_month_after_the_due_date_and_four_after_the_issue() {
        let day = |n: i64| Instant::new(DateTime::from_timestamp(n * 86_400, 0).unwrap());
        let issued = |due| invoice::Model { finalized_at: Some(day(0)), due_at: due, ..Default::default() };
        assert_eq!(estimated_expiry(&issued(None)), Some(day(30)));
        assert_eq!(estimated_expiry(&issued(Some(day(14)))), Some(day(44)));
        assert_eq!(estimated_expiry(&issued(Some(day(200)))), Some(day(120)));
        assert_eq!(estimated_expiry(&invoice::Model::default()), None);
    }
}
