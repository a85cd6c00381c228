//! The demo world: two companies, their customers, rentals and bills, the same in every store and on every day.
//!
//! A pure function: no clock, no randomness, no I/O. Amounts, states and histories are derived by `draft`, so that
//! every bill keeps the rules of the domain; the tests hold all of them to it.

mod background;
mod calendar;
mod catalogue;
mod characters;
mod draft;
mod line;
mod overage;
mod people;
mod principals;
mod recipes;
mod rentals;
mod settle;
mod specials;
mod subscriptions;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::Datelike;
use entity::{Instant, InvoiceStatus, TenantId, customer, invoice_event, payment_method, rental, subscription, tenant};

pub use self::principals::{ImportTarget, Principal, import_targets, principals};
use self::{
    people::{GRIDLIGHT, NORTHFOLD, Person},
    recipes::Cast,
};
use crate::domain::bill::Bill;

/// The integer ids of native invoices start here, above those of imported ones.
const LEGACY_NUMBER_FIRST: i64 = 1_000_000_000;

/// Everything the demo store holds, but the five documents that are imported into it.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    /// The instant the world stands at: the billing clock of a demo server starts here.
    pub now: Instant,
    /// The companies.
    pub tenants: Vec<tenant::Model>,
    /// Their customers, parents before their subsidiaries.
    pub customers: Vec<customer::Model>,
    /// Stored means of payment; a bill carries the rows of those that its payments used.
    pub payment_methods: Vec<payment_method::Model>,
    /// Subscriptions; a bill made from one carries the same row.
    pub subscriptions: Vec<subscription::Model>,
    /// Rentals.
    pub rentals: Vec<rental::Model>,
    /// Invoices with everything under them, oldest first.
    pub invoices: Vec<DemoInvoice>,
}

/// An invoice of the demo.
#[derive(Clone, Debug, PartialEq)]
pub struct DemoInvoice {
    /// The name that examples and tests know it by; absent for those that only fill lists.
    pub character: Option<&'static str>,
    /// The bill, with every key set.
    pub bill: Bill,
    /// Its history, oldest first.
    pub events: Vec<invoice_event::Model>,
}

/// The demo world.
pub fn world() -> World {
    let people = people::people();
    let fleet = rentals::fleet(&people);
    let plans = subscriptions::plans(&people);
    let cast = Cast { people: &people, fleet: &fleet, plans: &plans };
    let mut invoices = characters::characters(cast);
    invoices.extend(specials::specials(cast));
    invoices.extend(background::background(cast));
    number(&mut invoices);
    World {
        now: calendar::now(),
        tenants: vec![GRIDLIGHT.row(), NORTHFOLD.row()],
        customers: people.all().map(|person| person.row.clone()).to_vec(),
        payment_methods: people.all().into_iter().flat_map(methods).collect(),
        subscriptions: vec![plans.reserved, plans.hosting],
        rentals: fleet.all(),
        invoices,
    }
}

fn methods(person: &Person) -> impl Iterator<Item = payment_method::Model> {
    std::iter::once(person.method.clone()).chain(person.spare.clone())
}

/// Puts invoices in the order they were made and gives them their numbers: an integer for each, and for issued ones
/// a text that counts from 1 every year, in the order of issue.
fn number(invoices: &mut [DemoInvoice]) {
    let made = |entry: &DemoInvoice| (entry.bill.invoice.created_at, entry.bill.invoice.id.clone());
    invoices.sort_by_key(made);
    let mut legacy: BTreeMap<TenantId, i64> = BTreeMap::new();
    for DemoInvoice { bill, .. } in invoices.iter_mut() {
        let next = legacy.entry(bill.invoice.tenant_id.clone()).or_insert(LEGACY_NUMBER_FIRST);
        bill.invoice.legacy_number = Some(*next);
        *next += 1;
    }
    let mut issued: Vec<_> = invoices.iter_mut().map(|entry| &mut entry.bill.invoice).collect();
    issued.retain(|invoice| invoice.status != InvoiceStatus::Draft);
    issued.sort_by_key(|invoice| (invoice.finalized_at, invoice.id.clone()));
    let mut counters: BTreeMap<(&str, i32), u32> = BTreeMap::new();
    for invoice in issued {
        let prefix = prefix(&invoice.tenant_id);
        let year = invoice.issue_date.year();
        let count = counters.entry((prefix, year)).or_default();
        *count += 1;
        invoice.number = Some(format!("{prefix}-{year}-{count:04}"));
    }
}

fn prefix(tenant: &TenantId) -> &'static str {
    let shops = [GRIDLIGHT, NORTHFOLD];
    let owner = shops.into_iter().find(|shop| shop.id() == *tenant);
    owner.unwrap_or(GRIDLIGHT).prefix
}
