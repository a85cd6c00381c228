//! The simulated customers of the demo: each by itself, from its number and the seed alone.

mod billing;
mod chance;
mod fate;
mod habits;
mod meter;
mod names;
mod people;
mod places;

use self::chance::Chance;
use super::{Books, Plan};

/// A customer with its rentals and its invoices, as they stand at the plan's instant.
pub(super) fn books(plan: &Plan, number: u32) -> Books {
    let customer = people::customer(plan, number);
    let story = meter::run(&customer, Chance::of(plan.seed, "meter", number), plan.now);
    let mut chance = Chance::of(plan.seed, "billing", number);
    let invoices = billing::invoices(&customer, &story, &mut chance, plan.now);
    Books {
        payment_methods: customer.person.methods().collect(),
        subscriptions: customer.reserved.iter().map(|(plan, _)| plan.clone()).collect(),
        rentals: story.rentals,
        invoices,
        customers: vec![customer.person.row],
    }
}
