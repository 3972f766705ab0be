//! What a connection is doing: whether anything moves over it, and since when not.
//!
//! It does not know who asks, nor what follows. Requests lock nothing for it.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use domain::connections::Rest;
use http::{Response, StatusCode};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::body::paced::Paced;
use crate::body::{Body, BoxError};
use crate::wire::read_size::Share;

/// See the module. All times but the first are milliseconds of its life.
pub(super) struct Activity {
    since: Instant,
    /// Whether a whole request has arrived.
    asked: AtomicBool,
    /// The requests that are being answered; one more once it has left HTTP.
    answering: AtomicUsize,
    /// Whether it has left HTTP: what carries its bytes is not told to go.
    is_tunnel: AtomicBool,
    /// When the last answer was taken.
    answered_at: AtomicU64,
    /// Since when the client has taken nothing of what is to be written; 0 if it takes it.
    stalled_at: AtomicU64,
    /// The bodies of requests that have not been seen whole. One that is given up early stays one of them, since its rest may still
    /// come.
    bodies: AtomicUsize,
    /// Those of them whose next bytes nobody asks for.
    untaken: AtomicUsize,
    /// When one of them was last asked for bytes, and gave some.
    taken_at: AtomicU64,
}

impl Activity {
    /// A connection that has just been accepted.
    pub(super) fn new() -> Self {
        Self {
            since: Instant::now(),
            asked: AtomicBool::default(),
            answering: AtomicUsize::default(),
            is_tunnel: AtomicBool::default(),
            answered_at: AtomicU64::default(),
            stalled_at: AtomicU64::default(),
            bodies: AtomicUsize::default(),
            untaken: AtomicUsize::default(),
            taken_at: AtomicU64::default(),
        }
    }

    pub(super) fn age(&self) -> Duration {
        self.since.elapsed()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.age().as_millis()).unwrap_or(u64::MAX)
    }

    /// The head of a request has arrived, which is being answered until the value is dropped. Also returns whether it is the first.
    pub(super) fn asked(self: &Arc<Self>) -> (Answering, bool) {
        (Answering::new(self), !self.asked.swap(true, Ordering::Relaxed))
    }

    /// Whether the last request and its answer have passed whole.
    pub(super) fn is_done(&self) -> bool {
        self.asked.load(Ordering::Relaxed) && self.bodies.load(Ordering::Acquire) == 0 && !self.is_stalled()
    }

    fn is_stalled(&self) -> bool {
        self.stalled_at.load(Ordering::Relaxed) > 0
    }

    /// When the last answer was taken.
    pub(super) fn answered_at(&self) -> u64 {
        self.answered_at.load(Ordering::Relaxed)
    }

    /// How it rests; `None` if something moves.
    pub(super) fn rest(&self) -> Option<Rest> {
        if self.is_tunnel.load(Ordering::Relaxed) {
            return None;
        }
        let for_long = |since: &AtomicU64| {
            Duration::from_millis(self.now().saturating_sub(since.load(Ordering::Relaxed)))
        };
        if self.is_stalled() {
            return Some(Rest::Stalled(for_long(&self.stalled_at)));
        }
        // Over HTTP/2 others may be answered meanwhile.
        let (untaken, answering) =
            (self.untaken.load(Ordering::Relaxed), self.answering.load(Ordering::Acquire));
        if untaken > 0 && untaken == answering {
            return Some(Rest::Stalled(for_long(&self.taken_at)));
        }
        self.idle().map(Rest::Idle)
    }

    /// How long nothing has been answered; `None` if something is.
    pub(super) fn idle(&self) -> Option<Duration> {
        let is_idle = self.answering.load(Ordering::Acquire) == 0;
        let answered_at = Duration::from_millis(self.answered_at());
        is_idle.then(|| self.age().saturating_sub(answered_at))
    }

    /// Bytes were to be written, and the client took some, or none.
    pub(super) fn wrote(&self, is_taken: bool) {
        match (is_taken, self.stalled_at.load(Ordering::Relaxed)) {
            (true, 0) | (false, 1..) => {}
            (true, 1..) => {
                // The body may have been handed out whole long before.
                self.answered_at.fetch_max(self.now(), Ordering::Relaxed);
                self.stalled_at.store(0, Ordering::Relaxed);
            }
            (false, 0) => self.stalled_at.store(self.now().max(1), Ordering::Relaxed),
        }
    }
}

/// A request that is being answered.
pub(super) struct Answering {
    activity: Arc<Activity>,
    _share: Share,
}

impl Answering {
    fn new(activity: &Arc<Activity>) -> Self {
        activity.answering.fetch_add(1, Ordering::AcqRel);
        Self { activity: Arc::clone(activity), _share: Share::new() }
    }

    /// The answer, which ends with its body. One that leaves HTTP never does.
    pub(super) fn with(self, answer: Response<Body>) -> Response<Answered> {
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            self.activity.answering.fetch_add(1, Ordering::AcqRel);
            self.activity.is_tunnel.store(true, Ordering::Relaxed);
        }
        answer.map(|body| Answered { body: Paced::new(body), _answering: self })
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.activity.answered_at.store(self.activity.now(), Ordering::Relaxed);
        self.activity.answering.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The body of an answer, with whose end the request is answered.
pub(super) struct Answered {
    body: Paced,
    _answering: Answering,
}

impl http_body::Body for Answered {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of a request. Between its frames it is known whether anybody asks for the next.
pub struct Upload<B = Incoming> {
    body: B,
    /// `None` once all of it has come.
    activity: Option<Arc<Activity>>,
    is_untaken: bool,
}

impl<B: http_body::Body> Upload<B> {
    pub(super) fn new(body: B, activity: &Arc<Activity>) -> Self {
        if body.is_end_stream() {
            return Self { body, activity: None, is_untaken: false };
        }
        activity.bodies.fetch_add(1, Ordering::AcqRel);
        let mut this = Self { body, activity: Some(Arc::clone(activity)), is_untaken: false };
        this.rests();
        this
    }

    /// Nobody asks for its next bytes.
    fn rests(&mut self) {
        let Some(activity) = &self.activity else { return };
        activity.taken_at.store(activity.now(), Ordering::Relaxed);
        activity.untaken.fetch_add(1, Ordering::Relaxed);
        self.is_untaken = true;
    }

    /// All of it has come.
    fn ends(&mut self) {
        if let Some(activity) = self.activity.take() {
            activity.bodies.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl<B> Upload<B> {
    fn is_asked(&mut self) {
        if std::mem::take(&mut self.is_untaken)
            && let Some(activity) = &self.activity
        {
            activity.untaken.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl<B> http_body::Body for Upload<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.is_asked();
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(_)) if !self.body.is_end_stream() => self.rests(),
            Some(Ok(_)) | None => self.ends(),
            // Its rest may still come.
            Some(Err(_)) => {}
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

impl<B> Drop for Upload<B> {
    fn drop(&mut self) {
        self.is_asked();
    }
}

impl<B> fmt::Debug for Upload<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upload")
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use tokio::time::advance;

    use super::*;
    use crate::body::{self, of_all};

    const SECOND: Duration = Duration::from_secs(1);

    fn answer(status: StatusCode) -> Response<Body> {
        let mut answer = Response::new(body::empty());
        *answer.status_mut() = status;
        answer
    }

    /// Nothing would come of it, and the next connection would wait in vain for the place.
    #[tokio::test(start_paused = true)]
    async fn a_tunnel_never_rests() {
        let activity = Arc::new(Activity::new());
        drop(activity.asked().0.with(answer(StatusCode::SWITCHING_PROTOCOLS)));
        activity.wrote(false);
        advance(60 * SECOND).await;
        assert_eq!(activity.rest(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_the_end_of_an_answer_late_has_been_idle_since_then() {
        let activity = Arc::new(Activity::new());
        drop(activity.asked().0.with(answer(StatusCode::OK)));
        activity.wrote(false);
        advance(30 * SECOND).await;
        assert_eq!(activity.rest(), Some(Rest::Stalled(Duration::from_millis(29_999))));
        activity.wrote(true);
        assert_eq!(activity.rest(), Some(Rest::Idle(Duration::ZERO)));
        advance(3 * SECOND).await;
        assert_eq!(activity.rest(), Some(Rest::Idle(3 * SECOND)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_that_nobody_takes_on_is_stalled() {
        let activity = Arc::new(Activity::new());
        let answering = activity.asked().0;
        let mut upload = Upload::new(of_all(["ab", "cd", "ef"].map(Bytes::from).into_iter()), &activity);
        let mut waiting = Upload::new(
            body::boxed(http_body_util::StreamBody::new(futures_util::stream::pending::<
                Result<Frame<Bytes>, BoxError>,
            >())),
            &activity,
        );
        assert!(futures_util::FutureExt::now_or_never(waiting.frame()).is_none());
        advance(5 * SECOND).await;
        assert_eq!(activity.rest(), Some(Rest::Stalled(5 * SECOND)), "it has not been begun");
        upload.frame().await.unwrap().unwrap();
        assert_eq!(activity.rest(), Some(Rest::Stalled(Duration::ZERO)));
        advance(20 * SECOND).await;
        assert_eq!(activity.rest(), Some(Rest::Stalled(20 * SECOND)));
        let another = activity.asked().0;
        assert_eq!(activity.rest(), None, "another request over the connection is answered");
        drop(another);
        upload.frame().await.unwrap().unwrap();
        upload.frame().await.unwrap().unwrap();
        assert_eq!(activity.rest(), None, "all of it has been taken, and the answer is awaited");
        drop((upload, answering));
        assert!(!activity.is_done(), "the other body may still come");
    }

    #[tokio::test]
    async fn a_body_that_was_given_up_may_still_come() {
        for (taken, is_done) in [(0, false), (1, false), (2, true)] {
            let activity = Arc::new(Activity::new());
            let answering = activity.asked().0;
            let mut upload = Upload::new(of_all(["ab", "cd"].map(Bytes::from).into_iter()), &activity);
            for _ in 0..taken {
                upload.frame().await.unwrap().unwrap();
            }
            drop((upload, answering));
            assert_eq!(activity.is_done(), is_done, "{taken}");
            assert!(matches!(activity.rest(), Some(Rest::Idle(_))));
        }
    }
}
