//! Rules about one invoice that follow from its row alone.
//!
//! Amounts are derived here and nowhere else. The payment status needs the payments as well and is computed by
//! `store::invoice`, where lists are filtered by it too.

use entity::{Instant, InvoiceStatus, Minor, invoice};

/// What is still to be paid: nothing once void, otherwise what is due less what was paid, never negative.
pub const fn amount_remaining(invoice: &invoice::Model) -> Minor {
    let open = invoice.amount_due.0.saturating_sub(invoice.amount_paid.0);
    if open < 0 || matches!(invoice.status, InvoiceStatus::Void) { Minor(0) } else { Minor(open) }
}

/// What was paid beyond the amount due.
pub fn amount_overpaid(invoice: &invoice::Model) -> Minor {
    Minor(invoice.amount_paid.0.saturating_sub(invoice.amount_due.0).max(0))
}

/// Whether money is still owed after the due moment. Drafts, paid and void invoices are never overdue.
pub fn is_overdue(invoice: &invoice::Model, now: Instant) -> bool {
    let owed = matches!(invoice.status, InvoiceStatus::Open | InvoiceStatus::Uncollectible);
    owed && amount_remaining(invoice).0 > 0 && invoice.due_at.is_some_and(|due| due < now)
}

/// Whole days since the due moment, 0 when not overdue.
pub fn days_overdue(invoice: &invoice::Model, now: Instant) -> i64 {
    match invoice.due_at {
        Some(due) if is_overdue(invoice, now) => (now.utc() - due.utc()).num_days(),
        _ => 0,
    }
}

/// When the invoice entered its present state; absent when unknown.
pub fn status_changed_at(invoice: &invoice::Model) -> Option<Instant> {
    match invoice.status {
        InvoiceStatus::Draft => Some(invoice.created_at),
        InvoiceStatus::Open => invoice.finalized_at,
        InvoiceStatus::Paid => invoice.paid_at,
        InvoiceStatus::Void => invoice.voided_at,
        InvoiceStatus::Uncollectible => invoice.uncollectible_at,
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn invoice(status: InvoiceStatus, due: i64, paid: i64) -> invoice::Model {
        invoice::Model { status, amount_due: Minor(due), amount_paid: Minor(paid), ..Default::default() }
    }

    #[test]
    fn paid_and_remaining_add_up_to_due_and_overpaid() {
        for (due, paid) in [(0, 0), (100, 0), (100, 40), (100, 100), (100, 130)] {
            let row = invoice(InvoiceStatus::Open, due, paid);
            assert_eq!(paid + amount_remaining(&row).0, due + amount_overpaid(&row).0, "{due} {paid}");
        }
        assert_eq!(amount_remaining(&invoice(InvoiceStatus::Void, 100, 0)), Minor(0));
    }

    #[test]
    fn overdue_counts_whole_days_and_only_what_is_owed() {
        let day = |n: i64| Instant::new(DateTime::from_timestamp(n * 86_400, 0).unwrap());
        let open = invoice::Model { due_at: Some(day(1)), ..invoice(InvoiceStatus::Open, 100, 0) };
        assert!(!is_overdue(&open, day(1)));
        assert!(is_overdue(&open, day(4)));
        assert_eq!(days_overdue(&open, day(4)), 3);
        let paid = invoice::Model { amount_paid: Minor(100), status: InvoiceStatus::Paid, ..open };
        assert_eq!(days_overdue(&paid, day(4)), 0);
    }
}
