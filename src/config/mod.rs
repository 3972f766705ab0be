//! What the operator wants: `gateway.yaml` and the environment over it, checked once, at the start.
//!
//! Two types: `file` mirrors the YAML as it is written, [`Config`] is what the program uses, and between
//! them stand the rules. All errors are collected, each with its key and its line or variable.
//!
//! **Invariant:** nothing outside this module knows that the configuration is YAML, and nothing in here knows
//! what the values are used for.

mod check;
mod environment;
mod errors;
mod file;
mod lines;
mod lineup;
mod scalar;
mod secret;
mod sections;
mod streams;
mod units;
mod upstream_url;

use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

pub use errors::{Errors, Place, Problem};
pub use lineup::{Location, Playlist};
pub use secret::Secret;
pub use sections::{LineupServer, LiveTvRight, Log, LogFormat, Pool, Produce, Shutdown, Viewers, Window};
pub use streams::{CopyWith, Encoders, Feed, Ffmpeg, Warm};
pub use units::ByteSize;
pub use upstream_url::UpstreamUrl;

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

impl Config {
    /// Reads the file at `path` and the process's environment over it.
    ///
    /// A file that does not exist is an error only if the environment does not name the upstream either.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn load(path: &Path) -> Result<Self, Errors> {
        let variables = environment::of_process();
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound && environment::names_upstream(&variables) => {
                String::new()
            }
            Err(error) => return Err(Errors::unreadable(path, &error)),
        };
        Self::parse(path, &text, &variables)
    }

    /// The defaults, before the upstream at `url`; neither a file nor the environment is read.
    ///
    /// # Errors
    /// If `url` is none.
    pub fn for_upstream(url: &str) -> Result<Self, Errors> {
        let variable = (environment::UPSTREAM_URL.to_owned(), url.to_owned());
        Self::parse(Path::new(""), "", &[variable])
    }

    /// Checks `text`, which came from `path`, with `variables` (name and value) merged over it.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn parse(path: &Path, text: &str, variables: &[(String, String)]) -> Result<Self, Errors> {
        let (file, mut report) = file::read(path, text, variables)?;
        let config = check::lower(file, path, &mut report);
        report.into_result(config)
    }
}
