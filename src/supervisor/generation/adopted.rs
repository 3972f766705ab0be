//! Runs one adopted generation: opens a consumer and an HLS job at the server, follows the job, and closes both at the end.
//!
//! The module alone owns the job and the consumer, and closes them in one place. It does not know why the generation is started
//! or stopped, nor who watches.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::TaskTracker;

use crate::supervisor::held::caller::{Caller, failure_of};
use crate::supervisor::held::hold::{FirstAttempt, Holding, Parting};
use crate::supervisor::stream::Stream;
use crate::upstream::follow::{Fetched, FollowSettings, follow};
use crate::upstream::jellyfin::{Error, Place};
use crate::upstream::job::Job;
use domain::playlist::Reading;
use domain::pool::OwnOpening;
use domain::reason::Failure;

/// How long a stop waits for the answer to a start that is under way.
const STOP_DELAY: Duration = Duration::from_secs(5);
/// How long ending the job is retried while the server cannot be reached.
const END_TIMEOUT: Duration = Duration::from_secs(120);

/// The job and the consumer that a generation opens and has to close.
#[derive(Debug)]
pub(super) struct AdoptedJob {
    caller: Caller,
    /// The gateway's own play session: new and secret, so that no client can stop its job.
    play_session: String,
    holding: Holding,
}

/// The work of a generation. It is separate from [`AdoptedJob`], so that the job is closed even if the work panics.
#[derive(Debug)]
pub(super) struct Work {
    caller: Caller,
    stream: Arc<Stream>,
    play_session: String,
    first_attempt: FirstAttempt,
}

impl AdoptedJob {
    /// Begins to open a consumer of the live stream, in a task of its own. If the server has no tuner left, `tuner_requested` is
    /// awaited; `tell` is called as the opening goes.
    pub(super) fn begin(
        caller: Caller,
        stream: Arc<Stream>,
        play_session: String,
        tell: impl Fn(OwnOpening) + Send + Sync + 'static,
        tuner_requested: impl Future<Output = bool> + Send + 'static,
        tasks: &TaskTracker,
    ) -> (Self, Work) {
        caller.record_item(&play_session);
        // Until the job runs, its end cannot give the consumer back.
        caller.ledger.note(&play_session, |entry| entry.without_job = true);
        let on_change = caller.hold_recorder(&play_session);
        let (holding, first_attempt) =
            Holding::take(caller.clone(), std::future::ready(()), on_change, tell, tuner_requested, tasks);
        let work = Work { caller: caller.clone(), stream, play_session: play_session.clone(), first_attempt };
        (Self { caller, play_session, holding }, work)
    }

    /// Ends the job, then closes the consumer. In the other order the server might kill the job by itself, and would then close
    /// a consumer that another viewer holds (docs/jellyfin.md 7). If either fails, the leftovers take over.
    pub(super) async fn retire(self, failure: Option<Failure>) {
        let Self { caller, play_session, holding } = self;
        let (jellyfin, play_session) = (&caller.jellyfin, &play_session);
        let end =
            |login, place: Place| async move { jellyfin.end_job(&place.prefix, play_session, &login).await };
        let ended = caller.call_until_done(Instant::now() + END_TIMEOUT, "end the job", end).await;
        let restarted = failure == Some(Failure::Unreachable);
        let closed = holding.part(match (ended, restarted) {
            (false, _) => Parting::Leave,
            (true, true) => Parting::GiveBackNamed,
            (true, false) => Parting::GiveBack,
        });
        let closed = closed.await && ended;
        if !closed {
            caller.ledger.note(play_session, |entry| {
                entry.without_job = ended || entry.playlist.is_none();
                if restarted && entry.opening.is_none() {
                    entry.live_stream = None;
                }
            });
        }
        caller.settle(play_session, closed);
    }
}

impl Work {
    /// Runs until it fails, or is stopped (`None`). The caller retires the job then.
    ///
    /// If a client has just opened the live stream, the job starts at once. Otherwise the live stream may be closed, so the job
    /// starts after the gateway's own opening.
    pub(super) async fn run(
        mut self,
        opened_by_client: bool,
        deliver: impl FnMut(Fetched) -> Result<(), Failure>,
    ) -> Option<Failure> {
        let stream = Arc::clone(&self.stream);
        if !opened_by_client && !self.caller.access.is_exclusive() {
            tokio::select! {
                () = stream.stop.cancelled() => return None,
                opened = self.first_attempt.outcome() => if let Err(failure) = opened { return Some(failure) },
            }
        }
        let started = tokio::select! {
            started = self.start_on(opened_by_client) => started,
            () = stopped_for_good(&stream) => return None,
        };
        let failure = match started {
            Ok((job, reading)) => tokio::select! {
                () = stream.stop.cancelled() => return None,
                failure = self.follow(&job, reading, deliver) => failure,
            },
            Err(failure) => failure,
        };
        (!stream.stop.is_cancelled()).then_some(failure)
    }

    /// Starts the job. What the client opened may be gone, with a process of the server's or of the gateway's: then the job is
    /// started once more after the gateway's own opening.
    async fn start_on(&mut self, opened_by_client: bool) -> Result<(Job, Reading), Failure> {
        match self.start().await.map_err(|error| failure_of(&error)) {
            Err(Failure::Refused) if opened_by_client && !self.caller.access.is_exclusive() => {
                self.first_attempt.outcome().await?;
                self.start().await.map_err(|error| failure_of(&error))
            }
            started => started,
        }
    }

    async fn start(&self) -> Result<(Job, Reading), Error> {
        let (Caller { jellyfin, .. }, stream) = (&self.caller, &self.stream);
        let play_session = &self.play_session;
        self.caller.ledger.written().await;
        let start = |login, _| async move { jellyfin.start(&stream.recipe, play_session, &login).await };
        let (begun, patience) = (Instant::now(), stream.starts().patience());
        let Ok(started) = timeout(patience, self.caller.call(start)).await else {
            stream.starts().was_late();
            return Err(Error::Unreadable("no playlist in time"));
        };
        let (job, reading) = started?;
        stream.starts().worked(begun.elapsed());
        self.caller.ledger.note(play_session, |entry| {
            (entry.playlist, entry.without_job) = (Some(job.playlist()), false);
        });
        Ok((job, reading))
    }

    async fn follow(
        &self,
        job: &Job,
        reading: Reading,
        deliver: impl FnMut(Fetched) -> Result<(), Failure>,
    ) -> Failure {
        let stream = &self.stream;
        let first = reading.entries.first().map_or(Duration::ZERO, |entry| entry.duration);
        let settings = FollowSettings {
            target: stream.promises().target_of_segments(first),
            cut: stream.recipe.cut,
            largest: stream.largest_segment(),
        };
        follow(&self.caller.jellyfin, job, reading, settings, deliver).await
    }
}

/// Returns a few seconds after the stop: the server goes on starting a job whose request is aborted, and only a job that has started
/// can be ended.
async fn stopped_for_good(stream: &Stream) {
    stream.stop.cancelled().await;
    sleep(STOP_DELAY).await;
}
