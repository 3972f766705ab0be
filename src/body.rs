//! The one HTTP body type of the gateway, and wrappers that copy, watch or drain a body as it is streamed.
//!
//! It does not know where the bytes come from or go to.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Request;
use http::header::CONTENT_LENGTH;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use tokio::runtime::Handle;
use tokio_util::sync::ReusableBoxFuture;

/// The error of a body.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A body of any origin, boxed once.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// A body without bytes.
#[must_use]
pub fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body whose bytes are all in memory.
#[must_use]
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// Boxes any other body.
pub fn boxed<B>(body: B) -> Body
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    body.map_err(Into::into).boxed_unsync()
}

/// A body of the bytes that `next` returns, called again and again until it returns none.
pub fn unfold<S, N, F>(state: S, next: N) -> Body
where
    S: Send + 'static,
    N: Fn(S) -> F + Send + Unpin + 'static,
    F: Future<Output = (S, Option<Result<Bytes, BoxError>>)> + Send + 'static,
{
    boxed(Unfold { step: ReusableBoxFuture::new(next(state)), next })
}

struct Unfold<S, N> {
    step: ReusableBoxFuture<'static, (S, Option<Result<Bytes, BoxError>>)>,
    next: N,
}

impl<S, N, F> http_body::Body for Unfold<S, N>
where
    N: Fn(S) -> F + Unpin,
    F: Future<Output = (S, Option<Result<Bytes, BoxError>>)> + Send + 'static,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let (state, came) = ready!(self.step.poll(cx));
        let step = (self.next)(state);
        self.step.set(step);
        Poll::Ready(came.map(|came| came.map(Frame::data)))
    }
}

/// Whether a request says that its body has at most `cap` bytes.
#[must_use]
pub fn is_at_most(request: &Request<Body>, cap: usize) -> bool {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    length.is_some_and(|length: usize| length <= cap)
}

/// Reads a whole body of at most `cap` bytes. Returns `None` for a larger body and for one that failed.
pub async fn read(mut body: Body, cap: usize) -> Option<Bytes> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame.ok()?.data_ref() {
            if bytes.len() + data.len() > cap {
                return None;
            }
            bytes.extend_from_slice(data);
        }
    }
    Some(bytes.freeze())
}

/// Passes `body` on unchanged, frame by frame, and calls `then` once with a copy of its bytes when it has ended, or with `None` if it had
/// more than `cap` bytes, failed, or was dropped before its end.
pub fn tee(body: Body, cap: usize, then: impl FnOnce(Option<Bytes>) + Send + 'static) -> Body {
    let mut tee = Tee { body, copy: Some(BytesMut::new()), cap, then: Some(Box::new(then)) };
    tee.finish_if_ended();
    boxed(tee)
}

struct Tee {
    body: Body,
    /// `None` once the copy would be incomplete.
    copy: Option<BytesMut>,
    cap: usize,
    then: Option<Box<dyn FnOnce(Option<Bytes>) + Send>>,
}

impl Tee {
    fn take(&mut self, bytes: &Bytes) {
        match &mut self.copy {
            Some(copy) if copy.len() + bytes.len() <= self.cap => copy.extend_from_slice(bytes),
            copy => *copy = None,
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
            then(self.copy.take().map(BytesMut::freeze));
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
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(bytes) = frame.data_ref() {
                    self.take(bytes);
                }
                self.finish_if_ended();
            }
            Poll::Ready(Some(Err(_))) => self.copy = None,
            Poll::Ready(None) => self.finish(),
            Poll::Pending => {}
        }
        polled
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

/// Passes `body` on unchanged, and calls `then` once: with true when its last byte has been taken, with false if it is dropped before. It is
/// handed out in small chunks, so that most of it has been sent by the time its last chunk is taken.
pub fn watched(body: Body, then: impl FnOnce(bool) + Send + 'static) -> Body {
    let mut watched = Watched { body, rest: Bytes::new(), then: Some(Box::new(then)) };
    watched.finish_if_ended();
    boxed(watched)
}

/// The largest chunk of a watched body: a server buffers a few of them at most.
const CHUNK: usize = 128 << 10;

struct Watched {
    body: Body,
    rest: Bytes,
    then: Option<Box<dyn FnOnce(bool) + Send>>,
}

impl Watched {
    fn finish_if_ended(&mut self) {
        if self.rest.is_empty() && self.body.is_end_stream() {
            self.finish(true);
        }
    }

    fn finish(&mut self, whole: bool) {
        if let Some(then) = self.then.take() {
            then(whole);
        }
    }
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    self.finish(true);
                    return Poll::Ready(None);
                }
            }
        }
        let length = self.rest.len().min(CHUNK);
        let chunk = self.rest.split_to(length);
        self.finish_if_ended();
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (inner, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower() + rest);
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.finish(false);
    }
}

/// Passes `body` on unchanged. If it is dropped before its end, the rest is still read for at most `limit`: a client that is answered
/// before it has sent everything would otherwise see a reset instead of the answer.
#[must_use]
pub fn drained(body: Body, limit: Duration) -> Body {
    if body.is_end_stream() {
        return body;
    }
    boxed(Drained { body: Some(body), limit })
}

struct Drained {
    /// `None` once the body has ended.
    body: Option<Body>,
    limit: Duration,
}

impl http_body::Body for Drained {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(cx);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        let Some(mut body) = self.body.take().filter(|body| !body.is_end_stream()) else { return };
        let Ok(runtime) = Handle::try_current() else { return };
        let limit = self.limit;
        runtime
            .spawn(tokio::time::timeout(limit, async move { while let Some(Ok(_)) = body.frame().await {} }));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use http_body_util::StreamBody;

    use super::*;

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
    async fn whoever_watches_a_body_learns_of_its_end() {
        let watch = |body| {
            let (sender, receiver) = mpsc::channel();
            (watched(body, move |whole| sender.send(whole).unwrap()), receiver)
        };
        let large = Bytes::from(vec![7; CHUNK * 2 + 1]);
        let (mut body, told) = watch(full(large.clone()));
        assert_eq!(body.size_hint().exact(), Some(large.len() as u64));
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!((first.len(), body.size_hint().exact()), (CHUNK, Some(CHUNK as u64 + 1)));
        assert_eq!(body.collect().await.unwrap().to_bytes(), large.slice(CHUNK..));
        assert!(told.recv().unwrap());
        let (mut body, told) = watch(full(large));
        body.frame().await.unwrap().unwrap();
        drop(body);
        assert!(!told.recv().unwrap());
        let (body, told) = watch(empty());
        assert!(told.recv().unwrap() && body.is_end_stream());
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
}
