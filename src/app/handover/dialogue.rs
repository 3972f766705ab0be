//! What the two processes say to each other, and how long they wait for it.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::handover::LinkError;
use crate::proxy::handed_over::GatewayParts;
use crate::supervisor::handed_over::{News, PieceName, SupervisorParts};

/// What both processes have to agree on: it changes with the form of any message.
pub(super) const VERSION: u32 = 4;

/// How long the new process may take to be ready, and then to take over.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// How long its streams may take to have segments.
pub(super) const ESTABLISHED: Duration = Duration::from_secs(15);
/// How long the old process may take to close what it has open at the server.
pub(super) const RELEASED: Duration = Duration::from_secs(150);

/// Why a process does not take the other's place.
#[derive(Debug, thiserror::Error)]
pub(in crate::app) enum HandoverError {
    /// The new process could not be started.
    #[error("the program cannot be started: {0}")]
    Start(#[source] std::io::Error),
    /// The system refuses what this process needs for it.
    #[error("the system refuses what is needed: {0}")]
    System(#[from] std::io::Error),
    /// The new process has ended; its own log says why.
    #[error("the new process has ended before it took over ({0})")]
    Ended(std::process::ExitStatus),
    /// The new process does not answer.
    #[error("the new process was not ready within {} s", PATIENCE.as_secs())]
    Late,
    /// Both are too different.
    #[error(
        "the other process hands over in another way (version {theirs}, here {}): that needs a restart",
        VERSION
    )]
    Version {
        /// What the other process speaks.
        theirs: u32,
    },
    /// They stand before different servers.
    #[error("upstream.url is another one now: that needs a restart")]
    OtherServer,
    /// The link has failed.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The other process says something else than is expected at this point.
    #[error("the other process says something unexpected")]
    Unexpected,
}

/// What the old process says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum FromOld {
    /// It offers its sockets: for HTTP, for HTTPS if `is_secure`, and the back door. It was told to listen at these addresses, and stands
    /// before the server at `upstream`.
    Offer { version: u32, is_secure: bool, listen: Addresses, upstream: String },
    /// The bytes of a piece.
    Piece(PieceName),
    /// The descriptor of an extent.
    Extent,
    /// All the rest.
    State(Box<State>),
    /// What has happened since.
    News(Box<News>),
    /// It is all the new process's now. The service manager knows that process as the main one.
    HandedOver,
    /// It has closed what it had open at the server.
    Released,
}

/// Where a process is told to listen: for HTTP, and for HTTPS.
pub(super) type Addresses = (SocketAddr, Option<SocketAddr>);

/// What the new process says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum FromNew {
    /// Nothing can fail any more.
    Ready { version: u32 },
    /// It can go on with everything, and does once it hears that it is handed over.
    Taken,
    /// Its streams have segments.
    Established,
}

/// What is handed over beside pieces and descriptors.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) supervisor: SupervisorParts,
    pub(super) gateway: GatewayParts,
    /// What the back door believes.
    pub(super) passed_on: String,
}
