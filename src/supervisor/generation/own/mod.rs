//! Runs one generation that the gateway makes itself: cuts the channel's input as it is where it satisfies the profile, or
//! else encodes it with an FFmpeg.
//!
//! It does not know who watches, nor what happens to the stream after a failure.

mod cutting;
mod encode;
mod hardware;
mod planning;
mod source_facts;
pub mod workshop;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::feed::Feed;
use crate::feed::reader::Reader;
use crate::supervisor::generation::delivery::Delivery;
use crate::supervisor::generation::own::cutting::{Cutting, End, failure_of};
use crate::supervisor::generation::own::encode::encode;
use crate::supervisor::generation::own::planning::{Before, Planned, Planning};
use crate::supervisor::generation::own::workshop::Workshop;
use crate::supervisor::inputs::open_input::OpenInput;
use crate::supervisor::stream::Stream;
use domain::encoding::plan::Plan;
use domain::feeding::FeedState;
use domain::mpegts::facts::Facts;
use domain::reason::Failure;
use domain::ring::{Chunk, Join};

/// How long the first segment may take. After that the server's stream is quicker for the viewer.
const FIRST_SEGMENT_TIMEOUT: Duration = Duration::from_secs(8);

/// Makes segments until it fails. Returns `None` when `paused` is cancelled.
pub(super) async fn run(
    workshop: Arc<Workshop>,
    stream: Arc<Stream>,
    input: Arc<OpenInput>,
    delivery: Delivery,
    paused: CancellationToken,
) -> Option<Failure> {
    let planning = Planning::new(&workshop, &stream, &input);
    tokio::select! {
        () = paused.cancelled() => None,
        failure = make(&planning, &delivery) => Some(failure),
    }
}

/// The progress of a generation.
enum Stage {
    /// No plan was tried.
    First {
        /// How much of the input's past is made into segments: none for viewers who went on watching, since they have seen it.
        burst: Duration,
        /// The plan from the facts that the source had when it was last open.
        remembered: Option<Planned>,
    },
    /// A plan was tried, and the next one follows.
    Tried {
        /// The plan that was tried.
        plan: Plan,
        /// Whether this generation has delivered anything.
        has_played: bool,
        /// Whether the plan began at the live edge and delivered nothing.
        in_vain: bool,
    },
}

impl Stage {
    const fn burst(&self) -> Duration {
        match self {
            Self::First { burst, .. } => *burst,
            Self::Tried { .. } => Duration::ZERO,
        }
    }

    const fn before(&self) -> Before<'_> {
        match self {
            Self::First { .. } => Before::Nothing,
            Self::Tried { plan, has_played: true, .. } => Before::Played(plan),
            Self::Tried { plan, has_played: false, .. } => Before::Begun(plan),
        }
    }

    const fn take_remembered(&mut self) -> Option<Planned> {
        match self {
            Self::First { remembered, .. } => remembered.take(),
            Self::Tried { .. } => None,
        }
    }

    /// Whether the previous plan was `plan`, and delivered nothing.
    fn was_in_vain(&self, plan: &Plan) -> bool {
        matches!(self, Self::Tried { plan: tried, in_vain: true, .. } if tried == plan)
    }

    /// The next stage, after `plan` was tried and has `delivered` segments or not.
    fn tried(&self, plan: Plan, delivered: bool) -> Self {
        let had_played = matches!(self, Self::Tried { has_played: true, .. });
        let in_vain = self.burst().is_zero() && !delivered;
        Self::Tried { plan, has_played: had_played || delivered, in_vain }
    }
}

async fn make(planning: &Planning<'_>, delivery: &Delivery) -> Failure {
    let (stream, input) = (planning.stream, planning.input);
    let mut deadline = Instant::now() + FIRST_SEGMENT_TIMEOUT;
    if !timeout_at(deadline, flowing(&input.feed)).await.unwrap_or(false) {
        return input.failure();
    }
    let burst = if stream.is_interrupted() { stream.join_span() } else { Duration::ZERO };
    let mut stage = Stage::First { burst, remembered: planning.remembered() };
    loop {
        if Instant::now() >= deadline {
            return input.failure();
        }
        let planned = match stage.take_remembered() {
            Some(planned) => planned,
            None => match timeout_at(deadline, planning.shown(stage.before(), deadline)).await {
                Ok(Ok(planned)) => planned,
                Ok(Err(failure)) => return failure,
                Err(_) => return input.failure(),
            },
        };
        if stage.was_in_vain(&planned.plan) && !planning.takes_ffmpeg(&planned.plan) {
            // The segments contradict the facts that the feed has shown.
            return Failure::Unsuitable;
        }
        let mut cutting = Cutting::new(stream, delivery.after_discontinuity(), &planned.plan, deadline);
        match carry_out(planning, &planned, stage.burst(), &mut cutting).await {
            // If no segment was made because no data came, the input knows the reason.
            End::Failed(Failure::Stalled) => return input.failure(),
            End::Failed(failure) => return failure,
            End::Disproved => {}
        }
        if cutting.has_delivered {
            // The next plan has the full time; after a plan that delivered nothing it has only the rest.
            deadline = Instant::now() + FIRST_SEGMENT_TIMEOUT;
        }
        stage = stage.tried(planned.plan, cutting.has_delivered);
    }
}

/// Waits until the feed flows; false if it has ended. A feed that does not flow holds only data that viewers have seen.
async fn flowing(feed: &Feed) -> bool {
    let mut state = feed.state();
    let flows = state.wait_for(|state| matches!(state, FeedState::Flowing { .. }) || state.is_over()).await;
    flows.is_ok_and(|state| !state.is_over())
}

/// Carries out a plan, beginning with the latest `burst` of the input.
async fn carry_out(
    planning: &Planning<'_>,
    planned: &Planned,
    burst: Duration,
    cutting: &mut Cutting,
) -> End {
    let reader = planning.input.feed.read(Join::Burst(burst));
    match planning.encoding(&planned.plan) {
        Some(encoding) => {
            let disproved = planning.disproved(planned);
            let failure = encode(encoding, &planned.plan, reader, cutting, disproved).await;
            failure.map_or(End::Disproved, End::Failed)
        }
        None => copy(reader, cutting, |facts| planning.holds(planned, facts)).await,
    }
}

/// Cuts the input as it is, while its facts satisfy `is_still_valid`.
async fn copy(mut reader: Reader, cutting: &mut Cutting, is_still_valid: impl Fn(&Facts) -> bool) -> End {
    loop {
        let Chunk { bytes, splice, .. } = match timeout_at(cutting.deadline, reader.next()).await {
            Ok(Ok(chunk)) => chunk,
            Ok(Err(end)) => return End::Failed(failure_of(end)),
            Err(_) => return End::Failed(Failure::Stalled),
        };
        if splice {
            cutting.splice();
        }
        if let Err(end) = cutting.push(&bytes, &is_still_valid) {
            return end;
        }
    }
}
