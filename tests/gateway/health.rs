//! `warmgate healthcheck`, of the real program.

use std::net::TcpListener;
use std::process::Output;

use jellyfin_alike::{Origin, Settings};
use tempfile::TempDir;
use tokio::process::Command;

use crate::support::program::{PROGRAM, Program};
use crate::support::servers::ANY;
use crate::support::wait::soon;

/// `warmgate healthcheck`, of the gateway at `address`.
fn asking(address: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg("healthcheck").env_clear();
    command.env("WARMGATE__UPSTREAM__URL", "http://tv").env("WARMGATE__LISTEN", address);
    command
}

/// What it says, and its exit code.
async fn health(address: &str) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = soon(asking(address).output()).await.unwrap();
    let said = [stdout, stderr].concat();
    (status.code(), String::from_utf8(said).unwrap().replace(address, "ADDRESS"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_is_healthy_without_a_jellyfin() {
    let (state, origin) = (TempDir::new().unwrap(), Origin::start(Settings::quick()).await.unwrap());
    let quiet = [("WARMGATE__STATUS_FIELDS", "false")];
    let mut gateway = Program::start(state.path(), "127.0.0.1:0", &origin, &quiet).await;
    let healthy = |said: &str| (Some(0), format!("the gateway answers{said}\n"));
    let ill = |said: &str| (Some(1), format!("warmgate: {said}\n"));

    assert_eq!(health(&gateway.address).await, healthy(", Jellyfin does too"));
    let (_, port) = gateway.address.split_once(':').unwrap();
    assert_eq!(health(&format!("0.0.0.0:{port}")).await, healthy(", Jellyfin does too"));
    let other = origin.addr().to_string();
    assert_eq!(health(&other).await, ill("something else than the gateway answers at ADDRESS"));
    origin.kill().await;
    assert_eq!(health(&gateway.address).await, healthy("; Jellyfin does not (502)"));
    assert!(gateway.terminate().await.success());
    let refused = "the gateway does not answer at ADDRESS: Connection refused (os error 111)";
    assert_eq!(health(&gateway.address).await, ill(refused));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_behind_the_proxy_protocol_is_healthy() {
    let (state, origin) = (TempDir::new().unwrap(), Origin::start(Settings::quick()).await.unwrap());
    let config = "{proxy_protocol: true, trusted_proxies: [127.0.0.1]}";
    std::fs::write(state.path().join("gateway.yaml"), config).unwrap();
    let gateway = Program::start(state.path(), "127.0.0.1:0", &origin, &[]).await;
    let mut asked = asking(&gateway.address);
    let said = soon(asked.current_dir(state.path()).output()).await.unwrap();
    assert_eq!(String::from_utf8(said.stdout).unwrap(), "the gateway answers, Jellyfin does too\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_answer_is_not_waited_for() {
    let (state, origin) = (TempDir::new().unwrap(), Origin::start(Settings::quick()).await.unwrap());
    let listener = TcpListener::bind(ANY).unwrap();
    let silent = listener.local_addr().unwrap().to_string();
    let upstream = [("WARMGATE__UPSTREAM__URL", &*format!("http://{silent}"))];
    let gateway = Program::start(state.path(), "127.0.0.1:0", &origin, &upstream).await;
    let ((ill, said), healthy) = tokio::join!(health(&silent), health(&gateway.address));
    assert_eq!((ill, said.contains("ADDRESS: no answer within 5 s")), (Some(1), true), "{said}");
    assert_eq!(healthy, (Some(0), "the gateway answers; Jellyfin does not in time\n".to_owned()));
}
