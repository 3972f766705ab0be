//! What runs: how a stream's life goes on, and which one goes when there is too little of something.

use std::time::Duration;

use super::Pool;
use crate::inputs::Member;
use crate::key::{ItemId, StreamId};
use crate::pool::api::{Action, Output};
use crate::pool::stream::Stream;
use crate::produce::ProductionMethod;
use crate::producer::State;
use crate::reason::{Failure, StopReason};
use crate::time::Timestamp;

impl Pool {
    /// The streams that are not being given back.
    #[must_use]
    pub fn running(&self) -> Vec<StreamId> {
        self.streams.iter().filter(|(_, stream)| !stream.producer.is_retiring()).map(|(&id, _)| id).collect()
    }

    /// Since when nobody watches a stream; `None` if somebody does, or if it is being given back.
    pub(super) fn idle_since(&self, id: StreamId) -> Option<Timestamp> {
        let stream = self.streams.get(&id)?;
        (!stream.producer.is_retiring() && !self.is_watched(id)).then_some(stream.watched_at)
    }

    /// How long it may be without viewers.
    fn patience(&self, stream: &Stream) -> Duration {
        match stream.producer.method() {
            ProductionMethod::Own => self.limits.warm_feed,
            ProductionMethod::Adopted => self.limits.idle_timeout,
        }
    }

    /// When a stream that nobody watches costs too much to go on as it does.
    pub(super) fn cooler_at(&self, id: StreamId) -> Option<Timestamp> {
        let since = self.idle_since(id)?;
        let stream = self.streams.get(&id)?;
        let encodes = stream.encoded && stream.producer.state() == State::Live;
        let patience = self.patience(stream);
        Some(since + if encodes { patience.min(self.limits.warm_encode) } else { patience })
    }

    /// One tier down, for a stream that nobody has watched for long: from encoding to its input alone, then to nothing.
    pub(super) fn cool_down(&mut self, id: StreamId, now: Timestamp) {
        if self.cooler_at(id).is_none_or(|at| at > now) {
            return;
        }
        let (Some(since), Some(stream)) = (self.idle_since(id), self.streams.get(&id)) else { return };
        if since + self.patience(stream) <= now {
            self.stop(id, StopReason::Idle);
        } else if let Some(stream) = self.streams.get_mut(&id)
            && stream.producer.rest()
        {
            let generation = stream.producer.generation();
            self.actions.push_back(Action::Rest(id));
            if self.inputs.of(Member::Stream(id)).is_none() {
                self.failed(id, generation, Failure::Gone, now);
            }
        }
    }

    /// Goes on with a stream that rests, for there is somebody again.
    pub(super) fn wake(&mut self, id: StreamId) {
        let rests = self.streams.get(&id).is_some_and(|stream| stream.producer.state() == State::Resting);
        if rests && self.is_watched(id) {
            self.restart(id);
        }
    }

    fn restart(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let generation = stream.producer.restart();
        let method = stream.producer.method();
        self.actions.push_back(Action::Start { stream: id, generation, method });
        self.tally.starts += 1;
    }

    pub(super) fn segment_ready(&mut self, id: StreamId, generation: u32, output: Output) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        stream.producer.produced(generation);
        stream.target.get_or_insert(output.target);
        stream.written += output.written;
        stream.held = output.held;
        stream.encoded = output.encoded;
        if stream.producer.method() == ProductionMethod::Adopted {
            self.inputs.leave(id);
        }
        self.bound_disk();
        self.bound_memory();
    }

    pub(super) fn failed(&mut self, id: StreamId, generation: u32, failure: Failure, now: Timestamp) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let method = stream.producer.method();
        if !stream.producer.failed(generation, failure, now) {
            return;
        }
        if method == ProductionMethod::Adopted {
            // The server's files of that generation are gone with it.
            stream.written = 0;
        } else if stream.producer.method() == ProductionMethod::Adopted {
            let how = (failure, stream.target.is_some());
            self.failed_attempts.note(stream.key.clone(), stream.accounts.clone(), how, now);
        }
        *self.tally.failures.entry(failure).or_default() += 1;
        if self.is_watched(id) {
            self.retry_or_give_up(id, now);
        } else {
            self.stop(id, StopReason::Failed);
        }
    }

    pub(super) fn retry_or_give_up(&mut self, id: StreamId, now: Timestamp) {
        let watched = self.is_watched(id);
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if stream.producer.retry_at().is_none_or(|at| at > now) {
            return;
        }
        let never_worked = stream.target.is_none() && stream.producer.refusals() >= self.limits.failures;
        if !watched || never_worked {
            self.stop(id, StopReason::Failed);
        } else {
            self.restart(id);
        }
    }

    /// The generations of a stopped stream have given back everything; it is gone once the input is that it leaves.
    pub(super) fn released(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id).filter(|stream| stream.producer.is_retiring()) else {
            return;
        };
        stream.released = true;
        self.inputs.leave(id);
        self.forget_released();
    }

    /// Forgets the streams that have nothing open any more.
    pub(super) fn forget_released(&mut self) {
        let waits = |id| self.inputs.closing().any(|(_, last)| last.contains(&id));
        let released = self.streams.iter().filter(|&(&id, stream)| stream.released && !waits(id));
        for id in released.map(|(&id, _)| id).collect::<Vec<_>>() {
            self.streams.remove(&id);
            self.crowd.remove_stream(id);
            self.actions.push_back(Action::Forget(id));
        }
    }

    pub(super) fn stop(&mut self, id: StreamId, reason: StopReason) {
        match reason {
            StopReason::Idle
            | StopReason::Evicted
            | StopReason::TunerNeeded
            | StopReason::DiskBudget
            | StopReason::Memory => debug_assert!(!self.is_watched(id), "a viewer would be cut"),
            StopReason::Failed | StopReason::LoggedOut | StopReason::Shutdown => {}
        }
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if stream.producer.stop(reason) {
            self.crowd.remove_stream(id);
            self.actions.push_back(Action::Stop { stream: id, reason });
            *self.tally.stopped.entry(reason).or_default() += 1;
        }
    }

    /// Whoever opens a channel is about to watch it: its stream is not the one to go.
    pub(super) fn opening(&mut self, item: &ItemId, now: Timestamp) {
        for stream in self.streams.values_mut().filter(|stream| stream.key.channel.item == *item) {
            stream.watched_at = now;
        }
    }
}
