//! Performs what the pool decides, on a server and for viewers that are simulated, and notes what they lose.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::guid;
use crate::key::{
    AskingId, Channel, ConsumerId, DeviceId, InputId, ItemId, LiveStreamId, MediaSourceId, OpeningId,
    PlaySessionId, StreamId,
};
use crate::pool::{Action, Event, Limits, Output, Pool};
use crate::reason::{Failure, ReturnReason, StopReason};
use crate::simulate::limits;
use crate::simulate::tuners::house::{CHANNELS, DEVICES, House};
use crate::simulate::tuners::server::{Recording, Server, at};
use crate::simulate::tuners::week::{Household, Week};
use crate::tuners::{HostKind, Timer, TimerStatus, TunerHost};
use crate::viewer::{Account, Viewer};

const TARGET: Duration = Duration::from_secs(6);
const DAY: f64 = 86_400_000.0;
/// How long things take, in milliseconds.
pub(super) const CLOSING: u64 = 300;
pub(super) const TUNING: u64 = 500;
pub(super) const STARTING: u64 = 3000;
const TIMERS: u64 = 60_000;
/// How long after a viewer fell silent its channel counts as one that somebody needs.
const DOUBT: u64 = 120_000;
/// What passes after the last viewer has left: more than all limits.
const AFTERMATH: u64 = 2 * 3_600_000;

/// What happens at a moment.
#[derive(Clone, Copy, Debug)]
pub(super) enum Moment {
    Zap(u8),
    Open { device: u8, channel: u8, until: u64 },
    Answered { device: u8, channel: u8, play: u64, asking: AskingId },
    GivesUp(u8, u64),
    Tune(u8, u64),
    Poll(u8, u64),
    Report(u8, u64),
    Leave(u8, u64),
    Back(u8, u64),
    Segment(StreamId, u32),
    Failed(StreamId, u32),
    Retired(StreamId),
    Returned(OpeningId, ReturnReason),
    Grew(InputId),
    Ended(InputId),
    Closed(InputId),
    Timers,
}

/// A device, and what it plays.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Device {
    pub(super) channel: Option<u8>,
    /// The number of its play session.
    pub(super) play: u64,
    /// The opening that it waits for.
    pub(super) asking: Option<AskingId>,
    pub(super) consumer: Option<ConsumerId>,
    pub(super) is_silent: bool,
}

/// The input of a channel that the pool has started ahead.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ahead {
    pub(super) channel: u8,
    /// Whether it holds a consumer.
    pub(super) is_held: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Shell {
    pub(super) pool: Pool,
    pub(super) server: Server,
    pub(super) house: House,
    pub(super) devices: BTreeMap<u8, Device>,
    pub(super) channels: BTreeMap<StreamId, u8>,
    /// The streams that hold a consumer.
    held: BTreeSet<StreamId>,
    pub(super) openings: BTreeMap<OpeningId, (u8, u8)>,
    /// The channels that the server is opening.
    pub(super) under_way: BTreeMap<AskingId, u8>,
    /// What the pool has open ahead.
    pub(super) ahead: BTreeMap<InputId, Ahead>,
    /// When somebody was last on a channel.
    pub(super) watched_at: BTreeMap<u8, u64>,
    queue: BTreeMap<(u64, u64), Moment>,
    number: u64,
    pub(super) now: u64,
    pub(super) ends: u64,
    pub(super) week: Week,
}

pub(super) fn channel(number: u8) -> Channel {
    let text = format!("{number:032x}");
    Channel { item: ItemId::parse(&text).unwrap_or_else(|| unreachable!()), source: MediaSourceId::new(text) }
}

pub(super) fn live_stream(number: u8) -> LiveStreamId {
    LiveStreamId::new(format!("a_b_{number:032x}"))
}

pub(super) fn viewer(device: u8, play: u64) -> Viewer {
    Viewer {
        account: Account(u64::from(device)),
        device: Some(DeviceId::new(format!("device-{device}"))),
        play_session: Some(PlaySessionId::new(format!("play-{play}"))),
    }
}

impl Shell {
    pub(super) fn new(household: &Household) -> Self {
        let server = Server { tuners: household.tuners as usize, ..Server::default() };
        Self {
            pool: Pool::new(Limits { thrift: household.ahead, ..limits::usual() }, []),
            server,
            house: House::new(household.seed),
            devices: (0..DEVICES).map(|device| (device, Device::default())).collect(),
            channels: BTreeMap::new(),
            held: BTreeSet::new(),
            openings: BTreeMap::new(),
            under_way: BTreeMap::new(),
            ahead: BTreeMap::new(),
            watched_at: BTreeMap::new(),
            queue: BTreeMap::new(),
            number: 0,
            now: 1000,
            ends: (household.days * DAY) as u64,
            week: Week::default(),
        }
    }

    pub(super) fn live(mut self, household: &Household) -> Week {
        let mut starts = 0;
        while starts < self.ends {
            let (pause, length) = self.house.recording();
            starts += pause.max(1);
            let channel = self.house.channel();
            let ends = starts + length;
            self.server.recordings.push(Recording {
                channel,
                starts,
                ends,
                began: None,
                due: starts,
                is_over: false,
            });
        }
        let count = if household.tells { household.tuners } else { 0 };
        let kind = HostKind::M3u(guid::md5("list"));
        self.tell(Event::TunerHosts(vec![TunerHost { id: "host".to_owned(), kind, count, provider: None }]));
        self.tell(Event::ChannelOrder((0_u8..).take(CHANNELS).map(|number| channel(number).item).collect()));
        for device in 0..DEVICES {
            self.later(u64::from(device) * 1000, Moment::Zap(device));
        }
        self.later(0, Moment::Timers);
        let last = self.server.recordings.iter().map(|recording| recording.ends).max();
        let over = self.ends.max(last.unwrap_or_default()) + AFTERMATH;
        loop {
            let queued = self.queue.keys().next().map(|(at, _)| *at);
            let due = self.pool.next_deadline().map(|deadline| {
                u64::try_from(deadline.elapsed().as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
            });
            let Some(next) = [queued, due, self.server.next()].into_iter().flatten().min() else { break };
            if next > over {
                break;
            }
            self.now = self.now.max(next);
            self.record();
            while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let moment = entry.remove();
                self.happens(moment);
            }
            self.pool.handle_timeout(at(self.now));
            self.perform();
            self.look();
        }
        self.week.recordings = self.server.recordings.len() as u64;
        self.week.left_behind = self.server.open.len();
        self.week
    }

    fn happens(&mut self, moment: Moment) {
        match moment {
            Moment::Zap(device) => self.zap(device),
            Moment::Open { device, channel, until } => {
                if self.open(device, channel, until) {
                    self.tell(Event::DenialProved);
                }
            }
            Moment::Answered { device, channel, play, asking } => {
                self.answered(device, channel, play, asking);
            }
            Moment::GivesUp(device, play) => self.gives_up(device, play),
            Moment::Tune(device, play) => self.tune(device, play),
            Moment::Poll(device, play) => self.poll(device, play),
            Moment::Report(device, play) => self.report(device, play),
            Moment::Leave(device, play) => self.leave(device, play),
            Moment::Back(device, play) => self.back(device, play),
            Moment::Segment(stream, generation) => {
                let output = Output { target: TARGET, duration: TARGET, written: 0, held: 0, encoded: false };
                self.tell(Event::SegmentReady { stream, generation, output });
            }
            Moment::Failed(stream, generation) => {
                self.tell(Event::Failed { stream, generation, failure: Failure::Refused });
            }
            Moment::Retired(stream) => {
                let channel = self.channels.remove(&stream).filter(|_| self.held.remove(&stream));
                channel.into_iter().for_each(|channel| self.server.close(channel));
                self.tell(Event::Retired(stream));
            }
            Moment::Returned(opening, reason) => {
                if let Some((device, channel)) = self.openings.remove(&opening) {
                    match reason {
                        ReturnReason::Silent => {
                            self.server.stopped(device, channel);
                            self.tell(Event::SaidGoodbye(opening));
                        }
                        ReturnReason::Unfollowed
                        | ReturnReason::Abandoned
                        | ReturnReason::Superseded
                        | ReturnReason::Left
                        | ReturnReason::PassedOn
                        | ReturnReason::Stopped
                        | ReturnReason::LoggedOut => self.server.close(channel),
                    }
                }
                self.tell(Event::OpeningReturned(opening));
            }
            Moment::Grew(input) => self.ahead_grew(input),
            Moment::Ended(input) => self.ahead_ended(input),
            Moment::Closed(input) => self.ahead_closed(input),
            Moment::Timers => self.tell_timers(),
        }
    }

    /// Recordings begin and end.
    fn record(&mut self) {
        for denied in self.server.record(self.now) {
            let mut needed = self.needed(None);
            needed.remove(&denied.channel);
            let is_needless = needed.len() < self.server.tuners;
            *(if is_needless {
                &mut self.week.recordings_late_for_warmth
            } else {
                &mut self.week.recordings_late
            }) += 1;
        }
    }

    fn tell_timers(&mut self) {
        let soon = self
            .server
            .recordings
            .iter()
            .filter(|recording| !recording.is_over && recording.starts < self.now + 3_600_000);
        let timers = soon.map(|recording| Timer {
            id: recording.starts.to_string(),
            item: Some(channel(recording.channel).item),
            source: Some(channel(recording.channel).source),
            playlist: None,
            starts: at(if recording.began.is_some() { recording.starts } else { recording.due }),
            ends: at(recording.ends),
            status: if recording.began.is_some() { TimerStatus::InProgress } else { TimerStatus::New },
        });
        let timers = timers.collect();
        self.tell(Event::Timers(timers));
        self.later(TIMERS, Moment::Timers);
    }

    /// The channels that somebody needs: viewers other than `device` who are there or fell silent a moment ago, recordings; for a
    /// recording also what the server is opening, which nobody can stop.
    pub(super) fn needed(&self, device: Option<u8>) -> BTreeSet<u8> {
        let others = self.devices.iter().filter(|(other, known)| Some(**other) != device && !known.is_silent);
        let watched = others.filter_map(|(_, known)| known.channel);
        let doubtful =
            self.watched_at.iter().filter(|(_, last)| **last + DOUBT > self.now).map(|(channel, _)| *channel);
        let recorded =
            self.server.recordings.iter().filter(|recording| recording.began.is_some() && !recording.is_over);
        let under_way = self.under_way.values().copied().filter(|_| device.is_none());
        watched.chain(under_way).chain(doubtful).chain(recorded.map(|recording| recording.channel)).collect()
    }

    pub(super) fn perform(&mut self) {
        while let Some(action) = self.pool.poll_action() {
            match action {
                Action::Start { stream, generation, .. } => {
                    let channel = self.channels.get(&stream).copied();
                    if channel.is_some_and(|channel| self.server.open(channel)) {
                        self.held.insert(stream);
                        self.later(STARTING, Moment::Segment(stream, generation));
                    } else {
                        self.later(TUNING, Moment::Failed(stream, generation));
                    }
                }
                Action::Stop { stream, reason } => {
                    self.check(stream, reason);
                    self.later(CLOSING, Moment::Retired(stream));
                }
                Action::GiveBack { opening, reason } => {
                    self.later(CLOSING, Moment::Returned(opening, reason))
                }
                Action::ForgetOpening(opening) => drop(self.openings.remove(&opening)),
                // The server stops sessions that have been idle for long.
                Action::LeaveToServer(opening) => {
                    if let Some((device, channel)) = self.openings.remove(&opening) {
                        self.server.stopped(device, channel);
                    }
                }
                Action::WarmUp(item, by) => self.warm_up(&item, by),
                Action::OpenInput { input, .. } => self.open_ahead(input),
                Action::CloseInput { input, .. } => self.close_ahead(input),
                Action::Rest { .. }
                | Action::MarkUncertain(_)
                | Action::Forget(_)
                | Action::ForgetInput(_)
                | Action::MeasureCpu
                | Action::TrimWindow(_) => {}
            }
        }
    }

    /// No viewer that is there loses its stream.
    fn check(&mut self, stream: StreamId, reason: StopReason) {
        match reason {
            StopReason::Failed | StopReason::LoggedOut | StopReason::Shutdown | StopReason::Operator => {
                return;
            }
            StopReason::Idle
            | StopReason::Evicted
            | StopReason::Outbid
            | StopReason::TunerNeeded
            | StopReason::Recording
            | StopReason::Reserve
            | StopReason::DiskBudget
            | StopReason::TunerLimit
            | StopReason::Memory
            | StopReason::Pressure => {}
        }
        let channel = self.channels.get(&stream);
        let watches = |known: &&Device| {
            known.channel.as_ref() == channel && known.consumer.is_some() && !known.is_silent
        };
        if self.devices.values().any(|known| watches(&known)) {
            *self.week.cut.entry(reason.as_str()).or_default() += 1;
        }
    }

    /// What is open for nobody leaves room for all others and the reserve.
    fn look(&mut self) {
        let seen = self.pool.snapshot(at(self.now)).tuners;
        if let Some(limit) = seen.limit {
            let kept = seen.in_use - seen.closing + seen.reserve as usize;
            self.week.surplus += u64::from(seen.idle > 0 && kept > limit.count as usize);
        }
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.pool.handle_event(event, at(self.now));
        self.pool.handle_timeout(at(self.now));
        self.perform();
    }

    pub(super) fn later(&mut self, after: u64, moment: Moment) {
        let number = self.number();
        self.queue.insert((self.now + after, number), moment);
    }

    pub(super) fn number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }
}
