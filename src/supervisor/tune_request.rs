//! A viewer's request for a stream, and what is granted.
//!
//! It does not know how either is spelled in HTTP.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::supervisor::answering::Answering;
use crate::supervisor::stream::Stream;
use crate::upstream::jellyfin::Login;
use domain::cadence::Class;
use domain::clients::TuneConditions;
use domain::encoding::demand::Demand;
use domain::key::{ConsumerId, StreamId, StreamKey};
use domain::pool::Warmth;
use domain::produce::Produce;
use domain::viewer::Viewer;
use domain::window::Listing;

/// A viewer's request for a stream, with the credential to serve it.
#[derive(Debug)]
pub struct TuneRequest {
    /// The stream that is requested.
    pub key: StreamKey,
    /// The viewer who requests it.
    pub viewer: Viewer,
    /// The token in the path of the playlist that the viewer asks for, if there is one.
    pub token: Option<ConsumerId>,
    /// The class of its player, which predicts the rhythm of its requests.
    pub class: Class,
    /// How the viewer's player wants its list.
    pub listing: Listing,
    /// When what the viewer wants to see began, since 1970; `None` begins near live.
    pub since: Option<Duration>,
    /// From which length on its list slides; `None` as far as the window reaches.
    pub longest: Option<Duration>,
    /// The preference for how the stream is produced.
    pub produce: Produce,
    /// What else applies to the viewer.
    pub conditions: TuneConditions,
    /// The encoding that the request demands; `None` if the request cannot be understood.
    pub demand: Option<Demand>,
    /// The credential with which the gateway may call the server for this viewer.
    pub login: Login,
    /// The user of that credential; `None` for an API key.
    pub user: Option<String>,
}

/// A stream that has been granted to a viewer.
#[derive(Debug)]
pub struct Lease {
    /// The name of the stream.
    pub id: StreamId,
    /// The stream that the viewer is served from.
    pub stream: Arc<Stream>,
    /// The viewer's token, which stands in the path of its playlist.
    pub consumer: ConsumerId,
    /// How far the stream was when it was requested.
    pub warmth: Warmth,
    /// Since when the viewer waits for the list, over all requests that it has repeated.
    pub waits_since: Instant,
    /// Whether the viewer has been given a list of the stream before.
    pub has_list: bool,
    /// How that list was made, or the first one is to be.
    pub listing: Listing,
    /// When what the viewer wants to see began, since 1970.
    pub since: Option<Duration>,
    /// From which length on the list slides.
    pub longest: Option<Duration>,
    /// The answer to the request.
    pub answering: Answering,
}
