//! The one HTTP body type of the gateway, and wrappers that copy (`kept`), lend (`lent`), count (`counted`), watch or drain a body as it
//! is streamed.
//!
//! It does not know where the bytes come from or go to.

pub mod counted;
pub mod kept;
pub mod lent;
pub mod paced;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
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

/// A body of several slices, all of them in memory.
#[must_use]
pub fn of_all(slices: impl Iterator<Item = Bytes>) -> Body {
    boxed(Slices(slices.collect()))
}

struct Slices(VecDeque<Bytes>);

impl http_body::Body for Slices {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|slice| Ok(Frame::data(slice))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.iter().map(|slice| slice.len() as u64).sum())
    }
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
        longer(&self.body.size_hint(), self.rest.len())
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.finish(false);
    }
}

/// The size of a body with `more` bytes before it.
fn longer(hint: &SizeHint, more: usize) -> SizeHint {
    let more = more as u64;
    let mut longer = SizeHint::new();
    longer.set_lower(hint.lower() + more);
    if let Some(upper) = hint.upper() {
        longer.set_upper(upper + more);
    }
    longer
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

    use super::*;

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
}
