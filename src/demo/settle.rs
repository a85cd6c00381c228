//! What happens to the money of a demo invoice: attempts, payments, refunds.

use entity::{
    Instant, InvoiceStatus, Minor, PaymentKind, PaymentMethodType, PaymentReferenceKind, PaymentStatus, payment,
};
use serde_json::json;

use super::draft::{Actor, Draft};
use crate::domain::{bill::BillPayment, invoice::amount_remaining};

impl Draft<'_> {
    /// An attempt to collect everything that remains was refused.
    pub(super) fn declined(mut self, at: Instant, code: &str) -> Self {
        let mut row = self.attempt(at, amount_remaining(&self.bill.invoice));
        row.status = PaymentStatus::Failed;
        row.failure_code = Some(code.to_owned());
        row.failure_message = Some(failure_message(code).to_owned());
        row.failed_at = Some(at);
        row.processed_at = Some(at);
        self.push(row, None);
        self.record(at, "payment_failed", Actor::Stripe, json!({ "code": code }));
        self
    }

    /// Everything that remains was collected.
    pub(super) fn paid(self, at: Instant) -> Self {
        let remaining = amount_remaining(&self.bill.invoice).0;
        self.paid_amount(at, remaining)
    }

    /// So much was collected: less or more than what remains.
    pub(super) fn paid_amount(mut self, at: Instant, amount: i64) -> Self {
        let mut row = self.attempt(at, Minor(amount));
        row.charge_id = Some(format!("{}_{}", self.stripe_id("ch"), self.bill.payments.len()));
        row.provider_payment_id.clone_from(&row.charge_id);
        self.collect(at, row, Actor::Stripe);
        self
    }

    /// Everything that remains came by another way than Stripe; someone wrote it down.
    pub(super) fn paid_elsewhere(mut self, at: Instant, reference: &str) -> Self {
        let mut row = self.attempt(at, amount_remaining(&self.bill.invoice));
        row.provider = String::from("manual");
        row.reference_kind = PaymentReferenceKind::OutOfBand;
        row.provider_payment_id = Some(reference.to_owned());
        row.payment_intent_id = None;
        row.payment_method_id = None;
        row.pm_type = Some(PaymentMethodType::BankTransfer);
        row.pm_account_hint = None;
        row.pm_card_brand = None;
        row.pm_card_last4 = None;
        self.bill.invoice.paid_out_of_band = true;
        self.collect(at, row, Actor::Merchant);
        self
    }

    /// A bank debit is on its way: neither paid nor unpaid.
    pub(super) fn debit_underway(mut self, at: Instant) -> Self {
        let mut row = self.attempt(at, amount_remaining(&self.bill.invoice));
        row.status = PaymentStatus::Pending;
        self.push(row, None);
        self.record(at, "payment_processing", Actor::Stripe, json!({}));
        self
    }

    /// The bank wants to see the card's owner first.
    pub(super) fn action_required(mut self, at: Instant) -> Self {
        let mut row = self.attempt(at, amount_remaining(&self.bill.invoice));
        let page = format!("https://pay.stripe.com/authenticate/{}/{}", self.who.account, self.name);
        row.status = PaymentStatus::RequiresAction;
        row.failure_code = Some("authentication_required".to_owned());
        row.failure_message = Some(failure_message("authentication_required").to_owned());
        row.next_action = Some(json!({ "type": "redirect_to_url", "redirect_url": page }));
        self.push(row, None);
        self.record(at, "payment_action_required", Actor::Stripe, json!({}));
        self
    }

    /// A part of the payment at that position was given back.
    pub(super) fn refunded(mut self, at: Instant, of: usize, amount: i64) -> Self {
        let refund_number = self.bill.payments.len();
        let refund_id = format!("{}_{refund_number}", self.stripe_id("re"));
        if let Some(payment) = self.bill.payments.get_mut(of) {
            payment.row.amount_refunded = Minor(payment.row.amount_refunded.0 + amount);
            payment.row.updated_at = at;
            let refund = payment::Model {
                kind: PaymentKind::Refund,
                is_default: false,
                amount_requested: Minor(amount),
                amount_paid: Minor(amount),
                amount_refunded: Minor(0),
                provider_payment_id: Some(refund_id),
                receipt_url: None,
                receipt_fetched_at: None,
                processed_at: Some(at),
                paid_at: Some(at),
                created_at: at,
                ..payment.row.clone()
            };
            self.push(refund, Some(of));
            self.record(at, "payment_refunded", Actor::Merchant, json!({ "minorUnits": amount }));
        }
        self
    }

    /// Minor units that remain to be paid.
    pub(super) fn remaining(&self) -> i64 {
        amount_remaining(&self.bill.invoice).0
    }

    /// The place of the first payment that succeeded.
    pub(super) fn first_success(&self) -> Option<usize> {
        let succeeded =
            |row: &payment::Model| row.kind == PaymentKind::Payment && row.status == PaymentStatus::Succeeded;
        self.bill.payments.iter().position(|payment| succeeded(&payment.row))
    }

    /// The last payment that succeeded.
    pub(super) fn last_success(&mut self) -> Option<&mut BillPayment> {
        let rows = self.bill.payments.iter_mut().rev();
        rows.filter(|payment| payment.row.kind == PaymentKind::Payment)
            .find(|payment| payment.row.status == PaymentStatus::Succeeded)
    }

    /// An attempt that is not decided yet.
    fn attempt(&self, at: Instant, amount: Minor) -> payment::Model {
        let method = &self.method;
        payment::Model {
            kind: PaymentKind::Payment,
            currency: self.bill.invoice.currency.clone(),
            amount_requested: amount,
            reference_kind: PaymentReferenceKind::PaymentIntent,
            payment_intent_id: Some(self.stripe_id("pi")),
            provider: "stripe".to_owned(),
            is_default: self.bill.payments.is_empty(),
            payment_method_id: Some(method.id.clone()),
            pm_type: Some(method.kind),
            pm_card_brand: method.card_brand.clone(),
            pm_card_last4: method.card_last4.clone(),
            pm_account_hint: method.account_hint.clone(),
            created_at: at,
            updated_at: at,
            ..Default::default()
        }
    }

    /// The attempt succeeded; the invoice is paid once nothing remains.
    fn collect(&mut self, at: Instant, mut row: payment::Model, actor: Actor) {
        row.status = PaymentStatus::Succeeded;
        row.amount_paid = row.amount_requested;
        row.paid_at = Some(at);
        row.processed_at = Some(at);
        let amount = row.amount_paid.0;
        self.push(row, None);
        if amount_remaining(&self.bill.invoice).0 > 0 {
            self.record(at, "payment_succeeded", actor, json!({ "minorUnits": amount }));
        } else {
            self.bill.invoice.paid_at = Some(at);
            self.enter(InvoiceStatus::Paid, at, "paid", actor);
        }
    }

    /// Adds the row and derives what was paid and given back from all of them.
    fn push(&mut self, row: payment::Model, refund_of: Option<usize>) {
        let methods = std::iter::once(&self.who.method).chain(&self.who.spare);
        let method = methods.into_iter().find(|method| Some(&method.id) == row.payment_method_id.as_ref());
        self.bill.payments.push(BillPayment { method: method.cloned(), row, refund_of });
        let sum = |kind: PaymentKind| {
            let rows = self.bill.payments.iter().map(|payment| &payment.row);
            let rows = rows.filter(|row| row.kind == kind && row.status == PaymentStatus::Succeeded);
            Minor(rows.map(|row| row.amount_paid.0).sum())
        };
        let (paid, refunded) = (sum(PaymentKind::Payment), sum(PaymentKind::Refund));
        self.bill.invoice.amount_paid = paid;
        self.bill.invoice.amount_refunded = refunded;
    }
}

/// What a card's bank says, in words.
fn failure_message(code: &str) -> &'static str {
    match code {
        "insufficient_funds" => "The card has insufficient funds.",
        "expired_card" => "The card has expired.",
        "authentication_required" => "The bank asks the card's owner to confirm the payment.",
        _ => "The card was declined.",
    }
}
