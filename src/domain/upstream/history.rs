//! Entries of an invoice's history: what differs between before and after, and what only the news says.

use entity::{Instant, InvoiceStatus, Json, Minor, PaymentKind, PaymentStatus, invoice_event, payment};
use serde_json::json;

use super::{Stored, Told};
use crate::domain::ids;
use crate::domain::invoice::status_changed_at;

/// Whoever an entry comes from, when it is Stripe.
const ACTOR: &str = "stripe";

pub(super) fn entries(
    before: &Stored,
    after: &Stored,
    told: &Told<'_>,
    refused: Option<InvoiceStatus>,
) -> Vec<invoice_event::Model> {
    let entry = |kind: &str, at: Instant, key: &str, data: Json| invoice_event::Model {
        tenant_id: after.invoice.tenant_id.clone(),
        id: ids::at(at, &[after.invoice.id.as_str(), kind, key]),
        invoice_id: after.invoice.id.clone(),
        kind: kind.to_owned(),
        source: told.source,
        actor_kind: ACTOR.to_owned(),
        webhook_event_id: told.event_id.map(str::to_owned),
        data,
        occurred_at: at,
        recorded_at: told.now,
        ..Default::default()
    };
    let mut entries = Vec::new();
    for row in changed(before, after) {
        if let Some((kind, at)) = of_payment(row) {
            let key = format!("{} {}", row.id, row.amount_paid.0);
            entries.push(entry(kind, at, &key, json!({ "minorUnits": row.amount_requested.0 })));
        }
    }
    for (row, was) in given_back(before, after) {
        let (kind, amount) = if row.amount_refunded > was {
            ("payment_refunded", row.amount_refunded.0.saturating_sub(was.0))
        } else {
            ("refund_failed", was.0.saturating_sub(row.amount_refunded.0))
        };
        let key = format!("{} {} {}", row.id, was.0, row.amount_refunded.0);
        entries.push(entry(kind, told.at, &key, json!({ "minorUnits": amount })));
    }
    let (from, to) = (before.invoice.status, after.invoice.status);
    if from != to {
        // Never before the state it comes from: clocks differ.
        let at = status_changed_at(&after.invoice).max(status_changed_at(&before.invoice)).unwrap_or(told.at);
        let status = entry(word(to), at, &from.word(), json!({}));
        entries.push(invoice_event::Model { from_status: Some(from), to_status: Some(to), ..status });
    }
    if after.invoice.deleted_at != before.invoice.deleted_at {
        entries.push(entry("deleted", after.invoice.deleted_at.unwrap_or(told.at), "", json!({})));
    }
    if let Some(event) = told.event_id {
        if let Some(remark) = told.remark {
            entries.push(entry(remark, told.at, event, json!({})));
        }
        if let Some(status) = refused {
            entries.push(entry("transition_ignored", told.at, event, json!({ "status": status.word() })));
        }
    }
    entries
}

/// Rows of payments that are new, or in another state or of another amount.
fn changed<'a>(before: &'a Stored, after: &'a Stored) -> impl Iterator<Item = &'a payment::Model> {
    let known = |row: &payment::Model| {
        let was = before.payments.iter().find(|was| was.id == row.id);
        was.is_some_and(|was| (was.status, was.amount_paid) == (row.status, row.amount_paid))
    };
    after.payments.iter().filter(move |row| !known(row))
}

/// Payments of which more went back than before, or less, with what that was.
fn given_back<'a>(before: &'a Stored, after: &'a Stored) -> impl Iterator<Item = (&'a payment::Model, Minor)> {
    let was = |row: &payment::Model| {
        let known = before.payments.iter().find(|known| known.id == row.id);
        known.map(|known| known.amount_refunded).unwrap_or_default()
    };
    let of_payments = after.payments.iter().filter(|row| row.kind == PaymentKind::Payment);
    of_payments.map(move |row| (row, was(row))).filter(|(row, was)| row.amount_refunded != *was)
}

/// What the history calls it, and when it happened. Money that Stripe counts before it names the payment has no entry.
fn of_payment(row: &payment::Model) -> Option<(&'static str, Instant)> {
    match (row.kind, row.status) {
        (PaymentKind::Payment, PaymentStatus::Succeeded) if row.external_id.is_some() => {
            Some(("payment_succeeded", row.paid_at.unwrap_or(row.created_at)))
        }
        (PaymentKind::Payment, PaymentStatus::Failed) => {
            Some(("payment_failed", row.failed_at.unwrap_or(row.created_at)))
        }
        (PaymentKind::Payment, PaymentStatus::RequiresAction) => Some(("payment_action_required", row.created_at)),
        _ => None,
    }
}

const fn word(status: InvoiceStatus) -> &'static str {
    match status {
        InvoiceStatus::Draft => "created",
        InvoiceStatus::Open => "finalized",
        InvoiceStatus::Paid => "paid",
        InvoiceStatus::Void => "voided",
        InvoiceStatus::Uncollectible => "marked_uncollectible",
    }
}
