//! Moves streams through their life: starts, rests, restarts, stops and forgets them.
//!
//! It does not choose the stream that is evicted; `giving_way` does.

use super::Pool;
use crate::consumer::Presence;
use crate::inputs::Member;
use crate::key::{ItemId, StreamId};
use crate::pool::api::{Action, Open, Output};
use crate::pool::foresight::Remembered;
use crate::pool::legacy::Keep;
use crate::pool::pace::Pace;
use crate::pool::stream::Stream;
use crate::produce::ProductionMethod;
use crate::producer::State;
use crate::reason::{Failure, LeaveReason, StopReason};
use crate::time::Timestamp;

impl Pool {
    /// The streams that are not retiring.
    #[must_use]
    pub fn running(&self) -> Vec<StreamId> {
        self.streams.iter().filter(|(_, stream)| !stream.producer.is_retiring()).map(|(&id, _)| id).collect()
    }

    /// Since when nobody has watched a stream; `None` if somebody watches it, or if it is retiring.
    pub(super) fn idle_since(&self, id: StreamId) -> Option<Timestamp> {
        let stream = self.streams.get(&id)?;
        (!stream.producer.is_retiring() && !self.is_watched(id)).then_some(stream.watched_at)
    }

    /// How long a stream is kept without viewers.
    fn keep(&self, stream: &Stream) -> Keep {
        let usual = match stream.producer.method() {
            ProductionMethod::Own => self.limits.warm_feed,
            ProductionMethod::Adopted => self.limits.idle_timeout,
        };
        stream.legacy.keep(Keep { encoding: usual.min(self.limits.warm_encode), stream: usual })
    }

    /// When a stream that nobody watches is to rest or to stop; `None` for one that is pinned, too.
    pub(super) fn cool_down_at(&self, id: StreamId) -> Option<Timestamp> {
        let since = self.idle_since(id)?;
        let stream = self.streams.get(&id).filter(|stream| !stream.is_pinned)?;
        let keep = self.keep(stream);
        Some(since + if stream.encodes() { keep.encoding } else { keep.stream })
    }

    /// Ends the encoding of a stream that nobody has watched for as long as that is kept, and stops it after its idle limit.
    pub(super) fn cool_down(&mut self, id: StreamId, now: Timestamp) {
        if self.cool_down_at(id).is_none_or(|at| at > now) {
            return;
        }
        let (Some(since), Some(stream)) = (self.idle_since(id), self.streams.get(&id)) else { return };
        if since + self.keep(stream).stream <= now {
            self.stop(id, StopReason::Idle);
        } else {
            self.end_encoding(id, StopReason::Idle, now);
        }
    }

    /// Ends the encoding of a stream that nobody watches. A stream of the gateway's own keeps its input; one that the server
    /// makes is nothing without its job.
    pub(super) fn end_encoding(&mut self, id: StreamId, reason: StopReason, now: Timestamp) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        match stream.producer.method() {
            ProductionMethod::Adopted => self.stop(id, reason),
            ProductionMethod::Own if stream.producer.rest() => {
                let generation = stream.producer.generation();
                self.actions.push_back(Action::Rest { stream: id, reason });
                *self.tally.rested.entry(reason).or_default() += 1;
                if self.inputs.of(Member::Stream(id)).is_none() {
                    self.failed(id, generation, Failure::Gone, now);
                }
            }
            ProductionMethod::Own => {}
        }
    }

    /// Restarts a resting stream if somebody watches it again.
    pub(super) fn wake(&mut self, id: StreamId) {
        let rests = self.streams.get(&id).is_some_and(|stream| stream.producer.state() == State::Resting);
        if rests && self.is_watched(id) {
            self.restart(id);
        }
    }

    fn restart(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let generation = stream.producer.restart();
        stream.pace = None;
        let method = stream.producer.method();
        self.actions.push_back(Action::Start { stream: id, generation, method });
        self.tally.starts += 1;
    }

    pub(super) fn segment_ready(&mut self, id: StreamId, generation: u32, output: Output, now: Timestamp) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let begins = stream.producer.state() == State::Starting;
        stream.producer.produced(generation, output.duration);
        stream.target = Some(output.target);
        stream.grew_at = Some(now);
        stream.written += output.written;
        stream.held = output.held;
        stream.encoded = output.encoded;
        stream.pace = Some(Pace::after(stream.pace, output.duration, now));
        if stream.producer.method() == ProductionMethod::Adopted {
            self.inputs.leave(id);
        }
        self.bound_disk();
        self.bound_memory();
        if begins {
            self.has_begun(id, now);
        }
    }

    pub(super) fn failed(&mut self, id: StreamId, generation: u32, failure: Failure, now: Timestamp) {
        if let Some(stream) = self.streams.get(&id).filter(|stream| stream.is_adopted())
            && let Some((grew_at, target)) = stream.grew_at.zip(stream.target)
        {
            // The next segment would have come by then.
            self.channel_ended(stream.key.channel.source.clone(), grew_at + target, failure, now);
        }
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let method = stream.producer.method();
        if !stream.producer.failed(generation, failure, now) {
            return;
        }
        if method == ProductionMethod::Adopted {
            // The server deletes the files of the generation with its job.
            stream.written = 0;
        } else if stream.producer.method() == ProductionMethod::Adopted {
            let how = (failure, stream.target.is_some());
            let key = stream.key.clone();
            if let Some(until) = self.failed_attempts.note(key.clone(), stream.accounts.clone(), how, now) {
                self.foresight.tell(|| Remembered::Attempt(key, until));
            }
        }
        *self.tally.failures.entry(failure).or_default() += 1;
        if failure == Failure::Overlong {
            // No other generation keeps what the stream's list promises: its viewers begin another stream, whose list goes on.
            let going_on = self.crowd.of_stream(id).filter(|(_, consumer)| consumer.goes_on());
            let cut = going_on.map(|(_, consumer)| consumer.viewer().clone()).collect();
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.cut = cut;
            }
            self.stop(id, StopReason::Failed);
        } else if self.is_watched(id) {
            self.retry_or_give_up(id, now);
        } else {
            self.stop(id, StopReason::Failed);
        }
    }

    pub(super) fn retry_or_give_up(&mut self, id: StreamId, now: Timestamp) {
        let watched = self.is_watched(id);
        let is_frozen = self.is_frozen;
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if is_frozen || stream.producer.retry_at().is_none_or(|at| at > now) {
            return;
        }
        let never_worked = stream.target.is_none() && stream.producer.refusals() >= self.limits.failures;
        if !watched || never_worked {
            self.stop(id, StopReason::Failed);
        } else {
            self.restart(id);
        }
    }

    /// Records that the generations of a stopped stream have closed everything. The stream is forgotten once the input that it
    /// leaves is closed too.
    pub(super) fn released(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id).filter(|stream| stream.producer.is_retiring()) else {
            return;
        };
        stream.released = true;
        self.inputs.leave(id);
        self.forget_released();
    }

    /// Forgets the stopped streams whose generations and input are closed.
    pub(super) fn forget_released(&mut self) {
        let waits = |id| self.inputs.closing().any(|(_, last)| last.contains(&id));
        let released = self.streams.iter().filter(|&(&id, stream)| stream.released && !waits(id));
        for id in released.map(|(&id, _)| id).collect::<Vec<_>>() {
            self.streams.remove(&id);
            self.own_openings.forget(Open::Stream(id));
            self.crowd.remove_stream(id);
            self.actions.push_back(Action::Forget(id));
        }
    }

    pub(super) fn stop(&mut self, id: StreamId, reason: StopReason) {
        match reason {
            StopReason::Idle
            | StopReason::Evicted
            | StopReason::Outbid
            | StopReason::TunerNeeded
            | StopReason::Recording
            | StopReason::Reserve
            | StopReason::TunerLimit
            | StopReason::DiskBudget
            | StopReason::Memory
            | StopReason::Pressure => debug_assert!(!self.is_watched(id), "a viewer would be cut"),
            StopReason::Failed | StopReason::LoggedOut | StopReason::Shutdown | StopReason::Operator => {}
        }
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if stream.producer.stop(reason) {
            self.displace(id);
            self.crowd.remove_stream(id);
            self.actions.push_back(Action::Stop { stream: id, reason });
            *self.tally.stopped.entry(reason).or_default() += 1;
        }
    }

    /// A stream stops whose viewers' devices may have tuned away.
    fn displace(&mut self, id: StreamId) {
        let displaced = self.crowd.of_stream(id).filter_map(|(_, consumer)| {
            let Presence::Left { at, reason: LeaveReason::Zapped } = consumer.presence() else { return None };
            Some((
                consumer.viewer().clone(),
                at + self.terms(id, consumer.class(), consumer.list()).straggles(),
            ))
        });
        for (viewer, until) in displaced.collect::<Vec<_>>() {
            self.shared_devices.displace(viewer, until);
        }
    }

    /// Treats the streams of a channel as just watched, since a client that opens the channel is about to watch it.
    pub(super) fn opening(&mut self, item: &ItemId, now: Timestamp) {
        for stream in self.streams.values_mut().filter(|stream| stream.key.channel.item == *item) {
            stream.watched_at = now;
        }
    }
}
