//! What comes over a connection that has been idle for a while, and has given its buffers back.

use std::time::Duration;

use http::Response;
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{advance, pause, resume};
use warmgate::body;

use crate::passthrough::wire;
use crate::support::servers::{Server, Setup, gateway, gateway_with, origin, raw_origin};
use crate::support::wait::soon;

/// Longer than it takes until an idle connection is parked.
pub(crate) const IDLE: Duration = Duration::from_secs(21);

/// Lets everybody take what has been sent, time pass at once, and whoever waited for it go on.
pub(crate) async fn pass(time: Duration) {
    all_go_on().await;
    pause();
    advance(time).await;
    resume();
    all_go_on().await;
}

async fn all_go_on() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// A gateway in front of a server that answers with the path and the body of each request.
async fn echo() -> (Server, Server) {
    let origin = origin(|request: http::Request<hyper::body::Incoming>| async move {
        let path = request.uri().path().to_owned();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        Response::new(body::full([path.as_bytes(), &body].concat()))
    })
    .await;
    let gateway = gateway(origin.addr).await;
    (origin, gateway)
}

async fn answer(stream: &mut TcpStream) -> String {
    let head = wire::head(stream).await;
    assert_eq!(wire::status(&head), 200, "{head}");
    let length = wire::field(&head, "content-length")[0].parse().unwrap();
    String::from_utf8(wire::exactly(stream, length).await).unwrap()
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

/// A connection that has had one answer.
async fn served(gateway: &Server) -> TcpStream {
    let mut stream = wire::send(gateway.addr, get("/first")).await;
    assert_eq!(answer(&mut stream).await, "/first");
    stream
}

#[tokio::test]
async fn it_serves_whatever_comes_next() {
    let (_origin, gateway) = echo().await;
    let mut stream = served(&gateway).await;
    pass(IDLE).await;
    stream.write_all(format!("{}{}", get("/a"), get("/b")).as_bytes()).await.unwrap();
    assert_eq!((answer(&mut stream).await, answer(&mut stream).await), ("/a".into(), "/b".into()));
    let half = get("/half");
    stream.write_all(&half.as_bytes()[..20]).await.unwrap();
    pass(IDLE).await;
    stream.write_all(&half.as_bytes()[20..]).await.unwrap();
    assert_eq!(answer(&mut stream).await, "/half", "what had been read of a request is not lost");
    for _ in 0..2 {
        pass(IDLE).await;
        let post = "POST /post HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
        stream.write_all(post.as_bytes()).await.unwrap();
        assert_eq!(wire::status(&wire::head(&mut stream).await), 100);
        stream.write_all(b"body").await.unwrap();
        assert_eq!(answer(&mut stream).await, "/postbody");
    }
    pass(IDLE).await;
    let chunked = "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n";
    stream.write_all(chunked.as_bytes()).await.unwrap();
    pass(IDLE).await;
    stream.write_all(b"1\r\nc\r\n0\r\n\r\n").await.unwrap();
    assert_eq!(answer(&mut stream).await, "/cabc", "a request under way is not idle");
    pass(IDLE).await;
    stream.write_all(b"GET /old HTTP/1.0\r\n\r\n").await.unwrap();
    assert_eq!(answer(&mut stream).await, "/old");
    assert_eq!(wire::rest(&mut stream).await, "");
}

#[tokio::test]
async fn it_can_leave_http() {
    let origin = raw_origin(|mut stream, _| async move {
        wire::head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
        wire::head(&mut stream).await;
        let switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: warp\r\n\r\nhello";
        stream.write_all(switch).await.unwrap();
        assert_eq!(wire::rest(&mut stream).await, "bytes");
    })
    .await;
    let gateway = gateway(origin.addr).await;
    let mut stream = wire::send(gateway.addr, get("/")).await;
    assert_eq!(answer(&mut stream).await, "ok");
    pass(IDLE).await;
    let ask = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: warp\r\n\r\nbytes";
    stream.write_all(ask.as_bytes()).await.unwrap();
    assert_eq!(wire::status(&wire::head(&mut stream).await), 101);
    assert_eq!(wire::exactly(&mut stream, 5).await, b"hello");
    pass(4 * IDLE).await;
    stream.shutdown().await.unwrap();
    assert_eq!(wire::rest(&mut stream).await, "");
}

#[tokio::test]
async fn it_ends_when_nothing_comes_or_half_a_request() {
    let (_origin, gateway) = echo().await;
    for beginning in ["", "GET / HT"] {
        let mut stream = served(&gateway).await;
        pass(IDLE).await;
        stream.write_all(beginning.as_bytes()).await.unwrap();
        pass(Duration::from_secs(80)).await;
        assert_eq!(soon(stream.read(&mut [0])).await.unwrap_or(0), 0, "{beginning:?}");
    }
}

#[tokio::test]
async fn it_does_not_hold_up_the_end() {
    let origin = origin(|_| async { Response::new(body::full("/first")) }).await;
    let setup = Setup { grace: Duration::from_secs(3600), ..Setup::default() };
    let gateway = gateway_with(&origin.addr.to_string(), setup).await;
    let mut stream = served(&gateway).await;
    pass(IDLE).await;
    gateway.stopped().await;
    assert_eq!(soon(stream.read(&mut [0])).await.unwrap_or(0), 0);
}
