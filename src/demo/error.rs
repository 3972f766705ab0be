//! The errors of the demonstration.

use std::io;
use std::net::SocketAddr;

use crate::body::BoxError;
use crate::config;

/// Why the demonstration fails.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// FFmpeg is not installed.
    #[error(
        "FFmpeg is not installed, and the test channels are made with it.\nOn Debian: sudo apt-get install ffmpeg fonts-dejavu-core"
    )]
    NoFfmpeg,
    /// The installed FFmpeg lacks an encoder, a filter or a font.
    #[error(
        "this FFmpeg cannot make the test channels: it needs libx264, the drawtext filter and a font.\nOn Debian: sudo apt-get install ffmpeg fonts-dejavu-core"
    )]
    UnfitFfmpeg,
    /// FFmpeg is installed but cannot be started.
    #[error("FFmpeg cannot be started")]
    Ffmpeg(#[source] io::Error),
    /// The media server does not start.
    #[error(transparent)]
    Origin(#[from] jellyfin_alike::Error),
    /// The gateway or the page cannot listen.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] io::Error),
    /// There is no temporary folder for the spool.
    #[error("cannot create a temporary folder")]
    Spool(#[source] io::Error),
    /// The gateway does not accept the media server's address.
    #[error(transparent)]
    Config(#[from] config::Errors),
    /// Ctrl-C could not be handled.
    #[error("cannot listen to signals")]
    Signals(#[source] io::Error),
    /// A request of a zap failed, or had an unusable response.
    #[error("the zap {0} failed")]
    Zap(String, #[source] BoxError),
    /// A zap to a warm channel was no hit.
    #[error("a channel that was kept warm was not served from memory")]
    NotWarm,
    /// Tuners are still open after the gateway's end.
    #[error("{0} tuners were not given back")]
    NotReleased(usize),
}
