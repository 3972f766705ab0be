//! Bounds the memory of the gateway and the server's disk space that streams and inputs use together.
//!
//! A stream that is watched is never stopped, and an input that is read is never closed.

use super::Pool;
use crate::inputs::Input;
use crate::key::{InputId, StreamId};
use crate::pool::api::{Action, Limits};
use crate::reason::{CloseReason, StopReason};

/// A stream or an input that nobody uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Idle {
    Stream(StreamId),
    /// The input, with all streams that are made from it.
    Input(InputId),
}

impl Pool {
    /// Keeps to other limits from now on. What is over them and not watched goes; an opening that waits to be followed keeps its time.
    pub(super) fn keep_to(&mut self, limits: Limits) {
        self.limits = limits;
        self.tuners.set(limits.tuners);
        self.openings.be_patient_for(limits.unfollowed);
        self.inputs.shorten_stays(limits.warm_feed);
        self.bound_slots();
        self.bound_memory();
        self.bound_disk();
    }

    /// Stops idle streams and closes idle inputs, the largest on disk first, until the rest fit the disk budget. The server
    /// writes an input once, however many streams are made from it.
    pub(super) fn bound_disk(&mut self) {
        loop {
            let streams = self.streams.iter().filter(|(id, _)| self.idle_since(**id).is_some());
            let streams = streams.map(|(&id, stream)| (stream.written, Idle::Stream(id)));
            let inputs = self.inputs.iter().filter(|(_, input)| self.is_idle(input));
            let inputs = inputs.map(|(id, input)| (input.written(), Idle::Input(id)));
            let idle: Vec<_> = streams.chain(inputs).filter(|(written, _)| *written > 0).collect();
            let written: u64 = idle.iter().map(|(written, _)| written).sum();
            match idle.into_iter().max() {
                Some((_, largest)) if written > self.limits.disk_budget => {
                    self.evict_over_budget(largest);
                }
                Some(_) | None => return,
            }
        }
    }

    /// Evicts idle streams and inputs until windows and inputs fit the memory budget. If that is not enough, drops the segments
    /// of watched streams that no playlist lists any more.
    pub(super) fn bound_memory(&mut self) {
        while self.memory_used() > self.limits.memory && self.free_memory() {}
        if self.memory_used() > self.limits.memory {
            self.actions.extend(self.running().into_iter().map(Action::TrimWindow));
        }
    }

    /// Stops idle streams until there are no more than slots, which may have been lowered.
    pub(super) fn bound_slots(&mut self) {
        while self.running().len() > self.limits.slots && self.free_slot() {}
    }

    /// Bytes of memory that windows and inputs hold.
    pub(super) fn memory_used(&self) -> u64 {
        let running = self.streams.values().filter(|stream| !stream.producer.is_retiring());
        let inputs = self.inputs.iter().filter(|(_, input)| !self.is_deserted(input));
        running.map(|stream| stream.held).chain(inputs.map(|(_, input)| input.held())).sum()
    }

    fn evict_over_budget(&mut self, idle: Idle) {
        match idle {
            Idle::Stream(stream) => self.stop(stream, StopReason::DiskBudget),
            Idle::Input(input) => {
                let streams = self.inputs.get(input).map(Input::streams).unwrap_or_default();
                streams.into_iter().for_each(|stream| self.stop(stream, StopReason::DiskBudget));
                self.inputs.dismiss_absent(input, CloseReason::DiskBudget);
            }
        }
    }

    /// Whether no client reads an input and none of its streams is watched.
    fn is_idle(&self, input: &Input) -> bool {
        let watched = |stream: StreamId| self.is_watched(stream);
        !input.is_read() && !input.streams().into_iter().any(watched) && !self.is_deserted(input)
    }

    /// Whether all members of an input are retiring streams: the input closes with the last of them.
    pub(super) fn is_deserted(&self, input: &Input) -> bool {
        let runs =
            |stream: StreamId| self.streams.get(&stream).is_some_and(|stream| !stream.producer.is_retiring());
        !input.is_read()
            && !input.has_prefetch()
            && input.left_at().is_none()
            && input.expected_until().is_none()
            && !input.streams().into_iter().any(runs)
    }
}
