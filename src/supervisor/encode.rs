//! What cannot stay as it is goes through an FFmpeg: the input into it, and what it makes to the cutter.
//!
//! Whatever keeps either side waiting too long ends this generation, and nothing else.

use bytes::BytesMut;
use tokio::io::AsyncReadExt as _;
use tokio::process::ChildStdout;
use tokio::time::timeout_at;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::domain::encoding::plan::Plan;
use crate::domain::reason::Failure;
use crate::domain::ring::Chunk;
use crate::feed::reader::Reader;
use crate::ffmpeg::command::{Command, Rule};
use crate::ffmpeg::process::Running;
use crate::ffmpeg::{Ffmpeg, Input};
use crate::supervisor::own::{Cutting, failure_of};

/// Bytes read at once.
const PIECE: usize = 64 << 10;

/// With what profiles are made that the source does not satisfy.
#[derive(Clone, Debug)]
pub struct Encoding {
    /// The FFmpeg of this machine.
    pub ffmpeg: Ffmpeg,
    /// libx264's preset.
    pub preset: String,
    /// Whether what needs no encoding needs no FFmpeg either.
    pub copies_natively: bool,
    /// Where its watchers run.
    pub tasks: TaskTracker,
}

/// Makes `plan` of what `reader` reads, until that fails.
pub(super) async fn encode(
    encoding: &Encoding,
    plan: &Plan,
    reader: Reader,
    cutting: &mut Cutting,
) -> Failure {
    let rule = Rule { key_frames: cutting.usual(), preset: encoding.preset.clone() };
    let started = encoding.ffmpeg.start(&Command::make(plan, &rule), &encoding.tasks).await;
    let Running { input, output, process, .. } = match started {
        Ok(running) => running,
        Err(error) => {
            warn!(cause = %error, "no FFmpeg");
            return error.failure();
        }
    };
    let Some(input) = input else { return Failure::Panicked };
    debug!(process = process.id(), "encoding");
    let failure = tokio::select! {
        failure = feed(reader, &input) => failure,
        failure = cut(output, cutting) => failure,
        ended = process.ended() => ended.failure.unwrap_or(Failure::Crashed),
    };
    process.stop().await;
    failure
}

/// A splice ends it: FFmpeg would go on by the old clock.
async fn feed(mut reader: Reader, input: &Input) -> Failure {
    let mut begun = false;
    loop {
        match reader.next().await {
            Ok(Chunk { splice: true, .. }) if begun => return Failure::Ended,
            Ok(Chunk { bytes, .. }) => {
                begun = true;
                if let Err(failure) = input.give(bytes).await {
                    return failure;
                }
            }
            Err(end) => return failure_of(end),
        }
    }
}

async fn cut(mut output: ChildStdout, cutting: &mut Cutting) -> Failure {
    let mut piece = BytesMut::new();
    loop {
        piece.reserve(PIECE);
        match timeout_at(cutting.deadline, output.read_buf(&mut piece)).await {
            Ok(Ok(0)) | Ok(Err(_)) => return Failure::Crashed,
            Ok(Ok(_)) => {
                cutting.push(&piece.split().freeze(), |_| true);
            }
            Err(_) => return Failure::Stalled,
        }
    }
}
