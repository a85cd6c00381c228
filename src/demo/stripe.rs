//! The demo's invoices as Stripe has them, in the form that `fake-stripe` reads: both tell the same story, except where
//! the story is that they do not.

use std::collections::BTreeSet;

use entity::{Instant, InvoiceStatus, Json, PaymentKind, PaymentStatus, payment};
use serde_json::json;

use super::{Books, DemoInvoice, Plan};

/// The key that opens every account of the demo's Stripe.
const KEY: &str = "rk_test_demo";

/// After so many reads the pay page of `rotated-link` gets a new address.
const ROTATE_EVERY: u32 = 3;

/// Everything that Stripe has of the demo: invoices that were mirrored, but for those it has forgotten.
pub(super) fn state(plan: &Plan, books: &[Books]) -> Json {
    let entries = || books.iter().flat_map(|books| &books.invoices);
    let accounts: BTreeSet<&str> =
        entries().filter_map(|entry| entry.bill.upstream.as_ref()?.stripe_account_id.as_deref()).collect();
    json!({
        "now": seconds(plan.now),
        "links": "fake",
        "account": accounts.first(),
        "keys": [{ "key": KEY, "connected": accounts }],
        "invoices": entries().filter_map(invoice).collect::<Vec<_>>(),
    })
}

fn seconds(at: Instant) -> i64 {
    at.utc().timestamp()
}

fn invoice(entry: &DemoInvoice) -> Option<Json> {
    let DemoInvoice { character, bill, .. } = entry;
    let (ours, mirror) = (&bill.invoice, bill.upstream.as_ref()?);
    if mirror.last_error_code.as_deref() == Some("NOT_FOUND") {
        return None;
    }
    let draft = ours.status == InvoiceStatus::Draft;
    let payments = bill.payments.iter().map(|payment| &payment.row).filter_map(payment);
    let minor = |theirs: Option<entity::Minor>, ours: entity::Minor| theirs.unwrap_or(ours).0;
    Some(json!({
        "id": mirror.stripe_invoice_id.as_ref()?,
        "customer": mirror.stripe_customer_id,
        "account": mirror.stripe_account_id.as_deref().unwrap_or_default(),
        "status": mirror.upstream_status.clone().unwrap_or_else(|| ours.status.word().to_lowercase()),
        "currency": ours.currency.0.to_lowercase(),
        "total": ours.total.0,
        "amount_due": minor(mirror.upstream_amount_due, ours.amount_due),
        "amount_paid": minor(mirror.upstream_amount_paid, ours.amount_paid),
        "number": if draft { None } else { ours.number.clone() },
        "created": seconds(ours.created_at),
        "due_date": ours.due_at.map(seconds),
        "status_transitions": {
            "finalized_at": ours.finalized_at.map(seconds),
            "paid_at": ours.paid_at.map(seconds),
            "voided_at": ours.voided_at.map(seconds),
            "marked_uncollectible_at": ours.uncollectible_at.map(seconds),
        },
        "metadata": { "billing_invoice_id": ours.id },
        "payments": payments.collect::<Vec<_>>(),
        "link": { "rotate_every": (*character == Some("rotated-link")).then_some(ROTATE_EVERY) },
    }))
}

/// A payment that Stripe took, or is taking. Of refused attempts it has nothing to say.
fn payment(row: &payment::Model) -> Option<Json> {
    let status = match row.status {
        PaymentStatus::Succeeded => "paid",
        PaymentStatus::Pending | PaymentStatus::RequiresAction => "open",
        _ => return None,
    };
    if row.kind != PaymentKind::Payment || row.payment_intent_id.is_none() {
        return None;
    }
    let charge = row.charge_id.as_deref();
    let name = charge.or(row.payment_intent_id.as_deref())?.split_once('_').map(|(_, name)| name)?;
    Some(json!({
        "id": format!("inpay_{name}"),
        "status": status,
        "amount": row.amount_requested.0,
        "created": seconds(row.created_at),
        "paid_at": row.paid_at.map(seconds),
        "payment_intent": row.payment_intent_id,
        "charge": charge,
        "amount_refunded": row.amount_refunded.0,
    }))
}
