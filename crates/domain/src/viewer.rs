//! Identifies a viewer: its account, its device and its playback.
//!
//! It knows no tokens, only their fingerprints, and makes none itself.

use serde::{Deserialize, Serialize};

use crate::key::{DeviceId, PlaySessionId};

/// Identifies one playback on one device under one token. Two requests belong to the same viewer if all fields agree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Viewer {
    /// The account whose token the requests carry.
    pub account: Account,
    /// The device id that the client sends.
    pub device: Option<DeviceId>,
    /// Jellyfin's id of the playback.
    pub play_session: Option<PlaySessionId>,
}

/// The fingerprint of a client's token. It does not reveal the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Account(pub u64);

/// The fingerprints of a user and of its device, which are the same after a restart and reveal neither. Viewers have habits by the device
/// that they use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PlayerKey {
    /// The user; `None` if it is not known, as with an API key.
    pub user: Option<u64>,
    /// The device; `None` if the client names none.
    pub device: Option<u64>,
}
