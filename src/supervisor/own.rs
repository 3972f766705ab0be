//! A generation that the gateway makes itself, from the channel's input: cut as it is, where that satisfies the profile.
//!
//! It does not know who watches, nor what becomes of it when it fails.

use std::time::Duration;

use http::HeaderValue;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::domain::cutter::{Cut, Cutter};
use crate::domain::encoding::abilities::Abilities;
use crate::domain::encoding::plan::{Plan, Tolerance, plan};
use crate::domain::mpegts::facts::Facts;
use crate::domain::reason::{Failure, Obstacle};
use crate::domain::ring::Join;
use crate::domain::window::Arrival;
use crate::feed::reader::ReaderEnd;
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
    let mut reader = intake.feed.read(Join::Burst(run.stream.join_span()));
    let facts = match timeout(FIRST, intake.feed.facts()).await {
        Ok(Some(facts)) => facts,
        Ok(None) => return intake.failure(),
        Err(_) => return Failure::Stalled,
    };
    if let Err(obstacle) = planned(run, &facts) {
        info!(obstacle = obstacle.as_str(), ?facts, "left to the server");
        return Failure::Unsuitable;
    }
    let mut cutter = Cutter::new(run.stream.rule(FIRST_SEGMENT));
    let mut delivery = run.delivery();
    let mut deadline = Instant::now() + FIRST;
    loop {
        let chunk = match timeout_at(deadline, reader.next()).await {
            Ok(Ok(chunk)) => chunk,
            Ok(Err(ReaderEnd::Lagged)) => return Failure::Lagged,
            Ok(Err(ReaderEnd::Failed(failure))) => return failure,
            Ok(Err(ReaderEnd::Stopped)) => return Failure::Ended,
            Err(_) => return Failure::Stalled,
        };
        if chunk.splice {
            cutter.splice();
        }
        cutter.push(&chunk.bytes);
        while let Some(cut) = cutter.poll() {
            deadline = Instant::now() + HALTED * run.stream.target(cut.duration);
            deliver(&mut delivery, cut, intake.is_on_disk());
        }
    }
}

/// How it is made from what the input carries.
fn planned(run: &Run, facts: &Facts) -> Result<Plan, Obstacle> {
    let demand = run.stream.demand.as_ref().ok_or(Obstacle::UnreadableWish)?;
    let plan = plan(demand, facts, &Abilities::default(), Tolerance::NONE)?;
    if plan.is_copy() { Ok(plan) } else { Err(Obstacle::EncoderMissing) }
}

fn deliver(delivery: &mut Delivery, cut: Cut, on_disk: bool) {
    let Cut { bytes, duration, independent, discontinuity } = cut;
    let written = if on_disk { bytes.len() as u64 } else { 0 };
    let media = Media { body: bytes, content_type: MPEG_TS, modified: None };
    let arrival = Arrival { duration, discontinuity, independent };
    delivery.deliver(arrival, media, Cost { written, encoded: false });
}
