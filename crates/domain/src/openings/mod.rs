//! What clients have opened at the server and nothing has taken over yet: on a real server it stays open for ever.
//!
//! ```text
//!                         ┌─ silence · another opening of the device · nobody to hear of it ─► given back
//! opened ─► Unfollowed ───┤
//!               │         └─ our playlist ─► Left ── its viewer has left ────────────────────► given back
//!               └─ Stopped ◄──────────────────┘
//!                     └─ silence ────────────────────────────────────────────────────────────► given back, if it is still open
//! from each: reported, closed, or media of the server's own ─► (settled: the server's or the client's to give back)
//! ```
//!
//! A state is called by what an opening will be given back for. Only what the server knows nothing of can be given back
//! without robbing anybody: it takes one consumer away, whoever's it is (`jellyfin.md` 4.4). It does not know how.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::key::{DeviceId, LiveStreamId, OpeningId, PlaySessionId};
use crate::reason::ReturnReason;
use crate::time::Timestamp;
use crate::viewer::Account;

/// More than this is no household; the one that would be given back first is forgotten.
const REMEMBERED: usize = 1000;
/// What is left to an opening whose device has opened another channel: what it had begun arrives within seconds.
const SUPERSEDED: Duration = Duration::from_secs(15);

/// What a client opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientOpening {
    /// Whose it is; unknown if it was opened before the gateway's start.
    pub account: Option<Account>,
    /// On which device.
    pub device: Option<DeviceId>,
    /// What is open.
    pub live_stream: LiveStreamId,
    /// The playback that it is for.
    pub play_session: Option<PlaySessionId>,
    /// The unique name that the server gave it.
    pub name: Option<String>,
    /// Whether its client went away before it could hear of it.
    pub abandoned: bool,
}

/// The openings that a request speaks of: that of its playback, else all of its account's that could be meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mention {
    /// Who speaks; a request without a token may mean anybody's.
    pub account: Option<Account>,
    /// The live stream it names.
    pub live_stream: Option<LiveStreamId>,
    /// The playback it names.
    pub play_session: Option<PlaySessionId>,
    /// The unique name it names.
    pub name: Option<String>,
}

/// What followed an opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MentionKind {
    /// It was spoken of: somebody is there.
    Named,
    /// A playlist of ours was given for it.
    Served,
    /// Its client said that it stopped.
    Stopped,
    /// The server has learned of it: by a report, or by a request for media of its own.
    TakenOver,
    /// Its client gives it back.
    Closed,
}

#[derive(Debug)]
struct Open {
    opening: ClientOpening,
    state: ReturnReason,
    due: Timestamp,
}

/// See the module.
#[derive(Debug)]
pub struct Openings {
    patience: Duration,
    open: BTreeMap<OpeningId, Open>,
    /// What was given back in a client's name: should it do so as well, it would take another's.
    returned: BTreeSet<(Account, LiveStreamId)>,
}

impl Openings {
    /// None yet; what nothing follows for as long as `patience` is given back.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        let patience = patience.max(Duration::from_millis(1));
        Self { patience, open: BTreeMap::new(), returned: BTreeSet::new() }
    }

    /// A client opened something. What is forgotten for it, if anything.
    pub fn opened(&mut self, id: OpeningId, opening: ClientOpening, now: Timestamp) -> Option<OpeningId> {
        self.returned.retain(|(account, _)| Some(*account) != opening.account);
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

    /// Something followed; the openings that are settled by it, or that their client has stopped.
    pub fn mentioned(&mut self, named: &Mention, follow: MentionKind, now: Timestamp) -> Vec<OpeningId> {
        let meant = self.meant(named);
        match follow {
            MentionKind::Named => self.go_on(&meant, now, |state| match state {
                ReturnReason::Left | ReturnReason::Stopped | ReturnReason::LoggedOut => state,
                ReturnReason::Unfollowed | ReturnReason::Superseded | ReturnReason::Abandoned => {
                    ReturnReason::Unfollowed
                }
            }),
            MentionKind::Served => self.go_on(&meant, now, |state| match state {
                // What it gave back by stopping, if anything, is given back.
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
            // One is given back, whichever it is.
            MentionKind::Closed => self.settle(meant.into_iter().take(1).collect()),
        }
    }

    /// The account's token is about to die, and with it what could give its openings back.
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

    /// Takes those that are to be given back; `is_watched` says whether somebody is held to be watching by one.
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
            if self.returned.len() >= REMEMBERED {
                self.returned.clear();
            }
            self.returned.extend(opening.account.map(|account| (account, opening.live_stream)));
        }
        due
    }

    /// Whether the account's opening of this live stream was given back in its name.
    #[must_use]
    pub fn has_returned(&self, account: Account, live_stream: &LiveStreamId) -> bool {
        self.returned.contains(&(account, live_stream.clone()))
    }

    /// When the next one is to be given back.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        self.open.values().map(|open| open.due).min()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.open.len()
    }

    fn meant(&self, named: &Mention) -> Vec<OpeningId> {
        let all = |is_meant: &dyn Fn(&ClientOpening) -> bool| {
            let open = self.open.iter().filter(|(_, open)| is_meant(&open.opening));
            open.map(|(&id, _)| id).collect::<Vec<_>>()
        };
        let same = |one: &Option<PlaySessionId>| {
            one.as_ref().zip(named.play_session.as_ref()).is_some_and(|(one, other)| one == other)
        };
        let exactly = all(&|opening| {
            same(&opening.play_session) || (named.name.is_some() && opening.name == named.name)
        });
        if !exactly.is_empty() {
            return exactly;
        }
        all(&|opening| {
            let may_be = opening.account.zip(named.account).is_none_or(|(one, other)| one == other);
            may_be && named.live_stream.as_ref() == Some(&opening.live_stream)
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
