//! The demo world: companies, their customers, rentals and bills, the same in every store and on every day.
//!
//! A pure function: no clock, no randomness of the machine, no I/O. Two parts make it: the cast, written by hand, with
//! the invoices that everything else refers to by name; and a population that is simulated, customer by customer.
//! Amounts, states and histories are derived by `draft`, so that every bill keeps the rules of the domain; the tests
//! hold all of them to it.

mod calendar;
mod cast;
mod catalogue;
mod draft;
mod line;
mod machine;
mod person;
mod population;
mod settle;
mod stripe;
#[cfg(test)]
mod tests;
mod usage;

use std::fmt;

use entity::{Instant, Json, TenantId, customer, invoice_event, payment_method, rental, subscription, tenant};

pub use self::cast::{ImportTarget, Principal, import_targets, principals};
use crate::domain::bill::Bill;

/// What a demo store is filled with. The same plan gives the same rows in every store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What chance starts from.
    pub seed: u64,
    /// How many customers are simulated beside the cast.
    pub customers: u32,
    /// How many companies share the store: 2 to [`Plan::TENANTS_MAX`].
    pub tenants: u32,
    /// The instant the simulation runs to, not before the cast's. The billing clock of a demo server starts here.
    pub now: Instant,
}

impl Plan {
    /// Names for numbers of customers.
    pub const SIZES: [(&'static str, u32); 4] = [("tiny", 8), ("small", 100), ("medium", 2_000), ("large", 20_000)];

    /// The most customers that can be simulated.
    pub const CUSTOMERS_MAX: u32 = 100_000;

    /// The most companies there are names for.
    pub const TENANTS_MAX: u32 = 10;

    /// The plan of so many customers that everyone starts with.
    pub fn of(customers: u32) -> Self {
        Self { seed: 42, customers, tenants: 2, now: calendar::now() }
    }

    /// The companies, the demo's own first.
    pub fn companies(&self) -> Vec<tenant::Model> {
        let count = usize::try_from(self.tenants).unwrap_or_default();
        person::SHOPS.iter().take(count).map(person::Shop::row).collect()
    }

    /// What a fake of Stripe is to know, so that it tells the same story as the store: a state of `fake-stripe`.
    pub fn stripe_state(&self) -> Json {
        let simulated = (0..self.customers).map(|number| self.customer(number));
        stripe::state(self, &std::iter::once(cast()).chain(simulated).collect::<Vec<_>>())
    }

    /// Whether a tenant is one of the companies that demos have.
    pub fn has_company(tenant: &TenantId) -> bool {
        person::SHOPS.iter().any(|shop| shop.id() == *tenant)
    }

    /// What is simulated of the customer with this number, from 0: independent of all others, so that a large demo
    /// begins with the customers of a small one.
    pub fn customer(&self, number: u32) -> Books {
        population::books(self, number)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, customers, tenants, now } = self;
        let now = calendar::text(*now);
        write!(f, "(seed {seed}, {customers} customers, {tenants} tenants, until {now})")
    }
}

/// Customers with everything that is theirs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Books {
    /// Customers, parents before their subsidiaries.
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

/// The instant at which the cast stands, before which no plan ends.
pub fn cast_now() -> Instant {
    calendar::now()
}

/// The cast: everything that is written by hand.
pub fn cast() -> Books {
    cast::books()
}

impl Books {
    /// Adds what is another's.
    pub fn extend(&mut self, other: Self) {
        self.customers.extend(other.customers);
        self.payment_methods.extend(other.payment_methods);
        self.subscriptions.extend(other.subscriptions);
        self.rentals.extend(other.rentals);
        self.invoices.extend(other.invoices);
    }
}
