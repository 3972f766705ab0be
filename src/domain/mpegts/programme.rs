//! The choice of one programme: the first of the PAT that has a picture, else the first.
//!
//! It does not know what is kept of it.

use crate::domain::mpegts::packet::Packet;
use crate::domain::mpegts::section::Sections;
use crate::domain::mpegts::tables::{self, Entry, Map};

/// Programmes that are looked at; a multiplex has some dozens at most.
const MOST: usize = 64;
/// A programme whose map has come so often is taken although an earlier one may yet show itself: tables list what was
/// filtered out of the stream.
const PATIENCE: u32 = 3;

/// The programmes of a stream.
#[derive(Debug, Default)]
pub(super) struct Programmes {
    association: Sections,
    programmes: Vec<Programme>,
    chosen: Option<(Entry, Map)>,
}

#[derive(Debug)]
struct Programme {
    entry: Entry,
    sections: Sections,
    map: Option<Map>,
    seen: u32,
}

impl Programmes {
    /// Where the PMTs are.
    pub(super) fn pids(&self) -> impl Iterator<Item = u16> {
        self.programmes.iter().map(|programme| programme.entry.pid)
    }

    /// The programme that was chosen, and where its map is.
    #[must_use]
    pub(super) const fn chosen(&self) -> Option<&(Entry, Map)> {
        self.chosen.as_ref()
    }

    /// Takes a packet of a table; says whether the choice, its map or the places of the tables have changed.
    pub(super) fn read(&mut self, packet: Packet<'_>) -> bool {
        let mut changed = false;
        if packet.pid() == 0 {
            let mut listed = None;
            self.association.read(packet, |section| {
                listed = tables::association(section).map(|entries| entries.take(MOST).collect::<Vec<_>>());
            });
            // An association without programmes says nothing.
            if let Some(listed) = listed.filter(|listed| !listed.is_empty()) {
                changed = self.list(&listed);
            }
        }
        for programme in &mut self.programmes {
            if programme.entry.pid == packet.pid() {
                programme.read(packet);
            }
        }
        let chosen = self.choose();
        if chosen.is_some() && chosen != self.chosen.as_ref().map(|(entry, map)| (*entry, map)) {
            self.chosen = chosen.map(|(entry, map)| (entry, map.clone()));
            return true;
        }
        changed
    }

    fn list(&mut self, listed: &[Entry]) -> bool {
        if self.programmes.iter().map(|programme| &programme.entry).eq(listed) {
            return false;
        }
        let mut before = std::mem::take(&mut self.programmes);
        self.programmes = listed
            .iter()
            .map(|entry| match before.iter().position(|programme| programme.entry == *entry) {
                Some(at) => before.swap_remove(at),
                None => Programme { entry: *entry, sections: Sections::default(), map: None, seen: 0 },
            })
            .collect();
        true
    }

    fn choose(&self) -> Option<(Entry, &Map)> {
        let mut first = None;
        let mut is_sure = true;
        for programme in &self.programmes {
            let Some(map) = &programme.map else {
                is_sure = false;
                continue;
            };
            let is_chosen = self.chosen.as_ref().is_some_and(|(entry, _)| *entry == programme.entry);
            if map.video().is_some() && (is_sure || is_chosen || programme.seen >= PATIENCE) {
                return Some((programme.entry, map));
            }
            if map.audio().next().is_some() {
                first.get_or_insert(programme);
            }
        }
        let first = first.filter(|first| is_sure || first.seen >= PATIENCE)?;
        Some((first.entry, first.map.as_ref()?))
    }
}

impl Programme {
    fn read(&mut self, packet: Packet<'_>) {
        let Self { entry, sections, map, seen } = self;
        sections.read(packet, |section| {
            if let Some(read) = tables::map(section).filter(|read| read.number == entry.number) {
                *seen = seen.saturating_add(1);
                if map.as_ref() != Some(&read) {
                    *map = Some(read);
                }
            }
        });
    }
}
