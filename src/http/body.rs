//! Reads the body of a request, and never beyond its limit.

use std::time::Duration;

use axum::body::{Body, BodyDataStream, HttpBody};
use axum::http::HeaderMap;
use axum::http::header::EXPECT;
use futures::StreamExt;
use tokio::time::timeout;

/// What is read of a body that is too large, to be thrown away, in bytes.
const DISCARDED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How long that may take.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(1);

/// Why there is no body.
#[derive(Debug)]
pub(super) enum BodyError {
    /// It is too large; little more than the limit was read.
    TooLarge,
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
    Err(BodyError::TooLarge)
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
            assert!(matches!(read(body, &HeaderMap::new(), LIMIT).await, Err(BodyError::TooLarge)));
        }
    }
}
