//! What the supervisor is built from.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::feed;
use crate::history::{History, Past};
use crate::spool::Spool;
use crate::supervisor::generation::own::workshop::Encoding;
use crate::supervisor::inputs::provider::Provider;
use crate::supervisor::stream::WindowSize;
use crate::upstream::jellyfin::Login;
use domain::pool::Limits;

/// The configuration of the supervisor.
#[derive(Debug)]
pub struct Settings {
    /// The limits that the pool keeps to.
    pub limits: Limits,
    /// The sizes of windows and segments.
    pub size: WindowSize,
    /// Where pieces are kept that are too old for memory; `None` if nothing older is kept.
    pub spool: Option<Spool>,
    /// The limits of feeds.
    pub feed: feed::Limits,
    /// The provider's channels, if `lineup:` is configured.
    pub provider: Option<Provider>,
    /// The number of connections that each playlist of the provider allows; 0 means any number.
    pub connections: Vec<u32>,
    /// The encoder for profiles that an input does not satisfy; `None` leaves them to the server.
    pub encoding: Option<Encoding>,
    /// The gateway's own credential, if it has one.
    pub gateway_login: Option<Login>,
    /// The file in which the gateway records everything that is open at the server.
    pub ledger: Option<PathBuf>,
    /// The file in which it remembers what it has learned of the server's tuners.
    pub learned_limits: Option<PathBuf>,
    /// Where it is remembered what was watched, and what was remembered before, if anything is.
    pub history: Option<(History, Past)>,
    /// The channels that are never started before anybody asks: their names, numbers or ids.
    pub never_ahead: Vec<String>,
    /// How long a change of channel may take.
    pub zap_objective: Duration,
    /// The places of the playlists in `lineup:`, by the MD5 of their URL or their device's.
    pub playlists: BTreeMap<String, usize>,
}
