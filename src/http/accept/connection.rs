//! One connection: HTTP/1.1 or HTTP/2, within its limits, until it ends, rests too long, or the server stops.
//!
//! A protocol's buffers are there only while it has something to do. A connection that has not said anything yet, and
//! one of HTTP/1 that has rested for a moment, is a socket and its times.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Bytes, HttpBody};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, Response, Version};
use futures::FutureExt;
use futures::future::{BoxFuture, poll_fn};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tower::{Service, ServiceExt};

use super::super::client::{Clogged, Peer};
use super::super::transport::Transport;
use super::paced::Paced;
use super::places::Place;
use super::pulse::{Overdue, Pulse, Times};
use super::socket::{Protocol, Socket};
use crate::stats::ConnectionStats;

/// What the protocol reads beyond the bytes of headers that are allowed: so much too large is refused in our words.
const HEADERS_SLACK_BYTES: usize = 8 * 1024;

/// Of a body that nobody reads, so much is taken over HTTP/2: on one stream, and on a whole connection.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 512 * 1024;

/// Streams that a client may reset before they were looked at, and those that it may break, before it is sent away.
const RESETS_MAX: usize = 20;
const BROKEN_STREAMS_MAX: usize = 100;

/// How often a client of HTTP/2 is asked whether it is still there, and how long it may take to say so.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection of HTTP/1 rests before its buffers are given back. Clients that ask again and again keep them.
const KEPT_READY: Duration = Duration::from_secs(1);

/// What every connection shares.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) router: Router,
    pub(super) transport: Transport,
    pub(super) stats: ConnectionStats,
}

type Http1 = http1::Connection<TokioIo<Socket>, TowerToHyperService<Answering>>;
type Http2 = http2::Connection<TokioIo<Socket>, TowerToHyperService<Answering>, TokioExecutor>;

/// Answers the requests of one connection.
pub(super) async fn converse(
    stream: TcpStream,
    peer: IpAddr,
    place: Place,
    shared: Arc<Shared>,
    stopping: watch::Receiver<bool>,
) {
    // Answers are written whole; waiting to fill a packet would only delay them. Refused only when already closed.
    let _closed = stream.set_nodelay(true);
    let transport = &shared.transport;
    let times =
        Times { headers: transport.headers_timeout, idle: transport.idle_timeout, answer: transport.answer_timeout };
    let pulse = Pulse::new(times);
    let socket = Socket::new(stream, Arc::clone(&pulse), place);
    let _open = shared.stats.open();
    let mut conversation = Conversation { shared, pulse, peer, stopping, stops: false };
    conversation.hold(socket).await;
}

/// How a protocol's work on a connection ended.
enum Ended {
    /// The connection is over, or is not worth a word any more.
    Over,
    /// Nothing was asked for a while.
    Rests,
}

/// A connection's side of things while protocols come and go.
struct Conversation {
    shared: Arc<Shared>,
    pulse: Arc<Pulse>,
    peer: IpAddr,
    stopping: watch::Receiver<bool>,
    stops: bool,
}

impl Conversation {
    /// Has protocols answer what comes on `socket`, until it is over.
    async fn hold(&mut self, mut socket: Socket) {
        let Some(protocol) = self.unless_over(socket.protocol()).await else { return };
        match protocol {
            Protocol::Http2 => Box::pin(self.speak_http2(socket)).await,
            Protocol::Http1 => {
                while let Some(resting) = Box::pin(self.speak_http1(socket)).await {
                    socket = resting;
                    if self.unless_over(socket.speaks()).await.is_none() {
                        return;
                    }
                }
            }
        }
    }

    /// What `coming` gives, unless it takes too long or the server stops before.
    async fn unless_over<T>(&mut self, coming: impl Future<Output = std::io::Result<T>>) -> Option<T> {
        if self.stops {
            return None;
        }
        tokio::select! {
            // What is there already is answered, whatever else is true.
            biased;
            came = coming => came.ok(),
            () = asked_to_stop(&mut self.stopping) => None,
            what = self.pulse.overdue() => {
                self.is_overdue(what);
                None
            }
        }
    }

    /// Gives the socket back when it rests.
    async fn speak_http1(&mut self, socket: Socket) -> Option<Socket> {
        let protocol = http1_of(&self.shared.transport);
        let mut connection = protocol.serve_connection(TokioIo::new(socket), self.answering());
        match self.drive(Pin::new(&mut connection), Http1::graceful_shutdown, true).await {
            Ended::Over => None,
            Ended::Rests => self.let_go(connection).await,
        }
    }

    async fn speak_http2(&mut self, socket: Socket) {
        let protocol = http2_of(&self.shared.transport);
        let connection = pin!(protocol.serve_connection(TokioIo::new(socket), self.answering()));
        let _over = self.drive(connection, Http2::graceful_shutdown, false).await;
    }

    /// Runs a protocol, and ends it with `close` when the server stops or nothing was asked for too long.
    async fn drive<C>(&mut self, mut connection: Pin<&mut C>, close: fn(Pin<&mut C>), may_rest: bool) -> Ended
    where
        C: Future<Output = hyper::Result<()>>,
    {
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(client.address = %self.peer, %error, "a connection broke");
                    }
                    return Ended::Over;
                }
                () = asked_to_stop(&mut self.stopping), if !self.stops => {
                    self.stops = true;
                    close(connection.as_mut());
                }
                what = self.pulse.overdue() => {
                    self.is_overdue(what);
                    // Whoever rests is told, and what it sent meanwhile is answered. The others are not worth a word.
                    if what == Overdue::Idle && !self.stops {
                        close(connection.as_mut());
                        // Whether it ends by itself or is dropped, it is over.
                        let _ended = timeout(self.shared.transport.headers_timeout, connection).await;
                    }
                    return Ended::Over;
                }
                () = self.pulse.rests_for(KEPT_READY), if may_rest && !self.stops => return Ended::Rests,
            }
        }
    }

    /// The socket of a connection that rests, without its protocol. Absent when the protocol had something to do
    /// meanwhile: a client that was told that this is the end is not listened to any longer.
    async fn let_go(&self, mut connection: Http1) -> Option<Socket> {
        let before = self.pulse.requests();
        Pin::new(&mut connection).graceful_shutdown();
        let done = timeout(self.shared.transport.headers_timeout, poll_fn(|cx| connection.poll_without_shutdown(cx)));
        done.await.ok()?.ok()?;
        let parts = connection.into_parts();
        (self.pulse.requests() == before).then(|| parts.io.into_inner().with_early(&parts.read_buf))
    }

    fn is_overdue(&self, what: Overdue) {
        tracing::debug!(client.address = %self.peer, ?what, "a connection took too long");
        self.shared.stats.overdue(what.word());
    }

    fn answering(&self) -> TowerToHyperService<Answering> {
        let (shared, pulse) = (Arc::clone(&self.shared), Arc::clone(&self.pulse));
        TowerToHyperService::new(Answering { shared, pulse, peer: self.peer })
    }
}

fn http1_of(transport: &Transport) -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        // The pulse counts from the beginning of the connection, and tells rest from slowness.
        .header_read_timeout(None)
        // Twice as many are read, so that few too many are refused in our words.
        .max_headers(transport.headers_max.saturating_mul(2))
        .max_buf_size(transport.headers_bytes_max.saturating_add(HEADERS_SLACK_BYTES));
    protocol
}

fn http2_of(transport: &Transport) -> http2::Builder<TokioExecutor> {
    let mut protocol = http2::Builder::new(TokioExecutor::new());
    protocol
        .timer(TokioTimer::new())
        .max_concurrent_streams(transport.streams_per_connection)
        .max_header_list_size(u32::try_from(transport.headers_bytes_max).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_pending_accept_reset_streams(RESETS_MAX)
        .max_local_error_reset_streams(BROKEN_STREAMS_MAX)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    protocol
}

/// Gives requests to the router, and tells the pulse of them.
#[derive(Clone, Debug)]
struct Answering {
    shared: Arc<Shared>,
    pulse: Arc<Pulse>,
    peer: IpAddr,
}

impl<B> Service<Request<B>> for Answering
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response<Paced>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let mut running = self.pulse.begin(request.version() == Version::HTTP_2);
        request.extensions_mut().insert(Peer(self.peer));
        if self.pulse.is_clogged() {
            request.extensions_mut().insert(Clogged);
        }
        let router = self.shared.router.clone();
        let answer = async move {
            let response = router.oneshot(request).await?;
            if !is_endless(&response) {
                running.answering(response.body().size_hint().lower());
            }
            Ok(response.map(|body| Paced::new(body, running)))
        };
        answer.boxed()
    }
}

/// Whether an answer is a stream of events, which goes on as long as both sides like. A client that does not read it is
/// found out by its socket.
fn is_endless<B>(response: &Response<B>) -> bool {
    let media = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    media.starts_with("text/event-stream") || media.starts_with("multipart/mixed")
}

async fn asked_to_stop(stopping: &mut watch::Receiver<bool>) {
    // An error means that nobody can ask any more, which is as good as having asked.
    let _asked = stopping.wait_for(|stop| *stop).await;
}
