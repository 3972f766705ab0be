//! Frames that no library sends: the gateway ends the stream or the connection, as the RFC says, and harms no other.

mod cases;
mod frames;

use std::net::SocketAddr;

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use warmgate::body;

use crate::passthrough::http2::frames::{
    ACK, GOAWAY, HEADERS, NO_ERROR, PING, PREFACE, PROTOCOL_ERROR, RST_STREAM, SETTINGS, STATUS_200,
    STATUS_400, frame, get, next,
};
use crate::support::servers::{Server, gateway, origin};

/// The stream of the request behind each case.
const BEHIND: u32 = 1_000_001;

/// What frames come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// The request behind them is answered.
    Fine,
    /// So it is, but their own stream ends with this code.
    Stream(u32),
    /// The connection ends with this code.
    Connection(u32),
}

impl Outcome {
    /// The general code may stand for any other, and the connection may end for a stream's sake (RFC 9113, 5.4).
    fn allows(self, seen: Self) -> bool {
        match (self, seen) {
            (Self::Fine, Self::Fine) => true,
            (Self::Stream(code), Self::Stream(seen) | Self::Connection(seen))
            | (Self::Connection(code), Self::Connection(seen)) => seen == code || seen == PROTOCOL_ERROR,
            (Self::Fine | Self::Stream(_) | Self::Connection(_), _) => false,
        }
    }
}

/// A gateway, and its server, which reads each request to its end.
async fn servers() -> (Server, Server) {
    let origin = origin(|request: Request<Incoming>| async move {
        let _ = request.into_body().collect().await;
        Response::new(body::empty())
    })
    .await;
    let gateway = gateway(origin.addr).await;
    (origin, gateway)
}

/// Sends frames and a request behind them. `None` if the connection ends without a word.
async fn outcome(to: SocketAddr, frames: &[u8]) -> Option<Outcome> {
    let (mut reading, mut writing) = TcpStream::connect(to).await.unwrap().into_split();
    let bytes = [PREFACE, frames, &get(BEHIND)].concat();
    // What follows an error may not be taken any more. The half is kept: who closes it counts as gone.
    let sending = tokio::spawn(async move { (writing.write_all(&bytes).await.is_ok(), writing) });
    let mut seen = Outcome::Fine;
    let outcome = loop {
        let received = next(&mut reading).await?;
        let code = |at: usize| u32::from_be_bytes(received.payload[at..at + 4].try_into().unwrap());
        match (received.kind, received.stream) {
            (GOAWAY, _) if code(4) != NO_ERROR => break Outcome::Connection(code(4)),
            (RST_STREAM, _) => seen = Outcome::Stream(code(0)),
            (HEADERS, BEHIND) => {
                assert_eq!(received.payload[0], STATUS_200);
                break seen;
            }
            // An answer may say so before (8.1.1).
            (HEADERS, _) if received.payload[0] == STATUS_400 => seen = Outcome::Stream(PROTOCOL_ERROR),
            _ => {}
        }
    };
    sending.abort();
    Some(outcome)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_ends_what_it_has_to_and_no_more() {
    let (_origin, gateway) = servers().await;
    let mut wrong = Vec::new();
    for case in cases::all() {
        let frames = [&frame(SETTINGS, 0, 0, b"")[..], &case.frames].concat();
        let seen = outcome(gateway.addr, &frames).await;
        if !seen.is_some_and(|seen| case.outcome.allows(seen)) {
            wrong.push(format!("{}: {seen:?} instead of {:?}", case.name, case.outcome));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[tokio::test]
async fn settings_and_pings_are_acknowledged() {
    let (_origin, gateway) = servers().await;
    let mut stream = TcpStream::connect(gateway.addr).await.unwrap();
    let ping = frame(PING, 0, 0, b"a letter");
    stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, b""), &ping].concat()).await.unwrap();
    let mut acknowledged = Vec::new();
    while acknowledged.len() < 2 {
        let received = next(&mut stream).await.unwrap();
        if received.flags & ACK != 0 {
            acknowledged.push((received.kind, received.payload));
        }
    }
    acknowledged.sort();
    assert_eq!(acknowledged, [(SETTINGS, Vec::new()), (PING, b"a letter".to_vec())]);
}
