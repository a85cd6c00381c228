//! How the server meets clients: limits of connections, headers, times and work, and who is believed.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use ipnet::IpNet;
use serde_json::json;
use url::{Origin, Url};

use super::check::Check;
use super::setting::{Area, Number, Setting};
use crate::http::Transport;

pub(super) static AREA: Area = Area {
    title: "Connections",
    settings: &[
        &TRUSTED_PROXIES,
        &CORS_ORIGINS,
        &HSTS_SECONDS.setting,
        &CONNECTIONS_MAX.setting,
        &CONNECTIONS_PER_ADDRESS.setting,
        &STREAMS_PER_CONNECTION.setting,
        &HEADERS_MAX.setting,
        &HEADERS_BYTES_MAX.setting,
        &HEADERS_TIMEOUT_MS.setting,
        &BODY_TIMEOUT_MS.setting,
        &BODY_MEMORY_MIB.setting,
        &IDLE_TIMEOUT_MS.setting,
        &ANSWER_TIMEOUT_MS.setting,
        &EXECUTING_MAX.setting,
        &EXECUTING_PER_TENANT.setting,
        &QUEUE_MAX.setting,
        &QUEUE_TIMEOUT_MS.setting,
        &WEBHOOKS_EXECUTING_MAX.setting,
    ],
};

static TRUSTED_PROXIES: Setting = Setting::new(
    "trusted_proxies",
    "NETWORKS",
    "Networks of proxies whose `X-Forwarded-For` is believed, with commas between them",
);

static CORS_ORIGINS: Setting =
    Setting::new("cors_origins", "ORIGINS", "Origins of other sites whose pages may ask, with commas between them");

/// Two years, as browsers ask for before they take a host into their lists.
static HSTS_SECONDS: Number = Number::new(
    "hsts_seconds",
    "SECONDS",
    0..=63_072_000,
    0,
    "For how long browsers shall come by TLS only; 0 says nothing about it",
);

static CONNECTIONS_MAX: Number = count("connections_max", 10_000, "Connections in all");

static CONNECTIONS_PER_ADDRESS: Number =
    count("connections_per_address", 100, "Connections of one address, but for trusted proxies");

static STREAMS_PER_CONNECTION: Number = Number::new(
    "streams_per_connection",
    "NUMBER",
    1..=10_000,
    100,
    "Requests at the same time on one connection of HTTP/2",
);

/// Fewer than ten leave no room for those that every browser sends.
static HEADERS_MAX: Number = Number::new("headers_max", "NUMBER", 10..=1_000, 100, "Headers of one request");

/// A token alone may have eight kilobytes.
static HEADERS_BYTES_MAX: Number =
    Number::new("headers_bytes_max", "BYTES", 16_384..=1_048_576, 65_536, "Bytes of a request's address and headers");

static HEADERS_TIMEOUT_MS: Number =
    Number::timeout("headers_timeout_ms", 10_000, "Longest time for the headers of a request, in milliseconds");

static BODY_TIMEOUT_MS: Number = Number::timeout("body_timeout_ms", 10_000, "Longest time for a body, in milliseconds");

/// A quarter is for one address, and must have room for a webhook of the largest kind.
static BODY_MEMORY_MIB: Number = Number::new(
    "body_memory_mib",
    "MIB",
    4..=65_536,
    32,
    "Memory for the bodies of all requests that are under way, in mebibytes",
);

static IDLE_TIMEOUT_MS: Number =
    Number::timeout("idle_timeout_ms", 75_000, "Longest rest of a connection between two requests, in milliseconds");

static ANSWER_TIMEOUT_MS: Number =
    Number::timeout("answer_timeout_ms", 30_000, "Longest time for a client to read an answer, in milliseconds");

static EXECUTING_MAX: Number = count("executing_max", 512, "Requests that are worked on at the same time");

static EXECUTING_PER_TENANT: Number = count("executing_per_tenant", 64, "Those of one tenant");

static QUEUE_MAX: Number = count("queue_max", 512, "Requests that wait to be worked on");

/// Zero refuses at once.
static QUEUE_TIMEOUT_MS: Number =
    Number::new("queue_timeout_ms", "MS", 0..=10_000, 500, "How long they wait, in milliseconds");

static WEBHOOKS_EXECUTING_MAX: Number = count("webhooks_executing_max", 64, "Webhooks that are taken at the same time");

/// Counts of connections and requests.
const fn count(key: &'static str, default: u64, help: &'static str) -> Number {
    const COUNT: RangeInclusive<u64> = 1..=1_000_000;
    Number::new(key, "NUMBER", COUNT, default, help)
}

impl Check<'_> {
    /// Everything about it.
    pub(super) fn transport(&mut self) -> Transport {
        Transport {
            trusted_proxies: self.networks(),
            cors_origins: self.origins(),
            hsts: self.seconds(&HSTS_SECONDS),
            connections_max: self.count(&CONNECTIONS_MAX),
            connections_per_address: self.count(&CONNECTIONS_PER_ADDRESS),
            streams_per_connection: self.count32(&STREAMS_PER_CONNECTION),
            headers_max: self.count(&HEADERS_MAX),
            headers_bytes_max: self.count(&HEADERS_BYTES_MAX),
            headers_timeout: self.millis(&HEADERS_TIMEOUT_MS),
            body_timeout: self.millis(&BODY_TIMEOUT_MS),
            body_memory_bytes: self.count(&BODY_MEMORY_MIB).saturating_mul(1024 * 1024),
            idle_timeout: self.millis(&IDLE_TIMEOUT_MS),
            answer_timeout: self.millis(&ANSWER_TIMEOUT_MS),
            executing_max: self.count(&EXECUTING_MAX),
            executing_per_tenant: self.count(&EXECUTING_PER_TENANT),
            queue_max: self.count(&QUEUE_MAX),
            queue_timeout: self.millis(&QUEUE_TIMEOUT_MS),
            webhooks_executing_max: self.count(&WEBHOOKS_EXECUTING_MAX),
        }
    }

    /// Networks such as `10.0.0.0/8`, or single addresses.
    fn networks(&mut self) -> Vec<IpNet> {
        let mut networks = Vec::new();
        for entry in self.entries(&TRUSTED_PROXIES) {
            let address = || entry.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
            match entry.parse::<IpNet>().or_else(|_no_network| address()) {
                Ok(network) => networks.push(network.trunc()),
                Err(_unreadable) => {
                    let problem = format!("names {entry:?}, which is no address and no network such as 10.0.0.0/8");
                    self.fault(&TRUSTED_PROXIES, problem);
                }
            }
        }
        self.show(&TRUSTED_PROXIES, json!(networks.iter().map(ToString::to_string).collect::<Vec<_>>()));
        networks
    }

    /// Origins as browsers write them. A page of an origin that is listed asks with its visitors' cookies, so none
    /// stands for others.
    fn origins(&mut self) -> Vec<String> {
        let mut origins = Vec::new();
        for entry in self.entries(&CORS_ORIGINS) {
            let origin = Url::parse(entry).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
            let origin = origin.map(|url| url.origin()).filter(Origin::is_tuple).filter(|_origin| !entry.contains('*'));
            let written = origin.map(|origin| origin.ascii_serialization());
            if written.as_deref() == Some(entry) {
                origins.push(entry.to_owned());
            } else {
                let problem = format!("names {entry:?}, which is no origin such as https://app.example.com");
                self.fault(&CORS_ORIGINS, problem);
            }
        }
        self.show(&CORS_ORIGINS, json!(origins));
        origins
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
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
