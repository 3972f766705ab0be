//! Stores the openings, and finds those that a request mentions, those of a device and those that are due without a look at the others:
//! the cost of a request does not grow with the number of openings.
//!
//! It does not know what the states mean.

use std::collections::{BTreeMap, BTreeSet};

use crate::key::{DeviceId, ItemId, LiveStreamId, OpeningId, PlaySessionId};
use crate::openings::mention::Mention;
use crate::openings::opening::ClientOpening;
use crate::reason::ReturnReason;
use crate::time::Timestamp;
use crate::viewer::Account;

/// An opening, the reason for which it would be given back, and when that is due.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) opening: ClientOpening,
    pub(super) state: ReturnReason,
    pub(super) due: Timestamp,
    /// When the client last reported that it plays by it; `None` if the server has no record of it (`records`).
    pub(super) reported_at: Option<Timestamp>,
    /// Whether that was the report of a pause.
    pub(super) is_paused: bool,
    /// Since when its device has been reported to play another live stream, if it is.
    pub(super) replaced_at: Option<Timestamp>,
    /// Whether its client has asked the server to close it, and the server has yet to answer.
    pub(super) is_closing: bool,
}

impl Open {
    /// The reason for which it is given back once its viewer has left: the server has a record of what was reported.
    pub(super) const fn left(&self) -> ReturnReason {
        if self.reported_at.is_some() { ReturnReason::Silent } else { ReturnReason::Left }
    }

    /// Whether its client has reported that it stopped, or asked the server to close it, and the server has yet to accept that.
    pub(super) fn is_stopping(&self) -> bool {
        self.is_closing || (self.state == ReturnReason::Stopped && self.reported_at.is_some())
    }
}

/// A name that an opening is found by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    PlaySession(PlaySessionId),
    Unique(String),
    LiveStream(LiveStreamId, Option<Account>),
    Device(Account, DeviceId),
}

/// The openings, by all their names and by when they are due.
#[derive(Debug, Default)]
pub(super) struct Index {
    open: BTreeMap<OpeningId, Open>,
    names: BTreeSet<(Name, OpeningId)>,
    due: BTreeSet<(Timestamp, OpeningId)>,
}

impl Index {
    pub(super) fn insert(&mut self, id: OpeningId, open: Open) {
        self.names.extend(names(&open.opening).map(|name| (name, id)));
        self.due.insert((open.due, id));
        self.open.insert(id, open);
    }

    pub(super) fn remove(&mut self, id: OpeningId) -> Option<Open> {
        let open = self.open.remove(&id)?;
        for name in names(&open.opening) {
            self.names.remove(&(name, id));
        }
        self.due.remove(&(open.due, id));
        Some(open)
    }

    /// All openings.
    pub(super) fn iter(&self) -> impl Iterator<Item = (OpeningId, &Open)> {
        self.open.iter().map(|(&id, open)| (id, open))
    }

    pub(super) fn get(&self, id: OpeningId) -> Option<&Open> {
        self.open.get(&id)
    }

    /// Gives an opening another state, due at another time.
    pub(super) fn set(&mut self, id: OpeningId, state: ReturnReason, due: Timestamp) {
        let Some(open) = self.open.get_mut(&id) else { return };
        self.due.remove(&(open.due, id));
        (open.state, open.due) = (state, due);
        self.due.insert((due, id));
    }

    /// When the client last reported that it plays by an opening; `None` if the server has no record of that.
    pub(super) fn set_reported(&mut self, id: OpeningId, at: Option<Timestamp>) {
        if let Some(open) = self.open.get_mut(&id) {
            open.reported_at = at;
        }
    }

    /// The client has reported that it plays by the openings, or that it pauses.
    pub(super) fn set_paused(&mut self, meant: &[OpeningId], is_paused: bool) {
        for id in meant {
            if let Some(open) = self.open.get_mut(id) {
                open.is_paused = is_paused;
            }
        }
    }

    /// The device is reported to play another live stream since `at`, or the one of this opening again.
    pub(super) fn set_replaced(&mut self, id: OpeningId, at: Option<Timestamp>) {
        if let Some(open) = self.open.get_mut(&id) {
            open.replaced_at = at.map(|at| open.replaced_at.unwrap_or(at));
        }
    }

    /// The client has asked the server to close one of `meant`, or the server has refused that. Returns which.
    pub(super) fn change_closing(&mut self, meant: &[OpeningId], is_closing: bool) -> Option<OpeningId> {
        let id = self.first_closing(meant, !is_closing)?;
        self.open.get_mut(&id)?.is_closing = is_closing;
        Some(id)
    }

    /// Whether the server has no record of one of them.
    pub(super) fn has_unreported(&self) -> bool {
        self.open.values().any(|open| open.reported_at.is_none())
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// The first of `meant` that its client has, or has not, asked the server to close.
    pub(super) fn first_closing(&self, meant: &[OpeningId], is_closing: bool) -> Option<OpeningId> {
        let is_wanted = |id: &OpeningId| self.get(*id).is_some_and(|open| open.is_closing == is_closing);
        meant.iter().copied().find(is_wanted)
    }

    /// The play sessions that have openings.
    pub(super) fn play_sessions(&self) -> impl Iterator<Item = &PlaySessionId> {
        self.open.values().filter_map(|open| open.opening.play_session.as_ref())
    }

    /// The client has left an opening, which is due now unless the server is closing it.
    pub(super) fn leave(&mut self, id: OpeningId, now: Timestamp) {
        if self.get(id).is_some_and(|open| !open.is_closing) {
            self.set(id, ReturnReason::Left, now);
        }
    }

    /// The openings that are stopping, with their live streams.
    pub(super) fn stopping(&self) -> impl Iterator<Item = (OpeningId, &LiveStreamId)> {
        let stopping = self.open.iter().filter(|(_, open)| open.is_stopping());
        stopping.map(|(&id, open)| (id, &open.opening.live_stream))
    }

    /// The live streams of the openings that their clients have neither stopped nor asked the server to close.
    pub(super) fn live_streams(&self) -> impl Iterator<Item = (&LiveStreamId, Option<&ItemId>)> {
        let open = self.open.values().filter(|open| open.state != ReturnReason::Stopped && !open.is_closing);
        open.map(|open| (&open.opening.live_stream, open.opening.item.as_ref()))
    }

    /// The opening that is due first, and when.
    pub(super) fn first_due(&self) -> Option<(Timestamp, OpeningId)> {
        self.due.first().copied()
    }

    /// The openings that are due by `now`.
    pub(super) fn due_by(&self, now: Timestamp) -> BTreeSet<OpeningId> {
        self.due.range(..=(now, OpeningId(u64::MAX))).map(|(_, id)| *id).collect()
    }

    /// The openings that a request means by `mention`.
    pub(super) fn meant(&self, mention: &Mention) -> Vec<OpeningId> {
        let play_session = mention.play_session.clone().map(Name::PlaySession);
        let unique = mention.name.clone().map(Name::Unique);
        let exactly: BTreeSet<_> =
            play_session.into_iter().chain(unique).flat_map(|name| self.named(name.clone(), name)).collect();
        if !exactly.is_empty() {
            return exactly.into_iter().collect();
        }
        let Some(live_stream) = &mention.live_stream else { return Vec::new() };
        let of = |account| Name::LiveStream(live_stream.clone(), account);
        let ids: BTreeSet<_> = match mention.account {
            Some(account) => {
                let theirs = self.named(of(Some(account)), of(Some(account)));
                theirs.chain(self.named(of(None), of(None))).collect()
            }
            // Without a credential, a request means nobody's: anybody could make it.
            None => return Vec::new(),
        };
        ids.into_iter().collect()
    }

    /// The openings of the device that `opening` is of.
    pub(super) fn of_same_device(&self, opening: &ClientOpening) -> Vec<OpeningId> {
        device(opening).into_iter().flat_map(|name| self.named(name.clone(), name)).collect()
    }

    /// The openings of a device.
    pub(super) fn of_device(&self, account: Account, device: &DeviceId) -> Vec<OpeningId> {
        let name = Name::Device(account, device.clone());
        self.named(name.clone(), name).collect()
    }

    /// The openings of a live stream.
    pub(super) fn of_live_stream(&self, live_stream: &LiveStreamId) -> impl Iterator<Item = OpeningId> {
        let of = |account| Name::LiveStream(live_stream.clone(), account);
        self.named(of(None), of(Some(Account(u64::MAX))))
    }

    /// The openings of `account`. Looks at all openings.
    pub(super) fn of_account(&self, account: Account) -> Vec<OpeningId> {
        let theirs = self.open.iter().filter(|(_, open)| open.opening.account == Some(account));
        theirs.map(|(&id, _)| id).collect()
    }

    /// The openings with a name from `first` to `last`.
    fn named(&self, first: Name, last: Name) -> impl Iterator<Item = OpeningId> {
        self.names.range((first, OpeningId(0))..=(last, OpeningId(u64::MAX))).map(|(_, id)| *id)
    }
}

fn names(opening: &ClientOpening) -> impl Iterator<Item = Name> {
    let live_stream = Name::LiveStream(opening.live_stream.clone(), opening.account);
    let play_session = opening.play_session.clone().map(Name::PlaySession);
    let unique = opening.name.clone().map(Name::Unique);
    [Some(live_stream), play_session, unique, device(opening)].into_iter().flatten()
}

fn device(opening: &ClientOpening) -> Option<Name> {
    Some(Name::Device(opening.account?, opening.device.clone()?))
}
