//! What the answers of another process of the gateway have to agree with: accounts, and what was decided for each playback.
//!
//! What the server has said of credentials, the other process asks anew.

use serde::{Deserialize, Serialize};

use crate::proxy::gateway::Gateway;
use crate::proxy::playbacks::Decided;
use domain::key::{Channel, LiveStreamId};
use domain::viewer::Viewer;

/// See the module.
#[derive(Debug, Serialize, Deserialize)]
pub struct GatewayParts {
    /// What hashes tokens into accounts.
    pub secret: u128,
    decided: Vec<(Viewer, Channel, Decided)>,
}

impl Gateway {
    /// What another process goes on with for these viewers, each of which watches a channel.
    #[must_use]
    pub fn parts(&self, viewers: Vec<(Viewer, Channel)>) -> GatewayParts {
        let decided = viewers.into_iter().filter_map(|(viewer, channel)| {
            let decided = self.playbacks.get(self.hash((&viewer, &channel)))?;
            Some((viewer, channel, decided))
        });
        GatewayParts { secret: self.secret, decided: decided.collect() }
    }

    /// Goes on with what another process has decided, and with the channels for which it has seen the server open these live streams.
    pub fn go_on_with(&self, parts: GatewayParts, pairs: Vec<(Channel, LiveStreamId)>) {
        for (viewer, channel, decided) in parts.decided {
            self.playbacks.insert(self.hash((&viewer, &channel)), decided);
        }
        pairs.into_iter().for_each(|(channel, live_stream)| self.pairings.seen(channel, live_stream));
    }
}
