//! What the fake knows: the state it was given, the events since, and who called.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use crate::change::{self, Change, ChangeError, Subject};
use crate::clock::{Clock, system_seconds};
use crate::error::Refusal;
use crate::event::{Event, Origin, previous_attributes};
use crate::fault::{Endpoint, Fault, FaultKind};
use crate::object::Writer;
use crate::state::{Invoice, Payment, Permission, State};

/// How many calls are remembered one by one.
const CALLS_MAX: usize = 10_000;

/// The time in which calls are counted against the limit.
const WINDOW: Duration = Duration::from_secs(1);

/// A call to the API, as it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// From 1 since the last reset.
    pub number: u64,
    /// What it asked.
    pub endpoint: Endpoint,
    /// `GET` or another.
    pub method: String,
    /// The path.
    pub path: String,
    /// What stands after the question mark.
    pub query: String,
    /// The key it showed.
    pub key: Option<String>,
    /// The header `Stripe-Account`.
    pub account: Option<String>,
    /// The header `Stripe-Version`.
    pub version: Option<String>,
    /// The header `User-Agent`.
    pub user_agent: Option<String>,
    /// What it was answered; absent while it was not.
    pub status: Option<u16>,
}

/// How often was called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All calls.
    pub total: u64,
    /// By endpoint.
    pub by_endpoint: BTreeMap<Endpoint, u64>,
    /// Calls at the same time, at most.
    pub in_flight_max: usize,
}

/// Who calls, and what it may read.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) account: String,
    pub(crate) permissions: Vec<Permission>,
}

/// Everything that changes.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) writer: Writer,
    pub(crate) clock: Clock,
    /// Oldest first.
    pub(crate) events: Vec<Event>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) calls: VecDeque<Call>,
    pub(crate) counts: Counts,
    in_flight: usize,
    recent: HashMap<(Endpoint, String), VecDeque<Instant>>,
    events_made: u64,
    run: i64,
    /// Who sends events as they happen.
    speaker: Option<UnboundedSender<Event>>,
}

impl World {
    /// The world of `state`, served at `own`.
    pub(crate) fn new(mut state: State, own: &str) -> Self {
        let clock = Clock::starting_at(state.now);
        state.settle(clock.now());
        Self {
            writer: Writer::new(&state, own),
            state,
            clock,
            events: Vec::new(),
            faults: Vec::new(),
            calls: VecDeque::new(),
            counts: Counts::default(),
            in_flight: 0,
            recent: HashMap::new(),
            events_made: 0,
            run: system_seconds(),
            speaker: None,
        }
    }

    /// The same world after another: ids of events go on where that one's ended.
    pub(crate) fn after(self, other: &Self) -> Self {
        Self { run: other.run, events_made: other.events_made, ..self }
    }

    /// The same world, whose events are sent as they happen.
    pub(crate) fn speaking(self, speaker: UnboundedSender<Event>) -> Self {
        Self { speaker: Some(speaker), ..self }
    }

    /// Who shows this key, for which account.
    pub(crate) fn authenticate(&self, key: Option<&str>, account: Option<&str>) -> Result<Caller, Refusal> {
        let known = self.state.keys.iter().find(|known| Some(known.key.as_str()) == key && !known.revoked);
        let known = known.ok_or_else(|| Refusal::unknown_key(key))?;
        let account = account.unwrap_or(&known.account);
        if account != known.account && !known.connected.iter().any(|connected| connected == account) {
            return Err(Refusal::foreign_account(account));
        }
        Ok(Caller { account: account.to_owned(), permissions: known.permissions.clone() })
    }

    /// Counts a call against the limit of its endpoint and account; false when it is one too many.
    pub(crate) fn within_rate(&mut self, endpoint: Endpoint, account: &str) -> bool {
        let limit = usize::try_from(self.state.rate_per_second).unwrap_or(usize::MAX);
        if limit == 0 {
            return true;
        }
        let now = Instant::now();
        let recent = self.recent.entry((endpoint, account.to_owned())).or_default();
        while recent.front().is_some_and(|earliest| now.duration_since(*earliest) >= WINDOW) {
            recent.pop_front();
        }
        let within = recent.len() < limit;
        if within {
            recent.push_back(now);
        }
        within
    }

    /// The fault that this call meets, counted down.
    pub(crate) fn fault(&mut self, endpoint: Endpoint) -> Option<FaultKind> {
        let met = |fault: &Fault| fault.endpoint.is_none_or(|at| at == endpoint);
        let index = self.faults.iter().position(met)?;
        let fault = self.faults.get_mut(index)?;
        let kind = fault.kind.clone();
        if let Some(times) = &mut fault.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                self.faults.remove(index);
            }
        }
        Some(kind)
    }

    /// Notes a call that begins.
    pub(crate) fn begin(&mut self, mut call: Call) -> u64 {
        self.in_flight = self.in_flight.saturating_add(1);
        self.counts.in_flight_max = self.counts.in_flight_max.max(self.in_flight);
        self.counts.total = self.counts.total.saturating_add(1);
        let count = self.counts.by_endpoint.entry(call.endpoint).or_default();
        *count = count.saturating_add(1);
        call.number = self.counts.total;
        self.calls.push_back(call);
        if self.calls.len() > CALLS_MAX {
            self.calls.pop_front();
        }
        self.counts.total
    }

    /// Notes that a call ended, with a status unless the caller went away.
    pub(crate) fn end(&mut self, number: u64, status: Option<u16>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(call) = self.calls.iter_mut().rev().find(|call| call.number == number) {
            call.status = status;
        }
    }

    /// Forgets all calls.
    pub(crate) fn reset_counts(&mut self) {
        self.calls.clear();
        self.counts = Counts { in_flight_max: self.in_flight, ..Counts::default() };
    }

    /// What `caller` sees.
    pub(crate) fn view<'a>(&'a self, caller: &'a Caller) -> View<'a> {
        View { world: self, caller }
    }

    /// Notes a read of an invoice's link, before it is written out.
    pub(crate) fn read_link(&mut self, id: &str) {
        if let Some(invoice) = self.state.invoice_mut(id) {
            invoice.link.read();
        }
    }

    /// Adds an invoice or replaces it, and tells when a new one was made.
    pub(crate) fn put(&mut self, invoice: Invoice) -> Vec<Event> {
        let id = invoice.id.clone();
        let known = self.state.invoice_mut(&id).map(|known| *known = invoice.clone()).is_some();
        if !known {
            self.state.invoices.push(invoice);
        }
        self.state.settle(self.clock.now());
        let told = vec![("invoice.created".to_owned(), Subject::Invoice)];
        if known { Vec::new() } else { self.tell(&id, told, &Value::Null) }
    }

    /// Lets something happen to an invoice, and gives the events that tell of it.
    pub(crate) fn change(&mut self, id: &str, change: &Change) -> Result<Vec<Event>, ChangeError> {
        let now = self.clock.now();
        let invoice = self.state.invoice_mut(id).ok_or(ChangeError::NoInvoice)?;
        let before = self.writer.invoice(invoice);
        let told = change::apply(invoice, change, now)?;
        let events = self.tell(id, told, &before);
        if *change == Change::Delete {
            self.state.invoices.retain(|invoice| invoice.id != id);
        }
        Ok(events)
    }

    fn tell(&mut self, id: &str, told: Vec<(String, Subject)>, before: &Value) -> Vec<Event> {
        let Some(invoice) = self.state.invoice(id).cloned() else { return Vec::new() };
        let origin = Origin {
            api_version: &self.state.api_version,
            livemode: self.state.livemode,
            account: &invoice.account,
            created: self.clock.now(),
            run: self.run,
        };
        let mut events = Vec::new();
        for (kind, subject) in told {
            let object = self.subject(&invoice, &subject);
            let previous = (kind == "invoice.updated").then(|| previous_attributes(before, &object));
            self.events_made = self.events_made.saturating_add(1);
            events.push(Event::snapshot(&origin, self.events_made, &kind, &object, previous.as_ref()));
        }
        for event in &events {
            self.keep(event.clone());
        }
        events
    }

    /// Keeps an event, and has it sent where events are sent to.
    fn keep(&mut self, event: Event) {
        // Without anyone who sends, events are only kept.
        let _nobody = self.speaker.as_ref().map(|speaker| speaker.send(event.clone()));
        self.events.push(event);
    }

    fn subject(&self, invoice: &Invoice, subject: &Subject) -> Value {
        let find = |found: &dyn Fn(&Payment) -> bool| invoice.payments.iter().find(|payment| found(payment));
        match subject {
            Subject::Invoice => self.writer.invoice(invoice),
            Subject::Payment(id) => find(&|payment| payment.id == *id)
                .map_or(Value::Null, |payment| self.writer.invoice_payment(invoice, payment)),
            Subject::Charge(id) => find(&|payment| payment.charge.as_ref() == Some(id))
                .map_or(Value::Null, |payment| self.writer.charge(invoice, payment)),
            Subject::Refund(id) => find(&|payment| payment.refunds.iter().any(|refund| refund.id == *id))
                .and_then(|payment| {
                    let refund = payment.refunds.iter().find(|refund| refund.id == *id)?;
                    Some(self.writer.refund(invoice, payment, refund))
                })
                .unwrap_or_default(),
            Subject::Failure { payment, charge, code } => find(&|known| known.id == *payment)
                .map_or(Value::Null, |payment| self.writer.declined(invoice, payment, charge, code)),
            Subject::CreditNote(id, amount) => self.writer.credit_note(invoice, id, *amount),
            Subject::Dispute(charge) => find(&|payment| payment.charge.as_ref() == Some(charge))
                .map_or(Value::Null, |payment| self.writer.dispute(invoice, payment)),
        }
    }

    /// Adds an event as somebody wrote it.
    pub(crate) fn write_event(&mut self, body: Value) -> Event {
        let origin = Origin {
            api_version: &self.state.api_version,
            livemode: self.state.livemode,
            account: &self.state.account,
            created: self.clock.now(),
            run: self.run,
        };
        let event = Event::written(&origin, body);
        self.keep(event.clone());
        event
    }

    /// Notes whether a webhook took an event.
    pub(crate) fn delivered(&mut self, id: &str, taken: bool) {
        for event in self.events.iter_mut().filter(|event| event.id == id) {
            event.delivered = Some(taken || event.delivered == Some(true));
        }
    }
}

/// What one caller sees: the objects of its account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    world: &'a World,
    caller: &'a Caller,
}

/// A payment of an invoice, written out.
#[derive(Clone, Debug)]
pub(crate) struct PaymentRow {
    pub(crate) id: String,
    pub(crate) created: i64,
    pub(crate) json: Value,
}

impl<'a> View<'a> {
    /// Refuses what the key may not read.
    pub(crate) fn may(&self, permission: Permission) -> Result<(), Refusal> {
        let may = self.caller.permissions.contains(&permission);
        if may { Ok(()) } else { Err(Refusal::forbidden(permission.name(), &self.caller.account)) }
    }

    pub(crate) fn invoices(self) -> impl Iterator<Item = &'a Invoice> {
        self.world.state.invoices.iter().filter(move |invoice| invoice.account == self.caller.account)
    }

    pub(crate) fn events(self) -> impl DoubleEndedIterator<Item = &'a Event> {
        self.world.events.iter().filter(move |event| event.account == self.caller.account)
    }

    pub(crate) fn invoice(self, id: &str) -> Option<Value> {
        self.invoices().find(|invoice| invoice.id == id).map(|invoice| self.world.writer.invoice(invoice))
    }

    /// Payments of an invoice, oldest first.
    pub(crate) fn payments(self, invoice: &str) -> Vec<PaymentRow> {
        let invoice = self.invoices().find(|known| known.id == invoice);
        let rows = invoice.into_iter().flat_map(|invoice| {
            invoice.payments.iter().map(|payment| PaymentRow {
                id: payment.id.clone(),
                created: payment.created.unwrap_or_default(),
                json: self.world.writer.invoice_payment(invoice, payment),
            })
        });
        rows.collect()
    }

    pub(crate) fn payment_intent(self, id: &str) -> Option<Value> {
        let (invoice, payment) = self.payment(|payment| payment.payment_intent.as_deref() == Some(id))?;
        Some(self.world.writer.payment_intent(invoice, payment))
    }

    pub(crate) fn charge(self, id: &str) -> Option<Value> {
        let (invoice, payment) = self.payment(|payment| payment.charge.as_deref() == Some(id))?;
        Some(self.world.writer.charge(invoice, payment))
    }

    fn payment(self, wanted: impl Fn(&Payment) -> bool) -> Option<(&'a Invoice, &'a Payment)> {
        self.invoices().find_map(|invoice| {
            invoice.payments.iter().find(|payment| wanted(payment)).map(|payment| (invoice, payment))
        })
    }
}
