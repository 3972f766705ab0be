//! An input that FFmpeg fetches and makes a transport stream of: HLS, RTSP, datagrams, files.
//!
//! It does not know what becomes of the stream.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};
use tokio::process::ChildStdout;
use tokio_util::io::poll_read_buf;
use tokio_util::task::TaskTracker;

use crate::body::{self, BoxError};
use crate::domain::mpegts::rtp::Unwrap;
use crate::feed::input::{Input, InputError, Opening};
use crate::ffmpeg::Ffmpeg;
use crate::ffmpeg::command::Command;
use crate::ffmpeg::process::{Process, Running};

/// What is read at a time.
const PIECE: usize = 64 << 10;

/// See the module.
#[derive(Debug)]
pub(super) struct FrontInput {
    name: String,
    command: Command,
    /// Whether what comes is wrapped in RTP.
    rtp: bool,
    ffmpeg: Ffmpeg,
    tasks: TaskTracker,
}

impl FrontInput {
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

impl Input for FrontInput {
    fn open(&self) -> Opening<'_> {
        Box::pin(async {
            let started = self.ffmpeg.start(&self.command, &self.tasks).await;
            let running = started.map_err(|error| InputError::new(error.failure(), error))?;
            let Running { output, process, .. } = running;
            let rtp = self.rtp.then(Unwrap::default);
            Ok(body::boxed(Output { output, buffer: BytesMut::new(), rtp, _process: process }))
        })
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// What the process makes; dropping it ends the process.
struct Output {
    output: ChildStdout,
    buffer: BytesMut,
    rtp: Option<Unwrap>,
    _process: Process,
}

impl Body for Output {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Self { output, buffer, rtp, .. } = &mut *self;
        buffer.reserve(PIECE);
        match ready!(poll_read_buf(Pin::new(output), cx, buffer)) {
            Ok(0) => Poll::Ready(None),
            Ok(_) => {
                let came = buffer.split().freeze();
                let data = match rtp {
                    Some(rtp) => rtp.take(&came),
                    None => came,
                };
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Err(broken) => Poll::Ready(Some(Err(broken.into()))),
        }
    }
}
