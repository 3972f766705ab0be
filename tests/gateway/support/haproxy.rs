//! A real HAProxy, for tests that put it in front of the gateway.

use std::net::SocketAddr;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::support::nginx::{free_address, listening};

/// Starts HAProxy with this configuration, in which it is to listen at the address that it is given. Dropping the child kills it.
pub(crate) async fn serving(
    directory: &TempDir,
    config: impl FnOnce(SocketAddr) -> String,
) -> (SocketAddr, Child) {
    let addr = free_address().await;
    let file = directory.path().join("haproxy.cfg");
    std::fs::write(&file, config(addr)).unwrap();
    let process = Command::new("haproxy")
        .arg("-db")
        .arg("-f")
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("HAProxy must be installed: make test does it");
    listening(addr).await;
    (addr, process)
}
