//! Lends a body out, and takes it back from a borrower that has died, with what that had taken of it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};

use crate::body::kept::rejoined;
use crate::body::{self, Body, BoxError};

/// A body that is lent. Once it is dropped, nothing more of the body is kept.
#[derive(Debug)]
pub struct Loan(Arc<Mutex<Lent>>);

#[derive(Debug)]
struct Lent {
    body: Body,
    /// What was taken of it; `None` if that is too much, or nobody takes it back.
    taken: Option<Vec<Bytes>>,
    /// Bytes that may yet be taken.
    left: usize,
}

/// What the borrower has.
struct Borrowed(Arc<Mutex<Lent>>);

/// Lends `body`. It can be taken back while at most `longest` bytes have been taken of it.
#[must_use]
pub fn lend(body: Body, longest: usize) -> (Body, Loan) {
    let lent = Arc::new(Mutex::new(Lent { body, taken: Some(Vec::new()), left: longest }));
    (body::boxed(Borrowed(Arc::clone(&lent))), Loan(lent))
}

impl Loan {
    /// The body as it was when it was lent. The borrower has an empty one from then on.
    #[must_use]
    pub fn take_back(self) -> Option<Body> {
        let mut lent = locked(&self.0);
        let taken = lent.taken.take()?;
        let rest = std::mem::replace(&mut lent.body, body::empty());
        let mut bytes = BytesMut::new();
        taken.iter().for_each(|taken| bytes.extend_from_slice(taken));
        Some(if bytes.is_empty() { rest } else { rejoined(bytes.freeze(), rest) })
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        locked(&self.0).taken = None;
    }
}

fn locked(lent: &Mutex<Lent>) -> MutexGuard<'_, Lent> {
    lent.lock().unwrap_or_else(PoisonError::into_inner)
}

impl http_body::Body for Borrowed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut lent = locked(&self.0);
        let frame = ready!(Pin::new(&mut lent.body).poll_frame(cx));
        let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
        if let Some(data) = data.filter(|_| lent.taken.is_some()) {
            match lent.left.checked_sub(data.len()) {
                Some(left) => {
                    lent.left = left;
                    lent.taken.iter_mut().for_each(|taken| taken.push(data.clone()));
                }
                None => lent.taken = None,
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        locked(&self.0).body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        locked(&self.0).body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body::Body as _;
    use http_body_util::BodyExt;

    use super::*;

    fn parts() -> Body {
        body::of_all(["one ", "two ", "three"].map(Bytes::from).into_iter())
    }

    #[tokio::test]
    async fn what_was_taken_comes_back_with_the_rest() {
        for taken in 0..=3 {
            let (mut lent, loan) = lend(parts(), 100);
            assert_eq!(lent.size_hint().exact(), Some(13));
            for _ in 0..taken {
                lent.frame().await.unwrap().unwrap();
            }
            let back = loan.take_back().unwrap();
            assert_eq!(back.size_hint().exact(), Some(13), "{taken}");
            assert_eq!(body::read(back, 100).await.unwrap(), "one two three", "{taken}");
            assert!(lent.frame().await.is_none());
        }
    }

    #[tokio::test]
    async fn what_is_too_much_or_not_wanted_back_is_not_kept() {
        let (mut lent, loan) = lend(parts(), 7);
        for _ in 0..2 {
            lent.frame().await.unwrap().unwrap();
        }
        assert!(loan.take_back().is_none());
        let (lent, loan) = lend(parts(), 100);
        drop(loan);
        assert_eq!(body::read(lent, 100).await.unwrap(), "one two three");
    }
}
