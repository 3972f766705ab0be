//! Decides which of the live streams that clients have opened at the server have to be closed in their name, and when. The server
//! itself closes nothing that was opened and never reported, and what was reported only minutes after its client fell silent, or
//! never (docs/jellyfin.md 7).
//!
//! ```text
//!                      ┌─ silence · another opening of the device · its client went away ─► given back
//! opened ─► Unfollowed ┤
//!             │ │      └─ a playlist of ours ─► Left ── its viewer has left ──────────────► given back
//!             │ │                                 └─ reported ─► Silent ── its viewer has left ─► said goodbye for
//!             │ └─ Stopped ◄──────────────────────┘
//!             │       └─ silence ─────────────────────────────────────────────────────────► given back, if it is still open
//!             └─ reported ─► Unfollowed ┬─ a playlist of ours ─► Silent
//!                                       ├─ its device plays another channel ──────────────► said goodbye for
//!                                       └─ minutes without a report ──────────────────────► left to the server
//! from each: once the server has answered with a live playlist of its own ─► PassedOn ── silence ─► said goodbye for, if reported;
//!                                                                                         else given back, if it is still open
//!            once the server has accepted its client's Close or Stopped, or has sent other media ─► settled: not ours to close
//! ```
//!
//! Each state is named after the reason for which the opening would be given back. A goodbye (`Stopped` with the client's own
//! credential) closes the very opening of a client that has reported; where the server has closed that already, it takes somebody
//! else's. So there is none after a Stopped of the client's own, after the end of its last WebSocket, or where the server's own job for it
//! has ended in silence. `LiveStreams/Close` takes any consumer away, so it is only for what was never reported. How an opening is closed is not known here.

mod departures;
mod fate;
mod given_back;
mod index;
mod mention;
mod open_now;
mod opening;
pub mod parts;
mod records;
mod sockets;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::key::{DeviceId, LiveStreamId, OpeningId, PlaySessionId};
use crate::multiset::Multiset;
use crate::openings::fate::{Fate, fate};
use crate::openings::given_back::GivenBack;
use crate::openings::index::{Index, Open};
use crate::reason::ReturnReason;
use crate::time::Timestamp;
use crate::viewer::Account;

pub use crate::openings::mention::{Mention, MentionKind, PlaybackReport};
pub use crate::openings::opening::ClientOpening;

/// The number of openings that are remembered. A household stays far below; beyond it, the one that is due first is forgotten.
const REMEMBERED: usize = 1000;
/// How long an unfollowed opening is kept after its device has opened another channel: whatever it had begun arrives within seconds.
const SUPERSEDED: Duration = Duration::from_secs(15);

/// An opening is not given back in the moment that it is there.
const SHORTEST_PATIENCE: Duration = Duration::from_millis(1);

/// An opening whose time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// It is to be given back.
    GiveBack(OpeningId, ReturnReason),
    /// The server closes it by itself, or has done so.
    LeftToServer(OpeningId),
}

/// The openings that may have to be closed in their client's name; see the module.
#[derive(Debug)]
pub struct Openings {
    patience: Duration,
    index: Index,
    given_back: GivenBack,
    /// The openings whose closing is under way, each with its reason: their tuners are not free yet.
    returning: BTreeMap<OpeningId, (ClientOpening, ReturnReason)>,
    /// The open WebSockets of each session at the server.
    sockets: Multiset<(Account, Option<DeviceId>)>,
}

impl Openings {
    /// Remembers no opening yet. An opening that no request mentions for `patience` is given back.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        Self {
            patience: patience.max(SHORTEST_PATIENCE),
            index: Index::default(),
            given_back: GivenBack::default(),
            returning: BTreeMap::new(),
            sockets: Multiset::default(),
        }
    }

    /// Openings from now on are given back if no request mentions them for `patience`.
    pub fn be_patient_for(&mut self, patience: Duration) {
        self.patience = patience.max(SHORTEST_PATIENCE);
    }

    /// The account asks the server to open a channel; `opened` is to follow if the server does.
    pub fn requested(&mut self, account: Account) {
        self.given_back.asks_for_opening(account);
    }

    /// A client has opened a live stream. Returns the opening that is forgotten to make room, if any.
    pub fn opened(&mut self, id: OpeningId, opening: ClientOpening, now: Timestamp) -> Option<OpeningId> {
        if let Some(account) = opening.account {
            self.given_back.has_opening(account, opening.live_stream.clone());
        }
        for other in self.index.of_same_device(&opening) {
            let unreported = self.index.get(other).filter(|open| open.reported_at.is_none());
            match unreported.map(|open| (open.state, open.due)) {
                Some((ReturnReason::Unfollowed, due)) if due > now + SUPERSEDED => {
                    self.index.set(other, ReturnReason::Superseded, now + SUPERSEDED);
                }
                Some((
                    ReturnReason::Unfollowed
                    | ReturnReason::Abandoned
                    | ReturnReason::Superseded
                    | ReturnReason::Left
                    | ReturnReason::Silent
                    | ReturnReason::PassedOn
                    | ReturnReason::Stopped
                    | ReturnReason::LoggedOut,
                    _,
                ))
                | None => {}
            }
        }
        let (state, due) = if opening.abandoned {
            (ReturnReason::Abandoned, now)
        } else {
            (ReturnReason::Unfollowed, now + self.patience)
        };
        self.index.insert(
            id,
            Open {
                opening,
                state,
                due,
                reported_at: None,
                is_paused: false,
                replaced_at: None,
                is_closing: false,
            },
        );
        let first = || self.index.first_due().map(|(_, id)| id);
        let forgotten = (self.index.len() > REMEMBERED).then(first).flatten();
        forgotten.inspect(|&id| drop(self.index.remove(id)))
    }

    /// A request mentions openings. Returns those that are settled by it, or that their client has stopped; `is_watched` tells
    /// whether a present viewer watches by an opening.
    pub fn mentioned(
        &mut self,
        mention: &Mention,
        kind: MentionKind,
        is_watched: impl Fn(&ClientOpening) -> bool,
        now: Timestamp,
    ) -> Vec<OpeningId> {
        let meant = self.index.meant(mention);
        match kind {
            MentionKind::Named => self.go_on(&meant, now, |open| match open.state {
                state @ (ReturnReason::Left
                | ReturnReason::Silent
                | ReturnReason::PassedOn
                | ReturnReason::Stopped
                | ReturnReason::LoggedOut) => state,
                ReturnReason::Unfollowed | ReturnReason::Superseded | ReturnReason::Abandoned => {
                    ReturnReason::Unfollowed
                }
            }),
            MentionKind::Served => self.go_on(&meant, now, |open| match open.state {
                // Whether the stop gave it back is still unknown.
                state @ (ReturnReason::Stopped | ReturnReason::LoggedOut | ReturnReason::Silent) => state,
                // Its job at the server goes on.
                ReturnReason::PassedOn => ReturnReason::PassedOn,
                ReturnReason::Unfollowed
                | ReturnReason::Superseded
                | ReturnReason::Abandoned
                | ReturnReason::Left => open.left(),
            }),
            MentionKind::PassedOn => {
                let first: Vec<_> = meant.first().copied().into_iter().collect();
                self.go_on(&first, now, |open| match open.state {
                    state @ (ReturnReason::Stopped | ReturnReason::LoggedOut) => state,
                    ReturnReason::Unfollowed
                    | ReturnReason::Superseded
                    | ReturnReason::Abandoned
                    | ReturnReason::Left
                    | ReturnReason::Silent
                    | ReturnReason::PassedOn => ReturnReason::PassedOn,
                })
            }
            MentionKind::Reported => {
                let plays_ours = |id: &OpeningId| {
                    self.index.get(*id).is_some_and(|open| match open.state {
                        ReturnReason::Left
                        | ReturnReason::Silent
                        | ReturnReason::PassedOn
                        | ReturnReason::Stopped
                        | ReturnReason::LoggedOut => true,
                        ReturnReason::Unfollowed | ReturnReason::Superseded | ReturnReason::Abandoned => {
                            is_watched(&open.opening)
                        }
                    })
                };
                let (ours, others): (Vec<_>, Vec<_>) = meant.into_iter().partition(plays_ours);
                ours.iter().for_each(|&id| self.record(id, now));
                self.go_on(&ours, now, |open| match open.state {
                    state @ (ReturnReason::LoggedOut | ReturnReason::PassedOn) => state,
                    ReturnReason::Unfollowed
                    | ReturnReason::Superseded
                    | ReturnReason::Abandoned
                    | ReturnReason::Left
                    | ReturnReason::Stopped
                    | ReturnReason::Silent => ReturnReason::Silent,
                });
                match others.first() {
                    // It may ask for its first playlist only after that, or play what does not pass here.
                    Some(&id) if ours.is_empty() => {
                        self.record(id, now);
                        self.go_on(&[id], now, |_| ReturnReason::Unfollowed)
                    }
                    other => self.settle(other.copied()),
                }
            }
            MentionKind::Stopped => {
                // The server closes a reported one: it is settled once the server has accepted the report.
                self.go_on(&meant, now, |_| ReturnReason::Stopped);
                meant
            }
            // One request is one playback, and its opening is one, whichever it is.
            MentionKind::TakenOver => {
                let is_ours = |id: &OpeningId| {
                    self.index.get(*id).is_some_and(|open| open.state != ReturnReason::PassedOn)
                };
                self.settle(meant.first().copied().filter(is_ours))
            }
            MentionKind::Closing | MentionKind::Kept => {
                let changed = self.index.change_closing(&meant, kind == MentionKind::Closing);
                self.go_on(changed.as_slice(), now, |open| open.state)
            }
            MentionKind::LeftUnreported => {
                meant.iter().for_each(|&id| self.index.leave(id, now));
                Vec::new()
            }
            // The server closes one opening, whichever it is.
            MentionKind::Closed => {
                let closing = self.index.first_closing(&meant, true);
                self.settle(closing.or(meant.first().copied()))
            }
        }
    }

    /// A client whose opening no process of the gateway knew the account of has shown it, and its device if it names one.
    pub fn claim(&mut self, mention: &Mention, device: Option<&DeviceId>) -> Vec<OpeningId> {
        let Some(account) = mention.account else { return Vec::new() };
        let meant = self.index.meant(mention).into_iter();
        let unclaimed =
            meant.filter(|&id| self.index.get(id).is_some_and(|open| open.opening.account.is_none()));
        let unclaimed: Vec<_> = unclaimed.collect();
        for &id in &unclaimed {
            if let Some(mut open) = self.index.remove(id) {
                open.opening.account = Some(account);
                open.opening.device = device.cloned();
                self.index.insert(id, open);
            }
        }
        unclaimed
    }

    /// The server has closed an opening, or has ended with it: nothing is to be closed, and its client has none any more.
    pub fn lost(&mut self, id: OpeningId) {
        if let Some(Open { opening, .. }) = self.index.remove(id) {
            self.closed(&opening);
        }
    }

    /// Whether a client has an opening that a request mentions.
    #[must_use]
    pub fn has(&self, mention: &Mention) -> bool {
        !self.index.meant(mention).is_empty()
    }

    /// The play sessions that have openings.
    pub fn play_sessions(&self) -> impl Iterator<Item = &PlaySessionId> {
        self.index.play_sessions()
    }

    /// The account's token is about to be revoked. Its openings are due now, while it can still close them.
    pub fn logging_out(&mut self, account: Account, now: Timestamp) {
        for id in self.index.of_account(account) {
            let Some(open) = self.index.get(id) else { continue };
            let state = match open.state {
                state @ (ReturnReason::Stopped | ReturnReason::Silent | ReturnReason::PassedOn) => state,
                ReturnReason::Unfollowed
                | ReturnReason::Abandoned
                | ReturnReason::Superseded
                | ReturnReason::Left
                | ReturnReason::LoggedOut => match open.reported_at {
                    Some(_) => ReturnReason::Silent,
                    None => ReturnReason::LoggedOut,
                },
            };
            self.index.set(id, state, now);
        }
    }

    /// Removes and returns the openings that are to be given back. One whose viewer still watches, as `is_watched` tells, is kept.
    pub fn take_due(&mut self, now: Timestamp, is_watched: impl Fn(&ClientOpening) -> bool) -> Vec<Due> {
        let mut due = Vec::new();
        for id in self.index.due_by(now) {
            let Some(open) = self.index.get(id) else { continue };
            let state = open.state;
            match fate(open, self.patience, &is_watched, now) {
                Fate::Kept => self.index.set(id, state, now + self.patience),
                Fate::LeftToServer => {
                    self.lost(id);
                    due.push(Due::LeftToServer(id));
                }
                Fate::GivenBack(reason) => {
                    let Some(Open { opening, .. }) = self.index.remove(id) else { continue };
                    self.closed(&opening);
                    self.returning.insert(id, (opening, reason));
                    due.push(Due::GiveBack(id, reason));
                }
            }
        }
        due
    }

    /// Whether the gateway has closed the account's opening of this live stream in its name, and it has not opened it since.
    #[must_use]
    pub fn is_closed_for(&self, account: Account, live_stream: &LiveStreamId) -> bool {
        self.given_back.is_closed(account, live_stream)
    }

    /// Whether the account has given this live stream back, so that its `Close` would take somebody else's consumer.
    #[must_use]
    pub fn has_returned(&self, account: Account, live_stream: &LiveStreamId) -> bool {
        self.given_back.contains(account, live_stream)
    }

    /// When the next opening is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        self.index.first_due().map(|(due, _)| due)
    }

    /// The number of openings.
    #[must_use]
    pub fn count(&self) -> usize {
        self.index.len()
    }

    fn go_on(
        &mut self,
        meant: &[OpeningId],
        now: Timestamp,
        next: impl Fn(&Open) -> ReturnReason,
    ) -> Vec<OpeningId> {
        for &id in meant {
            if let Some(state) = self.index.get(id).map(&next) {
                self.index.set(id, state, now + self.patience);
            }
        }
        Vec::new()
    }

    fn settle(&mut self, meant: Option<OpeningId>) -> Vec<OpeningId> {
        meant.into_iter().inspect(|&id| drop(self.index.remove(id))).collect()
    }
}

#[cfg(test)]
mod tests;
