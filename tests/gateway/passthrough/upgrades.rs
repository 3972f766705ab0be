//! Upgrades: WebSockets and other protocols are forwarded as bytes.

use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{accept_async, connect_async};

use crate::passthrough::wire;
use crate::support::servers::{Server, fetch, gateway, get, http, raw_origin};
use crate::support::wait::soon;

const ASK: &str =
    "GET /socket HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: warp/1\r\n\r\n";
const SWITCH: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: warp/1\r\nX-Warp: 9\r\n\r\n";

/// A WebSocket origin that echoes, closes with 4001 after "bye", and reports the close frame that it gets.
async fn echo_socket() -> (Server, mpsc::UnboundedReceiver<Option<CloseFrame>>) {
    let (report, closes) = mpsc::unbounded_channel();
    let origin = raw_origin(move |stream, _| {
        let report = report.clone();
        async move {
            let mut socket = accept_async(stream).await.unwrap();
            while let Some(Ok(message)) = socket.next().await {
                match message {
                    Message::Close(frame) => drop(report.send(frame)),
                    Message::Text(text) if text == "bye" => {
                        let frame = CloseFrame { code: CloseCode::Library(4001), reason: "as told".into() };
                        socket.close(Some(frame)).await.unwrap();
                    }
                    Message::Text(_) | Message::Binary(_) => socket.send(message).await.unwrap(),
                    Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
                }
            }
        }
    })
    .await;
    (origin, closes)
}

#[tokio::test]
async fn websockets_echo_and_close_codes_pass() {
    let (origin, mut closes) = echo_socket().await;
    let gateway = gateway(origin.addr).await;
    let url = format!("ws://{}/socket?api_key=x", gateway.addr);

    let (mut socket, _) = soon(connect_async(&url)).await.unwrap();
    let large = crate::support::servers::noise(5, 0, 3_000_000);
    for message in
        [Message::text("{\"MessageType\":\"KeepAlive\"}"), Message::binary(large), Message::text("")]
    {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(soon(socket.next()).await.unwrap().unwrap(), message);
    }
    socket.send(Message::Ping("p".into())).await.unwrap();
    assert_eq!(soon(socket.next()).await.unwrap().unwrap(), Message::Pong("p".into()));
    socket.send(Message::text("bye")).await.unwrap();
    let Message::Close(Some(frame)) = soon(socket.next()).await.unwrap().unwrap() else { panic!("no close") };
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (4001, "as told"));
    assert!(soon(socket.next()).await.is_none());

    let (mut socket, _) = soon(connect_async(&url)).await.unwrap();
    let frame = CloseFrame { code: CloseCode::Library(4002), reason: "enough".into() };
    socket.close(Some(frame.clone())).await.unwrap();
    let Message::Close(answer) = soon(socket.next()).await.unwrap().unwrap() else { panic!("no close") };
    assert_eq!(answer, Some(frame.clone()));
    // On the first connection, the origin got the reply to its own close frame.
    let first = soon(closes.recv()).await.unwrap().unwrap();
    assert_eq!(u16::from(first.code), 4001);
    assert_eq!(soon(closes.recv()).await.unwrap(), Some(frame));
}

#[tokio::test]
async fn a_refused_upgrade_is_an_ordinary_answer() {
    let origin = raw_origin(|mut stream, _| async move {
        wire::head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").await.unwrap();
    })
    .await;
    let gateway = gateway(origin.addr).await;
    let refused = soon(connect_async(format!("ws://{}/socket", gateway.addr))).await.unwrap_err();
    let Error::Http(response) = refused else { panic!("{refused}") };
    assert_eq!(response.status(), 403);
    assert_eq!(response.into_body().unwrap(), b"no");
}

/// The two ends of a tunnel through a gateway, after the 101.
async fn tunnel() -> (Server, Server, TcpStream, TcpStream) {
    let (hand, mut streams) = mpsc::unbounded_channel();
    let origin = raw_origin(move |mut stream, _| {
        let hand = hand.clone();
        async move {
            let head = wire::head(&mut stream).await;
            assert_eq!(wire::field(&head, "upgrade"), ["warp/1"]);
            assert_eq!(wire::field(&head, "connection"), ["upgrade"]);
            // The first bytes of the new protocol follow the 101 at once.
            stream.write_all(format!("{SWITCH}early").as_bytes()).await.unwrap();
            hand.send(stream).unwrap();
        }
    })
    .await;
    let gateway = gateway(origin.addr).await;
    // The client does not wait for the 101 either.
    let mut client = wire::send(gateway.addr, format!("{ASK}hasty")).await;
    let head = wire::head(&mut client).await;
    assert_eq!(wire::status(&head), 101);
    assert_eq!(wire::field(&head, "upgrade"), ["warp/1"]);
    assert_eq!(wire::field(&head, "connection"), ["upgrade"]);
    assert_eq!(wire::field(&head, "x-warp"), ["9"]);
    assert_eq!(wire::exactly(&mut client, 5).await, b"early");
    let mut far = soon(streams.recv()).await.unwrap();
    assert_eq!(wire::exactly(&mut far, 5).await, b"hasty");
    (origin, gateway, client, far)
}

#[tokio::test]
async fn any_protocol_is_a_tunnel_and_each_half_closes_alone() {
    for from_client in [true, false] {
        let (_origin, _gateway, client, far) = tunnel().await;
        let (mut near, mut far) = if from_client { (client, far) } else { (far, client) };
        near.write_all(b"last words").await.unwrap();
        near.shutdown().await.unwrap();
        assert_eq!(wire::rest(&mut far).await, "last words");
        far.write_all(b"answer").await.unwrap();
        drop(far);
        assert_eq!(wire::rest(&mut near).await, "answer");
    }
}

#[tokio::test]
async fn a_reset_is_passed_on_as_one() {
    for from_client in [true, false] {
        let (_origin, _gateway, client, far) = tunnel().await;
        let (near, mut far) = if from_client { (client, far) } else { (far, client) };
        near.set_zero_linger().unwrap();
        drop(near);
        let error = soon(far.read_u8()).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "from client: {from_client}");
    }
}

#[tokio::test]
async fn a_switch_nobody_asked_for_is_refused() {
    let origin = raw_origin(|mut stream, _| async move {
        wire::head(&mut stream).await;
        stream.write_all(SWITCH.as_bytes()).await.unwrap();
        drop(stream.read_u8().await);
    })
    .await;
    let gateway = gateway(origin.addr).await;
    let (head, _) = fetch(&http(), get(gateway.url("/"))).await;
    assert_eq!(head.status, 502);
    assert_eq!(head.headers["proxy-status"], "gate; error=http_upgrade_failed");
}

#[tokio::test]
async fn http2_is_not_smuggled_through_as_an_upgrade() {
    let origin = raw_origin(|mut stream, _| async move {
        let head = wire::head(&mut stream).await;
        assert_eq!((wire::field(&head, "upgrade"), wire::field(&head, "http2-settings")), (vec![], vec![]));
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    })
    .await;
    let gateway = gateway(origin.addr).await;
    let mut request = get(gateway.url("/"));
    *request.headers_mut() = HeaderMap::from_iter([
        (http::header::CONNECTION, HeaderValue::from_static("Upgrade, HTTP2-Settings")),
        (http::header::UPGRADE, HeaderValue::from_static("h2c")),
        (
            http::HeaderName::from_static("http2-settings"),
            HeaderValue::from_static("AAMAAABkAARAAAAAAAIAAAAA"),
        ),
    ]);
    assert_eq!(fetch(&http(), request).await.0.status, 200);
}

#[tokio::test]
async fn a_side_that_never_closes_is_reset_in_the_end() {
    let (_origin, _gateway, mut client, mut far) = tunnel().await;
    client.shutdown().await.unwrap();
    assert_eq!(far.read(&mut [0]).await.unwrap(), 0);
    // Not before: on a busy machine the clock would jump over the half minute while the end is on its way.
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    assert_eq!(client.read_u8().await.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    let waited = began.elapsed().as_secs();
    assert!((29..=30).contains(&waited), "{waited} s");
}
