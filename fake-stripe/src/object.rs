//! Objects as Stripe's API writes them, with ids where objects could be expanded.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::state::{Invoice, Links, Payment, PaymentKind, PaymentStatus, Receipt, Refund, State, Status};

/// What all objects of a state share.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    livemode: bool,
    hosted: String,
    pay: String,
}

impl Writer {
    /// A writer for `state`, served by a fake at `own`.
    pub(crate) fn new(state: &State, own: &str) -> Self {
        let base = match &state.links {
            Links::Stripe => None,
            Links::Fake => Some(own),
            Links::Base(base) => Some(base.trim_end_matches('/')),
        };
        Self {
            livemode: state.livemode,
            hosted: base.unwrap_or("https://invoice.stripe.com").to_owned(),
            pay: base.unwrap_or("https://pay.stripe.com").to_owned(),
        }
    }

    /// The part of an invoice's links that names it and its generation.
    pub(crate) fn token(&self, invoice: &Invoice) -> String {
        format!("{}{}", self.token_of_any_generation(invoice), invoice.link.generation)
    }

    /// The same without the number of the generation, which it ends with.
    pub(crate) fn token_of_any_generation(&self, invoice: &Invoice) -> String {
        let mode = if self.livemode { "live" } else { "test" };
        let digest = Sha256::digest(invoice.id.as_bytes());
        let name = digest.iter().take(8).fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
        format!("{mode}_{name:016x}g")
    }

    pub(crate) fn hosted_invoice_url(&self, invoice: &Invoice) -> Option<String> {
        let link = || format!("{}/i/{}/{}?s=ap", self.hosted, invoice.account, self.token(invoice));
        (invoice.status != Status::Draft).then(link)
    }

    pub(crate) fn invoice_pdf(&self, invoice: &Invoice) -> Option<String> {
        let link = || format!("{}/invoice/{}/{}/pdf?s=ap", self.pay, invoice.account, self.token(invoice));
        (invoice.status != Status::Draft).then(link)
    }

    pub(crate) fn receipt_url(&self, invoice: &Invoice, payment: &Payment) -> Option<String> {
        let charge = payment.charge.as_ref()?;
        match &payment.receipt {
            Receipt::None => None,
            Receipt::Url(url) => Some(url.clone()),
            Receipt::Generated => (payment.status == PaymentStatus::Paid)
                .then(|| format!("{}/receipts/{}/{charge}", self.pay, invoice.account)),
        }
    }

    pub(crate) fn invoice(&self, invoice: &Invoice) -> Value {
        let draft = invoice.status == Status::Draft;
        let transitions = &invoice.status_transitions;
        json!({
            "id": invoice.id,
            "object": "invoice",
            "amount_due": invoice.amount_due,
            "amount_overpaid": invoice.amount_overpaid,
            "amount_paid": invoice.amount_paid,
            "amount_remaining": invoice.amount_remaining,
            "attempt_count": invoice.attempt_count,
            "attempted": invoice.attempt_count > 0,
            "billing_reason": invoice.billing_reason.as_deref().unwrap_or("manual"),
            "collection_method": "charge_automatically",
            "created": invoice.created,
            "currency": invoice.currency,
            "customer": invoice.customer,
            "due_date": invoice.due_date,
            "hosted_invoice_url": self.hosted_invoice_url(invoice),
            "invoice_pdf": self.invoice_pdf(invoice),
            "livemode": self.livemode,
            "metadata": invoice.metadata,
            "number": invoice.number.as_deref().filter(|_number| !draft),
            "parent": null,
            "post_payment_credit_notes_amount": 0,
            "pre_payment_credit_notes_amount": invoice.credited,
            "status": invoice.status,
            "status_transitions": {
                "finalized_at": transitions.finalized_at,
                "marked_uncollectible_at": transitions.marked_uncollectible_at,
                "paid_at": transitions.paid_at,
                "voided_at": transitions.voided_at,
            },
            "subtotal": invoice.total,
            "total": invoice.total,
        })
    }

    pub(crate) fn invoice_payment(&self, invoice: &Invoice, payment: &Payment) -> Value {
        let paid = payment.status == PaymentStatus::Paid;
        let of = match payment.kind {
            PaymentKind::PaymentIntent => {
                json!({ "type": "payment_intent", "payment_intent": payment.payment_intent })
            }
            PaymentKind::Charge => json!({ "type": "charge", "charge": payment.charge }),
            PaymentKind::PaymentRecord => {
                json!({ "type": "payment_record", "payment_record": payment.id.replacen("inpay_", "pyr_", 1) })
            }
        };
        json!({
            "id": payment.id,
            "object": "invoice_payment",
            "amount_paid": paid.then_some(payment.amount),
            "amount_requested": payment.amount,
            "created": payment.created,
            "currency": invoice.currency,
            "invoice": invoice.id,
            "is_default": true,
            "livemode": self.livemode,
            "payment": of,
            "status": payment.status,
            "status_transitions": { "canceled_at": null, "paid_at": payment.paid_at },
        })
    }

    pub(crate) fn payment_intent(&self, invoice: &Invoice, payment: &Payment) -> Value {
        let paid = payment.status == PaymentStatus::Paid;
        json!({
            "id": payment.payment_intent,
            "object": "payment_intent",
            "amount": payment.amount,
            "amount_received": if paid { payment.amount } else { 0 },
            "created": payment.created,
            "currency": invoice.currency,
            "customer": invoice.customer,
            "latest_charge": payment.charge,
            "livemode": self.livemode,
            "status": if paid { "succeeded" } else { "requires_payment_method" },
        })
    }

    /// The intent of a payment right after one of its charges was declined.
    pub(crate) fn declined(&self, invoice: &Invoice, payment: &Payment, charge: &str, code: &str) -> Value {
        let mut intent = self.payment_intent(invoice, payment);
        if let Some(intent) = intent.as_object_mut() {
            let error = json!({
                "type": "card_error",
                "code": "card_declined",
                "decline_code": code,
                "charge": charge,
                "message": "Your card was declined.",
            });
            intent.insert("latest_charge".to_owned(), charge.into());
            intent.insert("last_payment_error".to_owned(), error);
        }
        intent
    }

    pub(crate) fn refund(&self, invoice: &Invoice, payment: &Payment, refund: &Refund) -> Value {
        json!({
            "id": refund.id,
            "object": "refund",
            "amount": refund.amount,
            "charge": payment.charge,
            "created": refund.created,
            "currency": invoice.currency,
            "failure_reason": refund.failed.then_some("lost_or_stolen_card"),
            "livemode": self.livemode,
            "payment_intent": payment.payment_intent,
            "status": if refund.failed { "failed" } else { "succeeded" },
        })
    }

    pub(crate) fn credit_note(&self, invoice: &Invoice, id: &str, amount: i64) -> Value {
        json!({
            "id": id,
            "object": "credit_note",
            "amount": amount,
            "currency": invoice.currency,
            "customer": invoice.customer,
            "invoice": invoice.id,
            "livemode": self.livemode,
            "pre_payment_amount": amount,
            "post_payment_amount": 0,
            "status": "issued",
            "type": "pre_payment",
        })
    }

    pub(crate) fn dispute(&self, invoice: &Invoice, payment: &Payment) -> Value {
        json!({
            "id": payment.id.replacen("inpay_", "dp_", 1),
            "object": "dispute",
            "amount": payment.amount,
            "charge": payment.charge,
            "currency": invoice.currency,
            "livemode": self.livemode,
            "payment_intent": payment.payment_intent,
            "reason": "fraudulent",
            "status": "needs_response",
        })
    }

    pub(crate) fn charge(&self, invoice: &Invoice, payment: &Payment) -> Value {
        let paid = payment.status == PaymentStatus::Paid;
        json!({
            "id": payment.charge,
            "object": "charge",
            "amount": payment.amount,
            "amount_captured": if paid { payment.amount } else { 0 },
            "amount_refunded": payment.amount_refunded,
            "created": payment.created,
            "currency": invoice.currency,
            "customer": invoice.customer,
            "livemode": self.livemode,
            "paid": paid,
            "payment_intent": payment.payment_intent,
            "receipt_email": null,
            "receipt_number": null,
            "receipt_url": self.receipt_url(invoice, payment),
            "refunded": payment.amount_refunded >= payment.amount && payment.amount_refunded > 0,
            "status": if paid { "succeeded" } else { "failed" },
        })
    }
}

/// A list as the API writes it.
pub(crate) fn list(data: &[Value], has_more: bool, path: &str) -> Value {
    json!({ "object": "list", "url": path, "has_more": has_more, "data": data })
}
