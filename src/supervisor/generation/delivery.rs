//! Delivers a generation's segments: appends them to the stream's window, and tells the pool.
//!
//! It does not know how segments are made.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use tracing::debug;

use crate::memory::Mapped;
use crate::supervisor::handle::Handle;
use crate::supervisor::promises::Fit;
use crate::supervisor::stream::Stream;
use crate::upstream::follow::Fetched;
use crate::upstream::jellyfin::Media;
use domain::cutter::{Cut, Cutter};
use domain::key::StreamId;
use domain::pool::{Event, Output};
use domain::produce::ProductionMethod;
use domain::reason::Failure;
use domain::window::Arrival;

/// The number of copies of an adopted stream that the server writes to its disk: the tuner's raw file and the segments
/// (docs/jellyfin.md 2).
const DISK_COPIES: u64 = 2;

/// Delivers the segments of one generation.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    handle: Handle,
    stream: Arc<Stream>,
    id: StreamId,
    generation: u32,
    method: ProductionMethod,
    /// How long the longest batch is in which pieces come.
    batch: Duration,
    /// Whether the next segment begins with a discontinuity.
    discontinuous: bool,
}

/// The resources that a segment took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// Bytes on the server's disk, without those of the input.
    pub(super) written: u64,
    /// Whether its video was encoded.
    pub(super) encoded: bool,
}

/// Cuts the segments of an adopted job into pieces.
struct Recut {
    cutter: Cutter<Mapped>,
    has_cut: bool,
}

impl Delivery {
    pub(super) const fn new(
        handle: Handle,
        stream: Arc<Stream>,
        (id, generation): (StreamId, u32),
        method: ProductionMethod,
    ) -> Self {
        Self { handle, stream, id, generation, method, batch: Duration::ZERO, discontinuous: true }
    }

    /// A copy for segments that do not continue the earlier ones.
    pub(super) fn after_discontinuity(&self) -> Self {
        Self { discontinuous: true, ..self.clone() }
    }

    /// Delivers a piece, if the stream's lists have room for it.
    pub(super) fn deliver_piece(
        &mut self,
        cut: Cut,
        content_type: HeaderValue,
        cost: Cost,
    ) -> Result<(), Failure> {
        let Cut { bytes: body, duration, independent, discontinuity, ends_group } = cut;
        match self.stream.fit(ProductionMethod::Own, duration) {
            Fit::AsItIs => {}
            Fit::InPieces | Fit::Not => return Err(Failure::Overlong),
        }
        let arrival = Arrival { duration, discontinuity, independent, ends_group };
        self.deliver(arrival, Media { body, content_type, modified: None }, cost);
        Ok(())
    }

    /// Appends a piece to the window, and tells the pool.
    fn deliver(&mut self, arrival: Arrival, media: Media, cost: Cost) {
        let Self { handle, stream, id, generation, method, batch, discontinuous } = self;
        let discontinuity = *discontinuous || arrival.discontinuity;
        debug!(seconds = arrival.duration.as_secs_f64(), bytes = media.body.len(), "delivered a piece");
        let now = handle.now();
        let reached = if stream.keeps_old() { handle.pool().reached(*id, now) } else { [None; 2] };
        let arrival = Arrival { discontinuity, ..arrival };
        let appended = stream.append(arrival, media, *method, reached, now);
        let Some((target, held)) = appended else { return };
        *discontinuous = false;
        let Cost { written, encoded } = cost;
        let target = target.max(*batch);
        let output = Output { target, duration: arrival.duration, written, held, encoded };
        handle.tell(Event::SegmentReady { stream: *id, generation: *generation, output });
    }

    /// A callback that delivers the segments of an adopted job, in pieces where the stream's lists have no room for a whole one.
    /// `encoded` says whether the server encodes their video.
    pub(super) fn adopted_segments(
        mut self,
        encoded: bool,
    ) -> impl FnMut(Fetched) -> Result<(), Failure> + Send + 'static {
        let mut recut: Option<Recut> = None;
        move |Fetched { duration, gap, media }| {
            let written = DISK_COPIES * media.body.len() as u64;
            let cost = Cost { written, encoded };
            match self.stream.fit(self.method, duration) {
                // Once the segments are cut, all are: the cutter holds the end of the last one.
                Fit::AsItIs if recut.is_none() => {
                    let media = Media { body: Mapped::holding(&media.body).into(), ..media };
                    let arrival =
                        Arrival { duration, discontinuity: gap, independent: true, ends_group: true };
                    self.deliver(arrival, media, cost);
                    Ok(())
                }
                Fit::AsItIs | Fit::InPieces => {
                    let recut = recut.get_or_insert_with(|| {
                        self.discontinuous |= gap;
                        Recut { cutter: Cutter::in_memory(self.stream.rule()), has_cut: false }
                    });
                    self.batch = self.batch.max(duration);
                    self.deliver_in_pieces(recut, gap, media, cost)
                }
                Fit::Not => Err(Failure::Overlong),
            }
        }
    }

    fn deliver_in_pieces(
        &mut self,
        Recut { cutter, has_cut }: &mut Recut,
        gap: bool,
        media: Media,
        mut cost: Cost,
    ) -> Result<(), Failure> {
        if gap {
            cutter.splice();
        }
        cutter.push(&media.body);
        while let Some(cut) = cutter.poll() {
            *has_cut = true;
            self.deliver_piece(cut, media.content_type.clone(), cost)?;
            cost.written = 0;
        }
        // Otherwise it is in a format that the cutter does not know, or begins without a random access point.
        if *has_cut { Ok(()) } else { Err(Failure::Overlong) }
    }
}
