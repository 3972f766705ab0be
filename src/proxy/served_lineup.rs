//! The gateway's own playlist as it is served: its channels, the token that a reader must show, and the address they are found at.

use std::fmt;

use crate::lineup::Lineups;
use domain::lineup::site::Site;

/// The lineup that the gateway serves.
#[derive(Clone)]
pub struct ServedLineup {
    /// The provider's playlists.
    pub lineups: Lineups,
    /// The token that every request for the lineup must carry.
    pub token: String,
    /// The address of the gateway in the playlist's URLs; `None` takes the host of each request.
    pub site: Option<Site>,
}

impl fmt::Debug for ServedLineup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServedLineup").field("site", &self.site).finish_non_exhaustive()
    }
}
