//! A generation that the gateway makes itself, from the channel's input: cut as it is, where that satisfies the profile, else
//! through an FFmpeg.
//!
//! It does not know who watches, nor what becomes of the stream when it fails.

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
use crate::supervisor::generation::own::cutting::{Cutting, failure_of};
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

/// Until when there must be a first segment; a viewer is better served by the server after that.
const FIRST: Duration = Duration::from_secs(8);

/// Goes on until it fails, or `paused` (`None`).
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

/// How far a generation has come.
enum Stage {
    /// Nothing was tried.
    First {
        /// How much of the input is made at once: a viewer who went on watching has seen it, a new one wants some.
        burst: Duration,
        /// What is made of the input if it carries what it carried the last time.
        remembered: Option<Planned>,
    },
    /// A plan was tried.
    Tried {
        plan: Plan,
        /// Whether this generation has delivered anything.
        has_played: bool,
        /// Whether this plan has delivered nothing, though it began at the live edge.
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

    /// Whether `plan` has just been tried in vain.
    fn was_in_vain(&self, plan: &Plan) -> bool {
        matches!(self, Self::Tried { plan: tried, in_vain: true, .. } if tried == plan)
    }

    /// `plan` was tried, and has `delivered` something or nothing.
    fn tried(&self, plan: Plan, delivered: bool) -> Self {
        let had_played = matches!(self, Self::Tried { has_played: true, .. });
        let in_vain = self.burst().is_zero() && !delivered;
        Self::Tried { plan, has_played: had_played || delivered, in_vain }
    }
}

async fn make(planning: &Planning<'_>, delivery: &Delivery) -> Failure {
    let (stream, input) = (planning.stream, planning.input);
    let mut deadline = Instant::now() + FIRST;
    if !timeout_at(deadline, flowing(&input.feed)).await.unwrap_or(false) {
        return input.failure();
    }
    let burst = if stream.join_point().is_some() { Duration::ZERO } else { stream.join_span() };
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
            // What its segments carry is not what the feed has shown.
            return Failure::Unsuitable;
        }
        let mut cutting = Cutting::new(stream, delivery.anew(), &planned.plan, deadline);
        match carry_out(planning, &planned, stage.burst(), &mut cutting).await {
            // If nothing is made because nothing comes, the input says why.
            End::Failed(Failure::Stalled) => return input.failure(),
            End::Failed(failure) => return failure,
            End::Disproved => {}
        }
        if cutting.has_delivered {
            // The next plan has as long as this one had, but no longer than is left if this one delivered nothing.
            deadline = Instant::now() + FIRST;
        }
        stage = stage.tried(planned.plan, cutting.has_delivered);
    }
}

/// How the carrying out of a plan ends.
enum End {
    /// By a failure.
    Failed(Failure),
    /// The input carries something that is to be made otherwise, from now on or after all.
    Disproved,
}

/// Waits until the feed flows; false if it is over. What is in the ring of a feed that does not flow has been seen.
async fn flowing(feed: &Feed) -> bool {
    let mut state = feed.state();
    let flows = state.wait_for(|state| matches!(state, FeedState::Flowing { .. }) || state.is_over()).await;
    flows.is_ok_and(|state| !state.is_over())
}

/// Makes segments as `planned`, the first `burst` of them at once.
async fn carry_out(
    planning: &Planning<'_>,
    planned: &Planned,
    burst: Duration,
    cutting: &mut Cutting,
) -> End {
    let reader = planning.input.feed.read(Join::Burst(burst));
    match planning.encoding(&planned.plan) {
        Some(encoding) => {
            let wrong = planning.disproved(planned);
            let failure = encode(encoding, &planned.plan, reader, cutting, wrong).await;
            failure.map_or(End::Disproved, End::Failed)
        }
        None => copy(reader, cutting, |facts| planning.holds(planned, facts)).await,
    }
}

/// Cuts the input as it is, for as long as what it carries is `still_right`.
async fn copy(mut reader: Reader, cutting: &mut Cutting, still_right: impl Fn(&Facts) -> bool) -> End {
    loop {
        let Chunk { bytes, splice, .. } = match timeout_at(cutting.deadline, reader.next()).await {
            Ok(Ok(chunk)) => chunk,
            Ok(Err(end)) => return End::Failed(failure_of(end)),
            Err(_) => return End::Failed(Failure::Stalled),
        };
        if splice {
            cutting.splice();
        }
        if !cutting.push(&bytes, &still_right) {
            return End::Disproved;
        }
    }
}
