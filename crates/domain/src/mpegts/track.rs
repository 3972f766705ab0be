//! One PID of the program: what it carries, and whether its packets follow one another.

use crate::mpegts::packet::Packet;

/// Whose a packet is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Of nothing that belongs to the program's picture and sounds.
    #[default]
    Other,
    /// Of the tables.
    Tables,
    /// Of the picture.
    Video,
    /// Of a sound, by its place in [`Facts::audio`].
    Audio(usize),
    /// Of the clock alone.
    Clock,
}

/// How a packet follows the one before of its PID.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Continuity {
    /// Nothing is missing.
    #[default]
    Follows,
    /// It is the same packet once more, as it may be sent.
    Repeated,
    /// Something is missing before it.
    Broken,
}

/// A PID of the program.
#[derive(Debug)]
pub struct Track {
    pid: u16,
    role: Role,
    counter: Option<u8>,
    /// The last bytes of the packet before: what tells a repetition from a counter that stands still.
    last: [u8; 16],
}

impl Track {
    /// With the PID that carries it.
    #[must_use]
    pub const fn new(pid: u16, role: Role) -> Self {
        Self { pid, role, counter: None, last: [0; 16] }
    }

    /// Where it is.
    #[must_use]
    pub const fn pid(&self) -> u16 {
        self.pid
    }

    /// What it carries.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Nothing is expected of the next packet.
    pub const fn restart(&mut self) {
        self.counter = None;
    }

    /// Takes the next packet; says how it follows.
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
