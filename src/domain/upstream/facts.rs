//! What was heard of an invoice at Stripe, joined.
//!
//! Every field is joined by a rule that does not care about order or repetition: the earliest of two moments, the
//! newest of two versions, the union of two maps. So the facts are a function of the set of what was heard, and
//! whatever follows from them is one too.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use entity::{Instant, InvoiceStatus, Minor, invoice};
use serde::{Deserialize, Serialize};

use super::{Attempt, ChargeNews, FailureNews, Moments, News, PaymentNews, RefundNews, Snapshot, Told};

/// Everything that was heard of one invoice at Stripe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Facts {
    /// What the invoice said before anything was heard. It stands.
    pub(super) own: Option<Own>,
    /// What Stripe says now, as far as is known.
    pub(super) newest: Option<Version>,
    /// The earliest moments that Stripe stated.
    pub(super) stated: Moments,
    /// The earliest moments at which something showed that a state was reached, for those that are not stated.
    pub(super) shown: Moments,
    /// The latest event.
    pub(super) last_event: Option<Instant>,
    /// When the draft went away.
    pub(super) deleted_at: Option<Instant>,
    /// Money that came, by Stripe's id of the payment.
    pub(super) payments: BTreeMap<String, PaymentFact>,
    /// Attempts that did not bring money, by their number.
    pub(super) attempts: BTreeMap<i64, AttemptFact>,
    /// Money that went back, by charge.
    pub(super) charges: BTreeMap<String, ChargeFact>,
    /// The same by refund, as far as refunds are told one by one.
    pub(super) refunds: BTreeMap<String, RefundFact>,
    /// Why attempts did not bring money.
    pub(super) failures: BTreeMap<String, FailureFact>,
}

/// What only the invoice's own row said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Own {
    pub(super) moments: Moments,
    pub(super) due_at: Option<Instant>,
    pub(super) paid_out_of_band: bool,
    pub(super) amount_paid: Minor,
    pub(super) amount_refunded: Minor,
    /// Absent in facts that were kept before credit notes were looked at: those take nothing off then.
    pub(super) charged: Option<Charged>,
}

/// What an invoice asks for, before credit notes of Stripe's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Charged {
    pub(super) applied_credits: Minor,
    pub(super) amount_due: Minor,
}

impl Own {
    pub(super) fn of(row: &invoice::Model) -> Self {
        Self {
            moments: Moments {
                finalized_at: row.finalized_at,
                paid_at: row.paid_at,
                voided_at: row.voided_at,
                uncollectible_at: row.uncollectible_at,
            },
            due_at: row.due_at,
            paid_out_of_band: row.paid_out_of_band,
            amount_paid: row.amount_paid,
            amount_refunded: row.amount_refunded,
            charged: Some(Charged { applied_credits: row.applied_credits, amount_due: row.amount_due }),
        }
    }
}

/// The invoice at Stripe at one moment. The greatest is the newest: fields compare in the order they stand, state
/// before time because states only go upwards while times are whole seconds. An amount that was paid only grows, and
/// what was credited mostly does, so they decide among versions of one second; what stands behind them makes the order
/// total.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Version {
    pub(super) rank: u8,
    /// When Stripe said so.
    pub(super) at: Instant,
    /// When it was read, if it was asked for; an answer stands above events of its second.
    pub(super) read_at: Option<Instant>,
    pub(super) amount_paid: Option<Minor>,
    #[serde(default)]
    pub(super) credited: Option<Minor>,
    pub(super) amount_due: Option<Minor>,
    pub(super) status: InvoiceStatus,
    pub(super) due_at: Option<Instant>,
    pub(super) number: Option<String>,
    pub(super) customer: Option<String>,
}

/// How far an invoice is in its life. Two different states of one rank exclude each other.
pub(super) const fn rank(status: InvoiceStatus) -> u8 {
    match status {
        InvoiceStatus::Draft => 0,
        InvoiceStatus::Open => 1,
        InvoiceStatus::Uncollectible => 2,
        InvoiceStatus::Paid | InvoiceStatus::Void => 3,
    }
}

impl Version {
    fn of(snapshot: &Snapshot, told: &Told<'_>) -> Self {
        Self {
            rank: rank(snapshot.status),
            at: told.at,
            read_at: told.read_at,
            amount_paid: snapshot.amount_paid,
            amount_due: snapshot.amount_due,
            status: snapshot.status,
            due_at: snapshot.due_at,
            number: snapshot.number.clone(),
            customer: snapshot.customer.clone(),
            credited: snapshot.credited,
        }
    }

    /// Whether nobody can tell from the two which one is newer.
    fn is_tie(&self, other: &Self) -> bool {
        self != other && (self.rank, self.at, self.read_at) == (other.rank, other.at, other.read_at)
    }
}

/// Money that came: the earliest that was told of it, and the greatest of what was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PaymentFact {
    pub(super) at: Instant,
    pub(super) payment: PaymentNews,
}

/// An attempt that did not bring money: the earliest word of each sort.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct AttemptFact {
    pub(super) failed: Option<(Instant, Minor)>,
    pub(super) needs_action: Option<(Instant, Minor)>,
    pub(super) payment_intent: Option<String>,
}

/// What went back of a charge, in all. The greatest of two is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChargeFact {
    pub(super) at: Instant,
    pub(super) charge: ChargeNews,
    /// Whether anything ever went back, be it that it came again.
    #[serde(default)]
    pub(super) ever: bool,
}

/// What became of a refund: the furthest of what was told, and of that the latest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RefundFact {
    pub(super) at: Instant,
    pub(super) refund: RefundNews,
}

impl RefundFact {
    const fn weight(&self) -> (super::RefundState, Instant, &RefundNews) {
        (self.refund.state, self.at, &self.refund)
    }
}

/// Why an attempt brought no money: the earliest word of it, and the greatest of what was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FailureFact {
    pub(super) at: Instant,
    pub(super) failure: FailureNews,
}

/// What a piece of news was to the facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// It is what Stripe says now.
    Newest,
    /// It is exactly as new as what was known, and says the same.
    Same,
    /// It is exactly as new, and says something else: only Stripe knows.
    Tie,
    /// Something newer is known; it only adds what was not known.
    Older,
}

impl Facts {
    /// Forgets what the invoice itself said. Whoever writes its row by other means than [`reduce`](super::reduce) calls
    /// this, so that the new row counts as what it says by itself.
    pub fn forget_own(&mut self) {
        self.own = None;
    }

    pub(super) fn join(&mut self, told: &Told<'_>, news: &News) -> Weight {
        if told.read_at.is_none() {
            self.last_event = self.last_event.max(Some(told.at));
        }
        match news {
            News::Invoice { snapshot, attempt, deleted, .. } => {
                self.join_attempt(told, snapshot, *attempt);
                if *deleted {
                    self.deleted_at = earliest(self.deleted_at, Some(told.at));
                }
                self.join_snapshot(told, snapshot)
            }
            News::Payment { id, payment } => self.join_payment(told, id, payment),
            News::Charge { id, charge, .. } => self.join_charge(told, id, charge),
            News::Refund { id, refund } => self.join_refund(told, id, refund),
            News::Failure { id, failure } => self.join_failure(told, id, failure),
            News::Remark => Weight::Same,
        }
    }

    fn join_snapshot(&mut self, told: &Told<'_>, snapshot: &Snapshot) -> Weight {
        self.stated = self.stated.earliest(&snapshot.moments);
        self.shown = self.shown.earliest(&shown(snapshot.status, told.read_at.unwrap_or(told.at)));
        let version = Version::of(snapshot, told);
        let weight = match &self.newest {
            Some(newest) if version == *newest => Weight::Same,
            Some(newest) if version.is_tie(newest) => Weight::Tie,
            Some(newest) if version < *newest => Weight::Older,
            _ => Weight::Newest,
        };
        self.newest = self.newest.take().max(Some(version));
        weight
    }

    fn join_payment(&mut self, told: &Told<'_>, id: &str, payment: &PaymentNews) -> Weight {
        let Some(known) = self.payments.get_mut(id) else {
            self.payments.insert(id.to_owned(), PaymentFact { at: told.at, payment: payment.clone() });
            return Weight::Newest;
        };
        known.at = known.at.min(told.at);
        if *payment > known.payment {
            known.payment = payment.clone();
        }
        Weight::Same
    }

    fn join_charge(&mut self, told: &Told<'_>, id: &str, charge: &ChargeNews) -> Weight {
        let fact = ChargeFact { at: told.at, charge: charge.clone(), ever: charge.amount_refunded.0 > 0 };
        let Some(known) = self.charges.get_mut(id) else {
            self.charges.insert(id.to_owned(), fact);
            return Weight::Newest;
        };
        let ever = known.ever || fact.ever;
        let weight = match (fact.at, &fact.charge).cmp(&(known.at, &known.charge)) {
            Ordering::Equal => Weight::Same,
            Ordering::Less => Weight::Older,
            Ordering::Greater => Weight::Newest,
        };
        if weight == Weight::Newest {
            *known = fact;
        }
        known.ever = ever;
        weight
    }

    fn join_refund(&mut self, told: &Told<'_>, id: &str, refund: &RefundNews) -> Weight {
        let fact = RefundFact { at: told.at, refund: refund.clone() };
        let weight = match self.refunds.get(id).map(|known| fact.weight().cmp(&known.weight())) {
            Some(Ordering::Equal) => Weight::Same,
            Some(Ordering::Less) => Weight::Older,
            Some(Ordering::Greater) | None => Weight::Newest,
        };
        if weight == Weight::Newest {
            self.refunds.insert(id.to_owned(), fact);
        }
        weight
    }

    fn join_failure(&mut self, told: &Told<'_>, id: &str, failure: &FailureNews) -> Weight {
        let Some(known) = self.failures.get_mut(id) else {
            self.failures.insert(id.to_owned(), FailureFact { at: told.at, failure: failure.clone() });
            return Weight::Newest;
        };
        known.at = known.at.min(told.at);
        if *failure > known.failure {
            known.failure = failure.clone();
        }
        Weight::Same
    }

    fn join_attempt(&mut self, told: &Told<'_>, snapshot: &Snapshot, attempt: Option<Attempt>) {
        let Some(attempt) = attempt else { return };
        // Without a number, attempts are told apart by their second.
        let number = snapshot.attempt_count.unwrap_or_else(|| told.at.utc().timestamp());
        let said = Some((told.at, snapshot.amount_remaining.unwrap_or_default()));
        let fact = self.attempts.entry(number).or_default();
        fact.payment_intent = fact.payment_intent.take().max(snapshot.payment_intent.clone());
        match attempt {
            Attempt::Failed => fact.failed = earliest(fact.failed, said),
            Attempt::NeedsAction => fact.needs_action = earliest(fact.needs_action, said),
        }
    }
}

impl Moments {
    fn earliest(self, other: &Self) -> Self {
        Self {
            finalized_at: earliest(self.finalized_at, other.finalized_at),
            paid_at: earliest(self.paid_at, other.paid_at),
            voided_at: earliest(self.voided_at, other.voided_at),
            uncollectible_at: earliest(self.uncollectible_at, other.uncollectible_at),
        }
    }
}

/// What an invoice in a state shows at a moment: that it was in this state by then.
fn shown(status: InvoiceStatus, at: Instant) -> Moments {
    let when = |shows: bool| shows.then_some(at);
    Moments {
        finalized_at: when(status != InvoiceStatus::Draft),
        paid_at: when(status == InvoiceStatus::Paid),
        voided_at: when(status == InvoiceStatus::Void),
        uncollectible_at: when(status == InvoiceStatus::Uncollectible),
    }
}

fn earliest<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
