//! Selects the streams of a program that segments contain, its video and one audio stream, and writes the tables that
//! list them.

use crate::mpegts::packet::Packet;
use crate::mpegts::tables::{Elementary, PatEntry, Pmt};
use crate::mpegts::track::Role;
use crate::mpegts::write;

/// The selected streams.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Selection {
    entry: PatEntry,
    map: Pmt,
    /// The position of the selected audio stream among all of them.
    audio: Option<usize>,
}

/// How a packet is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It belongs to the stream that segments start with: the video, or the audio of radio.
    Leading,
    /// It belongs to the audio beside the video.
    Audio,
    /// Only its PCR is kept.
    Clock,
    /// It is dropped.
    Nothing,
}

impl Selection {
    /// Selects the video, and the audio stream at position `audio` or else the first.
    pub(super) fn of((entry, map): &(PatEntry, Pmt), audio: usize) -> Self {
        let all_audio: Vec<_> = map.audio().map(|(stream, _)| stream).collect();
        // Radio has no other stream to start segments with.
        let audio = if map.video().is_some() && audio < all_audio.len() { audio } else { 0 };
        let video = map.video().map(|(pid, _)| pid);
        let is_kept = |stream: &&Elementary| {
            Some(stream.pid) == video || all_audio.get(audio).is_some_and(|kept| kept.pid == stream.pid)
        };
        let streams = map.streams.iter().filter(is_kept).cloned().collect();
        let audio = (!all_audio.is_empty()).then_some(audio);
        Self { entry: *entry, map: Pmt { streams, ..map.clone() }, audio }
    }

    /// Whether a player that was told of the selection `before` can continue.
    pub(super) fn continues(&self, before: &Self) -> bool {
        let what =
            |kept: &Self| kept.map.streams.iter().map(|stream| (stream.pid, stream.kind)).collect::<Vec<_>>();
        self.map.pcr_pid == before.map.pcr_pid && what(self) == what(before)
    }

    /// How `packet` is used, which carries `role`.
    pub(super) fn use_of(&self, packet: Packet<'_>, role: Role) -> Use {
        let has_video = self.map.video().is_some();
        match role {
            Role::Video => Use::Leading,
            Role::Audio(index) if Some(index) == self.audio => {
                if has_video {
                    Use::Audio
                } else {
                    Use::Leading
                }
            }
            Role::Audio(_) | Role::Clock | Role::Tables | Role::Other => {
                if packet.pid() == self.map.pcr_pid {
                    Use::Clock
                } else {
                    Use::Nothing
                }
            }
        }
    }

    /// Whether there is audio beside the video.
    pub(super) fn has_audio(&self) -> bool {
        self.map.video().is_some() && self.audio.is_some()
    }

    /// The tables that list the selection.
    pub(super) fn tables(&self) -> Tables {
        Tables {
            association: write::pat(self.entry),
            map: write::pmt(&self.map),
            pid: self.entry.pid,
            counters: (0, 0),
        }
    }
}

/// The tables in front of each segment.
#[derive(Debug)]
pub(super) struct Tables {
    association: Vec<u8>,
    map: Vec<u8>,
    pid: u16,
    counters: (u8, u8),
}

impl Tables {
    /// Continues the continuity counters of `before`.
    pub(super) const fn after(mut self, before: &Self) -> Self {
        self.counters = before.counters;
        self
    }

    /// Appends the tables to `out` as packets.
    pub(super) fn write(&mut self, out: &mut Vec<u8>) {
        write::packets(&self.association, 0, &mut self.counters.0, out);
        write::packets(&self.map, self.pid, &mut self.counters.1, out);
    }
}
