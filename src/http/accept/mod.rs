//! Accepts connections until it is told to stop, and ends what is left by a deadline.
//!
//! A connection has a place (`places.rs`), in all and among those of its address; without one it is told so and closed.
//! What happens on its socket (`socket.rs`) and with its answers (`paced.rs`) is followed by its pulse (`pulse.rs`),
//! which says when it takes too long; `connection.rs` speaks HTTP on it.
//!
//! Stopping goes in steps: for a moment connections are still accepted, so that what the kernel has queued is answered
//! and a balancer can read at `/readyz` that this is the end; then no more, and each connection closes after the
//! request it works on; what is left at the deadline is dropped.

mod connection;
mod paced;
pub(super) mod places;
mod pulse;
mod socket;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::error;
use super::transport::Transport;
use crate::stats::ConnectionStats;
use connection::{Shared, converse};
use places::{NoPlace, Places};

/// How long connections are still accepted after the signal; a deadline shorter than this cuts it.
const LAST_CALL: Duration = Duration::from_millis(200);

/// Connections that may wait to be accepted: those of a tenth of a second when ten thousand come in one. The 128 that are
/// usual are used up while the processor is busy for ten milliseconds.
const BACKLOG: u32 = 1024;

/// Pause after the system refused a connection, which it does when it has no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How often it is said that connections are refused.
const REFUSED_INTERVAL: Duration = Duration::from_secs(10);

/// Listens at `address`, with room for many connections that wait to be accepted: the system drops what goes beyond
/// without a word, and the client tries again a second later.
///
/// # Errors
/// The system's own.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves `router` on `listener` as `transport` says until `shutdown` is ready, and returns at most `deadline` later.
/// Connections are counted in `stats`.
///
/// Whoever makes `shutdown` sets [`AppState::draining`](super::AppState) before it is ready.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    transport: Transport,
    stats: ConnectionStats,
    shutdown: impl Future<Output = ()> + Send,
    deadline: Duration,
) {
    let (stop, stopping) = watch::channel(false);
    let places = Places::new(transport.connections_max, transport.connections_per_address);
    let shared = Arc::new(Shared { router, transport, stats });
    let mut connections =
        Connections { shared, places, stopping, running: JoinSet::new(), refused: Refused::default() };
    connections.accept_until(&listener, shutdown).await;
    let end = Instant::now() + deadline;
    connections.accept_until(&listener, sleep(LAST_CALL.min(deadline))).await;
    drop(listener);
    stop.send_replace(true);
    connections.finish(end).await;
}

struct Connections {
    shared: Arc<Shared>,
    places: Arc<Places>,
    stopping: watch::Receiver<bool>,
    running: JoinSet<()>,
    refused: Refused,
}

impl Connections {
    async fn accept_until(&mut self, listener: &TcpListener, end: impl Future<Output = ()>) {
        let mut end = pin!(end);
        loop {
            tokio::select! {
                () = &mut end => return,
                accepted = listener.accept() => match accepted {
                    Ok((stream, address)) => self.take(stream, address.ip().to_canonical()),
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_ended) = self.running.join_next() => {}
            }
        }
    }

    fn take(&mut self, stream: TcpStream, peer: IpAddr) {
        // All who come through a proxy come from one address. They are counted by their own, request by request.
        let counted = (!self.shared.transport.trusts(peer)).then_some(peer);
        match self.places.take(counted) {
            Ok(place) => {
                self.running.spawn(converse(stream, peer, place, Arc::clone(&self.shared), self.stopping.clone()));
            }
            Err(why) => {
                self.refused.count(why, peer);
                self.shared.stats.refused(why.word());
                turn_away(&stream);
            }
        }
    }

    /// Waits for the connections to end, until `deadline`.
    async fn finish(mut self, deadline: Instant) {
        let all_ended = async { while self.running.join_next().await.is_some() {} };
        if timeout_at(deadline, all_ended).await.is_err() {
            tracing::warn!(open = self.running.len(), "connections were dropped at the deadline");
            self.running.shutdown().await;
        }
    }
}

/// Says why a connection is closed, as far as its socket takes it at once. Nobody waits for it.
fn turn_away(stream: &TcpStream) {
    // What was sent already is read, since closing a socket on it would take back the answer.
    let mut sent = [0; 4096];
    let _read = stream.try_read(&mut sent);
    let _written = stream.try_write(&error::turned_away());
}

/// Connections that were refused, told from time to time: a line for each would be a flood of its own.
#[derive(Debug, Default)]
struct Refused {
    since_told: u64,
    told: Option<Instant>,
}

impl Refused {
    fn count(&mut self, why: NoPlace, peer: IpAddr) {
        self.since_told = self.since_told.saturating_add(1);
        if self.told.is_none_or(|told| told.elapsed() >= REFUSED_INTERVAL) {
            tracing::warn!(client.address = %peer, %why, refused = self.since_told, "connections are refused");
            *self = Self { since_told: 0, told: Some(Instant::now()) };
        }
    }
}
