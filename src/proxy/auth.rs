//! Who may be served without asking the server each time.
//!
//! A hit is authorised by what the server said of the very same credential, in the very same presentation, less than a
//! minute ago. Live TV is refused to a user without the right to it, which the server itself forgets to check at
//! `live.m3u8` (`jellyfin-observed.md` 5). It does not know what is being asked for.

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

/// How long the server's word holds.
const REMEMBERED: Duration = Duration::from_secs(60);
/// How soon a server that did not answer is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// How long an answer is waited for: a viewer who is known has a playlist to get.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many askers are remembered, and for how long after they last asked.
const ASKERS: u64 = 10_000;
const IDLE: Duration = Duration::from_secs(600);
/// A credential that is longer than any server's is not remembered.
const LONGEST: usize = 4096;

/// What is known of a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is valid, and may watch live TV.
    Allowed(Arc<Me>),
    /// It is valid, but its user may not watch live TV.
    NoLiveTv,
    /// The server does not accept it.
    Denied,
    /// The server could not be asked.
    Unknown,
}

/// Who asks: a credential, and the addresses it comes from, by which the server judges as well (remote access).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Asker {
    /// What it shows.
    pub credential: Credential,
    /// `X-Forwarded-For`, as it is passed on with the request.
    pub from: Option<HeaderValue>,
}

type Memory = Arc<Mutex<Option<(Verdict, Instant)>>>;

/// See the module.
#[derive(Debug)]
pub struct Auth {
    jellyfin: Jellyfin,
    right: LiveTvRight,
    known: Cache<Asker, Memory>,
}

impl Auth {
    /// Remembers nothing yet.
    #[must_use]
    pub fn new(jellyfin: Jellyfin, right: LiveTvRight) -> Self {
        let known = Cache::builder().max_capacity(ASKERS).time_to_idle(IDLE).build();
        Self { jellyfin, right, known }
    }

    /// What the server says of `asker`; asked once however many want to know.
    pub async fn check(&self, prefix: &str, asker: &Asker) -> Verdict {
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
            // A viewer who was let in is not thrown out because the server is being restarted.
            Verdict::Unknown => (memory.take().map_or(Verdict::Unknown, |(verdict, _)| verdict), ASK_AGAIN),
            verdict => (verdict, REMEMBERED),
        };
        *memory = Some((verdict.clone(), Instant::now() + lasts));
        verdict
    }

    /// Forgets all that was said of `token`.
    pub fn forget(&self, token: &str) {
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
                debug!(cause = %error, "the server could not be asked who a viewer is");
                Verdict::Unknown
            }
        }
    }
}
