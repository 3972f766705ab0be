//! Reads a transport stream packet by packet: which stream a packet belongs to, whether packets are missing before it,
//! and where random access points are.
//!
//! Packets are numbered from zero. A random access point is often recognised some packets later; the result then names
//! its packet. The scan keeps the start of one PES packet and nothing else of the stream.

use crate::mpegts::audio_header::{self, Header};
use crate::mpegts::facts::{Audio, Facts, Video, VideoCodec};
use crate::mpegts::packet::{PIDS, Packet};
use crate::mpegts::pes::{Pes, Stamps};
use crate::mpegts::pes_head::PesHead;
use crate::mpegts::program::Programs;
use crate::mpegts::tables::{PatEntry, Pmt};
use crate::mpegts::track::{Continuity, Role, Track};

/// What one packet means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The stream it belongs to.
    pub role: Role,
    /// How it follows the previous packet of its PID.
    pub continuity: Continuity,
    /// Whether its payload is scrambled.
    pub scrambled: bool,
    /// Whether it changed the tables of the program.
    pub tables: bool,
    /// Whether its audio stream changed format, so that a decoder must be set up again.
    pub format: bool,
    /// The access unit that this packet made recognisable: of the video, or of the first audio stream for radio.
    pub access_unit: Option<AccessUnit>,
}

/// A PES packet in which an access unit starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessUnit {
    /// The number of its first packet.
    pub packet: u64,
    /// Its time stamps.
    pub stamps: Stamps,
    /// Whether it is a random access point.
    pub random_access: bool,
    /// Whether a decoder must be set up again for it.
    pub format: bool,
}

/// Scans one transport stream.
#[derive(Debug)]
pub struct Scan {
    programs: Programs,
    /// By PID: the position in `tracks`, counted from 1; 0 for PIDs that are ignored.
    places: Box<[u8; PIDS]>,
    tracks: Vec<Track>,
    head: Option<PesHead>,
    /// The access unit that `head` belongs to.
    access_unit: AccessUnit,
    facts: Facts,
    /// The last header of each audio stream.
    audio_headers: Vec<Option<Header>>,
    packets: u64,
}

impl Default for Scan {
    fn default() -> Self {
        let mut scan = Self {
            programs: Programs::default(),
            places: Box::new([0; PIDS]),
            tracks: Vec::new(),
            head: None,
            access_unit: AccessUnit {
                packet: 0,
                stamps: Stamps::default(),
                random_access: false,
                format: false,
            },
            facts: Facts::default(),
            audio_headers: Vec::new(),
            packets: 0,
        };
        scan.assign();
        scan
    }
}

impl Scan {
    /// The number of packets read.
    #[must_use]
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// What the program carries, as far as it is known; `None` before the tables have arrived.
    #[must_use]
    pub const fn facts(&self) -> Option<&Facts> {
        match self.programs.chosen() {
            Some(_) => Some(&self.facts),
            None => None,
        }
    }

    /// Whether every stream has told its format, or is scrambled.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let told = |audio: &Audio| {
            audio.scrambled || audio.sample_rate.is_some() || !audio_header::has_header(audio.codec)
        };
        let shown = |video: &Video| {
            video.scrambled || video.size.is_some() || matches!(video.codec, VideoCodec::Other(_))
        };
        self.programs.chosen().is_some()
            && self.facts.video.as_ref().is_none_or(shown)
            && self.facts.audio.iter().all(told)
    }

    /// The program that is read.
    #[must_use]
    pub const fn program(&self) -> Option<&(PatEntry, Pmt)> {
        self.programs.chosen()
    }

    /// Declares that the next packet does not continue the last one. Tables stay in force until new ones arrive.
    pub fn splice(&mut self) {
        for track in &mut self.tracks {
            track.restart();
        }
        if let Some(head) = &mut self.head {
            head.abandon();
        }
    }

    /// Reads the next packet.
    pub fn read(&mut self, packet: Packet<'_>) -> Seen {
        let number = self.packets;
        self.packets += 1;
        let place = self.places.get(usize::from(packet.pid())).copied().unwrap_or(0);
        let Some(track) = usize::from(place).checked_sub(1).and_then(|at| self.tracks.get_mut(at)) else {
            return Seen::default();
        };
        let mut seen = Seen { role: track.role(), scrambled: packet.is_scrambled(), ..Seen::default() };
        if packet.is_damaged() {
            track.restart();
            seen.continuity = Continuity::Broken;
            return seen;
        }
        seen.continuity = track.follow(packet);
        if seen.continuity == Continuity::Repeated {
            return seen;
        }
        match seen.role {
            Role::Tables => seen.tables = self.read_table(packet),
            Role::Video | Role::Audio(_) if seen.scrambled => self.hide(seen.role),
            Role::Video => seen.access_unit = self.read_video(packet, number),
            Role::Audio(index) => (seen.format, seen.access_unit) = self.read_audio(packet, index, number),
            Role::Clock | Role::Other => {}
        }
        seen
    }

    fn read_table(&mut self, packet: Packet<'_>) -> bool {
        let changed = self.programs.read(packet);
        if changed {
            self.assign();
        }
        changed && self.programs.chosen().is_some()
    }

    fn read_video(&mut self, packet: Packet<'_>, number: u64) -> Option<AccessUnit> {
        let head = self.head.as_mut()?;
        if packet.starts_unit() {
            let Some(pes) = Pes::read(packet.payload()) else {
                head.abandon();
                return None;
            };
            self.access_unit =
                AccessUnit { packet: number, stamps: pes.stamps, random_access: false, format: false };
            head.begin(pes.header, packet.is_random_access());
        }
        let random_access = head.extend(packet.payload())?;
        let before = self.facts.video.as_ref();
        if random_access && before != Some(head.video()) {
            let known = before.is_some_and(|before| before.size.is_some());
            self.access_unit.format = known && before.is_some_and(|before| !head.video().continues(before));
            self.facts.video = Some(head.video().clone());
        }
        Some(AccessUnit { random_access, ..self.access_unit })
    }

    /// Marks the stream of `role` as scrambled.
    fn hide(&mut self, role: Role) {
        let scrambled = match role {
            Role::Video => self.facts.video.as_mut().map(|video| &mut video.scrambled),
            Role::Audio(index) => self.facts.audio.get_mut(index).map(|audio| &mut audio.scrambled),
            Role::Tables | Role::Clock | Role::Other => None,
        };
        if let Some(scrambled) = scrambled {
            *scrambled = true;
        }
    }

    /// Reads an audio packet; returns whether the format changed, and the access unit of radio.
    fn read_audio(&mut self, packet: Packet<'_>, index: usize, number: u64) -> (bool, Option<AccessUnit>) {
        let Some(pes) = Pes::read(packet.payload()).filter(|_| packet.starts_unit()) else {
            return (false, None);
        };
        let leads = self.head.is_none() && index == 0;
        let format = self.read_audio_header(index, packet.payload().get(pes.header..).unwrap_or_default());
        let unit = AccessUnit { packet: number, stamps: pes.stamps, random_access: true, format };
        (format, leads.then_some(unit))
    }

    /// Reads an audio header; returns whether the format changed.
    fn read_audio_header(&mut self, index: usize, content: &[u8]) -> bool {
        let (Some(audio), Some(last_header)) =
            (self.facts.audio.get_mut(index), self.audio_headers.get_mut(index))
        else {
            return false;
        };
        let Some((header, at)) = audio_header::header(audio.codec, content) else {
            audio.scrambled &= audio_header::has_header(audio.codec);
            return false;
        };
        // A header inside a frame may be a coincidence, but the same one does not occur twice.
        let last = last_header.replace(header).map(|last| last.format());
        if at > 0 && last != Some(header.format()) {
            return false;
        }
        audio.scrambled = false;
        let before = (audio.codec, audio.channels, audio.sample_rate);
        if before == header.format() {
            return false;
        }
        audio.codec = header.codec;
        audio.channels = header.channels;
        audio.sample_rate = header.sample_rate;
        audio.bitrate = header.bitrate;
        before.2.is_some()
    }

    /// Assigns roles to the PIDs of the program.
    fn assign(&mut self) {
        let mut tracks = vec![Track::new(0, Role::Tables)];
        tracks.extend(self.programs.pids().map(|pid| Track::new(pid, Role::Tables)));
        if let Some((_, map)) = self.programs.chosen() {
            let video = map.video();
            tracks.extend(video.map(|(pid, _)| Track::new(pid, Role::Video)));
            tracks.extend(
                map.audio()
                    .enumerate()
                    .map(|(index, (stream, _))| Track::new(stream.pid, Role::Audio(index))),
            );
            tracks.push(Track::new(map.pcr_pid, Role::Clock));
            let codec = video.map(|(_, codec)| codec);
            if self.facts.video.as_ref().map(|video| video.codec) != codec {
                self.facts.video = codec.map(Video::unknown);
            }
            self.head = codec.map(PesHead::new);
            self.facts.audio = map
                .audio()
                .map(|(stream, codec)| Audio { language: stream.language.clone(), ..Audio::unknown(codec) })
                .collect();
            self.audio_headers = vec![None; self.facts.audio.len()];
        }
        for track in &mut self.tracks {
            if let Some(place) = self.places.get_mut(usize::from(track.pid())) {
                *place = 0;
            }
        }
        for (place, track) in (1..=u8::MAX).zip(&mut tracks) {
            // The first role wins: the PCR is most often carried by the video.
            if let Some(free @ 0) = self.places.get_mut(usize::from(track.pid())) {
                *free = place;
            }
        }
        self.tracks = tracks;
    }
}
