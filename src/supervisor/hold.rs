//! The gateway's own consumer of a live stream: one task takes it and gives it back, so that whatever becomes of the
//! stream meanwhile, what was opened is closed once, also when the answer to the opening comes after the end.
//!
//! It does not know what the live stream is held for.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::domain::reason::Failure;
use crate::supervisor::adopt::failure_of;
use crate::supervisor::caller::Caller;
use crate::upstream::jellyfin::{Error, Hold};

/// Between two attempts to take it.
const AGAIN: Duration = Duration::from_secs(5);
/// How long a server that cannot be reached is waited for to give it back.
const FAREWELL: Duration = Duration::from_secs(120);

/// A consumer that is being taken, or is held.
#[derive(Debug)]
pub(super) struct Holding {
    task: JoinHandle<()>,
    release: CancellationToken,
    first: watch::Receiver<Option<Result<(), Failure>>>,
}

impl Holding {
    /// Takes a consumer, again and again until it is granted, which `held` is told.
    pub(super) fn take(
        caller: Caller,
        held: impl FnOnce(&Hold) + Send + 'static,
        tasks: &TaskTracker,
    ) -> Self {
        let release = CancellationToken::new();
        let (told, first) = watch::channel(None);
        let task = tasks.spawn(take_and_give_back(caller, release.clone(), told, held));
        Self { task, release, first }
    }

    /// How the first attempt went.
    pub(super) async fn first_attempt(&mut self) -> Result<(), Failure> {
        match self.first.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(attempt)) => *attempt,
            Ok(None) | Err(_) => Err(Failure::Unreachable),
        }
    }

    /// Gives it back, or lets it be given back as soon as it is granted.
    pub(super) async fn release(self) {
        self.release.cancel();
        // A panic in there has been reported already, and there is nothing left to give back.
        let _ = self.task.await;
    }
}

async fn take_and_give_back(
    caller: Caller,
    release: CancellationToken,
    told: watch::Sender<Option<Result<(), Failure>>>,
    held: impl FnOnce(&Hold) + Send + 'static,
) {
    let hold = loop {
        match take(&caller).await {
            Ok(hold) => break hold,
            Err(error) => {
                warn!(item = %caller.stream.recipe.place.item, cause = %error, "no consumer of our own yet");
                told.send_replace(Some(Err(failure_of(&error))));
            }
        }
        tokio::select! {
            () = release.cancelled() => return,
            () = sleep(AGAIN) => {}
        }
    };
    held(&hold);
    told.send_replace(Some(Ok(())));
    release.cancelled().await;
    give_back(&caller, &hold).await;
}

/// Takes a consumer of the very live stream that viewers were given; of any other it would protect nothing.
async fn take(caller: &Caller) -> Result<Hold, Error> {
    let recipe = &caller.stream.recipe;
    let hold = caller
        .call(|login| async move { caller.jellyfin.hold(&recipe.place, &recipe.source, &login).await })
        .await?;
    if hold.live_stream == recipe.live_stream {
        return Ok(hold);
    }
    give_back(caller, &hold).await;
    Err(Error::Unreadable("another live stream was opened"))
}

async fn give_back(caller: &Caller, hold: &Hold) {
    let recipe = &caller.stream.recipe;
    let deadline = Instant::now() + FAREWELL;
    let close = |login| async move {
        // An opening that was replaced took our consumer with it; closing its successor would rob somebody else.
        if caller.jellyfin.is_another(&recipe.place, hold, &login).await? {
            debug!(item = %recipe.place.item, "the live stream has been opened anew");
            return Ok(());
        }
        caller.jellyfin.close(&recipe.place.prefix, &hold.live_stream, &login).await
    };
    caller.call_until_done(deadline, "close the live stream", close).await;
}
