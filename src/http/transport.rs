//! What clients may hold of the server: sockets, headers, time, and room to execute in; and which of them are believed.
//!
//! Each number is a setting of its own; the defaults stand here, with their reasons.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

/// How the server meets clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transport {
    /// Networks of proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Origins of other sites whose pages may ask, as browsers write them: `https://app.example.com`.
    pub cors_origins: Vec<String>,
    /// How long browsers shall come by TLS only; zero says nothing about it.
    pub hsts: Duration,
    /// Sockets in all. Each costs a descriptor and some kilobytes.
    pub connections_max: usize,
    /// Sockets of one address; of IPv6, of one network of 64 bits. Proxies that are trusted are not counted.
    pub connections_per_address: usize,
    /// Requests at the same time on one connection of HTTP/2.
    pub streams_per_connection: u32,
    /// Headers of one request. Browsers and proxies together send about thirty.
    pub headers_max: usize,
    /// Bytes of one request's address and headers, together. A document by GET has its place in it.
    pub headers_bytes_max: usize,
    /// How long the headers of a request may take: from the connection's beginning, or from their first byte.
    pub headers_timeout: Duration,
    /// How long a body may take.
    pub body_timeout: Duration,
    /// Memory for the bodies of all requests together. A quarter of it is for one address, and for as many webhooks of
    /// the largest kind at the same time.
    pub body_memory_bytes: usize,
    /// How long a connection may rest between two requests: longer than the minute that proxies keep theirs.
    pub idle_timeout: Duration,
    /// How long a client may take to read an answer.
    pub answer_timeout: Duration,
    /// Requests that are worked on at the same time.
    pub executing_max: usize,
    /// Those of one tenant.
    pub executing_per_tenant: usize,
    /// Requests that wait to be worked on; the next is refused at once.
    pub queue_max: usize,
    /// How long they wait.
    pub queue_timeout: Duration,
    /// Webhooks that are taken at the same time. They have a room of their own.
    pub webhooks_executing_max: usize,
}

impl Default for Transport {
    fn default() -> Self {
        Self {
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
            hsts: Duration::ZERO,
            connections_max: 10_000,
            connections_per_address: 100,
            streams_per_connection: 100,
            headers_max: 100,
            headers_bytes_max: 64 * 1024,
            headers_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            body_memory_bytes: 32 * 1024 * 1024,
            idle_timeout: Duration::from_secs(75),
            answer_timeout: Duration::from_secs(30),
            executing_max: 512,
            executing_per_tenant: 64,
            queue_max: 512,
            queue_timeout: Duration::from_millis(500),
            webhooks_executing_max: 64,
        }
    }
}

impl Transport {
    /// Whether what this address says of others is believed.
    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(&address))
    }
}
