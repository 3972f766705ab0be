//! Bodies are forwarded in both directions as they come, byte for byte.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;
use warmgate::body::{self, Body, BoxError};

use crate::passthrough::wire;
use crate::support::servers::{
    assert_noise, fetch, gateway, get, h2c, http, noise, noise_body, origin, raw_origin,
};
use crate::support::wait::{eventually, soon};

const MEGABYTE: u64 = 1 << 20;

/// `printf '{"Items":[]}' | gzip -n`
const GZIP: &[u8] = &[
    0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 0x03, 0xab, 0x56, 0xf2, 0x2c, 0x49, 0xcd, 0x2d, 0x56, 0xb2, 0x8a,
    0x8e, 0xad, 0x05, 0x00, 0xcd, 0x1c, 0x1e, 0xa5, 0x0c, 0, 0, 0,
];

fn random_json(seed: u64) -> Vec<u8> {
    let words: Vec<String> = noise(seed, 0, 64)
        .chunks(8)
        .map(|word| format!("{:?}: \"é{word:?}\"", word[0].to_string()))
        .collect();
    format!("{{\n {} }}", words.join(" ,\t")).into_bytes()
}

/// Sends the request's body back, with its content type and coding.
async fn echo(request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let mut response = Response::new(body::boxed(body));
    for name in ["content-type", "content-encoding", "content-length"] {
        if let Some(value) = head.headers.get(name) {
            response.headers_mut().insert(http::HeaderName::from_static(name), value.clone());
        }
    }
    response
}

#[tokio::test(flavor = "multi_thread")]
async fn small_bodies_are_identical_both_ways() {
    let origin = origin(echo).await;
    let gateway = gateway(origin.addr).await;
    let (h1, h2) = (http(), h2c());
    let mut bodies = vec![(GZIP.to_vec(), "gzip"), (Vec::new(), "identity")];
    bodies.extend((0..200).map(|seed| (random_json(seed), "identity")));
    bodies.extend((0..20).map(|seed| (noise(seed, 0, (seed * 7919) as usize).to_vec(), "br")));
    for (bytes, coding) in bodies {
        for client in [&h1, &h2] {
            let request = Request::post(gateway.url("/echo"))
                .header("content-type", "application/json; charset=utf-8")
                .header("content-encoding", coding)
                .body(body::full(bytes.clone()))
                .unwrap();
            let (head, echoed) = fetch(client, request).await;
            assert_eq!(echoed, bytes);
            assert_eq!(head.headers["content-encoding"], coding);
            assert_eq!(head.headers["content-length"], bytes.len().to_string());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_megabytes_come_down_and_are_never_held() {
    let made = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&made);
    let origin = origin(move |_| {
        let counter = Arc::clone(&counter);
        async move {
            Response::new(noise_body(7, 200 * MEGABYTE, move |upto| counter.store(upto, Ordering::Relaxed)))
        }
    })
    .await;
    let gateway = gateway(origin.addr).await;
    let mut response = soon(http().request(get(gateway.url("/Items/1/Download")))).await.unwrap();

    // A client that does not read holds the origin back: only socket buffers lie between them.
    let mut before = u64::MAX;
    eventually("the origin stands still", async || {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let now = made.load(Ordering::Relaxed);
        now > 0 && now == std::mem::replace(&mut before, now)
    })
    .await;
    assert!(
        made.load(Ordering::Relaxed) < 32 * MEGABYTE,
        "{} MB held",
        made.load(Ordering::Relaxed) / MEGABYTE
    );

    assert_eq!(assert_noise(7, response.body_mut()).await, 200 * MEGABYTE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_megabytes_go_up_with_and_without_length() {
    let origin = origin(|mut request: Request<Incoming>| async move {
        let length = request.headers().get("content-length").cloned();
        let got = assert_noise(8, request.body_mut()).await;
        let coding = request.headers().get("transfer-encoding").cloned();
        let mut response = Response::new(body::full(got.to_string()));
        response.headers_mut().insert("x-length", length.or(coding).unwrap());
        response
    })
    .await;
    let gateway = gateway(origin.addr).await;
    for (client, length) in [(http(), true), (http(), false), (h2c(), false)] {
        let mut request = Request::post(gateway.url("/Images"));
        if length {
            request = request.header("content-length", 100 * MEGABYTE);
        }
        let request = request.body(noise_body(8, 100 * MEGABYTE, |_| ())).unwrap();
        let (head, got) = fetch(&client, request).await;
        assert_eq!(got, (100 * MEGABYTE).to_string());
        let framing = if length { (100 * MEGABYTE).to_string() } else { "chunked".into() };
        assert_eq!(head.headers["x-length"], framing);
    }
}

#[tokio::test]
async fn ranges_and_conditions_are_the_origins_business() {
    let origin = origin(|request: Request<Incoming>| async move {
        let headers = request.headers();
        if headers.contains_key("if-none-match") {
            return Response::builder()
                .status(StatusCode::NOT_MODIFIED)
                .header("etag", "\"v1\"")
                .body(body::empty())
                .unwrap();
        }
        let range = headers["range"].to_str().unwrap().strip_prefix("bytes=").unwrap();
        let (from, to) = range.split_once('-').unwrap();
        let (from, to): (u64, u64) = (from.parse().unwrap(), to.parse().unwrap());
        Response::builder()
            .status(StatusCode::PARTIAL_CONTENT)
            .header("content-range", format!("bytes {from}-{to}/1000000"))
            .body(body::full(noise(3, from, usize::try_from(to - from + 1).unwrap())))
            .unwrap()
    })
    .await;
    let gateway = gateway(origin.addr).await;
    for (from, to) in [(0, 0), (5, 1004), (999_000, 999_999)] {
        let mut request = get(gateway.url("/Videos/1/stream"));
        request.headers_mut().insert("range", HeaderValue::try_from(format!("bytes={from}-{to}")).unwrap());
        let (head, bytes) = fetch(&http(), request).await;
        assert_eq!(head.status, StatusCode::PARTIAL_CONTENT);
        assert_eq!(head.headers["content-range"], format!("bytes {from}-{to}/1000000"));
        assert_eq!(bytes, noise(3, from, usize::try_from(to - from + 1).unwrap()));
    }
    let mut request = get(gateway.url("/Videos/1/stream"));
    request.headers_mut().insert("if-none-match", HeaderValue::from_static("\"v1\""));
    let (head, bytes) = fetch(&http(), request).await;
    assert_eq!((head.status, bytes.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!(head.headers["etag"], "\"v1\"");
}

#[tokio::test]
async fn a_head_answer_keeps_its_length_and_gets_none_invented() {
    let origin = raw_origin(|mut stream, _| async move {
        loop {
            let head = wire::head(&mut stream).await;
            if head.is_empty() {
                return;
            }
            assert!(head.starts_with("HEAD "), "{head}");
            let answer = match head.contains("/sized") {
                true => "HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n",
                false => "HTTP/1.1 200 OK\r\n\r\n",
            };
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    let gateway = gateway(origin.addr).await;
    let mut stream = wire::send(gateway.addr, "").await;
    for (path, length) in
        [("/sized", vec!["12345".to_owned()]), ("/open", vec![]), ("/sized", vec!["12345".into()])]
    {
        stream.write_all(format!("HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await.unwrap();
        let head = wire::head(&mut stream).await;
        assert_eq!((wire::status(&head), wire::field(&head, "content-length")), (200, length));
    }
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let origin = origin(|request: Request<Incoming>| async move {
        let asked = request.headers().get("te").cloned();
        let sums = request.into_body().collect().await.unwrap().trailers().cloned().unwrap_or_default();
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", sums.get("x-sum").cloned().unwrap_or(HeaderValue::from_static("none")));
        let mut response = Response::new(with_trailers("down", trailers));
        response.headers_mut().insert("trailer", HeaderValue::from_static("x-sum"));
        response.headers_mut().insert("x-te", asked.unwrap_or(HeaderValue::from_static("none")));
        response
    })
    .await;
    let gateway = gateway(origin.addr).await;
    for client in [http(), h2c()] {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static("42"));
        let request = Request::post(gateway.url("/"))
            .header("te", "trailers")
            .header("trailer", "x-sum")
            .body(with_trailers("up", trailers))
            .unwrap();
        let response = soon(client.request(request)).await.unwrap();
        assert_eq!(response.headers()["x-te"], "trailers");
        let body = soon(response.into_body().collect()).await.unwrap();
        assert_eq!(body.trailers().expect("no trailers")["x-sum"], "42");
        assert_eq!(body.to_bytes(), "down");
    }
}

fn with_trailers(data: &'static str, trailers: HeaderMap) -> Body {
    let frames =
        [Ok::<_, BoxError>(Frame::data(Bytes::from_static(data.as_bytes()))), Ok(Frame::trailers(trailers))];
    body::boxed(StreamBody::new(futures_util::stream::iter(frames)))
}

#[tokio::test]
async fn a_client_that_expects_continue_gets_it() {
    let origin = origin(echo).await;
    let gateway = gateway(origin.addr).await;
    let ask = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    let mut stream = wire::send(gateway.addr, ask).await;
    assert_eq!(wire::status(&wire::head(&mut stream).await), 100);
    stream.write_all(b"hello").await.unwrap();
    assert_eq!(wire::status(&wire::head(&mut stream).await), 200);
    assert_eq!(wire::exactly(&mut stream, 5).await, b"hello");
}

/// Answers the first request of each connection with `answer`, and closes it.
async fn canned(answer: &'static str) -> crate::support::servers::Server {
    raw_origin(move |mut stream, _| async move {
        wire::head(&mut stream).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await
}

#[tokio::test]
async fn answers_without_length_end_where_the_origin_ends() {
    for answer in ["HTTP/1.1 200 OK\r\n\r\nto the end", "HTTP/1.0 200 OK\r\n\r\nto the end"] {
        let origin = canned(answer).await;
        let gateway = gateway(origin.addr).await;
        for client in [http(), h2c()] {
            assert_eq!(fetch(&client, get(gateway.url("/"))).await.1, "to the end");
        }
        let mut old = wire::send(gateway.addr, "GET / HTTP/1.0\r\n\r\n").await;
        let head = wire::head(&mut old).await;
        assert_eq!(wire::field(&head, "transfer-encoding"), Vec::<String>::new());
        assert_eq!(wire::rest(&mut old).await, "to the end");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_not_passed_off_as_whole() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nnot all",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nnot all\r\n",
    ] {
        let origin = canned(answer).await;
        let gateway = gateway(origin.addr).await;
        for client in [http(), h2c()] {
            let response = soon(client.request(get(gateway.url("/")))).await.unwrap();
            soon(response.into_body().collect()).await.expect_err("a truncated body looked complete");
        }
    }
}

#[tokio::test]
async fn early_hints_do_no_harm() {
    let origin = canned(
        "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    )
    .await;
    let gateway = gateway(origin.addr).await;
    let (head, bytes) = fetch(&http(), get(gateway.url("/"))).await;
    assert_eq!((head.status, bytes), (StatusCode::OK, Bytes::from_static(b"ok")));
    assert!(!head.headers.contains_key("link"));
}

#[tokio::test]
async fn a_get_may_have_a_body_of_any_framing() {
    let origin = origin(echo).await;
    let gateway = gateway(origin.addr).await;
    for request in [
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody",
    ] {
        let mut stream = wire::send(gateway.addr, format!("{request}GET / HTTP/1.0\r\n\r\n")).await;
        let answers = wire::rest(&mut stream).await;
        assert_eq!(answers.matches("body").count(), 1, "{answers}");
        assert_eq!(answers.matches("200 OK").count(), 2, "{answers}");
    }
}

#[tokio::test]
async fn http2_becomes_plain_http1() {
    let origin = origin(|request: Request<Incoming>| async move {
        assert_eq!(request.version(), Version::HTTP_11);
        let fields = request.headers();
        let seen =
            |name: &str| fields.get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>();
        Response::new(body::full(format!("{:?} {:?} {:?}", seen("host"), seen("cookie"), seen("via"))))
    })
    .await;
    let gateway = gateway(origin.addr).await;
    let mut request = get(gateway.url("/web/"));
    request.headers_mut().append("cookie", HeaderValue::from_static("a=1"));
    request.headers_mut().append("cookie", HeaderValue::from_static("b=2"));
    let (head, seen) = fetch(&h2c(), request).await;
    assert_eq!(head.version, Version::HTTP_2);
    assert_eq!(seen, format!("[\"{}\"] [\"a=1; b=2\"] [\"2 gate\"]", gateway.addr));
}

#[tokio::test]
async fn the_first_byte_does_not_wait_for_the_last() {
    let go_on = Arc::new(Notify::new());
    let told = Arc::clone(&go_on);
    let origin = origin(move |_| {
        let told = Arc::clone(&told);
        async move {
            let chunks = futures_util::stream::iter(["first", "last"]).then(move |chunk| {
                let told = Arc::clone(&told);
                async move {
                    if chunk == "last" {
                        told.notified().await;
                    }
                    Ok::<_, BoxError>(Frame::data(Bytes::from_static(chunk.as_bytes())))
                }
            });
            Response::new(body::boxed(StreamBody::new(Box::pin(chunks))))
        }
    })
    .await;
    let gateway = gateway(origin.addr).await;
    let mut response = soon(http().request(get(gateway.url("/")))).await.unwrap();
    assert_eq!(soon(response.frame()).await.unwrap().unwrap().into_data().unwrap(), "first");
    go_on.notify_one();
    assert_eq!(soon(response.into_body().collect()).await.unwrap().to_bytes(), "last");
}

struct Dropped(Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_client_that_goes_away_ends_the_upstream_request() {
    for (path, http2) in [("/no-head", false), ("/no-end", false), ("/no-head", true), ("/no-end", true)] {
        let (asked, ended) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let flags = (Arc::clone(&asked), Arc::clone(&ended));
        let origin = origin(move |request: Request<Incoming>| {
            let (asked, ended) = flags.clone();
            async move {
                let dropped = Dropped(ended);
                asked.store(true, Ordering::Relaxed);
                if request.uri().path() == "/no-head" {
                    std::future::pending::<()>().await;
                }
                let first = futures_util::stream::once(async {
                    Ok::<_, BoxError>(Frame::data(Bytes::from_static(b"first")))
                });
                let silence = futures_util::stream::pending().inspect(move |_: &Result<_, _>| _ = &dropped);
                Response::new(body::boxed(StreamBody::new(Box::pin(first.chain(silence)))))
            }
        })
        .await;
        let gateway = gateway(origin.addr).await;
        let client = if http2 { h2c() } else { http() };
        let request = tokio::spawn({
            let (client, request) = (client.clone(), get(gateway.url(path)));
            async move {
                let mut response = client.request(request).await.unwrap();
                while response.frame().await.is_some() {}
            }
        });
        eventually("the origin is asked", async || asked.load(Ordering::Relaxed)).await;
        assert!(!ended.load(Ordering::Relaxed));
        request.abort();
        eventually("the origin's request is dropped", async || ended.load(Ordering::Relaxed)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_lost_or_mixed_up() {
    let origin = origin(|request: Request<Incoming>| async move {
        let number: u64 = request.uri().path()[1..].parse().unwrap();
        Response::new(body::full(noise(number, 0, (number as usize % 50) * 997)))
    })
    .await;
    let gateway = gateway(origin.addr).await;
    let ask = async |client: &crate::support::servers::Http, number: u64| {
        let (head, bytes) = fetch(client, get(gateway.url(&format!("/{number}")))).await;
        assert_eq!(head.status, StatusCode::OK);
        assert_eq!(bytes, noise(number, 0, (number as usize % 50) * 997), "answer {number}");
    };
    let client = http();
    for number in 0..2_000 {
        ask(&client, number).await;
    }
    for client in [http(), h2c()] {
        futures_util::future::join_all((0..200).map(|number| ask(&client, 10_000 + number))).await;
    }
}
