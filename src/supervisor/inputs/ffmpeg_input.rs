//! Pulls an input with an FFmpeg that remuxes it to a transport stream: HLS, RTSP, datagrams or a file.
//!
//! It does not know how the transport stream is used.

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt as _;
use tokio::process::ChildStdout;
use tokio_util::task::TaskTracker;

use crate::body::{self, BoxError};
use crate::feed::input::{Input, InputError, OpenFuture};
use crate::ffmpeg::Ffmpeg;
use crate::ffmpeg::command::Command;
use crate::ffmpeg::process::{Process, Running};
use domain::mpegts::rtp::Unwrap;

/// Bytes that are read at once.
const READ_SIZE: usize = 64 << 10;

/// An input that FFmpeg pulls.
#[derive(Debug)]
pub(super) struct FfmpegInput {
    name: String,
    command: Command,
    /// Whether FFmpeg's output is wrapped in RTP packets.
    rtp: bool,
    ffmpeg: Ffmpeg,
    tasks: TaskTracker,
}

impl FfmpegInput {
    pub(super) const fn new(
        name: String,
        command: Command,
        rtp: bool,
        ffmpeg: Ffmpeg,
        tasks: TaskTracker,
    ) -> Self {
        Self { name, command, rtp, ffmpeg, tasks }
    }
}

impl Input for FfmpegInput {
    fn open(&self) -> OpenFuture<'_> {
        Box::pin(async {
            let started = self.ffmpeg.start(&self.command, &self.tasks).await;
            let running = started.map_err(|error| InputError::new(error.failure(), error))?;
            let Running { output, process, .. } = running;
            let rtp = self.rtp.then(Unwrap::default);
            // Dropping `process` ends the process.
            Ok(body::unfold((output, BytesMut::new(), rtp, process), read))
        })
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// The reading state of a process's output, with the process, which it keeps alive.
type Output = (ChildStdout, BytesMut, Option<Unwrap>, Process);

async fn read(
    (mut output, mut buffer, mut rtp, process): Output,
) -> (Output, Option<Result<Bytes, BoxError>>) {
    buffer.reserve(READ_SIZE);
    let read = match output.read_buf(&mut buffer).await {
        Ok(0) => None,
        Ok(_) => {
            let bytes = buffer.split().freeze();
            Some(Ok(match &mut rtp {
                Some(rtp) => rtp.take(&bytes),
                None => bytes,
            }))
        }
        Err(broken) => Some(Err(broken.into())),
    };
    ((output, buffer, rtp, process), read)
}
