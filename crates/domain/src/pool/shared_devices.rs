//! Knows the devices on which several players have been seen at once (two browser tabs share theirs).
//!
//! A device's next tune ends what it played before, and with that perhaps the stream. Whoever still asks for that stream once the
//! requests under way are over is another player of the device. It does not know which streams exist.

use std::collections::{BTreeMap, BTreeSet};

use crate::key::DeviceId;
use crate::time::Timestamp;
use crate::viewer::{Account, Viewer};

/// How many shared devices, and how many viewers of ended streams, are remembered. A device that is forgotten counts as one
/// player again.
const REMEMBERED: usize = 1024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct SharedDevices {
    devices: BTreeSet<(Account, DeviceId)>,
    /// The viewers whose streams or openings ended after their devices had tuned away, and until when their requests may have been under way.
    displaced: BTreeMap<Viewer, Timestamp>,
}

impl SharedDevices {
    pub(super) fn contains(&self, account: Account, device: &DeviceId) -> bool {
        // The pair is only made where there is anything to look up.
        !self.devices.is_empty() && self.devices.contains(&(account, device.clone()))
    }

    pub(super) fn insert(&mut self, account: Account, device: DeviceId) {
        if self.devices.len() >= REMEMBERED {
            self.devices.clear();
        }
        self.devices.insert((account, device));
    }

    /// The stream of a viewer ends, or its opening before it has one, after its device has tuned away. Only a play session tells its requests from those of the
    /// device's next playback.
    pub(super) fn displace(&mut self, viewer: Viewer, until: Timestamp) {
        if viewer.device.is_some() && viewer.play_session.is_some() {
            if self.displaced.len() >= REMEMBERED {
                self.displaced.clear();
            }
            self.displaced.insert(viewer, until);
        }
    }

    /// Until when the requests of a viewer are taken for those that were under way when its device tuned away.
    pub(super) fn straggles_until(&self, viewer: &Viewer, now: Timestamp) -> Option<Timestamp> {
        self.displaced.get(viewer).copied().filter(|until| *until > now)
    }

    /// A viewer asks for a stream: if it was displaced, its device has several players.
    pub(super) fn asks(&mut self, viewer: &Viewer) {
        if self.displaced.remove(viewer).is_some()
            && let Some(device) = &viewer.device
        {
            self.insert(viewer.account, device.clone());
        }
    }

    pub(super) fn forget(&mut self, account: Account) {
        self.devices.retain(|(known, _)| *known != account);
        self.displaced.retain(|viewer, _| viewer.account != account);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.devices.len()
    }
}
