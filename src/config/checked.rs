//! The configuration as the program uses it: every value has been checked.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::config::admin::{Admin, Zap};
use crate::config::clients::Clients;
use crate::config::lineup::Playlist;
use crate::config::secret::Secret;
use crate::config::sections::{
    History, LineupServer, LiveTvRight, Log, Pool, Produce, Rewind, Shutdown, Viewers, Window,
};
use crate::config::streams::{Feed, Ffmpeg, Warm};
use crate::config::tls::Tls;
use crate::config::tuners::Tuners;
use crate::config::units::ByteSize;
use crate::config::upstream_url::UpstreamUrl;
use crate::config::webhooks::Webhook;
use crate::wire::trust::Trust;

/// The checked configuration. `gateway.yaml` documents each key.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address that players connect to.
    pub listen: SocketAddr,
    /// Where they connect over TLS, if they can.
    pub tls: Option<Tls>,
    /// The gateway's name in `Via` (RFC 9110 7.6.3), `Cache-Status` (RFC 9211) and `Proxy-Status` (RFC 9209);
    /// a token in the sense of both RFC 9110 5.6.2 and RFC 9651 3.3.4.
    pub name: String,
    /// Whether answers say what happened, in `Cache-Status`, `Proxy-Status` and the like.
    pub status_fields: bool,
    /// Peers whose `X-Forwarded-*` fields are trusted.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether their connections begin with a PROXY header, which says whose they are.
    pub proxy_protocol: bool,
    /// The folder of the ledger and of the playlists' last good copies; `None`: `app` chooses it.
    pub state_dir: Option<PathBuf>,
    /// Where it is shown what goes on inside.
    pub admin: Admin,
    /// What a change of channel is to reach.
    pub zap: Zap,
    /// What is remembered of what was watched.
    pub history: History,
    /// The media server.
    pub upstream: Upstream,
    /// The provider's playlists.
    pub lineup: Vec<Playlist>,
    /// The gateway's own playlist.
    pub lineup_server: LineupServer,
    /// How streams are made.
    pub produce: Produce,
    /// Who may do what.
    pub clients: Clients,
    /// How many streams are kept, and for how long.
    pub pool: Pool,
    /// How many tuners the server has, and who gets them.
    pub tuners: Tuners,
    /// How long the gateway's own streams keep encoding and their input without viewers.
    pub warm: Warm,
    /// The ring of a channel's input, and the time limits for it.
    pub feed: Feed,
    /// When a viewer counts as gone.
    pub viewers: Viewers,
    /// How long playlists are, and how large segments.
    pub window: Window,
    /// How far back viewers can go.
    pub rewind: Rewind,
    /// The FFmpeg program and its limits.
    pub ffmpeg: Ffmpeg,
    /// The time limit for a stop.
    pub shutdown: Shutdown,
    /// The level and format of the log.
    pub log: Log,
    /// Where a line is written for each request of a player, if anywhere.
    pub access_log: Option<AccessLogTo>,
    /// Who is told what happens.
    pub webhooks: Vec<Webhook>,
}

/// Where the lines of the access log go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessLogTo {
    /// To standard output.
    Stdout,
    /// To this file.
    File(PathBuf),
}

/// The media server, and the time limits for its answers.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Scheme and authority; each request brings the base path.
    pub url: UpstreamUrl,
    /// The API key of the gateway's own calls; without it they use the token of the client that asked.
    pub api_key: Option<Secret>,
    /// Which certificates it may show over TLS, and the one that it is shown.
    pub trust: Trust,
    /// The time limit for opening a connection.
    pub connect_timeout: Duration,
    /// The time limit for a response head.
    pub response_timeout: Duration,
    /// The time limit for a cold start, after which the request is forwarded unchanged.
    pub cold_timeout: Duration,
    /// The refused starts in a row after which viewers get the upstream's own answer. At least 1.
    pub failures: u32,
    /// The disk space that streams and inputs without viewers may use at the upstream, together.
    pub disk_budget: ByteSize,
    /// Whether the gateway enforces the user's Live TV right where Jellyfin does not check it.
    pub live_tv_right: LiveTvRight,
}
