//! Reads the body of a request, and never beyond its limit.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::EXPECT;
use futures::StreamExt;
use http_body::{Frame, SizeHint};
use tokio::time::timeout;

/// What is read of a body that is too large, to be thrown away, in bytes.
const DISCARDED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How long that may take.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(1);

/// A body of at most so many bytes is there with its headers, or nearly: if nobody reads it, the connection does.
const SMALL_BYTES: u64 = 16 * 1024;

/// Whether the body of a request was read to its end.
pub(super) struct Rest(Option<Arc<AtomicBool>>);

impl Rest {
    /// Whether there is more under way, which would be read as the next request of the connection.
    pub(super) fn is_unread(&self) -> bool {
        self.0.as_ref().is_some_and(|ended| !ended.load(Ordering::Relaxed))
    }
}

/// The same request, and word of what is left of its body.
pub(super) fn watched(request: Request) -> (Request, Rest) {
    let size = request.body().size_hint().upper();
    if request.body().is_end_stream() || size.is_some_and(|bytes| bytes <= SMALL_BYTES) {
        return (request, Rest(None));
    }
    let ended = Arc::new(AtomicBool::new(false));
    let rest = Rest(Some(Arc::clone(&ended)));
    (request.map(|inner| Body::new(Watched { inner, ended })), rest)
}

/// A body that notes when it ended.
struct Watched {
    inner: Body,
    ended: Arc<AtomicBool>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if frame.is_none() || self.inner.is_end_stream() {
            self.ended.store(true, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Why there is no body.
#[derive(Debug)]
pub(super) enum BodyError {
    /// It is larger than so many bytes; little more was read.
    TooLarge(usize),
    /// It broke off.
    Broken(axum::Error),
}

/// Reads a body of at most `limit` bytes.
pub(super) async fn read(body: Body, headers: &HeaderMap, limit: usize) -> Result<Vec<u8>, BodyError> {
    let announced_too_large = body.size_hint().lower() > limit as u64;
    let mut chunks = body.into_data_stream();
    if !announced_too_large && let Some(bytes) = collect(&mut chunks, limit).await? {
        return Ok(bytes);
    }
    // A client that still waits to be told to go on has sent nothing that would be in the way.
    if !(announced_too_large && headers.contains_key(EXPECT)) {
        discard(chunks).await;
    }
    Err(BodyError::TooLarge(limit))
}

/// The whole body; absent when it is larger than its limit.
async fn collect(chunks: &mut BodyDataStream, limit: usize) -> Result<Option<Vec<u8>>, BodyError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next().await {
        bytes.extend_from_slice(&chunk.map_err(BodyError::Broken)?);
        if bytes.len() > limit {
            return Ok(None);
        }
    }
    Ok(Some(bytes))
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
    use super::*;

    const LIMIT: usize = 10_000;

    #[tokio::test]
    async fn bodies_are_read_up_to_their_limit() {
        let chunked = |size: usize| {
            let chunks = vec![b'x'; size].chunks(1_000).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect();
            Body::from_stream(futures::stream::iter::<Vec<_>>(chunks))
        };
        for body in [Body::from(vec![b'x'; LIMIT]), chunked(LIMIT)] {
            assert_eq!(read(body, &HeaderMap::new(), LIMIT).await.unwrap().len(), LIMIT);
        }
        for body in [Body::from(vec![b'x'; LIMIT + 1]), chunked(LIMIT + 1)] {
            assert!(matches!(read(body, &HeaderMap::new(), LIMIT).await, Err(BodyError::TooLarge(LIMIT))));
        }
    }
}
