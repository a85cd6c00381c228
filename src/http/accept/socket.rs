//! A socket that tells what it reads and whether it can write, and which protocol is spoken on it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::places::Place;
use super::pulse::Pulse;

/// What a client of HTTP/2 says first.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// HTTP/1.1, or nothing that is known.
    Http1,
    /// HTTP/2.
    Http2,
}

/// A client's socket, and its place among the connections, which it keeps as long as it is open.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    /// Bytes that came and are yet to be read by a protocol.
    early: Bytes,
    pulse: Arc<Pulse>,
    _place: Place,
}

impl Socket {
    pub(super) const fn new(stream: TcpStream, pulse: Arc<Pulse>, place: Place) -> Self {
        Self { stream, early: Bytes::new(), pulse, _place: place }
    }

    /// The same with bytes that were read of it, which are read again. They are copied, so that the buffer which they
    /// came in goes.
    pub(super) fn with_early(self, early: &[u8]) -> Self {
        Self { early: Bytes::copy_from_slice(early), ..self }
    }

    /// Waits until there is something to read, which the end is, too.
    ///
    /// # Errors
    /// The system's own.
    pub(super) async fn speaks(&self) -> io::Result<()> {
        if self.early.is_empty() { self.stream.readable().await } else { Ok(()) }
    }

    /// Waits for the first bytes, and tells by them what is spoken.
    ///
    /// # Errors
    /// The system's own.
    pub(super) async fn protocol(&mut self) -> io::Result<Protocol> {
        let mut said = [0; PREFACE.len()];
        let mut length = 0;
        loop {
            self.stream.readable().await?;
            let Some(rest) = said.get_mut(length..) else { return Ok(Protocol::Http2) };
            let came = match self.stream.try_read(rest) {
                Ok(came) => came,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            };
            length = length.saturating_add(came);
            let told = said.get(..length).unwrap_or_default();
            let protocol = match told {
                told if told == PREFACE => Protocol::Http2,
                told if came > 0 && PREFACE.starts_with(told) => continue,
                _ => Protocol::Http1,
            };
            self.early = Bytes::copy_from_slice(told);
            return Ok(protocol);
        }
    }

    fn written(&self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &outcome {
            Poll::Pending => self.pulse.blocked(),
            Poll::Ready(_written) => self.pulse.sent(),
        }
        outcome
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.early.is_empty() {
            let length = self.early.len().min(buffer.remaining());
            let piece = self.early.split_to(length);
            buffer.put_slice(&piece);
            self.pulse.received();
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.pulse.received();
        }
        outcome
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.written(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::time::sleep;

    use super::super::places::Places;
    use super::super::pulse::Times;
    use super::*;

    /// What is spoken by who says these words one after the other and then nothing, and what is read of it.
    async fn spoken(words: &[&[u8]]) -> (Protocol, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        client.set_nodelay(true).unwrap();
        let second = Duration::from_secs(1);
        let pulse = Pulse::new(Times { headers: second, idle: second, answer: second });
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = Socket::new(stream, pulse, Places::new(1, 1).take(None).unwrap());
        let saying = async {
            for word in words {
                client.write_all(word).await.unwrap();
                sleep(Duration::from_millis(5)).await;
            }
            drop(client);
        };
        let ((), protocol) = tokio::join!(saying, socket.protocol());
        let mut read = Vec::new();
        socket.read_to_end(&mut read).await.unwrap();
        (protocol.unwrap(), read)
    }

    #[tokio::test]
    async fn the_first_bytes_tell_the_protocol_and_are_read_again() {
        let http2 = [PREFACE.as_slice(), b"frames"].concat();
        for words in [&[http2.as_slice()][..], &[b"P", b"RI * HT", &http2[8..]]] {
            assert_eq!(spoken(words).await, (Protocol::Http2, http2.clone()));
        }
        for words in
            [&[b"POST / HTTP/1.1\r\n".as_slice()][..], &[b"P", b"OST"], &[b"PRI * HTTP/2.0\r\n\r\nXX"], &[b"PRI"], &[]]
        {
            assert_eq!(spoken(words).await, (Protocol::Http1, words.concat()));
        }
    }
}
