//! Which accounts at Stripe are asked, and how.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use entity::TenantId;

use super::check::{Check, text};
use super::{Given, Settings, env};
use crate::app::jobs::reconciler::Intervals;
use crate::domain::link::LinkHosts;
use crate::stats::StripeStats;
use crate::stripe::{ApiKey, BaseUrl, StripeConfig, StripeLimits};

/// Stripe itself.
const BASE_URL: &str = "https://api.stripe.com";

/// An open invoice that was not heard of for six hours has probably lost a webhook.
const RECONCILE_MINUTES: u64 = 360;

/// Whoever just paid looks again within minutes.
const PAYING_MINUTES: u64 = 2;

/// A week.
const RECONCILE_MINUTES_MAX: u64 = 10_080;

/// More than a person clicks in a minute.
const PAY_LINKS_PER_MINUTE: u64 = 30;

/// What Stripe allows a whole account in a minute is 1,500.
const PAY_LINKS_PER_MINUTE_MAX: u64 = 1_500;

/// Replicas that share an account, at most.
const REPLICAS_MAX: u64 = 100;

/// The key of a tenant with an account of its own.
#[derive(Clone, Debug)]
pub struct OwnKey {
    /// The tenant.
    pub tenant: TenantId,
    /// Its key.
    pub key: ApiKey,
    /// The setting it comes from.
    pub setting: &'static str,
}

/// Accounts at Stripe.
#[derive(Clone, Debug)]
pub struct StripeAccess {
    /// Keys of tenants with accounts of their own.
    pub own: Vec<OwnKey>,
    /// A Connect platform's key, which opens the account that an invoice's mirror names.
    pub platform: Option<ApiKey>,
    /// Where the API is; absent only while settings are wrong.
    pub base: Option<BaseUrl>,
    /// How many replicas share the accounts' limits.
    pub replicas: NonZeroU32,
    /// Pay links that one caller may have read in a minute.
    pub pay_links_per_minute: NonZeroU32,
    /// When open invoices are asked for, whose webhooks may have been lost.
    pub reconcile: Intervals,
}

impl StripeAccess {
    /// Whether there is anyone to ask.
    pub const fn is_given(&self) -> bool {
        !self.own.is_empty() || self.platform.is_some()
    }

    /// What a client of a key needs to know; none without an address.
    pub fn config(&self, key: &ApiKey, hosts: &LinkHosts, stats: &StripeStats) -> Option<StripeConfig> {
        Some(StripeConfig {
            base: self.base.clone()?,
            key: key.clone(),
            account: None,
            hosts: hosts.clone(),
            limits: StripeLimits { replicas: self.replicas, ..StripeLimits::default() },
            stats: stats.clone(),
        })
    }
}

/// Keys of tenants, as the file has them: tenant to key.
pub(super) type GivenAccounts = BTreeMap<String, Given>;

impl Check {
    /// The accounts that are asked.
    pub(super) fn stripe(&mut self, given: &Settings) -> StripeAccess {
        let mut own: Vec<OwnKey> = Vec::new();
        for (tenant, key) in &given.stripe_accounts {
            let setting = "stripe_accounts";
            let both = self.tenant(setting, tenant).zip(self.key(setting, key));
            own.extend(both.map(|(tenant, key)| OwnKey { tenant, key, setting }));
        }
        let key = given.stripe_key.as_ref().filter(|key| text(Some(key)).is_some());
        let key = key.and_then(|key| self.key(env::STRIPE_KEY, key));
        let tenant = text(given.stripe_tenant.as_ref()).map(str::to_owned);
        let tenant = tenant.and_then(|tenant| self.tenant(env::STRIPE_TENANT, &tenant));
        let mut platform = None;
        match (key, tenant) {
            (Some(key), Some(tenant)) => own.push(OwnKey { tenant, key, setting: env::STRIPE_KEY }),
            (Some(key), None) => platform = Some(key),
            (None, Some(_)) => self.fault(env::STRIPE_TENANT, "is of no use without a key".to_owned()),
            (None, None) => {}
        }
        // A key of development may be sent to this machine in the clear; one that moves money may not.
        let local = own.iter().map(|own| &own.key).chain(&platform).all(|key| !key.livemode());
        let base = self.base(given, local);
        let replicas = self.number(env::STRIPE_REPLICAS, given.stripe_replicas.as_ref(), 1, 1..=REPLICAS_MAX);
        let replicas = u32::try_from(replicas).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
        let pay_links = given.stripe_pay_links_per_minute.as_ref();
        let pay_links = self.number(
            env::STRIPE_PAY_LINKS_PER_MINUTE,
            pay_links,
            PAY_LINKS_PER_MINUTE,
            1..=PAY_LINKS_PER_MINUTE_MAX,
        );
        let pay_links_per_minute = u32::try_from(pay_links).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
        let minutes = |minutes: u64| Duration::from_secs(minutes.saturating_mul(60));
        let open = given.stripe_reconcile_minutes.as_ref();
        let open = self.number(env::STRIPE_RECONCILE_MINUTES, open, RECONCILE_MINUTES, 1..=RECONCILE_MINUTES_MAX);
        let paying = given.stripe_reconcile_paying_minutes.as_ref();
        let paying =
            self.number(env::STRIPE_RECONCILE_PAYING_MINUTES, paying, PAYING_MINUTES, 1..=RECONCILE_MINUTES_MAX);
        let reconcile = Intervals { open: minutes(open), paying: minutes(paying) };
        StripeAccess { own, platform, base, replicas, pay_links_per_minute, reconcile }
    }

    /// For what cannot be done without asking Stripe.
    pub(super) fn needs_key(&mut self, stripe: &StripeAccess) {
        if !stripe.is_given() {
            self.fault(env::STRIPE_KEY, "is required: a key of Stripe's that may read invoices (rk_…)".to_owned());
        }
    }

    fn base(&mut self, given: &Settings, local: bool) -> Option<BaseUrl> {
        let url = text(given.stripe_base_url.as_ref()).unwrap_or(BASE_URL);
        let parsed = BaseUrl::parse(url, local);
        parsed.map_err(|error| self.fault(env::STRIPE_BASE_URL, format!("cannot be used: {error}"))).ok()
    }

    /// The key itself is never repeated.
    fn key(&mut self, setting: &str, given: &Given) -> Option<ApiKey> {
        let parsed = ApiKey::parse(text(Some(given)).unwrap_or_default());
        parsed.map_err(|error| self.fault(setting, format!("holds no key of Stripe's: {error}"))).ok()
    }

    fn tenant(&mut self, setting: &str, id: &str) -> Option<TenantId> {
        let known = id.starts_with(TenantId::PREFIX);
        if !known {
            self.fault(setting, format!("names {id:?}, which is no tenant's id such as ten_…"));
        }
        known.then(|| TenantId(id.to_owned()))
    }
}
