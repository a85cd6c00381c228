//! Which accounts at Stripe are asked, and how.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use entity::TenantId;
use serde_json::json;

use super::check::Check;
use super::setting::{Area, Number, Setting};
use super::sources::Given;
use crate::app::jobs::reconciler::Intervals;
use crate::domain::link::LinkHosts;
use crate::stats::StripeStats;
use crate::stripe::{ApiKey, BaseUrl, StripeConfig, StripeLimits};

pub(super) static AREA: Area = Area {
    title: "Stripe and links",
    settings: &[
        &LINK_HOSTS,
        &STRIPE_KEY,
        &STRIPE_TENANT,
        &STRIPE_BASE_URL,
        &STRIPE_REPLICAS.setting,
        &STRIPE_RECONCILE_MINUTES.setting,
        &STRIPE_RECONCILE_PAYING_MINUTES.setting,
        &STRIPE_PAY_LINKS_PER_MINUTE.setting,
    ],
};

static LINK_HOSTS: Setting =
    Setting::new("link_hosts", "HOSTS", "Hosts that links may lead to beside Stripe's, with commas between them");

static STRIPE_KEY: Setting = Setting::new(
    "stripe_key",
    "KEY",
    "A restricted key that reads invoices at Stripe, `rk_…`; links are live where there is one. Others can see the \
     flag: prefer the environment",
)
.common()
.secret();

static STRIPE_TENANT: Setting = Setting::new(
    "stripe_tenant",
    "TENANT",
    "The tenant whose account the key opens; without it the key is a Connect platform's, and each invoice's mirror \
     names its account",
);

static STRIPE_BASE_URL: Setting =
    Setting::new("stripe_base_url", "URL", "Where Stripe's API is; `http` only on this machine and with a test key")
        .default(BASE_URL);

static STRIPE_REPLICAS: Number =
    Number::new("stripe_replicas", "NUMBER", 1..=100, 1, "How many replicas share Stripe's limits");

/// An open invoice that was not heard of for six hours has probably lost a webhook. At most a week.
static STRIPE_RECONCILE_MINUTES: Number = Number::new(
    "stripe_reconcile_minutes",
    "MINUTES",
    1..=10_080,
    360,
    "Ask Stripe about open invoices that were not heard of for so many minutes",
);

/// Whoever just paid looks again within minutes.
static STRIPE_RECONCILE_PAYING_MINUTES: Number = Number::new(
    "stripe_reconcile_paying_minutes",
    "MINUTES",
    1..=10_080,
    2,
    "The same for those whose links were read within the last hour",
);

/// More than a person clicks in a minute; at most what Stripe allows a whole account.
static STRIPE_PAY_LINKS_PER_MINUTE: Number = Number::new(
    "stripe_pay_links_per_minute",
    "NUMBER",
    1..=1_500,
    30,
    "Pay links that one caller may have read from Stripe in a minute",
);

/// Stripe itself.
const BASE_URL: &str = "https://api.stripe.com";

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

impl Check<'_> {
    /// The accounts that are asked.
    pub(super) fn stripe(&mut self) -> StripeAccess {
        let mut own: Vec<OwnKey> = Vec::new();
        for (tenant, key) in &self.given.accounts {
            let setting = "stripe_accounts";
            let both = self.tenant(setting, tenant).zip(self.key(setting, key.0.trim()));
            own.extend(both.map(|(tenant, key)| OwnKey { tenant, key, setting }));
        }
        let key = self.text(&STRIPE_KEY).and_then(|key| self.key(STRIPE_KEY.env(), key));
        let tenant = self.text(&STRIPE_TENANT).and_then(|tenant| self.tenant(STRIPE_TENANT.env(), tenant));
        let mut platform = None;
        match (key, tenant) {
            (Some(key), Some(tenant)) => own.push(OwnKey { tenant, key, setting: STRIPE_KEY.env() }),
            (Some(key), None) => platform = Some(key),
            (None, Some(_)) => self.fault(&STRIPE_TENANT, "is of no use without a key"),
            (None, None) => {}
        }
        // A key of development may be sent to this machine in the clear; one that moves money may not.
        let local = own.iter().map(|own| &own.key).chain(&platform).all(|key| !key.livemode());
        let base = self.base(local);
        let positive = |number: u32| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        StripeAccess {
            own,
            platform,
            base,
            replicas: positive(self.count32(&STRIPE_REPLICAS)),
            reconcile: Intervals {
                open: self.minutes(&STRIPE_RECONCILE_MINUTES),
                paying: self.minutes(&STRIPE_RECONCILE_PAYING_MINUTES),
            },
            pay_links_per_minute: positive(self.count32(&STRIPE_PAY_LINKS_PER_MINUTE)),
        }
    }

    /// For what cannot be done without asking Stripe.
    pub(super) fn needs_key(&mut self, stripe: &StripeAccess) {
        if !stripe.is_given() {
            self.fault(&STRIPE_KEY, "is required: a key of Stripe's that may read invoices (rk_…)");
        }
    }

    /// Hosts that links may lead to beside Stripe's.
    pub(super) fn link_hosts(&mut self) -> Vec<String> {
        let hosts: Vec<String> = self.entries(&LINK_HOSTS).map(str::to_ascii_lowercase).collect();
        for host in &hosts {
            let name = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
            if !host.contains('.') || !host.chars().all(name) {
                self.fault(&LINK_HOSTS, format!("names {host:?}, which is no host name such as pay.example.com"));
            }
        }
        self.show(&LINK_HOSTS, json!(hosts));
        hosts
    }

    fn base(&mut self, local: bool) -> Option<BaseUrl> {
        let parsed = BaseUrl::parse(self.text(&STRIPE_BASE_URL).unwrap_or(BASE_URL), local);
        let base = parsed.map_err(|error| self.fault(&STRIPE_BASE_URL, format!("cannot be used: {error}"))).ok();
        let shown = base.as_ref().map(|base| base.url().as_str().trim_end_matches('/'));
        self.show(&STRIPE_BASE_URL, json!(shown));
        base
    }

    /// The key itself is never repeated.
    fn key(&mut self, place: &str, key: &str) -> Option<ApiKey> {
        let parsed = ApiKey::parse(key);
        parsed.map_err(|error| self.fault_at(place, format!("holds no key of Stripe's: {error}"))).ok()
    }

    fn tenant(&mut self, place: &str, id: &str) -> Option<TenantId> {
        let known = id.starts_with(TenantId::PREFIX);
        if !known {
            self.fault_at(place, format!("names {id:?}, which is no tenant's id such as ten_…"));
        }
        known.then(|| TenantId(id.to_owned()))
    }
}
