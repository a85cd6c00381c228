//! Rows that follow from facts. Everything here is computed anew each time, from the facts and from what the rows said
//! before anything was heard.

use std::collections::BTreeMap;

use entity::{
    Instant, InvoiceStatus, Minor, PaymentId, PaymentKind, PaymentReferenceKind, PaymentStatus, invoice, payment,
    upstream_invoice,
};
use serde_json::json;

use super::facts::{AttemptFact, ChargeFact, Facts, PaymentFact, Version, Weight, rank};
use super::{ChargeNews, News, SnapshotLinks, Stored, Told};
use crate::domain::ids;
use crate::domain::invoice::amount_remaining;

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
    settle_refunds(stored, &facts.charges);
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
    let id: PaymentId = ids::derived(&[stored.invoice.id.as_str(), PROVIDER, "attempt", &number.to_string()]);
    stored.payments.retain(|row| row.id != id);
    let mut row = new_payment(&stored.invoice, id, begun, Minor(amount.0.max(0)));
    let over = stored.invoice.paid_at.or(stored.invoice.voided_at);
    row.updated_at = at;
    match (fact.failed, over) {
        (Some(_), _) => {
            row.status = PaymentStatus::Failed;
            row.failed_at = Some(at);
            row.processed_at = Some(at);
        }
        (None, Some(over)) => {
            row.status = PaymentStatus::Canceled;
            row.canceled_at = Some(over.max(at));
        }
        (None, None) => row.status = PaymentStatus::RequiresAction,
    }
    stored.payments.push(row);
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

/// What went back of each payment, in all: refunds that we know of, and one row for what they do not explain.
fn settle_refunds(stored: &mut Stored, charges: &BTreeMap<String, ChargeFact>) {
    // A charge that failed belongs to the same intent; nothing goes back of it.
    for (id, fact) in charges.iter().filter(|(_, fact)| fact.charge.amount_refunded.0 > 0) {
        let place = stored.payments.iter().position(|row| is_of_charge(row, id, &fact.charge));
        let Some(place) = place else { continue };
        let mut paid = stored.payments.remove(place);
        paid.charge_id.get_or_insert_with(|| id.clone());
        refund(stored, &mut paid, fact);
        stored.payments.push(paid);
    }
}

fn is_of_charge(row: &payment::Model, charge: &str, news: &ChargeNews) -> bool {
    let same = row.charge_id.as_deref() == Some(charge)
        || (row.charge_id.is_none() && row.payment_intent_id.is_some() && row.payment_intent_id == news.payment_intent);
    same && row.kind == PaymentKind::Payment && row.status == PaymentStatus::Succeeded
}

fn refund(stored: &mut Stored, paid: &mut payment::Model, fact: &ChargeFact) {
    let id: PaymentId = ids::derived(&[paid.id.as_str(), PROVIDER, "refund"]);
    stored.payments.retain(|row| row.id != id);
    let of_paid = |row: &&payment::Model| {
        row.kind == PaymentKind::Refund
            && row.status == PaymentStatus::Succeeded
            && row.refunded_payment_id.as_ref() == Some(&paid.id)
    };
    let explained =
        stored.payments.iter().filter(of_paid).fold(0_i64, |sum, row| sum.saturating_add(row.amount_paid.0));
    // No more goes back than came.
    let in_all = fact.charge.amount_refunded.0.min(paid.amount_paid.0);
    let rest = in_all.saturating_sub(explained).max(0);
    paid.amount_refunded = Minor(explained.saturating_add(rest));
    if rest > 0 {
        let mut row = new_payment(&stored.invoice, id, fact.at, Minor(rest));
        row.kind = PaymentKind::Refund;
        row.status = PaymentStatus::Succeeded;
        row.refunded_payment_id = Some(paid.id.clone());
        row.reference_kind = paid.reference_kind;
        row.payment_intent_id.clone_from(&paid.payment_intent_id);
        row.charge_id.clone_from(&paid.charge_id);
        row.amount_paid = Minor(rest);
        row.paid_at = Some(fact.at);
        row.processed_at = Some(fact.at);
        stored.payments.push(row);
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

/// What was paid and given back: sums of the rows, and never less than the invoice said by itself.
fn settle_amounts(row: &mut invoice::Model, payments: &[payment::Model], facts: &Facts) {
    let own = facts.own.clone().unwrap_or_default();
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
