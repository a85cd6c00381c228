//! Settings of webhook endpoints: tables of the file, and the endpoint `default` from flags and environment.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use entity::TenantId;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::check::Check;
use super::credentials::random_secret;
use super::setting::{Area, Number, Setting, Words};
use super::sources::Given;
use crate::actions::take_event::Owner;
use crate::demo::Plan;
use crate::http::WebhookPace;

pub(super) static AREA: Area = Area {
    title: "Webhooks",
    settings: &[
        &WEBHOOK_TENANT,
        &WEBHOOK_SECRETS,
        &WEBHOOK_LIVEMODE.setting,
        &WEBHOOKS_PER_SECOND.setting,
        &WEBHOOK_KEEP_DAYS.setting,
    ],
};

static WEBHOOK_TENANT: Setting = Setting::new(
    "webhook_tenant",
    "ID",
    "The tenant whose webhooks come to `/webhooks/stripe/default`; more endpoints stand in the file",
);

static WEBHOOK_SECRETS: Setting = Setting::new(
    "webhook_secrets",
    "SECRETS",
    "What these are signed with, with commas between several. Others can see the flag: prefer the environment",
)
.secret();

static WEBHOOK_LIVEMODE: Words<bool> = Words::new(
    "webhook_livemode",
    "BOOL",
    &[("true", true), ("false", false)],
    ("false", false),
    "Whether these are about real money: `true` or `false`",
);

static WEBHOOKS_PER_SECOND: Number = Number::new(
    "webhooks_per_second",
    "NUMBER",
    1..=100_000,
    WebhookPace::PER_SECOND,
    "Webhooks that each endpoint takes within a second; Stripe sends others again",
);

/// Stripe lists events for 30 days, and whoever runs an account may have one sent again for so long: what is forgotten
/// earlier would be worked on twice. At most ten years.
static WEBHOOK_KEEP_DAYS: Number = Number::new(
    "webhook_keep_days",
    "DAYS",
    30..=3_650,
    30,
    "Days that webhooks are kept once they were worked on: Stripe may send one again for so long",
);

/// The endpoint that flags and environment describe.
pub const DEFAULT_ENDPOINT: &str = "default";

/// The longest name of an endpoint.
const NAME_MAX: usize = 64;

/// As many as there are on Stripe's clock, which knows no leap seconds.
const SECONDS_OF_A_DAY: u64 = 86_400;

/// The most secrets of an endpoint: one, or two while it is rolled, and some room.
const SECRETS_MAX: usize = 8;

/// An endpoint as it was given, not checked yet.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct EndpointGiven {
    tenant: Option<Given>,
    connect: Option<bool>,
    secrets: Option<Given>,
    livemode: Option<bool>,
}

/// A place that Stripe sends webhooks to.
#[derive(Clone, Debug)]
pub struct WebhookEndpoint {
    /// Whose events come.
    pub owner: Owner,
    /// What they are signed with: any of these.
    pub secrets: Vec<SecretString>,
    /// Whether they are about real money.
    pub livemode: bool,
}

impl WebhookEndpoint {
    /// What it comes to, by key of the file. Secrets are not shown.
    pub(super) fn shown(&self, name: &str) -> Vec<(String, Value)> {
        let (key, owner) = match &self.owner {
            Owner::Tenant(tenant) => ("tenant", json!(tenant.as_str())),
            Owner::Connect => ("connect", json!(true)),
        };
        let settings = [(key, owner), ("secrets", json!("(hidden)")), ("livemode", json!(self.livemode))];
        settings.into_iter().map(|(key, value)| (format!("webhook_endpoints.{name}.{key}"), value)).collect()
    }
}

impl Check<'_> {
    /// Every endpoint by its name. The demo has one for its company where none is described.
    pub(super) fn webhooks(&mut self) -> BTreeMap<String, WebhookEndpoint> {
        let mut tables = self.given.endpoints.clone();
        let flat = [&WEBHOOK_TENANT, &WEBHOOK_SECRETS, &WEBHOOK_LIVEMODE.setting];
        let described = flat.into_iter().any(|setting| self.text(setting).is_some());
        let mut endpoints = BTreeMap::new();
        if described || (self.is_demo() && !tables.contains_key(DEFAULT_ENDPOINT)) {
            let table = tables.remove(DEFAULT_ENDPOINT).unwrap_or_default();
            endpoints.extend(self.default_endpoint(&table).map(|endpoint| (DEFAULT_ENDPOINT.to_owned(), endpoint)));
        }
        for (name, table) in tables {
            let place = format!("webhook_endpoints.{name}");
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
            if name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(plain) {
                let problem = format!("is no name: 1 to {NAME_MAX} small letters, digits, - and _");
                self.fault_at(&place, problem);
            }
            let owner = self.owner(&place, said(table.tenant.as_ref()), table.connect.unwrap_or_default());
            let secrets = self.secrets(&format!("{place}.secrets"), said(table.secrets.as_ref()));
            let livemode = table.livemode.unwrap_or_default();
            endpoints.extend(owner.map(|owner| (name, WebhookEndpoint { owner, secrets, livemode })));
        }
        endpoints
    }

    /// How many events an endpoint takes within a second.
    pub(super) fn webhooks_per_second(&mut self) -> u64 {
        self.number(&WEBHOOKS_PER_SECOND)
    }

    /// How long events are kept once they were worked on.
    pub(super) fn webhook_keep(&mut self) -> Duration {
        Duration::from_secs(self.number(&WEBHOOK_KEEP_DAYS).saturating_mul(SECONDS_OF_A_DAY))
    }

    fn default_endpoint(&mut self, table: &EndpointGiven) -> Option<WebhookEndpoint> {
        let mut tenant = self.text(&WEBHOOK_TENANT).or(said(table.tenant.as_ref())).map(str::to_owned);
        let mut secrets = self.text(&WEBHOOK_SECRETS).or(said(table.secrets.as_ref())).map(str::to_owned);
        if self.is_demo() {
            tenant = tenant.or_else(|| Plan::of(0).companies().into_iter().next().map(|company| company.id.0));
            secrets = secrets.or_else(|| Some(format!("whsec_{}", random_secret())));
        }
        let connect = self.text(&WEBHOOK_TENANT).is_none() && table.connect.unwrap_or_default();
        let livemode = self.word_or(&WEBHOOK_LIVEMODE, table.livemode.unwrap_or_default());
        let owner = self.owner(WEBHOOK_TENANT.env(), tenant.as_deref(), connect);
        let secrets = self.secrets(WEBHOOK_SECRETS.env(), secrets.as_deref());
        Some(WebhookEndpoint { owner: owner?, secrets, livemode })
    }

    fn owner(&mut self, place: &str, tenant: Option<&str>, connect: bool) -> Option<Owner> {
        match (tenant, connect) {
            (Some(tenant), false) => Some(Owner::Tenant(TenantId::from(tenant))),
            (None, true) => Some(Owner::Connect),
            (Some(_), true) => {
                self.fault_at(place, "is a tenant's and the platform's at the same time");
                None
            }
            (None, false) => {
                self.fault_at(place, "is missing: whose webhooks come to the endpoint");
                None
            }
        }
    }

    /// Secrets with commas between them. None of them is repeated in a fault.
    fn secrets(&mut self, place: &str, listed: Option<&str>) -> Vec<SecretString> {
        let listed = listed.unwrap_or_default().split(',').map(str::trim).filter(|secret| !secret.is_empty());
        let secrets: BTreeSet<&str> = listed.collect();
        if secrets.is_empty() {
            self.fault_at(place, "is missing: what Stripe signs webhooks with (whsec_…), commas between several");
        }
        if secrets.len() > SECRETS_MAX {
            self.fault_at(place, format!("has {} secrets, at most {SECRETS_MAX} are tried", secrets.len()));
        }
        secrets.into_iter().map(SecretString::from).collect()
    }
}

/// What a key of a table says, if it says anything.
fn said(given: Option<&Given>) -> Option<&str> {
    given.map(|given| given.0.trim()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::super::{Config, Settings};
    use super::*;

    /// What a file comes to, with these settings beside it.
    fn read(file: &str, beside: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        let complete = "database_url = \"sqlite://billing.db\"\njwt_secret = \"0123456789abcdef0123456789abcdef\"\n";
        let file: Settings = toml::from_str(&format!("{complete}{file}")).map_err(|error| vec![error.to_string()])?;
        let settings = Settings::of(beside.iter().copied()).over(file);
        settings.validate(false).map_err(|faults| faults.0.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn endpoints_come_from_the_file_and_the_default_from_the_environment_first() {
        let file = "webhook_tenant = \"ten_file\"\n\
            [webhook_endpoints.default]\nlivemode = true\nsecrets = [\"whsec_1\", \"whsec_2\"]\n\
            [webhook_endpoints.all]\nconnect = true\nsecrets = \"whsec_3\"\n";
        let config = read(file, &[("webhook_secrets", " whsec_env ,")]).unwrap();
        let default = &config.webhooks["default"];
        assert_eq!((&default.owner, default.livemode), (&Owner::Tenant("ten_file".into()), true));
        let secrets: Vec<_> = default.secrets.iter().map(ExposeSecret::expose_secret).collect();
        assert_eq!(secrets, ["whsec_env"]);
        let all = &config.webhooks["all"];
        assert_eq!((&all.owner, all.livemode, all.secrets.len()), (&Owner::Connect, false, 1));
        let shown: Vec<_> = config.shown_webhooks().iter().map(|(key, value)| format!("{key} = {value}")).collect();
        assert_eq!(
            shown[..2],
            ["webhook_endpoints.all.connect = true", "webhook_endpoints.all.secrets = \"(hidden)\""]
        );
        assert!(!shown.concat().contains("whsec"), "{shown:?}");
        let plain = read("", &[]).unwrap();
        assert!(plain.webhooks.is_empty());
        assert_eq!(plain.webhook_keep, Duration::from_hours(30 * 24));
    }

    #[test]
    fn all_faults_of_endpoints_are_listed_without_their_secrets() {
        let file = "[webhook_endpoints.A]\ntenant = \"ten_1\"\nconnect = true\nsecrets = \"whsec_hidden\"\n\
            [webhook_endpoints.b]\nsecrets = []\n";
        let beside = [
            ("webhook_livemode", "perhaps"),
            ("webhook_secrets", "1,2,3,4,5,6,7,8,whsec_hidden"),
            ("webhook_keep_days", "29"),
        ];
        let faults = read(file, &beside);
        let faults = faults.unwrap_err();
        let expected = [
            "BILLING_WEBHOOK_LIVEMODE is \"perhaps\", not one of true, false",
            "BILLING_WEBHOOK_TENANT is missing",
            "BILLING_WEBHOOK_SECRETS has 9 secrets",
            "webhook_endpoints.A is no name",
            "webhook_endpoints.A is a tenant's and the platform's",
            "webhook_endpoints.b is missing",
            "webhook_endpoints.b.secrets is missing",
            "BILLING_WEBHOOK_KEEP_DAYS is 29, not a whole number from 30 to 3650",
        ];
        assert_eq!(faults.len(), expected.len(), "{faults:#?}");
        for (fault, expected) in faults.iter().zip(expected) {
            assert!(fault.starts_with(expected), "{fault}, not {expected}");
        }
        assert!(!faults.concat().contains("hidden"), "{faults:?}");
        assert!(read("[webhook_endpoints.a]\nsecret = \"x\"\n", &[]).is_err());
    }

    #[test]
    fn the_demo_has_an_endpoint_of_its_own() {
        let config = Settings::default().validate(true).unwrap();
        let default = &config.webhooks["default"];
        assert!(matches!(&default.owner, Owner::Tenant(tenant) if Plan::has_company(tenant)));
        assert_eq!(default.secrets.len(), 1);
    }
}
