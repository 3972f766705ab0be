//! For trying the gateway: a small Jellyfin-alike, the gateway before it, and a page with a player.
//!
//! Nothing here serves anybody's television; the tests use its parts as their origin, viewer and stage.

pub mod origin;
pub mod page;
mod progress;
pub mod stage;
mod table;
pub mod viewer;
mod zap;

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;

use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use crate::body::BoxError;
use crate::config;
use crate::demo::origin::Settings;
use crate::demo::stage::Stage;
use crate::shutdown;

/// Any free port, for nobody but this machine.
const ANYWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// What can be said on the command line.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// End after the table, with exit code 1 if a way back was no hit or a tuner was kept
    #[arg(long)]
    pub once: bool,
    /// Where the page listens
    #[arg(long, value_name = "ADDRESS", default_value_t = ANYWHERE)]
    pub page: SocketAddr,
    /// Where the gateway listens
    #[arg(long, value_name = "ADDRESS", default_value_t = ANYWHERE)]
    pub gateway: SocketAddr,
    /// Where the media server behind it listens
    #[arg(long, value_name = "ADDRESS", default_value_t = ANYWHERE)]
    pub origin: SocketAddr,
}

/// Why there is nothing to see.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no FFmpeg.
    #[error(
        "FFmpeg is not installed, and the test channels are made with it.\nOn Debian: sudo apt-get install ffmpeg fonts-dejavu-core"
    )]
    NoFfmpeg,
    /// There is one, but not for this.
    #[error(
        "this FFmpeg cannot make the test channels: it needs libx264, the drawtext filter and a font.\nOn Debian: sudo apt-get install ffmpeg fonts-dejavu-core"
    )]
    UnfitFfmpeg,
    /// It cannot even be asked.
    #[error("FFmpeg cannot be started")]
    Ffmpeg(#[source] io::Error),
    /// The media server does not start.
    #[error(transparent)]
    Origin(#[from] origin::Error),
    /// The gateway or the page has no address.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] io::Error),
    /// The media server's address is none the gateway could use.
    #[error(transparent)]
    Config(#[from] config::Errors),
    /// Nobody would hear Ctrl-C.
    #[error("cannot listen to signals")]
    Signals(#[source] io::Error),
    /// A viewer was not served.
    #[error("the zap {0} failed")]
    Zap(String, #[source] BoxError),
    /// A way back was as slow as the way there: the gateway did not do its work.
    #[error("a channel that was kept warm was not served from memory")]
    NotWarm,
    /// The gateway did not give everything back.
    #[error("{0} tuners were not given back")]
    NotReleased(usize),
}

/// Runs the demonstration until it is asked to stop, or, with `--once`, until the table is there.
///
/// # Errors
/// If it does not start, a zap fails, or (with `--once`) it did not show what it should.
pub async fn run(args: Args) -> Result<(), Error> {
    check_ffmpeg().await?;
    let stop = shutdown::on_signal().map_err(Error::Signals)?;
    let stage =
        Stage::start(Settings { listen: args.origin, ..Settings::real() }, args.gateway, args.page).await?;
    let (origin, gateway, page) = (stage.origin().addr(), stage.gateway(), stage.page());
    println!(
        "\n  media server  http://{origin}\n  gateway       http://{gateway}\n  page          http://{page}\n"
    );
    let shown = show(&stage, &args, &stop).await;
    let parting = stage.strike().await;
    println!("  {parting}");
    if shown? && args.once && parting.kept > 0 {
        return Err(Error::NotReleased(parting.kept));
    }
    Ok(())
}

/// The zaps, their table, and the page until `stop`; whether the zaps came to their end.
async fn show(stage: &Stage, args: &Args, stop: &CancellationToken) -> Result<bool, Error> {
    let zaps = tokio::select! {
        () = stop.cancelled() => return Ok(false),
        zaps = zap::perform(stage) => zaps?,
    };
    println!("{}", table::render(&zaps));
    if args.once {
        let is_warm = zaps.iter().all(|zap| zap.hit || !zap.kind.is_warm());
        return if is_warm { Ok(true) } else { Err(Error::NotWarm) };
    }
    println!("  Now you: http://{} (Ctrl-C ends it)\n", stage.page());
    stop.cancelled().await;
    Ok(true)
}

/// Makes one test picture, so that what is missing is said before anything fails for want of it.
async fn check_ffmpeg() -> Result<(), Error> {
    let picture = ["-f", "lavfi", "-i", "color=size=64x64,drawtext=text=1", "-frames:v", "1"];
    let asked = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "quiet"])
        .args(picture)
        .args(["-c:v", "libx264", "-f", "null", "-"])
        .stdin(Stdio::null())
        .status()
        .await;
    match asked {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Error::UnfitFfmpeg),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::NoFfmpeg),
        Err(error) => Err(Error::Ffmpeg(error)),
    }
}
