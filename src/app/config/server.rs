//! Settings about the server as a whole: where it listens, how it stops, and which page it has for people.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use serde_json::json;

use super::check::Check;
use super::setting::{Area, Number, Setting, Words};
use crate::http::ExplorerMode;

pub(super) static AREA: Area = Area {
    title: "Server",
    settings: &[&LISTEN, &METRICS_LISTEN, &SHUTDOWN_DEADLINE_MS.setting, &EXPLORER.setting, &GATEWAY_EXPLORER],
};

/// This machine only, where nothing else is said.
static LISTEN: Setting =
    Setting::new("listen", "ADDRESS:PORT", "Address and port to listen on; port 0 takes a free one")
        .default("127.0.0.1:8080")
        .common();

static METRICS_LISTEN: Setting = Setting::new(
    "metrics_listen",
    "ADDRESS:PORT",
    "Address and port of `/metrics`, which needs no token: not where clients come; without it there is none",
);

/// Leaves a second of the five in which the program must be gone.
static SHUTDOWN_DEADLINE_MS: Number = Number::timeout(
    "shutdown_deadline_ms",
    4_000,
    "How long running requests may go on after SIGTERM, in milliseconds",
);

pub(super) static EXPLORER: Words<ExplorerMode> = Words::new(
    "explorer",
    "WHICH",
    &[("full", ExplorerMode::Full), ("fallback", ExplorerMode::Fallback), ("off", ExplorerMode::Off)],
    ("full", ExplorerMode::Full),
    "The explorer: `full` (the plain one where it was not built), `fallback` (the plain one), or `off`",
);

/// The same under the name that the browser test uses.
pub(super) static GATEWAY_EXPLORER: Setting =
    Setting::new("gateway_explorer", "WHICH", "The same under the name that the browser test uses").hidden();

/// Where to listen by default.
const LISTEN_DEFAULT: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8080));

/// The server as a whole.
pub(super) struct Server {
    pub(super) listen: SocketAddr,
    pub(super) metrics_listen: Option<SocketAddr>,
    pub(super) shutdown_deadline: Duration,
    pub(super) explorer: ExplorerMode,
}

impl Check<'_> {
    pub(super) fn server(&mut self) -> Server {
        let listen = self.parsed(&LISTEN, LISTEN_DEFAULT, "an address and a port: 127.0.0.1:8080");
        self.show(&LISTEN, json!(listen.to_string()));
        let metrics_listen = self
            .text(&METRICS_LISTEN)
            .is_some()
            .then(|| self.parsed(&METRICS_LISTEN, LISTEN_DEFAULT, "an address and a port: 127.0.0.1:9464"));
        self.show(&METRICS_LISTEN, json!(metrics_listen.map(|address| address.to_string()).unwrap_or_default()));
        Server {
            listen,
            metrics_listen,
            shutdown_deadline: self.millis(&SHUTDOWN_DEADLINE_MS),
            explorer: self.word(&EXPLORER),
        }
    }
}
