//! What cannot stay as it is goes through an FFmpeg: the input into it, and what it makes to the cutter.
//!
//! Whatever keeps either side waiting too long ends this generation, and nothing else.

use std::pin::pin;

use bytes::BytesMut;
use tokio::io::AsyncReadExt as _;
use tokio::process::ChildStdout;
use tokio::time::timeout_at;
use tracing::{debug, warn};

use crate::feed::reader::Reader;
use crate::ffmpeg::StdinQueue;
use crate::ffmpeg::command::{Command, EncodeSettings};
use crate::ffmpeg::process::Running;
use crate::supervisor::generation::own::cutting::{Cutting, failure_of};
use crate::supervisor::generation::own::workshop::Encoding;
use domain::encoding::plan::Plan;
use domain::reason::Failure;
use domain::ring::Chunk;

/// Bytes read at once.
const PIECE: usize = 64 << 10;

/// Makes `plan` of what `reader` reads, until that fails, or is to be begun anew because it
/// is `wrong` or the input goes on by another clock (`None`). FFmpeg has ended then, and its place is free.
pub(super) async fn encode(
    encoding: &Encoding,
    plan: &Plan,
    reader: Reader,
    cutting: &mut Cutting,
    wrong: impl Future<Output = ()>,
) -> Option<Failure> {
    let mut wrong = pin!(wrong);
    let settings = EncodeSettings { key_frames: cutting.usual(), preset: encoding.preset.clone() };
    let command = Command::make(plan, &settings);
    let started = tokio::select! {
        biased;
        () = &mut wrong => return None,
        started = encoding.ffmpeg.start(&command, &encoding.tasks) => started,
    };
    let Running { stdin, output, process, .. } = match started {
        Ok(running) => running,
        Err(error) => {
            warn!(cause = %error, "no FFmpeg");
            return Some(error.failure());
        }
    };
    let Some(stdin) = stdin else { return Some(Failure::Panicked) };
    debug!(process = process.id(), "encoding");
    let failure = tokio::select! {
        () = wrong => None,
        failure = feed(reader, &stdin) => failure,
        failure = cut(output, cutting) => Some(failure),
        ended = process.ended() => Some(ended.failure.unwrap_or(Failure::Crashed)),
    };
    process.stop().await;
    failure
}

/// Gives it what comes, until that goes on by another clock (`None`): FFmpeg would wait until that shows what the old one did.
async fn feed(mut reader: Reader, stdin: &StdinQueue) -> Option<Failure> {
    let mut before = None;
    loop {
        match reader.next().await {
            Ok(Chunk { timeline, .. }) if before.is_some_and(|before| before != timeline) => return None,
            Ok(Chunk { bytes, timeline, .. }) => {
                before = Some(timeline);
                if let Err(failure) = stdin.give(bytes).await {
                    return Some(failure);
                }
            }
            Err(end) => return Some(failure_of(end)),
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
