//! Connections near and at their limit: who gets one, who makes room, and what is kept.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use http_body_util::BodyExt;
use ipnet::IpNet;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep};
use warmgate::body;
use warmgate::server::{Limits, Listener, TrustedProxies};

use crate::passthrough::wire;
use crate::support::servers::{ANY, Server, Setup, gateway_on, get, http, noise_body, origin};
use crate::support::wait::{eventually, soon};

const LIMIT: usize = 16;
/// An eighth.
const SHARE: usize = 2;
const REQUEST: &str = "GET / HTTP/1.1\r\nHost: tv\r\n\r\n";

/// A gateway with few connections, in front of an origin that answers everything at once.
async fn gateway(trusted_proxies: Vec<IpNet>) -> (Server, Server) {
    let origin = origin(|request: http::Request<hyper::body::Incoming>| async move {
        let long = request.uri().path() == "/long";
        http::Response::new(if long { noise_body(1, 64 << 20, |_| ()) } else { body::full("seen") })
    })
    .await;
    let limits = Limits {
        connections: LIMIT,
        trusted_proxies: TrustedProxies::new(trusted_proxies),
        ..Limits::default()
    };
    let listener = Listener::bind(ANY).await.unwrap().limited(limits);
    let gateway = gateway_on(listener, &origin.addr.to_string(), Setup::default());
    (origin, gateway)
}

/// A connection from 127.0.0.`last`, over which nothing is sent.
async fn silent(last: u8, gateway: &Server) -> TcpStream {
    connect(last, gateway).await.unwrap()
}

/// It fails if the gateway resets the connection before this side has noticed that there is one.
async fn connect(last: u8, gateway: &Server) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)))?;
    soon(socket.connect(gateway.addr)).await
}

async fn many(lasts: impl Iterator<Item = u8>, gateway: &Server) -> Vec<TcpStream> {
    let mut connections = Vec::new();
    for last in lasts {
        connections.extend(connect(last, gateway).await);
    }
    connections
}

/// The time until a request over a new connection from 127.0.0.`last` is answered; the connection stays open.
async fn served(last: u8, gateway: &Server) -> (TcpStream, Duration) {
    let begun = Instant::now();
    let mut connection = silent(last, gateway).await;
    connection.write_all(REQUEST.as_bytes()).await.unwrap();
    assert_eq!(wire::status(&wire::head(&mut connection).await), 200);
    (connection, begun.elapsed())
}

/// Whether the sender of a request over a connection from 127.0.0.`last` is told to come again.
async fn is_refused(last: u8, gateway: &Server) -> bool {
    let mut connection = silent(last, gateway).await;
    // It may be closed already.
    let _ = connection.write_all(REQUEST.as_bytes()).await;
    let head = wire::head(&mut connection).await;
    let mut text = String::new();
    soon(connection.read_to_string(&mut text)).await.unwrap();
    wire::status(&head) == 503 && head.contains("Retry-After: 10\r\n") && text.starts_with("The gateway")
}

/// How many have been ended by the gateway.
fn ended(connections: &[TcpStream]) -> usize {
    let ended = |stream: &TcpStream| loop {
        match stream.try_read(&mut [0; 512]) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
        }
    };
    connections.iter().filter(|stream| ended(stream)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_cannot_take_all_connections() {
    let (_origin, gateway) = gateway(Vec::new()).await;
    let silent = many(std::iter::repeat_n(2, 3 * LIMIT), &gateway).await;
    let (_viewer, took) = served(1, &gateway).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    let begun = Instant::now();
    eventually("silent ones are ended", async || ended(&silent) == silent.len()).await;
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_from_everywhere_make_room_for_viewers() {
    let (_origin, gateway) = gateway(Vec::new()).await;
    let _silent = many((0..3).flat_map(|_| 10..30), &gateway).await;
    for last in 40..60 {
        let (_, took) = served(last, &gateway).await;
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_is_served_keeps_its_connections() {
    let (_origin, gateway) = gateway(Vec::new()).await;
    let mut response = soon(http().request(get(gateway.url("/long")))).await.unwrap();
    let (mut idle, _) = served(1, &gateway).await;
    wire::exactly(&mut idle, 4).await;
    let _silent = many((0..5).flat_map(|_| 10..30), &gateway).await;
    sleep(Duration::from_secs(4)).await;
    idle.write_all(REQUEST.as_bytes()).await.unwrap();
    assert_eq!(wire::status(&wire::head(&mut idle).await), 200);
    let body = soon(response.body_mut().collect()).await.expect("the body broke off").to_bytes();
    assert_eq!(body.len(), 64 << 20);
}

/// Each of them has asked once. None is ended that was served a moment ago, or over which something is answered.
#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_from_everywhere_make_room_for_viewers() {
    let (_origin, gateway) = gateway(Vec::new()).await;
    let (mut viewer, _) = served(1, &gateway).await;
    wire::exactly(&mut viewer, 4).await;
    let mut film = soon(http().request(get(gateway.url("/long")))).await.unwrap();
    let mut idle = Vec::new();
    for last in 10..10 + u8::try_from(LIMIT).unwrap() - 2 {
        idle.push(served(last, &gateway).await.0);
    }
    let polling = async {
        for _ in 0..14 {
            sleep(Duration::from_secs(1)).await;
            viewer.write_all(REQUEST.as_bytes()).await.unwrap();
            assert_eq!(wire::status(&wire::head(&mut viewer).await), 200);
            wire::exactly(&mut viewer, 4).await;
        }
    };
    let (((_newcomer, took), _newer), ()) =
        tokio::join!(async { (served(40, &gateway).await, served(41, &gateway).await) }, polling);
    assert!(took < Duration::from_secs(13), "{took:?}");
    for stream in &mut idle {
        wire::exactly(stream, 4).await;
    }
    eventually("they have made room", async || ended(&idle) >= 2).await;
    let body = soon(film.body_mut().collect()).await.expect("the body broke off").to_bytes();
    assert_eq!(body.len(), 64 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn also_connections_that_have_asked_are_no_more_than_a_share() {
    let (_origin, gateway) = gateway(Vec::new()).await;
    let mut kept = Vec::new();
    for _ in 0..LIMIT - LIMIT / 4 {
        kept.push(served(2, &gateway).await.0);
    }
    assert!(is_refused(2, &gateway).await, "above its share");
    let mut others = Vec::new();
    for _ in 0..SHARE {
        others.push(served(3, &gateway).await.0);
    }
    assert!(is_refused(3, &gateway).await, "above its share");
    drop(kept);
    eventually("with free connections there are no shares", async || {
        let Ok(mut connection) = connect(3, &gateway).await else { return false };
        connection.write_all(REQUEST.as_bytes()).await.is_ok()
            && !wire::head(&mut connection).await.is_empty()
    })
    .await;
}

/// While all connections are busy, as with films that are being sent.
#[tokio::test(flavor = "multi_thread")]
async fn under_overload_newcomers_are_refused_at_once_and_viewers_go_on() {
    let (_origin, gateway) = gateway(Vec::new()).await;
    let film = async |last: u8| {
        let mut connection = silent(last, &gateway).await;
        connection.write_all(b"GET /long HTTP/1.1\r\nHost: tv\r\n\r\n").await.unwrap();
        assert_eq!(wire::status(&wire::head(&mut connection).await), 200);
        connection
    };
    let mut films = Vec::new();
    for last in 10..10 + u8::try_from(LIMIT).unwrap() - 1 {
        films.push(film(last).await);
    }
    for _ in 0..3 {
        let begun = Instant::now();
        assert!(is_refused(40, &gateway).await);
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    }
    served(10, &gateway).await;
    for film in &mut films {
        wire::exactly(film, 8 << 20).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_has_no_share() {
    let (_origin, gateway) = gateway(vec!["127.0.0.2/32".parse().unwrap()]).await;
    let mut kept = Vec::new();
    for _ in 0..LIMIT {
        kept.push(served(2, &gateway).await.0);
    }
}
