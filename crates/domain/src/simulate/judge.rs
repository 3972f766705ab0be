//! Runs detectors on traces: the pool itself, and the rules that others use.

use std::time::Duration;

use crate::clients::TuneConditions;
use crate::consumer::Presence;
use crate::key::{Channel, ConsumerId, DeviceId, ItemId, MediaSourceId, PlaySessionId, StreamKey};
use crate::pool::{Admission, Event, Limits, Output, Pool, Tune};
use crate::produce::Produce;
use crate::profile::{Policy, ProfileKey};
use crate::signal::{Signal, Whose};
use crate::simulate::detector::{Delay, Detector, Row};
use crate::simulate::limits;
use crate::simulate::trace::{Seen, Trace};
use crate::time::Timestamp;
use crate::viewer::{Account, PlayerKey, Viewer};

/// How long a viewer stays present after a goodbye, by any rule; milliseconds, as `viewers.goodbye`.
const FAREWELL: u64 = 2000;
/// How many gaps phi-accrual remembers.
const WINDOW: usize = 100;

/// Runs `detector` on `traces`, one viewer after the other.
#[must_use]
pub fn judge(detector: Detector, traces: &[Trace]) -> Row {
    let mut score = Score::default();
    match detector {
        Detector::Posterior => {
            let mut bench = Bench::new();
            for trace in traces {
                bench.play(trace, &mut score);
            }
        }
        Detector::Fixed(seconds) => {
            for trace in traces {
                by_timeout(trace, |_| f64::from(seconds), &mut score);
            }
        }
        Detector::PhiAccrual(threshold) => {
            for trace in traces {
                by_timeout(trace, |gaps| phi(gaps, threshold), &mut score);
            }
        }
    }
    score.row(detector)
}

#[derive(Default)]
struct Score {
    millis: u64,
    false_left: u64,
    suspect: Vec<u64>,
    left: Vec<u64>,
}

impl Score {
    fn row(mut self, detector: Detector) -> Row {
        let seconds = Duration::from_millis(self.millis).as_secs_f64();
        Row {
            detector,
            hours: seconds / 3600.0,
            false_left: self.false_left,
            suspect: delay(&mut self.suspect),
            left: delay(&mut self.left),
        }
    }

    fn watched(&mut self, trace: &Trace) {
        self.millis += trace.left_at.unwrap_or_else(|| trace.events.last().map_or(0, |&(at, _)| at));
    }
}

fn delay(delays: &mut [u64]) -> Delay {
    delays.sort_unstable();
    let at = |percent: usize| {
        let index = (delays.len().saturating_sub(1) * percent).div_ceil(100);
        delays.get(index).map_or(0.0, |&millis| Duration::from_millis(millis).as_secs_f64())
    };
    Delay { median: at(50), p95: at(95) }
}

/// Runs a rule that knows only silences and goodbyes.
fn by_timeout(trace: &Trace, patience: impl Fn(&[f64]) -> f64, score: &mut Score) {
    score.watched(trace);
    let (mut gaps, mut last, mut said) = (Vec::new(), 0, None);
    for &(at, seen) in &trace.events {
        if seen == Seen::Stopped {
            said = Some(at + FAREWELL);
        }
        match seen {
            Seen::Stopped | Seen::SocketClosed | Seen::Connected { .. } | Seen::Disconnected { .. } => {
                continue;
            }
            Seen::Playlist | Seen::Segment(_) | Seen::Report { .. } => {}
        }
        let gap = seconds(at - last);
        if gap > patience(&gaps) {
            score.false_left += 1;
        }
        gaps.push(gap);
        gaps.drain(..gaps.len().saturating_sub(WINDOW));
        last = at;
    }
    let silent =
        last + u64::try_from(Duration::from_secs_f64(patience(&gaps)).as_millis()).unwrap_or(u64::MAX);
    if let Some(left_at) = trace.left_at {
        let early = silent < left_at && said.is_none_or(|said| said > left_at);
        score.false_left += u64::from(early);
        let delay = said.map_or(silent, |said| said.min(silent)).saturating_sub(left_at);
        score.suspect.push(delay);
        score.left.push(delay);
    }
}

fn phi(gaps: &[f64], threshold: u8) -> f64 {
    // Standard deviations at which a normal law leaves 10^-threshold.
    let deviations = if threshold >= 8 { 5.612 } else { 3.090 };
    let count = f64::from(u32::try_from(gaps.len()).unwrap_or(u32::MAX));
    if count < 5.0 {
        return 10.0;
    }
    let mean = gaps.iter().sum::<f64>() / count;
    let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / count;
    mean + deviations * variance.sqrt().max(0.1)
}

fn seconds(millis: u64) -> f64 {
    Duration::from_millis(millis).as_secs_f64()
}

/// A pool with one stream that never stops, and viewers who come one after the other.
struct Bench {
    pool: Pool,
    viewers: u32,
    /// When the last viewer was done with.
    over: u64,
}

impl Bench {
    fn new() -> Self {
        let ages = Duration::from_secs(1 << 32);
        let limits = Limits {
            slots: 64,
            idle_timeout: ages,
            warm_encode: ages,
            warm_feed: ages,
            goodbye: Duration::from_millis(FAREWELL),
            ..limits::usual()
        };
        Self { pool: Pool::new(limits, []), viewers: 0, over: 0 }
    }

    fn play(&mut self, trace: &Trace, score: &mut Score) {
        score.watched(trace);
        self.viewers += 1;
        let start = self.over + 1000;
        let mut watch = Watch { left_at: trace.left_at.map(|at| start + at), ..Watch::default() };
        let Some(tune) = tune(trace, self.viewers) else { return };
        let consumer = tune.fresh;
        for &(at, seen) in &trace.events {
            self.wait(consumer, start + at, &mut watch);
            let now = Timestamp::from_millis(start + at);
            match seen {
                Seen::Playlist => self.ask(&tune, trace.target, now),
                Seen::Segment(sequence) => {
                    self.pool.segment_requested(consumer, sequence, now);
                }
                Seen::Report { paused } => self.hint(&tune, Signal::Report { paused: Some(paused) }, now),
                Seen::Stopped => self.hint(&tune, Signal::Stopped, now),
                Seen::SocketClosed => self.hint(&tune, Signal::SocketClosed, now),
                Seen::Connected { new: true } => self.hint(&tune, Signal::ConnectionOpened, now),
                Seen::Connected { new: false } => self.hint(&tune, Signal::ConnectionKept, now),
                Seen::Disconnected { by_peer } => {
                    self.hint(&tune, Signal::ConnectionClosed { by_peer }, now);
                }
            }
            watch.look(self.pool.presence(consumer), start + at);
            self.over = start + at;
        }
        // Whoever never left was watched to the end of the recording only.
        if trace.left_at.is_some() {
            self.wait(consumer, u64::MAX, &mut watch);
        }
        watch.score(score);
    }

    fn ask(&mut self, tune: &Tune, target: Duration, now: Timestamp) {
        if let Admission::Serve { stream, .. } = self.pool.tune(tune.clone(), now) {
            let output = Output { target, duration: target, written: 0, held: 0, encoded: false };
            let event = Event::SegmentReady { stream, generation: 1, output };
            self.pool.handle_event(event, now);
        }
        while self.pool.poll_action().is_some() {}
    }

    fn hint(&mut self, tune: &Tune, signal: Signal, now: Timestamp) {
        if let Some(play_session) = tune.viewer.play_session.clone() {
            self.pool.handle_event(Event::Signal(Whose::PlaySession(play_session), signal), now);
        }
    }

    /// Lets time pass until `until`, or until the viewer is held to have left if that is for ever.
    fn wait(&mut self, consumer: ConsumerId, until: u64, watch: &mut Watch) {
        while let Some(deadline) = self.pool.next_deadline() {
            let at = u64::try_from(deadline.elapsed().as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
            if at > until || !self.pool.presence(consumer).is_some_and(Presence::is_present) {
                return;
            }
            self.pool.handle_timeout(Timestamp::from_millis(at));
            watch.look(self.pool.presence(consumer), at);
            self.over = self.over.max(at);
        }
    }
}

/// What became of one viewer.
#[derive(Default)]
struct Watch {
    left_at: Option<u64>,
    false_left: u64,
    suspect: Option<u64>,
    left: Option<u64>,
}

impl Watch {
    /// The verdicts that stand are those that nothing took back.
    fn look(&mut self, presence: Option<Presence>, at: u64) {
        match presence {
            None => {}
            Some(Presence::Suspect) => {
                self.suspect.get_or_insert(at);
            }
            Some(Presence::Left { .. }) => {
                self.suspect.get_or_insert(at);
                if self.left.is_none() {
                    self.left = Some(at);
                    self.false_left += u64::from(self.left_at.is_none_or(|left_at| at < left_at));
                }
            }
            Some(
                Presence::Joining | Presence::Playing | Presence::Paused | Presence::Thin | Presence::Stalled,
            ) => {
                self.suspect = None;
                self.left = None;
            }
        }
    }

    fn score(self, score: &mut Score) {
        score.false_left += self.false_left;
        if let (Some(left_at), Some(suspect), Some(left)) = (self.left_at, self.suspect, self.left) {
            score.suspect.push(suspect.saturating_sub(left_at));
            score.left.push(left.saturating_sub(left_at));
        }
    }
}

/// The request with which a viewer begins; always on the same stream.
fn tune(trace: &Trace, number: u32) -> Option<Tune> {
    let policy = Policy { video_transcoding: true, audio_transcoding: true };
    let pairs = [("VideoCodec", "h264"), ("AudioCodec", "aac")];
    let profile = ProfileKey::from_query(pairs.into_iter(), false, policy).ok()?.key;
    let item = ItemId::parse(&format!("{:032x}", trace.target.as_millis()))?;
    Some(Tune {
        key: StreamKey { channel: Channel { item, source: MediaSourceId::new("source") }, profile },
        viewer: Viewer {
            account: Account(u64::from(number)),
            device: Some(DeviceId::new(format!("device-{number}"))),
            play_session: Some(PlaySessionId::new(format!("play-{number}"))),
        },
        player: PlayerKey { user: Some(u64::from(number)), device: None },
        class: trace.class,
        produce: Produce::Adopt,
        conditions: TuneConditions::default(),
        fresh: ConsumerId::from_bits(u128::from(number)),
    })
}
