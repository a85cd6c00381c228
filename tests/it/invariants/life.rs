//! Random lives of two invoices: Stripe changes them, tells of it late, twice and in any order, and is asked in between.

use std::collections::VecDeque;

use billing_gateway::actions::apply_event::{Backoff, Work, apply_event};
use billing_gateway::actions::replay_events::replay_events;
use billing_gateway::actions::sync_invoice::{Sync, sync_invoice};
use billing_gateway::actions::take_event::{take_event, verify_event};
use billing_gateway::app::verify::{Progress, verify};
use billing_gateway::domain::actor::Actor;
use billing_gateway::domain::clock::Clock;
use billing_gateway::domain::viewer::Tenant;
use billing_gateway::http::Inbox;
use billing_gateway::links::Accounts;
use billing_gateway::store::Whose;
use billing_gateway::store::webhook_event::{self as inbox, Replay};
use billing_gateway::stripe::Deadline;
use chrono::TimeDelta;
use entity::{EventSource, Instant, InvoiceId, InvoiceStatus};
use fake_stripe::{Change, Event, FakeStripe, Invoice, State, signature};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sea_orm::{ConnectionTrait, TransactionTrait};

use crate::support::database::Engine;
use crate::support::hooks::{Hooks, SECRET, TOTAL, client_of};
use crate::verify::LOOSEN;

/// Lives on each engine: the whole module has to end within half a minute on two cores.
const CASES: [(Engine, u32); 2] = [(Engine::Sqlite, 9), (Engine::Postgres, 2)];

/// The two invoices at Stripe: one is open from the beginning, one a draft.
pub(crate) const AT_STRIPE: [&str; 2] = ["in_1", "in_2"];

/// What may happen next.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// To one of the invoices, at Stripe. What its state does not allow does not happen.
    Change(usize, Change),
    /// Some of the events that were not told yet come, in an order that the number decides, some of them twice.
    Deliver(u64),
    /// Stripe is asked about one of the invoices, as the reconciler and `syncInvoice` do.
    Sync(usize),
    /// Everything in the inbox is worked on again.
    Replay,
}

fn change() -> impl Strategy<Value = Change> {
    let pay = |amount: Option<i64>, out_of_band: bool| Change::Pay { amount, out_of_band };
    prop_oneof![
        3 => Just(Change::Finalize),
        3 => Just(pay(None, false)),
        2 => (1..TOTAL).prop_map(move |amount| pay(Some(amount), false)),
        1 => Just(pay(None, true)),
        1 => Just(Change::Overpay { by: 70 }),
        1 => Just(Change::Void),
        2 => Just(Change::MarkUncollectible),
        2 => Just(Change::Decline { code: "insufficient_funds".to_owned() }),
        1 => Just(Change::PaymentFailed),
        3 => (1..TOTAL).prop_map(|amount| Change::Refund { charge: None, amount: Some(amount) }),
        1 => Just(Change::RefundFails),
        2 => (1..TOTAL).prop_map(|amount| Change::Credit { amount }),
        1 => Just(Change::Dispute),
        1 => Just(Change::Announce { kind: "invoice.sent".to_owned() }),
    ]
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..2_usize, change()).prop_map(|(which, change)| Step::Change(which, change)),
        3 => any::<u64>().prop_map(Step::Deliver),
        1 => (0..2_usize).prop_map(Step::Sync),
        1 => Just(Step::Replay),
    ];
    prop::collection::vec(step, 6..16)
}

/// A store, a Stripe, and what is still on its way between them.
pub(crate) struct Life {
    pub(crate) hooks: Hooks,
    pub(crate) fake: FakeStripe,
    pub(crate) ids: [InvoiceId; 2],
    /// The states of both, after every step.
    pub(crate) seen: [Vec<InvoiceStatus>; 2],
    accounts: Accounts,
    told: usize,
    late: VecDeque<Event>,
    /// The time on both of our clocks.
    pub(crate) now: Instant,
}

impl Life {
    pub(crate) async fn begin(engine: Engine) -> Self {
        let hooks = Hooks::on(engine).await;
        let ids = [hooks.open("one", Some("in_1")).await, hooks.draft("two", Some("in_2")).await];
        let now = Clock::system().now();
        let invoices = [Invoice::open("in_1", TOTAL), Invoice::draft("in_2", TOTAL)].map(|it| it.of("cus_stripe"));
        let state = State { now: Some(now.utc().timestamp()), rate_per_second: 0, ..State::with(invoices) };
        let fake = FakeStripe::start(state).await.unwrap();
        let accounts = Accounts::new([(hooks.tenant.clone(), client_of(&fake))], None);
        let (seen, late) = ([Vec::new(), Vec::new()], VecDeque::new());
        Self { hooks, fake, ids, seen, accounts, told: 0, late, now }
    }

    /// Goes through all steps. Events that are left over are still on their way.
    pub(crate) async fn live(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Change(which, change) => {
                    let _not_allowed = self.fake.change(AT_STRIPE[*which], change);
                }
                Step::Deliver(order) => self.deliver(*order, true).await,
                Step::Sync(which) => self.sync(*which).await,
                Step::Replay => self.replay().await,
            }
            self.look().await;
        }
    }

    /// Everything comes that is still on its way.
    pub(crate) async fn end(&mut self) {
        self.deliver(7, false).await;
        self.look().await;
    }

    async fn look(&mut self) {
        for (id, seen) in self.ids.iter().zip(&mut self.seen) {
            seen.push(self.hooks.invoice(id).await.status);
        }
    }

    async fn deliver(&mut self, order: u64, some_late: bool) {
        let events = self.fake.events();
        self.late.extend(events.iter().skip(self.told).cloned());
        self.told = events.len();
        let mut due: Vec<Event> = self.late.drain(..).collect();
        shuffle(&mut due, order);
        let late = if some_late { due.len() / 3 } else { 0 };
        self.late.extend(due.drain(..late));
        let twice = due.clone().into_iter().step_by(2);
        due.extend(twice);
        for event in &due {
            self.take(event).await;
        }
        self.work().await;
    }

    pub(crate) async fn take(&self, event: &Event) {
        let body = event.body.to_string();
        let header = signature(&[SECRET], body.as_bytes(), self.now.utc().timestamp());
        let (store, system) = (&self.hooks.store, &self.hooks.inbox.system);
        let endpoint = ("default", &self.hooks.inbox.endpoints["default"]);
        let event = verify_event(endpoint, (body.as_bytes(), header.as_bytes()), self.now).unwrap();
        take_event(store, system, event).await.unwrap();
    }

    /// Works on the inbox until nothing is left but what waits for something to come.
    pub(crate) async fn work(&mut self) {
        let mut idle = 0;
        while idle < 4 {
            if self.work_once().await == 0 {
                idle += 1;
                self.now = Instant::new(self.now.utc() + TimeDelta::seconds(30));
            } else {
                idle = 0;
            }
        }
    }

    async fn work_once(&self) -> usize {
        let Hooks { store, inbox: Inbox { system, endpoints, .. }, .. } = &self.hooks;
        let tx = store.begin(Whose::Everyones).await.unwrap();
        let until = Instant::new(self.now.utc() + TimeDelta::seconds(20));
        let leased = inbox::lease(system, &tx, "life", &["default"], (self.now, until), 100).await.unwrap();
        tx.commit().await.unwrap();
        let work = Work {
            store,
            system,
            endpoint: &endpoints["default"],
            accounts: Some(&self.accounts),
            backoff: Backoff::default(),
            now: self.now,
            billing_now: self.now,
        };
        for event in &leased {
            apply_event(&work, event).await.unwrap();
        }
        leased.len()
    }

    async fn sync(&self, which: usize) {
        let (store, accounts) = (&self.hooks.store, &self.accounts);
        let deadline = Deadline::after(std::time::Duration::from_secs(5));
        let sync = Sync { store, accounts, deadline, now: self.now, source: EventSource::Reconciler, by: None };
        let tenant = Tenant::whole(self.hooks.tenant.clone());
        Box::pin(sync_invoice(&sync, &tenant, &self.ids[which])).await.unwrap();
    }

    /// Lets everything in the inbox be worked on again.
    pub(crate) async fn replay(&mut self) {
        for event in self.hooks.events().await {
            let which = Replay::Event(event.event_id);
            replay_events(&self.hooks.store, &self.hooks.inbox.system, &Actor::operator(), &which, self.now)
                .await
                .unwrap();
        }
        self.work().await;
    }

    /// Which of these rules the store breaks.
    pub(crate) async fn broken(&self, rules: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        let verified = verify(&self.hooks.store, |progress| {
            if let Progress::Violated(violation) = progress {
                found.push(format!("{}: {violation:?}", violation.rule));
            }
        });
        assert_eq!(verified.await.unwrap().invoices, 2);
        found.retain(|violation| rules.iter().any(|rule| violation.starts_with(rule)));
        found
    }

    /// Breaks rows by hand, past the checks of the schema. `$` is the id of the first invoice.
    pub(crate) async fn break_by_hand(&self, statement: &str) {
        let tx = self.hooks.database.connect().await.begin().await.unwrap();
        for (_, loosen) in LOOSEN.iter().filter(|(engine, _)| *engine == self.hooks.store.engine()) {
            tx.execute_unprepared(loosen).await.unwrap();
        }
        let done = tx.execute_unprepared(&statement.replace('$', &format!("'{}'", self.ids[0]))).await.unwrap();
        assert!(done.rows_affected() > 0, "{statement}");
        tx.commit().await.unwrap();
    }

    /// Stripe is another's from now on: its questions go there.
    pub(crate) fn ask(&mut self, fake: &FakeStripe) {
        self.accounts = Accounts::new([(self.hooks.tenant.clone(), client_of(fake))], None);
    }

    /// Every invoice, payment and entry of the history, to the last column. When the mirror was read is no part of it:
    /// Stripe may be asked again.
    pub(crate) async fn rows(&self) -> String {
        let mut rows = Vec::new();
        for id in &self.ids {
            let (invoice, payments) = (self.hooks.invoice(id).await, self.hooks.payments(id).await);
            let history = self.hooks.history(id).await;
            rows.push(format!("{invoice:#?}\n{payments:#?}\n{history:#?}"));
        }
        rows.join("\n")
    }
}

/// Lets `check` see random lives on both engines, fewer on the slower one. The same lives in every run.
pub(crate) fn for_random_lives(check: impl AsyncFn(Engine, Vec<Step>)) {
    for (engine, cases) in CASES {
        let config = Config { cases, max_shrink_iters: 60, failure_persistence: None, ..Config::default() };
        let chance = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let mut runner = TestRunner::new_with_rng(config, chance);
        let lived = runner.run(&steps(), |steps| {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(check(engine, steps));
            Ok(())
        });
        lived.unwrap_or_else(|failure| panic!("on {engine:?}: {failure}"));
    }
}

/// Fisher and Yates' shuffle with xorshift.
pub(crate) fn shuffle<T>(list: &mut [T], seed: u64) {
    let mut bits = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for last in (1..list.len()).rev() {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        list.swap(last, usize::try_from(bits % (last as u64 + 1)).unwrap());
    }
}
