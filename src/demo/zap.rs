//! The demonstration that needs no hands: a few zaps before the bare server, then the same and more through the gateway.
//!
//! It measures and counts; how that is shown is `table`'s business.

use std::net::SocketAddr;
use std::time::Duration;

use http::StatusCode;
use tokio::time::{Instant, sleep};

use crate::body::BoxError;
use crate::demo::Error;
use crate::demo::origin::{Channel, Origin, Settings, User};
use crate::demo::progress::Progress;
use crate::demo::stage::Stage;
use crate::demo::viewer::{Playback, Viewer};

/// How long a viewer looks at a channel before the next zap.
const GLANCE: Duration = Duration::from_millis(1500);

/// What a zap is expected to meet.
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
    /// Somebody else, with another token and device, joins what is being watched.
    SecondViewer,
    /// A channel that this viewer never watched and nobody watches any more.
    Warm,
}

impl Kind {
    /// The one spelling of it.
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

    /// Whether the gateway has to answer from memory.
    pub(super) const fn is_warm(self) -> bool {
        match self {
            Self::BareCold | Self::BareBack | Self::Cold => false,
            Self::Back | Self::SecondViewer | Self::Warm => true,
        }
    }
}

/// A zap, measured from the click.
#[derive(Clone, Debug)]
pub(super) struct Zap {
    /// The channel left, if any.
    pub(super) from: Option<u32>,
    /// The channel wanted.
    pub(super) to: u32,
    /// What it was expected to meet.
    pub(super) kind: Kind,
    /// What of it was `PlaybackInfo`.
    pub(super) info: Duration,
    /// To the last byte of the media playlist.
    pub(super) playlist: Duration,
    /// To the last byte of the first segment.
    pub(super) segment: Duration,
    /// Whether the gateway answered the playlist from memory.
    pub(super) hit: bool,
    /// HLS FFmpegs the server has started so far.
    pub(super) starts: u64,
    /// Tuners in use at the server.
    pub(super) tuners: usize,
}

/// Who zaps.
#[derive(Clone, Copy)]
enum Who {
    First,
    Second,
}

/// Before the bare server, whose first zaps are the very first, as those before the gateway are.
const BARE: [(u32, Kind); 3] = [(1, Kind::BareCold), (2, Kind::BareCold), (1, Kind::BareBack)];

/// Three channels: as many as there are tuners.
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

/// Zaps by itself; when it returns, everybody has left.
///
/// # Errors
/// If a viewer is not served.
pub(super) async fn perform(stage: &Stage) -> Result<Vec<Zap>, Error> {
    let mut progress = Progress::new(BARE.len() + THROUGH.len());
    let mut zaps = Vec::new();

    let bare = Origin::start(Settings::real()).await?;
    let [alice, _] = people();
    let mut seat = Seat::new(bare.addr(), &alice, &bare);
    for (to, kind) in BARE {
        zaps.push(seat.zap(to, kind, &mut progress).await?);
    }
    drop(bare.kill().await);

    let mut seats = people().map(|user| Seat::new(stage.gateway(), &user, stage.origin()));
    for (who, to, kind) in THROUGH {
        zaps.push(seats[who as usize].zap(to, kind, &mut progress).await?);
    }
    for seat in seats {
        seat.leave().await.map_err(|error| Error::Zap("away".to_owned(), error))?;
    }
    Ok(zaps)
}

fn people() -> [User; 2] {
    ["alice", "bob"].map(User::new)
}

/// A viewer before a server, and what they watch.
struct Seat<'a> {
    viewer: Viewer,
    origin: &'a Origin,
    watching: Option<(u32, Playback)>,
}

impl<'a> Seat<'a> {
    fn new(at: SocketAddr, user: &User, origin: &'a Origin) -> Self {
        let device = user.tokens.first().map_or("", |token| &token.device_id);
        let viewer = Viewer::new(format!("http://{at}"), user.token(), &user.id, device);
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

    /// Leaves and arrives at once, as jellyfin-web does: it does not wait for the answer to its `Stopped`.
    async fn change(&mut self, from: Option<u32>, to: u32, kind: Kind) -> Result<Zap, BoxError> {
        let left = self.watching.take();
        // What a player says it can receive is measured, and so is never the same twice.
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

/// From the click to the first segment, and the report that it plays.
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

/// A zap as it is called.
pub(super) fn way(from: Option<u32>, to: u32) -> String {
    from.map_or_else(|| format!("– → {to}"), |from| format!("{from} → {to}"))
}
