//! Which accounts at Stripe are asked, how fast, and that keys, endpoints and tenants agree about real money.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use entity::{TenantId, tenant};

use super::AppError;
use super::config::{Fault, Faults, StoreConfig, StripeAccess, WebhookEndpoint};
use crate::actions::take_event::Owner;
use crate::domain::link::LinkHosts;
use crate::links::Accounts;
use crate::stats::StripeStats;
use crate::stripe::{ApiKey, StripeClient, StripeConfig};

/// Calls of a background command per second and endpoint. Servers share 20 of the 25 that Stripe allows; these are the
/// rest, so that requests do not wait for them.
const BACKGROUND_PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);

/// How fast accounts are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Behind requests: the share of one server.
    Live,
    /// Beside the servers: what they leave.
    Background,
}

/// The accounts that can be asked.
///
/// # Errors
/// [`AppError::Stripe`] when a client cannot be made.
pub fn accounts(
    access: &StripeAccess,
    hosts: &LinkHosts,
    pace: Pace,
    stats: &StripeStats,
) -> Result<Accounts, AppError> {
    let config = |key: &ApiKey| access.config(key, hosts, stats).map(|config| paced(config, pace));
    let mut own = Vec::new();
    for given in &access.own {
        let client = config(&given.key).map(StripeClient::new).transpose()?;
        own.extend(client.map(|client| (given.tenant.clone(), client)));
    }
    Ok(Accounts::new(own, access.platform.as_ref().and_then(config)))
}

fn paced(mut config: StripeConfig, pace: Pace) -> StripeConfig {
    if pace == Pace::Background {
        config.limits.rate_per_second = BACKGROUND_PER_SECOND;
        config.limits.replicas = NonZeroU32::MIN;
    }
    config
}

/// The hosts that links may lead to. A fake of Stripe on this machine gives links to itself.
pub fn link_hosts(store: &StoreConfig, access: &StripeAccess) -> LinkHosts {
    let hosts = store.link_hosts();
    match access.base.as_ref().filter(|_base| access.is_given()) {
        Some(base) => hosts.and_local(base.url()),
        None => hosts,
    }
}

/// That no key and no endpoint of a tenant is of the other mode than the tenant. A platform's key serves tenants of
/// both: those of the other mode are not asked about.
///
/// # Errors
/// [`AppError::Config`] with a fault for each that differs.
pub fn check_modes(
    access: &StripeAccess,
    endpoints: &BTreeMap<String, WebhookEndpoint>,
    tenants: &[tenant::Model],
) -> Result<(), AppError> {
    let differs = |tenant: &TenantId, live: bool| tenants.iter().any(|row| row.id == *tenant && row.livemode != live);
    let keys = access.own.iter().filter(|own| differs(&own.tenant, own.key.livemode())).map(|own| {
        let (key, bills, right) = words(own.key.livemode());
        let problem = format!(
            "is a {key} key, but {} has {bills} bills: give its {right} key, or name a tenant with {key} bills \
             (tenant list shows which are)",
            own.tenant
        );
        Fault { setting: own.setting.to_owned(), problem }
    });
    let endpoints = endpoints.iter().filter_map(|(name, endpoint)| {
        let Owner::Tenant(tenant) = &endpoint.owner else { return None };
        let (events, bills, _) = words(endpoint.livemode);
        let problem = format!(
            "takes {events} events, but {tenant} has {bills} bills: set its livemode to {}, or name a tenant with \
             {events} bills",
            !endpoint.livemode
        );
        let setting = format!("webhook_endpoints.{name}");
        differs(tenant, endpoint.livemode).then_some(Fault { setting, problem })
    });
    let faults: Vec<Fault> = keys.chain(endpoints).collect();
    if faults.is_empty() { Ok(()) } else { Err(Faults(faults).into()) }
}

/// What a mode is called, what the other one is called, and again for a key.
const fn words(live: bool) -> (&'static str, &'static str, &'static str) {
    if live { ("live", "test", "test") } else { ("test", "live", "live") }
}
