//! Rows that follow from facts. Everything here is computed anew each time, from the facts and from what the rows said
//! before anything was heard.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use chrono::TimeDelta;
use entity::{
    Instant, InvoiceStatus, Minor, PaymentId, PaymentKind, PaymentReferenceKind, PaymentStatus, invoice, payment,
    upstream_invoice,
};
use serde_json::json;

use super::facts::{AttemptFact, ChargeFact, Facts, FailureFact, PaymentFact, RefundFact, Version, Weight, rank};
use super::{ChargeNews, News, RefundNews, RefundState, SnapshotLinks, Stored, Told};
use crate::domain::ids;
use crate::domain::invoice::amount_remaining;

/// How far apart Stripe may tell that an attempt failed, and why.
const TOLD_APART: TimeDelta = TimeDelta::minutes(10);

/// Who collects.
const PROVIDER: &str = "stripe";

/// Brings the invoice and its payments up to the facts, and gives the payments that are no more.
pub(super) fn rows(stored: &mut Stored) -> Vec<PaymentId> {
    let facts = stored.facts.clone();
    let before: Vec<PaymentId> = stored.payments.iter().map(|row| row.id.clone()).collect();
    let uncounted = uncounted_id(&stored.invoice);
    stored.payments.retain(|row| row.id != uncounted);
    for (id, fact) in &facts.payments {
        settle_payment(stored, id, fact);
    }
    settle_status(&mut stored.invoice, &stored.payments, &facts);
    count_the_rest(stored, &facts, uncounted);
    for (number, fact) in &facts.attempts {
        settle_attempt(stored, *number, fact);
    }
    explain_failures(stored, &facts);
    settle_refunds(stored, &facts);
    settle_amounts(&mut stored.invoice, &stored.payments, &facts);
    stored.payments.sort_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id)));
    before.into_iter().filter(|id| !stored.payments.iter().any(|row| row.id == *id)).collect()
}

/// Money that Stripe counts as paid before it says which payment it was.
fn uncounted_id(invoice: &invoice::Model) -> PaymentId {
    ids::derived(&[invoice.id.as_str(), PROVIDER, "uncounted"])
}

fn new_payment(invoice: &invoice::Model, id: PaymentId, at: Instant, amount: Minor) -> payment::Model {
    payment::Model {
        tenant_id: invoice.tenant_id.clone(),
        id,
        invoice_id: invoice.id.clone(),
        customer_id: invoice.customer_id.clone(),
        kind: PaymentKind::Payment,
        currency: invoice.currency.clone(),
        amount_requested: amount,
        reference_kind: PaymentReferenceKind::PaymentIntent,
        provider: PROVIDER.to_owned(),
        external_attributes: json!({}),
        created_at: at,
        updated_at: at,
        ..Default::default()
    }
}

// ---- Payments ---------------------------------------------------------------------------------------------------

/// The payment's row: one of ours that is the same money, or one that follows from the fact alone.
fn settle_payment(stored: &mut Stored, id: &str, fact: &PaymentFact) {
    let at = fact.payment.paid_at.unwrap_or(fact.at);
    let derived: PaymentId = ids::derived(&[stored.invoice.id.as_str(), PROVIDER, id]);
    let place = stored.payments.iter().position(|row| row.external_id.as_deref() == Some(id));
    let place = place.or_else(|| stored.payments.iter().position(|row| is_same_money(row, fact)));
    let mut row = match place.map(|place| stored.payments.remove(place)) {
        Some(own) if own.id != derived => own,
        earlier => again(new_payment(&stored.invoice, derived, at, fact.payment.amount), earlier),
    };
    row.external_id = Some(id.to_owned());
    row.payment_intent_id = row.payment_intent_id.or_else(|| fact.payment.payment_intent.clone());
    row.charge_id = row.charge_id.or_else(|| fact.payment.charge.clone());
    row.status = PaymentStatus::Succeeded;
    row.amount_paid = fact.payment.amount;
    row.paid_at = Some(at);
    row.processed_at = Some(at);
    row.next_action = None;
    row.updated_at = row.updated_at.max(at);
    if fact.payment.outside {
        row.reference_kind = PaymentReferenceKind::PaymentRecord;
    } else if row.payment_intent_id.is_none() {
        row.reference_kind = PaymentReferenceKind::Charge;
        row.provider_payment_id = row.provider_payment_id.or_else(|| row.charge_id.clone());
    }
    stored.payments.push(row);
}

/// A row made anew, with what was read of it meanwhile.
fn again(row: payment::Model, earlier: Option<payment::Model>) -> payment::Model {
    let Some(earlier) = earlier else { return row };
    payment::Model {
        charge_id: earlier.charge_id,
        receipt_url: earlier.receipt_url,
        receipt_fetched_at: earlier.receipt_fetched_at,
        ..row
    }
}

/// Whether a row that we made ourselves is the attempt that brought this money.
fn is_same_money(row: &payment::Model, fact: &PaymentFact) -> bool {
    let undecided = [
        PaymentStatus::Unknown,
        PaymentStatus::Ready,
        PaymentStatus::Pending,
        PaymentStatus::RequiresAction,
        PaymentStatus::Succeeded,
    ];
    let same = |ours: &Option<String>, theirs: &Option<String>| ours.is_some() && ours == theirs;
    let same_charge =
        same(&row.charge_id, &fact.payment.charge) || same(&row.provider_payment_id, &fact.payment.charge);
    row.kind == PaymentKind::Payment
        && row.external_id.is_none()
        && (same(&row.payment_intent_id, &fact.payment.payment_intent) || same_charge)
        && undecided.contains(&row.status)
}

/// An attempt that brought no money. One that waited for the payer waits no more once the invoice is over.
fn settle_attempt(stored: &mut Stored, number: i64, fact: &AttemptFact) {
    let Some((at, amount)) = fact.failed.or(fact.needs_action) else { return };
    let begun = fact.needs_action.map_or(at, |(asked, _)| asked.min(at));
    let id = attempt_id(&stored.invoice, number);
    stored.payments.retain(|row| row.id != id);
    let mut row = new_payment(&stored.invoice, id, begun, Minor(amount.0.max(0)));
    let over = stored.invoice.paid_at.or(stored.invoice.voided_at);
    row.updated_at = at;
    match (fact.failed, over) {
        (Some(_), _) => {
            row.status = PaymentStatus::Failed;
            row.failed_at = Some(at);
            row.processed_at = Some(at);
            row.payment_intent_id.clone_from(&fact.payment_intent);
        }
        (None, Some(over)) => {
            row.status = PaymentStatus::Canceled;
            row.canceled_at = Some(over.max(at));
        }
        (None, None) => row.status = PaymentStatus::RequiresAction,
    }
    stored.payments.push(row);
}

fn attempt_id(invoice: &invoice::Model, number: i64) -> PaymentId {
    ids::derived(&[invoice.id.as_str(), PROVIDER, "attempt", &number.to_string()])
}

/// Why attempts failed. An attempt has a number and no name, its failure a name and no number, so each attempt gets the
/// failure that was told nearest to it.
fn explain_failures(stored: &mut Stored, facts: &Facts) {
    let failed = facts.attempts.iter().filter_map(|(number, fact)| Some((fact.failed?.0, *number, fact)));
    let mut failed: Vec<_> = failed.collect();
    failed.sort_by_key(|(at, number, _)| (*at, *number));
    let mut used = BTreeSet::new();
    for (at, number, attempt) in failed {
        let apart = |fact: &FailureFact| (fact.at.utc() - at.utc()).abs();
        let fits = |fact: &FailureFact| {
            let intent = attempt.payment_intent.as_ref();
            apart(fact) <= TOLD_APART && intent.is_none_or(|intent| *intent == fact.failure.payment_intent)
        };
        let unused = facts.failures.iter().filter(|(id, fact)| !used.contains(*id) && fits(fact));
        let Some((id, fact)) = unused.min_by_key(|(id, fact)| (apart(fact), fact.at, *id)) else { continue };
        used.insert(id);
        let row_id = attempt_id(&stored.invoice, number);
        let Some(row) = stored.payments.iter_mut().find(|row| row.id == row_id) else { continue };
        row.payment_intent_id = Some(fact.failure.payment_intent.clone());
        row.charge_id.clone_from(&fact.failure.charge);
        row.failure_code.clone_from(&fact.failure.code);
        row.failure_message.clone_from(&fact.failure.message);
    }
}

/// Money that Stripe counts and no row stands for: one row, until the payments themselves are told.
fn count_the_rest(stored: &mut Stored, facts: &Facts, id: PaymentId) {
    let Some(newest) = &facts.newest else { return };
    let counted = newest.amount_paid.unwrap_or_default().0;
    let rest = counted.saturating_sub(succeeded(&stored.payments, PaymentKind::Payment).0);
    if rest > 0 {
        let at = stored.invoice.paid_at.unwrap_or(newest.at);
        let mut row = new_payment(&stored.invoice, id, at, Minor(rest));
        row.status = PaymentStatus::Succeeded;
        row.amount_paid = Minor(rest);
        row.paid_at = Some(at);
        row.processed_at = Some(at);
        stored.payments.push(row);
    }
}

/// What the payments of a kind brought.
fn succeeded(payments: &[payment::Model], kind: PaymentKind) -> Minor {
    let rows = payments.iter().filter(|row| row.kind == kind && row.status == PaymentStatus::Succeeded);
    Minor(rows.fold(0_i64, |sum, row| sum.saturating_add(row.amount_paid.0)))
}

// ---- Refunds ----------------------------------------------------------------------------------------------------

/// What went back of each payment: refunds that we know of ourselves, those that Stripe named, and one row for what
/// neither explain.
fn settle_refunds(stored: &mut Stored, facts: &Facts) {
    let payments: Vec<PaymentId> =
        stored.payments.iter().filter(|row| is_money(row)).map(|row| row.id.clone()).collect();
    for id in payments {
        let Some(place) = stored.payments.iter().position(|row| row.id == id) else { continue };
        let mut paid = stored.payments.remove(place);
        let of_paid = Refunded::of(&mut paid, facts);
        if of_paid.charge.is_some() || !of_paid.named.is_empty() {
            of_paid.settle(stored, &mut paid);
        }
        stored.payments.push(paid);
    }
}

fn is_money(row: &payment::Model) -> bool {
    row.kind == PaymentKind::Payment && row.status == PaymentStatus::Succeeded
}

/// Whether this is the payment that a charge or an intent brought.
fn is_of(row: &payment::Model, charge: Option<&str>, intent: Option<&str>) -> bool {
    let same_charge = charge.is_some() && row.charge_id.as_deref() == charge;
    let same_intent = intent.is_some() && row.payment_intent_id.as_deref() == intent;
    is_money(row) && (same_charge || ((row.charge_id.is_none() || charge.is_none()) && same_intent))
}

fn is_of_charge(row: &payment::Model, charge: &str, news: &ChargeNews) -> bool {
    is_of(row, Some(charge), news.payment_intent.as_deref())
}

/// What was heard of the money that went back of one payment.
struct Refunded<'a> {
    charge: Option<&'a ChargeFact>,
    /// Refunds that Stripe named, the newest first.
    named: Vec<(&'a str, &'a RefundFact)>,
}

impl<'a> Refunded<'a> {
    fn of(paid: &mut payment::Model, facts: &'a Facts) -> Self {
        // A charge that failed belongs to the same intent; nothing ever goes back of it.
        let mut charges = facts.charges.iter().filter(|(_, fact)| fact.ever);
        let charge = charges.find(|(id, fact)| is_of_charge(paid, id, &fact.charge));
        let of_paid =
            |fact: &RefundFact| is_of(paid, fact.refund.charge.as_deref(), fact.refund.payment_intent.as_deref());
        let named = facts.refunds.iter().filter(|(_, fact)| of_paid(fact));
        let mut named: Vec<_> = named.map(|(id, fact)| (id.as_str(), fact)).collect();
        named.sort_by_key(|(id, fact)| Reverse((fact.refund.made_at, *id)));
        let of_refund = named.iter().filter_map(|(_, fact)| fact.refund.charge.clone()).max();
        paid.charge_id = paid.charge_id.take().or_else(|| charge.map(|(id, _)| id.clone())).or(of_refund);
        Self { charge: charge.map(|(_, fact)| fact), named }
    }

    fn settle(&self, stored: &mut Stored, paid: &mut payment::Model) {
        let rest_id: PaymentId = ids::derived(&[paid.id.as_str(), PROVIDER, "refund"]);
        let made_before =
            |row: &payment::Model| row.id == rest_id || self.named.iter().any(|(id, _)| is_named(row, paid, id));
        let (before, others): (Vec<_>, Vec<_>) = stored.payments.drain(..).partition(made_before);
        stored.payments = others;
        let own = stored.payments.iter().filter(|row| is_refund_of(row, paid));
        let own = own.fold(0_i64, |sum, row| sum.saturating_add(row.amount_paid.0));
        let mut left = self.limit(paid).saturating_sub(own);
        let mut gone = own;
        for (id, fact) in &self.named {
            let earlier = before.iter().find(|row| is_named(row, paid, id)).cloned();
            let is_own = earlier.as_ref().is_some_and(|row| row.id != named_id(paid, id));
            let counts = fact.refund.state == RefundState::Succeeded;
            if counts && fact.refund.amount.0 > left && !is_own {
                // One of ours without a name stands for it already.
                continue;
            }
            if counts {
                left = left.saturating_sub(fact.refund.amount.0);
                gone = gone.saturating_add(fact.refund.amount.0);
            }
            stored.payments.push(named_refund(stored, paid, (id, fact), earlier));
        }
        let rest = self.unexplained(paid, gone);
        if rest > 0 {
            let at = self.charge.map_or(paid.updated_at, |fact| fact.at);
            stored.payments.push(refund_row(stored, paid, rest_id, at, Minor(rest)));
        }
        paid.amount_refunded = Minor(gone.saturating_add(rest));
    }

    /// No more goes back than came, and no more than the charge says once it knows of every refund.
    fn limit(&self, paid: &payment::Model) -> i64 {
        let charge = self.charge.filter(|charge| self.named.iter().all(|(_, fact)| fact.at < charge.at));
        charge.map_or(paid.amount_paid.0, |fact| fact.charge.amount_refunded.0.min(paid.amount_paid.0))
    }

    /// What the charge says beyond the refunds that are known. It counts those that are under way, and those that
    /// failed afterwards. In the second of a failure it says the failure too, unless the refund is of that second as well:
    /// then what counts is the greater of what it said, which is from before.
    fn unexplained(&self, paid: &payment::Model, gone: i64) -> i64 {
        let Some(charge) = self.charge else { return 0 };
        let in_all = charge.charge.amount_refunded.0.min(paid.amount_paid.0);
        let elsewhere = self.named.iter().filter(|(_, fact)| match fact.refund.state {
            RefundState::Pending => true,
            RefundState::Succeeded => false,
            RefundState::Canceled | RefundState::Failed => {
                let made_then = fact.refund.made_at.is_none_or(|made| made >= charge.at);
                fact.at > charge.at || (fact.at == charge.at && made_then)
            }
        });
        let elsewhere = elsewhere.fold(0_i64, |sum, (_, fact)| sum.saturating_add(fact.refund.amount.0));
        in_all.saturating_sub(gone).saturating_sub(elsewhere).max(0)
    }
}

fn named_id(paid: &payment::Model, refund: &str) -> PaymentId {
    ids::derived(&[paid.id.as_str(), PROVIDER, "refund", refund])
}

/// Whether this row stands for a refund that Stripe names so.
fn is_named(row: &payment::Model, paid: &payment::Model, refund: &str) -> bool {
    let says = |id: &Option<String>| id.as_deref() == Some(refund);
    row.kind == PaymentKind::Refund
        && (row.id == named_id(paid, refund) || says(&row.external_id) || says(&row.provider_payment_id))
}

fn is_refund_of(row: &payment::Model, paid: &payment::Model) -> bool {
    row.kind == PaymentKind::Refund
        && row.status == PaymentStatus::Succeeded
        && row.refunded_payment_id.as_ref() == Some(&paid.id)
}

/// Money that went back of `paid`.
fn refund_row(stored: &Stored, paid: &payment::Model, id: PaymentId, at: Instant, amount: Minor) -> payment::Model {
    payment::Model {
        kind: PaymentKind::Refund,
        status: PaymentStatus::Succeeded,
        refunded_payment_id: Some(paid.id.clone()),
        reference_kind: paid.reference_kind,
        payment_intent_id: paid.payment_intent_id.clone(),
        charge_id: paid.charge_id.clone(),
        amount_paid: amount,
        paid_at: Some(at),
        processed_at: Some(at),
        ..new_payment(&stored.invoice, id, at, amount)
    }
}

/// A refund that Stripe names. One of ours with that name keeps its id and its making.
fn named_refund(
    stored: &Stored,
    paid: &payment::Model,
    (refund, fact): (&str, &RefundFact),
    own: Option<payment::Model>,
) -> payment::Model {
    let RefundNews { state, amount, made_at, failure, .. } = &fact.refund;
    let made_at = made_at.unwrap_or(fact.at);
    let id = named_id(paid, refund);
    let own = own.filter(|own| own.id != id);
    let row = own.unwrap_or_else(|| refund_row(stored, paid, id, made_at, *amount));
    let over = |when: bool| when.then_some(fact.at.max(made_at));
    let went = *state == RefundState::Succeeded;
    payment::Model {
        external_id: Some(refund.to_owned()),
        status: match state {
            RefundState::Pending => PaymentStatus::Pending,
            RefundState::Succeeded => PaymentStatus::Succeeded,
            RefundState::Canceled => PaymentStatus::Canceled,
            RefundState::Failed => PaymentStatus::Failed,
        },
        amount_paid: if went { *amount } else { Minor(0) },
        failure_code: failure.clone(),
        paid_at: went.then_some(made_at),
        processed_at: if went { Some(made_at) } else { over(*state != RefundState::Pending) },
        failed_at: over(*state == RefundState::Failed),
        canceled_at: over(*state == RefundState::Canceled),
        updated_at: fact.at.max(made_at),
        ..row
    }
}

// ---- The invoice ------------------------------------------------------------------------------------------------

/// The state: what Stripe says, unless the present one is further on or final. Money that came is not made void.
fn settle_status(row: &mut invoice::Model, payments: &[payment::Model], facts: &Facts) {
    if let Some(newest) = &facts.newest {
        let further = rank(newest.status) > rank(row.status);
        let paid = succeeded(payments, PaymentKind::Payment).0 > 0 || newest.amount_paid.unwrap_or_default().0 > 0;
        if further && !(newest.status == InvoiceStatus::Void && paid) {
            row.status = newest.status;
        }
    }
    settle_moments(row, facts);
    row.deleted_at = row.deleted_at.or(facts.deleted_at.filter(|_| row.status == InvoiceStatus::Draft));
    let own = facts.own.clone().unwrap_or_default();
    let newest = facts.newest.as_ref();
    row.due_at = own.due_at.or_else(|| newest.and_then(|newest| newest.due_at)).or(row.due_at);
    row.number = row.number.take().or_else(|| newest.and_then(|newest| newest.number.clone()));
    row.updated_at = row.updated_at.max(facts.last_event.unwrap_or(row.updated_at));
}

/// The moments of its states: its own, else what Stripe stated, else when it was first seen so. Stripe's are whole
/// seconds of another clock, so none comes before the one it follows.
fn settle_moments(row: &mut invoice::Model, facts: &Facts) {
    let own = facts.own.as_ref().map(|own| own.moments).unwrap_or_default();
    let moment = |of: fn(&super::Moments) -> Option<Instant>| of(&own).or(of(&facts.stated)).or(of(&facts.shown));
    let is = |status| row.status == status;
    let issued = (!is(InvoiceStatus::Draft)).then(|| moment(|at| at.finalized_at).unwrap_or(row.created_at));
    let issued = issued.map(|at| if own.finalized_at.is_some() { at } else { at.max(row.created_at) });
    let after = |at: Option<Instant>| at.zip(issued).map(|(at, issued)| at.max(issued));
    let paid = after(moment(|at| at.paid_at)).filter(|_| is(InvoiceStatus::Paid));
    let voided = after(moment(|at| at.voided_at)).filter(|_| is(InvoiceStatus::Void));
    row.uncollectible_at = after(moment(|at| at.uncollectible_at));
    row.finalized_at = issued;
    row.paid_at = paid;
    row.voided_at = voided;
}

/// What is due once credit notes took their part off, and what was paid and given back: sums of the rows, and never less
/// than the invoice said by itself.
fn settle_amounts(row: &mut invoice::Model, payments: &[payment::Model], facts: &Facts) {
    let own = facts.own.clone().unwrap_or_default();
    if let Some(charged) = own.charged {
        let credited = facts.newest.as_ref().and_then(|newest| newest.credited).unwrap_or_default().0.max(0);
        row.applied_credits = Minor(charged.applied_credits.0.saturating_add(credited));
        row.amount_due = Minor(charged.amount_due.0.saturating_sub(credited).max(0));
    }
    row.amount_paid = succeeded(payments, PaymentKind::Payment).max(own.amount_paid);
    row.amount_refunded = succeeded(payments, PaymentKind::Refund).max(own.amount_refunded);
    // Stripe calls it paid although less came through it: the rest was settled elsewhere.
    let elsewhere = facts.payments.values().any(|fact| fact.payment.outside)
        || (row.status == InvoiceStatus::Paid && amount_remaining(row).0 > 0);
    row.paid_out_of_band = own.paid_out_of_band || (row.status == InvoiceStatus::Paid && elsewhere);
}

// ---- The mirror -------------------------------------------------------------------------------------------------

pub(super) fn new_mirror(stored: &Stored) -> upstream_invoice::Model {
    upstream_invoice::Model {
        tenant_id: stored.invoice.tenant_id.clone(),
        invoice_id: stored.invoice.id.clone(),
        provider: PROVIDER.to_owned(),
        ..Default::default()
    }
}

pub(super) fn mirror(
    mut mirror: upstream_invoice::Model,
    stored: &Stored,
    told: &Told<'_>,
    news: &News,
    weight: Weight,
) -> upstream_invoice::Model {
    if mirror.stripe_invoice_id.is_none() {
        mirror.stripe_invoice_id = told.stripe_invoice.map(str::to_owned);
    }
    if mirror.stripe_account_id.is_none() {
        mirror.stripe_account_id = told.account.map(str::to_owned);
    }
    mirror.last_event_created = mirror.last_event_created.max(stored.facts.last_event);
    mirror.updated_at = mirror.updated_at.max(told.read_at.unwrap_or(told.at));
    if let Some(newest) = &stored.facts.newest {
        follow(&mut mirror, newest);
    }
    if told.read_at.is_some() {
        mirror.last_error_code = None;
        mirror.last_error_at = None;
        mirror.fetch_failures = 0;
    }
    if let News::Invoice { links, .. } = news {
        relink(&mut mirror, links, told, weight);
    }
    mirror
}

fn follow(mirror: &mut upstream_invoice::Model, newest: &Version) {
    mirror.upstream_status = Some(newest.status.word().to_ascii_lowercase());
    mirror.upstream_amount_due = newest.amount_due;
    mirror.upstream_amount_paid = newest.amount_paid;
    if newest.customer.is_some() {
        mirror.stripe_customer_id.clone_from(&newest.customer);
    }
}

/// The links are those of the newest version, unless they were read from Stripe later than that.
fn relink(mirror: &mut upstream_invoice::Model, links: &SnapshotLinks, told: &Told<'_>, weight: Weight) {
    let at = told.read_at.unwrap_or(told.at);
    if mirror.links_fetched_at.is_some_and(|read| read > at) || weight == Weight::Older {
        return;
    }
    let said = (links.hosted_invoice_url.clone(), links.invoice_pdf_url.clone());
    let kept = (mirror.hosted_invoice_url.take(), mirror.invoice_pdf_url.take());
    // Two versions of one second: whichever comes first, the same one stays.
    let same_moment = mirror.links_fetched_at == Some(at) && weight != Weight::Newest;
    let (hosted, pdf) = if same_moment { kept.max(said) } else { said };
    mirror.links_fetched_at = (hosted.is_some() || pdf.is_some()).then_some(at);
    mirror.hosted_invoice_url = hosted;
    mirror.invoice_pdf_url = pdf;
}

/// The receipt of a charge that is told of, and the invoice's: that of its newest payment, dropped when it is older
/// than what happened.
pub(super) fn receipts(stored: &mut Stored, told: &Told<'_>, news: &News, weight: Weight) {
    if weight == Weight::Older || !matches!(news, News::Charge { .. } | News::Payment { .. }) {
        return;
    }
    if let News::Charge { id, charge, receipt_url: Some(url) } = news {
        let rows = stored.payments.iter_mut().filter(|row| is_of_charge(row, id, charge));
        for row in rows.filter(|row| row.receipt_fetched_at <= Some(told.at)) {
            row.receipt_url = Some(url.clone());
            row.receipt_fetched_at = Some(told.at);
        }
    }
    let Some(mirror) = stored.mirror.as_mut().filter(|mirror| mirror.receipt_fetched_at <= Some(told.at)) else {
        return;
    };
    let paid = |row: &&payment::Model| row.kind == PaymentKind::Payment && row.status == PaymentStatus::Succeeded;
    let newest = stored.payments.iter().filter(paid).max_by_key(|row| (row.paid_at, row.id.clone()));
    mirror.receipt_url = newest.and_then(|row| row.receipt_url.clone());
    mirror.receipt_fetched_at = newest.and_then(|row| row.receipt_fetched_at);
}
