//! The devices that the operator has sent away: their players ask again at once, so they are refused for a while. Of a viewer that names
//! no device, only its playback is refused: others of its account may name none either.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::key::{DeviceId, PlaySessionId};
use crate::time::Timestamp;
use crate::viewer::{Account, Viewer};

/// For how long a device is refused: longer than players repeat their requests.
const SENT_AWAY_FOR: Duration = Duration::from_secs(60);

/// The devices, and until when they are refused.
#[derive(Debug, Default)]
pub(super) struct SentAway(BTreeMap<(Account, Place), Timestamp>);

/// Whom an account's refusals concern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Place {
    Device(DeviceId),
    Playback(Option<PlaySessionId>),
}

fn place(viewer: &Viewer) -> (Account, Place) {
    let playback = || Place::Playback(viewer.play_session.clone());
    (viewer.account, viewer.device.clone().map_or_else(playback, Place::Device))
}

impl SentAway {
    /// All of it, for another process.
    pub(super) fn parts(&self) -> Vec<((Account, Place), Timestamp)> {
        self.0.iter().map(|(whom, until)| (whom.clone(), *until)).collect()
    }

    /// What another process has sent away stays away.
    pub(super) fn go_on_with(&mut self, parts: Vec<((Account, Place), Timestamp)>) {
        self.0.extend(parts);
    }

    /// A viewer's device is sent away.
    pub(super) fn insert(&mut self, viewer: &Viewer, now: Timestamp) {
        self.0.retain(|_, until| *until > now);
        self.0.insert(place(viewer), now + SENT_AWAY_FOR);
    }

    /// Whether a viewer's device is refused.
    pub(super) fn contains(&self, viewer: &Viewer, now: Timestamp) -> bool {
        // Nobody is, in general.
        !self.0.is_empty() && self.0.get(&place(viewer)).is_some_and(|until| *until > now)
    }
}
