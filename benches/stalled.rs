//! Measures the gateway's resident set beside one viewer who plays: while a thousand readers do not read on, while a
//! thousand uploads are not read, while two thousand connections are idle, and 30 s after each.
//! `cargo bench --bench stalled`, `-- readers`, `-- uploads` or `-- idle`.

#[path = "support/front.rs"]
mod front;
#[path = "support/player.rs"]
mod player;
mod support;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use jellyfin_alike::viewer::Viewer;
use jellyfin_alike::{Origin, Settings, User};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::front::front;
use crate::player::play;
use crate::support::Gateway;

const STALLED: usize = 1000;
const IDLE: usize = 2000;
/// The time until nothing moves any more, what is idle is parked (20 s), and freed memory has been given back (10 s).
const SETTLING: Duration = Duration::from_secs(35);
const LEFT: Duration = Duration::from_secs(30);
/// A body that does not end soon.
const ENDLESS: u64 = 1 << 40;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let asked: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let settings = Settings::quick();
    let user = settings.users.first().context("a user")?.clone();
    let origin = Origin::start(settings).await?;
    for phase in [Phase::Readers, Phase::Uploads, Phase::Idle] {
        if asked.is_empty() || asked.iter().any(|word| word == phase.name()) {
            run(phase, &origin, &user).await?;
        }
    }
    drop(origin.kill().await);
    Ok(())
}

async fn run(phase: Phase, origin: &Origin, user: &User) -> anyhow::Result<()> {
    let (stop, told) = (CancellationToken::new(), CancellationToken::new());
    let front = front(origin.addr(), told.clone()).await?;
    let gateway = gateway(front).await?;
    let viewer = Viewer::new(format!("http://{}", gateway.address), user.token(), &user.id, "tv");
    let item = origin.channels().first().context("a channel")?.item_id.clone();
    let watching = tokio::spawn(play(viewer, item, stop.clone()));
    sleep(SETTLING).await;
    let before = gateway.resident()?;
    let mut open = Vec::new();
    for _ in 0..phase.connections() {
        open.push(phase.connect(gateway.address).await?);
    }
    sleep(SETTLING).await;
    let during = gateway.resident()?;
    // A client that leaves is noticed when its upload is read on.
    told.cancel();
    drop(open);
    sleep(LEFT).await;
    let after = gateway.resident()?;
    stop.cancel();
    watching.await??;
    print(phase, [before, during, after]);
    gateway.stop().await;
    Ok(())
}

#[derive(Clone, Copy)]
enum Phase {
    Readers,
    Uploads,
    Idle,
}

impl Phase {
    const fn name(self) -> &'static str {
        match self {
            Self::Readers => "readers",
            Self::Uploads => "uploads",
            Self::Idle => "idle",
        }
    }

    const fn connections(self) -> usize {
        match self {
            Self::Readers | Self::Uploads => STALLED,
            Self::Idle => IDLE,
        }
    }

    /// A connection that does what the phase is about, and goes on with it until it is dropped.
    async fn connect(self, to: SocketAddr) -> anyhow::Result<TcpStream> {
        let mut stream = TcpStream::connect(to).await?;
        let ask = |what: &str| format!("{what} HTTP/1.1\r\nHost: a\r\n\r\n");
        match self {
            Self::Readers => {
                stream.write_all(ask("GET /large").as_bytes()).await?;
                read_some(&mut stream).await?;
            }
            Self::Uploads => {
                let head = format!("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: {ENDLESS}\r\n\r\n");
                stream.write_all(head.as_bytes()).await?;
                let bytes = vec![b'.'; 64 << 10];
                while timeout(Duration::from_millis(20), stream.write_all(&bytes)).await.is_ok() {}
            }
            Self::Idle => {
                stream.write_all(ask("GET /small").as_bytes()).await?;
                read_some(&mut stream).await?;
            }
        }
        Ok(stream)
    }
}

async fn read_some(stream: &mut TcpStream) -> anyhow::Result<()> {
    let mut some = [0; 1024];
    anyhow::ensure!(stream.read(&mut some).await? > 0, "no answer");
    anyhow::ensure!(some.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&some));
    Ok(())
}

/// Starts the gateway in front of `server`.
async fn gateway(server: SocketAddr) -> anyhow::Result<Gateway> {
    let folder = tempfile::tempdir()?;
    let config = format!("listen: 127.0.0.1:0\nstate_dir: .\nupstream:\n  url: http://{server}\n");
    std::fs::write(folder.path().join("gateway.yaml"), config)?;
    Gateway::start(folder).await
}

#[expect(clippy::print_stdout, reason = "a bench reports to its terminal")]
fn print(phase: Phase, [before, during, after]: [u64; 3]) {
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let each = during.saturating_sub(before) as f64 / phase.connections() as f64 / f64::from(1 << 10);
    println!(
        "{:<8} {} connections: resident {:.1} → {:.1} → {:.1} MiB, {each:.1} KiB each",
        phase.name(),
        phase.connections(),
        mebibytes(before),
        mebibytes(during),
        mebibytes(after),
    );
}
