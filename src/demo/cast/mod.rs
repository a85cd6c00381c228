//! The hand-made part of the demo: people, rentals and invoices that tests, examples and documentation name.

mod background;
mod characters;
mod people;
mod principals;
mod recipes;
mod rentals;
mod specials;
mod subscriptions;

use std::collections::BTreeMap;

use chrono::Datelike;
use entity::{InvoiceStatus, TenantId};

pub use self::principals::{ImportTarget, Principal, import_targets, principals};
use self::recipes::Cast;
use super::{
    Books, DemoInvoice,
    person::{GRIDLIGHT, SHOPS},
};

/// The integer ids of native invoices start here, above those of imported ones.
const LEGACY_NUMBER_FIRST: i64 = 1_000_000_000;

/// Everything that is written by hand, invoices oldest first.
pub(super) fn books() -> Books {
    let people = people::people();
    let fleet = rentals::fleet(&people);
    let plans = subscriptions::plans(&people);
    let cast = Cast { people: &people, fleet: &fleet, plans: &plans };
    let mut invoices = characters::characters(cast);
    invoices.extend(specials::specials(cast));
    invoices.extend(background::background(cast));
    number(&mut invoices);
    Books {
        customers: people.all().map(|person| person.row.clone()).to_vec(),
        payment_methods: people.all().into_iter().flat_map(super::person::Person::methods).collect(),
        subscriptions: vec![plans.reserved, plans.hosting],
        rentals: fleet.all(),
        invoices,
    }
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
    SHOPS.into_iter().find(|shop| shop.id() == *tenant).unwrap_or(GRIDLIGHT).prefix
}
