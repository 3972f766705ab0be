//! A connection with a value attached to it, which lives exactly as long as the connection does.
//!
//! It does not look at the bytes, except for the first.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::TcpStream;

use crate::wire::read_size;

/// A value that is told how writing goes.
pub(crate) trait Writes {
    /// Whether nothing more is to be written: hyper ends a connection only when the peer has taken all, which it may never do.
    fn is_abandoned(&self) -> bool;

    /// Bytes were to be written, and the system took some, or none since its buffer for the peer is full.
    fn wrote(&self, is_taken: bool);
}

/// A byte stream that a TCP connection carries.
pub(crate) trait OverTcp: AsyncRead + AsyncWrite + Unpin {
    /// The TCP connection.
    fn tcp(&self) -> &TcpStream;
}

impl OverTcp for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

/// A connection and its `tag`, which lives as long as the connection does, even after an upgrade has left HTTP.
pub(crate) struct TaggedStream<T, S = TcpStream> {
    stream: TokioIo<S>,
    /// What was read already, and is read first.
    before: Bytes,
    /// The value attached to the connection.
    pub tag: T,
}

impl<T, S: OverTcp> TaggedStream<T, S> {
    /// Attaches `tag` to `stream`.
    pub(crate) fn new(stream: S, tag: T) -> Self {
        Self { stream: TokioIo::new(stream), before: Bytes::new(), tag }
    }

    /// Makes the connection end with a RST, so that its peer notices at once, and does not take it for an orderly end.
    ///
    /// # Errors
    /// If the system refuses to set the socket option.
    pub(crate) fn reset(&self) -> io::Result<()> {
        self.stream.inner().tcp().set_zero_linger()
    }

    /// Waits until something comes, the end included. What was read from the TCP connection already, as TLS may have, is not waited for.
    ///
    /// # Errors
    /// If the connection has failed.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.stream.inner().tcp().readable().await
    }

    /// Whether the first bytes that come are `expected`. What was read for it will be read again.
    ///
    /// # Errors
    /// If the connection has failed.
    pub(crate) async fn begins_with(&mut self, expected: &[u8]) -> io::Result<bool> {
        let mut first = BytesMut::new();
        while first.len() < expected.len() {
            let mut rest = self.stream.inner_mut().take((expected.len() - first.len()) as u64);
            let read = rest.read_buf(&mut first).await;
            self.before = first.clone().freeze();
            if read? == 0 || !expected.starts_with(&first) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Has `bytes` read again.
    pub(crate) fn put_back(&mut self, bytes: Bytes) {
        self.before = bytes;
    }
}

impl<T: fmt::Debug, S> fmt::Debug for TaggedStream<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaggedStream").field("tag", &self.tag).finish_non_exhaustive()
    }
}

impl<T: Unpin, S: OverTcp> Read for TaggedStream<T, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let again = self.before.len().min(buf.remaining());
        buf.put_slice(&self.before.split_to(again));
        let part = self.stream.inner_mut().take(read_size::largest());
        match Pin::new(&mut TokioIo::new(part)).poll_read(cx, buf) {
            // Whatever it is comes again.
            Poll::Pending | Poll::Ready(Err(_)) if again > 0 => Poll::Ready(Ok(())),
            polled => polled,
        }
    }
}

impl<T: Unpin + Writes, S: OverTcp> Write for TaggedStream<T, S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.tag.is_abandoned() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.tag.wrote(polled.is_ready());
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What TLS took may wait in it still.
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.tag.wrote(polled.is_ready());
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.tag.is_abandoned() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.tag.wrote(polled.is_ready());
        polled
    }
}
