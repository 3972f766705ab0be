//! An upstream that is down, late, gone, or no HTTP server; and which request may be sent twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::uri::Scheme;
use http::{Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use warmgate::body::{self, BoxError};
use warmgate::upstream::client::Timeouts;

use crate::passthrough::wire;
use crate::support::log::Log;
use crate::support::servers::{
    ANY, Server, Setup, fetch, gateway, gateway_with, get, http, noise_body, origin, origin_on, raw_origin,
};
use crate::support::wait::eventually;

const SHORT: Duration = Duration::from_millis(200);

fn hasty() -> Setup {
    let timeouts = Timeouts { connect: SHORT, response: SHORT };
    Setup { timeouts, ..Setup::default() }
}

/// The target of the requests, with a secret that no response may repeat.
async fn asked(gateway: &Server) -> (http::response::Parts, Bytes) {
    fetch(&http(), get(gateway.url("/Items?api_key=secret"))).await
}

async fn assert_fault(gateway: &Server, status: u16, error: &str) {
    is_fault(asked(gateway).await, status, error);
}

fn is_fault((head, body): (http::response::Parts, Bytes), status: u16, error: &str) {
    assert_eq!(head.headers["proxy-status"], format!("gate; error={error}"));
    assert_eq!(head.status.as_u16(), status);
    assert_eq!(head.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(head.headers["cache-control"], "no-store");
    assert!(!String::from_utf8(body.to_vec()).unwrap().contains("secret"));
}

#[tokio::test]
async fn an_upstream_that_is_down_is_502_and_back_when_it_is() {
    let socket = TcpListener::bind(ANY).await.unwrap();
    let address = socket.local_addr().unwrap();
    drop(socket);
    let gateway = gateway(address).await;
    for _ in 0..2 {
        assert_fault(&gateway, 502, "connection_refused").await;
        let hello = |_| async { Response::new(body::full("hello")) };
        let origin = origin_on(TcpListener::bind(address).await.unwrap(), hello);
        assert_eq!(fetch(&http(), get(gateway.url("/"))).await.1, "hello");
        origin.stopped().await;
        eventually("the port is free", async || TcpStream::connect(address).await.is_err()).await;
    }
}

#[tokio::test]
async fn an_upstream_that_does_not_accept_is_504() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(ANY).unwrap();
    let full = socket.listen(0).unwrap();
    let address = full.local_addr().unwrap();
    // One attempt may be late on a busy machine; three in a row mean a full backlog.
    let (mut waiting, mut late) = (Vec::new(), 0);
    while late < 3 {
        match tokio::time::timeout(SHORT, TcpStream::connect(address)).await {
            Ok(stream) => {
                waiting.push(stream.unwrap());
                late = 0;
            }
            Err(_) => late += 1,
        }
    }
    let gateway = gateway_with(&address.to_string(), hasty()).await;
    // Abandoned attempts may still free places, which the gateway's attempts then fill for good.
    let mut refused = None;
    eventually("the gateway cannot connect either", async || {
        let answer = asked(&gateway).await;
        let late = answer.0.headers["proxy-status"] == "gate; error=connection_timeout";
        refused = late.then_some(answer);
        late
    })
    .await;
    is_fault(refused.unwrap(), 504, "connection_timeout");
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_is_504() {
    let origin = raw_origin(|mut stream, _| async move {
        wire::head(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let gateway = gateway_with(&origin.addr.to_string(), hasty()).await;
    assert_fault(&gateway, 504, "http_response_timeout").await;
}

#[tokio::test]
async fn a_slow_upload_is_not_a_late_answer() {
    let origin = origin(|request: Request<Incoming>| async move {
        Response::new(body::full(request.into_body().collect().await.unwrap().to_bytes()))
    })
    .await;
    let gateway = gateway_with(&origin.addr.to_string(), hasty()).await;
    let drops = futures_util::stream::unfold(0, |sent| async move {
        tokio::time::sleep(SHORT / 4).await;
        (sent < 12).then_some((Ok::<_, BoxError>(Frame::data(Bytes::from_static(b"."))), sent + 1))
    });
    let request =
        Request::post(gateway.url("/")).body(body::boxed(StreamBody::new(Box::pin(drops)))).unwrap();
    let (head, bytes) = fetch(&http(), request).await;
    assert_eq!((head.status, bytes.len()), (StatusCode::OK, 12));
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_502() {
    let gateway = gateway_with("gateway-test.invalid:80", Setup::default()).await;
    assert_fault(&gateway, 502, "dns_error").await;
}

#[tokio::test]
async fn a_server_without_tls_is_502_over_https() {
    let origin = raw_origin(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let setup = Setup { scheme: Scheme::HTTPS, ..Setup::default() };
    let gateway = gateway_with(&origin.addr.to_string(), setup).await;
    assert_fault(&gateway, 502, "tls_protocol_error").await;
}

#[tokio::test]
async fn an_answer_cut_short_in_its_head_is_502_and_not_asked_again() {
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    let origin = raw_origin(move |mut stream, number| {
        counter.store(number + 1, Ordering::SeqCst);
        async move {
            wire::head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-").await.unwrap();
        }
    })
    .await;
    let gateway = gateway(origin.addr).await;
    assert_fault(&gateway, 502, "http_response_incomplete").await;
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

/// How an origin ends a kept connection at the moment when a second request arrives.
#[derive(Clone, Copy, Debug)]
enum End {
    Close,
    Reset,
}

/// An origin that answers the first request of each connection and ends it at the second, and a counter of its requests.
async fn forgetful(end: End, reliable_from: usize) -> (Server, Arc<AtomicUsize>) {
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    let origin = raw_origin(move |mut stream, number| {
        let counter = Arc::clone(&counter);
        async move {
            for served in 0.. {
                if wire::head(&mut stream).await.is_empty() {
                    return;
                }
                counter.fetch_add(1, Ordering::SeqCst);
                if served > 0 && number < reliable_from {
                    if let End::Reset = end {
                        stream.set_zero_linger().unwrap();
                    }
                    return;
                }
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
            }
        }
    })
    .await;
    (origin, requests)
}

#[tokio::test]
async fn a_stale_connection_costs_a_get_nothing_and_a_post_is_never_repeated() {
    for end in [End::Close, End::Reset] {
        for (method, status, requests) in [
            (Method::GET, 200, 3),
            (Method::HEAD, 200, 3),
            (Method::POST, 502, 2),
            (Method::DELETE, 502, 2),
            (Method::PUT, 502, 2),
        ] {
            let (origin, seen) = forgetful(end, 1).await;
            let gateway = gateway(origin.addr).await;
            fetch(&http(), get(gateway.url("/first"))).await;
            let request =
                Request::builder().method(&method).uri(gateway.url("/")).body(body::empty()).unwrap();
            let (head, _) = fetch(&http(), request).await;
            assert_eq!(head.status.as_u16(), status, "{method} {end:?}");
            assert_eq!(seen.load(Ordering::SeqCst), requests, "{method} {end:?}");
        }
    }
}

#[tokio::test]
async fn a_get_with_a_body_is_not_repeated() {
    let (origin, seen) = forgetful(End::Close, 1).await;
    let gateway = gateway(origin.addr).await;
    fetch(&http(), get(gateway.url("/first"))).await;
    let ask = "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx";
    let mut stream = wire::send(gateway.addr, ask).await;
    assert_eq!(wire::status(&wire::head(&mut stream).await), 502);
    assert_eq!(seen.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_fresh_connection_without_an_answer_is_not_tried_again() {
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    let origin = raw_origin(move |mut stream, number| {
        counter.store(number + 1, Ordering::SeqCst);
        async move { drop(wire::head(&mut stream).await) }
    })
    .await;
    let gateway = gateway(origin.addr).await;
    assert_fault(&gateway, 502, "http_response_incomplete").await;
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_log_has_the_path_and_the_cause_but_no_secret() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter("warmgate=trace")
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let (origin, _) = forgetful(End::Close, usize::MAX).await;
    let stale = gateway(origin.addr).await;
    fetch(&http(), get(stale.url("/Items?api_key=secret"))).await;
    fetch(&http(), get(stale.url("/Items?api_key=secret"))).await;
    drop(origin);
    let strange = raw_origin(|mut stream, _| async move {
        wire::head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 ??? api_key=secret\r\n\r\n").await.unwrap();
    })
    .await;
    let gateway = gateway(strange.addr).await;
    for via in ["1.1 other", "1.1 gate"] {
        let mut request = get(gateway.url("/Items/1?api_key=secret"));
        for (name, value) in
            [("authorization", "MediaBrowser Token=secret"), ("cookie", "secret"), ("via", via)]
        {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        fetch(&http(), request).await;
    }

    let log = log.text();
    for said in ["path=\"/Items/1\"", "reason=\"protocol\"", "reason=\"loop\"", "sent again"] {
        assert!(log.contains(said), "no {said} in {log}");
    }
    assert!(!log.contains("secret"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_refused_before_its_end_brings_the_refusal() {
    let origin = raw_origin(|mut stream, _| async move {
        wire::head(&mut stream).await;
        stream
            .write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
            .await
            .unwrap();
        stream.shutdown().await.unwrap();
        // Servers read a little more, so that a reset does not discard the response.
        wire::exactly(&mut stream, 1 << 20).await;
    })
    .await;
    let gateway = gateway(origin.addr).await;
    for _ in 0..20 {
        let request = Request::post(gateway.url("/")).body(noise_body(1, 8 << 20, |_| ())).unwrap();
        let (head, _) = fetch(&http(), request).await;
        assert_eq!(head.status, StatusCode::PAYLOAD_TOO_LARGE);
    }
}
