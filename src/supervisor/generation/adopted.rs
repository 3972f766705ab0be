//! One generation of an adopted stream, from its opening to its closing: the one owner, and the one way out, of the
//! job and the consumer that the gateway opens at the server.
//!
//! It does not know why it is started or stopped, nor who watches.

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
use domain::reason::Failure;

/// A start that takes longer is given up, whoever still waits: the server's own wait has no end (`HlsHelpers.cs`).
const START: Duration = Duration::from_secs(60);
/// How long a stop waits for the answer to a start that is under way.
const UNHEARD: Duration = Duration::from_secs(5);
/// How long a server that cannot be reached is waited for to end the job.
const FAREWELL: Duration = Duration::from_secs(120);

/// What a generation has opened, and has to give back.
#[derive(Debug)]
pub(super) struct AdoptedJob {
    caller: Caller,
    /// The gateway's own name for the playback: fresh and secret, so that no client can stop it.
    play_session: String,
    holding: Holding,
}

/// What a generation does, apart from what it has to give back: should it perish, that is not lost.
#[derive(Debug)]
pub(super) struct Work {
    caller: Caller,
    stream: Arc<Stream>,
    play_session: String,
    first_attempt: FirstAttempt,
}

impl AdoptedJob {
    /// Begins: takes a consumer of the live stream in a task of its own. `freed` is awaited if there is no tuner left.
    pub(super) fn begin(
        caller: Caller,
        stream: Arc<Stream>,
        play_session: String,
        freed: impl Future<Output = bool> + Send + 'static,
        tasks: &TaskTracker,
    ) -> (Self, Work) {
        caller.note_place(&play_session);
        let held = caller.noted(&play_session);
        let (holding, first_attempt) =
            Holding::take(caller.clone(), std::future::ready(()), held, freed, tasks);
        let work = Work { caller: caller.clone(), stream, play_session: play_session.clone(), first_attempt };
        (Self { caller, play_session, holding }, work)
    }

    /// Ends the job, then gives the consumer back: in this order, or the server would end the job by itself and give
    /// back a consumer that was not the job's (`jellyfin.md` 4.4). What cannot be closed is left to others.
    pub(super) async fn retire(self, failure: Option<Failure>) {
        let Self { caller, play_session, holding } = self;
        let (jellyfin, play_session) = (&caller.jellyfin, &play_session);
        let end =
            |login, place: Place| async move { jellyfin.end_job(&place.prefix, play_session, &login).await };
        let ended = caller.call_until_done(Instant::now() + FAREWELL, "end the job", end).await;
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
    /// Goes on until it fails, or is stopped (`None`). The generation has to be retired then.
    ///
    /// A live stream that a client has just opened can be used at once; one that may have died with the generation
    /// before has to be opened first.
    pub(super) async fn run(
        mut self,
        opened_by_client: bool,
        deliver: impl FnMut(Fetched),
    ) -> Option<Failure> {
        let stream = Arc::clone(&self.stream);
        if !opened_by_client && !self.caller.access.is_exclusive() {
            tokio::select! {
                () = stream.stop.cancelled() => return None,
                opened = self.first_attempt.outcome() => if let Err(failure) = opened { return Some(failure) },
            }
        }
        let started = tokio::select! {
            started = self.start() => started,
            () = self.stopped_for_good() => return None,
        };
        let failure = match started {
            Ok((job, reading)) => tokio::select! {
                () = stream.stop.cancelled() => return None,
                failure = self.follow(&job, reading, deliver) => failure,
            },
            Err(error) => failure_of(&error),
        };
        (!stream.stop.is_cancelled()).then_some(failure)
    }

    /// What has been asked of the server happens, whether or not its answer is heard: so a stop lets a start come to
    /// its end, and the job be there to be ended, if that does not take long.
    async fn stopped_for_good(&self) {
        self.stream.stop.cancelled().await;
        sleep(UNHEARD).await;
    }

    async fn start(&self) -> Result<(Job, Reading), Error> {
        let (Caller { jellyfin, .. }, stream) = (&self.caller, &self.stream);
        let play_session = &self.play_session;
        let start = |login, _| async move { jellyfin.start(&stream.recipe, play_session, &login).await };
        let started = timeout(START, self.caller.call(start)).await;
        let (job, reading) = started.unwrap_or(Err(Error::Unreadable("no playlist within a minute")))?;
        self.caller.ledger.note(play_session, |entry| entry.playlist = Some(job.playlist()));
        Ok((job, reading))
    }

    async fn follow(&self, job: &Job, reading: Reading, deliver: impl FnMut(Fetched)) -> Failure {
        let stream = &self.stream;
        let first = reading.entries.first().map_or(Duration::ZERO, |entry| entry.duration);
        let settings = FollowSettings {
            target: stream.target(first),
            cut: stream.recipe.cut,
            largest: stream.largest_segment(),
        };
        follow(&self.caller.jellyfin, job, reading, settings, deliver).await
    }
}
