//! The composition root: from a configuration to bound sockets and running tasks.

use std::io;

use tokio::net::TcpListener;

use crate::config::Config;
use crate::shutdown;

/// Runs the gateway until it is asked to stop.
///
/// # Errors
/// If the address to listen on cannot be had.
pub async fn run(config: Config) -> io::Result<()> {
    let stop = shutdown::on_signal()?;
    let listener = TcpListener::bind(config.listen).await?;
    tracing::info!(address = %listener.local_addr()?, upstream = %config.upstream.url, "listening");
    stop.cancelled().await;
    Ok(())
}
