//! Cuts what comes into segments, and delivers them.
//!
//! It does not know where the bytes come from: the input as it is, or an FFmpeg.

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

/// The type of a segment that is MPEG-TS.
const MPEG_TS: HeaderValue = HeaderValue::from_static(Container::MpegTs.media_type());
/// The first segment lasts no longer than this, or the first picture would wait for it.
const FIRST_SEGMENT: Duration = Duration::from_millis(500);
/// A stream without a new segment for so many target durations has come to a halt.
const HALTED: u32 = 3;

/// See the module.
#[derive(Debug)]
pub(super) struct Cutting {
    cutter: Cutter<Mapped>,
    delivery: Delivery,
    /// Whether the plan was compared with what comes: it may rest on what another connection has shown.
    compared: bool,
    pub(super) has_delivered: bool,
    /// Until when the next segment must have come.
    pub(super) deadline: Instant,
    usual: Duration,
    halted: Duration,
    encoded: bool,
}

impl Cutting {
    /// Cuts as `plan` says for `stream`; its first segment must come before `deadline`.
    pub(super) fn new(stream: &Stream, delivery: Delivery, plan: &Plan, deadline: Instant) -> Self {
        let rule = stream.rule(FIRST_SEGMENT);
        // FFmpeg's output carries one sound; an input that is cut as it is may carry more.
        let sound = if plan.is_copy() { plan.audio_index } else { 0 };
        Self {
            cutter: Cutter::in_memory(rule).with_audio(sound),
            delivery,
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

    /// The input's next chunk does not continue the one before.
    pub(super) fn splice(&mut self) {
        self.cutter.splice();
    }

    /// Cuts, and delivers each segment that is complete. Says whether what the input carries is `still_right`, which is asked at
    /// first and whenever it changes.
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

/// What the end of an input means for the stream that is made from it.
pub(super) const fn failure_of(end: ReaderEnd) -> Failure {
    match end {
        ReaderEnd::Lagged => Failure::Lagged,
        ReaderEnd::Failed(failure) => failure,
        ReaderEnd::Stopped => Failure::Ended,
    }
}
