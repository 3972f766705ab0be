//! Performs and measures the zaps: a few at the bare server, then the same and more through the gateway.
//!
//! `table` prints them.

use std::net::SocketAddr;
use std::time::Duration;

use http::StatusCode;
use jellyfin_alike::viewer::{Playback, Viewer};
use jellyfin_alike::{Channel, Origin, Settings, User};
use tokio::time::{Instant, sleep};

use crate::body::BoxError;
use crate::demo::error::Error;
use crate::demo::progress::Progress;
use crate::demo::stage::Stage;

/// How long a viewer looks at a channel before the next zap.
const GLANCE: Duration = Duration::from_millis(1500);

/// The kind of a zap, by the state of the channel that it goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A first zap without the gateway.
    BareCold,
    /// The way back without the gateway.
    BareBack,
    /// A first zap through the gateway.
    Cold,
    /// The way back to a channel just left.
    Back,
    /// Another viewer, with another token and device, joins a channel that is being watched.
    SecondViewer,
    /// A channel that this viewer never watched, and that nobody watches any more.
    Warm,
}

impl Kind {
    /// The kind's name.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::BareCold => "bare cold",
            Self::BareBack => "bare back",
            Self::Cold => "cold",
            Self::Back => "back",
            Self::SecondViewer => "second viewer",
            Self::Warm => "warm",
        }
    }

    /// Whether the gateway has to serve the channel from memory.
    pub(super) const fn is_warm(self) -> bool {
        match self {
            Self::BareCold | Self::BareBack | Self::Cold => false,
            Self::Back | Self::SecondViewer | Self::Warm => true,
        }
    }
}

/// A zap. Its times are measured from the click.
#[derive(Clone, Debug)]
pub(super) struct Zap {
    /// The number of the channel left; `None` for a first zap.
    pub(super) from: Option<u32>,
    /// The number of the channel zapped to.
    pub(super) to: u32,
    /// Its kind.
    pub(super) kind: Kind,
    /// The time that `PlaybackInfo` took.
    pub(super) info: Duration,
    /// The time until the last byte of the media playlist.
    pub(super) playlist: Duration,
    /// The time until the last byte of the first segment.
    pub(super) segment: Duration,
    /// Whether the playlist was a hit.
    pub(super) hit: bool,
    /// HLS jobs that the server has started so far.
    pub(super) starts: u64,
    /// Tuners that are open at the server.
    pub(super) tuners: usize,
}

/// The viewer who zaps.
#[derive(Clone, Copy)]
enum Who {
    First,
    Second,
}

/// The zaps at the bare server: as through the gateway, the first ones open channels that were never probed.
const BARE: [(u32, Kind); 3] = [(1, Kind::BareCold), (2, Kind::BareCold), (1, Kind::BareBack)];

/// The zaps through the gateway, to as many channels as there are tuners.
const THROUGH: [(Who, u32, Kind); 8] = [
    (Who::First, 1, Kind::Cold),
    (Who::First, 2, Kind::Cold),
    (Who::First, 1, Kind::Back),
    (Who::First, 3, Kind::Cold),
    (Who::First, 2, Kind::Back),
    (Who::First, 3, Kind::Back),
    (Who::Second, 3, Kind::SecondViewer),
    (Who::Second, 1, Kind::Warm),
];

/// Performs all zaps. When it returns, every viewer has left.
///
/// # Errors
/// If a request fails, or has an unusable response.
pub(super) async fn perform(stage: &Stage) -> Result<Vec<Zap>, Error> {
    let mut progress = Progress::new(BARE.len() + THROUGH.len());
    let mut zaps = Vec::new();

    let bare = Origin::start(Settings::real()).await?;
    let [alice, _] = users();
    let mut seat = Seat::new(bare.addr(), &alice, &bare);
    for (to, kind) in BARE {
        zaps.push(seat.zap(to, kind, &mut progress).await?);
    }
    drop(bare.kill().await);

    let mut seats = users().map(|user| Seat::new(stage.gateway(), &user, stage.origin()));
    for (who, to, kind) in THROUGH {
        zaps.push(seats[who as usize].zap(to, kind, &mut progress).await?);
    }
    for seat in seats {
        seat.leave().await.map_err(|error| Error::Zap("away".to_owned(), error))?;
    }
    Ok(zaps)
}

fn users() -> [User; 2] {
    ["alice", "bob"].map(User::new)
}

/// A browser that plays with hls.js, which the gateway knows by its name.
const BROWSER: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";

/// A viewer of a server, and the channel that the viewer watches.
struct Seat<'a> {
    viewer: Viewer,
    origin: &'a Origin,
    watching: Option<(u32, Playback)>,
}

impl<'a> Seat<'a> {
    fn new(at: SocketAddr, user: &User, origin: &'a Origin) -> Self {
        let device = user.tokens.first().map_or("", |token| &token.device_id);
        let mut viewer = Viewer::new(format!("http://{at}"), user.token(), &user.id, device);
        viewer.agent = Some(BROWSER);
        Self { viewer, origin, watching: None }
    }

    async fn zap(&mut self, to: u32, kind: Kind, progress: &mut Progress) -> Result<Zap, Error> {
        let from = self.watching.as_ref().map(|(number, _)| *number);
        let way = way(from, to);
        let zapping = async {
            let zap = self.change(from, to, kind).await?;
            sleep(GLANCE).await;
            Ok(zap)
        };
        let zap = progress.step(&format!("{way}  {}", kind.as_str()), zapping).await;
        zap.map_err(|error| Error::Zap(way, error))
    }

    /// Leaves one channel and opens the next at the same time: jellyfin-web does not wait for the response to its `Stopped`.
    async fn change(&mut self, from: Option<u32>, to: u32, kind: Kind) -> Result<Zap, BoxError> {
        let left = self.watching.take();
        // A player measures this bitrate, so that no two zaps name the same.
        self.viewer.bitrate += 228;
        let leave = async {
            match &left {
                Some((_, playback)) => self.viewer.leave(playback).await,
                None => Ok(()),
            }
        };
        let ((), (playback, zap)) =
            tokio::try_join!(leave, arrive(&self.viewer, self.origin, from, to, kind))?;
        self.watching = Some((to, playback));
        Ok(zap)
    }

    async fn leave(self) -> Result<(), BoxError> {
        match &self.watching {
            Some((_, playback)) => self.viewer.leave(playback).await,
            None => Ok(()),
        }
    }
}

/// Opens a channel, measures the time until its first segment, and reports that it plays.
async fn arrive(
    viewer: &Viewer,
    origin: &Origin,
    from: Option<u32>,
    to: u32,
    kind: Kind,
) -> Result<(Playback, Zap), BoxError> {
    let clicked = Instant::now();
    let playback = viewer.open(&Channel::new(to).item_id).await?;
    let list = viewer.poll(&playback).await?;
    let playlist = clicked.elapsed();
    let first =
        list.segments().into_iter().next().ok_or_else(|| format!("a playlist with {}", list.status))?;
    let media = viewer.segment(&playback, &first).await?;
    let segment = clicked.elapsed();
    if media.status != StatusCode::OK {
        return Err(format!("a segment with {}", media.status).into());
    }
    viewer.report(&playback, "Playing").await?;
    let hit = list.field("cache-status").contains("; hit");
    let (info, counts) = (playback.info_took, origin.counts());
    let (starts, tuners) = (counts.jobs_started, counts.tuners_open);
    Ok((playback, Zap { from, to, kind, info, playlist, segment, hit, starts, tuners }))
}

/// The name of a zap: the channels that it leads from and to.
pub(super) fn way(from: Option<u32>, to: u32) -> String {
    from.map_or_else(|| format!("– → {to}"), |from| format!("{from} → {to}"))
}
