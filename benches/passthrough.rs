//! Measures the cost of a hop through the gateway: the bare server, the gateway in front of it, and nginx in front of it, in
//! turn and in one run. Absolute figures depend on the machine; read the ratios. `cargo bench --bench passthrough`.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::uri::Scheme;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::service::service_fn;
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use tokio_util::sync::CancellationToken;
use warmgate::body::{self, Body, BoxError};
use warmgate::proxy::forward::{Forwarder, Identity};
use warmgate::server::{Listener, TrustedProxies, Upload};
use warmgate::upstream::client::{Client, Target, Timeouts};

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);
const CLIENTS: usize = 16;
const SMALL: usize = 2_000;
const LARGE: usize = 64 << 20;
const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn main() -> anyhow::Result<()> {
    let origin = serve_apart(|| answer)?;
    let gateway = serve_apart(move || through(origin))?;
    let (nginx, addr) = Nginx::before(origin)?;
    let ways = [("bare server", origin), ("warmgate", gateway), ("nginx", addr)];

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut taken = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        for (taken, (_, addr)) in taken.iter_mut().zip(ways) {
            taken.push(runtime.block_on(measure(addr)));
        }
    }
    drop(nginx);
    let medians = taken.map(|mut rounds| {
        [Taken::requests, Taken::median, Taken::megabytes].map(|of| {
            rounds.sort_by(|a: &Taken, b| of(a).total_cmp(&of(b)));
            of(&rounds[ROUNDS / 2])
        })
    });
    print(ways.map(|(name, _)| name), medians);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a bench reports to its terminal")]
fn print(names: [&str; 3], medians: [[f64; 3]; 3]) {
    println!("{:<12} {:>10} {:>12} {:>10}   (÷ bare, ÷ nginx)", "", "requests/s", "median µs", "MB/s");
    for (name, row) in names.into_iter().zip(medians) {
        let ratio = |column: usize, to: usize| row[column] / medians[to][column];
        print!("{name:<12} {:>10.0} {:>12.0} {:>10.0}  ", row[0], row[1], row[2]);
        for column in 0..3 {
            print!(" {:.2}, {:.2};", ratio(column, 0), ratio(column, 2));
        }
        println!();
    }
}

/// One round with one server.
struct Taken {
    requests: f64,
    median: f64,
    megabytes: f64,
}

impl Taken {
    const fn requests(&self) -> f64 {
        self.requests
    }
    const fn median(&self) -> f64 {
        self.median
    }
    const fn megabytes(&self) -> f64 {
        self.megabytes
    }
}

async fn measure(addr: SocketAddr) -> Taken {
    let client = legacy::Client::builder(TokioExecutor::new()).build_http();
    let began = Instant::now();
    let clients = (0..CLIENTS).map(|_| async {
        let mut times = Vec::new();
        while began.elapsed() < ROUND {
            let asked = Instant::now();
            assert_eq!(read(&client, addr, "/small").await, SMALL);
            times.push(asked.elapsed());
        }
        times
    });
    let mut times = futures_util::future::join_all(clients).await.concat();
    let took = began.elapsed();
    times.sort_unstable();
    let began = Instant::now();
    assert_eq!(read(&client, addr, "/large").await, LARGE);
    Taken {
        requests: times.len() as f64 / took.as_secs_f64(),
        median: times[times.len() / 2].as_secs_f64() * 1e6,
        megabytes: LARGE as f64 / 1e6 / began.elapsed().as_secs_f64(),
    }
}

type Http = legacy::Client<legacy::connect::HttpConnector, Body>;

async fn read(client: &Http, addr: SocketAddr, path: &str) -> usize {
    let request = Request::get(format!("http://{addr}{path}")).body(body::empty()).expect("a valid request");
    let mut response = client.request(request).await.expect("an answer");
    let mut length = 0;
    while let Some(frame) = response.frame().await {
        length += frame.expect("a whole body").data_ref().map_or(0, Bytes::len);
    }
    length
}

async fn answer(request: Request<Upload>) -> Response<Body> {
    static BYTES: &[u8] = &[b'.'; 64 << 10];
    let bytes = Bytes::from_static(BYTES);
    if request.uri().path() == "/small" {
        return Response::new(body::full(bytes.slice(..SMALL)));
    }
    let frames = (0..LARGE / BYTES.len()).map(move |_| Ok::<_, BoxError>(Frame::data(bytes.clone())));
    Response::new(body::boxed(StreamBody::new(futures_util::stream::iter(frames))))
}

fn through(origin: SocketAddr) -> impl AsyncService {
    let authority = origin.to_string().parse().expect("an address is an authority");
    let client = Client::new(Target { scheme: Scheme::HTTP, authority }, Timeouts::default());
    let forwarder =
        Forwarder::new(client, Identity { name: "bench".into(), trusted_proxies: TrustedProxies::default() });
    move |request: Request<Upload>| {
        let forwarder = forwarder.clone();
        async move { forwarder.forward(request.map(body::boxed)).await }
    }
}

/// What [`Listener`] can serve, less its ceremony.
trait AsyncService: Fn(Request<Upload>) -> Self::Answer + Clone + Send + 'static {
    type Answer: Future<Output = Response<Body>> + Send + 'static;
}

impl<F, R> AsyncService for F
where
    F: Fn(Request<Upload>) -> R + Clone + Send + 'static,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    type Answer = R;
}

/// Serves from a thread and runtime of its own, as nginx does from its process, until this process ends.
fn serve_apart<S: AsyncService>(make: impl FnOnce() -> S + Send + 'static) -> anyhow::Result<SocketAddr> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(Listener::bind(ANY))?;
    let addr = listener.local_addr();
    std::thread::spawn(move || {
        runtime.block_on(async move {
            let handler = make();
            let service = service_fn(move |request| {
                let answer = handler(request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            listener.serve(service, CancellationToken::new(), Duration::ZERO).await;
        });
    });
    Ok(addr)
}

/// An nginx with one worker. Dropping it ends it.
struct Nginx {
    process: std::process::Child,
    _directory: tempfile::TempDir,
}

impl Nginx {
    fn before(origin: SocketAddr) -> anyhow::Result<(Self, SocketAddr)> {
        let directory = tempfile::tempdir()?;
        let addr = std::net::TcpListener::bind(ANY)?.local_addr()?;
        let at = directory.path().display();
        let config = format!(
            "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log;
             events {{ worker_connections 512; }}
             http {{
               access_log off; tcp_nodelay on; keepalive_requests 100000000;
               client_body_temp_path {at}/b; proxy_temp_path {at}/p; fastcgi_temp_path {at}/f;
               uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;
               upstream origin {{ server {origin}; keepalive 64; keepalive_requests 100000000; }}
               server {{
                 listen {addr};
                 location / {{
                   proxy_pass http://origin; proxy_http_version 1.1; proxy_buffering off;
                   proxy_set_header Connection ''; proxy_set_header Host $http_host;
                   proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                 }}
               }}
             }}"
        );
        let file = directory.path().join("nginx.conf");
        std::fs::write(&file, config)?;
        let process = std::process::Command::new("nginx")
            .args(["-p".as_ref(), directory.path().as_os_str(), "-c".as_ref(), file.as_os_str()])
            .stderr(Stdio::null())
            .spawn()?;
        let nginx = Self { process, _directory: directory };
        let began = Instant::now();
        while std::net::TcpStream::connect(addr).is_err() {
            anyhow::ensure!(began.elapsed() < Duration::from_secs(10), "nginx does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok((nginx, addr))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
