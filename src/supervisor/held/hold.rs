//! Opens the gateway's own consumer of a live stream, and closes it.
//!
//! One task does both, so that an opening is closed exactly once, even if the server answers it after the stream has ended. The
//! module does not know what the live stream is held for.

use std::time::Duration;

use http::StatusCode;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::supervisor::held::caller::{Caller, failure_of};
use crate::upstream::jellyfin::{Error, Hold};
use domain::pool::OwnOpening;
use domain::reason::Failure;

/// The delay between two attempts to open the consumer.
const RETRY_DELAY: Duration = Duration::from_secs(5);
/// How long callers wait for the first attempt. The task itself waits for the answer without a limit, since it has to close the
/// opening.
const FIRST_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long closing the consumer is retried while the server cannot be reached.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(120);

/// How a consumer is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervisor) enum Parting {
    /// The consumer is closed.
    GiveBack,
    /// The consumer is closed if its opening has a unique name. The server may have been restarted, and closing an opening
    /// without a name would close another client's.
    GiveBackNamed,
    /// The consumer is left open; the leftovers close it later.
    Leave,
}

/// A consumer that is being opened, or is held. When dropped, it is closed.
#[derive(Debug)]
pub(in crate::supervisor) struct Holding {
    task: JoinHandle<bool>,
    parting: watch::Sender<Option<Parting>>,
}

/// The first attempt to open the consumer.
#[derive(Debug)]
pub(in crate::supervisor) struct FirstAttempt(watch::Receiver<Option<Result<(), Failure>>>);

impl FirstAttempt {
    /// Waits for the attempt.
    ///
    /// # Errors
    /// The attempt has failed, or took longer than [`FIRST_ATTEMPT_TIMEOUT`].
    pub(in crate::supervisor) async fn outcome(&mut self) -> Result<(), Failure> {
        match timeout(FIRST_ATTEMPT_TIMEOUT, self.0.wait_for(Option::is_some)).await {
            Ok(Ok(outcome)) => outcome.unwrap_or(Err(Failure::Unreachable)),
            Ok(Err(_)) | Err(_) => Err(Failure::Unreachable),
        }
    }
}

impl Holding {
    /// Opens a consumer once `begin` is ready, and retries until the server grants one. `on_change` is called with the consumer
    /// once it is held, `tell` each time the server is asked, and when it grants or refuses. If the server has no tuner left, awaits
    /// `tuner_requested`, and retries at once if that is true.
    pub(in crate::supervisor) fn take(
        caller: Caller,
        begin: impl Future<Output = ()> + Send + 'static,
        on_change: impl Fn(Option<&Hold>) + Send + Sync + 'static,
        tell: impl Fn(OwnOpening) + Send + Sync + 'static,
        tuner_requested: impl Future<Output = bool> + Send + 'static,
        tasks: &TaskTracker,
    ) -> (Self, FirstAttempt) {
        let (parting, parted) = watch::channel(None);
        let (attempt, first) = watch::channel(None);
        let task = tasks.spawn(async move {
            begin.await;
            if caller.access.is_exclusive() {
                attempt.send_replace(Some(Err(Failure::Unreadable)));
                return true;
            }
            take_and_give_back(&caller, parted, &attempt, (on_change, tell), tuner_requested).await
        });
        (Self { task, parting }, FirstAttempt(first))
    }

    /// Ends the consumer as `parting` says, at once or as soon as it is granted. Returns whether nothing is left open.
    pub(in crate::supervisor) async fn part(self, parting: Parting) -> bool {
        self.parting.send_replace(Some(parting));
        // A panic of the task has been logged. Its consumer may still be open.
        self.task.await.unwrap_or(false)
    }
}

async fn take_and_give_back(
    caller: &Caller,
    mut parting: watch::Receiver<Option<Parting>>,
    attempt: &watch::Sender<Option<Result<(), Failure>>>,
    (on_change, tell): (impl Fn(Option<&Hold>), impl Fn(OwnOpening)),
    tuner_requested: impl Future<Output = bool>,
) -> bool {
    let mut tuner_requested = Some(Box::pin(tuner_requested));
    let hold = loop {
        tell(OwnOpening::Asked);
        let error = match take(caller).await {
            Ok(hold) => break hold,
            Err(error) => error,
        };
        // After a 502 to 504 of a proxy the server may still open the channel.
        if error.status().is_some() && !error.is_absence() {
            // At once, so that a tuner is not believed taken that is free.
            tell(OwnOpening::Refused);
        }
        warn!(item = %caller.access.place.item, cause = %error, "could not open a consumer of our own; the gateway tries again");
        if error.status() == Some(StatusCode::INTERNAL_SERVER_ERROR)
            && let Some(tuner_requested) = tuner_requested.take()
        {
            tokio::select! {
                _ = parted(&mut parting) => return true,
                freed = tuner_requested => if freed { continue },
            }
        }
        attempt.send_replace(Some(Err(failure_of(&error))));
        tokio::select! {
            _ = parted(&mut parting) => return true,
            () = sleep(RETRY_DELAY) => {}
        }
    };
    tell(OwnOpening::Granted);
    on_change(Some(&hold));
    if hold.live_stream != caller.access.live_stream {
        // The server gives each consumer a live stream of its own, so holding this one would not keep the client's open.
        caller.access.set_exclusive();
        attempt.send_replace(Some(Err(Failure::Unreadable)));
        let closed = give_back(caller, &hold).await;
        if closed {
            on_change(None);
        }
        return closed;
    }
    attempt.send_replace(Some(Ok(())));
    match parted(&mut parting).await {
        Parting::Leave => false,
        Parting::GiveBackNamed if hold.opening.is_none() => true,
        Parting::GiveBackNamed | Parting::GiveBack => give_back(caller, &hold).await,
    }
}

/// Waits until the consumer is to end. A dropped `Holding` means that it is closed.
async fn parted(parting: &mut watch::Receiver<Option<Parting>>) -> Parting {
    match parting.wait_for(Option::is_some).await {
        Ok(parting) => parting.unwrap_or(Parting::GiveBack),
        Err(_) => Parting::GiveBack,
    }
}

async fn take(caller: &Caller) -> Result<Hold, Error> {
    caller.ledger.written().await;
    let source = &caller.access.source;
    caller.call(|login, place| async move { caller.jellyfin.hold(&place, source, &login).await }).await
}

async fn give_back(caller: &Caller, hold: &Hold) -> bool {
    let deadline = Instant::now() + CLOSE_TIMEOUT;
    let close = |login, place| async move {
        // If the live stream was closed and opened anew, our consumer is gone; closing would remove another client's.
        if caller.jellyfin.is_another(&place, hold, &login).await? {
            debug!(item = %place.item, "the live stream has been opened anew: there is no consumer to close");
            return Ok(());
        }
        caller.jellyfin.close(&place.prefix, &hold.live_stream, &login).await
    };
    caller.call_until_done(deadline, "close the live stream", close).await
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::supervisor::held::access::Access;
    use crate::supervisor::held::caller::Callers;
    use crate::supervisor::held::leftovers::Leftovers;
    use crate::upstream::fake::{Fake, Reply};
    use crate::upstream::jellyfin::{Login, Place};
    use crate::upstream::ledger::Ledger;
    use domain::key::{ItemId, LiveStreamId, MediaSourceId};

    const LONG: Duration = Duration::from_secs(60);
    const SHARED: &str =
        r#"{"MediaSource":{"LiveStreamId":"live","Path":"http://x/LiveTv/LiveStreamFiles/a/stream.ts"}}"#;
    const UNNAMED: &str = r#"{"MediaSource":{"LiveStreamId":"live","Path":"http://provider/1.ts"}}"#;
    const ANOTHER: &str = r#"{"MediaSource":{"LiveStreamId":"other"}}"#;

    /// A server that answers openings as `open` says, given how many there were before.
    async fn granting(open: impl Fn(usize) -> (u64, u16, &'static str) + Clone + Send + 'static) -> Fake {
        let opens = Arc::new(AtomicUsize::new(0));
        Fake::start(move |line| {
            let (wait, status, body) = match line {
                open_line if open_line.contains("/Open") => open(opens.fetch_add(1, Ordering::Relaxed)),
                info if info.contains("/PlaybackInfo") => {
                    (0, 200, r#"{"MediaSources":[{"Id":"source","OpenToken":"token"}]}"#)
                }
                _ => (0, 204, ""),
            };
            async move {
                sleep(Duration::from_secs(wait)).await;
                Reply::Some((status, body.to_owned()))
            }
        })
        .await
    }

    fn caller(fake: &Fake) -> Caller {
        let item = ItemId::parse(&"a".repeat(32)).unwrap();
        let place = Place { prefix: String::new(), item, user: None };
        let (source, live_stream) = (MediaSourceId::new("source"), LiveStreamId::new("live"));
        let ledger = Arc::new(Ledger::open(None).0);
        let callers = Callers {
            jellyfin: fake.jellyfin.clone(),
            gateway_login: Some(Login::default()),
            leftovers: Arc::new(Leftovers::new(Arc::clone(&ledger), Default::default())),
            ledger,
        };
        callers.about(&Arc::new(Access::new(place, source, live_stream)))
    }

    fn take(caller: &Caller, freed: bool) -> (Holding, FirstAttempt) {
        Holding::take(caller.clone(), ready(()), |_| (), |_| (), ready(freed), &TaskTracker::new())
    }

    /// The numbers of opens and closes that the server was asked for.
    fn asked(fake: &Fake) -> (usize, usize) {
        (fake.asked("/Open").len(), fake.asked("/Close").len())
    }

    #[tokio::test(start_paused = true)]
    async fn a_live_stream_that_is_not_shared_is_opened_once() {
        let fake = granting(|_| (0, 200, ANOTHER)).await;
        let caller = caller(&fake);
        let (holding, mut first) = take(&caller, true);
        assert_eq!(first.outcome().await, Err(Failure::Unreadable));
        sleep(LONG).await;
        assert_eq!(asked(&fake), (1, 1));
        assert!(holding.part(Parting::GiveBack).await);
        let (next, mut first) = take(&caller, true);
        assert_eq!(first.outcome().await, Err(Failure::Unreadable));
        assert!(next.part(Parting::GiveBack).await);
        assert_eq!(asked(&fake), (1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn each_parting_closes_as_documented() {
        for (opened, parting, closes, done) in [
            (SHARED, Parting::GiveBack, 1, true),
            (SHARED, Parting::GiveBackNamed, 1, true),
            (SHARED, Parting::Leave, 0, false),
            (UNNAMED, Parting::GiveBack, 1, true),
            (UNNAMED, Parting::GiveBackNamed, 0, true),
        ] {
            let fake = granting(move |_| (0, 200, opened)).await;
            let (holding, mut first) = take(&caller(&fake), true);
            assert_eq!(first.outcome().await, Ok(()));
            assert_eq!(holding.part(parting).await, done, "{opened} {parting:?}");
            assert_eq!(asked(&fake), (1, closes), "{opened} {parting:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_holding_is_closed() {
        let fake = granting(|_| (0, 200, SHARED)).await;
        let (holding, mut first) = take(&caller(&fake), true);
        assert_eq!(first.outcome().await, Ok(()));
        drop(holding);
        sleep(LONG).await;
        assert_eq!(asked(&fake), (1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_freed_tuner_is_tried_once() {
        for (freed, fine, outcome, opens) in
            [(true, 1, Ok(()), 2), (true, 2, Err(Failure::Refused), 2), (false, 1, Err(Failure::Refused), 1)]
        {
            let fake = granting(move |nth| if nth < fine { (0, 500, "") } else { (0, 200, SHARED) }).await;
            let (holding, mut first) = take(&caller(&fake), freed);
            assert_eq!(first.outcome().await, outcome, "{freed} {fine}");
            assert_eq!(asked(&fake).0, opens, "{freed} {fine}");
            assert!(holding.part(Parting::GiveBack).await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_attempt_and_what_became_of_it_is_told_at_once() {
        // What a proxy answers for a server that does not, tells nothing of what the server has opened.
        let fake = granting(|nth| match nth {
            0 | 1 => (1, 500, ""),
            2 => (1, 504, ""),
            _ => (1, 200, SHARED),
        })
        .await;
        let (caller, told) = (caller(&fake), Arc::new(Mutex::new(Vec::new())));
        let (begun, tell) = (Instant::now(), Arc::clone(&told));
        let tell = move |state| tell.lock().unwrap().push((begun.elapsed().as_secs(), state));
        let freed = async {
            sleep(Duration::from_secs(10)).await;
            true
        };
        let (holding, _) = Holding::take(caller, ready(()), |_| (), tell, freed, &TaskTracker::new());
        sleep(LONG).await;
        let expected = [
            (0, OwnOpening::Asked),
            (1, OwnOpening::Refused),
            (11, OwnOpening::Asked),
            (12, OwnOpening::Refused),
            (17, OwnOpening::Asked),
            (23, OwnOpening::Asked),
            (24, OwnOpening::Granted),
        ];
        assert_eq!(*told.lock().unwrap(), expected);
        assert!(holding.part(Parting::GiveBack).await);
    }

    /// The server completes an opening however late, so the task waits for it, while callers give up.
    #[tokio::test(start_paused = true)]
    async fn a_late_opening_is_closed() {
        let fake = granting(|_| (50, 200, SHARED)).await;
        let begun = Instant::now();
        let (holding, mut first) = take(&caller(&fake), true);
        assert_eq!(first.outcome().await, Err(Failure::Unreachable));
        assert!(begun.elapsed() < Duration::from_secs(40));
        assert!(holding.part(Parting::GiveBack).await);
        assert_eq!(asked(&fake), (1, 1));
    }
}
