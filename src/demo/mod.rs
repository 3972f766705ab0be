//! For trying the gateway: a small Jellyfin-alike, the gateway before it, and a page with a player.

pub mod origin;
pub mod viewer;

use std::io;

/// What can be said on the command line.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {}

/// Runs the demonstration until it is asked to stop.
///
/// # Errors
/// Always, as long as there is no origin to show.
pub async fn run(_: Args) -> io::Result<()> {
    Err(io::Error::other("this build has no demonstration"))
}
