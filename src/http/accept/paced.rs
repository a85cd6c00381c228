//! The body of an answer, given out in pieces as the client reads them.
//!
//! A protocol takes a whole piece into its buffers and asks for the next when there is room. So what a client does not
//! read stays here, where it is counted and has a time, and little of it is where neither holds.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};

use super::pulse::Running;

/// Bytes of a piece.
const PIECE_BYTES: usize = 32 * 1024;

/// The body of an answer, and the request it ends.
#[derive(Debug)]
pub(super) struct Paced {
    body: Body,
    rest: Bytes,
    _running: Running,
}

impl Paced {
    pub(super) const fn new(body: Body, running: Running) -> Self {
        Self { body, rest: Bytes::new(), _running: running }
    }

    fn piece(&mut self) -> Frame<Bytes> {
        Frame::data(self.rest.split_to(self.rest.len().min(PIECE_BYTES)))
    }
}

impl HttpBody for Paced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(self.piece())));
        }
        let frame = match std::task::ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            ended => return Poll::Ready(ended),
        };
        Poll::Ready(Some(Ok(match frame.into_data() {
            Ok(data) => {
                self.rest = data;
                self.piece()
            }
            Err(other) => other,
        })))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (inner, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower().saturating_add(rest));
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::StreamExt;

    use super::super::pulse::{Pulse, Times};
    use super::*;

    #[tokio::test]
    async fn a_body_comes_in_pieces_and_says_its_whole_length() {
        let second = Duration::from_secs(1);
        let pulse = Pulse::new(Times { headers: second, idle: second, answer: second });
        let text: Vec<u8> = (0..=250).cycle().take(PIECE_BYTES * 2 + 5).collect();
        let body = Paced::new(Body::from(text.clone()), pulse.begin(false));
        assert_eq!(body.size_hint().exact(), Some(text.len() as u64));
        let pieces: Vec<Bytes> = Body::new(body).into_data_stream().map(Result::unwrap).collect().await;
        assert_eq!(pieces.iter().map(Bytes::len).collect::<Vec<_>>(), [PIECE_BYTES, PIECE_BYTES, 5]);
        assert_eq!(pieces.concat(), text);
    }
}
