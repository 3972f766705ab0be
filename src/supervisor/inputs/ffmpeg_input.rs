//! An input that FFmpeg fetches and makes a transport stream of: HLS, RTSP, datagrams, files.
//!
//! It does not know what becomes of the stream.

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

/// What is read at a time.
const PIECE: usize = 64 << 10;

/// See the module.
#[derive(Debug)]
pub(super) struct FfmpegInput {
    name: String,
    command: Command,
    /// Whether what comes is wrapped in RTP.
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
            // Dropped, it ends the process.
            Ok(body::unfold((output, BytesMut::new(), rtp, process), read))
        })
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// What the process has made, from where it is read to where it is kept alive.
type Output = (ChildStdout, BytesMut, Option<Unwrap>, Process);

async fn read(
    (mut output, mut buffer, mut rtp, process): Output,
) -> (Output, Option<Result<Bytes, BoxError>>) {
    buffer.reserve(PIECE);
    let came = match output.read_buf(&mut buffer).await {
        Ok(0) => None,
        Ok(_) => {
            let came = buffer.split().freeze();
            Some(Ok(match &mut rtp {
                Some(rtp) => rtp.take(&came),
                None => came,
            }))
        }
        Err(broken) => Some(Err(broken.into())),
    };
    ((output, buffer, rtp, process), came)
}
