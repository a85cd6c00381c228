//! One connection: HTTP/1.1 or HTTP/2, within its limits, until it ends, rests too long, or the server stops.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Bytes, HttpBody};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, Response, Version};
use futures::FutureExt;
use futures::future::BoxFuture;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
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
use super::socket::Socket;

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

/// What every connection shares.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) router: Router,
    pub(super) transport: Transport,
}

/// Answers the requests of one connection.
pub(super) async fn converse(
    stream: TcpStream,
    peer: IpAddr,
    place: Place,
    shared: Arc<Shared>,
    mut stopping: watch::Receiver<bool>,
) {
    // Answers are written whole; waiting to fill a packet would only delay them. Refused only when already closed.
    let _closed = stream.set_nodelay(true);
    let transport = &shared.transport;
    let times =
        Times { headers: transport.headers_timeout, idle: transport.idle_timeout, answer: transport.answer_timeout };
    let pulse = Pulse::new(times);
    let protocol = protocol(transport);
    let socket = TokioIo::new(Socket::new(stream, Arc::clone(&pulse), place));
    let answering = Answering { shared: Arc::clone(&shared), pulse: Arc::clone(&pulse), peer };
    let mut connection = pin!(protocol.serve_connection_with_upgrades(socket, TowerToHyperService::new(answering)));
    let mut stops = false;
    let ended = loop {
        tokio::select! {
            ended = connection.as_mut() => break ended,
            () = asked_to_stop(&mut stopping), if !stops => {
                stops = true;
                connection.as_mut().graceful_shutdown();
            }
            what = pulse.overdue() => {
                tracing::debug!(client.address = %peer, ?what, "a connection took too long");
                // Whoever rests is told, and what it sent meanwhile is answered. The others are not worth a word.
                if what == Overdue::Idle && !stops {
                    connection.as_mut().graceful_shutdown();
                    // Whether it ends by itself or is dropped, it is over.
                    let _ended = timeout(times.headers, connection).await;
                }
                return;
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(client.address = %peer, %error, "a connection broke");
    }
}

fn protocol(transport: &Transport) -> Builder<TokioExecutor> {
    let mut protocol = Builder::new(TokioExecutor::new());
    protocol
        .http1()
        .timer(TokioTimer::new())
        // The pulse counts from the beginning of the connection, and tells rest from slowness.
        .header_read_timeout(None)
        // Twice as many are read, so that few too many are refused in our words.
        .max_headers(transport.headers_max.saturating_mul(2))
        .max_buf_size(transport.headers_bytes_max.saturating_add(HEADERS_SLACK_BYTES));
    protocol
        .http2()
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
