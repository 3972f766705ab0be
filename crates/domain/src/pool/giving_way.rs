//! Who gives way when there is too little of something: one order for slots, tuners, connections and memory.
//!
//! First goes what was left longest ago, for zapping back is the commonest zap. A channel that a viewer has just opened
//! goes last, since that viewer is about to ask for it. What somebody watches or reads never goes; a suspect still
//! watches: its silence may be a gap in its network, and it would come back to find its stream gone.

use super::Pool;
use crate::inputs::Input;
use crate::key::{InputId, StreamId};
use crate::reason::{CloseReason, StopReason};
use crate::time::Timestamp;

/// Something that runs for nobody. The order is that in which things give way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Spare {
    is_expected: bool,
    /// When the last who used it left.
    since: Timestamp,
    /// The streams that would be stopped.
    streams: Vec<StreamId>,
    /// The input that would be closed, with its last stream if it has any.
    input: Option<InputId>,
}

/// For which of the shortages something gives way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shortage {
    Slot,
    Tuner,
    Memory,
}

impl Pool {
    /// Stops the idle stream that was left longest ago; says whether there was one.
    pub(super) fn free_slot(&mut self) -> bool {
        let streams = self.spare_streams(|_| true).collect();
        self.give_way(streams, Shortage::Slot)
    }

    /// Frees a tuner: a channel that nobody watches, reads or has just opened goes, with all that is made of it.
    pub(super) fn free_tuner(&mut self) {
        let streams = self.spare_streams(|stream| self.input_of(stream).is_none());
        let inputs = self.spare_inputs(Input::is_open);
        let spare = streams.chain(inputs).collect();
        self.give_way(spare, Shortage::Tuner);
    }

    /// Frees a connection of one of `playlists`.
    pub(super) fn free_connection(&mut self, playlists: &[usize]) {
        let has_one = |input: &Input| input.playlist().is_some_and(|playlist| playlists.contains(&playlist));
        let spare = self.spare_inputs(|input| has_one(input) && !input.is_expected()).collect();
        self.give_way(spare, Shortage::Tuner);
    }

    /// Frees memory: an idle stream goes, or an input from which nothing is made. Says whether there was any.
    pub(super) fn free_memory(&mut self) -> bool {
        let unmade = self.spare_inputs(|input| input.streams().is_empty());
        let spare = self.spare_streams(|_| true).chain(unmade).collect();
        self.give_way(spare, Shortage::Memory)
    }

    fn give_way(&mut self, spare: Vec<Spare>, shortage: Shortage) -> bool {
        let Some(Spare { streams, input, .. }) = spare.into_iter().min() else { return false };
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

    fn spare_streams(&self, suits: impl Fn(StreamId) -> bool) -> impl Iterator<Item = Spare> {
        let idle = self.streams.keys().filter_map(|&id| Some((id, self.idle_since(id)?)));
        idle.filter(move |(id, _)| suits(*id)).map(|(id, since)| Spare {
            is_expected: false,
            since,
            streams: vec![id],
            input: None,
        })
    }

    /// Inputs that nobody reads, and from which nothing is made that anybody watches.
    fn spare_inputs(&self, suits: impl Fn(&Input) -> bool) -> impl Iterator<Item = Spare> {
        self.inputs.iter().filter(move |(_, input)| suits(input) && !input.is_read()).filter_map(
            |(id, input)| {
                let streams = input.streams();
                let idle: Option<Vec<_>> = streams.iter().map(|&stream| self.idle_since(stream)).collect();
                let since = idle?.into_iter().chain(input.left_at()).max().unwrap_or_default();
                Some(Spare { is_expected: input.is_expected(), since, streams, input: Some(id) })
            },
        )
    }
}
