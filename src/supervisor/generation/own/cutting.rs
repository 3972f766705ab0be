//! Cuts a transport stream into segments, and delivers them.
//!
//! It does not know whether the bytes come from the input itself or from an FFmpeg.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use tokio::time::Instant;

use crate::feed::reader::ReaderEnd;
use crate::memory::Mapped;
use crate::supervisor::generation::delivery::{Cost, Delivery};
use crate::supervisor::stream::Stream;
use crate::upstream::jellyfin::Media;
use domain::container::Container;
use domain::cutter::{Cut, Cutter};
use domain::encoding::plan::Plan;
use domain::mpegts::facts::Facts;
use domain::reason::Failure;
use domain::window::Arrival;

/// The content type of an MPEG-TS segment.
const MPEG_TS: HeaderValue = HeaderValue::from_static(Container::MpegTs.media_type());
/// The duration of the first segment: short, since the first picture waits for it.
const FIRST_SEGMENT: Duration = Duration::from_millis(500);
/// The number of target durations without a new segment after which a stream has stalled.
const STALLED_TARGETS: u32 = 3;

/// The cutter of one plan, with its deadline for the next segment.
#[derive(Debug)]
pub(super) struct Cutting {
    cutter: Cutter<Mapped>,
    delivery: Delivery,
    /// Whether the plan was checked against the facts of this input. It may have been made from those of an earlier one.
    compared: bool,
    /// Whether a segment was delivered.
    pub(super) has_delivered: bool,
    /// When the generation fails unless another segment is complete.
    pub(super) deadline: Instant,
    usual: Duration,
    /// The longest time between two segments.
    stall_timeout: Duration,
    encoded: bool,
}

impl Cutting {
    /// A cutter for `stream` under `plan`, whose first segment must be complete before `deadline`.
    pub(super) fn new(stream: &Stream, delivery: Delivery, plan: &Plan, deadline: Instant) -> Self {
        let rule = stream.rule(FIRST_SEGMENT);
        // FFmpeg writes one audio track; an input that is cut as it is may carry more.
        let sound = if plan.is_copy() { plan.audio_index } else { 0 };
        Self {
            cutter: Cutter::in_memory(rule).with_audio(sound),
            delivery,
            compared: false,
            has_delivered: false,
            deadline,
            usual: rule.usual,
            stall_timeout: rule.target * STALLED_TARGETS,
            encoded: plan.encodes_video(),
        }
    }

    /// The usual duration of a segment.
    pub(super) const fn usual(&self) -> Duration {
        self.usual
    }

    /// Declares that the next bytes do not continue the earlier ones.
    pub(super) fn splice(&mut self) {
        self.cutter.splice();
    }

    /// Cuts `bytes`, and delivers each complete segment. Before the first segment and at each discontinuity, checks the facts of
    /// the input with `is_still_valid`; returns false, without delivering the segment, if that is false.
    pub(super) fn push(&mut self, bytes: &Bytes, is_still_valid: impl Fn(&Facts) -> bool) -> bool {
        self.cutter.push(bytes);
        while let Some(cut) = self.cutter.poll() {
            if cut.discontinuity || !self.compared && self.cutter.is_settled() {
                if !self.cutter.facts().is_none_or(&is_still_valid) {
                    return false;
                }
                self.compared = true;
            }
            self.deadline = Instant::now() + self.stall_timeout;
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

/// The failure of a generation whose reader has ended.
pub(super) const fn failure_of(end: ReaderEnd) -> Failure {
    match end {
        ReaderEnd::Lagged => Failure::Lagged,
        ReaderEnd::Failed(failure) => failure,
        ReaderEnd::Stopped => Failure::Ended,
    }
}
