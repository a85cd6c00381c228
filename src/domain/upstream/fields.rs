//! Which fields of an invoice differ between before and after, by the names that clients know them by.
//!
//! When it was read, and how often that failed, is no difference: that changes with every look.

use super::Stored;

/// The fields that differ. Links are named like all others; what they are is not told.
pub fn changed_fields(before: &Stored, after: &Stored) -> Vec<&'static str> {
    let (was, is) = (&before.invoice, &after.invoice);
    let mut fields = Vec::new();
    let mut differ = |name: &'static str, differs: bool| fields.extend(differs.then_some(name));
    differ("status", was.status != is.status);
    differ("number", was.number != is.number);
    differ("dueAt", was.due_at != is.due_at);
    differ("finalizedAt", was.finalized_at != is.finalized_at);
    differ("paidAt", was.paid_at != is.paid_at);
    differ("voidedAt", was.voided_at != is.voided_at);
    differ("uncollectibleAt", was.uncollectible_at != is.uncollectible_at);
    differ("amountDue", was.amount_due != is.amount_due);
    differ("amountPaid", was.amount_paid != is.amount_paid);
    differ("amountRefunded", was.amount_refunded != is.amount_refunded);
    differ("paidOutOfBand", was.paid_out_of_band != is.paid_out_of_band);
    differ("deletedAt", was.deleted_at != is.deleted_at);
    differ("payments", before.payments != after.payments);
    // A mirror that was not there says nothing.
    let none = entity::upstream_invoice::Model::default();
    let (was, is) = (before.mirror.as_ref().unwrap_or(&none), after.mirror.as_ref().unwrap_or(&none));
    differ("upstream.id", was.stripe_invoice_id != is.stripe_invoice_id);
    differ("upstream.account", was.stripe_account_id != is.stripe_account_id);
    differ("upstream.customer", was.stripe_customer_id != is.stripe_customer_id);
    differ("upstream.status", was.upstream_status != is.upstream_status);
    differ("upstream.amountDue", was.upstream_amount_due != is.upstream_amount_due);
    differ("upstream.amountPaid", was.upstream_amount_paid != is.upstream_amount_paid);
    differ("hostedInvoiceUrl", was.hosted_invoice_url != is.hosted_invoice_url);
    differ("invoicePdfUrl", was.invoice_pdf_url != is.invoice_pdf_url);
    differ("receiptUrl", was.receipt_url != is.receipt_url);
    fields
}

#[cfg(test)]
mod tests {
    use entity::{Instant, InvoiceStatus, Minor, upstream_invoice};

    use super::*;

    #[test]
    fn every_field_is_named_and_a_look_is_no_difference() {
        let before = Stored { mirror: Some(upstream_invoice::Model::default()), ..Stored::default() };
        let mut after = before.clone();
        let mirror = after.mirror.as_mut().unwrap();
        mirror.updated_at = Instant::new(chrono::DateTime::UNIX_EPOCH + chrono::Duration::days(1));
        mirror.links_fetched_at = Some(mirror.updated_at);
        after.invoice.version = 7;
        assert_eq!(changed_fields(&before, &after), Vec::<&str>::new());
        after.invoice.status = InvoiceStatus::Paid;
        after.invoice.amount_paid = Minor(1);
        after.payments.push(entity::payment::Model::default());
        after.mirror.as_mut().unwrap().hosted_invoice_url = Some("secret".to_owned());
        assert_eq!(changed_fields(&before, &after), ["status", "amountPaid", "payments", "hostedInvoiceUrl"]);
        let first = Stored::default();
        assert!(changed_fields(&first, &Stored { mirror: None, ..first.clone() }).is_empty());
    }
}
