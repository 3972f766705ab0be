//! Lets streams, prefetches and readers join inputs, and handles the events that inputs report.

use std::time::Duration;

use super::Pool;
use crate::inputs::{InputKey, Joined, Member, ReaderId, Stay, Wanted};
use crate::key::{Channel, InputId, StreamId};
use crate::lineup::tuners::Busy;
use crate::pool::api::{Action, Closing, Open};
use crate::producer::State;
use crate::reason::{CloseReason, Failure};
use crate::time::Timestamp;
use crate::viewer::Account;

/// How long a prefetch keeps an input open. No player takes longer from opening a channel to its media playlist, although some
/// wait for the multivariant playlist in between.
const PREFETCH_TIMEOUT: Duration = Duration::from_secs(20);

impl Pool {
    /// Lets a stream join an input of its channel.
    ///
    /// # Errors
    /// The provider has no connection left, and the server shares no raw stream.
    pub fn join_input(&mut self, stream: StreamId, wanted: &Wanted, now: Timestamp) -> Result<Joined, Busy> {
        let wanted = self.with_room(wanted, now);
        let joined = self.inputs.join(Member::Stream(stream), Stay { since: now, until: None }, &wanted)?;
        let accounts = self.streams.get(&stream).map(|stream| stream.accounts.clone());
        if let Some(input) = self.inputs.get_mut(joined.input) {
            accounts.into_iter().flatten().for_each(|account| input.add_account(account));
        }
        Ok(joined)
    }

    /// Opens the input of a channel that a viewer of `account` has opened, before the viewer requests a stream of it. Returns
    /// `None` if a stream of the channel runs already, or if the gateway has recently failed to make one.
    pub fn prefetch(
        &mut self,
        channel: &Channel,
        account: Account,
        wanted: &Wanted,
        now: Timestamp,
    ) -> Option<Joined> {
        if self.draining || self.has_channel(channel) || self.failed_attempts.concern(channel, account, now) {
            return None;
        }
        let member = Member::Prefetch(self.inputs.number());
        let stay = Stay { since: now, until: Some(now + PREFETCH_TIMEOUT) };
        let joined = self.inputs.join(member, stay, &self.with_room(wanted, now)).ok()?;
        self.inputs.get_mut(joined.input)?.add_account(account);
        self.inputs.bound_prefetches(self.limits.slots);
        Some(joined)
    }

    /// Lets a client read the raw stream of an input.
    ///
    /// # Errors
    /// The provider has no connection left.
    pub fn read_input(&mut self, wanted: &Wanted, now: Timestamp) -> Result<(ReaderId, Joined), Busy> {
        if self.draining {
            return Err(Busy { allowed: 0 });
        }
        let reader = ReaderId(self.inputs.number());
        let wanted = self.with_room(wanted, now);
        let joined = self.inputs.join(Member::Reader(reader), Stay { since: now, until: None }, &wanted)?;
        Ok((reader, joined))
    }

    /// Moves an input to a connection of this playlist, before the input connects.
    ///
    /// # Errors
    /// Other inputs, or the server, occupy all connections of the playlist.
    pub fn move_connection(&mut self, input: InputId, playlist: usize, now: Timestamp) -> Result<(), Busy> {
        let has_one = self.inputs.get(input).is_none_or(|input| input.playlist() == Some(playlist));
        if !has_one && !self.has_room(playlist, now) {
            return Err(Busy { allowed: self.tuners.bound_of_provider(playlist).unwrap_or_default() });
        }
        self.inputs.move_connection(input, playlist)
    }

    /// Whether `playlist` allows any number of connections.
    #[must_use]
    pub fn is_unlimited(&self, playlist: usize) -> bool {
        self.inputs.connections().is_unlimited(playlist) && self.tuners.bound_of_provider(playlist).is_none()
    }

    /// What is wanted, without the playlists whose provider has no connection left beside those that the server has taken.
    pub(super) fn with_room(&self, wanted: &Wanted, now: Timestamp) -> Wanted {
        let mut wanted = wanted.clone();
        if let Some(lineup) = &mut wanted.lineup {
            lineup.playlists.retain(|&playlist| self.has_room(playlist, now));
        }
        wanted
    }

    pub(super) fn has_room(&self, playlist: usize, now: Timestamp) -> bool {
        self.tuners.bound_of_provider(playlist).is_none()
            || self.tuners.has_room_for_pull(playlist, &self.occupancy(now))
    }

    /// The open input that a stream is made from.
    #[must_use]
    pub fn input_of(&self, stream: StreamId) -> Option<InputId> {
        self.inputs.of(Member::Stream(stream))
    }

    /// Everything that is being closed: its tuner is not free yet.
    #[must_use]
    pub fn closing(&self) -> Closing {
        let retiring = self.streams.iter().filter(|(_, stream)| stream.producer.is_retiring());
        let streams = retiring.map(|(&id, _)| Open::Stream(id));
        let inputs = self.inputs.closing().map(|(id, _)| Open::Input(id));
        let openings = self.openings.closing().map(|(id, _)| Open::ClientOpening(id));
        let openings = openings.chain(self.asking.abandoned().map(Open::Asking));
        streams.chain(inputs).chain(openings).collect()
    }

    /// Whether nothing runs and nothing is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty() && self.inputs.is_empty()
    }

    pub(super) fn input_ended(&mut self, id: InputId, failure: Failure, now: Timestamp) {
        if let Some(input) = self.inputs.get(id)
            && let (InputKey::Tap(channel), Some(grew_at)) = (input.key(), input.grew_at())
        {
            self.channel_ended(channel.source.clone(), grew_at, failure, now);
        }
        let streams = self.inputs.get(id).map(|input| input.streams()).unwrap_or_default();
        if let Some(item) = self.warmed_up_from(id) {
            self.foresight.has_failed(&item, now);
        }
        self.inputs.ended(id);
        // A channel that comes to nothing is not tried again and again for nobody.
        self.inputs.dismiss_expected(id, CloseReason::Unneeded);
        for stream in streams {
            let resting = self.streams.get(&stream).map(|stream| stream.producer);
            // A running generation notices the end by itself, after it has read the rest of the data.
            if let Some(producer) = resting.filter(|producer| producer.state() == State::Resting) {
                self.failed(stream, producer.generation(), failure, now);
            }
        }
    }

    pub(super) fn input_closed(&mut self, id: InputId) {
        self.inputs.closed(id);
        self.own_openings.forget(Open::Input(id));
        self.actions.push_back(Action::ForgetInput(id));
        self.forget_released();
    }

    pub(super) fn input_grew(&mut self, id: InputId, held: u64, pulled: u64, now: Timestamp) {
        self.inputs.grew(id, held, pulled, now);
        self.bound_disk();
        self.bound_memory();
    }

    pub(super) fn reader_left(&mut self, reader: ReaderId, now: Timestamp) {
        if self.draining {
            // It does not come back here.
            self.inputs.dismiss_member(Member::Reader(reader), CloseReason::Shutdown);
            return;
        }
        self.inputs.linger(reader, Stay { since: now, until: Some(now + self.limits.warm_feed) });
    }

    /// Closes the prefetched inputs whose live stream only `account` can close, since its token is about to be revoked.
    pub(super) fn close_prefetched_by(&mut self, account: Account) {
        let only = self
            .inputs
            .iter()
            .filter(|(_, input)| input.is_only_prefetch() && input.is_released_only_by(account));
        for id in only.map(|(id, _)| id).collect::<Vec<_>>() {
            self.inputs.dismiss_prefetch(id, CloseReason::LoggedOut);
        }
    }

    fn has_channel(&self, channel: &Channel) -> bool {
        let mut running = self.streams.values().filter(|stream| !stream.producer.is_retiring());
        running.any(|stream| stream.key.channel == *channel)
    }
}
