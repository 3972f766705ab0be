//! Requests as RFC 9112 allows, forbids or discourages them: their answers, and whether the connection goes on.

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use warmgate::body;

use crate::support::servers::{gateway, origin};
use crate::support::wait::soon;

/// The request behind each, which ends the connection.
const BEHIND: &str = "GET /behind HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// Its name, its bytes, and the statuses of all answers: the last is that of the request behind it, unless the connection ends before.
type Case = (&'static str, String, &'static [u16]);

fn cases() -> Vec<Case> {
    let whole = |text: &str| text.to_owned();
    let get = |fields: &str| format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let post = |fields: &str, body: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}");
    let chunked = |body: &str| post("Transfer-Encoding: chunked\r\n", body);
    let line = |line: &str| format!("{line}\r\nHost: a\r\n\r\n");
    let fields = "X: y\r\n".repeat(200);
    let large = format!("X: {}\r\n", "y".repeat(1 << 20));
    let target = format!("GET /{} HTTP/1.1", "x".repeat(70_000));
    vec![
        ("two at once", get("").repeat(2), &[200, 200, 200]),
        ("empty lines before", format!("\r\n\r\n{}", get("")), &[200, 200]),
        ("line ends of one byte", whole("GET / HTTP/1.1\nHost: a\n\n"), &[200, 200]),
        ("CR in a value", get("X: a\rb\r\n"), &[400]),
        ("CR in the first line", line("GET /\r HTTP/1.1"), &[400]),
        ("space before the first field", whole("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), &[400]),
        ("field without a name", get(": x\r\n"), &[400]),
        ("field without a colon", get("X\r\n"), &[400]),
        ("brackets in a name", get("X[0]: 1\r\n"), &[400]),
        ("space in a name", get("X Y: 1\r\n"), &[400]),
        ("empty value", get("X:\r\n"), &[200, 200]),
        ("bytes above ASCII in a value", get("X: é\r\n"), &[200, 200]),
        ("version 1.2", line("GET / HTTP/1.2"), &[400]),
        ("version 2.0", line("GET / HTTP/2.0"), &[400]),
        ("version in lower case", line("GET / http/1.1"), &[400]),
        ("unknown method", line("BREW / HTTP/1.1"), &[200, 200]),
        ("method in lower case", line("get / HTTP/1.1"), &[200, 200]),
        ("method that is no token", line("G(T / HTTP/1.1"), &[400]),
        ("two spaces", line("GET  / HTTP/1.1"), &[400]),
        ("tab", line("GET\t/ HTTP/1.1"), &[400]),
        ("no target", line("GET HTTP/1.1"), &[400]),
        ("OPTIONS *", line("OPTIONS * HTTP/1.1"), &[200, 200]),
        ("absolute target", line("GET http://a/x HTTP/1.1"), &[200, 200]),
        ("long target", line(&target), &[414]),
        ("200 fields", get(&fields), &[431]),
        ("a megabyte of fields", get(&large), &[431]),
        ("HEAD", whole("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"), &[200, 200]),
        ("Connection: close", get("Connection: close\r\n"), &[200]),
        ("1.0", whole("GET / HTTP/1.0\r\n\r\n"), &[200]),
        ("1.0 that goes on", whole("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), &[200, 200]),
        ("100-continue", post("Content-Length: 1\r\nExpect: 100-continue\r\n", "x"), &[100, 200, 200]),
        ("body", post("Content-Length: 1\r\n", "x"), &[200, 200]),
        ("two equal lengths", post("Content-Length: 1\r\nContent-Length: 1\r\n", "x"), &[200, 200]),
        ("chunks", chunked("1\r\nx\r\n1\r\ny\r\n0\r\n\r\n"), &[200, 200]),
        ("chunk with an extension", chunked("1;a=\"b;c\"\r\nx\r\n0;d\r\n\r\n"), &[200, 200]),
        ("trailers", chunked("1\r\nx\r\n0\r\nX: y\r\n\r\n"), &[200, 200]),
    ]
}

/// The statuses of all answers that came over a connection.
fn statuses(answers: &str) -> Vec<u16> {
    let answers = answers.split("HTTP/1.").skip(1);
    answers.map(|answer| answer.split(' ').nth(1).unwrap().parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_gets_the_answer_that_it_should() {
    let origin = origin(|request: Request<Incoming>| async move {
        let _ = request.into_body().collect().await;
        Response::new(body::empty())
    })
    .await;
    let gateway = gateway(origin.addr).await;
    let mut wrong = Vec::new();
    for (what, bytes, expected) in cases() {
        let (mut stream, mut answers) = (TcpStream::connect(gateway.addr).await.unwrap(), Vec::new());
        // What follows a refusal is not read, so the connection may end with a reset.
        let _ = stream.write_all(format!("{bytes}{BEHIND}").as_bytes()).await;
        let _ = soon(stream.read_to_end(&mut answers)).await;
        let seen = statuses(&String::from_utf8(answers).unwrap());
        if seen != expected {
            wrong.push(format!("{what}: {seen:?} instead of {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}
