//! The sessions: what each plays by its reports, and whether its end gives a live stream's consumer back
//! (`SessionManager.cs`).

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::lock::lock;
use crate::parameters::Parameters;
use crate::settings::Version;

/// A session without a report for this long no longer counts as playing (`CheckForIdlePlayback`).
const IDLE: Duration = Duration::from_secs(300);

/// The sessions of one server.
#[derive(Debug)]
pub(crate) struct Sessions {
    version: Version,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The playback of each session.
    playing: BTreeMap<String, Playing>,
    /// For each live stream, who was reported to play it: each session to its play session, and each play session to its
    /// session (`_activeLiveStreamSessions`).
    holders: BTreeMap<String, BTreeMap<String, String>>,
    /// The open WebSockets of each session.
    websockets: BTreeMap<String, usize>,
}

#[derive(Debug)]
struct Playing {
    live_stream: Option<String>,
    play_session: String,
    paused: bool,
    reported_at: Instant,
}

impl Sessions {
    pub(crate) fn new(version: Version) -> Self {
        Self { version, inner: Mutex::default() }
    }

    /// Whether a session plays this play session: the server then pings its job every second.
    pub(crate) fn plays(&self, play_session: &str) -> bool {
        lock(&self.inner).playing.values().any(|playing| {
            !playing.paused
                && playing.reported_at.elapsed() < IDLE
                && playing.play_session.eq_ignore_ascii_case(play_session)
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

    /// Records a report that the session plays.
    pub(crate) fn started(&self, session: &str, parameters: &Parameters) {
        let play_session = parameters.text("PlaySessionId").unwrap_or_default();
        let live_stream = parameters.text("LiveStreamId");
        let mut inner = lock(&self.inner);
        if let Some(id) = &live_stream {
            let holders = inner.holders.entry(id.clone()).or_default();
            holders.insert(session.to_owned(), play_session.clone());
            if !play_session.is_empty() {
                holders.insert(play_session.clone(), session.to_owned());
            }
        }
        let paused = parameters.flag("IsPaused").unwrap_or(false);
        let playing = Playing { live_stream, play_session, paused, reported_at: Instant::now() };
        inner.playing.insert(session.to_owned(), playing);
    }

    /// Ends the session's playback, and returns the live stream that it was reported to play.
    pub(crate) fn stopped(&self, session: &str) -> Option<String> {
        lock(&self.inner).playing.remove(session)?.live_stream
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
