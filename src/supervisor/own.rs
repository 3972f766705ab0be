//! A generation that the gateway makes itself, from the channel's input: cut as it is, where that satisfies the profile.
//!
//! It does not know who watches, nor what becomes of it when it fails.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::feed::Feed;
use crate::feed::reader::{Reader, ReaderEnd};
use crate::memory::Mapped;
use crate::supervisor::encode::encode;
use crate::supervisor::generation::{Cost, Delivery, Run};
use crate::supervisor::planning::{Before, Planned, Planning};
use crate::upstream::jellyfin::Media;
use domain::container::Container;
use domain::cutter::{Cut, Cutter};
use domain::encoding::plan::Plan;
use domain::feeding::FeedState;
use domain::mpegts::facts::Facts;
use domain::reason::Failure;
use domain::ring::{Chunk, Join};
use domain::window::Arrival;

/// What comes as MPEG-TS is played as that.
const MPEG_TS: HeaderValue = HeaderValue::from_static(Container::MpegTs.media_type());
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
    let planning = Planning::new(run, &intake);
    let mut deadline = Instant::now() + FIRST;
    if !timeout_at(deadline, flowing(&intake.feed)).await.unwrap_or(false) {
        return intake.failure();
    }
    // Whoever goes on watching has seen what lies behind; whoever comes anew wants some of it at once.
    let mut burst = if run.stream.join_point().is_some() { Duration::ZERO } else { run.stream.join_span() };
    let mut next = planning.remembered();
    let (mut before, mut played, mut rejoined) = (None::<Plan>, false, false);
    loop {
        let made = match &before {
            None => Before::Nothing,
            Some(plan) if played => Before::Played(plan),
            Some(plan) => Before::Begun(plan),
        };
        if Instant::now() >= deadline {
            return intake.failure();
        }
        let planned = match next.take() {
            Some(planned) => planned,
            None => match timeout_at(deadline, planning.shown(made, deadline)).await {
                Ok(Ok(planned)) => planned,
                Ok(Err(failure)) => return failure,
                Err(_) => return intake.failure(),
            },
        };
        if rejoined && before.as_ref() == Some(&planned.plan) && !planning.takes_ffmpeg(&planned.plan) {
            // What its segments carry is not what the feed has shown.
            return Failure::Unsuitable;
        }
        let mut cutting = Cutting::new(run, &planned.plan, deadline);
        match carry_out(&planning, &planned, burst, &mut cutting).await {
            // If nothing comes of it because nothing comes, that is what it fails for.
            End::Failed(Failure::Stalled) => return intake.failure(),
            End::Failed(failure) => return failure,
            End::Disproved => {}
        }
        if cutting.has_delivered {
            // What is planned next has as long as this had; but no longer than is left, if nothing came of this.
            deadline = Instant::now() + FIRST;
            played = true;
        }
        rejoined = burst.is_zero() && !cutting.has_delivered;
        burst = Duration::ZERO;
        before = Some(planned.plan);
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
    let flows = state.wait_for(|state| matches!(state, FeedState::Flowing { .. }) || state.is_over()).await;
    flows.is_ok_and(|state| !state.is_over())
}

/// Makes segments as `planned`, from where so much comes in one go.
async fn carry_out(
    planning: &Planning<'_>,
    planned: &Planned,
    burst: Duration,
    cutting: &mut Cutting,
) -> End {
    let reader = planning.intake.feed.read(Join::Burst(burst));
    match planning.encoding(&planned.plan) {
        Some(encoding) => {
            let wrong = planning.disproved(planned);
            let failure = encode(encoding, &planned.plan, reader, cutting, wrong).await;
            failure.map_or(End::Disproved, End::Failed)
        }
        None => copy(reader, cutting, |facts| planning.holds(planned, facts)).await,
    }
}

/// Cuts what comes as it is, for as long as what it carries is `still_right`.
async fn copy(mut reader: Reader, cutting: &mut Cutting, still_right: impl Fn(&Facts) -> bool) -> End {
    loop {
        let Chunk { bytes, splice, .. } = match timeout_at(cutting.deadline, reader.next()).await {
            Ok(Ok(chunk)) => chunk,
            Ok(Err(end)) => return End::Failed(failure_of(end)),
            Err(_) => return End::Failed(Failure::Stalled),
        };
        if splice {
            cutting.cutter.splice();
        }
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
    cutter: Cutter<Mapped>,
    delivery: Delivery,
    /// Whether what is planned was compared with what comes: the plan may rest on what another connection has shown.
    compared: bool,
    has_delivered: bool,
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
            cutter: Cutter::in_memory(rule).with_audio(sound),
            delivery: run.delivery(),
            compared: false,
            has_delivered: false,
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

    /// Cuts, and delivers what is whole. Says whether what it carries is `still_right`, at first and as often as that changes.
    pub(super) fn push(&mut self, bytes: &Bytes, still_right: impl Fn(&Facts) -> bool) -> bool {
        self.cutter.push(bytes);
        while let Some(cut) = self.cutter.poll() {
            if cut.discontinuity || !self.compared && self.cutter.is_settled() {
                if !self.cutter.facts().is_none_or(&still_right) {
                    return false;
                }
                self.compared = true;
            }
            self.deadline = Instant::now() + self.halted;
            self.has_delivered = true;
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
