//! A peer that does not read, and what is held for it meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use warmgate::body::{self, Body, BoxError};
use warmgate::server::Upload;
use warmgate::upstream::client::{Client, Target, Timeouts};

use crate::support::servers::{Server, gateway, get, h2c, listen, raw_origin};
use crate::support::wait::{eventually, soon};

const READERS: usize = 200;
const FRAME: usize = 16 << 10;

/// How many frames of a body exist at once.
#[derive(Default)]
struct Alive {
    now: AtomicUsize,
    most: AtomicUsize,
    made: AtomicUsize,
}

struct Owned(Arc<Alive>);

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        &[b'.'; FRAME]
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Alive {
    /// A body without end.
    fn body(self: &Arc<Self>) -> Body {
        let alive = Arc::clone(self);
        let frames = std::iter::repeat_with(move || {
            let now = alive.now.fetch_add(1, Ordering::SeqCst) + 1;
            alive.most.fetch_max(now, Ordering::SeqCst);
            alive.made.fetch_add(1, Ordering::SeqCst);
            Ok::<_, BoxError>(Frame::data(Bytes::from_owner(Owned(Arc::clone(&alive)))))
        });
        body::boxed(StreamBody::new(futures_util::stream::iter(frames)))
    }

    /// Waits until no further frame is made.
    async fn stands_still(&self) {
        let mut seen = (0, Instant::now());
        eventually("the peer's buffers are full", async || {
            let made = self.made.load(Ordering::SeqCst);
            if made != seen.0 {
                seen = (made, Instant::now());
            }
            made > 0 && seen.1.elapsed().as_millis() > 200
        })
        .await;
    }
}

/// Asks, and reads no more than the beginning of the answer.
async fn reader(to: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    stream
}

/// A server whose answers do not end, and what of them is alive.
async fn answering() -> (Arc<Alive>, Server) {
    let alive = Arc::new(Alive::default());
    let bodies = Arc::clone(&alive);
    let server = listen(move |_: Request<Upload>| {
        let body = bodies.body();
        async { Response::new(body) }
    })
    .await;
    (alive, server)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_answer_that_is_not_read_one_frame_is_kept() {
    let (alive, server) = answering().await;
    let readers = join_all((0..READERS).map(|_| reader(server.addr))).await;
    alive.stands_still().await;
    assert_eq!(alive.now.load(Ordering::SeqCst), READERS);
    assert_eq!(alive.most.load(Ordering::SeqCst), READERS, "also on the way");
    let mut reader = readers.into_iter().next().unwrap();
    let mut rest = vec![0; 1 << 20];
    soon(reader.read_exact(&mut rest)).await.unwrap();
    alive.stands_still().await;
    drop(reader);
    eventually("all has been given back", async || alive.now.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http2_little_of_an_answer_is_kept() {
    let (alive, server) = answering().await;
    let answer = soon(h2c().request(get(server.url("/large")))).await.unwrap();
    alive.stands_still().await;
    assert_eq!(alive.now.load(Ordering::SeqCst), 1);
    drop(answer);
    eventually("it has been given back", async || alive.now.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_request_that_is_not_read_one_frame_is_kept() {
    let server = raw_origin(|stream, _| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let target =
        Target { scheme: http::uri::Scheme::HTTP, authority: server.addr.to_string().parse().unwrap() };
    let client = Client::new(target, Timeouts::default());
    let alive = Arc::new(Alive::default());
    let request = Request::post("/upload").body(alive.body()).unwrap();
    let sent = tokio::spawn(async move { client.send(request).await.map(drop) });
    alive.stands_still().await;
    assert_eq!((alive.now.load(Ordering::SeqCst), alive.most.load(Ordering::SeqCst)), (1, 1));
    sent.abort();
    eventually("it has been given back", async || alive.now.load(Ordering::SeqCst) == 0).await;
}

/// What a client sends by then lies here while the server does not read.
#[tokio::test(flavor = "multi_thread")]
async fn over_http2_a_bounded_part_of_a_request_is_taken_in_advance() {
    let server = listen(|request: Request<Upload>| async move {
        if request.method() == http::Method::POST {
            std::future::pending::<()>().await;
        }
        Response::new(body::empty())
    })
    .await;
    let stream = TcpStream::connect(server.addr).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    let ask = |method: &str| Request::builder().method(method).uri(server.url("/")).body(()).unwrap();
    // The server's settings come before its first answer.
    soon(client.send_request(ask("GET"), true).unwrap().0).await.unwrap();
    let (_answer, mut upload) = client.send_request(ask("POST"), false).unwrap();
    upload.reserve_capacity(8 << 20);
    let capacity = soon(std::future::poll_fn(|cx| upload.poll_capacity(cx))).await.unwrap().unwrap();
    assert!(capacity <= 1 << 20, "{capacity}");
}

/// Its answer may arrive just as nobody waits for it any more.
#[tokio::test]
async fn a_connection_whose_request_was_given_up_serves_no_other() {
    let asked = Arc::new(tokio::sync::Notify::new());
    let told = Arc::clone(&asked);
    let server = crate::support::servers::origin(move |request: Request<Incoming>| {
        let told = Arc::clone(&told);
        async move {
            request.into_body().collect().await.unwrap();
            told.notify_one();
            Response::new(body::empty())
        }
    })
    .await;
    let target =
        Target { scheme: http::uri::Scheme::HTTP, authority: server.addr.to_string().parse().unwrap() };
    let client = Client::new(target, Timeouts::default());
    let post = || Request::post("/").body(body::full("a report")).unwrap();
    for _ in 0..3 {
        let mut sent = Box::pin(client.send(post()));
        tokio::select! {
            () = asked.notified() => {}
            _ = &mut sent => panic!("answered before it was asked"),
        }
        // Everybody else goes on, so the answer comes.
        for _ in 0..500 {
            tokio::task::yield_now().await;
        }
        drop(sent);
        assert_eq!(soon(client.send(post())).await.unwrap().status(), 200);
        asked.notified().await;
    }
}

/// A body in many frames comes through whole however its reader pauses.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_pauses_gets_everything() {
    const LENGTH: usize = 8 << 20;
    let origin = crate::support::servers::origin(|_| async {
        let frames =
            (0..LENGTH / FRAME).map(|_| Ok::<_, BoxError>(Frame::data(Bytes::from_static(&[b'x'; FRAME]))));
        Response::new(body::boxed(StreamBody::new(futures_util::stream::iter(frames))))
    })
    .await;
    let gateway = gateway(origin.addr).await;
    let mut stream = TcpStream::connect(gateway.addr).await.unwrap();
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let (mut all, mut some) = (0, vec![0; 100_000]);
    loop {
        let read = soon(stream.read(&mut some)).await.unwrap();
        all += some[..read].iter().filter(|byte| **byte == b'x').count();
        if read == 0 {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(all, LENGTH);
}
