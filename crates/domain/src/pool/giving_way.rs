//! Chooses the stream or input that is evicted when slots, tuners, connections, memory or CPU time run short, in one order for all.
//!
//! Of the candidates that matter least to those who watched them (`clients::Priority`), the one that is worth least is evicted first
//! (docs/worth.md); where that is not reckoned, the one that was left longest ago, since viewers mostly zap back to the previous channel. A channel that a viewer has just opened comes last, since that viewer is about to request it. A stream or input that somebody
//! watches or reads is never evicted. A suspect consumer still counts as watching: its silence may be a gap in its network.

use std::collections::BTreeMap;

use super::Pool;
use crate::clients::Priority;
use crate::inputs::{Input, InputKey};
use crate::key::{InputId, MediaSourceId, StreamId};
use crate::pool::stream::Stream;
use crate::produce::ProductionMethod;
use crate::reason::{CloseReason, StopReason};
use crate::time::Timestamp;
use crate::tuners::{Occupancy, Scope};

/// A stream or an input that nobody uses. Candidates are ordered by eviction, the first to go being the least.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    has_prefetch: bool,
    /// That of the most important of its streams.
    priority: Priority,
    /// What its channel is worth, in billionths; 0 where that is not reckoned.
    worth: i64,
    /// When its last viewer or reader left.
    since: Timestamp,
    /// The streams that are stopped with it.
    streams: Vec<StreamId>,
    /// The inputs that are closed, each after its last stream if it has any.
    inputs: Vec<InputId>,
}

/// The resource that has run short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shortage {
    Slot,
    /// A tuner of the server, or a connection of the provider.
    Tuner,
    /// A tuner of the server, for a recording.
    Recording,
    /// A tuner of the server, which stays free.
    Reserve,
    /// A tuner of the server, or a connection of the provider, which there is not.
    TunerLimit,
    Memory,
}

impl Pool {
    /// Stops the idle stream that was left longest ago. Returns false if no stream is idle.
    pub(super) fn free_slot(&mut self) -> bool {
        let streams = self.idle_streams(|_| true).collect();
        self.evict_first(streams, Shortage::Slot)
    }

    /// Frees a tuner of those in `scope` for `wanted`, if that is known: closes a channel that is open for nobody, and stops its streams.
    /// Returns false if there is none. Where nobody tells the number of tuners, a connection of the provider may be what is short, so
    /// that its idle inputs are candidates too.
    pub(super) fn free_tuner(
        &mut self,
        shortage: Shortage,
        scope: Scope,
        wanted: Option<&MediaSourceId>,
        now: Timestamp,
    ) -> bool {
        let open = self.occupancy(now);
        let mut candidates = self.idle_channels(&open, scope, now);
        let is_any = shortage == Shortage::Tuner && !self.tuners.is_limit_told(&open, wanted);
        let provider = self.tuners.provider_of(scope);
        candidates.extend(self.idle_inputs(|input| {
            let is_one = is_any || (provider.is_some() && input.playlist() == provider);
            is_one && input.is_open() && matches!(input.key(), InputKey::Lineup(_))
        }));
        let is_freed = self.evict_first(candidates, shortage);
        self.tally.recordings_helped += u64::from(is_freed && shortage == Shortage::Recording);
        is_freed
    }

    /// Whether a connection of one of `playlists` is free, is being freed, or would be freed by `free_connection`.
    #[must_use]
    pub fn can_free_connection(&self, playlists: &[usize], now: Timestamp) -> bool {
        !self.closing().is_empty()
            || playlists
                .iter()
                .any(|&playlist| self.inputs.connections().has_left(playlist) && self.has_room(playlist, now))
            || !self.connections_for_nobody(playlists, now).is_empty()
    }

    /// Frees a connection of one of `playlists`: closes an idle input without prefetches, and stops its streams. Where the server has
    /// taken the connections, an idle channel goes that the gateway has open there.
    pub(super) fn free_connection(&mut self, playlists: &[usize], now: Timestamp) {
        let candidates = self.connections_for_nobody(playlists, now);
        self.evict_first(candidates, Shortage::Tuner);
    }

    fn connections_for_nobody(&self, playlists: &[usize], now: Timestamp) -> Vec<Candidate> {
        let has_one = |input: &Input| input.playlist().is_some_and(|playlist| playlists.contains(&playlist));
        let mut candidates: Vec<_> =
            self.idle_inputs(|input| has_one(input) && !input.has_prefetch()).collect();
        let of_server = playlists.iter().filter(|&&playlist| self.inputs.connections().has_left(playlist));
        let scopes: Vec<_> =
            of_server.flat_map(|&playlist| self.tuners.scopes_of_provider(playlist)).collect();
        if !scopes.is_empty() {
            let open = self.occupancy(now);
            let channels = scopes.into_iter().flat_map(|scope| self.idle_channels(&open, scope, now));
            candidates.extend(channels.filter(|channel| !channel.has_prefetch));
        }
        candidates
    }

    /// The provider of `playlist` allows so many connections (0: any number): closes idle inputs without prefetches that have more,
    /// and stops their streams.
    pub(super) fn keep_to_connections(&mut self, playlist: usize, allowed: u32) {
        let of_playlist = |input: &Input| input.playlist() == Some(playlist);
        let is_open = |input: &Input| of_playlist(input) && !self.is_deserted(input);
        let open = self.inputs.iter().filter(|(_, input)| is_open(input)).count();
        let excess = if allowed == 0 { 0 } else { open.saturating_sub(allowed as usize) };
        for _ in 0..excess {
            let idle = self.idle_inputs(|input| of_playlist(input) && !input.has_prefetch()).collect();
            self.evict_first(idle, Shortage::TunerLimit);
        }
    }

    /// Frees memory: stops an idle stream, or closes an idle input that has no streams. Returns false if there is neither.
    pub(super) fn free_memory(&mut self) -> bool {
        let unmade = self.idle_inputs(|input| input.streams().is_empty());
        let candidates = self.idle_streams(|_| true).chain(unmade).collect();
        self.evict_first(candidates, Shortage::Memory)
    }

    /// The stream whose encoding is the first to end for want of CPU time: of those that nobody watches, the one that was left
    /// longest ago.
    pub(super) fn idle_encoding(&self) -> Option<StreamId> {
        let encodes = |id: StreamId| self.streams.get(&id).is_some_and(Stream::encodes);
        self.idle_streams(encodes).min()?.streams.pop()
    }

    fn evict_first(&mut self, candidates: Vec<Candidate>, shortage: Shortage) -> bool {
        let Some(Candidate { streams, inputs, .. }) = candidates.into_iter().min() else { return false };
        let (stop, close) = match shortage {
            Shortage::Slot => (StopReason::Evicted, CloseReason::Unneeded),
            Shortage::Tuner => (StopReason::TunerNeeded, CloseReason::TunerNeeded),
            Shortage::Recording => (StopReason::Recording, CloseReason::Recording),
            Shortage::Reserve => (StopReason::Reserve, CloseReason::Reserve),
            Shortage::TunerLimit => (StopReason::TunerLimit, CloseReason::TunerLimit),
            Shortage::Memory => (StopReason::Memory, CloseReason::Memory),
        };
        streams.into_iter().for_each(|stream| self.stop(stream, stop));
        inputs.into_iter().for_each(|input| self.inputs.dismiss_absent(input, close));
        true
    }

    fn idle_streams(&self, suits: impl Fn(StreamId) -> bool) -> impl Iterator<Item = Candidate> {
        let idle = self.streams.keys().filter_map(|&id| Some((id, self.idle_since(id)?)));
        idle.filter(move |(id, _)| suits(*id)).map(|(id, since)| Candidate {
            priority: self.priority_of(&[id]),
            worth: self.worth_of(&[id]),
            since,
            streams: vec![id],
            ..Candidate::default()
        })
    }

    /// The inputs that no client reads and none of whose streams is watched.
    fn idle_inputs(&self, suits: impl Fn(&Input) -> bool) -> impl Iterator<Item = Candidate> {
        self.inputs.iter().filter(move |(_, input)| suits(input) && !input.is_read()).filter_map(
            |(id, input)| {
                let streams = input.streams();
                let idle: Option<Vec<_>> = streams.iter().map(|&stream| self.idle_since(stream)).collect();
                let since = idle?.into_iter().chain(input.left_at()).max().unwrap_or_default();
                let ahead = self.warmed_up_from(id).map(|item| self.foresight.ranked(&item));
                let worth = self.worth_of(&streams).max(ahead.unwrap_or_default());
                let priority = self.priority_of(&streams);
                Some(Candidate {
                    has_prefetch: input.has_prefetch(),
                    priority,
                    worth,
                    since,
                    streams,
                    inputs: vec![id],
                })
            },
        )
    }

    /// The channels that are open on tuners in `scope` for nobody, each with all that is made of it, except those that are about to
    /// be recorded.
    fn idle_channels(&self, open: &Occupancy, scope: Scope, now: Timestamp) -> Vec<Candidate> {
        let idle = open.idle().filter(|source| {
            self.tuners.is_in(scope, source) && !self.tuners.is_about_to_record(source, open, now)
        });
        let mut channels: BTreeMap<&MediaSourceId, Candidate> =
            idle.map(|source| (source, Candidate::default())).collect();
        for (&id, stream) in &self.streams {
            if stream.producer.method() == ProductionMethod::Adopted
                && let Some(since) = self.idle_since(id)
                && let Some(channel) = channels.get_mut(&stream.key.channel.source)
            {
                channel.since = channel.since.max(since);
                channel.streams.push(id);
            }
        }
        for (id, input, tapped) in self.inputs.taps().filter(|(_, input, _)| !input.is_closing()) {
            let Some(channel) = channels.get_mut(&tapped.source) else { continue };
            let streams = input.streams();
            let left = streams.iter().filter_map(|&stream| self.idle_since(stream)).chain(input.left_at());
            channel.since = left.chain([channel.since]).max().unwrap_or_default();
            channel.has_prefetch |= input.has_prefetch();
            channel.streams.extend(streams);
            channel.inputs.push(id);
        }
        let priced = channels.into_values().map(|channel| Candidate {
            priority: self.priority_of(&channel.streams),
            worth: self.worth_of(&channel.streams),
            ..channel
        });
        priced.collect()
    }

    /// What the channel of these streams is worth; most of all one that a client has just opened.
    fn worth_of(&self, streams: &[StreamId]) -> i64 {
        let channels = streams.iter().filter_map(|id| Some(&self.streams.get(id)?.key.channel));
        let worth = channels.map(|channel| {
            if self.limits.thrift.is_some() && self.is_opened(channel) {
                i64::MAX
            } else {
                self.foresight.ranked(&channel.item)
            }
        });
        worth.max().unwrap_or_default()
    }

    /// The priority of the most important of these streams; the usual one where there is none.
    fn priority_of(&self, streams: &[StreamId]) -> Priority {
        let priorities = streams.iter().filter_map(|id| Some(self.streams.get(id)?.legacy.priority()));
        priorities.max().unwrap_or_default()
    }
}
