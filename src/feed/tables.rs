//! Keeps the packets of the latest PAT and PMTs, which a reader needs before an access point to decode anything.
//!
//! It does not parse them.

use bytes::Bytes;

use domain::mpegts::packet::{PACKET, Packet};

/// The PID of the PAT.
const PAT: u16 = 0;
/// The longest table, in bytes.
const LONGEST: usize = 24 * PACKET;

/// The latest tables by PID.
#[derive(Debug, Default)]
pub(super) struct Tables {
    latest: Vec<(u16, Vec<u8>)>,
    /// The PAT and the PMT at this PID, until either comes again.
    joined: Option<(u16, Bytes)>,
}

impl Tables {
    /// Takes a packet of a table.
    pub(super) fn take(&mut self, packet: Packet<'_>) {
        let pid = packet.pid();
        let at = self.latest.iter().position(|(known, _)| *known == pid).unwrap_or_else(|| {
            self.latest.push((pid, Vec::new()));
            self.latest.len() - 1
        });
        let (_, packets) = &mut self.latest[at];
        if packet.starts_unit() || packets.len() >= LONGEST {
            packets.clear();
        }
        packets.extend_from_slice(packet.bytes());
        self.joined = None;
    }

    /// The packets of the PAT and of the PMT at `pid`.
    pub(super) fn of(&mut self, pid: u16) -> Bytes {
        if let Some((_, joined)) = self.joined.as_ref().filter(|(of, _)| *of == pid) {
            return joined.clone();
        }
        let wanted = |wanted: u16| self.latest.iter().filter(move |(known, _)| *known == wanted);
        let joined: Bytes =
            wanted(PAT).chain(wanted(pid)).flat_map(|(_, packets)| packets).copied().collect();
        self.joined = Some((pid, joined.clone()));
        joined
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(pid: u8, starts: bool, mark: u8) -> [u8; PACKET] {
        let mut packet = [mark; PACKET];
        packet[..4].copy_from_slice(&[0x47, if starts { 0x40 } else { 0 }, pid, 0x10]);
        packet
    }

    /// The marks of the packets put before an access point of the program whose map is at 2.
    fn marks(packets: &[(u8, bool, u8)]) -> Vec<u8> {
        let mut tables = Tables::default();
        for (pid, starts, mark) in packets {
            tables.take(Packet::new(&packet(*pid, *starts, *mark)).unwrap());
            tables.of(2);
        }
        tables.of(1);
        tables.of(2).chunks(PACKET).map(|packet| packet[100]).collect()
    }

    #[test]
    fn the_latest_of_both_is_put_in_front() {
        let first = [(2, true, 1), (2, false, 2), (3, true, 3), (0, true, 4)];
        assert_eq!(marks(&first), [4, 1, 2]);
        let again = [first.as_slice(), &[(0, true, 5), (2, true, 6)]].concat();
        assert_eq!(marks(&again), [5, 6]);
        assert!(marks(&[(3, true, 1)]).is_empty());
    }

    #[test]
    fn what_never_begins_anew_is_not_kept_for_ever() {
        assert!(marks(&[(2, false, 1); 100]).len() <= 24);
    }
}
