//! The sessions: what each plays by its reports, and whether its end gives a live stream's consumer back
//! (`SessionManager.cs`).

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::caller::Caller;
use crate::consumer::Consumer;
use crate::guid;
use crate::lock::lock;
use crate::parameters::Parameters;
use crate::settings::Version;

/// The sessions of one server. A session's key is its app and its device (`GetSessionKey`).
#[derive(Debug)]
pub(crate) struct Sessions {
    version: Version,
    /// A session without a report for this long is idle (`CheckForIdlePlayback`).
    idle: Duration,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The sessions that exist.
    seen: BTreeMap<String, Session>,
    /// The playback of each session. A device that plays another channel is no longer known to play the first one.
    playing: BTreeMap<String, Playing>,
    /// For each live stream, who was reported to play it: each session to its play session, and each play session to its
    /// session (`_activeLiveStreamSessions`). Of each session it is the play session that was reported last.
    holders: BTreeMap<String, BTreeMap<String, String>>,
    /// The open WebSockets of each session.
    websockets: BTreeMap<String, usize>,
}

/// A session, as `GET /Sessions` lists it.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) caller: Caller,
    pub(crate) playing: Option<Playing>,
}

/// The playback that a session has reported last.
#[derive(Clone, Debug)]
pub(crate) struct Playing {
    pub(crate) item: Option<String>,
    pub(crate) live_stream: Option<String>,
    pub(crate) consumer: Consumer,
    pub(crate) paused: bool,
    reported_at: Instant,
}

impl Sessions {
    pub(crate) fn new(version: Version, idle: Duration) -> Self {
        Self { version, idle, inner: Mutex::default() }
    }

    /// Creates the caller's session if it does not exist. An API key has none.
    pub(crate) fn see(&self, caller: &Caller) {
        if caller.user.is_some() {
            let id = guid::md5(&caller.session());
            let session = Session { id, caller: caller.clone(), playing: None };
            lock(&self.inner).seen.insert(caller.session(), session);
        }
    }

    /// The sessions that exist, with what they play.
    pub(crate) fn all(&self) -> Vec<Session> {
        let inner = lock(&self.inner);
        let playing = |key: &String| inner.playing.get(key).cloned();
        inner.seen.iter().map(|(key, session)| Session { playing: playing(key), ..session.clone() }).collect()
    }

    /// Whether a session plays this play session: until it is stopped, the server pings its job by itself
    /// (`StartAutomaticProgress`).
    pub(crate) fn plays(&self, play_session: &str) -> bool {
        lock(&self.inner).playing.values().any(|playing| {
            !playing.paused && playing.consumer.play_session.eq_ignore_ascii_case(play_session)
        })
    }

    /// Whether the end of `holder`, a session or a play session, gives the live stream's consumer back: if it was reported to
    /// play that live stream and, on 12.0, also if nobody was.
    pub(crate) fn gives_back(&self, live_stream: &str, holder: &str) -> bool {
        let mut inner = lock(&self.inner);
        let Some(holders) = inner.holders.get_mut(live_stream) else {
            return match self.version {
                Version::V12 => true,
                Version::V10_11 => false,
            };
        };
        let other = holders.remove(holder);
        if let Some(other) = &other {
            holders.remove(other);
        }
        if holders.is_empty() {
            inner.holders.remove(live_stream);
        }
        other.is_some()
    }

    /// Records a report that the caller's session plays. The server believes it, whether or not that playback opened
    /// anything.
    pub(crate) fn started(&self, caller: &Caller, parameters: &Parameters) {
        let session = caller.session();
        let play_session = parameters.text("PlaySessionId").unwrap_or_default();
        let live_stream = parameters.text("LiveStreamId");
        let mut inner = lock(&self.inner);
        if let Some(id) = &live_stream {
            let holders = inner.holders.entry(id.clone()).or_default();
            if play_session.is_empty() {
                holders.entry(session.clone()).or_default();
            } else {
                if let Some(former) = holders.insert(session.clone(), play_session.clone()) {
                    holders.remove(&former);
                }
                holders.insert(play_session.clone(), session.clone());
            }
        }
        let playing = Playing {
            item: parameters.text("ItemId"),
            live_stream,
            consumer: caller.consumer(&play_session),
            paused: parameters.flag("IsPaused").unwrap_or(false),
            reported_at: Instant::now(),
        };
        inner.playing.insert(session, playing);
    }

    /// Ends the session's playback, and returns what it was reported to play.
    pub(crate) fn stopped(&self, session: &str) -> Option<Playing> {
        lock(&self.inner).playing.remove(session)
    }

    /// Ends the session, and returns what it was reported to play.
    pub(crate) fn ended(&self, session: &str) -> Option<Playing> {
        let mut inner = lock(&self.inner);
        inner.seen.remove(session);
        inner.playing.remove(session)
    }

    /// The sessions that play and have not reported for too long.
    pub(crate) fn idle(&self) -> Vec<String> {
        let inner = lock(&self.inner);
        let idle = inner.playing.iter().filter(|(_, playing)| playing.reported_at.elapsed() >= self.idle);
        idle.map(|(session, _)| session.clone()).collect()
    }

    /// Counts a WebSocket of the session that has opened.
    pub(crate) fn connected(&self, session: &str) {
        *lock(&self.inner).websockets.entry(session.to_owned()).or_default() += 1;
    }

    /// Counts a WebSocket of the session that has closed, and returns whether it was the last one.
    pub(crate) fn disconnected(&self, session: &str) -> bool {
        let mut inner = lock(&self.inner);
        let Some(count) = inner.websockets.get_mut(session) else { return true };
        *count -= 1;
        let last = *count == 0;
        if last {
            inner.websockets.remove(session);
        }
        last
    }
}
