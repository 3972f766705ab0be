//! `warmgate demo`: starts a small Jellyfin-alike, the gateway in front of it and a page with a player, zaps by itself, and
//! prints how long each zap took.
//!
//! The media server and the viewer are the crate `jellyfin_alike`, which knows nothing of the gateway.

mod error;
pub mod page;
mod progress;
pub mod stage;
mod table;
mod zap;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;

use jellyfin_alike::Settings;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

pub use crate::demo::error::Error;
use crate::demo::stage::Stage;
use crate::shutdown;

/// Any free port of the loopback interface.
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The command line of `warmgate demo`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// End after the table, with exit code 1 if a way back was no hit or a tuner was not given back
    #[arg(long)]
    pub once: bool,
    /// Address of the page
    #[arg(long, value_name = "ADDRESS", default_value_t = ANY_PORT)]
    pub page: SocketAddr,
    /// Address of the gateway
    #[arg(long, value_name = "ADDRESS", default_value_t = ANY_PORT)]
    pub gateway: SocketAddr,
    /// Address of the media server
    #[arg(long, value_name = "ADDRESS", default_value_t = ANY_PORT)]
    pub origin: SocketAddr,
}

/// Runs the demonstration until a signal or, with `--once`, until the table is printed.
///
/// # Errors
/// If it does not start, if a zap fails and, with `--once`, if a way back was no hit or a tuner was not given back.
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

/// Performs the zaps, prints their table, and keeps the page up until `stop`. Returns whether all zaps were performed.
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
    println!("  Now you: http://{} (Ctrl-C ends it)", stage.page());
    if let Some(dashboard) = stage.dashboard() {
        println!("  The gateway's dashboard beside it: http://{dashboard}");
    }
    println!();
    stop.cancelled().await;
    Ok(true)
}

/// Makes one test picture, so that a missing part of FFmpeg is reported before the demonstration starts.
async fn check_ffmpeg() -> Result<(), Error> {
    let picture = ["-f", "lavfi", "-i", "color=size=64x64,drawtext=text=1", "-frames:v", "1"];
    let status = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "quiet"])
        .args(picture)
        .args(["-c:v", "libx264", "-f", "null", "-"])
        .stdin(Stdio::null())
        .status()
        .await;
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Error::UnfitFfmpeg),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::NoFfmpeg),
        Err(error) => Err(Error::Ffmpeg(error)),
    }
}
