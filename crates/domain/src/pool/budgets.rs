//! What streams and their inputs may take, all together: memory here, and disk at the server. What somebody watches or reads
//! is never taken from.

use super::Pool;
use crate::key::{InputId, StreamId};
use crate::pool::seam::{Action, Claim, Input};
use crate::reason::StopReason;

/// What nobody uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Idle {
    Stream(StreamId),
    /// With all that is made of it.
    Input(InputId),
}

impl Pool {
    /// These inputs are open, and no others.
    pub(super) fn inputs(&mut self, inputs: Vec<Input>) {
        self.inputs = inputs.into_iter().map(|input| (input.id, input)).collect();
        self.bound_disk();
        self.bound_memory();
    }

    /// What nobody uses may not fill the server's disk: what has most there goes first. An input is written once, however many
    /// streams are made of it.
    pub(super) fn bound_disk(&mut self) {
        loop {
            let streams = self.streams.iter().filter(|(id, _)| self.idle_since(**id).is_some());
            let streams = streams.map(|(&id, stream)| (stream.written, Idle::Stream(id)));
            let inputs = self.inputs.values().filter(|input| self.is_idle(input));
            let inputs = inputs.map(|input| (input.written, Idle::Input(input.id)));
            let idle: Vec<_> = streams.chain(inputs).filter(|(written, _)| *written > 0).collect();
            let written: u64 = idle.iter().map(|(written, _)| written).sum();
            match idle.into_iter().max() {
                Some((_, largest)) if written > self.limits.disk_budget => {
                    self.let_go(largest, StopReason::DiskBudget);
                }
                Some(_) | None => return,
            }
        }
    }

    /// Windows and inputs may not outgrow the memory: what is idle goes, then what watched streams keep beyond their lists.
    pub(super) fn bound_memory(&mut self) {
        while self.held() > self.limits.memory && self.free_memory() {}
        if self.held() > self.limits.memory {
            self.actions.extend(self.running().into_iter().map(Action::Shed));
        }
    }

    /// Lets go of what is missed least; says whether there was anything. Whoever has opened a channel is about to ask.
    pub(super) fn free_memory(&mut self) -> bool {
        self.close_unmade(Claim::Left)
            || self.free_slot(StopReason::Memory)
            || self.close_unmade(Claim::Expected)
    }

    /// Bytes of windows and of inputs.
    pub(super) fn held(&self) -> u64 {
        let running = self.streams.values().filter(|stream| !stream.producer.is_retiring());
        let inputs = self.inputs.values().filter(|input| !self.is_closing(input));
        running.map(|stream| stream.held).chain(inputs.map(|input| input.held)).sum()
    }

    /// Closes the oldest input of which nothing is made, and which is only kept for such a `claim`.
    fn close_unmade(&mut self, claim: Claim) -> bool {
        let mut unmade = self.inputs.values().filter(|input| input.claim == claim && !self.is_made_of(input));
        let Some(oldest) = unmade.next().map(|input| input.id) else { return false };
        self.let_go(Idle::Input(oldest), StopReason::Memory);
        true
    }

    fn let_go(&mut self, idle: Idle, reason: StopReason) {
        match idle {
            Idle::Stream(stream) => self.stop(stream, reason),
            Idle::Input(input) => {
                let Some(Input { streams, claim, .. }) = self.inputs.remove(&input) else { return };
                streams.into_iter().for_each(|stream| self.stop(stream, reason));
                match claim {
                    // It goes with the last of its streams.
                    Claim::Nobody => {}
                    Claim::Left | Claim::Expected | Claim::Read => {
                        self.actions.push_back(Action::Close { input, reason });
                    }
                }
            }
        }
    }

    /// Whether nobody watches what is made of an input, nor reads it.
    fn is_idle(&self, input: &Input) -> bool {
        input.claim != Claim::Read
            && !input.streams.iter().any(|&stream| self.is_watched(stream))
            && !self.is_closing(input)
    }

    /// Whether it has been decided that an input goes.
    fn is_closing(&self, input: &Input) -> bool {
        input.claim == Claim::Nobody && !self.is_made_of(input)
    }

    fn is_made_of(&self, input: &Input) -> bool {
        let known = input.streams.iter().filter_map(|stream| self.streams.get(stream));
        known.into_iter().any(|stream| !stream.producer.is_retiring())
    }
}
