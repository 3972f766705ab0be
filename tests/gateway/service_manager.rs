//! The real program under a service manager: what it tells, and the sockets that it is given.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use http::StatusCode;
use jellyfin_alike::{Origin, Settings};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::{TcpStream, UnixDatagram};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::support::program::{PROGRAM, Program, given};
use crate::support::servers::{ANY, fetch, get, http};
use crate::support::wait::soon;

/// An address where nothing listens.
fn free() -> String {
    TcpListener::bind(ANY).unwrap().local_addr().unwrap().to_string()
}

/// Starts the gateway. Dropping the child kills it.
fn configured(command: &mut Command, state: &Path, upstream: &str, listen: &str) -> Child {
    command
        .env("WARMGATE__UPSTREAM__URL", upstream)
        .env("WARMGATE__LISTEN", listen)
        .env("WARMGATE__STATE_DIR", state)
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command.spawn().unwrap()
}

/// The next message to the service manager, but for signs of life if `has_enough` of them.
async fn told(manager: &UnixDatagram, has_enough: bool) -> String {
    loop {
        let mut message = [0; 256];
        let length = soon(manager.recv(&mut message)).await.unwrap();
        let message = String::from_utf8(message[..length].to_vec()).unwrap();
        if !(has_enough && message == "WATCHDOG=1\n") {
            return message;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_manager_is_told_how_the_gateway_is() {
    let folder = TempDir::new().unwrap();
    let at = folder.path().join("notify");
    let (manager, address) = (UnixDatagram::bind(&at).unwrap(), free());
    let mut command = Command::new(PROGRAM);
    command.env("NOTIFY_SOCKET", &at).env("WATCHDOG_USEC", "200000");
    let mut gateway = configured(&mut command, folder.path(), "http://127.0.0.1:9", &address);
    assert_eq!(told(&manager, false).await, "READY=1\n");
    TcpStream::connect(&address).await.expect("it listens by then");
    for _ in 0..3 {
        assert_eq!(told(&manager, false).await, "WATCHDOG=1\n");
    }
    let pid = Pid::from_raw(gateway.id().unwrap().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::HUP).unwrap();
    let begun = told(&manager, true).await;
    let since = begun.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect(&begun);
    assert!(since.trim_end().parse::<u64>().unwrap() > 0);
    assert_eq!(told(&manager, true).await, "READY=1\n");
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(told(&manager, true).await, "STOPPING=1\n");
    assert!(soon(gateway.wait()).await.unwrap().success());
}

/// The manager watches the new process from then on, and learns nothing of the old one's end.
#[tokio::test(flavor = "multi_thread")]
async fn the_process_that_takes_over_becomes_the_main_one() {
    let folder = TempDir::new().unwrap();
    let at = folder.path().join("notify");
    let manager = UnixDatagram::bind(&at).unwrap();
    // The shell's process id stays the gateway's.
    let mut command = Command::new("sh");
    command.args(["-c", "export WATCHDOG_PID=$$; exec \"$0\"", PROGRAM]);
    command.env("NOTIFY_SOCKET", &at).env("WATCHDOG_USEC", "200000");
    let mut old = configured(&mut command, folder.path(), "http://127.0.0.1:9", "127.0.0.1:0");
    assert_eq!(told(&manager, true).await, "READY=1\n");
    kill_process(Pid::from_raw(old.id().unwrap().try_into().unwrap()).unwrap(), Signal::USR2).unwrap();
    let main = told(&manager, true).await;
    let main = main.strip_prefix("MAINPID=").unwrap().trim().parse().unwrap();
    let main = Pid::from_raw(main).unwrap();
    assert_eq!(told(&manager, true).await, "READY=1\n");
    assert!(soon(old.wait()).await.unwrap().success());
    for _ in 0..3 {
        assert_eq!(told(&manager, false).await, "WATCHDOG=1\n");
    }
    kill_process(main, Signal::TERM).unwrap();
    assert_eq!(told(&manager, true).await, "STOPPING=1\n");
}

/// The status of an answer, over a connection of its own.
async fn pinged(url: String) -> StatusCode {
    fetch(&http(), get(url)).await.0.status
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_refused_while_it_restarts() {
    let (state, origin) = (TempDir::new().unwrap(), Origin::start(Settings::quick()).await.unwrap());
    let socket = TcpListener::bind(ANY).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let url = format!("http://{address}/System/Ping");

    let early = tokio::spawn(pinged(url.clone()));
    sleep(Duration::from_millis(100)).await;
    assert!(!early.is_finished());
    let mut gateway = Program::start_at(&socket, state.path(), &origin).await;
    assert_eq!(gateway.address, address, "it listens nowhere else");
    assert_eq!(soon(early).await.unwrap(), 200);

    // While it stops, connections may wait for the next gateway, but none is refused.
    let connecting = async {
        loop {
            TcpStream::connect(&address).await.expect("refused");
            sleep(Duration::from_millis(2)).await;
        }
    };
    let ended = tokio::select! {
        ended = gateway.terminate() => ended,
        () = connecting => unreachable!(),
    };
    assert!(ended.success());
    let mut between = JoinSet::new();
    for _ in 0..20 {
        between.spawn(pinged(url.clone()));
    }
    sleep(Duration::from_millis(100)).await;
    assert_eq!(between.len(), 20);
    let _next = Program::start_at(&socket, state.path(), &origin).await;
    assert!(soon(between.join_all()).await.iter().all(|status| *status == 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_for_https_is_known_by_its_name() {
    let folder = TempDir::new().unwrap();
    let signed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let [certificate, key] = ["tv.pem", "tv.key"].map(|name| folder.path().join(name));
    std::fs::write(&certificate, signed.cert.pem()).unwrap();
    std::fs::write(&key, signed.signing_key.serialize_pem()).unwrap();
    let [one, two] = [(); 2].map(|()| TcpListener::bind(ANY).unwrap());
    let [at_one, at_two] = [&one, &two].map(|socket| format!("address={}", socket.local_addr().unwrap()));

    for (sockets, names, has_tls, said) in [
        (&[&one, &two][..], "tls:http", true, [&*at_one, &at_two]),
        (&[&one], "tls", false, ["but tls.listen is not set", ""]),
        (&[&one, &two], "http:https", true, ["several sockets for the same", ""]),
    ] {
        let mut command = given(sockets, names);
        if has_tls {
            command.env("WARMGATE__TLS__LISTEN", "127.0.0.1:0");
            command.env("WARMGATE__TLS__CERTIFICATE", &certificate).env("WARMGATE__TLS__KEY", &key);
        }
        let mut gateway = configured(&mut command, folder.path(), "http://127.0.0.1:9", "127.0.0.1:0");
        let mut lines = BufReader::new(gateway.stderr.take().unwrap()).lines();
        let mut told = String::new();
        while let Some(line) = soon(lines.next_line()).await.unwrap() {
            told += &line;
            if line.contains("listening for HTTPS") {
                assert!(line.contains(said[0]), "{line}");
                break;
            }
        }
        assert!(said.iter().all(|said| told.contains(said)), "{told}");
    }
}
