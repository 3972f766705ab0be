//! Reads the fields of one transport stream packet in place (ISO/IEC 13818-1, 2.4.3.2).
//!
//! It looks at no other packet, and reads nothing beyond the end of this one, whatever a length field claims.

use crate::mpegts::clock::Ticks;

/// Bytes of a packet.
pub const PACKET: usize = 188;
/// The byte that starts every packet.
pub const SYNC: u8 = 0x47;
/// The number of PIDs.
pub const PIDS: usize = 0x2000;

/// A packet.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a>(&'a [u8; PACKET]);

impl<'a> Packet<'a> {
    /// The packet at the start of `bytes`, if there is one.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        bytes.first_chunk().filter(|bytes| bytes[0] == SYNC).map(Self)
    }

    /// The packets of a run that [`Align`](crate::mpegts::align::Align) returned.
    pub fn all(run: &'a [u8]) -> impl Iterator<Item = Self> {
        run.as_chunks().0.iter().map(Self)
    }

    /// The bytes of the packet.
    #[must_use]
    pub const fn bytes(self) -> &'a [u8; PACKET] {
        self.0
    }

    /// The PID.
    #[must_use]
    pub const fn pid(self) -> u16 {
        u16::from_be_bytes([self.0[1] & 0x1f, self.0[2]])
    }

    /// Whether the receiver marked the packet as damaged (`transport_error_indicator`).
    #[must_use]
    pub const fn is_damaged(self) -> bool {
        self.0[1] & 0x80 != 0
    }

    /// Whether a PES packet or a section starts in it (`payload_unit_start_indicator`).
    #[must_use]
    pub const fn starts_unit(self) -> bool {
        self.0[1] & 0x40 != 0
    }

    /// Whether the payload is scrambled.
    #[must_use]
    pub const fn is_scrambled(self) -> bool {
        self.0[3] & 0xc0 != 0
    }

    /// The continuity counter: counts the packets of a PID that have a payload, modulo 16.
    #[must_use]
    pub const fn continuity(self) -> u8 {
        self.0[3] & 0x0f
    }

    /// Whether there is a payload.
    #[must_use]
    pub const fn has_payload(self) -> bool {
        self.0[3] & 0x10 != 0
    }

    /// The payload; empty if there is none, or if the adaptation field claims to be longer than the packet.
    #[must_use]
    pub fn payload(self) -> &'a [u8] {
        let skipped = match self.0[3] & 0x30 {
            0x10 => 4,
            0x30 => 5 + usize::from(self.0[4]),
            _ => PACKET,
        };
        self.0.get(skipped..).unwrap_or_default()
    }

    /// Whether counters and clock may jump here (`discontinuity_indicator`).
    #[must_use]
    pub fn is_discontinuous(self) -> bool {
        self.adaptation().first().is_some_and(|flags| flags & 0x80 != 0)
    }

    /// Whether the packet declares a random access point (`random_access_indicator`).
    #[must_use]
    pub fn is_random_access(self) -> bool {
        self.adaptation().first().is_some_and(|flags| flags & 0x40 != 0)
    }

    /// The program clock reference, without its extension.
    #[must_use]
    pub fn pcr(self) -> Option<Ticks> {
        match self.adaptation() {
            [flags, a, b, c, d, e, _, ..] if flags & 0x10 != 0 => {
                Some(Ticks::from(u32::from_be_bytes([*a, *b, *c, *d])) << 1 | Ticks::from(e >> 7))
            }
            _ => None,
        }
    }

    /// The adaptation field without its length; empty if there is none.
    fn adaptation(self) -> &'a [u8] {
        if self.0[3] & 0x20 == 0 {
            return &[];
        }
        self.0.get(5..5 + usize::from(self.0[4])).unwrap_or_default()
    }

    /// A packet with the PCR of this one and nothing else; `None` if it has no PCR.
    #[must_use]
    pub fn clock_only(self) -> Option<[u8; PACKET]> {
        self.pcr()?;
        let mut bytes = [0xff; PACKET];
        bytes[..3].copy_from_slice(&[SYNC, self.0[1] & 0x1f, self.0[2]]);
        // An adaptation field without payload does not count the counter on.
        bytes[3] = 0x20;
        bytes[4] = 183;
        bytes[5] = self.0[5] & 0x80 | 0x10;
        bytes[6..12].copy_from_slice(&self.0[6..12]);
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(head: &[u8]) -> [u8; PACKET] {
        let mut bytes = [0xff; PACKET];
        bytes[..head.len()].copy_from_slice(head);
        bytes
    }

    #[test]
    fn a_header_is_read_as_the_standard_lays_it_out() {
        let bytes = packet(&[0x47, 0x41, 0x00, 0x37, 7, 0x50, 0x00, 0x00, 0x00, 0x01, 0x80, 0x00, 0xab]);
        let packet = Packet::new(&bytes).unwrap();
        assert_eq!((packet.pid(), packet.continuity(), packet.starts_unit()), (0x100, 7, true));
        assert!(packet.has_payload() && packet.is_random_access());
        assert!(!packet.is_discontinuous() && !packet.is_scrambled() && !packet.is_damaged());
        assert_eq!(packet.pcr(), Some(3));
        assert_eq!((packet.payload().len(), packet.payload()[0]), (188 - 12, 0xab));
    }

    #[test]
    fn what_claims_too_much_is_empty() {
        for (control, length) in [(0x30, 184), (0x30, 255), (0x20, 183), (0x00, 0)] {
            let bytes = packet(&[0x47, 0, 0, control, length]);
            assert!(Packet::new(&bytes).unwrap().payload().is_empty(), "{control:x} {length}");
        }
        // A PCR flag in a field that is too short for a PCR.
        let bytes = packet(&[0x47, 0, 0, 0x30, 1, 0x10]);
        assert_eq!(Packet::new(&bytes).unwrap().pcr(), None);
        assert!(Packet::new(&bytes[..187]).is_none());
        assert!(Packet::new(&packet(&[0x48])).is_none());
    }

    #[test]
    fn a_clock_survives_alone() {
        let bytes = packet(&[0x47, 0x41, 0x23, 0x37, 7, 0x50, 1, 2, 3, 4, 0x80, 0x00, 0xab]);
        let packet = Packet::new(&bytes).unwrap();
        let alone = packet.clock_only().unwrap();
        let alone = Packet::new(&alone).unwrap();
        assert_eq!((alone.pid(), alone.pcr()), (0x123, packet.pcr()));
        assert!(!alone.has_payload() && !alone.starts_unit() && !alone.is_random_access());
        assert!(alone.payload().is_empty());
    }
}
