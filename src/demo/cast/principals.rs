//! Who may ask in the demo: one principal for each rule of access that is worth trying out.

use chrono::TimeDelta;
use entity::{CustomerId, SourceSystem, TenantId};

use super::people::people;
use crate::demo::person::{GRIDLIGHT, NORTHFOLD};
use crate::domain::viewer::{PrincipalKind, Scope, ScopeSet};

/// How long a demo token lasts: as long as a token may.
const DAY: TimeDelta = TimeDelta::hours(24);

/// What the company's own web client may do for a customer.
const CUSTOMER_SCOPES: [Scope; 8] = [
    Scope::InvoicesRead,
    Scope::InvoicesLinksRead,
    Scope::PaymentsRead,
    Scope::RentalsRead,
    Scope::RentalsConnectionRead,
    Scope::CustomersRead,
    Scope::CustomersPiiRead,
    Scope::WalletsRead,
];

/// What nobody but the company itself may do.
const MERCHANT_ONLY: [Scope; 4] =
    [Scope::InvoicesWrite, Scope::PaymentsWrite, Scope::TokensManage, Scope::DocumentsWrite];

/// Someone who asks: what a token is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// What the token picker lists it as; also the subject of its token.
    pub name: &'static str,
    /// One sentence for the token picker.
    pub description: &'static str,
    /// The sort of principal.
    pub kind: PrincipalKind,
    /// Whose rows it may see.
    pub tenant: TenantId,
    /// The customers it is limited to; absent means all of the tenant. Exactly one for a customer.
    pub customers: Option<Vec<CustomerId>>,
    /// What it may open.
    pub scopes: ScopeSet,
    /// How long its token lasts from the moment it is made; negative: it was over before it began.
    pub lifetime: TimeDelta,
}

/// Where a source document belongs when it is imported into the demo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportTarget {
    /// The system the document comes from.
    pub system: SourceSystem,
    /// The tenant it is imported to.
    pub tenant: TenantId,
    /// Whom it bills; absent where the document names its customer, who is then created.
    pub customer: Option<CustomerId>,
}

/// Every principal of the demo.
pub fn principals() -> Vec<Principal> {
    let people = people();
    let partner = Principal {
        name: "partner",
        description: "An integration that may read everything of Gridlight Compute and change nothing.",
        kind: PrincipalKind::Partner,
        tenant: GRIDLIGHT.id(),
        customers: None,
        scopes: without(&MERCHANT_ONLY),
        lifetime: DAY,
    };
    let like_partner = |name, description| Principal { name, description, ..partner.clone() };
    let merchant = Principal {
        kind: PrincipalKind::Merchant,
        scopes: Scope::ALL.into_iter().collect(),
        ..like_partner("merchant", "Gridlight Compute itself: everything of the company.")
    };
    let two = vec![people.brightwater.row.id, people.brightwater_canada.row.id];
    vec![
        Principal {
            kind: PrincipalKind::Customer,
            customers: Some(vec![people.mara.row.id]),
            scopes: CUSTOMER_SCOPES.into_iter().collect(),
            ..like_partner("customer", "Mara of Okonjo Vision in the web app: her own bills only.")
        },
        merchant.clone(),
        partner.clone(),
        Principal {
            scopes: without(&[MERCHANT_ONLY.as_slice(), &[Scope::PaymentsRead]].concat()),
            ..like_partner(
                "partner_without_payments",
                "The same integration without payments: they are refused, the rest answers.",
            )
        },
        Principal {
            scopes: without(&[MERCHANT_ONLY.as_slice(), &[Scope::InvoicesLinksRead]].concat()),
            ..like_partner(
                "partner_without_links",
                "The same integration without links: nothing to pay at, nothing to download.",
            )
        },
        Principal {
            customers: Some(two),
            ..like_partner(
                "partner_two_customers",
                "An accountant of the two Brightwater companies: all other customers do not exist.",
            )
        },
        Principal {
            name: "other_tenant",
            description: "Northfold Hosting, another company on the same gateway: sees nothing of Gridlight Compute.",
            tenant: NORTHFOLD.id(),
            ..merchant
        },
        Principal {
            lifetime: TimeDelta::hours(-1),
            ..like_partner("expired", "The integration with a token that ran out an hour ago: refused.")
        },
    ]
}

/// Where the five source documents belong: all to Gridlight Compute.
pub fn import_targets() -> [ImportTarget; 5] {
    let people = people();
    let target = |system, customer| ImportTarget { system, tenant: GRIDLIGHT.id(), customer };
    [
        target(SourceSystem::GpuOutlet, Some(people.mara.row.id)),
        target(SourceSystem::Paypercut, None),
        target(SourceSystem::Meteroid, None),
        target(SourceSystem::Userhub, Some(people.tobias.row.id)),
        target(SourceSystem::Hostup, None),
    ]
}

/// Every scope but some.
fn without(some: &[Scope]) -> ScopeSet {
    Scope::ALL.into_iter().filter(|scope| !some.contains(scope)).collect()
}
