//! What follows for an invoice from what Stripe tells of it, in whatever order and however often.
//!
//! What is heard is joined into [`Facts`], which do not depend on order or repetition (`facts.rs`); the state of the
//! invoice, its payments and its mirror follow from the facts and the rows (`derive.rs`). Amounts are copied or derived
//! anew, never added to. A state is never left for a lower one, and never once it is final: Stripe's word to the
//! contrary is noted in the history, and is no error. Ids of rows and of entries derive from what they are about, so
//! that hearing something twice writes nothing twice.
//!
//! The order does not matter for lives that Stripe can tell of: of two final states, the first that is heard stands.

mod derive;
mod facts;
mod fields;
mod history;
#[cfg(test)]
mod tests;

use entity::{
    EventSource, Instant, InvoiceStatus, Minor, PaymentId, invoice, invoice_event, payment, upstream_invoice,
};
use serde::{Deserialize, Serialize};

pub use facts::Facts;
use facts::Weight;
pub use fields::changed_fields;

/// When an invoice entered its states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Moments {
    /// It became open.
    pub finalized_at: Option<Instant>,
    /// It was paid.
    pub paid_at: Option<Instant>,
    /// It became void.
    pub voided_at: Option<Instant>,
    /// It was given up.
    pub uncollectible_at: Option<Instant>,
}

/// An invoice at Stripe. Amounts are minor units of our currency, by our exponent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its state.
    pub status: InvoiceStatus,
    /// What is to be paid of it.
    pub amount_due: Option<Minor>,
    /// What was paid.
    pub amount_paid: Option<Minor>,
    /// What remains.
    pub amount_remaining: Option<Minor>,
    /// What credit notes took off what is to be paid, before it was paid.
    pub credited: Option<Minor>,
    /// How often payment was tried.
    pub attempt_count: Option<i64>,
    /// What is printed on it.
    pub number: Option<String>,
    /// Whom it bills at Stripe.
    pub customer: Option<String>,
    /// When it is due.
    pub due_at: Option<Instant>,
    /// The intent that collects it, where it is said: versions of Stripe's API before 2025 do.
    pub payment_intent: Option<String>,
    /// When it entered its states.
    pub moments: Moments,
}

/// Links of an invoice, each known to lead where links may lead. They are secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SnapshotLinks {
    /// The pay page.
    pub hosted_invoice_url: Option<String>,
    /// The PDF.
    pub invoice_pdf_url: Option<String>,
}

/// An attempt to collect that brought no money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It failed.
    Failed,
    /// The payer has to do something first.
    NeedsAction,
}

/// Money that came for an invoice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentNews {
    /// How much.
    pub amount: Minor,
    /// When; absent when it is not said.
    pub paid_at: Option<Instant>,
    /// The intent; absent for charges without one, and for money outside Stripe.
    pub payment_intent: Option<String>,
    /// The charge, where it is said.
    pub charge: Option<String>,
    /// Whether it came outside Stripe.
    pub outside: bool,
}

/// What became of a charge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChargeNews {
    /// What went back of it, in all.
    pub amount_refunded: Minor,
    /// The intent it belongs to.
    pub payment_intent: Option<String>,
}

/// How far a refund is. The greater is the later: money that went back may still come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefundState {
    /// Begun.
    Pending,
    /// The money went back.
    Succeeded,
    /// It was given up before that.
    Canceled,
    /// It did not arrive.
    Failed,
}

/// What became of one refund.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundNews {
    /// How far it is.
    pub state: RefundState,
    /// How much.
    pub amount: Minor,
    /// When it was begun; absent when it is not said.
    pub made_at: Option<Instant>,
    /// The charge that it gives back of.
    pub charge: Option<String>,
    /// The intent of that.
    pub payment_intent: Option<String>,
    /// Why it did not arrive, as one of Stripe's words.
    pub failure: Option<String>,
}

/// Why an attempt to collect brought no money.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailureNews {
    /// The intent that failed.
    pub payment_intent: String,
    /// The charge that failed, where one was made.
    pub charge: Option<String>,
    /// The reason, as one of Stripe's words: `insufficient_funds`.
    pub code: Option<String>,
    /// The same for people.
    pub message: Option<String>,
}

/// What is told.
#[derive(Clone)]
pub enum News {
    /// The invoice as it is.
    Invoice {
        /// Its facts.
        snapshot: Box<Snapshot>,
        /// Its links.
        links: SnapshotLinks,
        /// The attempt that it is told because of.
        attempt: Option<Attempt>,
        /// Whether it is told because the draft went away.
        deleted: bool,
    },
    /// Money came.
    Payment {
        /// Stripe's id of the payment.
        id: String,
        /// What of it.
        payment: PaymentNews,
    },
    /// Something became of a charge.
    Charge {
        /// Stripe's id of it.
        id: String,
        /// What became of it.
        charge: ChargeNews,
        /// Its receipt, a secret.
        receipt_url: Option<String>,
    },
    /// Something became of a refund.
    Refund {
        /// Stripe's id of it.
        id: String,
        /// What became of it.
        refund: RefundNews,
    },
    /// An attempt failed, and why.
    Failure {
        /// What tells it from other attempts.
        id: String,
        /// Why.
        failure: FailureNews,
    },
    /// Nothing but that it happened, for the history.
    Remark,
}

/// Who tells, and when.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// Of which invoice at Stripe; absent when it is not said.
    pub stripe_invoice: Option<&'a str>,
    /// In which account; absent when it is not said.
    pub account: Option<&'a str>,
    /// When Stripe said so. For an answer: the latest event that was known when it was asked for, whatever our clock
    /// says; so nothing that happened afterwards counts as older.
    pub at: Instant,
    /// When it was read, if it was asked for.
    pub read_at: Option<Instant>,
    /// How it came here.
    pub source: EventSource,
    /// The event, if it is one.
    pub event_id: Option<&'a str>,
    /// What the history calls it, where that is neither a state nor a payment.
    pub remark: Option<&'a str>,
    /// When it is worked on.
    pub now: Instant,
}

/// An invoice as it is stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stored {
    /// The invoice.
    pub invoice: invoice::Model,
    /// Its mirror; absent before anything was heard.
    pub mirror: Option<upstream_invoice::Model>,
    /// What was heard so far.
    pub facts: Facts,
    /// Payments and refunds, oldest first.
    pub payments: Vec<payment::Model>,
}

/// What is to be stored. Applying it to what it came from, and hearing the same again, changes nothing.
#[derive(Clone, Debug)]
pub struct Change {
    /// Everything as it is to be. The version of the invoice is not counted up.
    pub stored: Stored,
    /// Payments that are no more: what they stood for is known better now.
    pub removed: Vec<PaymentId>,
    /// New entries of the history; some may be there already.
    pub entries: Vec<invoice_event::Model>,
    /// Why Stripe should be asked instead, where it can be; absent when there is no doubt.
    pub doubt: Option<&'static str>,
}

/// What follows for an invoice from a piece of news.
pub fn reduce(before: &Stored, told: &Told<'_>, news: &News) -> Change {
    let mut stored = before.clone();
    stored.facts.own.get_or_insert_with(|| facts::Own::of(&before.invoice));
    let known = before.facts.newest.as_ref().map(|newest| (newest.at, newest.rank));
    let weight = stored.facts.join(told, news);
    let removed = derive::rows(&mut stored);
    let mirror = stored.mirror.take().unwrap_or_else(|| derive::new_mirror(before));
    stored.mirror = Some(derive::mirror(mirror, &stored, told, news, weight));
    derive::receipts(&mut stored, told, news, weight);
    let refused = refused(&stored, news, weight, known.is_some_and(|(at, _)| told.at > at));
    let doubt = match (weight, news) {
        (Weight::Tie, News::Invoice { .. }) => Some("two different events of one second"),
        _ if refused.is_some() => Some("the state cannot follow the present one"),
        _ => None,
    };
    let doubt = doubt.filter(|_| told.read_at.is_none());
    let entries = history::entries(before, &stored, told, refused);
    Change { stored, removed, entries, doubt }
}

/// The state that Stripe tells of and that cannot be taken over, if so: another final one, one for which the invoice is
/// not fit, or one that Stripe itself had left before. A late word of an earlier state is no such case, and neither is
/// a Stripe that lags behind what we know by ourselves.
fn refused(stored: &Stored, news: &News, weight: Weight, later: bool) -> Option<InvoiceStatus> {
    let News::Invoice { snapshot, deleted, .. } = news else { return None };
    let present = stored.invoice.status;
    let stays = facts::rank(snapshot.status) >= facts::rank(present) && snapshot.status != present;
    let stays = stays || (*deleted && stored.invoice.deleted_at.is_none());
    let backwards = weight == Weight::Older && later;
    ((weight == Weight::Newest && stays) || backwards).then_some(snapshot.status)
}
