//! Where a generation's segments go: into the window of its stream, and as news to the pool.
//!
//! It does not know how they are made.

use std::sync::Arc;

use tracing::debug;

use crate::memory::Mapped;
use crate::supervisor::handle::Handle;
use crate::supervisor::stream::Stream;
use crate::upstream::follow::Fetched;
use crate::upstream::jellyfin::Media;
use domain::key::StreamId;
use domain::pool::{Event, Output};
use domain::window::Arrival;

/// How often the server writes an adopted stream to its disk: the tuner's raw file, and the segments cut from it
/// (docs/jellyfin.md 2).
const WRITTEN_TWICE: u64 = 2;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    handle: Handle,
    stream: Arc<Stream>,
    id: StreamId,
    generation: u32,
    /// Whether the next segment continues none.
    anew: bool,
}

/// What a segment costs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// Bytes on the server's disk, beside those of its input.
    pub(super) written: u64,
    /// Whether it took an encoder of ours.
    pub(super) encoded: bool,
}

impl Delivery {
    pub(super) const fn new(handle: Handle, stream: Arc<Stream>, id: StreamId, generation: u32) -> Self {
        Self { handle, stream, id, generation, anew: true }
    }

    /// The same, for segments that continue none of those before.
    pub(super) fn anew(&self) -> Self {
        Self { anew: true, ..self.clone() }
    }

    /// Puts a segment into the window, and tells the pool.
    pub(super) fn deliver(&mut self, arrival: Arrival, media: Media, cost: Cost) {
        let Self { handle, stream, id, generation, anew } = self;
        let discontinuity = *anew || arrival.discontinuity;
        debug!(seconds = arrival.duration.as_secs_f64(), bytes = media.body.len(), "segment");
        let appended = stream.append(Arrival { discontinuity, ..arrival }, media, handle.now());
        let Some((target, held)) = appended else { return };
        *anew = false;
        let Cost { written, encoded } = cost;
        let output = Output { target, written, held, encoded };
        handle.tell(Event::SegmentReady { stream: *id, generation: *generation, output });
    }

    /// Takes the segments of an adopted job.
    pub(super) fn adopted_segments(mut self) -> impl FnMut(Fetched) + Send + 'static {
        move |Fetched { duration, gap, media }| {
            let media = Media { body: Mapped::holding(&media.body).into(), ..media };
            let written = WRITTEN_TWICE * media.body.len() as u64;
            let arrival = Arrival { duration, discontinuity: gap, independent: true };
            self.deliver(arrival, media, Cost { written, encoded: false });
        }
    }
}
