//! Encodes an input with an FFmpeg: writes the input to its stdin, and cuts its output.
//!
//! If either side stalls, this generation fails. Other readers of the input are not affected.

use std::pin::pin;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncReadExt as _;
use tokio::process::ChildStdout;
use tokio::time::timeout_at;
use tracing::{debug, warn};

use crate::feed::reader::Reader;
use crate::ffmpeg::StdinQueue;
use crate::ffmpeg::command::{Command, EncodeSettings};
use crate::ffmpeg::process::Running;
use crate::supervisor::generation::own::cutting::{Cutting, End, failure_of};
use crate::supervisor::generation::own::workshop::Encoding;
use domain::encoding::plan::Plan;
use domain::reason::Failure;
use domain::ring::Chunk;

/// The distance of key frames: short, since players that need whole groups of pictures wait for two of them.
const KEY_FRAMES: Duration = Duration::from_secs(1);
/// Bytes that are read at once.
const READ_SIZE: usize = 64 << 10;

/// Carries out `plan` on the input of `reader` until that fails. Returns `None` if the encoding has to be restarted, because
/// the plan is `disproved` or the input changes to another timeline. FFmpeg has ended by then.
pub(super) async fn encode(
    encoding: &Encoding,
    plan: &Plan,
    reader: Reader,
    cutting: &mut Cutting,
    disproved: impl Future<Output = ()>,
) -> Option<Failure> {
    let mut disproved = pin!(disproved);
    let settings = EncodeSettings { key_frames: KEY_FRAMES, preset: encoding.preset.clone() };
    let command = Command::make(plan, &settings);
    let started = tokio::select! {
        biased;
        () = &mut disproved => return None,
        started = encoding.ffmpeg.start(&command, &encoding.tasks) => started,
    };
    let Running { stdin, output, process, .. } = match started {
        Ok(running) => running,
        Err(error) => {
            warn!(cause = %error, "could not start FFmpeg");
            return Some(error.failure());
        }
    };
    let Some(stdin) = stdin else { return Some(Failure::Panicked) };
    debug!(process = process.id(), "FFmpeg is encoding");
    let failure = tokio::select! {
        () = disproved => None,
        failure = feed(reader, &stdin) => failure,
        failure = cut(output, cutting) => Some(failure),
        ended = process.ended() => Some(ended.failure.unwrap_or(Failure::Crashed)),
    };
    process.stop().await;
    failure
}

/// Writes the input to FFmpeg's stdin until that fails. Returns `None` if the input changes to another timeline, since FFmpeg
/// would drop packets until the new timestamps reach the old ones.
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
        piece.reserve(READ_SIZE);
        match timeout_at(cutting.deadline, output.read_buf(&mut piece)).await {
            Ok(Ok(0)) | Ok(Err(_)) => return Failure::Crashed,
            Ok(Ok(_)) => {
                if let Err(End::Failed(failure)) = cutting.push(&piece.split().freeze(), |_| true) {
                    return failure;
                }
            }
            Err(_) => return Failure::Stalled,
        }
    }
}
