//! Hands out the next bytes of a body when those before have been written.
//!
//! hyper would take 400 KiB of each body and keep them while the peer does not read.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http_body::{Frame, SizeHint};

use crate::body::{Body, BoxError};

/// A body for a connection, which drops each frame when it has written it. For whoever keeps frames, it would stand still.
#[derive(Debug)]
pub struct Paced {
    body: Body,
    /// The frame that was handed out last. There is none before the first, and a body of one frame needs none.
    last: Option<Arc<Last>>,
}

/// A frame that was handed out.
#[derive(Debug, Default)]
struct Last {
    is_kept: AtomicBool,
    waiting: AtomicWaker,
}

/// The bytes of a frame, whose end tells that they have been written.
struct Told {
    bytes: Bytes,
    last: Arc<Last>,
}

impl Paced {
    /// Paces `body`.
    #[must_use]
    pub const fn new(body: Body) -> Self {
        Self { body, last: None }
    }

    fn tell_of(&mut self, bytes: Bytes) -> Bytes {
        let last = Arc::clone(self.last.get_or_insert_default());
        last.is_kept.store(true, Ordering::Relaxed);
        Bytes::from_owner(Told { bytes, last })
    }
}

impl Last {
    fn poll_written(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_kept.load(Ordering::Acquire) {
            self.waiting.register(cx.waker());
            if self.is_kept.load(Ordering::Acquire) {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }
}

impl AsRef<[u8]> for Told {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.last.is_kept.store(false, Ordering::Release);
        self.last.waiting.wake();
    }
}

impl http_body::Body for Paced {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(last) = &self.last {
            ready!(last.poll_written(cx));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            frame.map(|frame| {
                if self.body.is_end_stream() { frame } else { frame.map_data(|bytes| self.tell_of(bytes)) }
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use http_body::Body as _;
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::body::{full, of_all};

    fn next(paced: &mut Paced) -> Poll<Option<Bytes>> {
        let mut cx = Context::from_waker(Waker::noop());
        let polled = Pin::new(paced).poll_frame(&mut cx);
        polled.map(|frame| frame.map(|frame| frame.unwrap().into_data().unwrap()))
    }

    #[test]
    fn the_next_frame_waits_until_the_one_before_is_dropped() {
        let mut paced = Paced::new(of_all(["ab", "cd", "ef"].map(Bytes::from).into_iter()));
        let Poll::Ready(Some(mut first)) = next(&mut paced) else { panic!("no frame") };
        let part = first.split_to(1);
        drop(first);
        assert_eq!((&part[..], next(&mut paced)), (&b"a"[..], Poll::Pending));
        drop(part);
        let Poll::Ready(Some(second)) = next(&mut paced) else { panic!("no frame") };
        assert_eq!(
            (&second[..], paced.size_hint().exact(), paced.is_end_stream()),
            (&b"cd"[..], Some(2), false)
        );
        assert_eq!(next(&mut paced), Poll::Pending);
        drop(second);
        let Poll::Ready(Some(last)) = next(&mut paced) else { panic!("no frame") };
        assert!(paced.is_end_stream());
        assert_eq!(
            (&last[..], next(&mut paced)),
            (&b"ef"[..], Poll::Ready(None)),
            "nothing waits for the last"
        );
    }

    #[tokio::test]
    async fn who_waits_is_woken() {
        let mut paced = Paced::new(of_all(["ab", "cd"].map(Bytes::from).into_iter()));
        let first = paced.frame().await.unwrap().unwrap();
        let waiting = tokio::spawn(async move { paced.frame().await.unwrap().unwrap().into_data().unwrap() });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(first);
        assert_eq!(waiting.await.unwrap(), "cd");
        assert_eq!(Paced::new(full("x")).collect().await.unwrap().to_bytes(), "x");
    }
}
