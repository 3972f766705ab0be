//! TLS towards clients and towards the server, with certificates that the test makes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::header::HOST;
use http::uri::Scheme;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use warmgate::body;
use warmgate::server::Listener;
use warmgate::server::tls::{Tls, TlsFiles};
use warmgate::wire::trust::{ClientTls, Trust};

use crate::passthrough::parked::{IDLE, pass};
use crate::support::servers::{ANY, Server, Setup, fetch, gateway_on, get, http, listen_on, origin};
use crate::support::wait::{eventually, soon};

/// Longer than the pause between two looks at the certificate's files.
const LOOK: Duration = Duration::from_secs(11);

/// An authority and what it has signed, as files in a folder.
struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (key, mut params) = (KeyPair::generate().unwrap(), CertificateParams::new(vec![]).unwrap());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        std::fs::write(folder.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Writes a new certificate for `localhost` and its key. Returns the certificate.
    fn sign(&self, (certificate, key): &(PathBuf, PathBuf)) -> CertificateDer<'static> {
        let signed = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let issued = params.signed_by(&signed, &self.issuer).unwrap();
        std::fs::write(certificate, issued.pem()).unwrap();
        std::fs::write(key, signed.serialize_pem()).unwrap();
        issued.der().clone()
    }

    fn files(&self, name: &str) -> (PathBuf, PathBuf) {
        let file = |ending: &str| self.folder.path().join(format!("{name}.{ending}"));
        (file("pem"), file("key"))
    }

    /// TLS for a server, with a new certificate.
    fn server(&self, client_ca: Option<PathBuf>) -> Tls {
        let (certificate, key) = self.files("server");
        self.sign(&(certificate.clone(), key.clone()));
        Tls::open(TlsFiles { certificate, key, client_ca }).unwrap()
    }

    /// Connects to a server whose certificate is signed by this authority.
    async fn connect(
        &self,
        to: SocketAddr,
        protocol: &[u8],
        identity: Option<&(PathBuf, PathBuf)>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(read(&self.ca()));
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let key = PrivateKeyDer::from_pem_file(key).unwrap();
                builder.with_client_auth_cert(read(certificate), key).unwrap()
            }
        };
        config.alpn_protocols = vec![protocol.to_vec()];
        let stream = TcpStream::connect(to).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        soon(TlsConnector::from(Arc::new(config)).connect(name, stream)).await
    }

    /// The certificate that a server shows.
    async fn shown(&self, at: SocketAddr) -> CertificateDer<'static> {
        let stream = self.connect(at, b"http/1.1", None).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
    }
}

fn read(path: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(path).unwrap().map(Result::unwrap).collect()
}

/// A server that answers with the scheme that the client is said to have used.
async fn scheme_teller() -> Server {
    origin(|request| async move {
        let said = request.headers()["x-forwarded-proto"].to_str().unwrap().to_owned();
        Response::new(body::full(said))
    })
    .await
}

/// A gateway that listens with and without TLS, and where it does with.
async fn secure_gateway(tls: Tls, origin: &Server) -> (Server, SocketAddr) {
    let listener = Listener::bind(ANY).await.unwrap().and_secure(ANY, tls).await.unwrap();
    let secure = listener.secure_addr().unwrap();
    (gateway_on(listener, &origin.addr.to_string(), Setup::default()), secure)
}

/// Asks over a connection, and returns the answer's last bytes.
async fn ask(stream: &mut TlsStream<TcpStream>) -> std::io::Result<String> {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
    let mut answer = String::new();
    while !answer.ends_with("https") {
        let mut bytes = [0; 1024];
        let read = soon(stream.read(&mut bytes)).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        answer.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
    }
    Ok(answer)
}

#[tokio::test]
async fn both_protocols_are_spoken_and_the_server_is_told() {
    let (authority, origin) = (Authority::new(), scheme_teller().await);
    let (gateway, secure) = secure_gateway(authority.server(None), &origin).await;

    let mut stream = authority.connect(secure, b"http/1.1", None).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"http/1.1".as_slice()));
    assert!(ask(&mut stream).await.unwrap().starts_with("HTTP/1.1 200"));
    pass(IDLE).await;
    assert!(ask(&mut stream).await.unwrap().starts_with("HTTP/1.1 200"), "after it was parked");

    let stream = authority.connect(secure, b"h2", None).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    let connecting = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut requests, connection) = soon(connecting).await.unwrap();
    let running = tokio::spawn(connection);
    let request = Request::get("https://localhost/").body(body::empty()).unwrap();
    let answer = soon(requests.send_request(request)).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "https");
    drop(requests);
    soon(running).await.unwrap().unwrap();

    assert_eq!(fetch(&http(), get(gateway.url("/"))).await.1, "http");
}

/// A player whose buffer is full reads no further for a while. What TLS has taken, and the system not yet, comes all the same: with one of
/// these lengths that is the end of the answer.
#[tokio::test]
async fn a_reader_that_pauses_gets_everything() {
    const STEP: usize = 28 << 10;
    let origin = origin(|request: Request<hyper::body::Incoming>| async move {
        let length = request.uri().path()[1..].parse().unwrap();
        Response::new(body::full(vec![b'.'; length]))
    })
    .await;
    let authority = Authority::new();
    let (_gateway, secure) = secure_gateway(authority.server(None), &origin).await;
    for length in (1..=230).map(|step| step * STEP) {
        let mut stream = authority.connect(secure, b"http/1.1", None).await.unwrap();
        stream.write_all(format!("GET /{length} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await.unwrap();
        for _ in 0..5 {
            pass(Duration::from_millis(1)).await;
        }
        pass(IDLE).await;
        let mut left = length;
        while left > 0 {
            let mut bytes = vec![0; 64 << 10];
            let read = soon(stream.read(&mut bytes)).await.unwrap();
            assert!(read > 0, "{left} of {length} are missing");
            left = left.saturating_sub(bytes[..read].iter().filter(|byte| **byte == b'.').count());
        }
    }
}

#[tokio::test]
async fn what_is_no_tls_harms_nobody() {
    let (authority, origin) = (Authority::new(), scheme_teller().await);
    let (_gateway, secure) = secure_gateway(authority.server(None), &origin).await;
    let mut silent = TcpStream::connect(secure).await.unwrap();
    let mut plain = TcpStream::connect(secure).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    let _ = soon(plain.read_to_end(&mut rest)).await;
    assert!(!rest.starts_with(b"HTTP"));
    let mut stream = authority.connect(secure, b"http/1.1", None).await.unwrap();
    ask(&mut stream).await.unwrap();
    pass(LOOK).await;
    assert_eq!(soon(silent.read(&mut [0])).await.unwrap_or_default(), 0, "it never began");
    ask(&mut stream).await.unwrap();
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections() {
    let (authority, origin) = (Authority::new(), scheme_teller().await);
    let (_gateway, secure) = secure_gateway(authority.server(None), &origin).await;
    let mut stream = authority.connect(secure, b"http/1.1", None).await.unwrap();
    let files = authority.files("server");
    let first = authority.shown(secure).await;

    let other = authority.files("other");
    authority.sign(&other);
    std::fs::copy(&other.0, &files.0).unwrap();
    for _ in 0..3 {
        pass(LOOK).await;
        assert_eq!(authority.shown(secure).await, first, "its key is missing yet");
        ask(&mut stream).await.unwrap();
    }
    std::fs::copy(&other.1, &files.1).unwrap();
    let second = read(&other.0).remove(0);
    eventually("it is shown", async || {
        pass(LOOK).await;
        ask(&mut stream).await.unwrap();
        authority.shown(secure).await == second
    })
    .await;
    std::fs::write(&files.0, "no certificate").unwrap();
    pass(LOOK).await;
    assert_eq!(authority.shown(secure).await, second);
    ask(&mut stream).await.unwrap();
}

#[tokio::test]
async fn a_client_needs_the_certificate_that_is_asked_for() {
    let (authority, stranger, origin) = (Authority::new(), Authority::new(), scheme_teller().await);
    let (_gateway, secure) = secure_gateway(authority.server(Some(authority.ca())), &origin).await;
    let identities = [&authority, &stranger].map(|signer| {
        let files = signer.files("client");
        signer.sign(&files);
        files
    });
    for (identity, is_served) in [(None, false), (Some(&identities[0]), true), (Some(&identities[1]), false)]
    {
        // With TLS 1.3 a client learns only from the first answer that it is refused.
        let asked = match authority.connect(secure, b"http/1.1", identity).await {
            Ok(mut stream) => ask(&mut stream).await,
            Err(error) => Err(error),
        };
        assert_eq!(asked.is_ok(), is_served, "{identity:?} {asked:?}");
    }
}

#[tokio::test]
async fn a_server_is_reached_as_it_wants_it() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let identity = authority.files("gateway");
    authority.sign(&identity);
    let listener = Listener::bind(ANY).await.unwrap();
    let tls = authority.server(Some(authority.ca()));
    let listener = listener.and_secure(ANY, tls).await.unwrap();
    let port = listener.secure_addr().unwrap().port();
    let _server = listen_on(listener, |request: Request<_>| async move {
        Response::new(body::full(request.headers()[HOST].to_str().unwrap().to_owned()))
    });
    let at = format!("localhost:{port}");
    for (signer, identity, status) in
        [(&authority, Some(identity.clone()), 200), (&authority, None, 502), (&stranger, Some(identity), 502)]
    {
        let tls = ClientTls::of(&Trust { authority: Some(signer.ca()), identity }).unwrap();
        let setup = Setup { scheme: Scheme::HTTPS, tls: Some(tls), ..Setup::default() };
        let gateway = gateway_on(Listener::bind(ANY).await.unwrap(), &at, setup);
        let (head, _) = fetch(&http(), get(gateway.url("/"))).await;
        assert_eq!(head.status, status);
    }
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let [one, two] = ["one", "two"].map(|name| authority.files(name));
    authority.sign(&one);
    authority.sign(&two);
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let missing = folder.path().join("missing.pem");
    for (certificate, key, said) in [
        (&missing, &one.1, "cannot read"),
        (&empty, &one.1, "has no certificate"),
        (&one.0, &empty, "has no private key"),
        (&one.0, &two.1, "cannot be used with"),
    ] {
        let files = TlsFiles { certificate: certificate.clone(), key: key.clone(), client_ca: None };
        let error = Tls::open(files).unwrap_err().to_string();
        assert!(error.contains(said) && error.contains(".pem"), "{error}");
    }
}
