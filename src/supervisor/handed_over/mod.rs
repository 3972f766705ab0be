//! Hands the supervisor's streams, viewers and openings over to another process of the gateway (docs/decisions/41-handover.md).
//!
//! Whatever is open at the server stays with the process that has opened it, which closes it in the usual way: only what clients have
//! opened changes hands, and so do the leftovers. It does not know how the parts travel.

pub mod estate;
pub mod giving;
pub(super) mod late;
pub mod taking;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::supervisor::held::opener::Opener;
use crate::supervisor::held::opening_book::BookParts;
use crate::supervisor::stream::handed_over::StreamParts;
use crate::upstream::ledger::{Change, Entry};
use domain::key::DeviceId;
use domain::openings::ClientOpening;
use domain::pool::handed_over::PoolParts;
use domain::time::Timestamp;
use domain::viewer::Account;

pub use crate::supervisor::stream::handed_over::{PieceName, Pieces};

/// All that another process goes on with, but for the pieces.
#[derive(Debug, Serialize, Deserialize)]
pub struct SupervisorParts {
    pool: PoolParts,
    /// When the first process began.
    first: Timestamp,
    streams: Vec<StreamParts>,
    book: BookParts,
    /// The entries of the ledger, by name.
    entries: Vec<(String, LedgerEntry)>,
    /// The names of those that are leftovers.
    leftovers: Vec<String>,
    /// Up to when numbers of segments may have been used.
    numbered: Duration,
}

/// An entry, and whether a process before has written it and has not handed it over.
#[derive(Debug, Serialize, Deserialize)]
struct LedgerEntry {
    entry: Entry,
    is_inherited: bool,
}

/// What the old process tells afterwards.
#[derive(Debug, Serialize, Deserialize)]
pub enum News {
    /// An entry of its own in the ledger has changed.
    Ledger(Change),
    /// The server has answered an opening that was under way.
    Opened(ClientOpening, Opener),
    /// The server has opened a live stream again for a client that plays on.
    Reopened(ClientOpening, Opener),
    /// A WebSocket of a session has opened.
    SocketOpened(Account, Option<DeviceId>),
    /// Such a WebSocket has closed.
    SocketClosed(Account, Option<DeviceId>),
    /// The server begins to send a live stream of its own to a player.
    MediaBegins(Account, Option<DeviceId>),
    /// What such a player was sent has ended.
    MediaEnds(Account, Option<DeviceId>),
}
