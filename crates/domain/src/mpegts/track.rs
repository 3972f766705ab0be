//! Follows one PID of the program: its role, and whether packets are missing.

use crate::mpegts::packet::Packet;

/// What a PID carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Nothing that belongs to the audio or video of the program.
    #[default]
    Other,
    /// PAT or PMT.
    Tables,
    /// The video.
    Video,
    /// An audio stream, by its position in [`Facts::audio`](crate::mpegts::facts::Facts::audio).
    Audio(usize),
    /// The program clock reference and nothing else.
    Clock,
}

/// How a packet follows the previous one of its PID.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Continuity {
    /// No packet is missing.
    #[default]
    Follows,
    /// It repeats the previous packet, as ISO/IEC 13818-1, 2.4.3.3 allows.
    Repeated,
    /// Packets are missing before it.
    Broken,
}

/// A PID of the program.
#[derive(Debug)]
pub struct Track {
    pid: u16,
    role: Role,
    counter: Option<u8>,
    /// The end of the previous packet: tells a repeated packet from a counter that stands still.
    last: [u8; 16],
}

impl Track {
    /// Follows `pid`.
    #[must_use]
    pub const fn new(pid: u16, role: Role) -> Self {
        Self { pid, role, counter: None, last: [0; 16] }
    }

    /// The PID.
    #[must_use]
    pub const fn pid(&self) -> u16 {
        self.pid
    }

    /// What it carries.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Forgets the counter: any packet may come next.
    pub const fn restart(&mut self) {
        self.counter = None;
    }

    /// Takes the next packet.
    pub fn follow(&mut self, packet: Packet<'_>) -> Continuity {
        if !packet.has_payload() {
            return Continuity::Follows;
        }
        let counter = packet.continuity();
        let before = self.counter.replace(counter);
        let last = *packet.bytes().last_chunk().unwrap_or(&[0; 16]);
        let is_same = std::mem::replace(&mut self.last, last) == last;
        match before {
            None => Continuity::Follows,
            Some(before) if (before + 1) & 15 == counter || packet.is_discontinuous() => Continuity::Follows,
            Some(before) if before == counter && is_same => Continuity::Repeated,
            Some(_) => Continuity::Broken,
        }
    }
}
