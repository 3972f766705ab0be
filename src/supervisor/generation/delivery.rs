//! Delivers a generation's segments: appends them to the stream's window, and tells the pool.
//!
//! It does not know how segments are made.

use std::sync::Arc;

use tracing::debug;

use crate::memory::Mapped;
use crate::supervisor::handle::Handle;
use crate::supervisor::stream::Stream;
use crate::upstream::follow::Fetched;
use crate::upstream::jellyfin::Media;
use domain::key::StreamId;
use domain::pool::{Event, Output};
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

impl Delivery {
    pub(super) const fn new(handle: Handle, stream: Arc<Stream>, id: StreamId, generation: u32) -> Self {
        Self { handle, stream, id, generation, discontinuous: true }
    }

    /// A copy for segments that do not continue the earlier ones.
    pub(super) fn after_discontinuity(&self) -> Self {
        Self { discontinuous: true, ..self.clone() }
    }

    /// Appends a segment to the window, and tells the pool.
    pub(super) fn deliver(&mut self, arrival: Arrival, media: Media, cost: Cost) {
        let Self { handle, stream, id, generation, discontinuous } = self;
        let discontinuity = *discontinuous || arrival.discontinuity;
        debug!(seconds = arrival.duration.as_secs_f64(), bytes = media.body.len(), "delivered a segment");
        let appended = stream.append(Arrival { discontinuity, ..arrival }, media, handle.now());
        let Some((target, held)) = appended else { return };
        *discontinuous = false;
        let Cost { written, encoded } = cost;
        let output = Output { target, duration: arrival.duration, written, held, encoded };
        handle.tell(Event::SegmentReady { stream: *id, generation: *generation, output });
    }

    /// A callback that delivers the segments of an adopted job, while they fit the stream's list. `encoded` says whether the server
    /// encodes their video.
    pub(super) fn adopted_segments(
        mut self,
        encoded: bool,
    ) -> impl FnMut(Fetched) -> Result<(), Failure> + Send + 'static {
        move |Fetched { duration, gap, media }| {
            if !self.stream.fits(duration) {
                return Err(Failure::Overlong);
            }
            let media = Media { body: Mapped::holding(&media.body).into(), ..media };
            let written = DISK_COPIES * media.body.len() as u64;
            let arrival = Arrival { duration, discontinuity: gap, independent: true };
            self.deliver(arrival, media, Cost { written, encoded });
            Ok(())
        }
    }
}
