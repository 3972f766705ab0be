//! Chooses one program: the first of the PAT that has video, else the first that has audio.
//!
//! It does not know which of its streams are kept.

use crate::mpegts::packet::Packet;
use crate::mpegts::section::Sections;
use crate::mpegts::tables::{self, PatEntry, Pmt};

/// The most programs that are considered; a multiplex has a few dozen.
const MOST: usize = 64;
/// How often the PMT of a program must arrive until it is chosen although the PMT of an earlier one has not been seen: a
/// PAT often still lists programs that were filtered out of the stream.
const PATIENCE: u32 = 3;

/// The programs of a stream.
#[derive(Debug, Default)]
pub(super) struct Programs {
    association: Sections,
    programs: Vec<Program>,
    chosen: Option<(PatEntry, Pmt)>,
}

#[derive(Debug)]
struct Program {
    entry: PatEntry,
    sections: Sections,
    map: Option<Pmt>,
    seen: u32,
}

impl Programs {
    /// The PIDs of the PMTs.
    pub(super) fn pids(&self) -> impl Iterator<Item = u16> {
        self.programs.iter().map(|program| program.entry.pid)
    }

    /// The chosen program.
    #[must_use]
    pub(super) const fn chosen(&self) -> Option<&(PatEntry, Pmt)> {
        self.chosen.as_ref()
    }

    /// Reads a packet of a table; returns whether the choice, its PMT or the PIDs of the tables changed.
    pub(super) fn read(&mut self, packet: Packet<'_>) -> bool {
        let mut changed = false;
        if packet.pid() == 0 {
            let mut listed = None;
            self.association.read(packet, |section| {
                listed = tables::pat(section).map(|entries| entries.take(MOST).collect::<Vec<_>>());
            });
            // A PAT without programs carries no information.
            if let Some(listed) = listed.filter(|listed| !listed.is_empty()) {
                changed = self.list(&listed);
            }
        }
        for program in &mut self.programs {
            if program.entry.pid == packet.pid() {
                program.read(packet);
            }
        }
        let chosen = self.choose();
        if chosen.is_some() && chosen != self.chosen.as_ref().map(|(entry, map)| (*entry, map)) {
            self.chosen = chosen.map(|(entry, map)| (entry, map.clone()));
            return true;
        }
        changed
    }

    fn list(&mut self, listed: &[PatEntry]) -> bool {
        if self.programs.iter().map(|program| &program.entry).eq(listed) {
            return false;
        }
        let mut before = std::mem::take(&mut self.programs);
        self.programs = listed
            .iter()
            .map(|entry| match before.iter().position(|program| program.entry == *entry) {
                Some(at) => before.swap_remove(at),
                None => Program { entry: *entry, sections: Sections::default(), map: None, seen: 0 },
            })
            .collect();
        true
    }

    fn choose(&self) -> Option<(PatEntry, &Pmt)> {
        let mut first = None;
        let mut is_sure = true;
        for program in &self.programs {
            let Some(map) = &program.map else {
                is_sure = false;
                continue;
            };
            let is_chosen = self.chosen.as_ref().is_some_and(|(entry, _)| *entry == program.entry);
            if map.video().is_some() && (is_sure || is_chosen || program.seen >= PATIENCE) {
                return Some((program.entry, map));
            }
            if map.audio().next().is_some() {
                first.get_or_insert(program);
            }
        }
        let first = first.filter(|first| is_sure || first.seen >= PATIENCE)?;
        Some((first.entry, first.map.as_ref()?))
    }
}

impl Program {
    fn read(&mut self, packet: Packet<'_>) {
        let Self { entry, sections, map, seen } = self;
        sections.read(packet, |section| {
            if let Some(read) = tables::pmt(section).filter(|read| read.number == entry.number) {
                *seen = seen.saturating_add(1);
                if map.as_ref() != Some(&read) {
                    *map = Some(read);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mpegts::facts::{AudioCodec, VideoCodec};
    use crate::mpegts::packet::PACKET;
    use crate::mpegts::tables::{Elementary, Kind};
    use crate::mpegts::write;

    const ENTRIES: [PatEntry; 3] = [
        PatEntry { number: 1, pid: 0x30 },
        PatEntry { number: 2, pid: 0x31 },
        PatEntry { number: 3, pid: 0x32 },
    ];

    fn map_of(number: u16, kinds: &[Kind]) -> Pmt {
        let stream = |(nth, kind): (u16, &Kind)| Elementary {
            pid: 0x100 + nth,
            kind: *kind,
            language: Some("deu".into()),
            descriptors: vec![0x0a, 4, b'd', b'e', b'u', 0],
        };
        Pmt { number, pcr_pid: 0x100, streams: (0..).zip(kinds).map(stream).collect() }
    }

    fn read(programs: &mut Programs, pid: u16, section: &[u8], counter: &mut u8) -> bool {
        let mut out = Vec::new();
        write::packets(section, pid, counter, &mut out);
        let changes = out.chunks(PACKET).filter(|bytes| programs.read(Packet::new(bytes).unwrap()));
        changes.count() > 0
    }

    fn list(programs: &mut Programs) {
        // [`write`] lists a single program, so this test builds a section with three.
        let mut section = vec![0, 0xb0, 9 + 12, 0, 1, 0xc1, 0, 0];
        for PatEntry { number, pid } in ENTRIES {
            section.extend([number.to_be_bytes(), (0xe000 | pid).to_be_bytes()].concat());
        }
        section.extend(crate::mpegts::section::checksum(&section).to_be_bytes());
        assert!(read(programs, 0, &section, &mut 0));
    }

    const RADIO: &[Kind] = &[Kind::Audio(AudioCodec::Aac)];
    const TELEVISION: &[Kind] = &[Kind::Video(VideoCodec::H264), Kind::Audio(AudioCodec::Aac), Kind::Other];

    fn number(programs: &Programs) -> Option<u16> {
        programs.chosen().map(|(entry, _)| entry.number)
    }

    #[test]
    fn the_first_with_video_is_chosen() {
        let mut programs = Programs::default();
        list(&mut programs);
        assert!(!read(&mut programs, 0x32, &write::pmt(&map_of(3, TELEVISION)), &mut 0));
        assert!(!read(&mut programs, 0x30, &write::pmt(&map_of(1, RADIO)), &mut 0));
        assert!(read(&mut programs, 0x31, &write::pmt(&map_of(2, TELEVISION)), &mut 0));
        assert_eq!(number(&programs), Some(2));
        assert_eq!(programs.chosen().unwrap().1.streams[1].language.as_deref(), Some("deu"));
    }

    #[test]
    fn what_was_filtered_out_is_not_waited_for() {
        let mut programs = Programs::default();
        list(&mut programs);
        let section = write::pmt(&map_of(3, TELEVISION));
        let chosen: Vec<_> = (0..3).map(|nth| read(&mut programs, 0x32, &section, &mut { nth })).collect();
        assert_eq!((chosen, number(&programs)), (vec![false, false, true], Some(3)));
    }

    #[test]
    fn a_long_map_is_put_together_and_a_wrong_one_is_not_believed() {
        let kinds = [Kind::Audio(AudioCodec::Ac3); 30];
        let mut section = write::pmt(&map_of(1, &[TELEVISION, &kinds[..]].concat()));
        assert!(section.len() > 2 * PACKET);
        let mut programs = Programs::default();
        let association = write::pat(ENTRIES[0]);
        read(&mut programs, 0, &association, &mut 0);
        section[40] ^= 1;
        assert!(!read(&mut programs, 0x30, &section, &mut 0));
        section[40] ^= 1;
        assert!(read(&mut programs, 0x30, &section, &mut 5));
        assert_eq!(programs.chosen().unwrap().1.audio().count(), 31);
    }
}
