//! Requests whose end two parsers could see in different places: the gateway and the origin behind it see the same requests, or the
//! gateway refuses.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;
use warmgate::body;

use crate::passthrough::wire;
use crate::support::servers::{fetch, gateway, get, http, origin};

/// How long the answers to one connection may take; many of them never end, as their body is never whole.
const ANSWERED: Duration = Duration::from_secs(3);

/// Spellings of a chunked message that some parser has taken, or not taken, for one.
const CODINGS: [&str; 30] = [
    "Transfer-Encoding: chunked",
    "transfer-encoding:chunked",
    "TRANSFER-ENCODING: CHUNKED",
    "Transfer-Encoding: chunked ",
    "Transfer-Encoding:  \tchunked",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: chunkedx",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: identity, chunked",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: ,chunked",
    "Transfer-Encoding: chunked,",
    "Transfer-Encoding: chunked;q=1",
    "Transfer-Encoding: \"chunked\"",
    "Transfer-Encoding: 'chunked'",
    "Transfer-Encoding: chun ked",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding:",
    "Transfer-Encoding : chunked",
    "Transfer-Encoding\t: chunked",
    " Transfer-Encoding: chunked",
    "Transfer_Encoding: chunked",
    "Transfer-Encoding: \x0bchunked",
    "Transfer-Encoding: chunked\x0c",
    "Transfer-Encoding: chunked\0",
    "X: y\nTransfer-Encoding: chunked",
    "X: y\rTransfer-Encoding: chunked",
    "X: y\r\n\tTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
];

/// Spellings of a length of five bytes, or of none.
const LENGTHS: [&str; 16] = [
    "Content-Length: 5",
    "Content-Length: 05",
    "Content-Length: +5",
    "Content-Length: -5",
    "Content-Length: 5 5",
    "Content-Length: 5, 5",
    "Content-Length: 5, 6",
    "Content-Length: 0x5",
    "Content-Length: 5e0",
    "Content-Length: 5.0",
    "Content-Length:",
    "Content-Length : 5",
    "Content-Length: 99999999999999999999",
    "Content-Length: 5\r\nContent-Length: 0",
    "Content-Length: 0\r\nContent-Length: 5",
    "Content_Length: 5",
];

/// Spellings of a chunk of five bytes.
const CHUNKS: [&str; 14] = [
    "5\r\nhello\r\n",
    "05\r\nhello\r\n",
    "5;name=value\r\nhello\r\n",
    "5;\r\nhello\r\n",
    "5 \r\nhello\r\n",
    " 5\r\nhello\r\n",
    "+5\r\nhello\r\n",
    "-5\r\nhello\r\n",
    "0x5\r\nhello\r\n",
    "5\nhello\n",
    "5\r\nhello",
    "5\r\nhelloX\r\n",
    "5;a\nhello\r\n",
    "10000000000000005\r\nhello\r\n",
];

/// The connections' bytes. The number stands in each path; a request for `/hidden` is one that only one of two parsers sees.
fn connections() -> Vec<String> {
    let number = std::cell::Cell::new(0);
    let request = |fields: &str, body: &dyn Fn(&str) -> String| {
        let at = number.replace(number.get() + 1);
        let body = body(&format!("GET /hidden/{at}/ HTTP/1.1\r\nHost: a\r\n\r\n"));
        let fields = fields.replace("{length}", &body.len().to_string());
        let last = format!("GET /last/{at}/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        format!("POST /first/{at}/ HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{body}{last}")
    };
    let mut all = Vec::new();
    for coding in CODINGS {
        for fields in [
            format!("Content-Length: {{length}}\r\n{coding}"),
            format!("{coding}\r\nContent-Length: {{length}}"),
        ] {
            all.push(request(&fields, &|hidden| format!("0\r\n\r\n{hidden}")));
        }
        let fields = format!("Content-Length: 4\r\n{coding}");
        all.push(request(&fields, &|hidden| format!("{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len())));
    }
    all.extend(LENGTHS.map(|length| request(length, &|hidden| format!("hello{hidden}"))));
    for chunk in CHUNKS {
        all.push(request("Transfer-Encoding: chunked", &|hidden| format!("{chunk}0\r\n\r\n{hidden}")));
        all.push(request("Transfer-Encoding: chunked", &|hidden| {
            format!("{chunk}0\r\nX: y\r\n\r\n{hidden}")
        }));
    }
    all
}

/// The paths in what was answered on one connection, or asked at the origin.
fn paths(text: &str, at: usize) -> Vec<&str> {
    let end = format!("/{at}/");
    let of_one = |path: &&str| path.ends_with(&end);
    text.split('<').filter_map(|rest| rest.split_once('>').map(|(path, _)| path)).filter(of_one).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_and_the_origin_see_the_same_requests() {
    let asked = Arc::new(Mutex::new(String::new()));
    let seen = Arc::clone(&asked);
    let origin = origin(move |request: Request<Incoming>| {
        let seen = Arc::clone(&seen);
        async move {
            let path = format!("<{}>", request.uri().path());
            seen.lock().unwrap().push_str(&path);
            let _ = request.into_body().collect().await;
            Response::new(body::full(path))
        }
    })
    .await;
    let gateway = gateway(origin.addr).await;
    let connections = connections();
    assert!(connections.len() >= 60);
    let answered = join_all(connections.iter().map(async |bytes| {
        let mut stream = wire::send(gateway.addr, bytes).await;
        let mut answers = Vec::new();
        let _ = timeout(ANSWERED, stream.read_to_end(&mut answers)).await;
        String::from_utf8(answers).unwrap()
    }))
    .await;
    let asked = asked.lock().unwrap().clone();
    let mut refused = 0;
    for (at, (sent, answers)) in connections.iter().zip(&answered).enumerate() {
        let (at_client, at_origin) = (paths(answers, at), paths(&asked, at));
        // A request whose body never ends is asked and not answered.
        assert!(at_origin.starts_with(&at_client), "{sent:?}\n{answers}\n{at_origin:?}");
        assert!(at_origin.len() - at_client.len() <= 1, "{sent:?}\n{answers}\n{at_origin:?}");
        refused += usize::from(answers.starts_with("HTTP/1.1 4") || answers.starts_with("HTTP/1.1 5"));
    }
    assert!(refused > connections.len() / 3, "{refused} of {}", connections.len());
    for at in 0..20 {
        let path = format!("/after/{at}/");
        let (_, body) = fetch(&http(), get(gateway.url(&path))).await;
        assert_eq!(
            body,
            format!("<{path}>").as_bytes(),
            "no connection to the origin holds another's answer"
        );
    }
}
