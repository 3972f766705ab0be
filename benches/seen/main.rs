//! Measures what a person sees: the time from the answer to PlaybackInfo until the first frame, how long the picture stands still
//! after it, and how many zaps stood still because there was nothing left to play (dry). A headless Chromium plays with hls.js, set
//! up as jellyfin-web does it, at the bare server and through gateways in turn, in one run. The source runs in real time and
//! without a burst.
//!
//!     make bench-seen
//!     cargo bench --bench seen -- --ways cold,warm --zaps 20 --watch 20 --gops 2 --pause 75 --late 300 --rtt 100 --modules DIR/node_modules

mod far;

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use domain::window::{Listing, ListingChoice};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::service::service_fn;
use jellyfin_alike::{Origin, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use warmgate::app::App;
use warmgate::body::{self, Body};
use warmgate::config::{Config, ThriftChoice};
use warmgate::server::{Listener, Upload};
use warmgate::supervisor::vital_tasks::Died;

/// The longest time between two reports of the page.
const AT_MOST: Duration = Duration::from_secs(600);

#[derive(Parser)]
struct Args {
    /// The ways to measure
    #[arg(long, value_delimiter = ',', default_value = "bare,cold,cold-keyed,warm,warm-keyed")]
    ways: Vec<Kind>,
    /// Zaps for each way and key frame interval
    #[arg(long, default_value_t = 20)]
    zaps: usize,
    /// Seconds for which each channel is watched
    #[arg(long, default_value_t = 20)]
    watch: u64,
    /// Seconds for which each channel is paused then; it has to go on where it was, and play from its beginning
    #[arg(long, default_value_t = 0)]
    pause: u64,
    /// Key frame intervals of the source, in seconds
    #[arg(long, value_delimiter = ',', default_value = "1,2,5")]
    gops: Vec<u64>,
    /// Milliseconds by which the source is late at most
    #[arg(long, default_value_t = 0)]
    late: u64,
    /// Milliseconds from the browser to a server and back
    #[arg(long, default_value_t = 0)]
    rtt: u64,
    /// Whether the source is interlaced, 720 by 576: it has to be encoded
    #[arg(long)]
    interlaced: bool,
    /// The seed of the pauses between zaps
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// Where npm has installed hls.js
    #[arg(long, default_value = "target/npm/node_modules")]
    modules: PathBuf,
    /// A file for all results, as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// Set by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// How a server is reached, and what the player finds there.
#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Bare,
    Cold,
    ColdKeyed,
    Warm,
    WarmKeyed,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare server",
            Self::Cold => "gateway, cold",
            Self::ColdKeyed => "gateway, cold, keyed",
            Self::Warm => "gateway, warm",
            Self::WarmKeyed => "gateway, warm, keyed",
        }
    }

    /// The slots of the gateway, and how it lists streams: with one slot, each zap is a cold one.
    const fn gateway(self) -> Option<(usize, ListingChoice)> {
        match self {
            Self::Bare => None,
            Self::Cold => Some((1, ListingChoice::Auto)),
            Self::ColdKeyed => Some((1, ListingChoice::Always(Listing::Keyed))),
            Self::Warm => Some((4, ListingChoice::Auto)),
            Self::WarmKeyed => Some((4, ListingChoice::Always(Listing::Keyed))),
        }
    }
}

/// A way to a server of its own.
struct Way {
    name: &'static str,
    at: SocketAddr,
    _origin: Origin,
    gateway: Option<(CancellationToken, JoinHandle<Result<(), Died>>)>,
}

impl Way {
    async fn open(kind: Kind, settings: Settings, rtt: Duration) -> anyhow::Result<Self> {
        let (origin, name) = (Origin::start(settings).await?, kind.name());
        let Some((slots, cut)) = kind.gateway() else {
            let at = far::away(origin.addr(), rtt).await?;
            return Ok(Self { name, at, _origin: origin, gateway: None });
        };
        let mut config = Config::for_upstream(&format!("http://{}", origin.addr()))?;
        config.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        (config.pool.slots, config.window.cut) = (slots, cut);
        // Each channel that was watched stays warm: what is worth that is not measured here.
        config.pool.thrift = ThriftChoice::Lru;
        let app = App::bind(config).await?;
        let (at, stop) = (far::away(app.local_addr(), rtt).await?, CancellationToken::new());
        let serving = tokio::spawn(app.serve(stop.clone()));
        Ok(Self { name, at, _origin: origin, gateway: Some((stop, serving)) })
    }

    async fn end(self) {
        if let Some((stop, serving)) = self.gateway {
            stop.cancel();
            let _ = serving.await;
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let hls = args.modules.join("hls.js/dist/hls.js");
    let hls =
        std::fs::read(&hls).with_context(|| format!("no {} (make bench-seen installs it)", hls.display()))?;
    let mut all = Vec::new();
    for &gop in &args.gops {
        all.extend(measure(gop, &args, hls.clone()).await?);
    }
    if let Some(file) = &args.json {
        std::fs::write(file, serde_json::to_vec_pretty(&all)?)?;
    }
    Ok(())
}

async fn measure(gop: u64, args: &Args, hls: Vec<u8>) -> anyhow::Result<Vec<Value>> {
    let real = Settings::real();
    let (width, height) = if args.interlaced { (720, 576) } else { (real.width, real.height) };
    let settings = Settings {
        width,
        height,
        interlaced: args.interlaced,
        gop: Duration::from_secs(gop),
        lateness: Duration::from_millis(args.late),
        tuners: 6,
        ..real
    };
    let rtt = Duration::from_millis(args.rtt);
    let mut ways = Vec::new();
    for &kind in &args.ways {
        ways.push(Way::open(kind, settings.clone(), rtt).await?);
    }
    let setting = json!({
        "ways": ways.iter().map(|way| json!({"name": way.name, "address": way.at.to_string()})).collect::<Value>(),
        "zaps": args.zaps, "watch": args.watch, "pause": args.pause, "seed": args.seed,
    });
    let (report, mut reports) = mpsc::channel(8);
    let page = serve(Page { setting: setting.to_string(), hls, report }).await?;
    let browser = Browser::open(&format!("http://{page}/"))?;
    let mut results = Vec::new();
    let total = (args.zaps + 3) * ways.len();
    loop {
        let mut result: Value = timeout(AT_MOST, reports.recv())
            .await
            .context("the page says nothing")?
            .context("the page is gone")?;
        if result["way"] == "end" {
            break;
        }
        result["gop"] = gop.into();
        results.push(result);
        eprint!("\rkey frames every {gop} s: zap {} of {total} ", results.len());
    }
    eprintln!();
    drop(browser);
    println!(
        "key frames every {gop} s; seconds, median (most) of {} zaps, each watched for {} s",
        args.zaps, args.watch
    );
    println!(
        "{:22} {:>14} {:>14} {:>14} {:>12} {:>8} {:>8}  errors",
        "", "first frame", "frozen", "sum", "froze (dry)", "req/s", "lost"
    );
    for way in &ways {
        let known: Vec<&Value> =
            results.iter().filter(|result| result["way"] == way.name && result["known"] == true).collect();
        print(way.name, &known);
    }
    for way in ways {
        way.end().await;
    }
    Ok(results)
}

fn print(name: &str, zaps: &[&Value]) {
    let errors: Vec<&str> = zaps.iter().filter_map(|zap| zap["error"].as_str()).collect();
    let played: Vec<_> = zaps.iter().filter(|zap| zap["error"].is_null()).collect();
    let figures = |of: fn(&Value) -> f64| {
        let mut figures: Vec<f64> = played.iter().map(|zap| of(zap)).collect();
        figures.sort_by(f64::total_cmp);
        (
            figures.get(figures.len() / 2).copied().unwrap_or_default(),
            figures.last().copied().unwrap_or_default(),
        )
    };
    let milliseconds = |zap: &Value, key: &str| zap[key].as_f64().unwrap_or_default() / 1000.0;
    let cell = |(median, most): (f64, f64)| format!("{median:.2} ({most:.2})");
    let first = cell(figures(|zap| zap["first"].as_f64().unwrap_or_default() / 1000.0));
    let frozen = cell(figures(|zap| zap["frozen"].as_f64().unwrap_or_default() / 1000.0));
    let sum = |zap: &Value| {
        (zap["first"].as_f64().unwrap_or_default() + zap["frozen"].as_f64().unwrap_or_default()) / 1000.0
    };
    let froze = played.iter().filter(|zap| milliseconds(zap, "frozen") > 0.0).count();
    let dry = played.iter().filter(|zap| zap["dry"].as_u64().unwrap_or_default() > 0).count();
    let (requests, _) = figures(|zap| zap["requests"].as_f64().unwrap_or_default());
    let (_, lost) = figures(|zap| zap["lost"].as_f64().unwrap_or_default());
    println!(
        "{name:22} {first:>14} {frozen:>14} {:>14} {:>12} {requests:>8.1} {lost:>8.1}  {}",
        cell(figures(sum)),
        format!("{froze}/{} ({dry})", played.len()),
        errors.join(", ")
    );
}

/// The page and its library, and where its results go.
struct Page {
    setting: String,
    hls: Vec<u8>,
    report: mpsc::Sender<Value>,
}

async fn serve(page: Page) -> anyhow::Result<SocketAddr> {
    let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into()).await?;
    let address = listener.local_addr();
    let page = Arc::new(page);
    let service = service_fn(move |request: Request<Upload>| {
        let page = Arc::clone(&page);
        async move { Ok::<_, Infallible>(page.answer(request).await) }
    });
    tokio::spawn(listener.serve(service, CancellationToken::new(), Duration::ZERO));
    Ok(address)
}

impl Page {
    async fn answer(&self, request: Request<Upload>) -> Response<Body> {
        let (kind, bytes) = match request.uri().path() {
            "/" => ("text/html; charset=utf-8", include_bytes!("page.html").to_vec()),
            "/hls.js" => ("text/javascript", self.hls.clone()),
            "/setting" => ("application/json", self.setting.clone().into_bytes()),
            "/report" => {
                let told = request.into_body().collect().await.map(|body| body.to_bytes());
                if let Some(result) = told.ok().and_then(|told| serde_json::from_slice(&told).ok()) {
                    let _ = self.report.send(result).await;
                }
                ("text/plain", Vec::new())
            }
            _ => return status(StatusCode::NOT_FOUND),
        };
        let mut response = Response::new(body::full(bytes));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        response
    }
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(body::empty());
    *response.status_mut() = status;
    response
}

/// Headless Chromium with a new profile. Dropping it ends it.
struct Browser {
    process: Child,
    _profile: TempDir,
}

impl Browser {
    fn open(url: &str) -> anyhow::Result<Self> {
        let profile = tempfile::tempdir()?;
        let process = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--autoplay-policy=no-user-gesture-required", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("Chromium does not start (make bench-seen installs it)")?;
        Ok(Self { process, _profile: profile })
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
