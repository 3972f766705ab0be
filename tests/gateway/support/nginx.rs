//! A real nginx, for tests that put it in front of the gateway or behind it.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

/// How long it may take until a program listens.
const PATIENCE: Duration = Duration::from_secs(20);

/// Starts nginx with its files in `directory` and these servers in its configuration, one of which is to listen at the address that it
/// is given. Dropping the child kills it.
pub(crate) async fn serving(
    directory: &TempDir,
    servers: impl FnOnce(SocketAddr) -> String,
) -> (SocketAddr, Child) {
    let addr = free_address().await;
    let (at, servers) = (directory.path().display(), servers(addr));
    let config = format!(
        "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log;
         events {{ worker_connections 512; }}
         http {{
           access_log off; client_body_temp_path {at}/body; proxy_temp_path {at}/proxy;
           fastcgi_temp_path {at}/f; uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;
           {servers}
         }}"
    );
    (addr, start(directory, &config, addr).await)
}

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
    listening(addr).await;
    process
}

/// An address where nothing listens.
pub(super) async fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Waits until something listens at `addr`.
pub(super) async fn listening(addr: SocketAddr) {
    let listens = async {
        while TcpStream::connect(addr).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, listens).await.expect("nobody listens");
}
