//! Chooses the stream or input that is evicted when slots, tuners, connections or memory run short, in one order for all four.
//!
//! The candidate that was left longest ago is evicted first, since viewers mostly zap back to the previous channel. A channel
//! that a viewer has just opened comes last, since that viewer is about to request it. A stream or input that somebody
//! watches or reads is never evicted. A suspect consumer still counts as watching: its silence may be a gap in its network.

use super::Pool;
use crate::inputs::Input;
use crate::key::{InputId, StreamId};
use crate::reason::{CloseReason, StopReason};
use crate::time::Timestamp;

/// A stream or an input that nobody uses. Candidates are ordered by eviction, the first to go being the least.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    has_prefetch: bool,
    /// When its last viewer or reader left.
    since: Timestamp,
    /// The streams that are stopped with it.
    streams: Vec<StreamId>,
    /// The input that is closed, after its last stream if it has any.
    input: Option<InputId>,
}

/// The resource that has run short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shortage {
    Slot,
    Tuner,
    Memory,
}

impl Pool {
    /// Stops the idle stream that was left longest ago. Returns false if no stream is idle.
    pub(super) fn free_slot(&mut self) -> bool {
        let streams = self.idle_streams(|_| true).collect();
        self.evict_first(streams, Shortage::Slot)
    }

    /// Frees a tuner: stops an idle stream that has no input, or closes an idle input and stops its streams.
    pub(super) fn free_tuner(&mut self) {
        let streams = self.idle_streams(|stream| self.input_of(stream).is_none());
        let inputs = self.idle_inputs(Input::is_open);
        let candidates = streams.chain(inputs).collect();
        self.evict_first(candidates, Shortage::Tuner);
    }

    /// Frees a connection of one of `playlists`: closes an idle input without prefetches, and stops its streams.
    pub(super) fn free_connection(&mut self, playlists: &[usize]) {
        let has_one = |input: &Input| input.playlist().is_some_and(|playlist| playlists.contains(&playlist));
        let candidates = self.idle_inputs(|input| has_one(input) && !input.has_prefetch()).collect();
        self.evict_first(candidates, Shortage::Tuner);
    }

    /// Frees memory: stops an idle stream, or closes an idle input that has no streams. Returns false if there is neither.
    pub(super) fn free_memory(&mut self) -> bool {
        let unmade = self.idle_inputs(|input| input.streams().is_empty());
        let candidates = self.idle_streams(|_| true).chain(unmade).collect();
        self.evict_first(candidates, Shortage::Memory)
    }

    fn evict_first(&mut self, candidates: Vec<Candidate>, shortage: Shortage) -> bool {
        let Some(Candidate { streams, input, .. }) = candidates.into_iter().min() else { return false };
        let (stop, close) = match shortage {
            Shortage::Slot => (StopReason::Evicted, CloseReason::Unneeded),
            Shortage::Tuner => (StopReason::TunerNeeded, CloseReason::TunerNeeded),
            Shortage::Memory => (StopReason::Memory, CloseReason::Memory),
        };
        streams.into_iter().for_each(|stream| self.stop(stream, stop));
        if let Some(input) = input {
            self.inputs.dismiss_absent(input, close);
        }
        true
    }

    fn idle_streams(&self, suits: impl Fn(StreamId) -> bool) -> impl Iterator<Item = Candidate> {
        let idle = self.streams.keys().filter_map(|&id| Some((id, self.idle_since(id)?)));
        idle.filter(move |(id, _)| suits(*id)).map(|(id, since)| Candidate {
            has_prefetch: false,
            since,
            streams: vec![id],
            input: None,
        })
    }

    /// The inputs that no client reads and none of whose streams is watched.
    fn idle_inputs(&self, suits: impl Fn(&Input) -> bool) -> impl Iterator<Item = Candidate> {
        self.inputs.iter().filter(move |(_, input)| suits(input) && !input.is_read()).filter_map(
            |(id, input)| {
                let streams = input.streams();
                let idle: Option<Vec<_>> = streams.iter().map(|&stream| self.idle_since(stream)).collect();
                let since = idle?.into_iter().chain(input.left_at()).max().unwrap_or_default();
                Some(Candidate { has_prefetch: input.has_prefetch(), since, streams, input: Some(id) })
            },
        )
    }
}
