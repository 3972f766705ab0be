//! Keeps the open inputs and their members: each channel is pulled once, however many streams and readers need it.
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
//! The members of an input are a set, so none can be counted twice. A member that is absent (a prefetch, or a reader that
//! left) expires at a deadline. An input occupies a connection of the provider's from before it connects until its pull has
//! ended. The module does not know which streams are watched, nor how an input is pulled.

mod closing;
mod input;
mod member;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::time::Duration;

use crate::key::{Channel, ChannelId, InputId, StreamId};
use crate::lineup::tuners::{Busy, Tuners};
use crate::reason::CloseReason;
use crate::time::Timestamp;
use crate::viewer::Account;

pub use crate::inputs::input::{Input, InputKey, State};
pub use crate::inputs::member::{Member, ReaderId, Stay};

/// The origins that a channel may be pulled from. The lineup is tried before the tap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The provider's channel.
    pub lineup: Option<LineupInput>,
    /// The channel whose raw stream the server shares.
    pub tap: Option<Channel>,
}

/// A channel of the lineup that may serve as an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineupInput {
    /// The channel.
    pub channel: ChannelId,
    /// The indices of the playlists of its sources, in the order in which they are tried.
    pub playlists: Vec<usize>,
    /// Whether an input may be opened; if not, one that is already open may still be joined.
    pub may_open: bool,
}

/// The input that a member has joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The input.
    pub input: InputId,
    /// The origin that the input is pulled from.
    pub key: InputKey,
    /// Whether the input is new and has to be opened.
    pub opens: bool,
}

/// A task for the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Open an input, once the input that it replaces is closed.
    Open {
        /// The new input.
        input: InputId,
        /// The input with the same key that is being closed.
        replaces: Option<InputId>,
    },
    /// Close an input.
    Close {
        /// The input.
        input: InputId,
        /// Why the input is closed.
        reason: CloseReason,
    },
}

/// All inputs, and the provider's connections that they occupy.
#[derive(Debug)]
pub struct Inputs {
    inputs: BTreeMap<InputId, Input>,
    connections: Tuners<InputId>,
    changes: VecDeque<Change>,
    /// The number that the next input, reader or prefetch gets.
    next: u64,
}

impl Inputs {
    /// No inputs yet. `connections` says how many each playlist of the provider allows (0: any number).
    #[must_use]
    pub fn new(connections: impl IntoIterator<Item = u32>) -> Self {
        Self {
            inputs: BTreeMap::new(),
            connections: Tuners::new(connections),
            changes: VecDeque::new(),
            next: 1,
        }
    }

    /// Adds `member` to an input of the channel: to its present input, or else to one that is open, or else to a new one. A
    /// stream thereby leaves every other input, and replaces the prefetches of this one.
    ///
    /// # Errors
    /// No input of the channel is open, and no origin has a connection left to open one.
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

    /// A new number for a reader or a prefetch.
    pub const fn number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }

    /// Moves an input to a connection of another playlist.
    ///
    /// # Errors
    /// Other inputs occupy all connections of `playlist`. The input then keeps its connection.
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

    /// The provider of `playlist` allows this many connections; 0: any number.
    pub fn allow_connections(&mut self, playlist: usize, allowed: u32) {
        self.connections.allow(playlist, allowed);
    }

    /// The connections to providers.
    #[must_use]
    pub const fn connections(&self) -> &Tuners<InputId> {
        &self.connections
    }

    /// Records that the pull of an input has ended by itself, and frees its connection. The members stay until they leave or
    /// a new input replaces it.
    pub fn ended(&mut self, id: InputId) {
        let Some(input) = self.inputs.get_mut(&id) else { return };
        if input.state == State::Open {
            input.state = State::Ended;
        }
        self.disconnect(id);
    }

    /// Removes an input that has closed everything it had open.
    pub fn closed(&mut self, id: InputId) {
        self.disconnect(id);
        self.inputs.remove(&id);
    }

    /// Records that an input holds `held` bytes of memory and has pulled `pulled` bytes since it was opened.
    pub fn grew(&mut self, id: InputId, held: u64, pulled: u64, now: Timestamp) {
        if let Some(input) = self.inputs.get_mut(&id) {
            if pulled > input.pulled {
                input.grew_at = Some(now);
            }
            (input.held, input.pulled) = (held, pulled);
        }
    }

    /// Removes a stream from its inputs.
    pub fn leave(&mut self, stream: StreamId) {
        self.dismiss(CloseReason::Unneeded, |_, _, member| member == Member::Stream(stream));
    }

    /// Records that a reader has left and may come back during `stay`.
    pub fn linger(&mut self, reader: ReaderId, stay: Stay) {
        for input in self.inputs.values_mut() {
            if input.members.remove(&Member::Reader(reader)).is_some() {
                input.members.insert(Member::Lingering(reader), stay);
            }
        }
    }

    /// Keeps inputs for readers that have left no longer than this from then on.
    pub fn shorten_stays(&mut self, longest: Duration) {
        self.inputs.values_mut().for_each(|input| input.shorten_stays(longest));
    }

    /// Removes every member whose stay is over.
    pub fn expire(&mut self, now: Timestamp) {
        self.dismiss(CloseReason::Unneeded, |_, stay, _| stay.until.is_some_and(|until| until <= now));
    }

    /// When the next member's stay is over.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        self.inputs.values().flat_map(|input| input.members.values()).filter_map(|stay| stay.until).min()
    }

    /// Removes the absent members of an input, and closes the input for `reason` if no other is left.
    pub fn dismiss_absent(&mut self, id: InputId, reason: CloseReason) {
        self.dismiss(reason, |of, _, member| of == id && member.is_absent());
    }

    /// Removes the prefetches of an input, and closes the input for `reason` if no other member is left.
    pub fn dismiss_prefetch(&mut self, id: InputId, reason: CloseReason) {
        self.dismiss(reason, |of, _, member| of == id && member.is_prefetch());
    }

    /// Expects no viewer at an input any more, and closes it for `reason` if no other member is left.
    pub fn dismiss_expected(&mut self, id: InputId, reason: CloseReason) {
        self.dismiss(reason, |of, _, member| of == id && member.is_expected());
    }

    /// Removes an account whose credential has been revoked.
    pub fn forget(&mut self, account: Account) {
        self.inputs.values_mut().for_each(|input| input.forget(account));
    }

    /// Keeps the `most` latest of the inputs whose members are all prefetches, and closes the rest.
    pub fn bound_prefetches(&mut self, most: usize) {
        let only = self.iter().filter(|(_, input)| input.is_only_prefetch());
        let mut only: Vec<_> = only.map(|(id, input)| (input.members.keys().max().copied(), id)).collect();
        only.sort_unstable();
        only.truncate(only.len().saturating_sub(most));
        for (_, id) in only {
            self.dismiss_prefetch(id, CloseReason::Superseded);
        }
    }

    /// The open input that `member` has joined.
    #[must_use]
    pub fn of(&self, member: Member) -> Option<InputId> {
        let mut open = self.iter().filter(|(_, input)| input.state == State::Open);
        open.find(|(_, input)| input.members.contains_key(&member)).map(|(id, _)| id)
    }

    /// The input with this id, unless it is being closed.
    #[must_use]
    pub fn get(&self, id: InputId) -> Option<&Input> {
        self.inputs.get(&id).filter(|input| !input.is_closing())
    }

    /// A mutable reference to the input with this id, unless it is being closed.
    pub fn get_mut(&mut self, id: InputId) -> Option<&mut Input> {
        self.inputs.get_mut(&id).filter(|input| !input.is_closing())
    }

    /// Every input that is not being closed.
    pub fn iter(&self) -> impl Iterator<Item = (InputId, &Input)> {
        self.after(None)
    }

    /// The same after this one.
    pub fn after(&self, after: Option<InputId>) -> impl Iterator<Item = (InputId, &Input)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let inputs = self.inputs.range((from, Bound::Unbounded)).map(|(&id, input)| (id, input));
        inputs.filter(|(_, input)| !input.is_closing())
    }

    /// Every input, those that are being closed included.
    pub fn all(&self) -> impl Iterator<Item = (InputId, &Input)> {
        self.inputs.iter().map(|(&id, input)| (id, input))
    }

    /// Every tap and its channel, those that are being closed included.
    pub fn taps(&self) -> impl Iterator<Item = (InputId, &Input, &Channel)> {
        self.inputs.iter().filter_map(|(&id, input)| match &input.key {
            InputKey::Tap(channel) => Some((id, input, channel)),
            InputKey::Lineup(_) => None,
        })
    }

    /// Whether there is no input at all, counting those that are being closed.
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

    /// Whether a change waits to be performed.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Takes the next change to perform.
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

    /// Takes a connection of the first of `playlists` that has one left, for a new input whose id is returned with it.
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

    /// Opens an input, which takes over the members of its predecessor with the same key.
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

    /// Removes the members for which `is_dismissed` is true, and closes for `reason` each input that has none left.
    fn dismiss(&mut self, reason: CloseReason, is_dismissed: impl Fn(InputId, &Stay, Member) -> bool) {
        for (&id, input) in &mut self.inputs {
            if input.is_closing() {
                continue;
            }
            let streams = input.streams();
            let before = input.members.len();
            input.members.retain(|&member, stay| !is_dismissed(id, stay, member));
            if input.members.is_empty() && before > 0 {
                input.state = State::Closing { last: streams };
                self.changes.push_back(Change::Close { input: id, reason });
            }
        }
    }
}
