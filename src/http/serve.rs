//! Accepts connections until it is told to stop, and ends what is left by a deadline.
//!
//! Stopping goes in steps: for a moment connections are still accepted, so that what the kernel has queued is answered
//! and a balancer can read at `/readyz` that this is the end; then no more, and each connection closes after the
//! request it works on; what is left at the deadline is dropped.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

/// How long connections are still accepted after the signal; a deadline shorter than this cuts it.
const LAST_CALL: Duration = Duration::from_millis(200);

/// How long a connection may take to send the headers of its next request.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(30);

/// Requests at the same time on one connection of HTTP/2.
const STREAMS_MAX: u32 = 100;

/// Pause after the system refused a connection, which it does when it has no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `router` on `listener` until `shutdown` is ready, and returns at most `deadline` later.
///
/// Whoever makes `shutdown` sets [`AppState::draining`](super::AppState) before it is ready.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send,
    deadline: Duration,
) {
    let (stop, stopping) = watch::channel(false);
    let mut connections = Connections { router, stopping, running: JoinSet::new() };
    connections.accept_until(&listener, shutdown).await;
    let end = Instant::now() + deadline;
    connections.accept_until(&listener, sleep(LAST_CALL.min(deadline))).await;
    drop(listener);
    stop.send_replace(true);
    connections.finish(end).await;
}

struct Connections {
    router: Router,
    stopping: watch::Receiver<bool>,
    running: JoinSet<()>,
}

impl Connections {
    async fn accept_until(&mut self, listener: &TcpListener, end: impl Future<Output = ()>) {
        let mut end = pin!(end);
        loop {
            tokio::select! {
                () = &mut end => return,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _address)) => self.spawn(stream),
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_ended) = self.running.join_next() => {}
            }
        }
    }

    fn spawn(&mut self, stream: TcpStream) {
        self.running.spawn(converse(stream, self.router.clone(), self.stopping.clone()));
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

/// Answers the requests of one connection, one after the other.
async fn converse(stream: TcpStream, router: Router, mut stopping: watch::Receiver<bool>) {
    // Answers are written whole; waiting to fill a packet would only delay them. Refused only when already closed.
    let _closed = stream.set_nodelay(true);
    let mut protocol = Builder::new(TokioExecutor::new());
    protocol.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS_TIMEOUT);
    protocol.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS_MAX);
    let mut connection = pin!(protocol.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = asked_to_stop(&mut stopping) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

async fn asked_to_stop(stopping: &mut watch::Receiver<bool>) {
    // An error means that nobody can ask any more, which is as good as having asked.
    let _asked = stopping.wait_for(|stop| *stop).await;
}
