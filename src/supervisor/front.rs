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
    ffmpeg: Ffmpeg,
    tasks: TaskTracker,
}

impl FrontInput {
    pub(super) const fn new(name: String, command: Command, ffmpeg: Ffmpeg, tasks: TaskTracker) -> Self {
        Self { name, command, ffmpeg, tasks }
    }
}

impl Input for FrontInput {
    fn open(&self) -> Opening<'_> {
        Box::pin(async {
            let started = self.ffmpeg.start(&self.command, &self.tasks).await;
            let running = started.map_err(|error| InputError::new(error.failure(), error))?;
            let Running { output, process, .. } = running;
            Ok(body::boxed(Output { output, buffer: BytesMut::new(), _process: process }))
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
    _process: Process,
}

impl Body for Output {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Self { output, buffer, .. } = &mut *self;
        buffer.reserve(PIECE);
        match ready!(poll_read_buf(Pin::new(output), cx, buffer)) {
            Ok(0) => Poll::Ready(None),
            Ok(_) => Poll::Ready(Some(Ok(Frame::data(buffer.split().freeze())))),
            Err(broken) => Poll::Ready(Some(Err(broken.into()))),
        }
    }
}
