//! The gateway's own consumer of a live stream: one task takes it and gives it back, so that whatever becomes of the
//! stream meanwhile, what was opened is closed once, also when the answer to the opening comes after the end.
//!
//! It does not know what the live stream is held for.

use std::time::Duration;

use http::StatusCode;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::supervisor::held::caller::{Caller, failure_of};
use crate::upstream::jellyfin::{Error, Hold};
use domain::reason::Failure;

/// Between two attempts to take it.
const AGAIN: Duration = Duration::from_secs(5);
/// How long anybody waits for the first attempt; the attempt itself is waited for, or nobody would close what it opens.
const FIRST: Duration = Duration::from_secs(30);
/// How long a server that cannot be reached is waited for to give it back.
const FAREWELL: Duration = Duration::from_secs(120);

/// What becomes of a consumer in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervisor) enum Parting {
    /// It is given back.
    GiveBack,
    /// It is given back if its opening has a name: the server may have been restarted, and what has no name would be
    /// taken from whoever came after.
    GiveBackNamed,
    /// It is left open, for somebody else to close.
    Leave,
}

/// A consumer that is being taken, or is held. Dropped, it is given back.
#[derive(Debug)]
pub(in crate::supervisor) struct Holding {
    task: JoinHandle<bool>,
    parting: watch::Sender<Option<Parting>>,
}

/// How the first attempt to take it goes.
#[derive(Debug)]
pub(in crate::supervisor) struct FirstAttempt(watch::Receiver<Option<Result<(), Failure>>>);

impl FirstAttempt {
    /// Waits for it.
    pub(in crate::supervisor) async fn outcome(&mut self) -> Result<(), Failure> {
        match timeout(FIRST, self.0.wait_for(Option::is_some)).await {
            Ok(Ok(attempt)) => attempt.unwrap_or(Err(Failure::Unreachable)),
            Ok(Err(_)) | Err(_) => Err(Failure::Unreachable),
        }
    }
}

impl Holding {
    /// Takes a consumer as soon as `begin` is over, again and again until it is granted; `held` is told what is held. If
    /// the server has no tuner left, `freed` is awaited, and if it says that there is one, the attempt is repeated at once.
    pub(in crate::supervisor) fn take(
        caller: Caller,
        begin: impl Future<Output = ()> + Send + 'static,
        held: impl Fn(Option<&Hold>) + Send + Sync + 'static,
        freed: impl Future<Output = bool> + Send + 'static,
        tasks: &TaskTracker,
    ) -> (Self, FirstAttempt) {
        let (parting, parted) = watch::channel(None);
        let (told, first) = watch::channel(None);
        let task = tasks.spawn(async move {
            begin.await;
            if caller.access.is_exclusive() {
                told.send_replace(Some(Err(Failure::Unreadable)));
                return true;
            }
            take_and_give_back(&caller, parted, &told, held, freed).await
        });
        (Self { task, parting }, FirstAttempt(first))
    }

    /// Parts with it, or lets that happen as soon as it is granted. Says whether nothing is left open.
    pub(in crate::supervisor) async fn part(self, parting: Parting) -> bool {
        self.parting.send_replace(Some(parting));
        // A panic in there has been reported already; what it held may be open.
        self.task.await.unwrap_or(false)
    }
}

async fn take_and_give_back(
    caller: &Caller,
    mut parting: watch::Receiver<Option<Parting>>,
    told: &watch::Sender<Option<Result<(), Failure>>>,
    held: impl Fn(Option<&Hold>),
    freed: impl Future<Output = bool>,
) -> bool {
    let mut freed = Some(Box::pin(freed));
    let hold = loop {
        let error = match take(caller).await {
            Ok(hold) => break hold,
            Err(error) => error,
        };
        warn!(item = %caller.access.place.item, cause = %error, "no consumer of our own yet");
        if error.status() == Some(StatusCode::INTERNAL_SERVER_ERROR)
            && let Some(freed) = freed.take()
        {
            tokio::select! {
                _ = parted(&mut parting) => return true,
                freed = freed => if freed { continue },
            }
        }
        told.send_replace(Some(Err(failure_of(&error))));
        tokio::select! {
            _ = parted(&mut parting) => return true,
            () = sleep(AGAIN) => {}
        }
    };
    held(Some(&hold));
    if hold.live_stream != caller.access.live_stream {
        // It would protect nothing, and the next one would be yet another.
        caller.access.set_exclusive();
        told.send_replace(Some(Err(Failure::Unreadable)));
        let closed = give_back(caller, &hold).await;
        if closed {
            held(None);
        }
        return closed;
    }
    told.send_replace(Some(Ok(())));
    match parted(&mut parting).await {
        Parting::Leave => false,
        Parting::GiveBackNamed if hold.opening.is_none() => true,
        Parting::GiveBackNamed | Parting::GiveBack => give_back(caller, &hold).await,
    }
}

/// Waits for the end; a generation that perished counts as one.
async fn parted(parting: &mut watch::Receiver<Option<Parting>>) -> Parting {
    match parting.wait_for(Option::is_some).await {
        Ok(parting) => parting.unwrap_or(Parting::GiveBack),
        Err(_) => Parting::GiveBack,
    }
}

async fn take(caller: &Caller) -> Result<Hold, Error> {
    let source = &caller.access.source;
    caller.call(|login, place| async move { caller.jellyfin.hold(&place, source, &login).await }).await
}

async fn give_back(caller: &Caller, hold: &Hold) -> bool {
    let deadline = Instant::now() + FAREWELL;
    let close = |login, place| async move {
        // An opening that was replaced took our consumer with it; closing its successor would rob somebody else.
        if caller.jellyfin.is_another(&place, hold, &login).await? {
            debug!(item = %place.item, "the live stream has been opened anew");
            return Ok(());
        }
        caller.jellyfin.close(&place.prefix, &hold.live_stream, &login).await
    };
    caller.call_until_done(deadline, "close the live stream", close).await
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

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

    /// A server that grants openings as `open` says, given how many there were.
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
        Holding::take(caller.clone(), ready(()), |_| (), ready(freed), &TaskTracker::new())
    }

    /// Opens and closes that the server was asked for.
    fn asked(fake: &Fake) -> (usize, usize) {
        (fake.asked("/Open").len(), fake.asked("/Close").len())
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_shared_with_nobody_is_opened_once() {
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
    async fn how_it_is_parted_with() {
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
    async fn who_perishes_gives_back() {
        let fake = granting(|_| (0, 200, SHARED)).await;
        let (holding, mut first) = take(&caller(&fake), true);
        assert_eq!(first.outcome().await, Ok(()));
        drop(holding);
        sleep(LONG).await;
        assert_eq!(asked(&fake), (1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_tuner_that_was_freed_is_tried_once() {
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

    /// What has been asked for is opened, however late: so it is waited for, but not by everybody.
    #[tokio::test(start_paused = true)]
    async fn a_late_opening_is_given_back() {
        let fake = granting(|_| (50, 200, SHARED)).await;
        let begun = Instant::now();
        let (holding, mut first) = take(&caller(&fake), true);
        assert_eq!(first.outcome().await, Err(Failure::Unreachable));
        assert!(begun.elapsed() < Duration::from_secs(40));
        assert!(holding.part(Parting::GiveBack).await);
        assert_eq!(asked(&fake), (1, 1));
    }
}
