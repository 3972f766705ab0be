//! A server with few tuners: which channels are open and how often, who was reported to play, and the recorder
//! (docs/jellyfin.md 7).

use std::collections::BTreeSet;

use crate::multiset::Multiset;
use crate::time::Timestamp;

/// Between two attempts of a recording that was denied a tuner, in milliseconds.
const RETRY: u64 = 60_000;

/// A recording by timer; times in milliseconds.
#[derive(Clone, Debug)]
pub(super) struct Recording {
    pub(super) channel: u8,
    pub(super) starts: u64,
    pub(super) ends: u64,
    pub(super) began: Option<u64>,
    /// When it is tried next.
    pub(super) due: u64,
    pub(super) is_over: bool,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Server {
    pub(super) tuners: usize,
    /// The number of consumers of each open channel.
    pub(super) open: Multiset<u8>,
    /// The devices that were reported to play a channel.
    pub(super) records: BTreeSet<(u8, u8)>,
    pub(super) recordings: Vec<Recording>,
}

/// A recording that was denied a tuner.
#[derive(Clone, Copy, Debug)]
pub(super) struct Denied {
    pub(super) channel: u8,
}

impl Server {
    /// Takes a consumer of a channel. Returns false if all tuners have other channels.
    pub(super) fn open(&mut self, channel: u8) -> bool {
        let has_room = self.open.count(&channel) > 0 || self.open.len() < self.tuners;
        if has_room {
            self.open.add(channel);
        }
        has_room
    }

    /// Takes a consumer away, whoever's it is.
    pub(super) fn close(&mut self, channel: u8) {
        self.open.take(&channel);
    }

    /// A device reports that it plays.
    pub(super) fn report(&mut self, device: u8, channel: u8) {
        self.records.insert((device, channel));
    }

    /// A device reports that it has stopped, as 10.11 takes it.
    pub(super) fn stopped(&mut self, device: u8, channel: u8) {
        if self.records.remove(&(device, channel)) {
            self.close(channel);
        }
    }

    /// Begins and ends recordings. Returns those that were denied a tuner.
    pub(super) fn record(&mut self, now: u64) -> Vec<Denied> {
        let (mut denied, mut recordings) = (Vec::new(), std::mem::take(&mut self.recordings));
        for recording in &mut recordings {
            if recording.is_over || now < recording.due {
                continue;
            }
            if now >= recording.ends {
                recording.is_over = true;
                if recording.began.is_some() {
                    self.close(recording.channel);
                }
            } else if recording.began.is_none() {
                if self.open(recording.channel) {
                    (recording.began, recording.due) = (Some(now), recording.ends);
                } else {
                    recording.due = (recording.due + RETRY).min(recording.ends);
                    denied.push(Denied { channel: recording.channel });
                }
            }
        }
        self.recordings = recordings;
        denied
    }

    /// When a recording is to begin or to end.
    pub(super) fn next(&self) -> Option<u64> {
        self.recordings.iter().filter(|recording| !recording.is_over).map(|recording| recording.due).min()
    }
}

pub(super) fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}
