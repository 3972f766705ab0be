//! The devices that the operator has sent away: their players ask again at once, so they are refused for a while.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::key::DeviceId;
use crate::time::Timestamp;
use crate::viewer::{Account, Viewer};

/// For how long a device is refused: longer than players repeat their requests.
const SENT_AWAY_FOR: Duration = Duration::from_secs(60);

/// The devices, and until when they are refused.
#[derive(Debug, Default)]
pub(super) struct SentAway(BTreeMap<(Account, Option<DeviceId>), Timestamp>);

impl SentAway {
    /// A viewer's device is sent away.
    pub(super) fn insert(&mut self, viewer: &Viewer, now: Timestamp) {
        self.0.retain(|_, until| *until > now);
        self.0.insert((viewer.account, viewer.device.clone()), now + SENT_AWAY_FOR);
    }

    /// Whether a viewer's device is refused.
    pub(super) fn contains(&self, viewer: &Viewer, now: Timestamp) -> bool {
        // Nobody is, in general.
        !self.0.is_empty()
            && self.0.get(&(viewer.account, viewer.device.clone())).is_some_and(|until| *until > now)
    }
}
