//! Which channels' inputs are open, who has joined them, and for how long: one pull per channel, however many need it.
//!
//! ```text
//!           join              the pull ends
//! (none) ─────────► Open ────────────────────────► Ended
//!                    │                               │
//!                    │ the last member leaves        │ the last member leaves · a join opens its successor
//!                    ▼                               │
//!                 Closing ◄──────────────────────────┘
//!                    │ closed
//!                    ▼
//!                  (none)
//! ```
//!
//! Members are a set, so nobody can be counted twice; a member that is not there holds its place until a deadline. A
//! provider's connection belongs to the input that took it, from before it connects until its pull has ended. The module
//! does not know which streams are watched, nor how an input is pulled.

mod input;
mod member;

use std::collections::{BTreeMap, VecDeque};

use crate::key::{Channel, ChannelId, InputId, StreamId};
use crate::lineup::tuners::{Busy, Tuners};
use crate::reason::CloseReason;
use crate::time::Timestamp;
use crate::viewer::Account;

pub use crate::inputs::input::{Input, InputKey, State};
pub use crate::inputs::member::{Member, ReaderId, Stay};

/// From where a channel may be pulled; the first place that can be had counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The provider.
    pub lineup: Option<LineupInput>,
    /// The raw stream that the server shares.
    pub tap: Option<Channel>,
}

/// A channel of the lineup, as an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineupInput {
    /// The channel.
    pub channel: ChannelId,
    /// The playlists of its sources, in the order in which they are tried.
    pub playlists: Vec<usize>,
    /// Whether it may be opened, or only joined where it is open.
    pub may_open: bool,
}

/// The input that a member has joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The input.
    pub input: InputId,
    /// What it is pulled from.
    pub key: InputKey,
    /// Whether it is opened for this member.
    pub opens: bool,
}

/// What the shell has to do about an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Open it, once the input that it replaces is closed.
    Open {
        /// The new input.
        input: InputId,
        /// The one with the same key that is being closed.
        replaces: Option<InputId>,
    },
    /// Close it.
    Close {
        /// The input.
        input: InputId,
        /// Why.
        reason: CloseReason,
    },
}

/// See the module.
#[derive(Debug)]
pub struct Inputs {
    inputs: BTreeMap<InputId, Input>,
    connections: Tuners<InputId>,
    changes: VecDeque<Change>,
    /// The number of the next input, reader or prefetch.
    next: u64,
}

impl Inputs {
    /// No inputs, before playlists that allow this many connections each (0: any number).
    #[must_use]
    pub fn new(connections: impl IntoIterator<Item = u32>) -> Self {
        Self {
            inputs: BTreeMap::new(),
            connections: Tuners::new(connections),
            changes: VecDeque::new(),
            next: 1,
        }
    }

    /// Makes `member` a member of the channel's input: of the one it has already, else of one that is open, else of a new
    /// one. A stream leaves every other input, and whoever was expected on this one is there.
    ///
    /// # Errors
    /// The channel is not open, and no place that it may be opened from has a connection left.
    pub fn join(&mut self, member: Member, stay: Stay, wanted: &Wanted) -> Result<Joined, Busy> {
        let (input, opens) = match self.of(member) {
            Some(own) => (own, false),
            None => self.find_or_open(wanted)?,
        };
        if let Some(joined) = self.inputs.get_mut(&input) {
            if member.is_stream() {
                joined.members.retain(|member, _| !member.is_prefetch());
            }
            joined.members.insert(member, stay);
        }
        if member.is_stream() {
            self.dismiss(CloseReason::Unneeded, |id, _, other| id != input && other == member);
        }
        let key = self.inputs.get(&input).map(|input| input.key.clone());
        key.map(|key| Joined { input, key, opens }).ok_or(Busy { allowed: 0 })
    }

    /// A name for a reader, or for a prefetch.
    pub const fn number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }

    /// Takes a connection of another playlist for an input, and gives back the one it has.
    ///
    /// # Errors
    /// Others have them all; the input keeps the connection it has.
    pub fn move_connection(&mut self, id: InputId, playlist: usize) -> Result<(), Busy> {
        let Some(input) = self.inputs.get_mut(&id) else { return Ok(()) };
        if input.playlist != Some(playlist) {
            self.connections.take(playlist, id)?;
            if let Some(before) = input.playlist.replace(playlist) {
                self.connections.give_back(before, &id);
            }
        }
        Ok(())
    }

    /// Whether `playlist` allows any number of connections.
    #[must_use]
    pub fn is_unlimited(&self, playlist: usize) -> bool {
        self.connections.is_unlimited(playlist)
    }

    /// The pull of an input has ended by itself; its members stay until they leave or are given a successor.
    pub fn ended(&mut self, id: InputId) {
        let Some(input) = self.inputs.get_mut(&id) else { return };
        if input.state == State::Open {
            input.state = State::Ended;
        }
        self.disconnect(id);
    }

    /// Everything that an input had open is closed.
    pub fn closed(&mut self, id: InputId) {
        self.disconnect(id);
        self.inputs.remove(&id);
    }

    /// An input holds `held` bytes of memory, and has pulled `pulled` bytes since it was opened.
    pub fn grew(&mut self, id: InputId, held: u64, pulled: u64) {
        if let Some(input) = self.inputs.get_mut(&id) {
            (input.held, input.pulled) = (held, pulled);
        }
    }

    /// A stream needs no input any more.
    pub fn leave(&mut self, stream: StreamId) {
        self.dismiss(CloseReason::Unneeded, |_, _, member| member == Member::Stream(stream));
    }

    /// A reader has left, and may come back during `stay`.
    pub fn linger(&mut self, reader: ReaderId, stay: Stay) {
        for input in self.inputs.values_mut() {
            if input.members.remove(&Member::Reader(reader)).is_some() {
                input.members.insert(Member::Lingering(reader), stay);
            }
        }
    }

    /// Dismisses every member whose time is over.
    pub fn expire(&mut self, now: Timestamp) {
        self.dismiss(CloseReason::Unneeded, |_, stay, _| stay.until.is_some_and(|until| until <= now));
    }

    /// When the next member's time is over.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        self.inputs.values().flat_map(|input| input.members.values()).filter_map(|stay| stay.until).min()
    }

    /// Dismisses every member of an input that is not there; closes the input for `reason` if it has no other.
    pub fn dismiss_absent(&mut self, id: InputId, reason: CloseReason) {
        self.dismiss(reason, |of, _, member| of == id && member.is_absent());
    }

    /// Dismisses whoever is expected on an input; closes it for `reason` if it has no other member.
    pub fn dismiss_prefetch(&mut self, id: InputId, reason: CloseReason) {
        self.dismiss(reason, |of, _, member| of == id && member.is_prefetch());
    }

    /// The credential of `account` is worth nothing any more.
    pub fn forget(&mut self, account: Account) {
        self.inputs.values_mut().for_each(|input| input.forget(account));
    }

    /// Removes every member that is not a stream.
    pub fn drain(&mut self) {
        self.dismiss(CloseReason::Shutdown, |_, _, member| !member.is_stream());
    }

    /// Of the inputs that are open for prefetches alone, keeps the `most` that were joined last.
    pub fn bound_prefetches(&mut self, most: usize) {
        let only = self.iter().filter(|(_, input)| input.is_only_prefetch());
        let mut only: Vec<_> = only.map(|(id, input)| (input.members.keys().max().copied(), id)).collect();
        only.sort_unstable();
        only.truncate(only.len().saturating_sub(most));
        for (_, id) in only {
            self.dismiss_prefetch(id, CloseReason::Superseded);
        }
    }

    /// The input of a member, if its pull has not ended.
    #[must_use]
    pub fn of(&self, member: Member) -> Option<InputId> {
        let mut open = self.iter().filter(|(_, input)| input.state == State::Open);
        open.find(|(_, input)| input.members.contains_key(&member)).map(|(id, _)| id)
    }

    /// An input that is not being closed.
    #[must_use]
    pub fn get(&self, id: InputId) -> Option<&Input> {
        self.inputs.get(&id).filter(|input| !input.is_closing())
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, id: InputId) -> Option<&mut Input> {
        self.inputs.get_mut(&id).filter(|input| !input.is_closing())
    }

    /// Every input that is not being closed.
    pub fn iter(&self) -> impl Iterator<Item = (InputId, &Input)> {
        self.inputs.iter().map(|(&id, input)| (id, input)).filter(|(_, input)| !input.is_closing())
    }

    /// Whether there is no input, not even one that is being closed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }

    /// Every input that is being closed, with the streams that were among its last members.
    pub fn closing(&self) -> impl Iterator<Item = (InputId, &[StreamId])> {
        self.inputs.iter().filter_map(|(&id, input)| match &input.state {
            State::Closing { last } => Some((id, last.as_slice())),
            State::Open | State::Ended => None,
        })
    }

    /// Whether there is anything to do.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// The next thing to do.
    pub fn poll_change(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    fn find_or_open(&mut self, wanted: &Wanted) -> Result<(InputId, bool), Busy> {
        let mut busy = Busy { allowed: 0 };
        if let Some(lineup) = &wanted.lineup {
            let key = InputKey::Lineup(lineup.channel.clone());
            if let Some(open) = self.open_with(&key) {
                return Ok((open, false));
            }
            if lineup.may_open {
                match self.connect(&lineup.playlists) {
                    Ok((id, playlist)) => return Ok((self.open(id, key, Some(playlist)), true)),
                    Err(full) => busy = full,
                }
            }
        }
        let key = InputKey::Tap(wanted.tap.clone().ok_or(busy)?);
        Ok(match self.open_with(&key) {
            Some(open) => (open, false),
            None => {
                let id = InputId(self.number());
                (self.open(id, key, None), true)
            }
        })
    }

    fn open_with(&self, key: &InputKey) -> Option<InputId> {
        self.iter().find(|(_, input)| input.key == *key && input.state == State::Open).map(|(id, _)| id)
    }

    /// A new input's name, and the first of `playlists` that has a connection left for it.
    fn connect(&mut self, playlists: &[usize]) -> Result<(InputId, usize), Busy> {
        let id = InputId(self.number());
        let mut busy = Busy { allowed: 0 };
        for &playlist in playlists {
            match self.connections.take(playlist, id) {
                Ok(()) => return Ok((id, playlist)),
                Err(full) => busy = full,
            }
        }
        Err(busy)
    }

    /// Opens an input; it takes over the members of the one before it.
    fn open(&mut self, id: InputId, key: InputKey, playlist: Option<usize>) -> InputId {
        let same = self.inputs.iter_mut().filter(|(_, input)| input.key == key);
        let predecessor = same.map(|(&id, input)| (id, input)).next_back();
        let replaces = predecessor.as_ref().map(|(id, _)| *id);
        let mut input = Input::new(key, playlist);
        if let Some((before, predecessor)) = predecessor
            && !predecessor.is_closing()
        {
            input.members = std::mem::take(&mut predecessor.members);
            input.accounts = std::mem::take(&mut predecessor.accounts);
            predecessor.state = State::Closing { last: Vec::new() };
            self.changes.push_back(Change::Close { input: before, reason: CloseReason::Replaced });
        }
        self.inputs.insert(id, input);
        self.changes.push_back(Change::Open { input: id, replaces });
        id
    }

    fn disconnect(&mut self, id: InputId) {
        if let Some(playlist) = self.inputs.get_mut(&id).and_then(|input| input.playlist.take()) {
            self.connections.give_back(playlist, &id);
        }
    }

    /// Ends memberships; an input that thereby loses its last member is closed for `reason`.
    fn dismiss(&mut self, reason: CloseReason, is_meant: impl Fn(InputId, &Stay, Member) -> bool) {
        for (&id, input) in &mut self.inputs {
            if input.is_closing() {
                continue;
            }
            let streams = input.streams();
            let before = input.members.len();
            input.members.retain(|&member, stay| !is_meant(id, stay, member));
            if input.members.is_empty() && before > 0 {
                input.state = State::Closing { last: streams };
                self.changes.push_back(Change::Close { input: id, reason });
            }
        }
    }
}
