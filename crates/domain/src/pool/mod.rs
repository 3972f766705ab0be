//! The pool: which streams run, who watches them, what has to happen next.
//!
//! Tell it what happened (`tune`, `handle_event`) and when time has passed (`handle_timeout`); then drain `poll_action`
//! and come back at `next_deadline`. It performs nothing itself. Invariants, asserted in debug builds: a stream with a
//! present consumer, if only a suspect one, is never stopped for want of anything (only the gateway's own end, a logout of
//! its last credential, or a server that keeps refusing stops it); every consumer and every action belongs to a stream
//! that exists.

mod budgets;
mod consumers;
mod hindrances;
mod seam;
mod snapshot;
mod stream;
mod streams;
mod tuning;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::cadence::{Class, Habits};
use crate::consumer::{Consumer, Presence};
use crate::key::{Channel, ConsumerId, DeviceId, InputId, LiveStreamId, StreamId};
use crate::openings::{MentionKind, Openings};
use crate::pool::hindrances::Hindrances;
use crate::pool::stream::Stream;
use crate::producer::State;
use crate::reason::StopReason;
use crate::signal::Signal;
use crate::time::Timestamp;
use crate::viewer::{Account, Viewer};

pub use crate::pool::seam::{Action, Admission, Claim, Event, Input, Limits, Output, Tune, Warmth};
pub use crate::pool::snapshot::{ConsumerView, Snapshot, StreamView, Tally};

/// See the module.
#[derive(Debug)]
pub struct Pool {
    limits: Limits,
    streams: BTreeMap<StreamId, Stream>,
    /// What is open, as last told.
    inputs: BTreeMap<InputId, Input>,
    consumers: BTreeMap<ConsumerId, Consumer>,
    /// Who plays the server's own stream of what, and until when that is believed.
    plain: BTreeMap<(Viewer, Channel), Timestamp>,
    logging_out: BTreeSet<Account>,
    openings: Openings,
    /// What was tried in vain.
    hindrances: Hindrances,
    /// What the viewers of each class have in common.
    habits: BTreeMap<Class, Habits>,
    /// Devices that have proved to be several players.
    several: BTreeSet<(Account, DeviceId)>,
    /// The latest moment that was told.
    told_at: Timestamp,
    actions: VecDeque<Action>,
    next_stream: u64,
    draining: bool,
    tally: Tally,
}

impl Pool {
    /// An empty pool.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            streams: BTreeMap::new(),
            inputs: BTreeMap::new(),
            consumers: BTreeMap::new(),
            plain: BTreeMap::new(),
            logging_out: BTreeSet::new(),
            openings: Openings::new(limits.unfollowed),
            hindrances: Hindrances::default(),
            habits: Class::ALL.into_iter().map(|class| (class, Habits::of(class))).collect(),
            several: BTreeSet::new(),
            told_at: Timestamp::default(),
            actions: VecDeque::new(),
            next_stream: 1,
            draining: false,
            tally: Tally::default(),
        }
    }

    /// A viewer asks for a stream: it joins one, or starts one if there is room.
    pub fn tune(&mut self, tune: Tune, now: Timestamp) -> Admission {
        let admission = self.admit(tune, now);
        if let Admission::Refused(reason) = admission {
            *self.tally.refused.entry(reason).or_default() += 1;
        }
        self.check_invariants();
        admission
    }

    /// A consumer is about to be given its list: where it begins, which is `start` only if it has none yet.
    pub fn join(&mut self, consumer: ConsumerId, start: Option<u64>, now: Timestamp) -> Option<u64> {
        self.refresh(consumer, Signal::Playlist, now);
        let Some(consumer) = self.consumers.get_mut(&consumer) else { return start };
        consumer.start = consumer.start.or(start);
        consumer.start
    }

    /// Something happened.
    pub fn handle_event(&mut self, event: Event, now: Timestamp) {
        match event {
            Event::PassedOn(viewer, channel) => self.passed_on(viewer, channel, now),
            Event::Opening { item, account } => {
                account.into_iter().for_each(|account| self.openings.requested(account));
                item.iter().for_each(|item| self.opening(item, now));
            }
            Event::Opened(id, opening) => {
                let forgotten = self.openings.opened(id, opening, now);
                self.actions.extend(forgotten.map(Action::Settled));
            }
            Event::Mentioned(mention, kind) => {
                let changed = self.openings.mentioned(&mention, kind, now);
                let action = if kind == MentionKind::Stopped { Action::Doubted } else { Action::Settled };
                self.actions.extend(changed.into_iter().map(action));
            }
            Event::Reported(account, live_stream, report) => {
                self.openings.reported(account, live_stream, report);
            }
            Event::Signal(whose, signal) => self.signal(&whose, signal, now),
            Event::LoggingOut(account) => self.logging_out(account, now),
            Event::LoggedOut(account) => {
                self.logging_out.remove(&account);
            }
            Event::SegmentReady { stream, generation, output } => {
                self.segment_ready(stream, generation, output);
            }
            Event::Failed { stream, generation, failure } => self.failed(stream, generation, failure, now),
            Event::Retired(stream) => self.retired(stream),
            Event::Inputs(inputs) => self.inputs(inputs),
            Event::TunerDenied => {
                let _ = self.free_slot(StopReason::TunerNeeded);
            }
            Event::InputNeeded(streams) => self.free_input(&streams),
            Event::Shutdown => {
                self.draining = true;
                for stream in self.running() {
                    self.stop(stream, StopReason::Shutdown);
                }
            }
        }
        self.check_invariants();
    }

    /// Time has passed. Earlier than `next_deadline` this does nothing.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.told_at = now;
        let due = self.consumers.iter_mut();
        let due = due.filter(|(_, consumer)| consumer.deadline().is_some_and(|deadline| deadline <= now));
        let left = due.filter_map(|(&id, consumer)| Some((id, consumer.time_passed(now)?))).collect();
        self.leave(left, now);
        self.plain.retain(|_, until| *until > now);
        self.give_back(now);
        for stream in self.running() {
            self.retry_or_give_up(stream, now);
            self.cool_down(stream, now);
        }
        self.check_invariants();
    }

    /// What to do next; drain it after each call.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When `handle_timeout` is due; may change after each call. After `handle_timeout(now)` it is later than `now`.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let consumers = self.consumers.values().filter_map(Consumer::deadline);
        let retries = self.streams.values().filter_map(|stream| stream.producer.retry_at());
        let plain = self.plain.values().copied();
        let idle = self.streams.keys().filter_map(|&stream| self.cooler_at(stream));
        consumers.chain(retries).chain(idle).chain(plain).chain(self.openings.deadline()).min()
    }

    /// A request for a segment, with a consumer's token: the stream it is for. The token alone grants nothing for ever:
    /// who has not shown its credential for a while, by asking for a playlist, has to do that first.
    pub fn heard(&mut self, consumer: ConsumerId, sequence: u64, now: Timestamp) -> Option<StreamId> {
        let vouched = self.consumers.get(&consumer)?.is_vouched_for(now);
        vouched.then(|| self.refresh(consumer, Signal::Segment(sequence), now)).flatten()
    }

    /// A request of this consumer's begins to be answered; `closed` is to follow.
    pub fn opened(&mut self, consumer: ConsumerId, now: Timestamp) {
        if let Some(consumer) = self.consumers.get_mut(&consumer) {
            consumer.opened(now);
        }
    }

    /// … and has ended, `whole` or given up.
    pub fn closed(&mut self, consumer: ConsumerId, whole: bool, now: Timestamp) {
        self.told_at = now;
        let Some(terms) = self.consumers.get(&consumer).map(|known| self.terms(known.stream, known.class()))
        else {
            return;
        };
        if let Some(consumer) = self.consumers.get_mut(&consumer) {
            consumer.closed(whole, &terms, now);
        }
    }

    /// Where a consumer stands, if it is known.
    #[must_use]
    pub fn presence(&self, consumer: ConsumerId) -> Option<Presence> {
        self.consumers.get(&consumer).map(Consumer::presence)
    }

    /// Whether a first segment can still be hoped for.
    #[must_use]
    pub fn is_starting(&self, stream: StreamId) -> bool {
        self.streams.get(&stream).is_some_and(|stream| stream.producer.state() == State::Starting)
    }

    /// Whether a stream of this channel runs.
    #[must_use]
    pub fn has_channel(&self, channel: &Channel) -> bool {
        let mut running = self.streams.values().filter(|stream| !stream.producer.is_retiring());
        running.any(|stream| stream.key.channel == *channel)
    }

    /// Whether what this account wants of this channel could not be made here, when it was tried last.
    #[must_use]
    pub fn is_hindered(&self, channel: &Channel, account: Account, now: Timestamp) -> bool {
        self.hindrances.has_met(channel, account, now)
    }

    /// Whether a stream runs that nobody watches.
    #[must_use]
    pub fn has_idle(&self) -> bool {
        self.streams.keys().any(|&stream| self.idle_since(stream).is_some())
    }

    /// Whether the account has given this live stream back, by its own report or in its name.
    #[must_use]
    pub fn has_returned(&self, account: Account, live_stream: &LiveStreamId) -> bool {
        self.openings.has_returned(account, live_stream)
    }

    /// The pool at this moment.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let consumers_of = |stream: StreamId| {
            let theirs = self.consumers.iter().filter(move |(_, consumer)| consumer.stream == stream);
            theirs.map(|(&id, consumer)| ConsumerView::of(id, consumer, self.told_at)).collect()
        };
        let views = self.streams.iter().map(|(&id, stream)| StreamView::of(id, stream, consumers_of(id)));
        Snapshot {
            streams: views.collect(),
            inputs: self.inputs.values().cloned().collect(),
            habits: self.habits.iter().map(|(&class, habits)| (class, habits.rates())).collect(),
            openings: self.openings.count(),
            tally: self.tally.clone(),
        }
    }

    fn check_invariants(&self) {
        if cfg!(debug_assertions) {
            for consumer in self.consumers.values() {
                assert!(self.streams.contains_key(&consumer.stream), "a consumer of no stream");
            }
            for action in &self.actions {
                match action {
                    Action::Start { stream, .. }
                    | Action::Stop { stream, .. }
                    | Action::Rest { stream, .. }
                    | Action::Shed(stream) => {
                        assert!(self.streams.contains_key(stream), "an action on no stream");
                    }
                    Action::Close { .. }
                    | Action::GiveBack { .. }
                    | Action::Doubted(_)
                    | Action::Settled(_) => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
