//! Header fields and framing: what a proxy has to change, and what it has to refuse.

use std::sync::{Arc, Mutex};

use http::{Request, Response, Version};
use tokio::io::AsyncWriteExt;
use warmgate::body;
use warmgate::proxy::forward::Identity;
use warmgate::server::{Listener, TrustedProxies};

use crate::passthrough::wire;
use crate::support::servers::{
    ANY, Server, Setup, fetch, gateway, gateway_on, gateway_with, get, h2c, http, origin, raw_origin,
};

/// An origin that records the heads of requests and sends `answer` to each.
pub(super) async fn recorder(answer: &'static str) -> (Server, Arc<Mutex<Vec<String>>>) {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&heads);
    let origin = raw_origin(move |mut stream, _| {
        let seen = Arc::clone(&seen);
        async move {
            loop {
                let head = wire::head(&mut stream).await;
                if head.is_empty() {
                    return;
                }
                seen.lock().unwrap().push(head);
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    (origin, heads)
}

pub(super) const EMPTY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

#[tokio::test]
async fn hop_by_hop_fields_end_here_in_both_directions() {
    let (origin, seen) = recorder(
        "HTTP/1.1 200 Fine\r\nContent-Length: 0\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\
         Proxy-Authenticate: Basic\r\nUpgrade: h2c\r\nAlt-Svc: h3=\":443\"\r\nX-End: a\r\nX-End: b\r\n\r\n",
    )
    .await;
    let gateway = gateway(origin.addr).await;
    let ask = "GET /Items?api_key=1&x=%2f HTTP/1.1\r\nHost: tv.example:8096\r\nConnection: X-Hop, Keep-Alive\r\nX-Hop: 1\r\n\
               Keep-Alive: 5\r\nProxy-Connection: close\r\nProxy-Authorization: Basic eA==\r\nTE: trailers, gzip\r\n\
               Upgrade: websocket\r\nX-End: a\r\nX-End: b\r\nCookie: a=1\r\nWarmgate-Produce: own\r\nwarmgate-mode: x\r\nWARMGATE-MODE: y\r\nWarmgate-New: 1\r\n\r\n";
    let mut stream = wire::send(gateway.addr, ask).await;
    let answer = wire::head(&mut stream).await;
    let request = seen.lock().unwrap().pop().unwrap();

    assert!(request.starts_with("GET /Items?api_key=1&x=%2f HTTP/1.1\r\n"), "{request}");
    assert_eq!(wire::field(&request, "host"), ["tv.example:8096"]);
    assert_eq!(wire::field(&request, "te"), ["trailers"]);
    assert_eq!(wire::field(&request, "connection"), ["te"]);
    assert_eq!(wire::field(&request, "x-end"), ["a", "b"]);
    assert_eq!(wire::field(&request, "cookie"), ["a=1"]);
    assert_eq!(wire::field(&request, "via"), ["1.1 gate"]);
    assert!(!request.to_ascii_lowercase().contains("warmgate-"), "{request}");
    for gone in ["x-hop", "keep-alive", "proxy-connection", "proxy-authorization", "upgrade"] {
        assert!(wire::field(&request, gone).is_empty(), "{gone} in {request}");
    }

    assert!(answer.starts_with("HTTP/1.1 200 Fine\r\n"), "{answer}");
    assert_eq!(wire::field(&answer, "x-end"), ["a", "b"]);
    for gone in ["x-hop", "keep-alive", "proxy-authenticate", "upgrade", "alt-svc", "connection"] {
        assert!(wire::field(&answer, gone).is_empty(), "{gone} in {answer}");
    }
}

#[tokio::test]
async fn forwarded_fields_are_believed_of_trusted_peers_only() {
    let (origin, seen) = recorder(EMPTY).await;
    let claims = "GET / HTTP/1.1\r\nHost: tv.example\r\nX-Forwarded-For: 9.9.9.9\r\nX-Forwarded-For: 8.8.8.8\r\n\
                  X-Forwarded-Proto: https\r\nX-Forwarded-Host: pub.example\r\nForwarded: for=9.9.9.9\r\nX-Real-IP: 9.9.9.9\r\n\r\n";
    for (trusted, values) in [
        (vec![], [vec!["127.0.0.1"], vec!["http"], vec!["tv.example"], vec![], vec![]]),
        (
            vec!["127.0.0.0/8".parse().unwrap()],
            [
                vec!["9.9.9.9, 8.8.8.8, 127.0.0.1"],
                vec!["https"],
                vec!["pub.example"],
                vec!["for=9.9.9.9", "for=\"127.0.0.1\""],
                vec!["9.9.9.9"],
            ],
        ),
    ] {
        let identity = Identity { name: "gate".into(), trusted_proxies: TrustedProxies::new(trusted) };
        let setup = Setup { identity, ..Setup::default() };
        let gateway = gateway_with(&origin.addr.to_string(), setup).await;
        let mut stream = wire::send(gateway.addr, claims).await;
        assert_eq!(wire::status(&wire::head(&mut stream).await), 200);
        let request = seen.lock().unwrap().pop().unwrap();
        let names = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded", "x-real-ip"];
        for (name, expected) in names.into_iter().zip(values) {
            assert_eq!(wire::field(&request, name), expected, "{name}");
        }
    }
}

#[tokio::test]
async fn a_gateway_before_itself_notices() {
    let listener = Listener::bind(ANY).await.unwrap();
    let authority = listener.local_addr().to_string();
    let gateway = gateway_on(listener, &authority, Setup::default());
    let (head, _) = fetch(&http(), get(gateway.url("/"))).await;
    assert_eq!(head.status, 502);
    assert_eq!(head.headers["proxy-status"], "gate; error=proxy_loop_detected");
}

#[tokio::test]
async fn two_gateways_in_a_row_are_no_loop() {
    let (origin, seen) = recorder(EMPTY).await;
    let inner = gateway(origin.addr).await;
    let identity = Identity { name: "outer".into(), trusted_proxies: TrustedProxies::default() };
    let outer = gateway_with(&inner.addr.to_string(), Setup { identity, ..Setup::default() }).await;
    assert_eq!(fetch(&h2c(), get(outer.url("/"))).await.0.status, 200);
    assert_eq!(wire::field(&seen.lock().unwrap()[0], "via"), ["2 outer", "1.1 gate"]);
}

/// A handwritten request: its name, its bytes, the status that it has to get, and how often the origin gets it.
type Case = (&'static str, &'static str, u16, usize);

#[tokio::test]
async fn what_two_parsers_could_read_in_two_ways_is_refused_or_made_plain() {
    let cases: [Case; 16] = [
        ("plain", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200, 1),
        ("no host", "GET / HTTP/1.1\r\n\r\n", 400, 0),
        ("two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, 0),
        ("CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 405, 0),
        (
            "two lengths",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nhello",
            400,
            0,
        ),
        ("length list", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 5\r\n\r\nhello", 400, 0),
        ("signed length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n", 400, 0),
        (
            "1.0 with coding",
            "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            0,
        ),
        (
            "chunked not last",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
            400,
            0,
        ),
        (
            "obscured chunked",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
            400,
            0,
        ),
        (
            "gzip coding",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            501,
            0,
        ),
        ("space before colon", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello", 400, 0),
        ("folded", "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n Transfer-Encoding: chunked\r\n\r\n", 400, 0),
        ("NUL", "GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", 400, 0),
        ("no version", "GET /\r\nHost: a\r\n\r\n", 400, 0),
        (
            "length named by Connection",
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: Content-Length\r\nContent-Length: 0\r\n\r\n",
            200,
            1,
        ),
    ];
    for (what, bytes, status, asked) in cases {
        let (origin, seen) = recorder(EMPTY).await;
        let gateway = gateway(origin.addr).await;
        let mut stream = wire::send(gateway.addr, bytes).await;
        let head = wire::head(&mut stream).await;
        assert_eq!(wire::status(&head), status, "{what}");
        assert_eq!(seen.lock().unwrap().len(), asked, "{what}");
    }
}

#[tokio::test]
async fn a_coding_beats_a_length_and_only_one_is_passed_on() {
    for framing in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
    ] {
        let origin = raw_origin(move |mut stream, _| async move {
            let head = wire::head(&mut stream).await;
            assert!(wire::field(&head, "content-length").is_empty(), "{head}");
            assert_eq!(wire::field(&head, "transfer-encoding"), ["chunked"]);
            assert_eq!(wire::exactly(&mut stream, 11).await, b"1\r\nZ\r\n0\r\n\r\n");
            stream.write_all(EMPTY.as_bytes()).await.unwrap();
        })
        .await;
        let gateway = gateway(origin.addr).await;
        let ask = format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n1\r\nZ\r\n0\r\n\r\n");
        let mut stream = wire::send(gateway.addr, ask).await;
        assert_eq!(wire::status(&wire::head(&mut stream).await), 200, "{framing}");
    }
}

#[tokio::test]
async fn answers_of_unclear_framing_are_not_passed_on() {
    for (answer, error) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "http_protocol_error"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "http_response_transfer_coding",
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n", "http_protocol_error"),
    ] {
        let (origin, _) = recorder(answer).await;
        let gateway = gateway(origin.addr).await;
        let (head, _) = fetch(&http(), get(gateway.url("/"))).await;
        assert_eq!(
            (head.status.as_u16(), &head.headers["proxy-status"]),
            (502, &format!("gate; error={error}").parse().unwrap())
        );
    }
}

#[tokio::test]
async fn absolute_targets_and_old_clients_are_understood() {
    let (origin, seen) = recorder(EMPTY).await;
    let gateway = gateway(origin.addr).await;
    let mut stream =
        wire::send(gateway.addr, "GET http://tv.example/x?y HTTP/1.1\r\nHost: other\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.0\r\n\r\n")
            .await;
    assert_eq!(wire::rest(&mut stream).await.matches(" 200 OK").count(), 3);
    let seen = seen.lock().unwrap();
    assert!(seen[0].starts_with("GET /x?y HTTP/1.1\r\n"), "{}", seen[0]);
    assert_eq!(wire::field(&seen[0], "host"), ["tv.example"]);
    assert!(seen[1].starts_with("OPTIONS * HTTP/1.1\r\n"), "{}", seen[1]);
    assert_eq!(wire::field(&seen[2], "host"), [origin.addr.to_string()]);
    assert_eq!(wire::field(&seen[2], "via"), ["1.0 gate"]);
}

#[tokio::test]
async fn the_answers_version_is_the_gateways() {
    let (origin, _) = recorder("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let gateway = gateway(origin.addr).await;
    assert_eq!(fetch(&http(), get(gateway.url("/"))).await.0.version, Version::HTTP_11);
}

#[tokio::test]
async fn a_coding_beats_a_length_in_an_answer_too() {
    let origin = raw_origin(|mut stream, _| async move {
        wire::head(&mut stream).await;
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nseen\r\n0\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    let gateway = gateway(origin.addr).await;
    let (head, body) = fetch(&http(), get(gateway.url("/"))).await;
    assert_eq!((head.status.as_u16(), &body[..]), (200, &b"seen"[..]));
    assert!(!head.headers.contains_key("content-length"));
}

#[tokio::test]
async fn malformed_requests_are_not_forwarded() {
    let origin = origin(|_| async { Response::new(body::full("forwarded")) }).await;
    let gateway = gateway(origin.addr).await;
    for head in [
        "GET a HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET x:80 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: me@a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    ] {
        let mut stream = wire::send(gateway.addr, head).await;
        assert_eq!(wire::status(&wire::head(&mut stream).await), 400, "{head}");
    }
}

#[tokio::test]
async fn a_length_that_http2_says_twice_is_passed_on_once() {
    let (origin, heads) = recorder(EMPTY).await;
    let gateway = gateway(origin.addr).await;
    let mut request = Request::post(gateway.url("/")).body(body::full("hello")).unwrap();
    for _ in 0..2 {
        request.headers_mut().append("content-length", http::HeaderValue::from_static("5"));
    }
    assert_eq!(fetch(&h2c(), request).await.0.status, 200);
    let heads = heads.lock().unwrap();
    assert_eq!(wire::field(&heads[0], "content-length"), ["5"]);
}

/// What `http::Uri` takes is wider than RFC 3986 and narrower than Jellyfin's server: the rest ends here (docs/decisions/35-unusual-requests.md).
#[tokio::test]
async fn unusual_targets_pass_byte_for_byte() {
    let (origin, heads) = recorder(EMPTY).await;
    let gateway = gateway(origin.addr).await;
    let path = r#"/a"{b}|c\^[d]'()!$&,;=:@*+%zz%2f//../é"#;
    let query = r"?x={y}|z\^[`]'()!$&,;=:@/?*+%zz%2F+é";
    let target = format!("{path}{query}");
    for trailing in ["", "?", "?a?b"] {
        let target = format!("{path}{trailing}");
        let mut stream = wire::send(gateway.addr, format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        assert_eq!(wire::status(&wire::head(&mut stream).await), 200, "{target}");
        let head = heads.lock().unwrap().pop().unwrap();
        assert_eq!(head.lines().next(), Some(&*format!("GET {target} HTTP/1.1")));
    }
    for client in [http(), h2c()] {
        assert_eq!(fetch(&client, get(gateway.url(&target))).await.0.status, 200);
        let head = heads.lock().unwrap().pop().unwrap();
        assert_eq!(head.lines().next(), Some(&*format!("GET {target} HTTP/1.1")));
    }
    let not_utf8: &[u8] = b"/\xe9";
    for target in [&b"/a<b"[..], b"/a>b", b"/a`b", b"/?\"", b"/?<", b"/?>", not_utf8, b"/?\xe9"] {
        let request = [b"GET ", target, b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
        let mut stream = wire::send(gateway.addr, request).await;
        assert_eq!(wire::status(&wire::head(&mut stream).await), 400, "{}", target.escape_ascii());
    }
    assert!(heads.lock().unwrap().is_empty());
}

/// Jellyfin's server takes 100 fields of 32 KiB in all, and a request line of 8 KiB.
#[tokio::test]
async fn a_request_as_large_as_the_server_takes_passes() {
    let (origin, heads) = recorder(EMPTY).await;
    let gateway = gateway(origin.addr).await;
    let target = format!("/{}", "x".repeat((8 << 10) - "GET / HTTP/1.1\r\n".len()));
    for (count, connection) in [(98, ""), (98, "Connection: keep-alive\r\n"), (97, "X-Forwarded-Host: b\r\n")]
    {
        let size = (32 << 10) - 60;
        let more: String =
            (0..count).map(|nth| format!("X-{nth:02}: {}\r\n", "v".repeat(size / count - 8))).collect();
        let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\n{connection}{more}\r\n");
        let mut stream = wire::send(gateway.addr, head).await;
        assert_eq!(wire::status(&wire::head(&mut stream).await), 200, "{count} {connection}");
        let passed = heads.lock().unwrap().pop().unwrap();
        assert!(passed.lines().count() - 2 <= 100, "{}", passed.lines().count());
        let line = passed.find("\r\n").unwrap() + 2;
        assert!(passed.len() - line - 2 <= 32 << 10, "{}", passed.len());
        assert_eq!(wire::field(&passed, "x-97").len(), usize::from(count > 97), "all of its own");
        assert_eq!(wire::field(&passed, "x-forwarded-for"), ["127.0.0.1"]);
    }
    let mut request = get(gateway.url("/"));
    for nth in 0..96 {
        let name = http::HeaderName::try_from(format!("x-{nth:02}")).unwrap();
        request.headers_mut().insert(name, "v".repeat(330).parse().unwrap());
    }
    assert_eq!(fetch(&h2c(), request).await.0.status, 200);
}
