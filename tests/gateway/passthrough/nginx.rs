//! A real nginx in front of the gateway, as most operators have it, and behind it, with TLS.

use std::net::SocketAddr;
use std::process::Stdio;

use futures_util::{SinkExt, StreamExt};
use http::uri::Scheme;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{accept_async, connect_async};
use warmgate::body;
use warmgate::proxy::forward::Identity;
use warmgate::server::TrustedProxies;

use crate::support::alone::{is_alone, run_alone};
use crate::support::nginx;
use crate::support::servers::{
    Setup, assert_noise, fetch, gateway, gateway_with, get, http, noise, noise_body, origin, raw_origin,
};
use crate::support::wait::soon;

/// An nginx process. Dropping it kills it.
struct Nginx {
    addr: SocketAddr,
    _process: Child,
    directory: TempDir,
}

impl Nginx {
    async fn before(gateway: SocketAddr) -> Self {
        let server = "proxy_http_version 1.1;
            proxy_buffering off;
            proxy_request_buffering off;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto https;
            location / { proxy_pass http://gateway; }";
        Self::start(
            tempfile::tempdir().unwrap(),
            &format!("upstream gateway {{ server {gateway}; keepalive 16; }}"),
            "",
            server,
        )
        .await
    }

    /// Starts it with one server of this content on a free port, with `listen` as further parameters of its socket.
    async fn start(directory: TempDir, http: &str, listen: &str, server: &str) -> Self {
        let content = |addr| {
            format!(
                "client_max_body_size 20M;
                 map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
                 {http}
                 server {{ listen {addr} {listen}; {server} }}"
            )
        };
        let (addr, process) = nginx::serving(&directory, content).await;
        Self { addr, _process: process, directory }
    }

    /// An upstream with TLS, whose certificate for `localhost` is self-signed.
    async fn secure() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"])
            .args([
                "-addext",
                "subjectAltName=DNS:localhost",
                "-addext",
                "basicConstraints=critical,CA:FALSE",
            ])
            .args(["-keyout", "key.pem", "-out", "cert.pem"])
            .current_dir(directory.path())
            .stderr(Stdio::null())
            .status()
            .await
            .unwrap();
        assert!(made.success());
        let at = directory.path().display().to_string();
        let server = format!(
            "ssl_certificate {at}/cert.pem; ssl_certificate_key {at}/key.pem;
             location / {{ return 200 \"$scheme $http_host\"; }}"
        );
        Self::start(directory, "", "ssl", &server).await
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_and_forwarded_fields_pass_nginx_and_gateway() {
    let origin = origin(|mut request: Request<Incoming>| async move {
        if request.method() == http::Method::POST {
            let length = assert_noise(2, request.body_mut()).await;
            return Response::new(body::full(length.to_string()));
        }
        if request.uri().path() == "/large" {
            return Response::new(noise_body(1, 50 << 20, |_| ()));
        }
        let fields = request.headers();
        let seen = ["host", "x-forwarded-for", "x-forwarded-proto", "connection", "via"]
            .map(|name| fields.get(name).map(|value| value.to_str().unwrap().to_owned()));
        Response::new(body::full(format!("{seen:?}")))
    })
    .await;
    let identity = Identity {
        name: "gate".into(),
        trusted_proxies: TrustedProxies::new(vec!["127.0.0.1/32".parse().unwrap()]),
    };
    let gateway = gateway_with(&origin.addr.to_string(), Setup { identity, ..Setup::default() }).await;
    let nginx = Nginx::before(gateway.addr).await;
    let client = http();

    let expected = format!(
        "[Some(\"{}\"), Some(\"127.0.0.1, 127.0.0.1\"), Some(\"https\"), None, Some(\"1.1 gate\")]",
        nginx.addr
    );
    for _ in 0..300 {
        assert_eq!(fetch(&client, get(nginx.url("/fields"))).await.1, expected);
    }
    let mut large = soon(client.request(get(nginx.url("/large")))).await.unwrap();
    assert_eq!(assert_noise(1, large.body_mut()).await, 50 << 20);
    let upload = Request::post(nginx.url("/")).body(noise_body(2, 15 << 20, |_| ())).unwrap();
    assert_eq!(fetch(&client, upload).await.1, (15 << 20).to_string());
    let head = Request::head(nginx.url("/fields")).body(body::empty()).unwrap();
    let answer = soon(client.request(head)).await.unwrap();
    assert_eq!(answer.headers()["content-length"], expected.len().to_string());
    assert!(answer.into_body().collect().await.unwrap().to_bytes().is_empty());
}

#[tokio::test]
async fn websockets_pass_nginx_and_gateway() {
    let origin = raw_origin(|stream, _| async move {
        let mut socket = accept_async(stream).await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            if message.is_binary() {
                socket.send(message).await.unwrap();
            }
        }
    })
    .await;
    let gateway = gateway(origin.addr).await;
    let nginx = Nginx::before(gateway.addr).await;
    let (mut socket, _) = soon(connect_async(format!("ws://{}/socket", nginx.addr))).await.unwrap();
    for size in [0, 1, 100_000] {
        let message = Message::binary(noise(4, 0, size));
        socket.send(message.clone()).await.unwrap();
        assert_eq!(soon(socket.next()).await.unwrap().unwrap(), message);
    }
    socket.close(None).await.unwrap();
    assert!(matches!(soon(socket.next()).await, Some(Ok(Message::Close(_)))));
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_is_502() {
    let nginx = Nginx::secure().await;
    let setup = Setup { scheme: Scheme::HTTPS, ..Setup::default() };
    let gateway = gateway_with(&format!("localhost:{}", nginx.addr.port()), setup).await;
    let (head, _) = fetch(&http(), get(gateway.url("/"))).await;
    assert_eq!(head.status, 502);
    assert_eq!(head.headers["proxy-status"], "gate; error=tls_certificate_error");
}

/// The trusted certificates are read once per process.
#[tokio::test]
async fn an_https_upstream_is_reached_where_its_certificate_is_trusted() {
    const PORT: &str = "PASSTHROUGH_TLS_PORT";
    if is_alone() {
        let port = std::env::var(PORT).unwrap();
        let setup = Setup { scheme: Scheme::HTTPS, ..Setup::default() };
        let gateway = gateway_with(&format!("localhost:{port}"), setup).await;
        let (_, body) = fetch(&http(), get(gateway.url("/"))).await;
        assert_eq!(body, format!("https {}", gateway.addr));
        return;
    }
    let nginx = Nginx::secure().await;
    let (port, certificate) = (nginx.addr.port().to_string(), nginx.directory.path().join("cert.pem"));
    let this = "passthrough::nginx::an_https_upstream_is_reached_where_its_certificate_is_trusted";
    run_alone(this, &[(PORT, port.as_ref()), ("SSL_CERT_FILE", certificate.as_ref())]).await;
}
