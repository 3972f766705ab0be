//! A generation that the gateway makes itself, from the channel's input: cut as it is, where that satisfies the profile.
//!
//! It does not know who watches, nor what becomes of it when it fails.

use std::future::pending;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::domain::cutter::{Cut, Cutter};
use crate::domain::encoding::plan::{Plan, Tolerance, plan};
use crate::domain::feeding::State;
use crate::domain::mpegts::facts::Facts;
use crate::domain::produce::Produce;
use crate::domain::reason::{Failure, Obstacle};
use crate::domain::ring::{Chunk, Join};
use crate::domain::window::Arrival;
use crate::feed::Feed;
use crate::feed::reader::{Reader, ReaderEnd};
use crate::supervisor::encode::encode;
use crate::supervisor::generation::{Cost, Delivery, Run};
use crate::supervisor::intake::Intake;
use crate::upstream::jellyfin::Media;

/// What comes as MPEG-TS is played as that.
const MPEG_TS: HeaderValue = HeaderValue::from_static("video/mp2t");
/// The first segment lasts no longer than this, or the first picture would wait for it.
const FIRST_SEGMENT: Duration = Duration::from_millis(500);
/// Until there is a first segment; a viewer is better served by the server then.
const FIRST: Duration = Duration::from_secs(8);
/// A stream without a new segment for so many target durations has come to a halt.
const HALTED: u32 = 3;

/// Goes on until it fails, or `paused` (`None`).
pub(super) async fn run(run: Run, paused: CancellationToken) -> Option<Failure> {
    tokio::select! {
        () = paused.cancelled() => None,
        failure = make(&run) => Some(failure),
    }
}

async fn make(run: &Run) -> Failure {
    let intake = run.intake();
    let mut deadline = Instant::now() + FIRST;
    match timeout_at(deadline, flowing(&intake.feed)).await {
        Ok(true) => {}
        Ok(false) => return intake.failure(),
        Err(_) => return Failure::Stalled,
    }
    let mut before = None;
    let mut next = remembered(run);
    loop {
        let plan = match next.take() {
            Some(plan) => plan,
            None => match timeout_at(deadline, shown(run, &intake, deadline)).await {
                Ok(Ok(plan)) => plan,
                Ok(Err(failure)) => return failure,
                Err(_) => return Failure::Stalled,
            },
        };
        if before.as_ref() == Some(&plan) {
            // What its segments carry is not what the feed has shown.
            return Failure::Unsuitable;
        }
        match carry_out(run, &intake, &plan, deadline).await {
            End::Failed(failure) => return failure,
            End::Disproved => {}
        }
        before = Some(plan);
        deadline = Instant::now() + FIRST;
    }
}

/// How the carrying out of a plan ends.
enum End {
    /// By a failure.
    Failed(Failure),
    /// What the input carries, from now on or after all, is to be made otherwise.
    Disproved,
}

/// Whether anything comes: what is in the ring of a feed that does not flow has been seen.
async fn flowing(feed: &Feed) -> bool {
    let mut state = feed.state();
    let flows = state.wait_for(|state| matches!(state, State::Flowing { .. }) || state.is_over()).await;
    flows.is_ok_and(|state| !state.is_over())
}

/// What is made of the channel's input by what that carried when it was last open, if it takes an FFmpeg: it can be started
/// before the input has shown what it carries.
fn remembered(run: &Run) -> Option<Plan> {
    let facts = run.shared.known.of(&run.stream.channel.source)?;
    let plan = planned(run, &facts, 0).ok()?;
    let takes_ffmpeg = run.shared.encoding.as_ref().is_some_and(|encoding| !encoding.copies(&plan));
    (takes_ffmpeg && is_foreseeable(run, &plan)).then_some(plan)
}

/// What is made of the input by what it shows that it carries.
async fn shown(run: &Run, intake: &Intake, deadline: Instant) -> Result<Plan, Failure> {
    let facts = intake.feed.facts().await.ok_or_else(|| intake.failure())?;
    run.shared.known.note(&run.stream.channel.source, &facts);
    planned_at_last(run, &facts, deadline).await.map_err(|obstacle| {
        info!(obstacle = obstacle.as_str(), ?facts, "left to the server");
        obstacle.failure()
    })
}

async fn carry_out(run: &Run, intake: &Intake, plan: &Plan, deadline: Instant) -> End {
    // Whoever goes on watching has seen what lies behind; whoever comes anew wants some of it at once.
    let burst = if run.stream.join_point().is_some() { Duration::ZERO } else { run.stream.join_span() };
    let reader = intake.feed.read(Join::Burst(burst));
    let mut cutting = Cutting::new(run, plan, intake.is_on_disk(), deadline);
    match &run.shared.encoding {
        Some(encoding) if !encoding.copies(plan) => tokio::select! {
            biased;
            // FFmpeg would go on with what it was begun for.
            () = disproved(run, &intake.feed, plan) => End::Disproved,
            failure = encode(encoding, plan, reader, &mut cutting) => End::Failed(failure),
        },
        Some(_) | None => {
            copy(reader, &mut cutting, |facts| planned(run, facts, 0).as_ref() == Ok(plan)).await
        }
    }
}

/// Returns when `feed` shows that `plan`, which is being carried out, is not what is to be made of it.
async fn disproved(run: &Run, feed: &Feed, plan: &Plan) {
    // What is scrambled may be clear again in a moment; if not, nothing comes of it, and that is noticed.
    let wrong = |facts: &Facts| match planned(run, facts, 1) {
        Ok(other) => other != *plan,
        Err(obstacle) => obstacle != Obstacle::Scrambled,
    };
    if feed.facts_when(wrong).await.is_none() {
        pending().await
    }
}

/// The same, once all is known that it takes: how the server would encode it; and, at the gateway's start, what FFmpeg can do
/// before it is said to be able to do nothing.
async fn planned_at_last(run: &Run, facts: &Facts, deadline: Instant) -> Result<Plan, Obstacle> {
    let mut plan = planned(run, facts, 0);
    if let (Err(Obstacle::EncoderMissing | Obstacle::DecoderMissing), Some(encoding)) =
        (&plan, &run.shared.encoding)
    {
        let _ = timeout_at(deadline, encoding.ffmpeg.found().wait_for(Option::is_some)).await;
        plan = planned(run, facts, 0);
    }
    if plan.as_ref().is_ok_and(|plan| !is_foreseeable(run, plan)) {
        run.shared.hardware.learn(&run.shared.caller(&run.stream.access), deadline).await;
        plan = planned(run, facts, 0);
    }
    plan
}

/// Whether all that bears on `plan` is known, and not only what the source carries.
fn is_foreseeable(run: &Run, plan: &Plan) -> bool {
    !plan.encodes_in_software() || run.stream.produce == Produce::Own || run.shared.hardware.known().is_some()
}

/// How it is made from what the input carries, if as many FFmpegs as are `spared` ended first.
fn planned(run: &Run, facts: &Facts, spared: usize) -> Result<Plan, Obstacle> {
    let demand = run.stream.demand.as_ref().ok_or(Obstacle::UnreadableWish)?;
    let mut abilities =
        run.shared.encoding.as_ref().map(|encoding| encoding.ffmpeg.abilities()).unwrap_or_default();
    abilities.processes_left += spared;
    abilities.encodes_left += spared;
    abilities.server_hardware = run.shared.hardware.known().unwrap_or(false);
    let tolerance = match run.stream.produce {
        Produce::Auto | Produce::Adopt => Tolerance::NONE,
        Produce::Own => Tolerance::FORCED,
    };
    let plan = plan(demand, facts, &abilities, tolerance)?;
    if !plan.is_copy() && run.shared.encoding.is_none() { Err(Obstacle::EncoderMissing) } else { Ok(plan) }
}

/// Cuts what comes as it is, for as long as what it carries is `still_right`.
async fn copy(mut reader: Reader, cutting: &mut Cutting, still_right: impl Fn(&Facts) -> bool) -> End {
    loop {
        let Chunk { bytes, splice } = match timeout_at(cutting.deadline, reader.next()).await {
            Ok(Ok(chunk)) => chunk,
            Ok(Err(end)) => return End::Failed(failure_of(end)),
            Err(_) => return End::Failed(Failure::Stalled),
        };
        if splice {
            cutting.cutter.splice();
        }
        cutting.consumed(bytes.len());
        if !cutting.push(&bytes, &still_right) {
            return End::Disproved;
        }
    }
}

/// What the end of an input means for what is made of it.
pub(super) const fn failure_of(end: ReaderEnd) -> Failure {
    match end {
        ReaderEnd::Lagged => Failure::Lagged,
        ReaderEnd::Failed(failure) => failure,
        ReaderEnd::Stopped => Failure::Ended,
    }
}

/// What comes, on its way into the window.
#[derive(Debug)]
pub(super) struct Cutting {
    cutter: Cutter,
    delivery: Delivery,
    /// Until when the next segment must have come.
    pub(super) deadline: Instant,
    usual: Duration,
    halted: Duration,
    /// What the server has written on its disk since the last segment.
    written: u64,
    on_disk: bool,
    encoded: bool,
}

impl Cutting {
    fn new(run: &Run, plan: &Plan, on_disk: bool, deadline: Instant) -> Self {
        let rule = run.stream.rule(FIRST_SEGMENT);
        // What FFmpeg makes carries one sound; what comes as it is may carry more.
        let sound = if plan.is_copy() { plan.audio_index } else { 0 };
        Self {
            cutter: Cutter::new(rule).with_sound(sound),
            delivery: run.delivery(),
            deadline,
            usual: rule.usual,
            halted: rule.target * HALTED,
            written: 0,
            on_disk,
            encoded: plan.encodes_video(),
        }
    }

    /// How long its segments are, as a rule.
    pub(super) const fn usual(&self) -> Duration {
        self.usual
    }

    /// So much of the input has been taken.
    pub(super) const fn consumed(&mut self, bytes: usize) {
        if self.on_disk {
            self.written += bytes as u64;
        }
    }

    /// Cuts, and delivers what is whole. Says whether what it carries is `still_right`, as often as that changes.
    pub(super) fn push(&mut self, bytes: &Bytes, still_right: impl Fn(&Facts) -> bool) -> bool {
        self.cutter.push(bytes);
        while let Some(cut) = self.cutter.poll() {
            if cut.discontinuity && !self.cutter.facts().is_none_or(&still_right) {
                return false;
            }
            self.deadline = Instant::now() + self.halted;
            self.deliver(cut);
        }
        true
    }

    fn deliver(&mut self, cut: Cut) {
        let Cut { bytes, duration, independent, discontinuity } = cut;
        let media = Media { body: bytes, content_type: MPEG_TS, modified: None };
        let cost = Cost { written: std::mem::take(&mut self.written), encoded: self.encoded };
        self.delivery.deliver(Arrival { duration, discontinuity, independent }, media, cost);
    }
}
