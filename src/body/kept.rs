//! Keeps what passes, so that it can be read and sent again: as a copy of a body that passes on unchanged, or as a whole body
//! that waits. What is kept of requests is bounded for all of them together, and in time for each.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use crate::body::{self, Body, BoxError, boxed};

/// How many bytes all bodies that are kept may hold together. Each takes its share as it grows, and returns it when it is dropped.
#[derive(Clone, Debug)]
pub struct Budget {
    shares: Arc<Semaphore>,
    largest: usize,
    patience: Duration,
}

/// A whole body in memory.
#[derive(Debug)]
pub struct Kept {
    bytes: Bytes,
    _share: Option<OwnedSemaphorePermit>,
}

impl Kept {
    /// Its bytes.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Its bytes as a body. Keep this beside it: its share counts once for both.
    #[must_use]
    pub fn body(&self) -> Body {
        body::full(self.bytes.clone())
    }
}

/// Hands its bytes out as a body, which keeps the share until they have been taken.
impl From<Kept> for Body {
    fn from(kept: Kept) -> Self {
        boxed(Rejoined { kept: Some(kept), next: None, rest: body::empty() })
    }
}

impl Budget {
    /// `all` bytes for all bodies, at most `largest` for each, which is kept for `patience` while it is incomplete.
    #[must_use]
    pub fn new(all: usize, largest: usize, patience: Duration) -> Self {
        Self { shares: Arc::new(Semaphore::new(all)), largest, patience }
    }

    /// Passes `body` on unchanged, frame by frame, and calls `then` once: with a copy when it has ended, or with `None` if it was
    /// too large, too slow or too much for the budget, if it failed, or was dropped before its end.
    pub fn tee(&self, body: Body, then: impl FnOnce(Option<Kept>) + Send + 'static) -> Body {
        let deadline = Some(Box::pin(sleep_until(Instant::now() + self.patience)));
        Tee::over(body, Growing::within(self), deadline, Box::new(then))
    }

    /// Reads a whole body.
    ///
    /// # Errors
    /// The body as it came, with what was read of it, for the reasons for which [`tee`](Self::tee) makes no copy.
    pub async fn read(&self, mut body: Body) -> Result<Kept, Body> {
        let deadline = Instant::now() + self.patience;
        let mut growing = Growing::within(self);
        let next = loop {
            match timeout_at(deadline, body.frame()).await {
                Ok(None) => return Ok(growing.end()),
                Ok(Some(Ok(frame))) => match frame.data_ref() {
                    Some(data) if !growing.take(data) => break Some(Ok(frame)),
                    Some(_) | None => {}
                },
                Ok(Some(Err(error))) => break Some(Err(error)),
                Err(_) => break None,
            }
        };
        Err(boxed(Rejoined { kept: Some(growing.end()), next, rest: body }))
    }
}

/// Passes `body` on unchanged, frame by frame, and calls `then` once with a copy of its bytes when it has ended, or with `None` if
/// it had more than `largest` bytes, failed, or was dropped before its end.
pub fn tee(body: Body, largest: usize, then: impl FnOnce(Option<Bytes>) + Send + 'static) -> Body {
    let growing = Growing { bytes: Vec::new(), share: None, largest, shares: None };
    let then = move |kept: Option<Kept>| then(kept.map(|kept| kept.bytes));
    Tee::over(body, growing, None, Box::new(then))
}

/// What is kept so far.
struct Growing {
    bytes: Vec<u8>,
    share: Option<OwnedSemaphorePermit>,
    largest: usize,
    /// `None` if its memory is not counted.
    shares: Option<Arc<Semaphore>>,
}

impl Growing {
    fn within(budget: &Budget) -> Self {
        let shares = Some(Arc::clone(&budget.shares));
        Self { bytes: Vec::new(), share: None, largest: budget.largest, shares }
    }

    fn end(self) -> Kept {
        Kept { bytes: Bytes::from(self.bytes), _share: self.share }
    }

    /// Appends `data`, unless that is too much.
    fn take(&mut self, data: &[u8]) -> bool {
        let length = self.bytes.len() + data.len();
        if length > self.largest {
            return false;
        }
        // As much as a vector would reserve by itself.
        let before = self.bytes.capacity();
        let wanted = if length > before { length.max(2 * before).min(self.largest) } else { before };
        if let Some(shares) = self.shares.as_ref().filter(|_| wanted > before) {
            let more = u32::try_from(wanted - before).ok();
            let Some(share) = more.and_then(|more| Arc::clone(shares).try_acquire_many_owned(more).ok())
            else {
                return false;
            };
            match &mut self.share {
                Some(held) => held.merge(share),
                none => *none = Some(share),
            }
        }
        self.bytes.reserve_exact(wanted - self.bytes.len());
        self.bytes.extend_from_slice(data);
        true
    }
}

/// A body of what was read of it, and its rest.
pub(super) fn rejoined(bytes: Bytes, rest: Body) -> Body {
    boxed(Rejoined { kept: Some(Kept { bytes, _share: None }), next: None, rest })
}

/// What was read of a body, and its rest.
struct Rejoined {
    kept: Option<Kept>,
    /// What was read last and is not kept.
    next: Option<Result<Frame<Bytes>, BoxError>>,
    rest: Body,
}

impl Rejoined {
    /// Whether only the rest is left.
    fn is_rest(&self) -> bool {
        self.kept.as_ref().is_none_or(|kept| kept.bytes.is_empty()) && self.next.is_none()
    }
}

impl http_body::Body for Rejoined {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(kept) = self.kept.take().filter(|kept| !kept.bytes.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(kept.bytes))));
        }
        match self.next.take() {
            None => Pin::new(&mut self.rest).poll_frame(cx),
            next => Poll::Ready(next),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_rest() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let next = self.next.as_ref().and_then(|next| next.as_ref().ok()?.data_ref());
        let before = self.kept.as_ref().map_or(0, |kept| kept.bytes.len()) + next.map_or(0, Bytes::len);
        body::longer(&self.rest.size_hint(), before)
    }
}

/// Called with the copy, or with `None` if there is none.
type Then = Box<dyn FnOnce(Option<Kept>) + Send>;

struct Tee {
    body: Body,
    /// `None` once the copy would be incomplete.
    copy: Option<Growing>,
    /// When an incomplete copy is dropped.
    deadline: Option<Pin<Box<Sleep>>>,
    then: Option<Then>,
}

impl Tee {
    fn over(body: Body, copy: Growing, deadline: Option<Pin<Box<Sleep>>>, then: Then) -> Body {
        let mut tee = Self { body, copy: Some(copy), deadline, then: Some(then) };
        tee.finish_if_ended();
        boxed(tee)
    }

    fn take(&mut self, bytes: &Bytes) {
        if !self.copy.as_mut().is_some_and(|copy| copy.take(bytes)) {
            self.copy = None;
        }
    }

    /// A body of known length is not polled again after its last byte, so each frame may turn out to be the last.
    fn finish_if_ended(&mut self) {
        if self.body.is_end_stream() {
            self.finish();
        }
    }

    fn finish(&mut self) {
        if let Some(then) = self.then.take() {
            then(self.copy.take().map(Growing::end));
        }
    }

    /// Drops a copy that has been incomplete for too long, whether or not anything comes.
    fn give_up_late(&mut self, cx: &mut Context<'_>) {
        let is_late = |deadline: &mut Pin<Box<Sleep>>| deadline.as_mut().poll(cx).is_ready();
        if self.copy.is_some() && self.deadline.as_mut().is_some_and(is_late) {
            (self.copy, self.deadline) = (None, None);
        }
    }
}

impl http_body::Body for Tee {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.give_up_late(cx);
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(bytes) = frame.data_ref() {
                    self.take(bytes);
                }
                self.finish_if_ended();
            }
            Some(Err(_)) => self.copy = None,
            None => self.finish(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Tee {
    fn drop(&mut self) {
        self.copy = None;
        self.finish();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use http_body_util::StreamBody;

    use super::*;
    use crate::body::{empty, full};

    fn chunks(chunks: &[&'static str]) -> Body {
        let frames: Vec<Result<Frame<Bytes>, BoxError>> =
            chunks.iter().map(|chunk| Ok(Frame::data(Bytes::from_static(chunk.as_bytes())))).collect();
        boxed(StreamBody::new(futures_util::stream::iter(frames)))
    }

    fn teed(body: Body, cap: usize) -> (Body, mpsc::Receiver<Option<Bytes>>) {
        let (sender, receiver) = mpsc::channel();
        (tee(body, cap, move |copy| drop(sender.send(copy))), receiver)
    }

    #[tokio::test]
    async fn tee_hands_over_what_passed() {
        for body in [full("abcd"), chunks(&["ab", "cd"])] {
            let (body, copy) = teed(body, 4);
            assert_eq!(body.collect().await.unwrap().to_bytes(), "abcd");
            assert_eq!(copy.recv().unwrap().unwrap(), "abcd");
            assert!(copy.recv().is_err(), "called once");
        }
    }

    #[tokio::test]
    async fn tee_is_done_after_the_last_byte_of_a_known_length() {
        let (mut body, copy) = teed(full("abcd"), 4);
        body.frame().await.unwrap().unwrap();
        assert_eq!(copy.try_recv().unwrap().unwrap(), "abcd");
    }

    #[tokio::test]
    async fn tee_passes_on_what_it_may_not_keep() {
        let (body, copy) = teed(chunks(&["abc", "de", "f"]), 4);
        assert_eq!(body.collect().await.unwrap().to_bytes(), "abcdef");
        assert_eq!(copy.recv().unwrap(), None);
    }

    #[tokio::test]
    async fn tee_hands_over_nothing_when_the_body_breaks_off() {
        let (mut body, copy) = teed(chunks(&["ab", "cd"]), 4);
        body.frame().await.unwrap().unwrap();
        drop(body);
        assert_eq!(copy.recv().unwrap(), None);

        let frames = vec![Ok(Frame::data(Bytes::from_static(b"ab"))), Err(BoxError::from("reset"))];
        let (body, copy) = teed(boxed(StreamBody::new(futures_util::stream::iter(frames))), 4);
        body.collect().await.unwrap_err();
        assert_eq!(copy.recv().unwrap(), None);
    }

    #[tokio::test]
    async fn tee_of_an_empty_body_is_an_empty_copy() {
        let (body, copy) = teed(empty(), 4);
        assert_eq!(copy.try_recv().unwrap().unwrap(), "");
        drop(body);
    }

    const LONG: Duration = Duration::from_secs(60);

    /// A body that says nothing more after `first`.
    fn stalled(first: &'static str) -> Body {
        let first = Ok::<_, BoxError>(Frame::data(Bytes::from_static(first.as_bytes())));
        let first = futures_util::stream::iter([first]);
        boxed(StreamBody::new(futures_util::StreamExt::chain(first, futures_util::stream::pending())))
    }

    async fn text(body: Body) -> String {
        String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn what_is_kept_has_its_share_of_the_budget_until_it_is_dropped() {
        let budget = Budget::new(10, 6, LONG);
        let first = budget.read(chunks(&["ab", "cd", "ef"])).await.unwrap();
        assert_eq!((&first.bytes()[..], budget.shares.available_permits()), (&b"abcdef"[..], 4));
        assert_eq!(text(first.body()).await, "abcdef");
        let second = budget.read(chunks(&["1234", "5"])).await.unwrap_err();
        assert_eq!((second.size_hint().lower(), second.is_end_stream()), (5, false));
        assert_eq!(text(second).await, "12345", "too much for the budget, so it passes on");
        assert_eq!(budget.shares.available_permits(), 4);
        assert_eq!(text(first.into()).await, "abcdef");
        assert_eq!(budget.shares.available_permits(), 10);
    }

    #[tokio::test]
    async fn what_is_too_large_passes_on_unread() {
        let budget = Budget::new(100, 4, LONG);
        assert_eq!(text(budget.read(chunks(&["abc", "de", "f"])).await.unwrap_err()).await, "abcdef");
        let broken = StreamBody::new(futures_util::stream::iter([
            Ok(Frame::data(Bytes::from_static(b"ab"))),
            Err(BoxError::from("reset")),
        ]));
        let broken = budget.read(boxed(broken)).await.unwrap_err();
        assert_eq!(broken.size_hint().exact(), None, "a body that broke off is never taken for a whole one");
        broken.collect().await.unwrap_err();
        assert_eq!(budget.shares.available_permits(), 100);
    }

    /// An upload that does not end holds its share for a while and no longer, though nothing comes.
    #[tokio::test(start_paused = true)]
    async fn what_stalls_is_kept_for_a_while() {
        let budget = Budget::new(100, 10, Duration::from_secs(5));
        let begun = Instant::now();
        let mut passed = budget.read(stalled("abc")).await.unwrap_err();
        assert_eq!(begun.elapsed(), Duration::from_secs(5));
        assert_eq!(passed.frame().await.unwrap().unwrap().into_data().unwrap(), "abc");
        assert_eq!(budget.shares.available_permits(), 100);

        let (sender, receiver) = mpsc::channel();
        let mut teed = budget.tee(stalled("abc"), move |kept| sender.send(kept.is_some()).unwrap());
        teed.frame().await.unwrap().unwrap();
        assert!(budget.shares.available_permits() < 100);
        tokio::time::timeout(Duration::from_secs(6), teed.frame()).await.unwrap_err();
        assert_eq!(budget.shares.available_permits(), 100);
        drop(teed);
        assert!(!receiver.recv().unwrap());
    }
}
