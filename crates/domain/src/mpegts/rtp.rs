//! Takes the transport stream out of RTP (RFC 3550, RFC 2250): it drops RTP headers and RTCP reports.
//!
//! It finds the datagrams by their bytes alone, and does not reorder them.

use bytes::{Buf, Bytes, BytesMut};

use crate::mpegts::packet::{PACKET, SYNC};

/// Bytes of the fixed part of an RTP header.
const HEADER: usize = 12;
/// The most bytes of a datagram on most networks; a longer header is not believed.
const LONGEST: usize = 1500;
/// RTCP packet types; RFC 5761 reserves them among the payload types.
const REPORTS: std::ops::RangeInclusive<u8> = 200..=207;

/// Drops RTP headers.
#[derive(Debug, Default)]
pub struct Unwrap {
    /// The start of a packet or header that is incomplete.
    rest: BytesMut,
}

impl Unwrap {
    /// Returns the whole packets in `bytes` and what was left before.
    pub fn take(&mut self, bytes: &[u8]) -> Bytes {
        self.rest.extend_from_slice(bytes);
        let mut packets = BytesMut::with_capacity(self.rest.len());
        while let Some((header, length)) = next(&self.rest) {
            if self.rest.len() < length {
                break;
            }
            if header {
                self.rest.advance(length);
            } else {
                packets.extend_from_slice(&self.rest.split_to(length));
            }
        }
        packets.freeze()
    }
}

/// The length of the next item, and whether it is a header; `None` if more bytes are needed. A header is believed if a
/// packet follows it. Bytes that are neither are passed on one by one, for [`Align`](crate::mpegts::align::Align) to
/// judge.
fn next(bytes: &[u8]) -> Option<(bool, usize)> {
    let first = *bytes.first()?;
    if first == SYNC {
        return Some((false, PACKET));
    }
    if first >> 6 != 2 {
        return Some((false, 1));
    }
    let word = |at: usize| Some(usize::from(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?])));
    let (length, is_report) = if REPORTS.contains(bytes.get(1)?) {
        (4 * (word(2)? + 1), true)
    } else {
        let length = HEADER + 4 * usize::from(first & 0x0f);
        let is_extended = first & 0x10 != 0;
        (if is_extended { length + 4 + 4 * word(length + 2)? } else { length }, false)
    };
    let is_header = length <= LONGEST && (is_report || *bytes.get(length)? == SYNC);
    Some(if is_header { (true, length) } else { (false, 1) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(mark: u8) -> Vec<u8> {
        let mut packet = vec![mark; PACKET];
        packet[0] = SYNC;
        packet
    }

    /// In pieces of any size, with any number of packets per datagram.
    #[test]
    fn headers_and_reports_are_taken_off() {
        let plain = [&[0x80, 0x21][..], &[0; 10]].concat();
        let contributed = [&[0x82, 0xa1][..], &[SYNC; 10 + 8]].concat();
        let extended = [&[0x91, 0x21][..], &[0; 10 + 4], &[0xbe, 0xde, 0, 2], &[SYNC; 8]].concat();
        let report = [&[0x80, 200, 0, 6][..], &[0x80; 24], &[0x81, 202, 0, 1], &[SYNC; 4]].concat();
        let parts = [
            (&plain, vec![1]),
            (&contributed, vec![0x80, 2]),
            (&report, vec![]),
            (&extended, vec![3, 4, 5, 6, 7, 8, 9]),
        ];
        let (mut stream, mut expected) = (Vec::new(), Vec::new());
        for (header, marks) in parts {
            stream.extend_from_slice(header);
            for packet in marks.into_iter().map(packet) {
                stream.extend_from_slice(&packet);
                expected.extend_from_slice(&packet);
            }
        }
        for size in [1, 2, 7, 188, 200, 1024, stream.len()] {
            let mut unwrap = Unwrap::default();
            let taken: Vec<u8> = stream.chunks(size).flat_map(|piece| unwrap.take(piece)).collect();
            assert!(taken == expected, "in pieces of {size}");
        }
    }

    /// One byte in four looks like the start of a header.
    #[test]
    fn noise_that_looks_like_a_header_takes_nothing_with_it() {
        let header = [&[0x80, 0x21][..], &[0; 10]].concat();
        let packets = [packet(0xff), packet(0xff), packet(0xff)].concat();
        for noise in [[0x9f; 40], [0x80; 40], [200; 40]] {
            let came = [&noise[..], &header, &packets].concat();
            let mut unwrap = Unwrap::default();
            let taken: Vec<u8> = came.chunks(7).flat_map(|piece| unwrap.take(piece)).collect();
            assert!(taken == [&noise[..], &packets].concat(), "{:x}", noise[0]);
        }
        let long = [&[0x80, 200, 0xff, 0xff][..], &packets].concat();
        assert_eq!(Unwrap::default().take(&long), long, "no datagram is as long as that");
    }

    #[test]
    fn what_is_no_rtp_is_passed_on() {
        let mut unwrap = Unwrap::default();
        let noise = [&[0; 50][..], &packet(1), &[0xff; 3], &packet(2)].concat();
        assert_eq!(unwrap.take(&noise), noise);
    }
}
