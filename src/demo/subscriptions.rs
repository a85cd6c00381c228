//! The subscriptions of the demo: reserved capacity, by the month.

use entity::{SourceSystem, subscription};
use serde_json::json;

use super::{
    calendar::on,
    people::{People, Person},
};
use crate::domain::bill;

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
    let tenant = &owner.row.tenant_id;
    subscription::Model {
        tenant_id: tenant.clone(),
        id: bill::imported(tenant, SourceSystem::Native, external_id),
        customer_id: owner.row.id.clone(),
        source_system: SourceSystem::Native,
        external_id: Some(external_id.to_owned()),
        status: Some("active".to_owned()),
        plan_name: Some(name.to_owned()),
        metadata: json!({ "plan": "reserved-h100", "term": "12 months" }),
        current_period_start: Some(on("2026-06-01T00:00:00Z")),
        current_period_end: Some(on("2026-07-01T00:00:00Z")),
        created_at: on("2026-04-28T16:00:00Z"),
        updated_at: on("2026-06-01T00:00:05Z"),
    }
}
