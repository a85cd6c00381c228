//! What can happen to an invoice, and which events tell of it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::state::{Invoice, Payment, PaymentKind, PaymentStatus, Refund, Status};

/// Something that happens to an invoice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// A draft becomes open, or paid when nothing is due.
    Finalize,
    /// Money comes for an invoice that is open or was given up.
    Pay {
        /// So much. Absent: all that remains.
        #[serde(default)]
        amount: Option<i64>,
        /// Whether it came outside Stripe, without a charge and a receipt.
        #[serde(default)]
        out_of_band: bool,
    },
    /// It becomes void, while nothing was paid.
    Void,
    /// It is given up.
    MarkUncollectible,
    /// Fields change. What is absent stays.
    Update {
        /// The total, and with it what is due and remains.
        #[serde(default)]
        total: Option<i64>,
        /// When it is due.
        #[serde(default)]
        due_date: Option<i64>,
        /// All texts of the merchant.
        #[serde(default)]
        metadata: Option<BTreeMap<String, String>>,
    },
    /// An attempt to collect fails.
    PaymentFailed,
    /// The same with its reason, which only the payment intent tells.
    Decline {
        /// The bank's word for it, such as `insufficient_funds`.
        code: String,
    },
    /// More money comes than remains.
    Overpay {
        /// So much more.
        by: i64,
    },
    /// A credit note takes something off what remains.
    Credit {
        /// So much.
        amount: i64,
    },
    /// Money that went back comes again: the newest refund fails.
    RefundFails,
    /// The payer's bank takes the newest payment into dispute.
    Dispute,
    /// Money goes back.
    Refund {
        /// Of this charge. Absent: of the newest that was paid.
        #[serde(default)]
        charge: Option<String>,
        /// So much. Absent: all that is left of it.
        #[serde(default)]
        amount: Option<i64>,
    },
    /// A draft goes away.
    Delete,
    /// Nothing changes, but an event of this type tells of the invoice as it is (`invoice.sent`, `invoice.overdue`).
    Announce {
        /// The event's type.
        #[serde(rename = "type")]
        kind: String,
    },
}

/// Why something cannot happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeError {
    /// There is no such invoice.
    NoInvoice,
    /// The invoice is in a state, or has amounts, that do not allow it.
    NotAllowed(&'static str),
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoInvoice => f.write_str("there is no such invoice"),
            Self::NotAllowed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for ChangeError {}

/// What an event tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Invoice,
    Payment(String),
    Charge(String),
    /// The refund with that id.
    Refund(String),
    /// The payment whose intent failed, the charge that did, and why.
    Failure {
        payment: String,
        charge: String,
        code: String,
    },
    /// A credit note with that id over so much.
    CreditNote(String, i64),
    /// A dispute of the payment with that charge.
    Dispute(String),
}

/// An event that is to be told.
pub(crate) type Told = (String, Subject);

/// Changes `invoice`, and gives the events in the order in which they happen.
pub(crate) fn apply(invoice: &mut Invoice, change: &Change, now: i64) -> Result<Vec<Told>, ChangeError> {
    match change {
        Change::Finalize => finalize(invoice, now),
        Change::Pay { amount, out_of_band } => pay(invoice, *amount, *out_of_band, now),
        Change::Void => void(invoice, now),
        Change::MarkUncollectible => {
            require(invoice.status == Status::Open, "only an open invoice is given up")?;
            invoice.status = Status::Uncollectible;
            invoice.status_transitions.marked_uncollectible_at = Some(now);
            Ok(told(&["invoice.updated", "invoice.marked_uncollectible"]))
        }
        Change::Update { total, due_date, metadata } => {
            update(invoice, *total, *due_date, metadata.as_ref())?;
            Ok(told(&["invoice.updated"]))
        }
        Change::PaymentFailed => {
            require(is_payable(invoice), "it is not to be paid")?;
            invoice.attempt_count = invoice.attempt_count.saturating_add(1);
            Ok(told(&["invoice.updated", "invoice.payment_failed"]))
        }
        Change::Decline { code } => decline(invoice, code, now),
        Change::Overpay { by } => overpay(invoice, *by, now),
        Change::Credit { amount } => credit(invoice, *amount, now),
        Change::Refund { charge, amount } => refund(invoice, charge.as_deref(), *amount, now),
        Change::RefundFails => refund_fails(invoice),
        Change::Dispute => dispute(invoice),
        Change::Delete => {
            require(invoice.status == Status::Draft, "only a draft is deleted")?;
            Ok(told(&["invoice.deleted"]))
        }
        Change::Announce { kind } => Ok(told(&[kind])),
    }
}

fn told(kinds: &[&str]) -> Vec<Told> {
    kinds.iter().map(|kind| ((*kind).to_owned(), Subject::Invoice)).collect()
}

const fn require(holds: bool, otherwise: &'static str) -> Result<(), ChangeError> {
    if holds { Ok(()) } else { Err(ChangeError::NotAllowed(otherwise)) }
}

const fn is_payable(invoice: &Invoice) -> bool {
    matches!(invoice.status, Status::Open | Status::Uncollectible)
}

fn finalize(invoice: &mut Invoice, now: i64) -> Result<Vec<Told>, ChangeError> {
    require(invoice.status == Status::Draft, "only a draft is finalized")?;
    invoice.status = Status::Open;
    invoice.status_transitions.finalized_at = Some(now);
    let number = format!("F-{}", invoice.id);
    invoice.number.get_or_insert(number);
    let mut events = told(&["invoice.updated", "invoice.finalized"]);
    if invoice.amount_due.unwrap_or_default() <= 0 {
        invoice.status = Status::Paid;
        invoice.status_transitions.paid_at = Some(now);
        events.extend(told(&["invoice.paid", "invoice.payment_succeeded"]));
    }
    Ok(events)
}

fn pay(invoice: &mut Invoice, amount: Option<i64>, outside: bool, now: i64) -> Result<Vec<Told>, ChangeError> {
    require(is_payable(invoice), "it is not to be paid")?;
    let remaining = invoice.amount_remaining.unwrap_or_default();
    let amount = amount.unwrap_or(remaining);
    require(amount > 0 && amount <= remaining, "there is not so much to pay")?;
    let payment = if outside { outside_payment(invoice, amount, now) } else { collected(invoice, amount, now) };
    let subject = Subject::Payment(payment.id.clone());
    invoice.payments.push(payment);
    invoice.attempt_count = invoice.attempt_count.saturating_add(1);
    invoice.amount_paid = Some(invoice.amount_paid.unwrap_or_default().saturating_add(amount));
    invoice.amount_remaining = Some(remaining.saturating_sub(amount));
    let mut events = vec![("invoice_payment.paid".to_owned(), subject)];
    events.extend(told(&["invoice.updated"]));
    if invoice.amount_remaining == Some(0) {
        invoice.status = Status::Paid;
        invoice.status_transitions.paid_at = Some(now);
        events.extend(told(&["invoice.paid", "invoice.payment_succeeded"]));
    }
    Ok(events)
}

/// What ids of the next payment are made of.
fn next_name(invoice: &Invoice) -> String {
    format!("{}_{}", invoice.id.trim_start_matches("in_"), invoice.payments.len().saturating_add(1))
}

fn outside_payment(invoice: &Invoice, amount: i64, now: i64) -> Payment {
    Payment {
        created: Some(now),
        kind: PaymentKind::PaymentRecord,
        payment_intent: None,
        charge: None,
        ..Payment::paid(&next_name(invoice), amount, now)
    }
}

/// The payment that was begun and is not decided yet, or a new one.
fn collected(invoice: &mut Invoice, amount: i64, now: i64) -> Payment {
    let begun = |payment: &Payment| payment.status == PaymentStatus::Open && payment.kind == PaymentKind::PaymentIntent;
    let fresh = Payment { created: Some(now), ..Payment::paid(&next_name(invoice), amount, now) };
    match invoice.payments.iter().rposition(begun) {
        None => fresh,
        Some(place) => {
            let begun = invoice.payments.remove(place);
            let charge = begun.charge.or(fresh.charge);
            Payment { status: PaymentStatus::Paid, amount, paid_at: Some(now), charge, ..begun }
        }
    }
}

/// A payment that is begun, for what remains. Gives its id.
fn begin(invoice: &mut Invoice, now: i64) -> String {
    let begun = Payment {
        status: PaymentStatus::Open,
        created: Some(now),
        paid_at: None,
        charge: None,
        ..Payment::paid(&next_name(invoice), invoice.amount_remaining.unwrap_or_default(), now)
    };
    let id = begun.id.clone();
    invoice.payments.push(begun);
    id
}

fn dispute(invoice: &Invoice) -> Result<Vec<Told>, ChangeError> {
    let mut paid = invoice.payments.iter().rev().filter(|payment| payment.status == PaymentStatus::Paid);
    let disputed = paid.find_map(|payment| payment.charge.clone());
    let disputed = disputed.ok_or(ChangeError::NotAllowed("there is no such charge"))?;
    Ok(vec![("charge.dispute.created".to_owned(), Subject::Dispute(disputed))])
}

fn decline(invoice: &mut Invoice, code: &str, now: i64) -> Result<Vec<Told>, ChangeError> {
    require(is_payable(invoice), "it is not to be paid")?;
    let open = invoice.payments.iter().rev().find(|payment| payment.status == PaymentStatus::Open);
    let open = open.map(|payment| payment.id.clone());
    let payment = open.unwrap_or_else(|| begin(invoice, now));
    invoice.attempt_count = invoice.attempt_count.saturating_add(1);
    let name = invoice.id.trim_start_matches("in_");
    let charge = format!("ch_{name}_failed_{}", invoice.attempt_count);
    let failure = Subject::Failure { payment, charge, code: code.to_owned() };
    let mut events = vec![("payment_intent.payment_failed".to_owned(), failure)];
    events.extend(told(&["invoice.updated", "invoice.payment_failed"]));
    Ok(events)
}

fn overpay(invoice: &mut Invoice, by: i64, now: i64) -> Result<Vec<Told>, ChangeError> {
    require(by > 0, "that is not more")?;
    let mut events = pay(invoice, None, false, now)?;
    if let Some(payment) = invoice.payments.last_mut() {
        payment.amount = payment.amount.saturating_add(by);
    }
    invoice.amount_overpaid = invoice.amount_overpaid.saturating_add(by);
    events.extend(told(&["invoice.overpaid"]));
    Ok(events)
}

fn credit(invoice: &mut Invoice, amount: i64, now: i64) -> Result<Vec<Told>, ChangeError> {
    require(is_payable(invoice), "it is not to be paid")?;
    let remaining = invoice.amount_remaining.unwrap_or_default();
    require(amount > 0 && amount <= remaining, "there is not so much to pay")?;
    invoice.credited = invoice.credited.saturating_add(amount);
    invoice.amount_due = Some(invoice.amount_due.unwrap_or_default().saturating_sub(amount));
    invoice.amount_remaining = Some(remaining.saturating_sub(amount));
    let id = format!("cn_{}_{}", invoice.id.trim_start_matches("in_"), invoice.credited);
    let mut events = vec![("credit_note.created".to_owned(), Subject::CreditNote(id, amount))];
    events.extend(told(&["invoice.updated"]));
    if invoice.amount_remaining == Some(0) {
        invoice.status = Status::Paid;
        invoice.status_transitions.paid_at = Some(now);
        events.extend(told(&["invoice.paid", "invoice.payment_succeeded"]));
    }
    Ok(events)
}

fn void(invoice: &mut Invoice, now: i64) -> Result<Vec<Told>, ChangeError> {
    require(is_payable(invoice), "only what is to be paid becomes void")?;
    require(invoice.amount_paid.unwrap_or_default() == 0, "something was paid")?;
    invoice.status = Status::Void;
    invoice.status_transitions.voided_at = Some(now);
    invoice.amount_remaining = Some(0);
    Ok(told(&["invoice.updated", "invoice.voided"]))
}

fn update(
    invoice: &mut Invoice,
    total: Option<i64>,
    due_date: Option<i64>,
    metadata: Option<&BTreeMap<String, String>>,
) -> Result<(), ChangeError> {
    if let Some(total) = total {
        require(!matches!(invoice.status, Status::Paid | Status::Void), "amounts of what is over do not change")?;
        let paid = invoice.amount_paid.unwrap_or_default();
        require(total >= paid, "more was paid already")?;
        invoice.total = total;
        invoice.amount_due = Some(total);
        invoice.amount_remaining = Some(total.saturating_sub(paid));
    }
    invoice.due_date = due_date.or(invoice.due_date);
    if let Some(metadata) = metadata {
        invoice.metadata.clone_from(metadata);
    }
    Ok(())
}

fn refund(
    invoice: &mut Invoice,
    charge: Option<&str>,
    amount: Option<i64>,
    now: i64,
) -> Result<Vec<Told>, ChangeError> {
    let paid = invoice.payments.iter_mut().rev().filter(|payment| payment.status == PaymentStatus::Paid);
    let mut charged = paid.filter_map(|payment| payment.charge.clone().map(|id| (id, payment)));
    let found = charged.find(|(id, _payment)| charge.is_none_or(|wanted| wanted == id));
    let (id, payment) = found.ok_or(ChangeError::NotAllowed("there is no such charge"))?;
    let left = payment.amount.saturating_sub(payment.amount_refunded);
    let amount = amount.unwrap_or(left);
    require(amount > 0 && amount <= left, "there is not so much to give back")?;
    payment.amount_refunded = payment.amount_refunded.saturating_add(amount);
    let name = id.trim_start_matches("ch_");
    let refund = format!("re_{name}_fake_{}", payment.refunds.len().saturating_add(1));
    payment.refunds.push(Refund { id: refund.clone(), amount, created: now, failed: false });
    Ok(vec![
        ("charge.refunded".to_owned(), Subject::Charge(id)),
        ("refund.created".to_owned(), Subject::Refund(refund)),
    ])
}

fn refund_fails(invoice: &mut Invoice) -> Result<Vec<Told>, ChangeError> {
    for payment in invoice.payments.iter_mut().rev() {
        let Some(charge) = payment.charge.clone() else { continue };
        if let Some(refund) = payment.refunds.iter_mut().rev().find(|refund| !refund.failed) {
            refund.failed = true;
            payment.amount_refunded = payment.amount_refunded.saturating_sub(refund.amount);
            return Ok(vec![
                ("refund.updated".to_owned(), Subject::Refund(refund.id.clone())),
                ("refund.failed".to_owned(), Subject::Refund(refund.id.clone())),
                ("charge.updated".to_owned(), Subject::Charge(charge)),
            ]);
        }
    }
    Err(ChangeError::NotAllowed("there is no refund"))
}
