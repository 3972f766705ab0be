//! What streams and their inputs may take, all together: memory here, and disk at the server. What somebody watches or reads
//! is never taken from.

use super::Pool;
use crate::inputs::Input;
use crate::key::{InputId, StreamId};
use crate::pool::api::Action;
use crate::reason::{CloseReason, StopReason};

/// What nobody uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Idle {
    Stream(StreamId),
    /// With all that is made of it.
    Input(InputId),
}

impl Pool {
    /// What nobody uses may not fill the server's disk: what has most there goes first. An input is written once, however many
    /// streams are made of it.
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
                    self.let_go(largest);
                }
                Some(_) | None => return,
            }
        }
    }

    /// Windows and inputs may not outgrow the memory: what is idle goes, then what watched streams keep beyond their lists.
    pub(super) fn bound_memory(&mut self) {
        while self.held() > self.limits.memory && self.free_memory() {}
        if self.held() > self.limits.memory {
            self.actions.extend(self.running().into_iter().map(Action::TrimWindow));
        }
    }

    /// Bytes of windows and of inputs.
    pub(super) fn held(&self) -> u64 {
        let running = self.streams.values().filter(|stream| !stream.producer.is_retiring());
        let inputs = self.inputs.iter().filter(|(_, input)| !self.is_deserted(input));
        running.map(|stream| stream.held).chain(inputs.map(|(_, input)| input.held())).sum()
    }

    fn let_go(&mut self, idle: Idle) {
        match idle {
            Idle::Stream(stream) => self.stop(stream, StopReason::DiskBudget),
            Idle::Input(input) => {
                let streams = self.inputs.get(input).map(Input::streams).unwrap_or_default();
                streams.into_iter().for_each(|stream| self.stop(stream, StopReason::DiskBudget));
                self.inputs.dismiss_absent(input, CloseReason::DiskBudget);
            }
        }
    }

    /// Whether nobody reads an input, nor watches what is made from it.
    fn is_idle(&self, input: &Input) -> bool {
        let watched = |stream: StreamId| self.is_watched(stream);
        !input.is_read() && !input.streams().into_iter().any(watched) && !self.is_deserted(input)
    }

    /// Whether an input has no member but streams that are being given back: it goes with the last of them.
    fn is_deserted(&self, input: &Input) -> bool {
        let runs =
            |stream: StreamId| self.streams.get(&stream).is_some_and(|stream| !stream.producer.is_retiring());
        !input.is_read()
            && !input.is_expected()
            && input.left_at().is_none()
            && !input.streams().into_iter().any(runs)
    }
}
