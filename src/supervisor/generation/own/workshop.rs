//! Groups the parts that own generations share: FFmpeg, the facts of sources, and the server's encoding settings.

use tokio_util::task::TaskTracker;

use crate::ffmpeg::Ffmpeg;
use crate::supervisor::generation::own::hardware::ServerHardware;
use crate::supervisor::generation::own::source_facts::SourceFacts;
use crate::supervisor::held::caller::Callers;
use crate::supervisor::remembering::Remembering;
use crate::supervisor::stream::Stream;
use domain::encoding::at_server::encodes_video;
use domain::encoding::plan::Plan;
use domain::key::MediaSourceId;

/// The parts that own generations share.
#[derive(Debug)]
pub(in crate::supervisor) struct Workshop {
    /// The encoder for profiles that an input does not satisfy; `None` leaves them to the server.
    pub(super) encoding: Option<Encoding>,
    pub(super) source_facts: SourceFacts,
    pub(super) hardware: ServerHardware,
    pub(super) callers: Callers,
}

/// The encoder for profiles that an input does not satisfy.
#[derive(Clone, Debug)]
pub struct Encoding {
    /// The FFmpeg of this machine.
    pub ffmpeg: Ffmpeg,
    /// libx264's preset.
    pub preset: String,
    /// Whether a plan that only copies is carried out without FFmpeg.
    pub copies_natively: bool,
    /// The tasks that watch FFmpeg's processes.
    pub tasks: TaskTracker,
}

impl Workshop {
    /// `sources` are what is remembered of what sources carry, and who remembers more of it.
    pub(in crate::supervisor) fn new(
        encoding: Option<Encoding>,
        callers: Callers,
        (remembering, sources): (Remembering, Vec<(MediaSourceId, String)>),
    ) -> Self {
        let source_facts = SourceFacts::new(remembering, sources);
        Self { encoding, source_facts, hardware: ServerHardware::default(), callers }
    }

    /// Whether a job of the server's for `stream` encodes the video, as far as is known.
    pub(in crate::supervisor) fn server_encodes(&self, stream: &Stream) -> bool {
        let told = stream.recipe.encodes_video;
        let source = self.source_facts.of(&stream.channel.source).and_then(|facts| facts.video);
        stream.demand.as_ref().map_or(told, |demand| encodes_video(demand, source.as_ref(), told))
    }
}

impl Encoding {
    /// Whether `plan` is carried out without an FFmpeg.
    pub(super) fn copies(&self, plan: &Plan) -> bool {
        self.copies_natively && plan.is_copy()
    }
}
