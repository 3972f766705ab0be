//! Checks credentials with the server, and remembers its verdicts for a minute.
//!
//! A verdict holds for the very same credential in the very same presentation. A user without access to live TV is told apart, because the
//! server itself does not check that at `live.m3u8` (docs/jellyfin.md 5). It does not know what is being requested.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, StatusCode};
use moka::sync::Cache;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tracing::debug;

use crate::config::LiveTvRight;
use crate::proxy::credential::Credential;
use crate::proxy::headers::FORWARDED_FOR;
use crate::upstream::jellyfin::{Error, Jellyfin, Me};

/// How long a verdict holds.
const REMEMBERED: Duration = Duration::from_secs(60);
/// The time after which a server that did not answer is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(5);
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
    /// The addresses it comes from, as the server is told in `X-Forwarded-For`.
    pub from: Option<HeaderValue>,
}

/// A verdict and when it expires; `None` before the server was first asked. Locked while the server is being asked.
type Memory = Arc<Mutex<Option<(Verdict, Instant)>>>;

/// The verdicts on all credentials that were seen lately.
#[derive(Debug)]
pub(super) struct Auth {
    jellyfin: Jellyfin,
    right: LiveTvRight,
    known: Cache<Asker, Memory>,
}

impl Auth {
    /// Starts without any verdict.
    #[must_use]
    pub(super) fn new(jellyfin: Jellyfin, right: LiveTvRight) -> Self {
        let known = Cache::builder().max_capacity(ASKERS).time_to_idle(IDLE).build();
        Self { jellyfin, right, known }
    }

    /// Returns the verdict on `asker`. However many requests need it, the server is asked once.
    pub(super) async fn check(&self, prefix: &str, asker: &Asker) -> Verdict {
        if asker.credential.size() > LONGEST {
            return Verdict::Unknown;
        }
        let memory = self.known.get_with_by_ref(asker, Memory::default);
        let mut memory = memory.lock().await;
        if let Some((verdict, until)) = &*memory
            && Instant::now() < *until
        {
            return verdict.clone();
        }
        let mut login = asker.credential.login();
        login.headers.extend(asker.from.clone().map(|from| (FORWARDED_FOR, from)));
        let answer = timeout(PATIENCE, self.jellyfin.me(prefix, &login)).await;
        let (verdict, lasts) = match answer.map_or(Verdict::Unknown, |answer| self.judge(answer)) {
            // While the server does not answer, such as during a restart, its last verdict holds.
            Verdict::Unknown => (memory.take().map_or(Verdict::Unknown, |(verdict, _)| verdict), ASK_AGAIN),
            verdict => (verdict, REMEMBERED),
        };
        *memory = Some((verdict.clone(), Instant::now() + lasts));
        verdict
    }

    /// Forgets every verdict on `token`.
    pub(super) fn forget(&self, token: &str) {
        let askers = self.known.iter().map(|(asker, _)| asker);
        for asker in askers.filter(|asker| asker.credential.token() == token).collect::<Vec<_>>() {
            self.known.invalidate(asker.as_ref());
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
