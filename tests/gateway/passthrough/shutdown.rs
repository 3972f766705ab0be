//! The end of the listener and of its connections.

use std::sync::Arc;
use std::time::Duration;

use http::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use warmgate::body;
use warmgate::server::{Limits, Listener, Phase, Phases, TrustedProxies};

use crate::passthrough::wire;
use crate::support::servers::{
    ANY, Setup, fetch, gateway, gateway_on, gateway_with, get, h2c, http, origin, raw_origin,
};
use crate::support::wait::{eventually, soon};

#[tokio::test]
async fn open_requests_are_finished_and_new_ones_not_taken() {
    let (asked, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let signals = (Arc::clone(&asked), Arc::clone(&go_on));
    let origin = origin(move |_| {
        let (asked, go_on) = signals.clone();
        async move {
            asked.notify_one();
            go_on.notified().await;
            Response::new(body::full("done"))
        }
    })
    .await;
    let gateway = gateway(origin.addr).await;
    let address = gateway.addr;
    let request = get(gateway.url("/"));
    let answer = tokio::spawn(async move { fetch(&http(), request).await.1 });
    soon(asked.notified()).await;
    gateway.stop.cancel();
    eventually("new connections are refused", async || TcpStream::connect(address).await.is_err()).await;
    go_on.notify_one();
    assert_eq!(soon(answer).await.unwrap(), "done");
    gateway.stopped().await;
}

#[tokio::test]
async fn what_outlasts_the_grace_period_is_cut() {
    let origin = raw_origin(|mut stream, _| async move {
        wire::head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nendless").await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let setup = Setup { grace: Duration::from_millis(50), ..Setup::default() };
    let gateway = gateway_with(&origin.addr.to_string(), setup).await;
    let mut stream = wire::send(gateway.addr, "GET / HTTP/1.0\r\n\r\n").await;
    wire::head(&mut stream).await;
    assert_eq!(wire::exactly(&mut stream, 7).await, b"endless");
    gateway.stopped().await;
    assert_eq!(soon(stream.read(&mut [0])).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn tunnels_do_not_hold_up_the_end() {
    let origin = raw_origin(|mut stream, _| async move {
        wire::head(&mut stream).await;
        stream
            .write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: warp\r\n\r\n")
            .await
            .unwrap();
        drop(stream.read_u8().await);
    })
    .await;
    let setup = Setup { grace: Duration::from_secs(3600), ..Setup::default() };
    let gateway = gateway_with(&origin.addr.to_string(), setup).await;
    let ask = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: warp\r\n\r\n";
    let mut stream = wire::send(gateway.addr, ask).await;
    assert_eq!(wire::status(&wire::head(&mut stream).await), 101);
    gateway.stopped().await;
    assert_eq!(soon(stream.read(&mut [0])).await.unwrap_or(0), 0);
}

/// Time is paused: it jumps to the next deadline whenever no task can run.
#[tokio::test(start_paused = true)]
async fn a_connection_that_brings_no_request_is_closed() {
    let origin = origin(|_| async { Response::new(body::empty()) }).await;
    let loopback = Limits {
        trusted_proxies: TrustedProxies::new(vec!["127.0.0.0/8".parse().unwrap()]),
        ..Limits::default()
    };
    for (limits, patience) in [(Limits::default(), 15), (loopback, 75)] {
        let listener = Listener::bind(ANY).await.unwrap().limited(limits);
        let gateway = gateway_on(listener, &origin.addr.to_string(), Setup::default());
        for beginning in ["", "GET / HTTP/1.1\r\nHos", "PRI * HT"] {
            let began = tokio::time::Instant::now();
            let mut stream = wire::send(gateway.addr, beginning).await;
            drop(stream.read_to_end(&mut Vec::new()).await);
            assert_eq!(began.elapsed().as_secs(), patience, "{beginning:?}");
        }
    }
}

/// Another process takes over: an idle connection is not closed, since a request may be on its way over it.
#[tokio::test]
async fn after_a_hand_over_each_connection_ends_with_its_next_answer() {
    const ASK: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let origin = origin(|_| async { Response::new(body::full("done")) }).await;
    let phases = watch::Sender::new(Phase::Serving);
    let listener = Listener::bind(ANY).await.unwrap().following(Phases::from(&phases));
    let gateway = gateway_on(listener, &origin.addr.to_string(), Setup::default());
    let (mut stream, multiplexed) = (wire::send(gateway.addr, ASK).await, h2c());
    assert!(!wire::head(&mut stream).await.to_ascii_lowercase().contains("connection:"));
    assert_eq!(wire::exactly(&mut stream, 4).await, b"done");
    assert_eq!(fetch(&multiplexed, get(gateway.url("/"))).await.1, "done");

    phases.send_replace(Phase::HandingOver);
    let mut waiting = wire::send(gateway.addr, ASK).await;
    phases.send_replace(Phase::Serving);
    wire::head(&mut waiting).await;
    drop(waiting);

    phases.send_replace(Phase::HandedOver);
    eventually("the socket is closed here", async || TcpStream::connect(gateway.addr).await.is_err()).await;
    stream.write_all(ASK.as_bytes()).await.unwrap();
    assert!(wire::head(&mut stream).await.to_ascii_lowercase().contains("connection: close\r\n"));
    assert_eq!(wire::exactly(&mut stream, 4).await, b"done");
    assert_eq!(soon(stream.read(&mut [0])).await.unwrap(), 0);
    gateway.ended().await;
}
