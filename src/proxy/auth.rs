//! Who may be served without asking the server each time.
//!
//! A hit is authorised by what the server said of the very same credential, in the very same presentation, less than a
//! minute ago. Live TV is refused to a user without the right to it, which the server itself forgets to check at
//! `live.m3u8` (`jellyfin-observed.md` 5). It does not know what is being asked for.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use moka::sync::Cache;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::debug;

use crate::config::LiveTvRight;
use crate::proxy::credential::Credential;
use crate::upstream::jellyfin::{Error, Jellyfin, Me};

/// How long the server's word holds.
const REMEMBERED: Duration = Duration::from_secs(60);
/// How soon a server that did not answer is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// How many credentials are remembered.
const CREDENTIALS: u64 = 10_000;

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

type Memory = Arc<Mutex<Option<(Verdict, Instant)>>>;

/// See the module.
#[derive(Debug)]
pub struct Auth {
    jellyfin: Jellyfin,
    right: LiveTvRight,
    known: Cache<Credential, Memory>,
}

impl Auth {
    /// Remembers nothing yet.
    #[must_use]
    pub fn new(jellyfin: Jellyfin, right: LiveTvRight) -> Self {
        Self { jellyfin, right, known: Cache::new(CREDENTIALS) }
    }

    /// What the server says of `credential`; asked once however many want to know.
    pub async fn check(&self, prefix: &str, credential: &Credential) -> Verdict {
        let memory = self.known.get_with_by_ref(credential, Memory::default);
        let mut memory = memory.lock().await;
        if let Some((verdict, until)) = &*memory
            && Instant::now() < *until
        {
            return verdict.clone();
        }
        let answer = self.jellyfin.me(prefix, &credential.login()).await;
        let (verdict, lasts) = match self.judge(answer) {
            // A viewer who was let in is not thrown out because the server is being restarted.
            Verdict::Unknown => (memory.take().map_or(Verdict::Unknown, |(verdict, _)| verdict), ASK_AGAIN),
            verdict => (verdict, REMEMBERED),
        };
        *memory = Some((verdict.clone(), Instant::now() + lasts));
        verdict
    }

    /// Forgets all that was said of `token`.
    pub fn forget(&self, token: &str) {
        let presentations = self.known.iter().map(|(credential, _)| credential);
        for credential in presentations.filter(|credential| credential.token() == token).collect::<Vec<_>>() {
            self.known.invalidate(credential.as_ref());
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
