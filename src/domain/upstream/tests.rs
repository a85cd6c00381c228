use chrono::DateTime;
use entity::{CurrencyCode, InvoiceEventId, PaymentKind, PaymentStatus, SourceSystem, line_item};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::audit::{self, Subject};
use crate::domain::bill::{Bill, BillLine, BillPayment};

const TOTAL: i64 = 1_000;

/// The second that lives begin at; our own clock is a little ahead of Stripe's.
const START: i64 = 1_781_481_600;

fn at(seconds: i64) -> Instant {
    Instant::new(DateTime::from_timestamp(START + seconds, 0).unwrap())
}

fn own_clock(millis: i64) -> Instant {
    Instant::new(DateTime::from_timestamp_millis(START * 1_000 + millis).unwrap())
}

/// What may happen to an invoice.
#[derive(Clone, Copy, Debug)]
enum Step {
    Update,
    Pay(i64),
    PayOutside,
    Fail,
    AskThePayer,
    GiveUp,
    Void,
    Refund(i64),
    RefundFails,
    Credit(i64),
    Announce,
}

/// A piece of news, with the event it comes in.
#[derive(Clone)]
struct Heard {
    event: String,
    at: Instant,
    remark: Option<&'static str>,
    news: News,
}

/// An invoice at Stripe, living.
struct Life {
    now: i64,
    snapshot: Snapshot,
    charges: Vec<Collected>,
    refunds: Vec<Returned>,
    failures: usize,
    heard: Vec<Heard>,
}

/// Money that came.
struct Collected {
    amount: i64,
    refunded: i64,
    outside: bool,
}

/// Money that went back.
struct Returned {
    charge: usize,
    amount: i64,
    made: i64,
    failed: bool,
}

impl Life {
    fn begin() -> Self {
        let snapshot = Snapshot {
            status: InvoiceStatus::Draft,
            amount_due: Some(Minor(TOTAL)),
            amount_paid: Some(Minor(0)),
            amount_remaining: Some(Minor(TOTAL)),
            credited: Some(Minor(0)),
            payment_intent: None,
            attempt_count: Some(0),
            number: None,
            customer: Some("cus_1".to_owned()),
            due_at: None,
            moments: Moments::default(),
        };
        let (charges, refunds) = (Vec::new(), Vec::new());
        let mut life = Self { now: 0, snapshot, charges, refunds, failures: 0, heard: Vec::new() };
        life.tell(None, None);
        life
    }

    fn finalize(&mut self) {
        self.snapshot.status = InvoiceStatus::Open;
        self.snapshot.number = Some("F-1".to_owned());
        self.snapshot.moments.finalized_at = Some(at(self.now));
        self.tell(None, None);
        self.tell(None, None);
    }

    fn hear(&mut self, remark: Option<&'static str>, news: News) {
        let event = format!("evt_{}", self.heard.len());
        self.heard.push(Heard { event, at: at(self.now), remark, news });
    }

    fn tell(&mut self, attempt: Option<Attempt>, remark: Option<&'static str>) {
        let draft = self.snapshot.status == InvoiceStatus::Draft;
        let link = (!draft).then(|| format!("https://invoice.stripe.com/i/{}", self.now));
        let links = SnapshotLinks { hosted_invoice_url: link.clone(), invoice_pdf_url: link };
        let snapshot = Box::new(self.snapshot.clone());
        self.hear(remark, News::Invoice { snapshot, links, attempt, deleted: false });
    }

    fn payable(&self) -> bool {
        matches!(self.snapshot.status, InvoiceStatus::Open | InvoiceStatus::Uncollectible)
    }

    fn remaining(&self) -> i64 {
        self.snapshot.amount_remaining.unwrap().0
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Update => {
                self.snapshot.due_at = Some(at(self.now + 100));
                self.tell(None, None);
            }
            Step::Pay(amount) if self.payable() => self.pay(amount.min(self.remaining()), false),
            Step::PayOutside if self.payable() => self.pay(self.remaining(), true),
            Step::Fail if self.payable() => self.attempt(Attempt::Failed),
            Step::AskThePayer if self.payable() => self.attempt(Attempt::NeedsAction),
            Step::GiveUp if self.snapshot.status == InvoiceStatus::Open => {
                self.snapshot.status = InvoiceStatus::Uncollectible;
                self.snapshot.moments.uncollectible_at = Some(at(self.now));
                self.tell(None, None);
            }
            Step::Void if self.payable() && self.snapshot.amount_paid == Some(Minor(0)) => {
                self.snapshot.status = InvoiceStatus::Void;
                self.snapshot.moments.voided_at = Some(at(self.now));
                self.snapshot.amount_remaining = Some(Minor(0));
                self.tell(None, None);
            }
            Step::Refund(amount) => self.refund(amount),
            Step::RefundFails => self.refund_fails(),
            Step::Credit(amount) if self.payable() => self.credit(amount.min(self.remaining())),
            Step::Announce => self.tell(None, Some("sent")),
            _ => {}
        }
    }

    fn attempt(&mut self, attempt: Attempt) {
        if attempt == Attempt::Failed {
            self.failures += 1;
            let charge = format!("ch_failed_{}", self.failures);
            let failure = FailureNews {
                payment_intent: "pi_failed".to_owned(),
                charge: Some(charge.clone()),
                code: Some("insufficient_funds".to_owned()),
                message: None,
            };
            self.hear(None, News::Failure { id: charge, failure });
        }
        self.snapshot.attempt_count = self.snapshot.attempt_count.map(|count| count + 1);
        self.tell(Some(attempt), None);
        self.tell(Some(attempt), None);
    }

    fn pay(&mut self, amount: i64, outside: bool) {
        if amount == 0 {
            return;
        }
        let number = self.charges.len();
        self.charges.push(Collected { amount, refunded: 0, outside });
        let payment = PaymentNews {
            amount: Minor(amount),
            paid_at: Some(at(self.now)),
            payment_intent: (!outside).then(|| format!("pi_{number}")),
            charge: None,
            outside,
        };
        self.hear(None, News::Payment { id: format!("inpay_{number}"), payment });
        self.snapshot.amount_paid = self.snapshot.amount_paid.map(|paid| Minor(paid.0 + amount));
        self.snapshot.amount_remaining = Some(Minor(self.remaining() - amount));
        self.tell(None, None);
        self.settle();
    }

    fn settle(&mut self) {
        if self.remaining() == 0 {
            self.snapshot.status = InvoiceStatus::Paid;
            self.snapshot.moments.paid_at = Some(at(self.now));
            self.tell(None, None);
            self.tell(None, None);
        }
    }

    fn credit(&mut self, amount: i64) {
        self.snapshot.credited = self.snapshot.credited.map(|credited| Minor(credited.0 + amount));
        self.snapshot.amount_due = self.snapshot.amount_due.map(|due| Minor(due.0 - amount));
        self.snapshot.amount_remaining = Some(Minor(self.remaining() - amount));
        self.tell(None, Some("credit_note_created"));
        self.settle();
    }

    fn refund(&mut self, amount: i64) {
        let Some(charge) = self.charges.len().checked_sub(1).filter(|last| !self.charges[*last].outside) else {
            return;
        };
        let amount = amount.min(self.charges[charge].amount - self.charges[charge].refunded);
        if amount == 0 {
            return;
        }
        self.charges[charge].refunded += amount;
        self.refunds.push(Returned { charge, amount, made: self.now, failed: false });
        self.tell_refund(self.refunds.len() - 1, RefundState::Succeeded);
    }

    /// Days later, in truth: within one second nobody can tell a refund that failed from one that nobody named.
    fn refund_fails(&mut self) {
        let Some(number) = self.refunds.iter().rposition(|refund| !refund.failed) else { return };
        self.now += 1;
        let refund = &mut self.refunds[number];
        refund.failed = true;
        self.charges[refund.charge].refunded -= refund.amount;
        self.tell_refund(number, RefundState::Failed);
        self.now += 1;
    }

    /// Every other refund is told of by its charge alone.
    fn tell_refund(&mut self, number: usize, state: RefundState) {
        let Returned { charge, amount, made, .. } = self.refunds[number];
        let intent = Some(format!("pi_{charge}"));
        let news = ChargeNews { amount_refunded: Minor(self.charges[charge].refunded), payment_intent: intent.clone() };
        self.hear(None, News::Charge { id: format!("ch_{charge}"), charge: news, receipt_url: None });
        if number.is_multiple_of(2) {
            let refund = RefundNews {
                state,
                amount: Minor(amount),
                made_at: Some(at(made)),
                charge: Some(format!("ch_{charge}")),
                payment_intent: intent,
                failure: (state == RefundState::Failed).then(|| "lost_or_stolen_card".to_owned()),
            };
            self.hear(None, News::Refund { id: format!("re_{number}"), refund });
        }
    }

    /// What went back in all.
    fn refunded(&self) -> i64 {
        self.charges.iter().map(|charge| charge.refunded).sum()
    }
}

/// Our own invoice, as it stands before Stripe says anything.
fn own(status: InvoiceStatus) -> Stored {
    let issued = status != InvoiceStatus::Draft;
    let invoice = invoice::Model {
        tenant_id: "ten_1".into(),
        id: "inv_1".into(),
        customer_id: "cus_1".into(),
        source_system: SourceSystem::Native,
        status,
        currency: CurrencyCode("USD".to_owned()),
        subtotal: Minor(TOTAL),
        total: Minor(TOTAL),
        amount_due: Minor(TOTAL),
        number: issued.then(|| "N-1".to_owned()),
        finalized_at: issued.then(|| own_clock(900)),
        created_at: own_clock(700),
        updated_at: own_clock(900),
        version: 1,
        ..Default::default()
    };
    Stored { invoice, ..Stored::default() }
}

fn pending(stored: &mut Stored) {
    stored.payments.push(payment::Model {
        tenant_id: "ten_1".into(),
        id: "pay_own".into(),
        invoice_id: "inv_1".into(),
        kind: PaymentKind::Payment,
        status: PaymentStatus::Pending,
        payment_intent_id: Some("pi_0".to_owned()),
        provider: "stripe".to_owned(),
        external_attributes: json!({}),
        created_at: own_clock(950),
        updated_at: own_clock(950),
        ..Default::default()
    });
}

/// How our own history begins.
fn begun(stored: &Stored) -> Vec<invoice_event::Model> {
    let entry = |from, to, at| invoice_event::Model {
        id: InvoiceEventId(format!("iev_{to:?}")),
        from_status: from,
        to_status: Some(to),
        occurred_at: at,
        ..Default::default()
    };
    let mut history = vec![entry(None, InvoiceStatus::Draft, stored.invoice.created_at)];
    if let Some(at) = stored.invoice.finalized_at {
        history.push(entry(Some(InvoiceStatus::Draft), InvoiceStatus::Open, at));
    }
    history
}

/// What is stored after everything was heard, in that order, with the history.
fn after<'a>(own: &Stored, heard: impl IntoIterator<Item = &'a Heard>) -> (Stored, Vec<invoice_event::Model>) {
    again_after(own.clone(), begun(own), heard)
}

fn again_after<'a>(
    mut stored: Stored,
    mut history: Vec<invoice_event::Model>,
    heard: impl IntoIterator<Item = &'a Heard>,
) -> (Stored, Vec<invoice_event::Model>) {
    for heard in heard {
        let change = reduce(&stored, &told(heard), &heard.news);
        stored = change.stored;
        let new = change.entries.into_iter().filter(|entry| !history.iter().any(|known| known.id == entry.id));
        let new: Vec<_> = new.collect();
        history.extend(new);
        assert_keeps_every_rule(&stored, &history);
    }
    (stored, history)
}

fn told(heard: &Heard) -> Told<'_> {
    Told {
        stripe_invoice: Some("in_1"),
        account: None,
        at: heard.at,
        read_at: None,
        source: EventSource::Webhook,
        event_id: Some(&heard.event),
        remark: heard.remark,
        now: at(10_000),
    }
}

fn assert_keeps_every_rule(stored: &Stored, history: &[invoice_event::Model]) {
    let line = line_item::Model { subtotal: Minor(TOTAL), amount: Minor(TOTAL), ..Default::default() };
    let bill = Bill {
        invoice: stored.invoice.clone(),
        lines: vec![BillLine { row: line, ..Default::default() }],
        payments: stored.payments.iter().map(|row| BillPayment { row: row.clone(), ..Default::default() }).collect(),
        ..Default::default()
    };
    let mut events = history.to_vec();
    events.sort_by_key(|entry| (entry.occurred_at, entry.id.clone()));
    let found = audit::breaches(&Subject { bill: &bill, events: &events, namesakes: 1 });
    assert_eq!(found, [], "{stored:#?}");
    let paid = super::super::invoice::amount_remaining(&stored.invoice).0 + stored.invoice.amount_paid.0;
    let due = stored.invoice.amount_due.0 + super::super::invoice::amount_overpaid(&stored.invoice).0;
    assert!(stored.invoice.status == InvoiceStatus::Void || paid == due);
}

fn life(finalized_after: i64, steps: &[(i64, Step)]) -> Life {
    let mut life = Life::begin();
    life.now += finalized_after;
    life.finalize();
    for (pause, step) in steps {
        life.now += pause;
        life.step(*step);
    }
    life
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Update),
        (1..=TOTAL).prop_map(Step::Pay),
        Just(Step::Pay(TOTAL)),
        Just(Step::PayOutside),
        Just(Step::Fail),
        Just(Step::AskThePayer),
        Just(Step::GiveUp),
        Just(Step::Void),
        (1..=TOTAL).prop_map(Step::Refund),
        (1..=TOTAL).prop_map(Step::Refund),
        Just(Step::RefundFails),
        (1..=TOTAL).prop_map(Step::Credit),
        Just(Step::Announce),
    ]
}

/// One that failed, beside one that has no name: the charge tells of the failure in the same second as the refund.
#[test]
fn a_refund_that_failed_is_taken_off_once_beside_one_without_a_name() {
    let refund = || (0, Step::Refund(1));
    let life = life(0, &[(0, Step::Pay(508)), refund(), refund(), refund(), (0, Step::RefundFails)]);
    let (ended, _) = after(&own(InvoiceStatus::Open), &life.heard);
    assert_eq!((ended.invoice.amount_refunded, life.refunded()), (Minor(2), 2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Invariants 1 to 7, 9, 10 and 11. The history may differ: it says in which order things were heard.
    #[test]
    fn every_order_and_multiplicity_ends_alike(
        finalized_after in 0..3_i64,
        steps in prop::collection::vec((0..3_i64, step()), 0..8),
        draft: bool,
        attempted: bool,
        picks in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        order in any::<u64>(),
    ) {
        let life = life(finalized_after, &steps);
        let mut own = own(if draft { InvoiceStatus::Draft } else { InvoiceStatus::Open });
        if attempted {
            pending(&mut own);
        }
        let (in_order, _) = after(&own, &life.heard);
        let mut shuffled: Vec<&Heard> = life.heard.iter().collect();
        shuffled.extend(picks.iter().map(|pick| pick.get(&life.heard)));
        shuffle(&mut shuffled, order);
        let (any_order, history) = after(&own, shuffled.iter().copied());
        prop_assert_eq!(&any_order, &in_order);
        prop_assert_eq!(in_order.invoice.status, life.snapshot.status);
        prop_assert_eq!(in_order.invoice.amount_paid, life.snapshot.amount_paid.unwrap());
        prop_assert_eq!(in_order.invoice.amount_due, life.snapshot.amount_due.unwrap());
        prop_assert_eq!(in_order.invoice.amount_refunded, Minor(life.refunded()));
        let explained = in_order.payments.iter().filter(|row| row.failure_code.as_deref() == Some("insufficient_funds"));
        prop_assert_eq!(explained.count(), life.failures);

        // Everything once more, as a replay does.
        let (replayed, _) = again_after(any_order.clone(), history.clone(), shuffled.iter().copied());
        prop_assert_eq!(&replayed, &any_order);
        let changes = history.iter().filter(|entry| entry.to_status.is_some()).count();
        let states: std::collections::BTreeSet<_> = history.iter().filter_map(|entry| entry.to_status).collect();
        prop_assert_eq!(changes, states.len());
    }

    /// An answer of Stripe at any point of any order leads to the same end, as long as all is heard.
    #[test]
    fn an_answer_in_between_ends_alike(
        steps in prop::collection::vec((1..3_i64, step()), 0..8),
        place in any::<prop::sample::Index>(),
        order in any::<u64>(),
    ) {
        let life = life(1, &steps);
        let own = own(InvoiceStatus::Open);
        let (in_order, _) = after(&own, &life.heard);
        let mut shuffled: Vec<&Heard> = life.heard.iter().collect();
        shuffle(&mut shuffled, order);
        let (early, late) = shuffled.split_at(place.index(shuffled.len()));
        let (stored, _) = after(&own, early.iter().copied());
        let answer = Told {
            at: stored.facts.last_event.unwrap_or(at(0)),
            read_at: Some(at(life.now + 1)),
            event_id: None,
            source: EventSource::Reconciler,
            ..told(&life.heard[0])
        };
        let links = SnapshotLinks::default();
        let news = News::Invoice { snapshot: Box::new(life.snapshot.clone()), links, attempt: None, deleted: false };
        let stored = reduce(&stored, &answer, &news).stored;
        prop_assert_eq!(stored.invoice.status, life.snapshot.status);
        prop_assert_eq!(stored.invoice.amount_paid, life.snapshot.amount_paid.unwrap());
        let mut ended = stored;
        for heard in late {
            ended = reduce(&ended, &told(heard), &heard.news).stored;
        }
        prop_assert_eq!(&ended.invoice, &in_order.invoice);
        prop_assert_eq!(&ended.payments, &in_order.payments);
    }
}

/// Fisher and Yates' shuffle with xorshift.
fn shuffle<T>(list: &mut [T], seed: u64) {
    let mut bits = seed | 1;
    for last in (1..list.len()).rev() {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        list.swap(last, usize::try_from(bits % (last as u64 + 1)).unwrap());
    }
}
