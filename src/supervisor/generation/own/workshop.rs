//! Groups the parts that own generations share: FFmpeg, the facts of sources, and the server's encoding settings.

use tokio_util::task::TaskTracker;

use crate::ffmpeg::Ffmpeg;
use crate::supervisor::generation::own::hardware::ServerHardware;
use crate::supervisor::generation::own::source_facts::SourceFacts;
use crate::supervisor::held::caller::Callers;
use domain::encoding::plan::Plan;

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
    pub(in crate::supervisor) fn new(encoding: Option<Encoding>, callers: Callers) -> Self {
        Self { encoding, source_facts: SourceFacts::default(), hardware: ServerHardware::default(), callers }
    }
}

impl Encoding {
    /// Whether `plan` is carried out without an FFmpeg.
    pub(super) fn copies(&self, plan: &Plan) -> bool {
        self.copies_natively && plan.is_copy()
    }
}
