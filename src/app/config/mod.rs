//! Settings: flags, then environment, then the TOML file, then defaults. The only folder that reads the environment.
//!
//! Each area has a file, and each setting one place in it: its name, default, bounds and help (`setting.rs`). All are
//! taken as text first (`sources.rs`) and then checked (`check.rs`), so that all faults are listed at once and each is
//! named the way it can be mended. A setting that is empty counts as absent. What `config print` prints is such a file,
//! but for the secrets.

mod check;
mod credentials;
mod documents;
mod limits;
mod log;
mod rate;
mod server;
mod setting;
mod sources;
mod store;
mod stripe;
mod transport;
mod webhooks;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use crate::domain::browser_session::SessionPolicy;
use crate::gate::Limits;
use crate::http::{ExplorerMode, RequestLimits, Transport};
use check::{Check, Shown};
pub use check::{Fault, Faults};
pub use credentials::TokenConfig;
pub use documents::DocumentConfig;
pub use log::{LogConfig, LogFormat};
pub use rate::RateConfig;
use server::Server;
use setting::Area;
pub use sources::Settings;
pub use store::{RowSecurityMode, StoreConfig};
pub use stripe::{OwnKey, StripeAccess};
pub use webhooks::{DEFAULT_ENDPOINT, WebhookEndpoint};

/// Every setting there is, as help lists them.
static AREAS: [&Area; 10] = [
    &store::AREA,
    &server::AREA,
    &credentials::AREA,
    &stripe::AREA,
    &webhooks::AREA,
    &transport::AREA,
    &documents::AREA,
    &limits::AREA,
    &rate::AREA,
    &log::AREA,
];

/// Everything that serving needs, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the bills are.
    pub store: StoreConfig,
    /// How tokens are verified.
    pub tokens: TokenConfig,
    /// How long sessions last.
    pub sessions: SessionPolicy,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where metrics are shown; nowhere without it.
    pub metrics_listen: Option<SocketAddr>,
    /// How long running requests may go on once the program shall stop.
    pub shutdown_deadline: Duration,
    /// How clients are met.
    pub transport: Transport,
    /// Which page is served as the explorer.
    pub explorer: ExplorerMode,
    /// Accounts at Stripe. Without any, links come from the mirror, and there is no pay link.
    pub stripe: StripeAccess,
    /// Where Stripe sends webhooks to, by the name in the address.
    pub webhooks: BTreeMap<String, WebhookEndpoint>,
    /// How many of them each endpoint takes within a second.
    pub webhooks_per_second: u64,
    /// How long these are kept once they were worked on.
    pub webhook_keep: Duration,
    /// Documents: what they may cost, what is kept of them, and which are trusted.
    pub documents: DocumentConfig,
    /// What one request may bring and be answered with.
    pub limits: RequestLimits,
    /// How much callers may ask for over time.
    pub rate: RateConfig,
    /// What is logged.
    pub log: LogConfig,
    /// What the settings come to by key, without secrets.
    shown: Shown,
}

impl Settings {
    /// Everything that serving needs. The demo has a database and a secret of its own where none is given.
    ///
    /// # Errors
    /// Every fault there is.
    pub fn validate(&self, demo: bool) -> Result<Config, Faults> {
        let mut check = Check::new(self, demo);
        let config = check.config();
        let (config, shown) = check.done(config)?;
        Ok(Config { shown, ..config })
    }

    /// Only what a command needs that reads or writes bills.
    ///
    /// # Errors
    /// Every fault there is among those.
    pub fn store(&self) -> Result<StoreConfig, Faults> {
        self.only(Check::store)
    }

    /// Only what a command needs that opens sessions.
    ///
    /// # Errors
    /// Every fault there is among those.
    pub fn sessions(&self) -> Result<SessionPolicy, Faults> {
        self.only(Check::sessions)
    }

    /// Only what a command needs that compares bills with Stripe: the bills, and a key.
    ///
    /// # Errors
    /// Every fault there is among those.
    pub fn upstream(&self) -> Result<(StoreConfig, StripeAccess), Faults> {
        self.only(|check| {
            let (store, stripe) = (check.store(), check.stripe());
            check.needs_key(&stripe);
            (store, stripe)
        })
    }

    /// Only what a command needs that makes tokens.
    ///
    /// # Errors
    /// Every fault there is among those.
    pub fn tokens(&self) -> Result<TokenConfig, Faults> {
        self.only(|check| check.tokens(true))
    }

    /// Only what a command needs that checks documents.
    ///
    /// # Errors
    /// Every fault there is among those.
    pub fn limits(&self) -> Result<Limits, Faults> {
        self.only(Check::document_limits)
    }

    /// Only what is logged, and how.
    ///
    /// # Errors
    /// Every fault there is among those.
    pub fn log(&self) -> Result<LogConfig, Faults> {
        self.only(Check::log)
    }

    fn only<'a, T>(&'a self, read: impl FnOnce(&mut Check<'a>) -> T) -> Result<T, Faults> {
        let mut check = Check::new(self, false);
        let value = read(&mut check);
        check.done(value).map(|(value, _shown)| value)
    }
}

impl Check<'_> {
    fn config(&mut self) -> Config {
        let store = self.store();
        let tokens = self.tokens(false);
        let sessions = self.sessions();
        let log = self.log();
        let Server { listen, metrics_listen, shutdown_deadline, explorer } = self.server();
        Config {
            store,
            tokens,
            sessions,
            listen,
            metrics_listen,
            shutdown_deadline,
            transport: self.transport(),
            explorer,
            stripe: self.stripe(),
            webhooks: self.webhooks(),
            webhooks_per_second: self.webhooks_per_second(),
            webhook_keep: self.webhook_keep(),
            documents: self.documents(),
            limits: self.request_limits(),
            rate: self.rate(),
            log,
            shown: Vec::new(),
        }
    }
}

impl Config {
    /// The effective settings by their key in the file. Secrets and the passwords of addresses are not shown.
    pub fn shown(&self) -> Vec<(&'static str, Value)> {
        self.shown.clone()
    }

    /// The webhook endpoints as settings of the file. Secrets are not shown.
    pub fn shown_webhooks(&self) -> Vec<(String, Value)> {
        self.webhooks.iter().flat_map(|(name, endpoint)| endpoint.shown(name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::auth::SECRET_BYTES_MIN;

    const COMPLETE: [(&str, &str); 2] =
        [("database_url", "sqlite://billing.db"), ("jwt_secret", "0123456789abcdef0123456789abcdef")];

    /// What a server needs, and more.
    fn complete_and(more: &[(&str, &str)]) -> Settings {
        Settings::of(COMPLETE.iter().chain(more).copied())
    }

    #[test]
    fn defaults_are_enough_for_the_demo_and_not_for_a_server() {
        let config = Settings::default().validate(true).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert!(config.tokens.secret.unwrap().expose_secret().len() >= SECRET_BYTES_MIN);
        let provider = Settings::of([COMPLETE[0], ("jwks_url", "https://id.example.com/jwks")]);
        assert!(provider.validate(false).unwrap().tokens.secret.is_none());
        assert!(provider.tokens().is_err(), "there is nothing to sign with");
        let faults = Settings::default().validate(false).unwrap_err();
        let settings: Vec<_> = faults.0.iter().map(|fault| fault.setting.as_str()).collect();
        assert_eq!(settings, ["DATABASE_URL", "BILLING_JWT_SECRET"]);
    }

    #[test]
    fn all_faults_are_listed_at_once() {
        let faults = Settings::of([
            ("database_url", "mysql://root:hunter2@host/db"),
            ("jwt_secret", "too short"),
            ("listen", "8080"),
            ("db_connections", "0"),
            ("db_read_timeout_ms", "2 s"),
            ("explorer", "fancy"),
            ("jwks_url", "http://id.example.com/jwks"),
            ("session_idle_minutes", "0"),
            ("session_hours", "800"),
            ("link_hosts", "https://pay.example.com"),
            ("log_level", "loud=very"),
        ])
        .validate(false)
        .unwrap_err();
        assert_eq!(faults.0.len(), 11, "{faults}");
        assert!(!faults.to_string().contains("hunter2"), "{faults}");
        assert!(!faults.to_string().contains('\n'), "{faults}");
    }

    #[test]
    fn flags_go_before_the_file_and_the_file_before_defaults() {
        let file: Settings = toml::from_str(
            "listen = \"127.0.0.1:1\"\ndb_connections = 3\nlink_hosts = [\"a.example.com\", \"b.example.com\"]",
        )
        .unwrap();
        let flags = complete_and(&[("listen", "127.0.0.1:2"), ("db_connections", " ")]);
        let config = flags.over(file).validate(false).unwrap();
        assert_eq!(config.listen.port(), 2);
        assert_eq!(config.store.pool.connections, 3, "what is empty counts as absent");
        assert_eq!(config.store.more_link_hosts, ["a.example.com", "b.example.com"]);
        assert_eq!(config.shutdown_deadline, Duration::from_secs(4));
    }

    #[test]
    fn what_is_shown_holds_no_secret_and_every_key_of_the_file() {
        let settings = complete_and(&[("database_url", "postgres://user:hunter2@host/db")]);
        let shown = settings.validate(false).unwrap().shown();
        let lines: Vec<String> = shown.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        let text = lines.join("\n");
        assert!(!text.contains("hunter2") && !text.contains("0123456789abcdef"), "{text}");
        toml::from_str::<Settings>(&text).unwrap_or_else(|error| panic!("{error}"));
        let unknown = toml::from_str::<Settings>("databse_url = \"x\"").err();
        let expected = unknown.map(|error| error.message().to_owned()).unwrap_or_default();
        for (key, _) in shown {
            assert!(expected.contains(&format!("`{key}`")), "{key} in {expected}");
        }
    }

    #[test]
    fn every_setting_is_read_and_every_number_has_its_bounds() {
        for number in numbers() {
            let (key, name) = (number.key, number.env().to_owned());
            let (least, most) = number.bounds().unwrap();
            let faults = |text: &str| Settings::of([(key, text)]).validate(true).err().map(|faults| faults.0);
            for text in [least.to_string(), most.to_string()] {
                assert_eq!(faults(&text), None, "{key} = {text}");
            }
            let more = most.saturating_add(1).to_string();
            let less = least.checked_sub(1).map(|less| less.to_string());
            for text in less.iter().map(String::as_str).chain([&*more, "some", "1.5", "-1"]) {
                let faults = faults(text).unwrap_or_else(|| panic!("{key} = {text}"));
                assert!(faults.len() == 1 && faults[0].setting == name, "{key} = {text}: {faults:?}");
                assert!(faults[0].problem.ends_with(&format!("a whole number from {least} to {most}")), "{faults:?}");
            }
        }
    }

    /// Settings that are numbers.
    fn numbers() -> impl Iterator<Item = &'static setting::Setting> {
        sources::all().filter(|setting| setting.bounds().is_some())
    }

    #[test]
    fn flag_variable_and_key_are_one_name_and_no_two_settings_share_one() {
        let command = <Settings as clap::Args>::augment_args(clap::Command::new("test"));
        command.clone().debug_assert();
        for setting in sources::all().filter(|setting| setting.key != "database_url") {
            let argument = command.get_arguments().find(|argument| argument.get_id() == setting.key).unwrap();
            assert_eq!(argument.get_long().unwrap(), setting.key.replace('_', "-"));
            assert_eq!(argument.get_env().unwrap().to_str(), Some(setting.env()));
            assert_eq!(setting.env(), format!("BILLING_{}", setting.key.to_uppercase()));
        }
    }
}
