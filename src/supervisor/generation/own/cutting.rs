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
use domain::container::Container;
use domain::cutter::{Cut, Cutter};
use domain::encoding::plan::Plan;
use domain::mpegts::facts::Facts;
use domain::reason::Failure;

/// The content type of an MPEG-TS segment.
const MPEG_TS: HeaderValue = HeaderValue::from_static(Container::MpegTs.media_type());
/// The longest time between two pieces, in segments of the server's.
const STALLED_SEGMENTS: u32 = 3;

/// The cutter of one plan, with its deadline for the next segment.
#[derive(Debug)]
pub(super) struct Cutting {
    cutter: Cutter<Mapped>,
    delivery: Delivery,
    /// Whether the plan was checked against the facts of this input. It may have been made from those of an earlier one.
    compared: bool,
    /// Whether a segment was delivered.
    pub(super) has_delivered: bool,
    /// When the generation fails unless another piece is complete.
    pub(super) deadline: Instant,
    /// The longest time between two pieces.
    stall_timeout: Duration,
    encoded: bool,
}

impl Cutting {
    /// A cutter for `stream` under `plan`, whose first segment must be complete before `deadline`.
    pub(super) fn new(stream: &Stream, delivery: Delivery, plan: &Plan, deadline: Instant) -> Self {
        // FFmpeg writes one audio track; an input that is cut as it is may carry more.
        let sound = if plan.is_copy() { plan.audio_index } else { 0 };
        Self {
            cutter: Cutter::in_memory(stream.rule()).with_audio(sound),
            delivery,
            compared: false,
            has_delivered: false,
            deadline,
            stall_timeout: stream.promises().target_of_segments(Duration::ZERO) * STALLED_SEGMENTS,
            encoded: plan.encodes_video(),
        }
    }

    /// Declares that the next bytes do not continue the earlier ones.
    pub(super) fn splice(&mut self) {
        self.cutter.splice();
    }

    /// Cuts `bytes`, and delivers each complete piece. Before the first piece and at each discontinuity, checks the facts of the
    /// input with `is_still_valid`; if that is false, the plan is [`End::Disproved`], and the piece is not delivered.
    pub(super) fn push(&mut self, bytes: &Bytes, is_still_valid: impl Fn(&Facts) -> bool) -> Result<(), End> {
        self.cutter.push(bytes);
        while let Some(cut) = self.cutter.poll() {
            if cut.discontinuity || !self.compared && self.cutter.is_settled() {
                if !self.cutter.facts().is_none_or(&is_still_valid) {
                    return Err(End::Disproved);
                }
                self.compared = true;
            }
            self.deadline = Instant::now() + self.stall_timeout;
            self.deliver(cut).map_err(End::Failed)?;
            self.has_delivered = true;
        }
        Ok(())
    }

    fn deliver(&mut self, cut: Cut) -> Result<(), Failure> {
        let cost = Cost { written: 0, encoded: self.encoded };
        self.delivery.deliver_piece(cut, MPEG_TS, cost)
    }
}

/// The end of carrying out a plan.
#[derive(Debug)]
pub(super) enum End {
    /// The generation has failed.
    Failed(Failure),
    /// The input's facts now require another plan.
    Disproved,
}

/// The failure of a generation whose reader has ended.
pub(super) const fn failure_of(end: ReaderEnd) -> Failure {
    match end {
        ReaderEnd::Lagged => Failure::Lagged,
        ReaderEnd::Failed(failure) => failure,
        ReaderEnd::Stopped => Failure::Ended,
    }
}
