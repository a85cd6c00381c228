//! Where an invoice and its mirror at Stripe tell different stories, and how long the mirror's links last.

use chrono::Duration;
use entity::{Instant, invoice, upstream_invoice};

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
    fn links_end_a_month_after_the_due_date_and_four_after_the_issue() {
        let day = |n: i64| Instant::new(DateTime::from_timestamp(n * 86_400, 0).unwrap());
        let issued = |due| invoice::Model { finalized_at: Some(day(0)), due_at: due, ..Default::default() };
        assert_eq!(estimated_expiry(&issued(None)), Some(day(30)));
        assert_eq!(estimated_expiry(&issued(Some(day(14)))), Some(day(44)));
        assert_eq!(estimated_expiry(&issued(Some(day(200)))), Some(day(120)));
        assert_eq!(estimated_expiry(&invoice::Model::default()), None);
    }
}
