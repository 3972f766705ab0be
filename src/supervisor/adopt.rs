//! One generation of an adopted stream, from its opening to its closing: the one owner, and the one way out, of the
//! job and the consumer that the gateway opens at the server.
//!
//! It does not know why it is started or stopped, nor who watches.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::{debug, info, warn};

use crate::domain::playlist::Reading;
use crate::domain::reason::Failure;
use crate::supervisor::stream::Stream;
use crate::upstream::follow::{Fetched, Pace, follow};
use crate::upstream::jellyfin::{Error, Hold, Jellyfin, Login};
use crate::upstream::job::Job;

/// A start that takes longer is given up, whoever still waits: the server's own wait has no end (`HlsHelpers.cs`).
const START: Duration = Duration::from_secs(60);
/// Between two attempts to take a consumer of a live stream that runs without one of ours.
const HOLD_AGAIN: Duration = Duration::from_secs(5);
/// How long a server that cannot be reached is waited for with what there is to close.
const FAREWELL: Duration = Duration::from_secs(120);
/// Between two attempts to close.
const CLOSE_AGAIN: Duration = Duration::from_millis(500);

/// A generation at work.
pub(super) struct Generation {
    pub(super) jellyfin: Jellyfin,
    pub(super) stream: Arc<Stream>,
    /// The gateway's own name for the playback: fresh and secret, so that no client can stop it.
    pub(super) play_session: String,
    /// The gateway's own credential, if it has one.
    pub(super) own: Option<Login>,
    /// Whether a client has just opened the live stream, so that the job can be started at once.
    pub(super) opened_by_client: bool,
}

/// What a generation has opened and must close.
#[derive(Default)]
pub(super) struct Opened {
    job: bool,
    hold: Holding,
}

/// Our own consumer of the live stream.
#[derive(Default)]
enum Holding {
    /// Not asked for.
    #[default]
    Nothing,
    /// Asked for. The server finishes what it has begun, so that nobody may stop waiting before it is known.
    Asked(JoinHandle<Result<Hold, Error>>),
    /// Ours.
    Held(Hold),
}

impl Holding {
    /// Waits for what was asked for, if anything was; dropped, it can be waited for again.
    async fn settle(&mut self) -> Result<(), Error> {
        let Self::Asked(asked) = self else { return Ok(()) };
        let (settled, result) = match asked.await {
            Ok(Ok(hold)) => (Self::Held(hold), Ok(())),
            Ok(Err(error)) => (Self::Nothing, Err(error)),
            Err(_) => (Self::Nothing, Err(Error::Unreadable("the call broke down"))),
        };
        *self = settled;
        result
    }
}

impl Generation {
    /// Runs until it fails, or is stopped (`None`). What it opened by then is to be retired.
    pub(super) async fn run(self: &Arc<Self>, deliver: impl FnMut(Fetched)) -> (Option<Failure>, Opened) {
        let mut opened = Opened::default();
        let failure = tokio::select! {
            biased;
            () = self.stream.stop.cancelled() => None,
            failure = self.produce(&mut opened, deliver) => Some(failure),
        };
        (failure, opened)
    }

    /// A live stream that a client has just opened need not be waited for; one that may have died with the generation
    /// before is opened first.
    async fn produce(self: &Arc<Self>, opened: &mut Opened, deliver: impl FnMut(Fetched)) -> Failure {
        if !self.opened_by_client
            && let Err(error) = self.hold(&mut opened.hold).await
        {
            return failure_of(&error);
        }
        opened.job = true;
        tokio::select! {
            failure = self.start_and_follow(deliver) => failure,
            never = self.hold_on(&mut opened.hold) => match never {},
        }
    }

    async fn start_and_follow(&self, deliver: impl FnMut(Fetched)) -> Failure {
        let (job, reading) = match self.start_job().await {
            Ok(started) => started,
            Err(error) => return failure_of(&error),
        };
        let Some(first) = reading.entries.first() else { return Failure::Unreadable };
        let pace =
            Pace { target: self.stream.target(first.duration), largest: self.stream.largest_segment() };
        follow(&self.jellyfin, &job, reading, pace, deliver).await
    }

    /// Takes a consumer, however often that has to be tried; has nothing more to say then.
    async fn hold_on(self: &Arc<Self>, holding: &mut Holding) -> Infallible {
        while let Err(error) = self.hold(holding).await {
            warn!(item = %self.stream.recipe.item, cause = %error, "no consumer of our own yet");
            sleep(HOLD_AGAIN).await;
        }
        std::future::pending().await
    }

    async fn hold(self: &Arc<Self>, holding: &mut Holding) -> Result<(), Error> {
        if let Holding::Nothing = holding {
            let work = Arc::clone(self);
            *holding = Holding::Asked(tokio::spawn(async move { work.take_consumer().await }));
        }
        holding.settle().await
    }

    async fn take_consumer(&self) -> Result<Hold, Error> {
        let recipe = &self.stream.recipe;
        self.with_login(|login| async move { self.jellyfin.hold(recipe, &login).await }).await
    }

    async fn start_job(&self) -> Result<(Job, Reading), Error> {
        let recipe = &self.stream.recipe;
        let starting = self
            .with_login(|login| async move { self.jellyfin.start(recipe, &self.play_session, &login).await });
        timeout(START, starting).await.unwrap_or(Err(Error::Unreadable("no playlist within a minute")))
    }

    /// Ends the job, then gives the consumer back: in this order, or the server would start the job's end itself and
    /// give back a consumer that was not the job's (`jellyfin.md` 4.4).
    pub(super) async fn retire(&self, mut opened: Opened) {
        let deadline = Instant::now() + FAREWELL;
        let recipe = &self.stream.recipe;
        if opened.job {
            self.until_done(deadline, "end the job", |login| async move {
                self.jellyfin.end_job(&recipe.prefix, &self.play_session, &login).await
            })
            .await;
        }
        let settled = timeout_at(deadline, opened.hold.settle()).await;
        let Holding::Held(hold) = &opened.hold else {
            debug!(item = %recipe.item, ?settled, "no consumer to give back");
            return;
        };
        self.until_done(deadline, "close the live stream", |login| async move {
            // An opening that was replaced took our consumer with it; closing its successor would rob somebody else.
            if self.jellyfin.is_another(recipe, hold, &login).await? {
                debug!(item = %recipe.item, "the live stream has been opened anew");
                return Ok(());
            }
            self.jellyfin.close(&recipe.prefix, &hold.live_stream, &login).await
        })
        .await;
        info!(item = %recipe.item, "released");
    }

    async fn until_done<F>(&self, deadline: Instant, what: &str, call: impl Fn(Login) -> F)
    where
        F: Future<Output = Result<(), Error>>,
    {
        loop {
            let Err(error) = self.with_login(&call).await else { return };
            let refused = error.status().is_some_and(|status| status.is_client_error());
            if refused || Instant::now() > deadline {
                warn!(item = %self.stream.recipe.item, cause = %error, "could not {what}");
                return;
            }
            sleep(CLOSE_AGAIN).await;
        }
    }

    /// Makes a call with the gateway's own credential, or with those of the viewers until one is accepted.
    async fn with_login<T, F>(&self, call: impl Fn(Login) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let logins = self.own.clone().map_or_else(|| self.stream.logins(), |own| vec![own]);
        let mut result = Err(Error::Status(StatusCode::UNAUTHORIZED));
        for login in logins {
            result = call(login).await;
            let denied = result.as_ref().err().and_then(Error::status);
            if !matches!(denied, Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)) {
                break;
            }
        }
        result
    }
}

fn failure_of(error: &Error) -> Failure {
    debug!(cause = %error, "a start failed");
    match error {
        Error::Unreachable(_) | Error::Broken(_) => Failure::Unreachable,
        Error::Status(_) => Failure::Refused,
        Error::TooLarge => Failure::Oversized,
        Error::Unreadable(_) => Failure::Unreadable,
    }
}
