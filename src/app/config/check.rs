//! Reads settings one by one and collects what is wrong with them; the defaults and limits of each stand here.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};

use super::{Config, Fault, Faults, Given, LogConfig, LogFormat, Settings, StoreConfig, TokenConfig, env, first};
use crate::auth::{JwksUrl, SECRET_BYTES_MIN};
use crate::domain::browser_session::SessionPolicy;
use crate::http::ExplorerMode;
use crate::store::{DatabaseUrl, PoolSettings};

/// The database of the demo where none is named: a file in the current folder.
const DEMO_DATABASE: &str = "sqlite://billing-demo.db";
/// Where to listen by default: this machine only.
const LISTEN: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8080));
/// Who signs tokens, and whom they are for, by default.
const TOKEN_PARTY: &str = "billing-gateway";
/// A session that is not used ends soon: the browser may be another person's by then.
const SESSION_IDLE_MINUTES: u64 = 30;
/// From one minute to thirty days.
const SESSION_IDLE: RangeInclusive<u64> = 1..=43_200;
/// A session ends within a working day, however it is used.
const SESSION_HOURS: u64 = 12;
/// From one hour to thirty days.
const SESSION_LONGEST: RangeInclusive<u64> = 1..=720;
/// Connections by default, for each core: queries are short and mostly wait for the database.
const CONNECTIONS_PER_CORE: usize = 4;
/// Connections: a server has a few hundred for everyone.
const CONNECTIONS: RangeInclusive<u64> = 1..=1_000;
/// Waiting longer for a free connection only lengthens the queue.
const ACQUIRE_TIMEOUT_MS: u64 = 1_000;
/// A read that takes longer has lost its plan.
const READ_TIMEOUT_MS: u64 = 2_000;
/// Writes come in bulk: imports and the demo.
const WRITE_TIMEOUT_MS: u64 = 30_000;
/// Leaves a second of the five in which the program must be gone.
const SHUTDOWN_DEADLINE_MS: u64 = 4_000;
/// Time-outs: a tenth of a second to ten minutes.
const TIMEOUT_MS: RangeInclusive<u64> = 100..=600_000;

/// Migrations are not worth a line each: `migrate` lists them.
const LOG_LEVEL: &str = "info,sea_orm_migration=warn,sqlx=warn";

/// Reads settings one by one and collects what is wrong with them.
pub(super) struct Check {
    demo: bool,
    faults: Vec<Fault>,
}

impl Check {
    /// With `demo`, what the demo brings by itself is not missing.
    pub(super) const fn new(demo: bool) -> Self {
        Self { demo, faults: Vec::new() }
    }

    pub(super) const fn is_demo(&self) -> bool {
        self.demo
    }

    pub(super) fn done<T>(self, value: T) -> Result<T, Faults> {
        if self.faults.is_empty() { Ok(value) } else { Err(Faults(self.faults)) }
    }

    pub(super) fn fault(&mut self, setting: &str, problem: String) {
        self.faults.push(Fault { setting: setting.to_owned(), problem });
    }

    pub(super) fn config(&mut self, given: &Settings) -> Config {
        Config {
            store: self.store(given),
            tokens: self.tokens(given, false),
            sessions: self.sessions(given),
            log: self.log(given),
            listen: self.parsed(env::LISTEN, given.listen.as_ref(), LISTEN, "an address and a port: 127.0.0.1:8080"),
            metrics_listen: self.metrics_listen(given),
            shutdown_deadline: self.time(
                env::SHUTDOWN_DEADLINE_MS,
                given.shutdown_deadline_ms.as_ref(),
                SHUTDOWN_DEADLINE_MS,
            ),
            transport: self.transport(given),
            explorer: self.explorer(given),
            stripe: self.stripe(given),
            webhooks: self.webhooks(given),
            webhook_keep: self.webhook_keep(given),
            documents: self.documents(given),
            rate: self.rate(given),
        }
    }

    pub(super) fn store(&mut self, given: &Settings) -> StoreConfig {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let connections = u64::try_from(cores.saturating_mul(CONNECTIONS_PER_CORE)).unwrap_or(*CONNECTIONS.end());
        let connections = self.number(
            env::DB_CONNECTIONS,
            given.db_connections.as_ref(),
            connections.min(*CONNECTIONS.end()),
            CONNECTIONS,
        );
        StoreConfig {
            url: self.database(given),
            pool: PoolSettings {
                connections: u32::try_from(connections).unwrap_or(1),
                acquire_timeout: self.time(
                    env::DB_ACQUIRE_TIMEOUT_MS,
                    given.db_acquire_timeout_ms.as_ref(),
                    ACQUIRE_TIMEOUT_MS,
                ),
                read_timeout: self.time(env::DB_READ_TIMEOUT_MS, given.db_read_timeout_ms.as_ref(), READ_TIMEOUT_MS),
                write_timeout: self.time(
                    env::DB_WRITE_TIMEOUT_MS,
                    given.db_write_timeout_ms.as_ref(),
                    WRITE_TIMEOUT_MS,
                ),
            },
            more_link_hosts: self.hosts(given),
        }
    }

    fn database(&mut self, given: &Settings) -> DatabaseUrl {
        let default = if self.demo { Some(DEMO_DATABASE) } else { None };
        let Some(url) = text(given.database_url.as_ref()).or(default) else {
            let problem = "is required: sqlite://FILE or postgres://USER:PASSWORD@HOST/NAME";
            self.fault(env::DATABASE_URL, problem.to_owned());
            return DatabaseUrl::Sqlite(String::new());
        };
        match DatabaseUrl::from_str(url) {
            Ok(DatabaseUrl::Sqlite(url)) if url.contains(":memory:") || url.contains("mode=memory") => {
                let problem = "must name a file: each connection would have a database of its own in memory";
                self.fault(env::DATABASE_URL, problem.to_owned());
                DatabaseUrl::Sqlite(url)
            }
            Ok(url) => url,
            // The URL itself may hold a password, so it is not repeated.
            Err(error) => {
                self.fault(env::DATABASE_URL, format!("is of no known kind: {error}"));
                DatabaseUrl::Sqlite(String::new())
            }
        }
    }

    /// Without `signing`, an identity provider does instead of a secret.
    pub(super) fn tokens(&mut self, given: &Settings, signing: bool) -> TokenConfig {
        let jwks = self.jwks(given);
        let provided = text(given.jwks_url.as_ref()).is_some() && !signing;
        let secret = match text(given.jwt_secret.as_ref()) {
            Some(secret) => secret.to_owned(),
            None if self.demo => random_secret(),
            None => String::new(),
        };
        let secret = SecretString::from(secret);
        match secret.expose_secret().len() {
            0 if provided => {}
            0 => {
                let problem = format!("is required: at least {SECRET_BYTES_MIN} random bytes");
                self.fault(env::JWT_SECRET, problem);
            }
            bytes if bytes < SECRET_BYTES_MIN => {
                let problem = format!("has {bytes} bytes; it needs at least {SECRET_BYTES_MIN}");
                self.fault(env::JWT_SECRET, problem);
            }
            _ => {}
        }
        let party = |given: Option<&Given>| text(given).unwrap_or(TOKEN_PARTY).to_owned();
        let (issuer, audience) = (party(given.jwt_issuer.as_ref()), party(given.jwt_audience.as_ref()));
        let secret = Some(secret).filter(|secret| !secret.expose_secret().is_empty());
        TokenConfig { secret, issuer, audience, jwks }
    }

    fn jwks(&mut self, given: &Settings) -> Option<JwksUrl> {
        match JwksUrl::parse(text(given.jwks_url.as_ref())?) {
            Ok(url) => Some(url),
            Err(why) => {
                self.fault(env::JWKS_URL, why.to_string());
                None
            }
        }
    }

    pub(super) fn sessions(&mut self, given: &Settings) -> SessionPolicy {
        let (idle, longest) = (given.session_idle_minutes.as_ref(), given.session_hours.as_ref());
        let idle = self.number(env::SESSION_IDLE_MINUTES, idle, SESSION_IDLE_MINUTES, SESSION_IDLE);
        let longest = self.number(env::SESSION_HOURS, longest, SESSION_HOURS, SESSION_LONGEST);
        let whole = |number: u64| i64::try_from(number).unwrap_or_default();
        SessionPolicy { idle: TimeDelta::minutes(whole(idle)), longest: TimeDelta::hours(whole(longest)) }
    }

    pub(super) fn log(&mut self, given: &Settings) -> LogConfig {
        let level = text(given.log_level.as_ref()).unwrap_or(LOG_LEVEL).to_owned();
        if let Err(error) = tracing_subscriber::EnvFilter::builder().parse(&level) {
            self.fault(env::LOG_LEVEL, format!("cannot be read: {error}"));
        }
        let words = LogFormat::ALL.map(|format| (format.word(), format));
        LogConfig { format: self.word(env::LOG_FORMAT, given.log_format.as_ref(), &words, LogFormat::Text), level }
    }

    /// The address of the metrics, where there is one.
    fn metrics_listen(&mut self, given: &Settings) -> Option<SocketAddr> {
        let given = given.metrics_listen.as_ref().filter(|given| text(Some(given)).is_some())?;
        Some(self.parsed(env::METRICS_LISTEN, Some(given), LISTEN, "an address and a port: 127.0.0.1:9464"))
    }

    fn explorer(&mut self, given: &Settings) -> ExplorerMode {
        let chosen = first(given.explorer.clone(), given.gateway_explorer.clone());
        self.word(env::EXPLORER, chosen.as_ref(), &EXPLORERS, ExplorerMode::Full)
    }

    fn hosts(&mut self, given: &Settings) -> Vec<String> {
        let listed = text(given.link_hosts.as_ref()).unwrap_or_default();
        let hosts: Vec<String> =
            listed.split(',').map(|host| host.trim().to_ascii_lowercase()).filter(|host| !host.is_empty()).collect();
        for host in &hosts {
            let name = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
            if !host.contains('.') || !host.chars().all(name) {
                let problem = format!("names {host:?}, which is no host name such as pay.example.com");
                self.fault(env::LINK_HOSTS, problem);
            }
        }
        hosts
    }

    pub(super) fn time(&mut self, setting: &str, given: Option<&Given>, default_ms: u64) -> Duration {
        Duration::from_millis(self.number(setting, given, default_ms, TIMEOUT_MS))
    }

    pub(super) fn number(
        &mut self,
        setting: &str,
        given: Option<&Given>,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> u64 {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let number = self.parsed(setting, given, default, &expected);
        if !range.contains(&number) {
            self.fault(setting, format!("is {number}, not {expected}"));
        }
        number
    }

    fn parsed<T: FromStr>(&mut self, setting: &str, given: Option<&Given>, default: T, expected: &str) -> T {
        let Some(text) = text(given) else {
            return default;
        };
        text.parse().unwrap_or_else(|_unreadable| {
            self.fault(setting, format!("is {text:?}, not {expected}"));
            default
        })
    }

    pub(super) fn word<T: Copy>(&mut self, setting: &str, given: Option<&Given>, words: &[(&str, T)], default: T) -> T {
        let Some(text) = text(given) else {
            return default;
        };
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return *meaning;
        }
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        self.fault(setting, format!("is {text:?}, not one of {}", words.join(", ")));
        default
    }
}

/// Every explorer, by its word.
const EXPLORERS: [(&str, ExplorerMode); 3] =
    [("full", ExplorerMode::Full), ("fallback", ExplorerMode::Fallback), ("off", ExplorerMode::Off)];

pub(super) fn explorer_word(mode: ExplorerMode) -> Option<&'static str> {
    EXPLORERS.iter().find(|(_, known)| *known == mode).map(|(word, _)| *word)
}

impl LogFormat {
    const ALL: [Self; 2] = [Self::Text, Self::Json];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

pub(super) fn text(given: Option<&Given>) -> Option<&str> {
    given.map(|given| given.0.trim()).filter(|text| !text.is_empty())
}

/// A secret for one run: each ULID brings 80 bits of the operating system's randomness.
pub(super) fn random_secret() -> String {
    (0..4).map(|_| ulid::Ulid::new().to_string()).collect()
}
