//! Decides which of the live streams that clients have opened at the server have to be closed in their name, and when. The server
//! itself closes nothing that was opened and never reported (docs/jellyfin.md 7).
//!
//! ```text
//!                      ┌─ silence · another opening of the device · its client went away ─► given back
//! opened ─► Unfollowed ┤
//!               │      └─ a playlist of ours ─► Left ── its viewer has left ──────────────► given back
//!               └─ Stopped ◄──────────────────────┘
//!                     └─ silence ─────────────────────────────────────────────────────────► given back, if it is still open
//! from each: reported, closed, or media of the server's own ─► settled: left to the server or to its client
//! ```
//!
//! Each state is named after the reason for which the opening would be given back. An opening that the server has learned of is not
//! ours to give back: the server would take a consumer away a second time, and it may be somebody else's. How an opening is
//! closed is not known here.

mod given_back;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::key::{DeviceId, LiveStreamId, OpeningId, PlaySessionId};
use crate::openings::given_back::GivenBack;
use crate::reason::ReturnReason;
use crate::time::Timestamp;
use crate::viewer::Account;

/// The number of openings that are remembered. A household stays far below; beyond it, the one that is due first is forgotten.
const REMEMBERED: usize = 1000;
/// How long an unfollowed opening is kept after its device has opened another channel: whatever it had begun arrives within seconds.
const SUPERSEDED: Duration = Duration::from_secs(15);

/// A live stream that a client opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientOpening {
    /// The client's account; `None` if it was opened before the gateway's start.
    pub account: Option<Account>,
    /// The client's device.
    pub device: Option<DeviceId>,
    /// The live stream that is open.
    pub live_stream: LiveStreamId,
    /// The play session that it was opened for.
    pub play_session: Option<PlaySessionId>,
    /// The unique id that the server gave to this opening, where it shares its raw stream.
    pub name: Option<String>,
    /// Whether the client went away before it had the whole answer.
    pub abandoned: bool,
}

/// The names of openings in a request. It means the openings of its play session, or else all those of its account on its live stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mention {
    /// The account of the request; without one, the openings of every account can be meant.
    pub account: Option<Account>,
    /// The live stream that the request names.
    pub live_stream: Option<LiveStreamId>,
    /// The play session that the request names.
    pub play_session: Option<PlaySessionId>,
    /// The unique id of an opening that the request names.
    pub name: Option<String>,
}

/// What a request says about the openings that it mentions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MentionKind {
    /// Nothing but their names: the client is there.
    Named,
    /// The client was served a playlist of ours.
    Served,
    /// The client reports that it stopped.
    Stopped,
    /// The server has learned of the opening, by a report or a request for media of its own.
    TakenOver,
    /// The client closes the opening.
    Closed,
}

/// A report about playback that the server has accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaybackReport {
    /// The client plays.
    Playing,
    /// The client has stopped.
    Stopped,
}

#[derive(Debug)]
struct Open {
    opening: ClientOpening,
    state: ReturnReason,
    due: Timestamp,
}

/// The openings that may have to be closed in their client's name; see the module.
#[derive(Debug)]
pub struct Openings {
    patience: Duration,
    open: BTreeMap<OpeningId, Open>,
    given_back: GivenBack,
}

impl Openings {
    /// Remembers no opening yet. An opening that no request mentions for `patience` is given back.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        let patience = patience.max(Duration::from_millis(1));
        Self { patience, open: BTreeMap::new(), given_back: GivenBack::default() }
    }

    /// The account asks the server to open a channel; `opened` is to follow if the server does.
    pub fn requested(&mut self, account: Account) {
        self.given_back.asks_for_opening(account);
    }

    /// A client has opened a live stream. Returns the opening that is forgotten to make room, if any.
    pub fn opened(&mut self, id: OpeningId, opening: ClientOpening, now: Timestamp) -> Option<OpeningId> {
        if let Some(account) = opening.account {
            self.given_back.has_opening(account);
        }
        for open in self.open.values_mut().filter(|open| is_same_device(&open.opening, &opening)) {
            match open.state {
                ReturnReason::Unfollowed if open.due > now + SUPERSEDED => {
                    (open.state, open.due) = (ReturnReason::Superseded, now + SUPERSEDED);
                }
                ReturnReason::Unfollowed
                | ReturnReason::Abandoned
                | ReturnReason::Superseded
                | ReturnReason::Left
                | ReturnReason::Stopped
                | ReturnReason::LoggedOut => {}
            }
        }
        let (state, due) = if opening.abandoned {
            (ReturnReason::Abandoned, now)
        } else {
            (ReturnReason::Unfollowed, now + self.patience)
        };
        self.open.insert(id, Open { opening, state, due });
        let first = || self.open.iter().min_by_key(|(_, open)| open.due).map(|(&id, _)| id);
        let forgotten = (self.open.len() > REMEMBERED).then(first).flatten();
        forgotten.inspect(|id| drop(self.open.remove(id)))
    }

    /// A request mentions openings. Returns those that are settled by it, or that their client has stopped.
    pub fn mentioned(&mut self, mention: &Mention, kind: MentionKind, now: Timestamp) -> Vec<OpeningId> {
        let meant = self.meant(mention);
        match kind {
            MentionKind::Named => self.go_on(&meant, now, |state| match state {
                ReturnReason::Left | ReturnReason::Stopped | ReturnReason::LoggedOut => state,
                ReturnReason::Unfollowed | ReturnReason::Superseded | ReturnReason::Abandoned => {
                    ReturnReason::Unfollowed
                }
            }),
            MentionKind::Served => self.go_on(&meant, now, |state| match state {
                // Whether the stop gave it back is still unknown.
                ReturnReason::Stopped | ReturnReason::LoggedOut => state,
                ReturnReason::Unfollowed
                | ReturnReason::Superseded
                | ReturnReason::Abandoned
                | ReturnReason::Left => ReturnReason::Left,
            }),
            MentionKind::Stopped => {
                self.go_on(&meant, now, |_| ReturnReason::Stopped);
                meant
            }
            MentionKind::TakenOver => self.settle(meant),
            // The server closes one opening, whichever it is.
            MentionKind::Closed => self.settle(meant.into_iter().take(1).collect()),
        }
    }

    /// The server has accepted a report of the account about a live stream.
    pub fn reported(&mut self, account: Account, live_stream: LiveStreamId, report: PlaybackReport) {
        match report {
            PlaybackReport::Playing => self.given_back.playing(account, live_stream),
            PlaybackReport::Stopped => self.given_back.stopped(account, live_stream),
        }
    }

    /// The account's token is about to be revoked. Its openings are due now, while it can still close them.
    pub fn logging_out(&mut self, account: Account, now: Timestamp) {
        for open in self.open.values_mut().filter(|open| open.opening.account == Some(account)) {
            match open.state {
                ReturnReason::Stopped => {}
                ReturnReason::Unfollowed
                | ReturnReason::Abandoned
                | ReturnReason::Superseded
                | ReturnReason::Left
                | ReturnReason::LoggedOut => open.state = ReturnReason::LoggedOut,
            }
            open.due = now;
        }
    }

    /// Removes and returns the openings that are to be given back. One whose viewer still watches, as `is_watched` tells, is kept.
    pub fn take_due(
        &mut self,
        now: Timestamp,
        is_watched: impl Fn(&ClientOpening) -> bool,
    ) -> Vec<(OpeningId, ReturnReason)> {
        let mut due = Vec::new();
        for (&id, open) in self.open.iter_mut().filter(|(_, open)| open.due <= now) {
            let waits = match open.state {
                ReturnReason::Left | ReturnReason::Stopped => is_watched(&open.opening),
                ReturnReason::Unfollowed
                | ReturnReason::Abandoned
                | ReturnReason::Superseded
                | ReturnReason::LoggedOut => false,
            };
            if waits {
                open.due = now + self.patience;
            } else {
                due.push((id, open.state));
            }
        }
        for (id, _) in &due {
            let Some(Open { opening, .. }) = self.open.remove(id) else { continue };
            if let Some(account) = opening.account {
                self.given_back.closed(account, opening.live_stream);
            }
        }
        due
    }

    /// Whether the account has given this live stream back, so that its `Close` would take somebody else's consumer.
    #[must_use]
    pub fn has_returned(&self, account: Account, live_stream: &LiveStreamId) -> bool {
        self.given_back.contains(account, live_stream)
    }

    /// When the next opening is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        self.open.values().map(|open| open.due).min()
    }

    /// The number of openings.
    #[must_use]
    pub fn count(&self) -> usize {
        self.open.len()
    }

    fn meant(&self, mention: &Mention) -> Vec<OpeningId> {
        let all = |is_meant: &dyn Fn(&ClientOpening) -> bool| {
            let open = self.open.iter().filter(|(_, open)| is_meant(&open.opening));
            open.map(|(&id, _)| id).collect::<Vec<_>>()
        };
        let same = |one: &Option<PlaySessionId>| {
            one.as_ref().zip(mention.play_session.as_ref()).is_some_and(|(one, other)| one == other)
        };
        let exactly = all(&|opening| {
            same(&opening.play_session) || (mention.name.is_some() && opening.name == mention.name)
        });
        if !exactly.is_empty() {
            return exactly;
        }
        all(&|opening| {
            let may_be = opening.account.zip(mention.account).is_none_or(|(one, other)| one == other);
            may_be && mention.live_stream.as_ref() == Some(&opening.live_stream)
        })
    }

    fn go_on(
        &mut self,
        meant: &[OpeningId],
        now: Timestamp,
        next: impl Fn(ReturnReason) -> ReturnReason,
    ) -> Vec<OpeningId> {
        for open in self.open.iter_mut().filter(|(id, _)| meant.contains(id)).map(|(_, open)| open) {
            (open.state, open.due) = (next(open.state), now + self.patience);
        }
        Vec::new()
    }

    fn settle(&mut self, meant: Vec<OpeningId>) -> Vec<OpeningId> {
        meant.iter().for_each(|id| drop(self.open.remove(id)));
        meant
    }
}

fn is_same_device(one: &ClientOpening, other: &ClientOpening) -> bool {
    one.account.is_some()
        && one.account == other.account
        && one.device.is_some()
        && one.device == other.device
}

#[cfg(test)]
mod tests;
