//! Settings of webhook endpoints: tables of the file, and the endpoint `default` from flags and environment.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use entity::TenantId;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::check::{Check, text};
use super::{Given, SECONDS_OF_A_DAY, Settings, env, first};
use crate::actions::take_event::Owner;
use crate::demo::Plan;

/// The endpoint that flags and environment describe.
pub const DEFAULT_ENDPOINT: &str = "default";

/// The longest name of an endpoint.
const NAME_MAX: usize = 64;

/// Stripe lists events for 30 days, and whoever runs an account may have one sent again for so long: what is forgotten
/// earlier would be worked on twice. At most ten years.
const KEEP_DAYS: RangeInclusive<u64> = 30..=3_650;

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

impl Check {
    /// Every endpoint by its name. The demo has one for its company where none is described.
    pub(super) fn webhooks(&mut self, given: &Settings) -> BTreeMap<String, WebhookEndpoint> {
        let mut tables = given.webhook_endpoints.clone().unwrap_or_default();
        let flat = [&given.webhook_tenant, &given.webhook_secrets, &given.webhook_livemode];
        let described = flat.into_iter().any(|given| text(given.as_ref()).is_some());
        let mut endpoints = BTreeMap::new();
        if described || (self.is_demo() && !tables.contains_key(DEFAULT_ENDPOINT)) {
            let table = tables.remove(DEFAULT_ENDPOINT).unwrap_or_default();
            endpoints
                .extend(self.default_endpoint(given, table).map(|endpoint| (DEFAULT_ENDPOINT.to_owned(), endpoint)));
        }
        for (name, table) in tables {
            let setting = format!("webhook_endpoints.{name}");
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
            if name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(plain) {
                let problem = format!("is no name: 1 to {NAME_MAX} small letters, digits, - and _");
                self.fault(&setting, problem);
            }
            let owner = self.owner(&setting, table.tenant.as_ref(), table.connect.unwrap_or_default());
            let secrets = self.secrets(&format!("{setting}.secrets"), table.secrets.as_ref());
            let livemode = table.livemode.unwrap_or_default();
            endpoints.extend(owner.map(|owner| (name, WebhookEndpoint { owner, secrets, livemode })));
        }
        endpoints
    }

    /// How long events are kept once they were worked on.
    pub(super) fn webhook_keep(&mut self, given: &Settings) -> Duration {
        let days = given.webhook_keep_days.as_ref();
        let days = self.number(env::WEBHOOK_KEEP_DAYS, days, *KEEP_DAYS.start(), KEEP_DAYS);
        Duration::from_secs(days.saturating_mul(SECONDS_OF_A_DAY))
    }

    fn default_endpoint(&mut self, given: &Settings, table: EndpointGiven) -> Option<WebhookEndpoint> {
        let mut tenant = first(given.webhook_tenant.clone(), table.tenant);
        let mut secrets = first(given.webhook_secrets.clone(), table.secrets);
        if self.is_demo() {
            let company = || Plan::of(0).companies().into_iter().next().map(|company| Given(company.id.0));
            tenant = tenant.or_else(company);
            secrets = secrets.or_else(|| Some(Given(format!("whsec_{}", super::check::random_secret()))));
        }
        let connect = text(given.webhook_tenant.as_ref()).is_none() && table.connect.unwrap_or_default();
        let words = [("true", true), ("false", false)];
        let livemode = given.webhook_livemode.as_ref();
        let livemode = self.word(env::WEBHOOK_LIVEMODE, livemode, &words, table.livemode.unwrap_or_default());
        let owner = self.owner(env::WEBHOOK_TENANT, tenant.as_ref(), connect);
        let secrets = self.secrets(env::WEBHOOK_SECRETS, secrets.as_ref());
        Some(WebhookEndpoint { owner: owner?, secrets, livemode })
    }

    fn owner(&mut self, setting: &str, tenant: Option<&Given>, connect: bool) -> Option<Owner> {
        match (text(tenant), connect) {
            (Some(tenant), false) => Some(Owner::Tenant(TenantId::from(tenant))),
            (None, true) => Some(Owner::Connect),
            (Some(_), true) => {
                self.fault(setting, "is a tenant's and the platform's at the same time".to_owned());
                None
            }
            (None, false) => {
                self.fault(setting, "is missing: whose webhooks come to the endpoint".to_owned());
                None
            }
        }
    }

    /// Secrets with commas between them. None of them is repeated in a fault.
    fn secrets(&mut self, setting: &str, given: Option<&Given>) -> Vec<SecretString> {
        let listed = text(given).unwrap_or_default().split(',').map(str::trim).filter(|secret| !secret.is_empty());
        let secrets: BTreeSet<&str> = listed.collect();
        if secrets.is_empty() {
            self.fault(
                setting,
                "is missing: what Stripe signs webhooks with (whsec_…), commas between several".to_owned(),
            );
        }
        if secrets.len() > SECRETS_MAX {
            self.fault(setting, format!("has {} secrets, at most {SECRETS_MAX} are tried", secrets.len()));
        }
        secrets.into_iter().map(SecretString::from).collect()
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::super::Config;
    use super::*;

    /// What a file comes to, with these settings beside it.
    fn read(file: &str, set: impl FnOnce(&mut Settings)) -> Result<Config, Vec<String>> {
        let complete = "database_url = \"sqlite://billing.db\"\njwt_secret = \"0123456789abcdef0123456789abcdef\"\n";
        let mut settings: Settings =
            toml::from_str(&format!("{complete}{file}")).map_err(|error| vec![error.to_string()])?;
        set(&mut settings);
        settings.validate(false).map_err(|faults| faults.0.iter().map(ToString::to_string).collect())
    }

    fn given<T: From<Given>>(text: &str) -> T {
        Given(text.to_owned()).into()
    }

    #[test]
    fn endpoints_come_from_the_file_and_the_default_from_the_environment_first() {
        let file = "webhook_tenant = \"ten_file\"\n\
            [webhook_endpoints.default]\nlivemode = true\nsecrets = [\"whsec_1\", \"whsec_2\"]\n\
            [webhook_endpoints.all]\nconnect = true\nsecrets = \"whsec_3\"\n";
        let config = read(file, |settings| settings.webhook_secrets = given(" whsec_env ,")).unwrap();
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
        let plain = read("", |_| {}).unwrap();
        assert!(plain.webhooks.is_empty());
        assert_eq!(plain.webhook_keep, Duration::from_hours(30 * 24));
    }

    #[test]
    fn all_faults_of_endpoints_are_listed_without_their_secrets() {
        let file = "[webhook_endpoints.A]\ntenant = \"ten_1\"\nconnect = true\nsecrets = \"whsec_hidden\"\n\
            [webhook_endpoints.b]\nsecrets = []\n";
        let faults = read(file, |settings| {
            settings.webhook_livemode = given("perhaps");
            settings.webhook_secrets = given("1,2,3,4,5,6,7,8,whsec_hidden");
            settings.webhook_keep_days = given("29");
        });
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
        assert!(read("[webhook_endpoints.a]\nsecret = \"x\"\n", |_| {}).is_err());
    }

    #[test]
    fn the_demo_has_an_endpoint_of_its_own() {
        let config = Settings::default().validate(true).unwrap();
        let default = &config.webhooks["default"];
        assert!(matches!(&default.owner, Owner::Tenant(tenant) if Plan::has_company(tenant)));
        assert_eq!(default.secrets.len(), 1);
    }
}
