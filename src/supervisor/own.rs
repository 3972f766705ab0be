//! A generation that the gateway makes itself, from the channel's input: cut as it is, where that satisfies the profile.
//!
//! It does not know who watches, nor what becomes of it when it fails.

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
use crate::feed::reader::{Reader, ReaderEnd};
use crate::supervisor::encode::encode;
use crate::supervisor::generation::{Cost, Delivery, Run};
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
    let deadline = Instant::now() + FIRST;
    let flowing = async {
        let mut state = intake.feed.state();
        // What is in the ring of a feed that does not flow has been seen.
        let flows = state.wait_for(|state| matches!(state, State::Flowing { .. }) || state.is_over()).await;
        drop(flows);
        intake.feed.facts().await
    };
    let facts = match timeout_at(deadline, flowing).await {
        Ok(Some(facts)) => facts,
        Ok(None) => return intake.failure(),
        Err(_) => return Failure::Stalled,
    };
    // Whoever goes on watching has seen what lies behind; whoever comes anew wants some of it at once.
    let burst = if run.stream.join_point().is_some() { Duration::ZERO } else { run.stream.join_span() };
    let reader = intake.feed.read(Join::Burst(burst));
    let plan = match planned_at_last(run, &facts, deadline).await {
        Ok(plan) => plan,
        Err(obstacle) => {
            info!(obstacle = obstacle.as_str(), ?facts, "left to the server");
            return Failure::Unsuitable;
        }
    };
    let mut cutting = Cutting::new(run, &plan, deadline);
    match &run.shared.encoding {
        Some(encoding) if !(plan.is_copy() && encoding.copies_natively) => {
            encode(encoding, &plan, reader, &mut cutting).await
        }
        Some(_) | None => copy(reader, &mut cutting, |facts| planned(run, facts) == Ok(plan.clone())).await,
    }
}

/// The same, but at the gateway's start what FFmpeg can do is waited for before it is said to be able to do nothing.
async fn planned_at_last(run: &Run, facts: &Facts, deadline: Instant) -> Result<Plan, Obstacle> {
    let first = planned(run, facts);
    let (Err(Obstacle::EncoderMissing | Obstacle::DecoderMissing | Obstacle::EncodesTaken), Some(encoding)) =
        (&first, &run.shared.encoding)
    else {
        return first;
    };
    let mut found = encoding.ffmpeg.found();
    if found.borrow().is_some() {
        return first;
    }
    let _ = timeout_at(deadline, found.wait_for(Option::is_some)).await;
    planned(run, facts)
}

/// How it is made from what the input carries.
fn planned(run: &Run, facts: &Facts) -> Result<Plan, Obstacle> {
    let demand = run.stream.demand.as_ref().ok_or(Obstacle::UnreadableWish)?;
    let abilities = run.shared.encoding.as_ref().map(|encoding| encoding.ffmpeg.abilities());
    let tolerance = match run.stream.produce {
        Produce::Auto | Produce::Adopt => Tolerance::NONE,
        Produce::Own => Tolerance::FORCED,
    };
    let plan = plan(demand, facts, &abilities.unwrap_or_default(), tolerance)?;
    if !plan.is_copy() && run.shared.encoding.is_none() { Err(Obstacle::EncoderMissing) } else { Ok(plan) }
}

/// Cuts what comes as it is, for as long as what it carries is `still_right`.
async fn copy(mut reader: Reader, cutting: &mut Cutting, still_right: impl Fn(&Facts) -> bool) -> Failure {
    loop {
        let Chunk { bytes, splice } = match timeout_at(cutting.deadline, reader.next()).await {
            Ok(Ok(chunk)) => chunk,
            Ok(Err(end)) => return failure_of(end),
            Err(_) => return Failure::Stalled,
        };
        if splice {
            cutting.cutter.splice();
        }
        if !cutting.push(&bytes, &still_right) {
            return Failure::Unsuitable;
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
    encoded: bool,
}

impl Cutting {
    fn new(run: &Run, plan: &Plan, deadline: Instant) -> Self {
        let rule = run.stream.rule(FIRST_SEGMENT);
        // What FFmpeg makes carries one sound; what comes as it is may carry more.
        let sound = if plan.is_copy() { plan.audio_index } else { 0 };
        Self {
            cutter: Cutter::new(rule).with_sound(sound),
            delivery: run.delivery(),
            deadline,
            usual: rule.usual,
            halted: rule.target * HALTED,
            encoded: plan.encodes_video(),
        }
    }

    /// How long its segments are, as a rule.
    pub(super) const fn usual(&self) -> Duration {
        self.usual
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
        let cost = Cost { written: 0, encoded: self.encoded };
        self.delivery.deliver(Arrival { duration, discontinuity, independent }, media, cost);
    }
}
