//! Assembles the sections of PAT and PMT from packets, and drops those with a wrong checksum.

use crate::mpegts::packet::Packet;

/// The most bytes of a PAT or PMT section (ISO/IEC 13818-1, 2.4.4).
const LARGEST: usize = 1024;

/// The table of CRC-32/MPEG-2: polynomial 04C11DB7, most significant bit first, not inverted.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = ((byte as u32) << 24, 0);
        while bit < 8 {
            crc = crc << 1 ^ if crc & 0x8000_0000 != 0 { 0x04c1_1db7 } else { 0 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// The CRC-32/MPEG-2 of `bytes`; zero for a section that includes a correct one.
#[must_use]
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, byte| crc << 8 ^ TABLE[usize::from((crc >> 24) as u8 ^ byte)])
}

/// Assembles the sections of one PID.
#[derive(Debug, Default)]
pub(super) struct Sections {
    bytes: Vec<u8>,
    under_way: bool,
    continuity: u8,
}

impl Sections {
    /// Reads the next packet of the PID, and passes each section that ends in it, without its checksum, to `each`.
    pub(super) fn read(&mut self, packet: Packet<'_>, mut each: impl FnMut(&[u8])) {
        let follows = packet.continuity() == (self.continuity + 1) & 15;
        self.continuity = packet.continuity();
        let mut payload = packet.payload();
        if packet.starts_unit() {
            let Some((&pointer, rest)) = payload.split_first() else { return };
            let Some((end, beginning)) = rest.split_at_checked(usize::from(pointer)) else { return };
            if follows {
                self.extend(end, &mut each);
            }
            self.bytes.clear();
            self.under_way = true;
            payload = beginning;
        } else if !follows {
            self.under_way = false;
        }
        self.extend(payload, &mut each);
    }

    fn extend(&mut self, payload: &[u8], each: &mut impl FnMut(&[u8])) {
        if !self.under_way {
            return;
        }
        self.bytes.extend_from_slice(payload);
        let mut begin = 0;
        while let Some(length) = length(&self.bytes[begin..]) {
            let Some(section) = self.bytes.get(begin..begin + length) else { break };
            if checksum(section) == 0
                && let Some((section, _)) = section.split_last_chunk::<4>()
            {
                each(section);
            }
            begin += length;
        }
        self.bytes.drain(..begin);
        // Drops stuffing, and sections that are too long for the tables read here.
        self.under_way = self.bytes.first() != Some(&0xff) && self.bytes.len() <= LARGEST;
    }
}

/// The length of the section at the start of `bytes`; `None` if it is incomplete, or if stuffing follows.
fn length(bytes: &[u8]) -> Option<usize> {
    let [table, high, low, ..] = *bytes else { return None };
    let length = 3 + usize::from(u16::from_be_bytes([high & 0x0f, low]));
    (table != 0xff && length <= LARGEST).then_some(length)
}
