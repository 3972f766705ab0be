//! A TCP connection with a value attached to it, which lives exactly as long as the connection does.
//!
//! It does not look at the bytes.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A connection and its `tag`, which lives as long as the connection does, even after an upgrade has left HTTP.
pub(crate) struct TaggedStream<T> {
    stream: TokioIo<TcpStream>,
    /// The value attached to the connection.
    pub tag: T,
}

impl<T> TaggedStream<T> {
    /// Attaches `tag` to `stream`.
    pub(crate) const fn new(stream: TokioIo<TcpStream>, tag: T) -> Self {
        Self { stream, tag }
    }

    /// Makes the connection end with a RST, so that its peer notices at once, and does not take it for an orderly end.
    ///
    /// # Errors
    /// If the system refuses to set the socket option.
    pub(crate) fn reset(&self) -> io::Result<()> {
        self.stream.inner().set_zero_linger()
    }
}

impl<T: fmt::Debug> fmt::Debug for TaggedStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaggedStream").field("tag", &self.tag).finish_non_exhaustive()
    }
}

impl<T: Unpin> Read for TaggedStream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<T: Unpin> Write for TaggedStream<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
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
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }
}
