//! Checks credentials with the server, and remembers its verdicts for a minute.
//!
//! A verdict holds for the very same credential in the very same presentation. One that is older than a minute still holds for the
//! request that finds it so, while the server is asked again: a viewer that plays never waits for the server. A user without access
//! to live TV is told apart, because the server itself does not check that at `live.m3u8` (docs/jellyfin.md 5). It does not know
//! what is being requested.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderValue, StatusCode};
use moka::sync::Cache;
use tokio::sync;
use tokio::time::{Instant, timeout};
use tracing::debug;

use crate::background::noted;
use crate::config::LiveTvRight;
use crate::proxy::credential::Credential;
use crate::proxy::headers::FORWARDED_FOR;
use crate::upstream::jellyfin::{Error, Jellyfin, Me};

/// How long a verdict holds.
const REMEMBERED: Duration = Duration::from_secs(60);
/// How much longer the verdict on an asker that was let in holds for the request which has the server asked again. No player that
/// plays is silent for so long.
const HELD_OVER: Duration = Duration::from_secs(60);
/// The time after which a server that did not answer is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// The same for a server that is away: to ask it takes no time, and viewers wait for it.
const ASK_SOON: Duration = Duration::from_millis(200);
/// The deadline of the server's answer. It is short, because a viewer who is known is waiting for a playlist.
const PATIENCE: Duration = Duration::from_secs(2);
/// The number of askers that are remembered.
const ASKERS: u64 = 10_000;
/// How long an asker is remembered after its last request.
const IDLE: Duration = Duration::from_secs(600);
/// Bytes of the longest credential that is remembered; no server issues longer ones.
const LONGEST: usize = 4096;

/// What the server says about a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is valid, and its user may watch live TV.
    Allowed(Arc<Me>),
    /// It is valid, but its user may not watch live TV.
    NoLiveTv,
    /// The server does not accept it.
    Denied,
    /// The server could not be asked.
    Unknown,
}

/// The sender of a request. The server judges it by its address as well (remote access).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Asker {
    /// The credential that it presents.
    pub credential: Credential,
    /// The addresses it comes from, as the server is told in `X-Forwarded-For`; the first is the client's.
    pub from: Option<HeaderValue>,
}

/// What is remembered of an asker.
#[derive(Debug, Default)]
struct Memory {
    /// The last verdict, and when the server is to be asked again; `None` before it was first asked.
    last: Mutex<Option<(Verdict, Instant)>>,
    /// Locked while the server is being asked.
    asking: Arc<sync::Mutex<()>>,
}

impl Memory {
    fn last(&self) -> MutexGuard<'_, Option<(Verdict, Instant)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The verdict, if it holds for another `held_over` at least.
    fn holding(&self, held_over: Duration) -> Option<Verdict> {
        let now = Instant::now();
        self.last().as_ref().filter(|(_, until)| now < *until + held_over).map(|(verdict, _)| verdict.clone())
    }
}

/// The verdicts on all credentials that were seen lately. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Auth {
    jellyfin: Jellyfin,
    right: LiveTvRight,
    known: Cache<Asker, Arc<Memory>>,
    /// The users of the credentials that were let in last time, from whichever address.
    let_in: Cache<Credential, Arc<Me>>,
}

impl Auth {
    /// Starts without any verdict.
    #[must_use]
    pub(super) fn new(jellyfin: Jellyfin, right: LiveTvRight) -> Self {
        let known = Cache::builder().max_capacity(ASKERS).time_to_idle(IDLE).build();
        let let_in = Cache::builder().max_capacity(ASKERS).time_to_idle(IDLE).build();
        Self { jellyfin, right, known, let_in }
    }

    /// Returns the verdict on `asker`. However many requests need it, the server is asked once.
    pub(super) async fn check(&self, prefix: &str, asker: &Asker) -> Verdict {
        if asker.credential.size() > LONGEST {
            return Verdict::Unknown;
        }
        let memory = self.known.get_with_by_ref(asker, Arc::default);
        if let Some(verdict) = memory.holding(Duration::ZERO) {
            return verdict;
        }
        if let Some(verdict @ Verdict::Allowed(_)) = memory.holding(HELD_OVER) {
            if let Ok(asking) = Arc::clone(&memory.asking).try_lock_owned() {
                let (auth, prefix, asker) = (self.clone(), prefix.to_owned(), asker.clone());
                tokio::spawn(noted("a question about a credential", async move {
                    let _asking = asking;
                    auth.ask(&prefix, &asker, &memory).await;
                }));
            }
            return verdict;
        }
        let _asking = memory.asking.lock().await;
        match memory.holding(Duration::ZERO) {
            Some(verdict) => verdict,
            None => self.ask(prefix, asker, &memory).await,
        }
    }

    /// The user of a credential that the server let in last time, if it came from another address then.
    pub(super) fn last_let_in(&self, credential: &Credential) -> Option<Arc<Me>> {
        self.let_in.get(credential)
    }

    /// Asks the server, and remembers what it says.
    async fn ask(&self, prefix: &str, asker: &Asker, memory: &Memory) -> Verdict {
        let mut login = asker.credential.login();
        login.headers.extend(asker.from.clone().map(|from| (FORWARDED_FOR, from)));
        let answer = timeout(PATIENCE, self.jellyfin.me(prefix, &login)).await;
        let is_away = matches!(&answer, Ok(Err(error)) if error.is_absence());
        let answer = answer.map_or(Verdict::Unknown, |answer| self.judge(answer));
        match &answer {
            Verdict::Allowed(me) => self.let_in.insert(asker.credential.clone(), Arc::clone(me)),
            Verdict::NoLiveTv | Verdict::Denied => self.let_in.invalidate(&asker.credential),
            Verdict::Unknown => {}
        }
        let mut last = memory.last();
        let (verdict, lasts) = match answer {
            // While the server does not answer, such as during a restart, its last verdict holds.
            Verdict::Unknown => {
                let verdict = last.take().map_or(Verdict::Unknown, |(verdict, _)| verdict);
                (verdict, if is_away { ASK_SOON } else { ASK_AGAIN })
            }
            verdict => (verdict, REMEMBERED),
        };
        *last = Some((verdict.clone(), Instant::now() + lasts));
        verdict
    }

    /// Forgets every verdict on `token`.
    pub(super) fn forget(&self, token: &str) {
        let askers = self.known.iter().map(|(asker, _)| asker);
        for asker in askers.filter(|asker| asker.credential.token() == token).collect::<Vec<_>>() {
            self.known.invalidate(asker.as_ref());
            self.let_in.invalidate(&asker.credential);
        }
    }

    fn judge(&self, answer: Result<Me, Error>) -> Verdict {
        match answer {
            Ok(me) if !me.live_tv && self.right == LiveTvRight::Enforce => Verdict::NoLiveTv,
            Ok(me) => Verdict::Allowed(Arc::new(me)),
            Err(Error::Status(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)) => Verdict::Denied,
            Err(error) => {
                debug!(cause = %error, "cannot ask the server about a credential");
                Verdict::Unknown
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use http::HeaderMap;
    use tokio::task::yield_now;
    use tokio::time::advance;

    use super::*;
    use crate::proxy::query::Query;
    use crate::upstream::fake::Fake;

    fn asker() -> Asker {
        let credential = Credential::of(&HeaderMap::new(), &Query::parse("ApiKey=t")).unwrap();
        Asker { credential, from: None }
    }

    /// A player that plays never waits for the server; one that comes back after minutes does.
    #[tokio::test(start_paused = true)]
    async fn a_player_does_not_wait_while_the_server_is_asked_again() {
        let revoked = Arc::new(AtomicBool::new(false));
        let is_revoked = Arc::clone(&revoked);
        let fake = Fake::start(move |_| {
            let status = if is_revoked.load(Ordering::Relaxed) { 401 } else { 200 };
            async move { Some((status, "{}".to_owned())) }
        })
        .await;
        let auth = Auth::new(fake.jellyfin.clone(), LiveTvRight::Enforce);
        let is_allowed = async || matches!(auth.check("", &asker()).await, Verdict::Allowed(_));
        assert!(is_allowed().await);
        advance(REMEMBERED).await;
        for _ in 0..3 {
            assert!(is_allowed().await);
        }
        while auth.known.get(&asker()).is_some_and(|memory| memory.holding(Duration::ZERO).is_none()) {
            yield_now().await;
        }
        assert_eq!(fake.asked("/Users/Me").len(), 2, "once for all");

        advance(REMEMBERED).await;
        revoked.store(true, Ordering::Relaxed);
        assert!(is_allowed().await, "the server is asked behind this answer");
        while is_allowed().await {
            yield_now().await;
        }
        assert_eq!(fake.asked("/Users/Me").len(), 3);

        revoked.store(false, Ordering::Relaxed);
        advance(REMEMBERED).await;
        assert!(is_allowed().await, "one that was refused is asked about before the answer");
        advance(REMEMBERED + HELD_OVER).await;
        revoked.store(true, Ordering::Relaxed);
        assert!(!is_allowed().await, "so is one that was silent for long");
    }
}
