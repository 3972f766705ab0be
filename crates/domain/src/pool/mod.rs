//! Decides which streams run, who watches them and what has to happen next.
//!
//! Requests call `playlist_requested`, `playlist_answered` and `request_segment`; everything else that happens comes by
//! `handle_event`, and the passing of time by `handle_timeout`. The driver then performs what `poll_action` gives and sleeps until
//! `sleep_until`; `needs_driver` says when to wake it. The pool performs nothing itself. Invariants, asserted in debug builds:
//! a stream with a present consumer, if only a suspect one, is stopped only at the gateway's end, by the operator, by the logout of its
//! last credential or for a server that keeps refusing; every action concerns a stream that exists.

mod api;
mod asking;
mod budgets;
mod bypassed;
mod consumers;
mod cpu;
mod crowd;
mod expected;
mod failed_attempts;
pub mod foresight;
mod giving_way;
pub mod handed_over;
mod inputs;
mod legacy;
mod looking_ahead;
mod opened;
mod operator;
mod own_openings;
mod pace;
mod pressure;
mod requests;
mod sent_away;
mod shared_devices;
mod showing;
mod snapshot;
mod stream;
mod streams;
mod streams_at_once;
mod tuners;
mod tuning;
mod warm_up;
mod watching;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::cadence::{Class, Habits};
use crate::consumer::{Consumer, Presence};
use crate::inputs::Inputs;
use crate::key::{ConsumerId, DeviceId, ItemId, StreamId, UserId};
use crate::multiset::Multiset;
use crate::openings::Openings;
use crate::pool::asking::Asking;
use crate::pool::bypassed::Bypassed;
use crate::pool::crowd::Crowd;
use crate::pool::expected::Expected;
use crate::pool::failed_attempts::FailedAttempts;
use crate::pool::foresight::Foresight;
use crate::pool::own_openings::OwnOpenings;
use crate::pool::sent_away::SentAway;
use crate::pool::shared_devices::SharedDevices;
use crate::pool::stream::Stream;
use crate::producer::State;
use crate::reason::StopReason;
use crate::time::Timestamp;
use crate::tuners::ServerTuners;
use crate::viewer::Account;

pub use crate::pool::api::{
    Action, Admission, Closing, Event, Limits, Open, Output, OwnOpening, PlaylistHints, SegmentRequest, Tune,
    Warmth,
};
pub use crate::pool::cpu::is_cpu_short;
pub use crate::pool::expected::Expecter;
pub use crate::pool::snapshot::{
    ConsumerView, InputView, Snapshot, StartsAhead, StreamView, Tally, TunersView, WarmedUpView,
};

/// See the module.
#[derive(Debug)]
pub struct Pool {
    limits: Limits,
    streams: BTreeMap<StreamId, Stream>,
    inputs: Inputs,
    crowd: Crowd,
    bypassed: Bypassed,
    /// Accounts whose token is being revoked.
    logging_out: BTreeSet<Account>,
    openings: Openings,
    asking: Asking,
    own_openings: OwnOpenings,
    /// Whose each account is. A user has one for each device that it has logged in on.
    users: BTreeMap<Account, UserId>,
    /// The players that the server is sending a live stream, each as often as it has asked for one.
    sent_media: Multiset<(Account, Option<DeviceId>)>,
    tuners: ServerTuners,
    failed_attempts: FailedAttempts,
    habits: BTreeMap<Class, Habits>,
    shared_devices: SharedDevices,
    sent_away: SentAway,
    /// The viewers who may come, by the channel that is warmed up for each.
    expected: BTreeMap<ItemId, Expected>,
    foresight: Foresight,
    /// Whether a measurement of the CPU is under way.
    measures_cpu: bool,
    actions: VecDeque<Action>,
    /// The deadline that the driver sleeps until.
    driver_sleeps_until: Option<Timestamp>,
    next_stream: u64,
    draining: bool,
    /// Whether another process goes on with it, or may.
    is_frozen: bool,
    tally: Tally,
}

impl Pool {
    /// An empty pool, before a provider whose playlists allow this many connections each (0: any number).
    #[must_use]
    pub fn new(limits: Limits, connections: impl IntoIterator<Item = u32>) -> Self {
        let connections: Vec<_> = connections.into_iter().collect();
        let tuners = ServerTuners::new(limits.tuners, connections.iter().copied());
        Self {
            limits,
            streams: BTreeMap::new(),
            inputs: Inputs::new(connections),
            crowd: Crowd::default(),
            bypassed: Bypassed::default(),
            logging_out: BTreeSet::new(),
            openings: Openings::new(limits.unfollowed),
            asking: Asking::default(),
            own_openings: OwnOpenings::default(),
            users: BTreeMap::new(),
            sent_media: Multiset::default(),
            tuners,
            failed_attempts: FailedAttempts::default(),
            habits: Class::ALL.into_iter().map(|class| (class, Habits::of(class))).collect(),
            shared_devices: SharedDevices::default(),
            sent_away: SentAway::default(),
            expected: BTreeMap::new(),
            foresight: Foresight::default(),
            measures_cpu: false,
            actions: VecDeque::new(),
            driver_sleeps_until: None,
            next_stream: 1,
            draining: false,
            is_frozen: false,
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

    /// Something happened.
    pub fn handle_event(&mut self, event: Event, now: Timestamp) {
        // Whatever else changes the account of the tuners is looked at with the driver's next turn.
        let concerns_tuners = matches!(
            event,
            Event::Timers(_)
                | Event::LimitsChanged(_)
                | Event::TunerHosts(_)
                | Event::ProviderTold(..)
                | Event::Opened(..)
                | Event::Reopened(..)
        );
        let frees = matches!(event, Event::Retired(_) | Event::InputClosed(_) | Event::OpeningReturned(_));
        match event {
            Event::PassedOn(viewer, channel) => self.passed_on(viewer, channel, now),
            Event::Opening { item, account } => {
                account.into_iter().for_each(|account| self.openings.requested(account));
                item.iter().for_each(|item| self.opening(item, now));
                self.tuners.asked(now);
            }
            Event::Asks(id, item) => {
                let is_open = item.as_ref().is_some_and(|item| self.occupancy(now).has_item(item));
                self.asking.asks(id, item, (!is_open).then_some(now));
            }
            Event::AskedInVain(id) => self.asking.abandon(id),
            Event::Answered(id) => self.asking.answered(id),
            Event::Zapping(account, device, item) => {
                self.zapping(account, device, &item, now);
                self.give_back(now);
            }
            Event::Opened(id, opening) => {
                self.has_opened(&opening, now);
                let forgotten = self.openings.opened(id, opening, now);
                self.actions.extend(forgotten.map(Action::ForgetOpening));
                // At once, so that whoever waits for a tuner sees that one is being freed.
                self.give_back(now);
            }
            Event::Reopened(id, opening) => {
                let forgotten = self.openings.reopened(id, opening, now);
                self.actions.extend(forgotten.map(Action::ForgetOpening));
            }
            Event::Mentioned(mention, kind) => self.mentioned(&mention, kind, now),
            Event::Reported(mention, report) => {
                let closed = self.openings.reported(&mention, report);
                self.actions.extend(closed.map(Action::ForgetOpening));
            }
            Event::Vouched(account, play_session) => self.vouch(account, &play_session, now),
            Event::SocketOpened(account, device) => self.openings.socket_opened(account, device),
            Event::SocketClosed(account, device) => {
                let lost = self.openings.socket_closed(account, device);
                self.actions.extend(lost.into_iter().map(Action::LeaveToServer));
            }
            Event::OpeningLost(opening) => self.openings.lost(opening),
            Event::SaidGoodbye(opening) => self.openings.said_goodbye(opening),
            Event::OpeningReturned(opening) => self.openings.returned(opening),
            Event::OwnOpening(open, generation, state) => self.own_opening(open, generation, state, now),
            Event::Signal(whose, signal) => self.signal(&whose, signal, now),
            Event::LoggingOut(account) => self.logging_out(account, now),
            Event::LoggedOut(account) => {
                self.logging_out.remove(&account);
                self.inputs.forget(account);
            }
            Event::SegmentReady { stream, generation, output } => {
                self.segment_ready(stream, generation, output, now);
            }
            Event::Failed { stream, generation, failure } => self.failed(stream, generation, failure, now),
            Event::Retired(stream) => self.released(stream),
            Event::InputEnded(input, failure) => self.input_ended(input, failure, now),
            Event::InputClosed(input) => self.input_closed(input),
            Event::InputGrew { input, held, pulled } => self.input_grew(input, held, pulled, now),
            Event::ReaderLeft(reader) => self.reader_left(reader, now),
            Event::TunerDenied(wanted) => self.tuner_denied(wanted.as_ref(), now),
            Event::DenialProved => self.tuners.denial_proved(now),
            Event::RecordingBegins(wanted) => self.recording_begins(wanted.as_ref(), now),
            Event::LimitsChanged(limits) => {
                self.keep_to(limits);
                self.review(now);
            }
            Event::TunerHosts(hosts) => self.tuners.set_hosts(hosts),
            Event::ProviderTold(playlist, told) => {
                let allowed = self.tuners.provider_told(playlist, told);
                self.inputs.allow_connections(playlist, allowed);
                self.keep_to_connections(playlist, allowed);
            }
            Event::Timers(timers) => self.tuners.set_timers(timers, now),
            Event::MediaBegins(account, device) => self.sent_media.add((account, device)),
            Event::MediaEnds(account, device) => {
                self.sent_media.take(&(account, device));
            }
            Event::CpuMeasured(idle) => self.cpu_measured(idle, now),
            Event::ConnectionNeeded(playlists) => self.free_connection(&playlists, now),
            Event::ChannelOrder(items) => self.foresight.set_order(&items),
            Event::NotStarted(item, why) => self.not_started(&item, why, now),
            Event::Shutdown => {
                self.draining = true;
                for stream in self.running() {
                    self.stop(stream, StopReason::Shutdown);
                }
                // What clients read of a frozen pool goes on to its end.
                if self.is_frozen {
                    self.inputs.drain_absent();
                } else {
                    self.inputs.drain();
                }
            }
        }
        if concerns_tuners {
            self.keep_tuners_free(now);
        }
        if frees {
            self.start_in_place(now);
        }
        self.check_invariants();
    }

    /// Time has passed. Earlier than `next_deadline` this does nothing.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if self.is_frozen {
            return;
        }
        self.judge_silences(now);
        self.bypassed.expire(now);
        self.give_back(now);
        self.inputs.expire(now);
        for stream in self.running() {
            self.retry_or_give_up(stream, now);
            self.cool_down(stream, now);
        }
        if self.review_at().is_some_and(|at| at <= now) {
            self.look_again(now);
        }
        self.mind_pace(now);
        self.keep_tuners_free(now);
        self.tuners.considered(now);
        self.check_invariants();
    }

    /// What to do next; drain it after each call.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front().or_else(|| self.inputs.poll_change().map(Action::from))
    }

    /// When `handle_timeout` is due; may change after each call. After `handle_timeout(now)` it is later than `now`.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        if self.is_frozen {
            return None;
        }
        let retries = self.streams.values().filter_map(|stream| stream.producer.retry_at());
        let idle = self.streams.keys().filter_map(|&stream| self.cool_down_at(stream));
        let others = [self.crowd.deadline(), self.bypassed.deadline(), self.openings.deadline()];
        let others = others.into_iter().chain([self.inputs.deadline(), self.tuners.deadline()]);
        let others = others.chain([self.pace_deadline(), self.review_at()]);
        retries.chain(idle).chain(others.flatten()).min()
    }

    /// The deadline that the driver goes to sleep until, once it has performed all actions.
    pub fn sleep_until(&mut self) -> Option<Timestamp> {
        self.driver_sleeps_until = self.next_deadline();
        self.driver_sleeps_until
    }

    /// Whether the driver has to be woken: an action waits, something is to be remembered, a producer's state has changed, or a
    /// deadline comes before the one that the driver sleeps until.
    #[must_use]
    pub fn needs_driver(&self) -> bool {
        let comes_first = |deadline| self.driver_sleeps_until.is_none_or(|until| deadline < until);
        !self.actions.is_empty()
            || self.foresight.has_untold()
            || self.inputs.has_changes()
            || self.streams.values().any(Stream::is_unpublished)
            || self.next_deadline().is_some_and(comes_first)
    }

    /// Where a consumer stands, if it is known.
    #[must_use]
    pub fn presence(&self, consumer: ConsumerId) -> Option<Presence> {
        self.crowd.get(consumer).map(Consumer::presence)
    }

    /// The producers' states that have changed since the last call.
    pub fn changed_states(&mut self) -> Vec<(StreamId, State)> {
        let changed = self.streams.iter_mut().filter(|(_, stream)| stream.is_unpublished());
        changed.map(|(&id, stream)| (id, stream.publish())).collect()
    }

    fn check_invariants(&self) {
        if cfg!(debug_assertions) {
            for action in &self.actions {
                match action {
                    Action::Start { stream, .. }
                    | Action::Stop { stream, .. }
                    | Action::Rest { stream, .. }
                    | Action::TrimWindow(stream) => {
                        assert!(self.streams.contains_key(stream), "an action on no stream");
                    }
                    Action::OpenInput { .. }
                    | Action::CloseInput { .. }
                    | Action::ForgetInput(_)
                    | Action::LeaveToServer(_)
                    | Action::Forget(_)
                    | Action::GiveBack { .. }
                    | Action::MarkUncertain(_)
                    | Action::MeasureCpu
                    | Action::WarmUp(..)
                    | Action::ForgetOpening(_) => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
