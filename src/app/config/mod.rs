//! Settings: flags, then environment, then the TOML file, then defaults. The only file that reads the environment.
//!
//! Every setting is taken as text first and checked in one place, so that all faults are listed at once and each is
//! named the way it can be mended. A setting that is empty counts as absent. Keys of the file are those of
//! [`Settings`]; what `config print` prints is such a file, but for the secrets.

mod check;
mod documents;
mod rate;
mod stripe;
mod transport;
mod webhooks;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::auth::JwksUrl;
use crate::domain::browser_session::SessionPolicy;
use crate::domain::link::LinkHosts;
use crate::http::{ExplorerMode, Transport};
use crate::store::{DatabaseUrl, PoolSettings};
use crate::stripe::BaseUrl;
use check::{Check, explorer_word};
pub use documents::DocumentConfig;
pub use rate::RateConfig;
pub use stripe::{OwnKey, StripeAccess};
use webhooks::EndpointGiven;
pub use webhooks::{DEFAULT_ENDPOINT, WebhookEndpoint};

/// As many as there are on Stripe's clock, which knows no leap seconds.
const SECONDS_OF_A_DAY: u64 = 86_400;

/// What a setting is called in the environment. Its flag is the field's name.
mod env {
    pub(super) const CONFIG: &str = "BILLING_CONFIG";
    pub(super) const DATABASE_URL: &str = "DATABASE_URL";
    pub(super) const DB_CONNECTIONS: &str = "BILLING_DB_CONNECTIONS";
    pub(super) const DB_ACQUIRE_TIMEOUT_MS: &str = "BILLING_DB_ACQUIRE_TIMEOUT_MS";
    pub(super) const DB_READ_TIMEOUT_MS: &str = "BILLING_DB_READ_TIMEOUT_MS";
    pub(super) const DB_WRITE_TIMEOUT_MS: &str = "BILLING_DB_WRITE_TIMEOUT_MS";
    pub(super) const LISTEN: &str = "BILLING_LISTEN";
    pub(super) const METRICS_LISTEN: &str = "BILLING_METRICS_LISTEN";
    pub(super) const SHUTDOWN_DEADLINE_MS: &str = "BILLING_SHUTDOWN_DEADLINE_MS";
    pub(super) const TRUSTED_PROXIES: &str = "BILLING_TRUSTED_PROXIES";
    pub(super) const CORS_ORIGINS: &str = "BILLING_CORS_ORIGINS";
    pub(super) const HSTS_SECONDS: &str = "BILLING_HSTS_SECONDS";
    pub(super) const CONNECTIONS_MAX: &str = "BILLING_CONNECTIONS_MAX";
    pub(super) const CONNECTIONS_PER_ADDRESS: &str = "BILLING_CONNECTIONS_PER_ADDRESS";
    pub(super) const STREAMS_PER_CONNECTION: &str = "BILLING_STREAMS_PER_CONNECTION";
    pub(super) const HEADERS_MAX: &str = "BILLING_HEADERS_MAX";
    pub(super) const HEADERS_BYTES_MAX: &str = "BILLING_HEADERS_BYTES_MAX";
    pub(super) const HEADERS_TIMEOUT_MS: &str = "BILLING_HEADERS_TIMEOUT_MS";
    pub(super) const BODY_TIMEOUT_MS: &str = "BILLING_BODY_TIMEOUT_MS";
    pub(super) const IDLE_TIMEOUT_MS: &str = "BILLING_IDLE_TIMEOUT_MS";
    pub(super) const ANSWER_TIMEOUT_MS: &str = "BILLING_ANSWER_TIMEOUT_MS";
    pub(super) const EXECUTING_MAX: &str = "BILLING_EXECUTING_MAX";
    pub(super) const EXECUTING_PER_TENANT: &str = "BILLING_EXECUTING_PER_TENANT";
    pub(super) const QUEUE_MAX: &str = "BILLING_QUEUE_MAX";
    pub(super) const QUEUE_TIMEOUT_MS: &str = "BILLING_QUEUE_TIMEOUT_MS";
    pub(super) const WEBHOOKS_EXECUTING_MAX: &str = "BILLING_WEBHOOKS_EXECUTING_MAX";
    pub(super) const JWT_SECRET: &str = "BILLING_JWT_SECRET";
    pub(super) const JWT_ISSUER: &str = "BILLING_JWT_ISSUER";
    pub(super) const JWT_AUDIENCE: &str = "BILLING_JWT_AUDIENCE";
    pub(super) const JWKS_URL: &str = "BILLING_JWKS_URL";
    pub(super) const SESSION_IDLE_MINUTES: &str = "BILLING_SESSION_IDLE_MINUTES";
    pub(super) const SESSION_HOURS: &str = "BILLING_SESSION_HOURS";
    pub(super) const EXPLORER: &str = "BILLING_EXPLORER";
    pub(super) const GATEWAY_EXPLORER: &str = "BILLING_GATEWAY_EXPLORER";
    pub(super) const LINK_HOSTS: &str = "BILLING_LINK_HOSTS";
    pub(super) const STRIPE_KEY: &str = "BILLING_STRIPE_KEY";
    pub(super) const STRIPE_TENANT: &str = "BILLING_STRIPE_TENANT";
    pub(super) const STRIPE_BASE_URL: &str = "BILLING_STRIPE_BASE_URL";
    pub(super) const STRIPE_REPLICAS: &str = "BILLING_STRIPE_REPLICAS";
    pub(super) const STRIPE_RECONCILE_MINUTES: &str = "BILLING_STRIPE_RECONCILE_MINUTES";
    pub(super) const STRIPE_RECONCILE_PAYING_MINUTES: &str = "BILLING_STRIPE_RECONCILE_PAYING_MINUTES";
    pub(super) const WEBHOOK_TENANT: &str = "BILLING_WEBHOOK_TENANT";
    pub(super) const WEBHOOK_SECRETS: &str = "BILLING_WEBHOOK_SECRETS";
    pub(super) const STRIPE_PAY_LINKS_PER_MINUTE: &str = "BILLING_STRIPE_PAY_LINKS_PER_MINUTE";
    pub(super) const WEBHOOK_KEEP_DAYS: &str = "BILLING_WEBHOOK_KEEP_DAYS";
    pub(super) const WEBHOOK_LIVEMODE: &str = "BILLING_WEBHOOK_LIVEMODE";
    pub(super) const COST_LIMIT: &str = "BILLING_COST_LIMIT";
    pub(super) const COST_LIMIT_CUSTOMERS: &str = "BILLING_COST_LIMIT_CUSTOMERS";
    pub(super) const DOCUMENT_CACHE_MIB: &str = "BILLING_DOCUMENT_CACHE_MIB";
    pub(super) const RATE_OPERATIONS: &str = "BILLING_RATE_OPERATIONS";
    pub(super) const RATE_REFILL_SECONDS: &str = "BILLING_RATE_REFILL_SECONDS";
    pub(super) const RATE_BAD_CREDENTIALS_PER_MINUTE: &str = "BILLING_RATE_BAD_CREDENTIALS_PER_MINUTE";
    pub(super) const RATE_SHARED_URL: &str = "BILLING_RATE_SHARED_URL";
    pub(super) const RATE_WITHOUT_SHARED: &str = "BILLING_RATE_WITHOUT_SHARED";
    pub(super) const PERSISTED_QUERIES: &str = "BILLING_PERSISTED_QUERIES";
    pub(super) const TRUSTED_DOCUMENTS: &str = "BILLING_TRUSTED_DOCUMENTS";
    pub(super) const TRUSTED_MODE: &str = "BILLING_TRUSTED_MODE";
    pub(super) const LOG_FORMAT: &str = "BILLING_LOG_FORMAT";
    pub(super) const LOG_LEVEL: &str = "BILLING_LOG_LEVEL";
}

/// A setting as it was given, not checked yet.
#[derive(Clone)]
pub struct Given(String);

impl From<String> for Given {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a text, a whole number or a list of texts")]
        enum Spelling {
            Text(String),
            Number(i64),
            List(Vec<String>),
        }
        Ok(Self(match Spelling::deserialize(deserializer)? {
            Spelling::Text(text) => text,
            Spelling::Number(number) => number.to_string(),
            Spelling::List(texts) => texts.join(","),
        }))
    }
}

/// Settings as they were given, of one source or of all of them.
#[derive(Clone, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[command(next_help_heading = "Settings")]
pub struct Settings {
    /// A TOML file with settings; flags and environment go before it
    #[arg(long, global = true, env = env::CONFIG, value_name = "FILE")]
    #[serde(skip)]
    config: Option<PathBuf>,
    /// The database: `sqlite://FILE`, made when it does not exist, or `postgres://USER:PASSWORD@HOST/NAME`
    #[arg(long, global = true, env = env::DATABASE_URL, value_name = "URL", hide_env_values = true)]
    database_url: Option<Given>,
    /// Connections for reading, and on Postgres as many again for writing [default: 4 per core]
    #[arg(long, global = true, env = env::DB_CONNECTIONS, value_name = "NUMBER", hide_short_help = true)]
    db_connections: Option<Given>,
    /// Longest wait for a free connection, in milliseconds [default: 1000]
    #[arg(long, global = true, env = env::DB_ACQUIRE_TIMEOUT_MS, value_name = "MS", hide_short_help = true)]
    db_acquire_timeout_ms: Option<Given>,
    /// Longest time one read may take, in milliseconds [default: 2000]
    #[arg(long, global = true, env = env::DB_READ_TIMEOUT_MS, value_name = "MS", hide_short_help = true)]
    db_read_timeout_ms: Option<Given>,
    /// Longest time one write may take, on `SQLite` a whole transaction, in milliseconds [default: 30000]
    #[arg(long, global = true, env = env::DB_WRITE_TIMEOUT_MS, value_name = "MS", hide_short_help = true)]
    db_write_timeout_ms: Option<Given>,
    /// Address and port to listen on; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, global = true, env = env::LISTEN, value_name = "ADDRESS:PORT")]
    listen: Option<Given>,
    /// Address and port of `/metrics`, which needs no token: not where clients come; without it there is none
    #[arg(long, global = true, env = env::METRICS_LISTEN, value_name = "ADDRESS:PORT", hide_short_help = true)]
    metrics_listen: Option<Given>,
    /// How long running requests may go on after SIGTERM, in milliseconds [default: 4000]
    #[arg(long, global = true, env = env::SHUTDOWN_DEADLINE_MS, value_name = "MS", hide_short_help = true)]
    shutdown_deadline_ms: Option<Given>,
    /// Networks of proxies whose `X-Forwarded-For` is believed, with commas between them
    #[arg(long, global = true, env = env::TRUSTED_PROXIES, value_name = "NETWORKS", hide_short_help = true)]
    trusted_proxies: Option<Given>,
    /// Origins of other sites whose pages may ask, with commas between them
    #[arg(long, global = true, env = env::CORS_ORIGINS, value_name = "ORIGINS", hide_short_help = true)]
    cors_origins: Option<Given>,
    /// For how long browsers shall come by TLS only; 0 says nothing about it [default: 0]
    #[arg(long, global = true, env = env::HSTS_SECONDS, value_name = "SECONDS", hide_short_help = true)]
    hsts_seconds: Option<Given>,
    /// Connections in all [default: 10000]
    #[arg(long, global = true, env = env::CONNECTIONS_MAX, value_name = "NUMBER", hide_short_help = true)]
    connections_max: Option<Given>,
    /// Connections of one address, but for trusted proxies [default: 100]
    #[arg(long, global = true, env = env::CONNECTIONS_PER_ADDRESS, value_name = "NUMBER", hide_short_help = true)]
    connections_per_address: Option<Given>,
    /// Requests at the same time on one connection of HTTP/2 [default: 100]
    #[arg(long, global = true, env = env::STREAMS_PER_CONNECTION, value_name = "NUMBER", hide_short_help = true)]
    streams_per_connection: Option<Given>,
    /// Headers of one request [default: 100]
    #[arg(long, global = true, env = env::HEADERS_MAX, value_name = "NUMBER", hide_short_help = true)]
    headers_max: Option<Given>,
    /// Bytes of a request's address and headers [default: 65536]
    #[arg(long, global = true, env = env::HEADERS_BYTES_MAX, value_name = "BYTES", hide_short_help = true)]
    headers_bytes_max: Option<Given>,
    /// Longest time for the headers of a request, in milliseconds [default: 10000]
    #[arg(long, global = true, env = env::HEADERS_TIMEOUT_MS, value_name = "MS", hide_short_help = true)]
    headers_timeout_ms: Option<Given>,
    /// Longest time for a body, in milliseconds [default: 10000]
    #[arg(long, global = true, env = env::BODY_TIMEOUT_MS, value_name = "MS", hide_short_help = true)]
    body_timeout_ms: Option<Given>,
    /// Longest rest of a connection between two requests, in milliseconds [default: 75000]
    #[arg(long, global = true, env = env::IDLE_TIMEOUT_MS, value_name = "MS", hide_short_help = true)]
    idle_timeout_ms: Option<Given>,
    /// Longest time for a client to read an answer, in milliseconds [default: 30000]
    #[arg(long, global = true, env = env::ANSWER_TIMEOUT_MS, value_name = "MS", hide_short_help = true)]
    answer_timeout_ms: Option<Given>,
    /// Requests that are worked on at the same time [default: 512]
    #[arg(long, global = true, env = env::EXECUTING_MAX, value_name = "NUMBER", hide_short_help = true)]
    executing_max: Option<Given>,
    /// Those of one tenant [default: 64]
    #[arg(long, global = true, env = env::EXECUTING_PER_TENANT, value_name = "NUMBER", hide_short_help = true)]
    executing_per_tenant: Option<Given>,
    /// Requests that wait to be worked on [default: 512]
    #[arg(long, global = true, env = env::QUEUE_MAX, value_name = "NUMBER", hide_short_help = true)]
    queue_max: Option<Given>,
    /// How long they wait, in milliseconds [default: 500]
    #[arg(long, global = true, env = env::QUEUE_TIMEOUT_MS, value_name = "MS", hide_short_help = true)]
    queue_timeout_ms: Option<Given>,
    /// Webhooks that are taken at the same time [default: 64]
    #[arg(long, global = true, env = env::WEBHOOKS_EXECUTING_MAX, value_name = "NUMBER", hide_short_help = true)]
    webhooks_executing_max: Option<Given>,
    /// The secret that tokens are signed with, at least 32 bytes; the demo makes one, and an identity provider
    /// (--jwks-url) does without. Others can see the flag: prefer the environment
    #[arg(long, global = true, env = env::JWT_SECRET, value_name = "SECRET", hide_env_values = true)]
    jwt_secret: Option<Given>,
    /// Who signs the tokens that are accepted [default: billing-gateway]
    #[arg(long, global = true, env = env::JWT_ISSUER, value_name = "NAME", hide_short_help = true)]
    jwt_issuer: Option<Given>,
    /// Whom the tokens that are accepted are for [default: billing-gateway]
    #[arg(long, global = true, env = env::JWT_AUDIENCE, value_name = "NAME", hide_short_help = true)]
    jwt_audience: Option<Given>,
    /// Where an identity provider has the keys of its tokens (a JSON Web Key Set); `http` only on this machine
    #[arg(long, global = true, env = env::JWKS_URL, value_name = "URL", hide_short_help = true)]
    jwks_url: Option<Given>,
    /// How long a session lasts that is not used, in minutes [default: 30]
    #[arg(long, global = true, env = env::SESSION_IDLE_MINUTES, value_name = "MINUTES", hide_short_help = true)]
    session_idle_minutes: Option<Given>,
    /// How long a session lasts in any case, in hours [default: 12]
    #[arg(long, global = true, env = env::SESSION_HOURS, value_name = "HOURS", hide_short_help = true)]
    session_hours: Option<Given>,
    /// The explorer: `full` (the plain one where it was not built), `fallback` (the plain one), or `off` [default: full]
    #[arg(long, global = true, env = env::EXPLORER, value_name = "WHICH", hide_short_help = true)]
    explorer: Option<Given>,
    /// The same under the name that the browser test uses
    #[arg(long, global = true, env = env::GATEWAY_EXPLORER, hide = true)]
    #[serde(skip)]
    gateway_explorer: Option<Given>,
    /// Hosts that links may lead to beside Stripe's, with commas between them
    #[arg(long, global = true, env = env::LINK_HOSTS, value_name = "HOSTS", hide_short_help = true)]
    link_hosts: Option<Given>,
    /// A restricted key that reads invoices at Stripe, `rk_…`; links are live where there is one. Others can see the
    /// flag: prefer the environment
    #[arg(long, global = true, env = env::STRIPE_KEY, value_name = "KEY", hide_env_values = true)]
    stripe_key: Option<Given>,
    /// The tenant whose account the key opens; without it the key is a Connect platform's, and each invoice's mirror
    /// names its account
    #[arg(long, global = true, env = env::STRIPE_TENANT, value_name = "TENANT", hide_short_help = true)]
    stripe_tenant: Option<Given>,
    /// Where Stripe's API is; `http` only on this machine and with a test key [default: <https://api.stripe.com>]
    #[arg(long, global = true, env = env::STRIPE_BASE_URL, value_name = "URL", hide_short_help = true)]
    stripe_base_url: Option<Given>,
    /// How many replicas share Stripe's limits [default: 1]
    #[arg(long, global = true, env = env::STRIPE_REPLICAS, value_name = "NUMBER", hide_short_help = true)]
    stripe_replicas: Option<Given>,
    /// Ask Stripe about open invoices that were not heard of for so many minutes [default: 360]
    #[arg(long, global = true, env = env::STRIPE_RECONCILE_MINUTES, value_name = "MINUTES", hide_short_help = true)]
    stripe_reconcile_minutes: Option<Given>,
    /// The same for those whose links were read within the last hour [default: 2]
    #[arg(long, global = true, env = env::STRIPE_RECONCILE_PAYING_MINUTES, value_name = "MINUTES", hide_short_help = true)]
    stripe_reconcile_paying_minutes: Option<Given>,
    /// Pay links that one caller may have read from Stripe in a minute [default: 30]
    #[arg(long, global = true, env = env::STRIPE_PAY_LINKS_PER_MINUTE, value_name = "NUMBER", hide_short_help = true)]
    stripe_pay_links_per_minute: Option<Given>,
    /// Keys of further tenants, in the file only
    #[arg(skip)]
    stripe_accounts: stripe::GivenAccounts,
    /// The tenant whose webhooks come to `/webhooks/stripe/default`; more endpoints stand in the file
    #[arg(long, global = true, env = env::WEBHOOK_TENANT, value_name = "ID", hide_short_help = true)]
    webhook_tenant: Option<Given>,
    /// What these are signed with, with commas between several. Others can see the flag: prefer the environment
    #[arg(long, global = true, env = env::WEBHOOK_SECRETS, value_name = "SECRETS", hide_env_values = true, hide_short_help = true)]
    webhook_secrets: Option<Given>,
    /// Whether these are about real money: `true` or `false` [default: false]
    #[arg(long, global = true, env = env::WEBHOOK_LIVEMODE, value_name = "BOOL", hide_short_help = true)]
    webhook_livemode: Option<Given>,
    /// Days that webhooks are kept once they were worked on, 30 or more: Stripe may send one again for so long
    /// [default: 30]
    #[arg(long, global = true, env = env::WEBHOOK_KEEP_DAYS, value_name = "DAYS", hide_short_help = true)]
    webhook_keep_days: Option<Given>,
    #[arg(skip)]
    webhook_endpoints: Option<BTreeMap<String, EndpointGiven>>,
    /// What an operation of a merchant, partner or service may cost at the most [default: 10000]
    #[arg(long, global = true, env = env::COST_LIMIT, value_name = "NUMBER", hide_short_help = true)]
    cost_limit: Option<Given>,
    /// What an operation of a customer may cost at the most [default: 1000]
    #[arg(long, global = true, env = env::COST_LIMIT_CUSTOMERS, value_name = "NUMBER", hide_short_help = true)]
    cost_limit_customers: Option<Given>,
    /// A caller may ask at once for so many operations that cost as much as one may [default: 50]
    #[arg(long, global = true, env = env::RATE_OPERATIONS, value_name = "NUMBER", hide_short_help = true)]
    rate_operations: Option<Given>,
    /// In how many seconds all of that comes back [default: 100]
    #[arg(long, global = true, env = env::RATE_REFILL_SECONDS, value_name = "SECONDS", hide_short_help = true)]
    rate_refill_seconds: Option<Given>,
    /// How many bad credentials one address may send within a minute [default: 60]
    #[arg(long, global = true, env = env::RATE_BAD_CREDENTIALS_PER_MINUTE, value_name = "NUMBER", hide_short_help = true)]
    rate_bad_credentials_per_minute: Option<Given>,
    /// A Redis or Valkey in which replicas count together: `redis://HOST:PORT`, with TLS `rediss://…`; without one each
    /// counts for itself
    #[arg(long, global = true, env = env::RATE_SHARED_URL, value_name = "URL", hide_env_values = true, hide_short_help = true)]
    rate_shared_url: Option<Given>,
    /// While that cannot be asked: `open` (each replica counts for itself) or `closed` (nobody is served) [default: open]
    #[arg(long, global = true, env = env::RATE_WITHOUT_SHARED, value_name = "CHOICE", hide_short_help = true)]
    rate_without_shared: Option<Given>,
    /// Memory for parsed documents, in mebibytes; 0 keeps none [default: 32]
    #[arg(long, global = true, env = env::DOCUMENT_CACHE_MIB, value_name = "MIB", hide_short_help = true)]
    document_cache_mib: Option<Given>,
    /// Whether clients may ask by the hash of a document that they sent before: `on` or `off` [default: on]
    #[arg(long, global = true, env = env::PERSISTED_QUERIES, value_name = "SWITCH", hide_short_help = true)]
    persisted_queries: Option<Given>,
    /// A file of trusted documents, which are asked for by their ids
    #[arg(long, global = true, env = env::TRUSTED_DOCUMENTS, value_name = "FILE", hide_short_help = true)]
    trusted_documents: Option<Given>,
    /// What the file is for: `prefer` (other documents are answered too), `only` (no others are) or `off` [default:
    /// prefer]
    #[arg(long, global = true, env = env::TRUSTED_MODE, value_name = "MODE", hide_short_help = true)]
    trusted_mode: Option<Given>,
    /// How log lines look: `text` or `json` [default: text]
    #[arg(long, global = true, env = env::LOG_FORMAT, value_name = "FORMAT", hide_short_help = true)]
    log_format: Option<Given>,
    /// What is logged: error, warn, info, debug, trace, or filters such as `info,billing_gateway=debug`
    /// [default: info, with less of the libraries]
    #[arg(long, global = true, env = env::LOG_LEVEL, value_name = "LEVEL", hide_short_help = true)]
    log_level: Option<Given>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What is logged, and how.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// How lines look.
    pub format: LogFormat,
    /// The filter, known to be readable.
    pub level: String,
}

/// Where the bills are.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// The database.
    pub url: DatabaseUrl,
    /// Its connections.
    pub pool: PoolSettings,
    /// Hosts that links in bills may lead to beside Stripe's.
    pub more_link_hosts: Vec<String>,
}

impl StoreConfig {
    /// The hosts that links in bills may lead to.
    pub fn link_hosts(&self) -> LinkHosts {
        LinkHosts::with(&self.more_link_hosts)
    }
}

/// How tokens are signed and verified.
#[derive(Clone, Debug)]
pub struct TokenConfig {
    /// At least 32 bytes; absent where an identity provider signs all of them.
    pub secret: Option<SecretString>,
    /// Who signs them.
    pub issuer: String,
    /// Whom they are for.
    pub audience: String,
    /// Where an identity provider has its keys.
    pub jwks: Option<JwksUrl>,
}

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
    /// How long these are kept once they were worked on.
    pub webhook_keep: Duration,
    /// Documents: what they may cost, what is kept of them, and which are trusted.
    pub documents: DocumentConfig,
    /// How much callers may ask for over time.
    pub rate: RateConfig,
    /// What is logged.
    pub log: LogConfig,
}

/// A setting that is wrong or missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its name in the environment; for the file, its path.
    pub setting: String,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.setting, self.problem)
    }
}

/// All settings that are wrong or missing: one at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<String> = self.0.iter().map(Fault::to_string).collect();
        f.write_str(&faults.join("; "))
    }
}

impl std::error::Error for Faults {}

impl Settings {
    /// These settings, and under them those of the file they name.
    ///
    /// # Errors
    /// The one fault of a file that cannot be read.
    pub fn with_file(mut self) -> Result<Self, Faults> {
        let Some(path) = self.config.take() else {
            return Ok(self);
        };
        let file =
            read_file(&path).map_err(|problem| Faults(vec![Fault { setting: path.display().to_string(), problem }]))?;
        Ok(self.over(file))
    }

    fn over(self, file: Self) -> Self {
        Self {
            config: None,
            database_url: first(self.database_url, file.database_url),
            db_connections: first(self.db_connections, file.db_connections),
            db_acquire_timeout_ms: first(self.db_acquire_timeout_ms, file.db_acquire_timeout_ms),
            db_read_timeout_ms: first(self.db_read_timeout_ms, file.db_read_timeout_ms),
            db_write_timeout_ms: first(self.db_write_timeout_ms, file.db_write_timeout_ms),
            listen: first(self.listen, file.listen),
            metrics_listen: first(self.metrics_listen, file.metrics_listen),
            shutdown_deadline_ms: first(self.shutdown_deadline_ms, file.shutdown_deadline_ms),
            trusted_proxies: first(self.trusted_proxies, file.trusted_proxies),
            cors_origins: first(self.cors_origins, file.cors_origins),
            hsts_seconds: first(self.hsts_seconds, file.hsts_seconds),
            connections_max: first(self.connections_max, file.connections_max),
            connections_per_address: first(self.connections_per_address, file.connections_per_address),
            streams_per_connection: first(self.streams_per_connection, file.streams_per_connection),
            headers_max: first(self.headers_max, file.headers_max),
            headers_bytes_max: first(self.headers_bytes_max, file.headers_bytes_max),
            headers_timeout_ms: first(self.headers_timeout_ms, file.headers_timeout_ms),
            body_timeout_ms: first(self.body_timeout_ms, file.body_timeout_ms),
            idle_timeout_ms: first(self.idle_timeout_ms, file.idle_timeout_ms),
            answer_timeout_ms: first(self.answer_timeout_ms, file.answer_timeout_ms),
            executing_max: first(self.executing_max, file.executing_max),
            executing_per_tenant: first(self.executing_per_tenant, file.executing_per_tenant),
            queue_max: first(self.queue_max, file.queue_max),
            queue_timeout_ms: first(self.queue_timeout_ms, file.queue_timeout_ms),
            webhooks_executing_max: first(self.webhooks_executing_max, file.webhooks_executing_max),
            jwt_secret: first(self.jwt_secret, file.jwt_secret),
            jwt_issuer: first(self.jwt_issuer, file.jwt_issuer),
            jwt_audience: first(self.jwt_audience, file.jwt_audience),
            jwks_url: first(self.jwks_url, file.jwks_url),
            session_idle_minutes: first(self.session_idle_minutes, file.session_idle_minutes),
            session_hours: first(self.session_hours, file.session_hours),
            explorer: first(first(self.explorer, self.gateway_explorer), file.explorer),
            gateway_explorer: None,
            link_hosts: first(self.link_hosts, file.link_hosts),
            stripe_key: first(self.stripe_key, file.stripe_key),
            stripe_tenant: first(self.stripe_tenant, file.stripe_tenant),
            stripe_base_url: first(self.stripe_base_url, file.stripe_base_url),
            stripe_replicas: first(self.stripe_replicas, file.stripe_replicas),
            stripe_reconcile_minutes: first(self.stripe_reconcile_minutes, file.stripe_reconcile_minutes),
            stripe_reconcile_paying_minutes: first(
                self.stripe_reconcile_paying_minutes,
                file.stripe_reconcile_paying_minutes,
            ),
            stripe_pay_links_per_minute: first(self.stripe_pay_links_per_minute, file.stripe_pay_links_per_minute),
            stripe_accounts: file.stripe_accounts,
            webhook_tenant: first(self.webhook_tenant, file.webhook_tenant),
            webhook_secrets: first(self.webhook_secrets, file.webhook_secrets),
            webhook_livemode: first(self.webhook_livemode, file.webhook_livemode),
            webhook_keep_days: first(self.webhook_keep_days, file.webhook_keep_days),
            webhook_endpoints: file.webhook_endpoints,
            cost_limit: first(self.cost_limit, file.cost_limit),
            cost_limit_customers: first(self.cost_limit_customers, file.cost_limit_customers),
            document_cache_mib: first(self.document_cache_mib, file.document_cache_mib),
            rate_operations: first(self.rate_operations, file.rate_operations),
            rate_refill_seconds: first(self.rate_refill_seconds, file.rate_refill_seconds),
            rate_bad_credentials_per_minute: first(
                self.rate_bad_credentials_per_minute,
                file.rate_bad_credentials_per_minute,
            ),
            rate_shared_url: first(self.rate_shared_url, file.rate_shared_url),
            rate_without_shared: first(self.rate_without_shared, file.rate_without_shared),
            persisted_queries: first(self.persisted_queries, file.persisted_queries),
            trusted_documents: first(self.trusted_documents, file.trusted_documents),
            trusted_mode: first(self.trusted_mode, file.trusted_mode),
            log_format: first(self.log_format, file.log_format),
            log_level: first(self.log_level, file.log_level),
        }
    }

    /// Everything that serving needs. The demo has a database and a secret of its own where none is given.
    ///
    /// # Errors
    /// Every fault there is.
    pub fn validate(&self, demo: bool) -> Result<Config, Faults> {
        let mut check = Check::new(demo);
        let config = check.config(self);
        check.done(config)
    }

    /// Only what a command needs that reads or writes bills.
    ///
    /// # Errors
    /// Every fault there is among those.
    pub fn store(&self) -> Result<StoreConfig, Faults> {
        let mut check = Check::new(false);
        let store = check.store(self);
        check.done(store)
    }

    /// Only what a command needs that opens sessions.
    ///
    /// # Errors
    /// Every fault there is among those.
    pub fn sessions(&self) -> Result<SessionPolicy, Faults> {
        let mut check = Check::new(false);
        let sessions = check.sessions(self);
        check.done(sessions)
    }

    /// Only what a command needs that compares bills with Stripe: the bills, and a key.
    ///
    /// # Errors
    /// Every fault there is among those.
    pub fn upstream(&self) -> Result<(StoreConfig, StripeAccess), Faults> {
        let mut check = Check::new(false);
        let (store, stripe) = (check.store(self), check.stripe(self));
        check.needs_key(&stripe);
        check.done((store, stripe))
    }

    /// Only what a command needs that makes tokens.
    ///
    /// # Errors
    /// Every fault there is among those.
    pub fn tokens(&self) -> Result<TokenConfig, Faults> {
        let mut check = Check::new(false);
        let tokens = check.tokens(self, true);
        check.done(tokens)
    }

    /// Only what is logged, and how.
    ///
    /// # Errors
    /// Every fault there is among those.
    pub fn log(&self) -> Result<LogConfig, Faults> {
        let mut check = Check::new(false);
        let log = check.log(self);
        check.done(log)
    }
}

impl Config {
    /// The effective settings by their key in the file. The secret and the database's password are not shown.
    pub fn shown(&self) -> Vec<(&'static str, Value)> {
        let pool = &self.store.pool;
        let base = self.stripe.base.as_ref().map(BaseUrl::url);
        let millis = |time: Duration| json!(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        let minutes = |time: Duration| json!(time.as_secs() / 60);
        let mut shown = vec![
            ("database_url", json!(self.store.url.shown())),
            ("db_connections", json!(pool.connections)),
            ("db_acquire_timeout_ms", millis(pool.acquire_timeout)),
            ("db_read_timeout_ms", millis(pool.read_timeout)),
            ("db_write_timeout_ms", millis(pool.write_timeout)),
            ("listen", json!(self.listen.to_string())),
            ("metrics_listen", json!(self.metrics_listen.map(|address| address.to_string()).unwrap_or_default())),
            ("shutdown_deadline_ms", millis(self.shutdown_deadline)),
            ("jwt_secret", json!("(hidden)")),
            ("jwt_issuer", json!(self.tokens.issuer)),
            ("jwt_audience", json!(self.tokens.audience)),
            ("jwks_url", json!(self.tokens.jwks.as_ref().map_or("", JwksUrl::as_str))),
            ("session_idle_minutes", json!(self.sessions.idle.num_minutes())),
            ("session_hours", json!(self.sessions.longest.num_hours())),
            ("explorer", json!(explorer_word(self.explorer))),
            ("link_hosts", json!(self.store.more_link_hosts)),
            ("stripe_base_url", json!(base.map(|url| url.as_str().trim_end_matches('/')))),
            ("stripe_replicas", json!(self.stripe.replicas)),
            ("stripe_reconcile_minutes", minutes(self.stripe.reconcile.open)),
            ("stripe_reconcile_paying_minutes", minutes(self.stripe.reconcile.paying)),
            ("stripe_pay_links_per_minute", json!(self.stripe.pay_links_per_minute)),
            ("webhook_keep_days", json!(self.webhook_keep.as_secs() / SECONDS_OF_A_DAY)),
            ("log_format", json!(self.log.format.word())),
            ("log_level", json!(self.log.level)),
        ];
        shown.extend(transport::shown(&self.transport));
        shown.extend(self.documents.shown());
        shown.extend(self.rate.shown());
        shown
    }
}

impl Config {
    /// The webhook endpoints as settings of the file. Secrets are not shown.
    pub fn shown_webhooks(&self) -> Vec<(String, Value)> {
        self.webhooks.iter().flat_map(|(name, endpoint)| endpoint.shown(name)).collect()
    }
}

fn read_file(path: &Path) -> Result<Settings, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))?;
    toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count().saturating_add(1);
        format!("line {line}: {}", error.message().replace('\n', " "))
    })
}

/// The first that says anything.
fn first(one: Option<Given>, other: Option<Given>) -> Option<Given> {
    one.filter(|given| !given.0.trim().is_empty()).or(other)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::auth::SECRET_BYTES_MIN;

    fn given<T: From<Given>>(text: &str) -> T {
        Given(text.to_owned()).into()
    }

    fn complete() -> Settings {
        Settings {
            database_url: given("sqlite://billing.db"),
            jwt_secret: given("0123456789abcdef0123456789abcdef"),
            ..Settings::default()
        }
    }

    #[test]
    fn defaults_are_enough_for_the_demo_and_not_for_a_server() {
        let config = Settings::default().validate(true).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert!(config.tokens.secret.unwrap().expose_secret().len() >= SECRET_BYTES_MIN);
        let provider = Settings { jwt_secret: None, jwks_url: given("https://id.example.com/jwks"), ..complete() };
        assert!(provider.validate(false).unwrap().tokens.secret.is_none());
        assert!(provider.tokens().is_err(), "there is nothing to sign with");
        let faults = Settings::default().validate(false).unwrap_err();
        let settings: Vec<_> = faults.0.iter().map(|fault| fault.setting.as_str()).collect();
        assert_eq!(settings, ["DATABASE_URL", "BILLING_JWT_SECRET"]);
    }

    #[test]
    fn all_faults_are_listed_at_once() {
        let faults = Settings {
            database_url: given("mysql://root:hunter2@host/db"),
            jwt_secret: given("too short"),
            listen: given("8080"),
            db_connections: given("0"),
            db_read_timeout_ms: given("2 s"),
            explorer: given("fancy"),
            jwks_url: given("http://id.example.com/jwks"),
            session_idle_minutes: given("0"),
            session_hours: given("800"),
            link_hosts: given("https://pay.example.com"),
            log_level: given("loud=very"),
            ..Settings::default()
        }
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
        let flags = Settings { listen: given("127.0.0.1:2"), db_connections: given(""), ..complete() };
        let config = flags.over(file).validate(false).unwrap();
        assert_eq!(config.listen.port(), 2);
        assert_eq!(config.store.pool.connections, 3, "what is empty counts as absent");
        assert_eq!(config.store.more_link_hosts, ["a.example.com", "b.example.com"]);
        assert_eq!(config.shutdown_deadline, Duration::from_secs(4));
    }

    #[test]
    fn what_is_shown_holds_no_secret_and_every_key_of_the_file() {
        let settings = Settings { database_url: given("postgres://user:hunter2@host/db"), ..complete() };
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
}
