//! What is kept of a program, its picture and one sound, and the tables that say so.

use crate::mpegts::packet::Packet;
use crate::mpegts::tables::{Elementary, PatEntry, Pmt};
use crate::mpegts::track::Role;
use crate::mpegts::write;

/// What is kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Selection {
    entry: PatEntry,
    map: Pmt,
    /// The place of its sound among the program's.
    sound: Option<usize>,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It leads: segments begin with it.
    Leading,
    /// It accompanies what leads.
    Sound,
    /// The clock in it is kept.
    Clock,
    /// It is dropped.
    Nothing,
}

impl Selection {
    /// The picture and the sound at place `sound`, or the first one.
    pub(super) fn of((entry, map): &(PatEntry, Pmt), sound: usize) -> Self {
        let sounds: Vec<_> = map.audio().map(|(stream, _)| stream).collect();
        // Radio has the leading sound only.
        let sound = if map.video().is_some() && sound < sounds.len() { sound } else { 0 };
        let video = map.video().map(|(pid, _)| pid);
        let is_kept = |stream: &&Elementary| {
            Some(stream.pid) == video || sounds.get(sound).is_some_and(|kept| kept.pid == stream.pid)
        };
        let streams = map.streams.iter().filter(is_kept).cloned().collect();
        let sound = (!sounds.is_empty()).then_some(sound);
        Self { entry: *entry, map: Pmt { streams, ..map.clone() }, sound }
    }

    /// Whether a player that was told of `before` may go on.
    pub(super) fn continues(&self, before: &Self) -> bool {
        let what =
            |kept: &Self| kept.map.streams.iter().map(|stream| (stream.pid, stream.kind)).collect::<Vec<_>>();
        self.map.pcr_pid == before.map.pcr_pid && what(self) == what(before)
    }

    /// What becomes of `packet`, which has this role in the program.
    pub(super) fn use_of(&self, packet: Packet<'_>, role: Role) -> Use {
        let has_picture = self.map.video().is_some();
        match role {
            Role::Video => Use::Leading,
            Role::Audio(index) if Some(index) == self.sound => {
                if has_picture {
                    Use::Sound
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

    /// Whether it has a sound beside what leads.
    pub(super) fn has_sound(&self) -> bool {
        self.map.video().is_some() && self.sound.is_some()
    }

    /// The sections that say what is kept.
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
    /// Counts on from those of before.
    pub(super) const fn after(mut self, before: &Self) -> Self {
        self.counters = before.counters;
        self
    }

    /// Appends them to `out` as packets.
    pub(super) fn write(&mut self, out: &mut Vec<u8>) {
        write::packets(&self.association, 0, &mut self.counters.0, out);
        write::packets(&self.map, self.pid, &mut self.counters.1, out);
    }
}
