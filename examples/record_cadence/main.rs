//! Records the requests of a real player through the gateway while its viewer plays a scenario: makes `fixtures/cadence`.
//!
//!     cargo run --example record_cadence -- mpv pause
//!     cargo run --example record_cadence -- hlsjs hide --modules DIR/node_modules
//!
//! One player and one scenario at a time, in real time; several recordings may run at once.

mod browser;
mod pages;
mod program;
mod scenario;
mod tap;
mod tape;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use jellyfin_alike::viewer::Viewer;
use jellyfin_alike::{Delays, Origin, Settings, User};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use warmgate::app::App;
use warmgate::body::BoxError;
use warmgate::config::{BlockingReload, Config};
use warmgate::supervisor::Supervisor;

use crate::browser::Browser;
use crate::pages::Web;
use crate::program::{Playing, Program};
use crate::scenario::{Deed, Scenario};
use crate::tap::Tap;
use crate::tape::Tape;

/// How long the recording goes on after the last action.
const AFTERWARDS: Duration = Duration::from_secs(20);

#[derive(Parser)]
struct Args {
    player: Player,
    scenario: Scenario,
    /// Where the recording is written
    #[arg(long, default_value = "fixtures/cadence")]
    out: PathBuf,
    /// Where npm has installed hls.js, shaka-player and video.js
    #[arg(long, default_value = "node_modules")]
    modules: PathBuf,
    /// Offer players to hold their playlist requests (viewers.blocking_reload)
    #[arg(long)]
    blocking_reload: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Player {
    Ffmpeg,
    Mpv,
    /// mpv with a cache of 4 MiB instead of 150
    MpvSmall,
    Vlc,
    Gstreamer,
    Hlsjs,
    Shaka,
    Videojs,
    Chromium,
    Page,
}

/// The player.
enum Running {
    Program(Box<Playing>),
    Browser(Box<Browser>),
}

impl Running {
    /// Performs the action, and returns its time and details of it.
    async fn perform(&mut self, deed: Deed) -> (Instant, Value) {
        let mut detail = json!({"did": deed.as_str()});
        let (at, came) = match self {
            Self::Program(playing) => {
                if let Ok(Some(status)) = playing.ended() {
                    detail["ended_before"] = json!(status);
                }
                (Instant::now(), playing.perform(deed).await)
            }
            Self::Browser(browser) if matches!(deed, Deed::Stop | Deed::Kill) => {
                detail["page"] = browser.state().await.unwrap_or_default();
                (Instant::now(), browser.perform(deed).await)
            }
            Self::Browser(browser) => {
                let (at, came) = (Instant::now(), browser.perform(deed).await);
                // The page notices a moment later.
                sleep(Duration::from_millis(300)).await;
                detail["page"] = browser.state().await.unwrap_or_default();
                (at, came)
            }
        };
        if let Err(error) = came {
            detail["failed"] = json!(error.to_string());
        }
        (at, detail)
    }

    async fn end(self) -> io::Result<()> {
        match self {
            Self::Program(playing) => playing.end().await,
            Self::Browser(browser) => browser.end().await,
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let args = Args::parse();
    let set = Set::build(args.blocking_reload).await?;
    let tape = Tape::new();
    let tap = Tap::lay(set.gateway, tape.clone()).await?;
    let url = set.tune(&tap).await?;
    tape.note(Instant::now(), "viewer", json!({"did": "play"}));
    let (mut running, mut head) = match args.player.kind() {
        Kind::Program(program) => {
            let head = json!({"version": program.version().await?});
            (Running::Program(Box::new(program.play(&url)?)), head)
        }
        Kind::Web(web) => browse(web, &args, &set, &tap, &url).await?,
    };
    perform(args.scenario, &mut running, &tap, &tape).await;
    running.end().await?;
    tap.remove().await;

    let (player, scenario) = (args.player.as_str(), args.scenario.as_str());
    let date = String::from_utf8(Command::new("date").arg("+%F").output()?.stdout)?;
    head["player"] = json!(player);
    head["scenario"] = json!(scenario);
    head["recorded"] = json!(date.trim());
    tape.write(&args.out.join(format!("{player}-{scenario}.ndjson")), head)?;
    set.strike().await
}

/// A media server and the gateway in front of it.
struct Set {
    origin: Arc<Origin>,
    users: Vec<User>,
    gateway: SocketAddr,
    supervisor: Supervisor,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl Set {
    async fn build(blocking_reload: bool) -> Result<Self, BoxError> {
        let settings = Settings {
            delays: Delays { kill_timer: Duration::from_secs(60), ..Delays::quick() },
            width: 320,
            height: 180,
            ..Settings::real()
        };
        let users = settings.users.clone();
        let origin = Arc::new(Origin::start(settings).await?);
        let mut config = Config::for_upstream(&format!("http://{}", origin.addr()))?;
        config.listen = (Ipv4Addr::LOCALHOST, 0).into();
        config.viewers.blocking_reload =
            if blocking_reload { BlockingReload::Always } else { BlockingReload::Never };
        let app = App::bind(config).await?;
        let (gateway, supervisor) = (app.local_addr(), app.supervisor());
        let stop = CancellationToken::new();
        let until = stop.clone();
        let serving = tokio::spawn(async move { drop(app.serve(until).await) });
        Ok(Self { origin, users, gateway, supervisor, stop, serving })
    }

    /// Opens a channel as an app does, past the tap, and returns the URL of its playlist behind the tap.
    async fn tune(&self, tap: &Tap) -> Result<String, BoxError> {
        let user = &self.users[0];
        let viewer = Viewer::new(format!("http://{}", self.gateway), user.token(), &user.id, "cadence");
        let playback = viewer.open(&self.origin.channels()[0].item_id).await?;
        let (folder, list) = playback.playlist.split_once("/hls/wg").ok_or("no folder of its own")?;
        let query = list.split_once('?').ok_or("no query")?.1;
        let master = format!("{folder}/master.m3u8?{query}");
        Ok(format!("http://{}{master}", tap.address))
    }

    async fn strike(self) -> Result<(), BoxError> {
        self.stop.cancel();
        Ok(self.serving.await?)
    }
}

/// Opens a player's page, and returns the versions of the browser and the player.
async fn browse(
    web: Web,
    args: &Args,
    set: &Set,
    tap: &Tap,
    url: &str,
) -> Result<(Running, Value), BoxError> {
    let page = match web {
        Web::Page => {
            let (origin, supervisor) = (Arc::clone(&set.origin), set.supervisor.clone());
            format!("http://{}/", pages::serve_demo(origin, supervisor, tap.address, &set.users).await?)
        }
        Web::Hlsjs | Web::Shaka | Web::Videojs | Web::Native => {
            let muted = args.scenario == Scenario::HideMuted;
            web.page(pages::serve(args.modules.clone()).await?, url, muted)
        }
    };
    let browser = Browser::open(&page).await?;
    if web == Web::Page {
        begin_demo(&browser).await?;
    }
    let chromium = browser.version().await?;
    let head = match web.version(&args.modules).await? {
        Some(library) => json!({"version": library, "browser": format!("Chromium {chromium}")}),
        None => json!({"version": chromium}),
    };
    Ok((Running::Browser(Box::new(browser)), head))
}

/// Plays the scenario, and records each action with its details.
async fn perform(scenario: Scenario, running: &mut Running, tap: &Tap, tape: &Tape) {
    let mut due = Instant::now();
    for &(seconds, deed) in scenario.deeds() {
        due += Duration::from_secs(seconds);
        sleep_until(due).await;
        if matches!(deed, Deed::Cut | Deed::Restore) {
            tap.cut(deed == Deed::Cut);
        }
        let (at, detail) = running.perform(deed).await;
        tape.note(at, "viewer", detail);
    }
    sleep(AFTERWARDS).await;
    tape.note(Instant::now(), "viewer", json!({"did": "end"}));
}

/// Waits for the first channel's button, and presses it.
async fn begin_demo(browser: &Browser) -> Result<(), BoxError> {
    const PRESS: &str = "(button => (button?.click(), !!button))(document.querySelector('.channels button'))";
    for _ in 0..100 {
        if browser.evaluate(PRESS).await? == Value::Bool(true) {
            return Ok(());
        }
        sleep(Duration::from_millis(100)).await;
    }
    Err("the page has no channels".into())
}

enum Kind {
    Program(Program),
    Web(Web),
}

impl Player {
    const fn kind(self) -> Kind {
        match self {
            Self::Ffmpeg => Kind::Program(Program::Ffmpeg),
            Self::Mpv => Kind::Program(Program::Mpv),
            Self::MpvSmall => Kind::Program(Program::MpvSmall),
            Self::Vlc => Kind::Program(Program::Vlc),
            Self::Gstreamer => Kind::Program(Program::Gstreamer),
            Self::Hlsjs => Kind::Web(Web::Hlsjs),
            Self::Shaka => Kind::Web(Web::Shaka),
            Self::Videojs => Kind::Web(Web::Videojs),
            Self::Chromium => Kind::Web(Web::Native),
            Self::Page => Kind::Web(Web::Page),
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Ffmpeg => "ffmpeg",
            Self::Mpv => "mpv",
            Self::MpvSmall => "mpv-small",
            Self::Vlc => "vlc",
            Self::Gstreamer => "gstreamer",
            Self::Hlsjs => "hlsjs",
            Self::Shaka => "shaka",
            Self::Videojs => "videojs",
            Self::Chromium => "chromium",
            Self::Page => "page",
        }
    }
}
