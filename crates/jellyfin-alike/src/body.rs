//! The body of a response: either complete, or sent piece by piece as its bytes come.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Frame, SizeHint};
use tokio::sync::mpsc;

/// A response's body.
pub(crate) enum Body {
    /// Its length is known, and sent as `Content-Length`.
    Complete(Full<Bytes>),
    /// Its length is unknown: it goes out in chunks until the sender is dropped.
    Streamed(mpsc::Receiver<Bytes>),
}

impl Body {
    /// A body without bytes.
    pub(crate) fn empty() -> Self {
        Self::complete(Bytes::new())
    }

    /// A body of `bytes`, whose length is sent.
    pub(crate) fn complete(bytes: impl Into<Bytes>) -> Self {
        Self::Complete(Full::new(bytes.into()))
    }

    /// A body of `bytes` whose length is not sent.
    pub(crate) fn chunked(bytes: impl Into<Bytes>) -> Self {
        let (sender, receiver) = mpsc::channel(1);
        // The channel has room for one piece, and its receiver is here: sending cannot fail.
        let _ = sender.try_send(bytes.into());
        Self::Streamed(receiver)
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Complete(full) => Pin::new(full).poll_frame(cx),
            Self::Streamed(receiver) => receiver.poll_recv(cx).map(|piece| Some(Ok(Frame::data(piece?)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Complete(full) => full.is_end_stream(),
            Self::Streamed(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Complete(full) => full.size_hint(),
            Self::Streamed(_) => SizeHint::default(),
        }
    }
}
