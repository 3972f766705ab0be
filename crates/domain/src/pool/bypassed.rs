//! Holds the viewers that play the server's own stream of a channel instead of the gateway's.
//!
//! A viewer that was passed on goes on with the server's stream: while it asks for that channel, it is not given another.

use std::collections::{BTreeMap, BTreeSet};

use crate::key::Channel;
use crate::time::Timestamp;
use crate::viewer::Viewer;

/// More viewers are not held: those are served by the gateway as soon as it can.
const AT_MOST: usize = 4096;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Bypassed {
    until: BTreeMap<(Viewer, Channel), Timestamp>,
    /// The same, the earliest end first.
    ends: BTreeSet<(Timestamp, Viewer, Channel)>,
}

impl Bypassed {
    /// Adds a viewer, or renews its time, unless there are too many.
    pub(super) fn insert(&mut self, viewer: Viewer, channel: Channel, until: Timestamp) {
        if self.until.len() < AT_MOST {
            self.ends.insert((until, viewer.clone(), channel.clone()));
            let before = self.until.insert((viewer.clone(), channel.clone()), until);
            if let Some(before) = before.filter(|before| *before != until) {
                self.ends.remove(&(before, viewer, channel));
            }
        }
    }

    /// All that are held, each until when.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Viewer, Channel, Timestamp)> {
        self.until.iter().map(|((viewer, channel), &until)| (viewer.clone(), channel.clone(), until))
    }

    /// Renews the time of a viewer that is held at `now`; says whether it is.
    pub(super) fn renew(
        &mut self,
        viewer: &Viewer,
        channel: &Channel,
        until: Timestamp,
        now: Timestamp,
    ) -> bool {
        if self.until.is_empty() {
            return false;
        }
        let Some(end) = self.until.get_mut(&(viewer.clone(), channel.clone())) else { return false };
        if *end <= now {
            return false;
        }
        self.ends.remove(&(*end, viewer.clone(), channel.clone()));
        self.ends.insert((until, viewer.clone(), channel.clone()));
        *end = until;
        true
    }

    /// Forgets the viewers whose time has passed.
    pub(super) fn expire(&mut self, now: Timestamp) {
        while self.deadline().is_some_and(|end| end <= now)
            && let Some((_, viewer, channel)) = self.ends.pop_first()
        {
            self.until.remove(&(viewer, channel));
        }
    }

    /// When the next viewer's time has passed.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.ends.first().map(|(end, ..)| *end)
    }
}
