//! The subscriptions of the demo: reserved capacity, by the month.

use entity::subscription;

use super::people::People;
use crate::demo::{calendar::on, draft::reserved_plan, person::Person};

/// Every subscription of the demo.
#[derive(Clone, Debug)]
pub(super) struct Plans {
    /// Reserved H100, by Tidepool Genomics.
    pub(super) reserved: subscription::Model,
    /// The same at the other company.
    pub(super) hosting: subscription::Model,
}

/// Every subscription.
pub(super) fn plans(people: &People) -> Plans {
    Plans {
        reserved: plan(&people.tidepool, "sub_demo_reserved", "Reserved H100"),
        hosting: plan(&people.castor, "sub_demo_hosting", "Reserved H100, small"),
    }
}

fn plan(owner: &Person, external_id: &str, name: &str) -> subscription::Model {
    let month = [on("2026-06-01T00:00:00Z"), on("2026-07-01T00:00:00Z")];
    reserved_plan(owner, external_id, name, on("2026-04-28T16:00:00Z"), month)
}
