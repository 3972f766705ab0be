//! Counts the bytes of a body.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::body::{Body, BoxError, boxed};

/// Passes `body` on unchanged, and calls `then` once it has ended or is dropped, with the number of bytes that were taken.
pub fn counted(body: Body, then: impl FnOnce(u64) + Send + 'static) -> Body {
    boxed(Counted { body, bytes: 0, then: Some(Box::new(then)) })
}

struct Counted {
    body: Body,
    bytes: u64,
    then: Option<Box<dyn FnOnce(u64) + Send>>,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
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

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(then) = self.then.take() {
            then(self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use http_body_util::BodyExt as _;

    use super::*;
    use crate::body::{empty, full, of_all};

    #[tokio::test]
    async fn what_was_taken_is_told_at_the_end() {
        let (sender, told) = mpsc::channel();
        let tell = |body| {
            let sender = sender.clone();
            counted(body, move |bytes| sender.send(bytes).unwrap())
        };
        let pieces = || of_all([Bytes::from_static(b"ab"), Bytes::from_static(b"cde")].into_iter());
        let whole = tell(pieces()).collect().await.unwrap();
        assert_eq!((whole.to_bytes(), told.try_recv()), (Bytes::from_static(b"abcde"), Ok(5)));
        let mut cut = tell(pieces());
        cut.frame().await.unwrap().unwrap();
        assert!(told.try_recv().is_err(), "it may go on");
        drop(cut);
        assert_eq!(told.try_recv(), Ok(2));
        drop((tell(full("x")), tell(empty())));
        assert_eq!(told.try_iter().collect::<Vec<_>>(), [0, 0]);
    }
}
