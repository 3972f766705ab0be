//! What is kept of a request until it is answered, so that a failure of the gateway's at it costs its client no answer: the request as
//! it came, whether the server has got it, and the server's answer.
//!
//! What may be repeated is sent again; anything else reaches the server once. It does not know how a request is answered.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::header::UPGRADE;
use http::{Request, Response, request, response};
use http_body::Body as _;

use crate::body::lent::{Loan, lend};
use crate::body::{self, Body};

/// Bytes of a body that are kept at most: more is read of none before it passes on.
const LONGEST: usize = 1 << 20;

/// See the module. It is in the extensions of its request, wherever that is passed on. Clones are the same passage.
#[derive(Clone)]
pub(super) struct Passage(Arc<Kept>);

struct Kept {
    head: request::Parts,
    has_body: bool,
    body: Mutex<Option<Loan>>,
    is_sent: AtomicBool,
    answer: Mutex<Option<(response::Parts, Loan)>>,
}

impl Passage {
    /// Begins with a request that has just come.
    pub(super) fn of(request: Request<Body>) -> (Request<Body>, Self) {
        let (head, body) = request.into_parts();
        let (body, loan) = if body.is_end_stream() {
            (body, None)
        } else {
            let (body, loan) = lend(body, LONGEST);
            (body, Some(loan))
        };
        let kept = Kept {
            head: head.clone(),
            has_body: loan.is_some(),
            body: Mutex::new(loan),
            is_sent: AtomicBool::new(false),
            answer: Mutex::default(),
        };
        let passage = Self(Arc::new(kept));
        let mut request = Request::from_parts(head, body);
        request.extensions_mut().insert(passage.clone());
        (request, passage)
    }

    /// The passage of a request, unless it is one of the gateway's own.
    pub(super) fn under_way(request: &Request<Body>) -> Option<Self> {
        request.extensions().get().cloned()
    }

    /// The server is about to get the request.
    pub(super) fn mark_sent(&self) {
        self.0.is_sent.store(true, Ordering::Relaxed);
        // From now on it is the server's.
        drop(locked(&self.0.body).take());
    }

    /// The server has answered. The answer of what is not repeated is kept.
    pub(super) fn keep_answer(&self, answer: Response<Body>) -> Response<Body> {
        if self.may_be_repeated() {
            return answer;
        }
        let (head, body) = answer.into_parts();
        let (body, loan) = lend(body, LONGEST);
        *locked(&self.0.answer) = Some((head.clone(), loan));
        Response::from_parts(head, body)
    }

    /// The server's answer, if it is kept.
    pub(super) fn answer(&self) -> Option<Response<Body>> {
        let (head, loan) = locked(&self.0.answer).take()?;
        Some(Response::from_parts(head, loan.take_back()?))
    }

    /// The request as it came, if the server has not got it or may get it again.
    pub(super) fn request(&self) -> Option<Request<Body>> {
        let body = match locked(&self.0.body).take() {
            Some(loan) => loan.take_back()?,
            None if self.0.is_sent.load(Ordering::Relaxed) && !self.may_be_repeated() => return None,
            None => body::empty(),
        };
        Some(Request::from_parts(self.0.head.clone(), body))
    }

    /// Whether the server may get the request twice. One that leaves HTTP can do so once, and a body is not kept for so long.
    fn may_be_repeated(&self) -> bool {
        let Kept { head, has_body, .. } = &*self.0;
        head.method.is_safe() && !has_body && !head.headers.contains_key(UPGRADE)
    }
}

impl fmt::Debug for Passage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passage(…)")
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
