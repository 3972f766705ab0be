//! A real nginx, for tests that put it in front of the gateway or behind it.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// How long nginx may take until it listens.
const PATIENCE: Duration = Duration::from_secs(20);

/// Starts nginx with this configuration and waits until it listens at `addr`. Dropping the child kills it.
pub(crate) async fn start(directory: &TempDir, config: &str, addr: SocketAddr) -> Child {
    let file = directory.path().join("nginx.conf");
    std::fs::write(&file, config).unwrap();
    let process = Command::new("nginx")
        .arg("-p")
        .arg(directory.path())
        .arg("-c")
        .arg(&file)
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("nginx must be installed: make test does it");
    let listens = async {
        while TcpStream::connect(addr).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, listens).await.expect("nginx does not listen");
    process
}
