//! Reads the body of a request, and never beyond its limit or the memory there is for it.

use std::ops::Deref;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::EXPECT;
use axum::http::{HeaderMap, Version};
use futures::StreamExt;
use http_body::{Frame, SizeHint};
use tokio::time::timeout;

use super::budget::{Held, UsedUp};

/// What is read of a body that is too large, to be thrown away, in bytes.
const DISCARDED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How long that may take.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(1);

/// What nobody read of a body of at most so many bytes is read in the end, so that the connection can go on.
const REST_BYTES_MAX: u64 = 16 * 1024;

/// How long that may take: such a body is there with its headers, or right behind them.
const REST_TIMEOUT: Duration = Duration::from_millis(100);

/// Bytes of a piece in which a long body is kept until it is whole. The system may make memory real as soon as any of it is
/// touched, so what was only announced is not asked for.
const PIECE_BYTES: usize = 16 * 1024;

/// What becomes of the body of a request.
pub(super) struct Rest(Option<Arc<Left>>);

#[derive(Default)]
struct Left {
    ended: AtomicBool,
    /// What the handler did not read, when it is done with it, if it is worth reading.
    body: Mutex<Option<Body>>,
}

impl Rest {
    /// Reads the rest of a short body that nobody read. Gives whether there is still more under way, which would be
    /// read as the next request of the connection.
    pub(super) async fn goes_unread(self) -> bool {
        let Some(left) = self.0 else { return false };
        if left.ended.load(Ordering::Relaxed) {
            return false;
        }
        let body = left.body.lock().unwrap_or_else(PoisonError::into_inner).take();
        match body {
            Some(body) => !timeout(REST_TIMEOUT, ends_soon(body)).await.unwrap_or(false),
            None => true,
        }
    }
}

/// Reads a body to its end, if that is near.
async fn ends_soon(body: Body) -> bool {
    let mut chunks = body.into_data_stream();
    let mut read: u64 = 0;
    while let Some(chunk) = chunks.next().await {
        let Ok(chunk) = chunk else { return false };
        read = read.saturating_add(chunk.len() as u64);
        if read > REST_BYTES_MAX {
            return false;
        }
    }
    true
}

/// The same request, and word of what is left of its body. On HTTP/2 a body is nobody else's matter.
pub(super) fn watched(request: Request) -> (Request, Rest) {
    if request.body().is_end_stream() || request.version() == Version::HTTP_2 {
        return (request, Rest(None));
    }
    let left = Arc::new(Left::default());
    let rest = Rest(Some(Arc::clone(&left)));
    // Who waits to be told to go on would be told so by whoever reads.
    let worth_reading = request.body().size_hint().lower() <= REST_BYTES_MAX && !request.headers().contains_key(EXPECT);
    (request.map(|body| Body::new(Watched { body: Some(body), left, worth_reading })), rest)
}

/// A body that notes when it ended, and leaves what was not read of it.
struct Watched {
    /// There until it is dropped.
    body: Option<Body>,
    left: Arc<Left>,
    worth_reading: bool,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let Some(body) = self.body.as_mut() else { return Poll::Ready(None) };
        let frame = std::task::ready!(Pin::new(body).poll_frame(cx));
        if frame.is_none() || self.is_end_stream() {
            self.left.ended.store(true, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::new, HttpBody::size_hint)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.worth_reading && !self.left.ended.load(Ordering::Relaxed) {
            *self.left.body.lock().unwrap_or_else(PoisonError::into_inner) = self.body.take();
        }
    }
}

/// Why there is no body.
#[derive(Debug)]
pub(super) enum BodyError {
    /// It is larger than so many bytes; little more was read.
    TooLarge(usize),
    /// There is no memory for it at the moment.
    NoMemory,
    /// It broke off.
    Broken(axum::Error),
}

/// A body that was read, and the memory that it takes.
#[derive(Debug)]
pub(super) struct Whole {
    bytes: Vec<u8>,
    _held: Held,
}

impl Deref for Whole {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads a body of at most `limit` bytes, into memory that is taken as it comes.
pub(super) async fn read(body: Body, headers: &HeaderMap, limit: usize, held: Held) -> Result<Whole, BodyError> {
    let announced_too_large = body.size_hint().lower() > limit as u64;
    let mut chunks = body.into_data_stream();
    let mut error = BodyError::TooLarge(limit);
    if !announced_too_large {
        match collect(&mut chunks, limit, held).await {
            Err(refused @ (BodyError::TooLarge(_) | BodyError::NoMemory)) => error = refused,
            read => return read,
        }
    }
    // A client that still waits to be told to go on has sent nothing that would be in the way.
    if !(announced_too_large && headers.contains_key(EXPECT)) {
        discard(chunks).await;
    }
    Err(error)
}

/// The whole body. What was read of one that is refused is gone, and its memory free.
async fn collect(chunks: &mut BodyDataStream, limit: usize, mut held: Held) -> Result<Whole, BodyError> {
    let mut pieces = Vec::new();
    let mut read: usize = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(BodyError::Broken)?;
        read = read.saturating_add(chunk.len());
        if read > limit {
            return Err(BodyError::TooLarge(limit));
        }
        held.grow(chunk.len()).map_err(|UsedUp| BodyError::NoMemory)?;
        append(&mut pieces, &chunk);
    }
    let bytes = if pieces.len() > 1 { pieces.concat() } else { pieces.pop().unwrap_or_default() };
    Ok(Whole { bytes, _held: held })
}

/// Puts a chunk behind what is there, in pieces of one size; the first grows, as most bodies are shorter than it.
fn append(pieces: &mut Vec<Vec<u8>>, mut chunk: &[u8]) {
    while !chunk.is_empty() {
        if pieces.last().is_none_or(|piece| piece.len() >= PIECE_BYTES) {
            pieces.push(Vec::with_capacity(if pieces.is_empty() { 0 } else { PIECE_BYTES }));
        }
        let Some(piece) = pieces.last_mut() else { return };
        let (now, later) = chunk.split_at(chunk.len().min(PIECE_BYTES.saturating_sub(piece.len())));
        piece.extend_from_slice(now);
        chunk = later;
    }
}

/// Throws a little of the rest away. Closing a connection on data that is under way resets it, and with it the answer.
async fn discard(mut chunks: BodyDataStream) {
    let reading = async {
        let mut discarded = 0;
        while let Some(Ok(chunk)) = chunks.next().await {
            discarded += chunk.len();
            if discarded > DISCARDED_BYTES_MAX {
                return;
            }
        }
    };
    // When the time is up, the answer goes out all the same.
    let _in_time = timeout(DISCARD_TIMEOUT, reading).await;
}

#[cfg(test)]
mod tests {
    use super::super::budget::{Budget, Of};
    use super::*;

    const LIMIT: usize = 300_000;

    /// Bodies of so many bytes: one that says how long it is, and one that does not.
    fn bodies(bytes: usize) -> [Body; 2] {
        let chunks = vec![b'x'; bytes].chunks(1_000).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect();
        [Body::from(vec![b'x'; bytes]), Body::from_stream(futures::stream::iter::<Vec<_>>(chunks))]
    }

    fn held(bytes_max: usize) -> Held {
        Budget::new(bytes_max).body(Of::Question, None)
    }

    #[tokio::test]
    async fn bodies_are_read_up_to_their_limit() {
        for body in bodies(LIMIT) {
            let whole = read(body, &HeaderMap::new(), LIMIT, held(10 * LIMIT)).await.unwrap();
            assert_eq!((whole.len(), whole.bytes.capacity()), (LIMIT, LIMIT), "no more memory than needed is taken");
            assert!(whole.iter().all(|byte| *byte == b'x'));
        }
        for body in bodies(LIMIT + 1) {
            let read = read(body, &HeaderMap::new(), LIMIT, held(10 * LIMIT)).await;
            assert!(matches!(read, Err(BodyError::TooLarge(LIMIT))));
        }
    }

    #[test]
    fn pieces_keep_the_bytes_in_their_order_however_they_come() {
        let text: Vec<u8> = (0..=250).cycle().take(5 * PIECE_BYTES + 7).collect();
        for size in [1_000, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, text.len()] {
            let mut pieces = Vec::new();
            text.chunks(size).for_each(|chunk| append(&mut pieces, chunk));
            assert!(pieces.iter().all(|piece| piece.len() <= PIECE_BYTES));
            assert_eq!(pieces.len(), 6);
            assert_eq!(pieces.concat(), text, "{size}");
        }
    }

    #[tokio::test]
    async fn a_body_for_which_there_is_no_memory_is_refused_and_holds_none() {
        let budget = Budget::new(2 * LIMIT);
        let mut other = budget.body(Of::Question, None);
        other.grow(LIMIT).unwrap();
        for body in bodies(LIMIT) {
            let read = read(body, &HeaderMap::new(), LIMIT, budget.body(Of::Question, None)).await;
            assert!(matches!(read, Err(BodyError::NoMemory)));
        }
        drop(other);
        for body in bodies(LIMIT) {
            read(body, &HeaderMap::new(), LIMIT, budget.body(Of::Question, None)).await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_nobody_read_of_a_short_body_is_read_in_the_end() {
        let left = async |body: Body, expecting: bool| {
            let mut request = Request::new(body);
            if expecting {
                request.headers_mut().insert(EXPECT, axum::http::HeaderValue::from_static("100-continue"));
            }
            let (request, rest) = watched(request);
            drop(request);
            rest.goes_unread().await
        };
        for (bytes, is_left) in [(0, false), (100, false), (16 * 1024, false), (16 * 1024 + 1, true)] {
            for body in bodies(bytes) {
                assert_eq!(left(body, false).await, is_left, "{bytes}");
            }
        }
        assert!(left(Body::from("x"), true).await, "who waits to go on is not told to");
        let never = Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>());
        assert!(left(never, false).await);
    }
}
