//! Connections that begin with a PROXY header.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use warmgate::proxy::forward::Identity;
use warmgate::server::{Limits, Listener, TrustedProxies};

use crate::passthrough::fields::{EMPTY, recorder};
use crate::passthrough::wire;
use crate::support::servers::{ANY, Server, Setup, gateway_on};
use crate::support::wait::soon;

const REQUEST: &str =
    "GET / HTTP/1.1\r\nHost: tv\r\nX-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\n\r\n";

/// A gateway that takes PROXY headers from these.
async fn gateway(origin: &Server, trusted: &str) -> Server {
    let trusted_proxies = TrustedProxies::new(vec![trusted.parse().unwrap()]);
    let limits = Limits { trusted_proxies: trusted_proxies.clone(), ..Limits::default() };
    let listener = Listener::bind(ANY).await.unwrap().limited(limits).with_proxy_headers(true);
    let identity = Identity { name: "gate".into(), trusted_proxies };
    gateway_on(listener, &origin.addr.to_string(), Setup { identity, ..Setup::default() })
}

#[tokio::test]
async fn a_trusted_proxy_says_whose_connection_it_is() {
    let (origin, seen) = recorder(EMPTY).await;
    let gateway = gateway(&origin, "127.0.0.0/8").await;
    let version_2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\x0a\0\0\x01\x12\x67\x1f\xa1";
    for (header, told) in [
        (b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 8097\r\n".to_vec(), ["192.0.2.7", "http"]),
        (version_2.to_vec(), ["192.0.2.7", "http"]),
        (b"PROXY UNKNOWN\r\n".to_vec(), ["127.0.0.1", "http"]),
    ] {
        let mut stream = wire::send(gateway.addr, [&header[..], REQUEST.as_bytes()].concat()).await;
        assert_eq!(wire::status(&wire::head(&mut stream).await), 200);
        let request = seen.lock().unwrap().pop().unwrap();
        let values =
            ["x-forwarded-for", "x-forwarded-proto"].map(|name| wire::field(&request, name).concat());
        assert_eq!(values, told, "the client itself is not trusted, and nobody is where none is named");
    }
}

#[tokio::test]
async fn without_a_header_nobody_is_served_and_no_other_may_send_one() {
    let (origin, seen) = recorder(EMPTY).await;
    let trusting = gateway(&origin, "127.0.0.0/8").await;
    for bytes in [REQUEST, "PROXY TCP4 nobody 10.0.0.1 4711 8097\r\nGET / HTTP/1.1\r\n\r\n"] {
        let mut stream = wire::send(trusting.addr, bytes).await;
        assert!(matches!(soon(stream.read(&mut [0])).await, Ok(0) | Err(_)), "{bytes}");
    }
    let strict = gateway(&origin, "192.0.2.0/24").await;
    let mut stream = wire::send(strict.addr, format!("PROXY UNKNOWN\r\n{REQUEST}")).await;
    assert_eq!(wire::status(&wire::head(&mut stream).await), 400);
    assert!(seen.lock().unwrap().is_empty());
    let mut stream = wire::send(strict.addr, REQUEST).await;
    assert_eq!(wire::status(&wire::head(&mut stream).await), 200);
}

/// A proxy that connects and says nothing does not keep the gateway from ending.
#[tokio::test]
async fn a_silent_proxy_does_not_hold_up_the_end() {
    let (origin, _) = recorder(EMPTY).await;
    let gateway = gateway(&origin, "127.0.0.0/8").await;
    let _silent = wire::send(gateway.addr, "PROXY ").await;
    let mut next = wire::send(gateway.addr, format!("PROXY UNKNOWN\r\n{REQUEST}")).await;
    assert_eq!(wire::status(&wire::head(&mut next).await), 200, "both are accepted");
    tokio::time::timeout(Duration::from_secs(5), gateway.stopped()).await.expect("it waits");
}
