//! The source of a tuner's bytes: an FFmpeg that generates test pictures, or a provider that is asked over HTTP.
//!
//! It comes in two halves: the tuner keeps [`Input`] to disconnect it, and a task of the tuner reads [`InputBytes`].

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::header::USER_AGENT;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::io::AsyncReadExt;
use tokio::process::ChildStdout;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::ffmpeg::Ffmpeg;

/// The `User-Agent` of the server's requests to a provider (`M3UTunerHost.cs`).
pub(crate) const PROVIDER_AGENT: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.0.0 Safari/537.36";

/// How long a provider may take until its response's head.
const RESPONSE: Duration = Duration::from_secs(30);

/// The half that disconnects.
#[derive(Debug)]
pub(crate) enum Input {
    Generated(Box<Ffmpeg>),
    Pulled(CancellationToken),
}

/// The half that is read.
pub(crate) enum InputBytes {
    Generated(ChildStdout),
    Pulled(Incoming, CancellationToken),
}

/// Starts an FFmpeg with `args` that writes a transport stream to its standard output.
pub(crate) fn generate(args: &[OsString], folder: &Path) -> io::Result<(Input, InputBytes)> {
    let (ffmpeg, stdout) = Ffmpeg::start(args, folder, true)?;
    let stdout = stdout.ok_or_else(|| io::Error::other("FFmpeg has no standard output"))?;
    Ok((Input::Generated(Box::new(ffmpeg)), InputBytes::Generated(stdout)))
}

/// Opens the transport stream at `url` with a single GET (`SharedHttpStream.cs`).
pub(crate) async fn pull(provider: &Provider, url: &str) -> io::Result<(Input, InputBytes)> {
    let response = provider.get(url).await?;
    if response.status() != StatusCode::OK {
        return Err(io::Error::other(response.status().to_string()));
    }
    let disconnected = CancellationToken::new();
    Ok((Input::Pulled(disconnected.clone()), InputBytes::Pulled(response.into_body(), disconnected)))
}

impl Input {
    /// Disconnects.
    pub(crate) fn disconnect(&self) {
        match self {
            Self::Generated(ffmpeg) => ffmpeg.kill(),
            Self::Pulled(disconnected) => disconnected.cancel(),
        }
    }

    /// Whether its bytes still come, or could.
    pub(crate) fn is_connected(&self) -> bool {
        match self {
            Self::Generated(ffmpeg) => ffmpeg.exit().is_none(),
            Self::Pulled(disconnected) => !disconnected.is_cancelled(),
        }
    }
}

impl InputBytes {
    /// The next bytes; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        match self {
            Self::Generated(stdout) => {
                let mut buffer = vec![0; 64 * 1024];
                let count = stdout.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
                buffer.truncate(count);
                Some(buffer.into())
            }
            Self::Pulled(body, disconnected) => {
                let frame = disconnected.run_until_cancelled(body.frame()).await;
                let data = frame.flatten().and_then(Result::ok).and_then(|frame| frame.into_data().ok());
                if data.is_none() {
                    disconnected.cancel();
                }
                data
            }
        }
    }
}

/// The HTTP client for playlists and channels. It follows no redirects.
#[derive(Clone, Debug)]
pub(crate) struct Provider(Client<HttpConnector, Empty<Bytes>>);

impl Default for Provider {
    fn default() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }
}

impl Provider {
    /// Gets `url` under the name that Jellyfin gives itself at a provider.
    pub(crate) async fn get(&self, url: &str) -> io::Result<Response<Incoming>> {
        let request = Request::get(url).header(USER_AGENT, PROVIDER_AGENT).body(Empty::new());
        let response = self.0.request(request.map_err(io::Error::other)?);
        timeout(RESPONSE, response).await?.map_err(io::Error::other)
    }
}
