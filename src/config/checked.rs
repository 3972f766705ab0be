//! The configuration as the program uses it: every value has been checked.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::config::lineup::Playlist;
use crate::config::secret::Secret;
use crate::config::sections::{LineupServer, LiveTvRight, Log, Pool, Produce, Shutdown, Viewers, Window};
use crate::config::streams::{Feed, Ffmpeg, Warm};
use crate::config::units::ByteSize;
use crate::config::upstream_url::UpstreamUrl;

/// The checked configuration. `gateway.yaml` documents each key.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where players connect to.
    pub listen: SocketAddr,
    /// The gateway's name in `Via` (RFC 9110 7.6.3), `Cache-Status` (RFC 9211) and `Proxy-Status` (RFC 9209);
    /// a token in the sense of both RFC 9110 5.6.2 and RFC 9651 3.3.4.
    pub name: String,
    /// Peers whose `X-Forwarded-*` fields are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Where it is written down what is open at the server; `None` is for whoever runs the gateway to decide.
    pub state_dir: Option<PathBuf>,
    /// The media server.
    pub upstream: Upstream,
    /// The provider's playlists.
    pub lineup: Vec<Playlist>,
    /// The gateway's own playlist.
    pub lineup_server: LineupServer,
    /// How streams are made.
    pub produce: Produce,
    /// How many streams are kept, and for how long.
    pub pool: Pool,
    /// What streams of the gateway's own keep without viewers.
    pub warm: Warm,
    /// What is kept of a channel's input.
    pub feed: Feed,
    /// When a viewer counts as gone.
    pub viewers: Viewers,
    /// What of a stream is kept and listed.
    pub window: Window,
    /// What is made with FFmpeg.
    pub ffmpeg: Ffmpeg,
    /// How the gateway ends.
    pub shutdown: Shutdown,
    /// What is logged.
    pub log: Log,
}

/// The media server, and how patient the gateway is with it.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Scheme and authority; the base path comes with each request.
    pub url: UpstreamUrl,
    /// For the gateway's own calls; without it they use the token of the client that asked.
    pub api_key: Option<Secret>,
    /// How long a connection may take to open.
    pub connect_timeout: Duration,
    /// How long a response head may take.
    pub response_timeout: Duration,
    /// How long a cold start may take before the request is proxied as it came.
    pub cold_timeout: Duration,
    /// After this many refused starts in a row viewers get the upstream's own answer. At least 1.
    pub failures: u32,
    /// What adopted streams without viewers may have on the upstream's disk, all together.
    pub disk_budget: ByteSize,
    /// Whether the user's Live TV right is enforced where Jellyfin forgets to.
    pub live_tv_right: LiveTvRight,
}
