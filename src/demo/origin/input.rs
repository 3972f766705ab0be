//! Where a tuner's bytes come from: an FFmpeg that paints them, or a provider that is asked for them.
//!
//! Its two ends: who opened it can hang up, and what comes is taken by another.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use bytes::Bytes;
use http::StatusCode;
use http::header::USER_AGENT;
use http_body_util::BodyExt;
use tokio::io::AsyncReadExt;
use tokio::process::ChildStdout;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::body::Body;
use crate::demo::origin::process::Process;
use crate::demo::origin::source::PROVIDER_AGENT;
use crate::fetch::{self, Fetcher};

/// A connected input.
#[derive(Debug)]
pub(super) enum Input {
    Painted(Box<Process>),
    Pulled(CancellationToken),
}

/// What comes of it.
pub(super) enum Flow {
    Painted(ChildStdout),
    Pulled(Body, CancellationToken),
}

/// Has FFmpeg paint it.
pub(super) fn paint(picture: &[OsString], folder: &Path) -> io::Result<(Input, Flow)> {
    let (process, stdout) = Process::start(picture, folder, true)?;
    let stdout = stdout.ok_or_else(|| io::Error::other("FFmpeg has no standard output"))?;
    Ok((Input::Painted(Box::new(process)), Flow::Painted(stdout)))
}

/// Asks for what is at `url`, without asking anything beforehand (`SharedHttpStream.cs`).
pub(super) async fn pull(fetcher: &Fetcher, url: &str) -> io::Result<(Input, Flow)> {
    let url = Url::parse(url).map_err(io::Error::other)?;
    let headers = fetch::headers([(USER_AGENT.as_str(), PROVIDER_AGENT)]);
    let answer = fetcher.get(&url, &headers).await.map_err(io::Error::other)?.response;
    if answer.status() != StatusCode::OK {
        return Err(io::Error::other(answer.status().to_string()));
    }
    let hung_up = CancellationToken::new();
    Ok((Input::Pulled(hung_up.clone()), Flow::Pulled(answer.into_body(), hung_up)))
}

impl Input {
    /// Ends it.
    pub(super) fn hang_up(&self) {
        match self {
            Self::Painted(process) => process.kill(),
            Self::Pulled(hung_up) => hung_up.cancel(),
        }
    }

    /// Whether it has ended.
    pub(super) fn is_gone(&self) -> bool {
        match self {
            Self::Painted(process) => process.exit().is_some(),
            Self::Pulled(hung_up) => hung_up.is_cancelled(),
        }
    }
}

impl Flow {
    /// What comes next; `None` at its end.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        match self {
            Self::Painted(stdout) => {
                let mut buffer = vec![0; 64 * 1024];
                let count = stdout.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
                buffer.truncate(count);
                Some(buffer.into())
            }
            Self::Pulled(body, hung_up) => {
                let frame = hung_up.run_until_cancelled(body.frame()).await;
                let data = frame.flatten().and_then(Result::ok).and_then(|frame| frame.into_data().ok());
                if data.is_none() {
                    hung_up.cancel();
                }
                data
            }
        }
    }
}
