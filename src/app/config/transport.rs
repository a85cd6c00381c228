//! How the server meets clients: limits of connections, headers, times and work, and who is believed.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use ipnet::IpNet;
use serde_json::{Value, json};
use url::{Origin, Url};

use super::check::{Check, text};
use super::{Given, Settings, env};
use crate::http::Transport;

/// Counts of connections, requests and headers.
const COUNT: RangeInclusive<u64> = 1..=1_000_000;

/// Headers of a request: fewer than ten leave no room for those that every browser sends.
const HEADERS: RangeInclusive<u64> = 10..=1_000;

/// Their bytes: a token alone may have eight kilobytes.
const HEADERS_BYTES: RangeInclusive<u64> = 16_384..=1_048_576;

/// Two years, as browsers ask for before they take a host into their lists.
const HSTS_SECONDS: RangeInclusive<u64> = 0..=63_072_000;

/// Milliseconds in a queue. Zero refuses at once.
const QUEUE_MS: RangeInclusive<u64> = 0..=10_000;

impl Check {
    /// Everything about it.
    pub(super) fn transport(&mut self, given: &Settings) -> Transport {
        let default = Transport::default();
        Transport {
            trusted_proxies: self.networks(given),
            cors_origins: self.origins(given),
            hsts: self.hsts(given),
            connections_max: self.count(
                env::CONNECTIONS_MAX,
                given.connections_max.as_ref(),
                default.connections_max,
                COUNT,
            ),
            connections_per_address: self.count(
                env::CONNECTIONS_PER_ADDRESS,
                given.connections_per_address.as_ref(),
                default.connections_per_address,
                COUNT,
            ),
            streams_per_connection: self.streams(given, default.streams_per_connection),
            headers_max: self.count(env::HEADERS_MAX, given.headers_max.as_ref(), default.headers_max, HEADERS),
            headers_bytes_max: self.count(
                env::HEADERS_BYTES_MAX,
                given.headers_bytes_max.as_ref(),
                default.headers_bytes_max,
                HEADERS_BYTES,
            ),
            ..self.times_and_work(given, default)
        }
    }

    fn times_and_work(&mut self, given: &Settings, default: Transport) -> Transport {
        let mut time = |setting: &str, given: Option<&Given>, default: Duration| {
            self.time(setting, given, u64::try_from(default.as_millis()).unwrap_or(u64::MAX))
        };
        let headers = given.headers_timeout_ms.as_ref();
        let headers_timeout = time(env::HEADERS_TIMEOUT_MS, headers, default.headers_timeout);
        let body_timeout = time(env::BODY_TIMEOUT_MS, given.body_timeout_ms.as_ref(), default.body_timeout);
        let idle_timeout = time(env::IDLE_TIMEOUT_MS, given.idle_timeout_ms.as_ref(), default.idle_timeout);
        let answer_timeout = time(env::ANSWER_TIMEOUT_MS, given.answer_timeout_ms.as_ref(), default.answer_timeout);
        let per_tenant = given.executing_per_tenant.as_ref();
        let webhooks = given.webhooks_executing_max.as_ref();
        let executing = given.executing_max.as_ref();
        let queue_ms = u64::try_from(default.queue_timeout.as_millis()).unwrap_or(u64::MAX);
        let queue_ms = self.number(env::QUEUE_TIMEOUT_MS, given.queue_timeout_ms.as_ref(), queue_ms, QUEUE_MS);
        Transport {
            headers_timeout,
            body_timeout,
            idle_timeout,
            answer_timeout,
            executing_max: self.count(env::EXECUTING_MAX, executing, default.executing_max, COUNT),
            executing_per_tenant: self.count(
                env::EXECUTING_PER_TENANT,
                per_tenant,
                default.executing_per_tenant,
                COUNT,
            ),
            queue_max: self.count(env::QUEUE_MAX, given.queue_max.as_ref(), default.queue_max, COUNT),
            queue_timeout: Duration::from_millis(queue_ms),
            webhooks_executing_max: self.count(
                env::WEBHOOKS_EXECUTING_MAX,
                webhooks,
                default.webhooks_executing_max,
                COUNT,
            ),
            ..default
        }
    }

    fn count(&mut self, setting: &str, given: Option<&Given>, default: usize, range: RangeInclusive<u64>) -> usize {
        let number = self.number(setting, given, u64::try_from(default).unwrap_or(u64::MAX), range);
        usize::try_from(number).unwrap_or(default)
    }

    fn streams(&mut self, given: &Settings, default: u32) -> u32 {
        let given = given.streams_per_connection.as_ref();
        let number = self.number(env::STREAMS_PER_CONNECTION, given, u64::from(default), 1..=10_000);
        u32::try_from(number).unwrap_or(default)
    }

    fn hsts(&mut self, given: &Settings) -> Duration {
        Duration::from_secs(self.number(env::HSTS_SECONDS, given.hsts_seconds.as_ref(), 0, HSTS_SECONDS))
    }

    /// Networks such as `10.0.0.0/8`, or single addresses.
    fn networks(&mut self, given: &Settings) -> Vec<IpNet> {
        let mut networks = Vec::new();
        for entry in entries(given.trusted_proxies.as_ref()) {
            let address = || entry.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
            match entry.parse::<IpNet>().or_else(|_no_network| address()) {
                Ok(network) => networks.push(network.trunc()),
                Err(_unreadable) => {
                    let problem = format!("names {entry:?}, which is no address and no network such as 10.0.0.0/8");
                    self.fault(env::TRUSTED_PROXIES, problem);
                }
            }
        }
        networks
    }

    /// Origins as browsers write them. A page of an origin that is listed asks with its visitors' cookies, so none
    /// stands for others.
    fn origins(&mut self, given: &Settings) -> Vec<String> {
        let mut origins = Vec::new();
        for entry in entries(given.cors_origins.as_ref()) {
            let origin = Url::parse(entry).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
            let origin = origin.map(|url| url.origin()).filter(Origin::is_tuple).filter(|_origin| !entry.contains('*'));
            let written = origin.map(|origin| origin.ascii_serialization());
            if written.as_deref() == Some(entry) {
                origins.push(entry.to_owned());
            } else {
                let problem = format!("names {entry:?}, which is no origin such as https://app.example.com");
                self.fault(env::CORS_ORIGINS, problem);
            }
        }
        origins
    }
}

/// What stands between commas.
fn entries(given: Option<&Given>) -> impl Iterator<Item = &str> {
    text(given).unwrap_or_default().split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

/// What it comes to, by key of the file.
pub(super) fn shown(transport: &Transport) -> Vec<(&'static str, Value)> {
    let millis = |time: Duration| json!(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    let networks: Vec<String> = transport.trusted_proxies.iter().map(ToString::to_string).collect();
    vec![
        ("trusted_proxies", json!(networks)),
        ("cors_origins", json!(transport.cors_origins)),
        ("hsts_seconds", json!(transport.hsts.as_secs())),
        ("connections_max", json!(transport.connections_max)),
        ("connections_per_address", json!(transport.connections_per_address)),
        ("streams_per_connection", json!(transport.streams_per_connection)),
        ("headers_max", json!(transport.headers_max)),
        ("headers_bytes_max", json!(transport.headers_bytes_max)),
        ("headers_timeout_ms", millis(transport.headers_timeout)),
        ("body_timeout_ms", millis(transport.body_timeout)),
        ("idle_timeout_ms", millis(transport.idle_timeout)),
        ("answer_timeout_ms", millis(transport.answer_timeout)),
        ("executing_max", json!(transport.executing_max)),
        ("executing_per_tenant", json!(transport.executing_per_tenant)),
        ("queue_max", json!(transport.queue_max)),
        ("queue_timeout_ms", millis(transport.queue_timeout)),
        ("webhooks_executing_max", json!(transport.webhooks_executing_max)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str) -> Result<Transport, Vec<String>> {
        let settings: Settings = toml::from_str(file).map_err(|error| vec![error.to_string()])?;
        let config = settings.validate(true);
        let config = config.map_err(|faults| faults.0.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        Ok(config.transport)
    }

    #[test]
    fn the_defaults_are_those_of_the_server() {
        assert_eq!(read("").unwrap(), Transport::default());
    }

    #[test]
    fn proxies_are_networks_or_addresses() {
        let transport = read("trusted_proxies = [\"10.1.2.3/8\", \"127.0.0.1\", \"::ffff:192.0.2.1\", \"fd00::/8\"]");
        let networks: Vec<_> = transport.unwrap().trusted_proxies.iter().map(ToString::to_string).collect();
        assert_eq!(networks, ["10.0.0.0/8", "127.0.0.1/32", "192.0.2.1/32", "fd00::/8"]);
        for wrong in ["10.0.0.0/33", "proxy.example.com", "*", "10.0.0"] {
            let faults = read(&format!("trusted_proxies = {wrong:?}")).unwrap_err();
            assert!(faults.len() == 1 && faults[0].starts_with("BILLING_TRUSTED_PROXIES"), "{faults:?}");
        }
    }

    #[test]
    fn origins_are_written_as_browsers_write_them_and_none_stands_for_all() {
        let good = ["https://app.example.com", "http://localhost:3000", "https://[::1]:8443"];
        assert_eq!(read(&format!("cors_origins = {good:?}")).unwrap().cors_origins, good);
        for wrong in [
            "*",
            "null",
            "https://*.example.com",
            "https://app.example.com/",
            "https://app.example.com:443",
            "https://App.example.com",
            "app.example.com",
            "file:///x",
            "https://user@app.example.com",
        ] {
            let faults = read(&format!("cors_origins = {wrong:?}")).unwrap_err();
            assert!(faults.len() == 1 && faults[0].starts_with("BILLING_CORS_ORIGINS"), "{wrong}: {faults:?}");
        }
    }

    #[test]
    fn numbers_have_their_limits() {
        let faults = read(
            "connections_max = 0\nheaders_max = 5\nheaders_bytes_max = 1000\nidle_timeout_ms = 1\n\
             queue_timeout_ms = 60000\nhsts_seconds = -1\nstreams_per_connection = 0\nexecuting_max = 0",
        );
        assert_eq!(faults.unwrap_err().len(), 8);
        assert_eq!(read("queue_timeout_ms = 0\nexecuting_per_tenant = 7").unwrap().executing_per_tenant, 7);
    }
}
