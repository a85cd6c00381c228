//! What becomes of an invoice after it was issued: attempts, payments, refunds, write-offs, in the order of time.

use chrono::TimeDelta;
use entity::Instant;

use super::{chance::Chance, habits::Habits};
use crate::demo::{calendar::after, draft::Draft};

/// Why cards are refused, the commonest first.
const REFUSALS: [&str; 6] =
    ["card_declined", "card_declined", "card_declined", "insufficient_funds", "insufficient_funds", "expired_card"];

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// An attempt was refused.
    Refused(&'static str),
    /// Everything that remained was paid.
    Paid,
    /// So many percent of what remained were paid.
    PaidPart(i64),
    /// So many percent of what remained were paid, which is more than all.
    PaidTooMuch(i64),
    /// Everything was paid by other means than Stripe.
    PaidElsewhere,
    /// A bank debit began, which takes five days.
    Debit,
    /// The bank asks the card's owner first.
    Action,
    Void,
    WrittenOff,
    /// So many percent of the first payment went back.
    Refunded(i64),
}

/// What becomes of an invoice, oldest first; what lies behind the end of the simulation does not happen.
#[derive(Clone, Debug)]
pub(super) struct Fate(Vec<(Instant, Step)>);

/// When an invoice is issued and due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) issued: Instant,
    pub(super) days: i64,
}

impl Fate {
    /// Draws a fate.
    pub(super) fn draw(chance: &mut Chance, habits: &Habits, terms: Terms, now: Instant) -> Self {
        let mut fate = Course { chance, at: terms.issued, steps: Vec::new() };
        let end = fate.end(habits, terms, now);
        match end {
            End::Void => fate.void(),
            End::GivenUp => fate.given_up(terms),
            End::Left => fate.refused_times(1, 1),
            End::Part => fate.paid_in_parts(terms),
            End::Action => fate.then(2, 90, Step::Action),
            End::Elsewhere => fate.paid_elsewhere(terms),
            End::Paid => fate.paid(habits, terms, now),
        }
        let mut steps = fate.steps;
        steps.retain(|(at, _)| *at <= now);
        Self(steps)
    }

    /// When everything was paid.
    pub(super) fn paid_at(&self) -> Option<Instant> {
        let paid = |step: &Step| matches!(step, Step::Paid | Step::PaidTooMuch(_) | Step::PaidElsewhere);
        self.0.iter().find(|(_, step)| paid(step)).map(|(at, _)| *at)
    }

    /// The issued invoice with everything that happened to it.
    pub(super) fn befall<'a>(&self, issued: Draft<'a>) -> Draft<'a> {
        self.0.iter().fold(issued, |draft, (at, step)| happen(draft, *at, *step))
    }
}

fn happen(draft: Draft<'_>, at: Instant, step: Step) -> Draft<'_> {
    let remaining = draft.remaining();
    match step {
        Step::Refused(code) => draft.declined(at, code),
        Step::Paid => draft.paid(at),
        Step::PaidPart(percent) => draft.paid_amount(at, (remaining * percent / 100).max(1)),
        Step::PaidTooMuch(percent) => draft.paid_amount(at, remaining * percent / 100 + 1),
        Step::PaidElsewhere => {
            let reference = format!("wire-{}-{}", at.utc().format("%Y%m%d"), draft.name);
            draft.paid_elsewhere(at, &reference)
        }
        Step::Debit => draft.debit_underway(at),
        Step::Action => draft.action_required(at),
        Step::Void => draft.void(at),
        Step::WrittenOff => draft.write_off(at),
        Step::Refunded(percent) => {
            let paid = draft.bill.invoice.amount_paid.0;
            match draft.first_success() {
                Some(place) => draft.refunded(at, place, (paid * percent / 100).max(1)),
                None => draft,
            }
        }
    }
}

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Paid,
    Void,
    GivenUp,
    /// Refused, and nobody did anything about it yet.
    Left,
    Part,
    Action,
    Elsewhere,
}

/// A fate in the making.
struct Course<'a> {
    chance: &'a mut Chance,
    at: Instant,
    steps: Vec<(Instant, Step)>,
}

impl Course<'_> {
    fn end(&mut self, habits: &Habits, terms: Terms, now: Instant) -> End {
        let age = (now.utc() - terms.issued.utc()).num_days();
        if habits.kind == "ghost" {
            return if age > 30 { End::GivenUp } else { End::Left };
        }
        let end = self.chance.mostly(
            End::Paid,
            &[
                (52, End::Void),
                (38, End::GivenUp),
                (85, End::Left),
                (35, End::Part),
                (20, End::Action),
                (20, End::Elsewhere),
            ],
        );
        // Nobody waits for ever.
        if age > 150 && matches!(end, End::Left | End::Action) { End::GivenUp } else { end }
    }

    /// The next step, so many minutes later.
    fn then(&mut self, from: i64, to: i64, step: Step) {
        let seconds = self.chance.between(from * 60, to * 60);
        self.at = after(self.at, TimeDelta::seconds(seconds));
        self.steps.push((self.at, step));
    }

    fn refused_times(&mut self, from: i64, to: i64) {
        for attempt in 0..self.chance.between(from, to) {
            let code = self.chance.any(&REFUSALS);
            let (from, to) = if attempt == 0 { (1, 2) } else { (1_200, 4_200) };
            self.then(from, to, Step::Refused(code));
        }
    }

    fn void(&mut self) {
        self.then(20, 3 * 1_440, Step::Void);
    }

    fn given_up(&mut self, terms: Terms) {
        self.refused_times(1, 3);
        self.at = after(terms.issued, TimeDelta::days(terms.days));
        self.then(20 * 1_440, 50 * 1_440, Step::WrittenOff);
        if self.chance.per_mille(100) {
            self.then(5 * 1_440, 60 * 1_440, Step::Paid);
        }
    }

    fn paid_in_parts(&mut self, terms: Terms) {
        self.refused_times(0, 1);
        let part = self.chance.between(20, 80);
        self.then(600, terms.days * 1_440, Step::PaidPart(part));
        if self.chance.per_mille(400) {
            self.then(1_440, 20 * 1_440, Step::Paid);
        }
    }

    fn paid_elsewhere(&mut self, terms: Terms) {
        self.then(1_440, (terms.days + 4) * 1_440, Step::PaidElsewhere);
    }

    fn paid(&mut self, habits: &Habits, terms: Terms, now: Instant) {
        if habits.by_mail {
            return self.debited(terms, now);
        }
        if self.chance.per_mille(220) {
            self.refused_times(1, 2);
            self.then(600, 5 * 1_440, Step::Paid);
        } else if self.chance.per_mille(350) {
            // By hand, around the day it is due.
            self.then(300, (terms.days + 2) * 1_440, Step::Paid);
        } else {
            let too_much = self.chance.per_mille(4);
            self.then(1, 3, if too_much { Step::PaidTooMuch(110) } else { Step::Paid });
        }
        self.refunds();
    }

    /// A bank debit is begun around the due date and takes five days.
    fn debited(&mut self, terms: Terms, now: Instant) {
        let days = self.chance.between(terms.days - 8, terms.days + 6);
        self.at = after(terms.issued, TimeDelta::days(days));
        let cleared = after(self.at, TimeDelta::days(5));
        if cleared <= now {
            self.at = cleared;
            self.then(1, 600, Step::Paid);
        } else {
            self.then(0, 0, Step::Debit);
        }
    }

    fn refunds(&mut self) {
        if !self.chance.per_mille(42) {
            return;
        }
        match self.chance.below(4) {
            0 | 1 => self.then(1_440, 20 * 1_440, Step::Refunded(100)),
            2 => {
                let part = self.chance.between(10, 90);
                self.then(1_440, 20 * 1_440, Step::Refunded(part));
            }
            _ => {
                self.then(1_440, 10 * 1_440, Step::Refunded(25));
                self.then(1_440, 10 * 1_440, Step::Refunded(40));
            }
        }
    }
}
