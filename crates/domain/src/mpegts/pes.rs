//! Reads the header of a PES packet (ISO/IEC 13818-1, 2.4.3.6): time stamps and lengths.

use crate::mpegts::clock::Ticks;

/// The time stamps of an access unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamps {
    /// When it is presented.
    pub pts: Option<Ticks>,
    /// When it is decoded; `None` if that is the same moment.
    pub dts: Option<Ticks>,
}

impl Stamps {
    /// When it is decoded: the DTS, else the PTS.
    #[must_use]
    pub fn decoded(self) -> Option<Ticks> {
        self.dts.or(self.pts)
    }
}

/// A PES header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pes {
    /// The time stamps.
    pub stamps: Stamps,
    /// Bytes of the whole packet; `None` if it ends where the next one starts.
    pub length: Option<usize>,
    /// Bytes of the header.
    pub header: usize,
}

impl Pes {
    /// Reads the header at the start of `payload`; `None` if there is none.
    #[must_use]
    pub fn read(payload: &[u8]) -> Option<Self> {
        let [0, 0, 1, _, high, low, marker, flags, size, fields @ ..] = payload else { return None };
        // Headers of MPEG-1, and of streams without these fields, carry neither audio nor video in a transport stream.
        if marker & 0xc0 != 0x80 {
            return None;
        }
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let fields = fields.get(..usize::from(*size)).unwrap_or(fields);
        let stamps = match flags >> 6 {
            2 => Stamps { pts: stamp(fields), dts: None },
            3 => Stamps { pts: stamp(fields), dts: fields.get(5..).and_then(stamp) },
            _ => Stamps::default(),
        };
        Some(Self { stamps, length: (length > 0).then_some(length + 6), header: 9 + usize::from(*size) })
    }
}

/// A time stamp: 33 bits in five bytes, with a marker bit behind 3, 15 and 15 of them.
fn stamp(field: &[u8]) -> Option<Ticks> {
    let [a, b, c, d, e] = *field.first_chunk()?;
    if a & 1 == 0 || c & 1 == 0 || e & 1 == 0 {
        return None;
    }
    let high = Ticks::from(a >> 1 & 7) << 30;
    let middle = Ticks::from(u16::from_be_bytes([b, c]) >> 1) << 15;
    Some(high | middle | Ticks::from(u16::from_be_bytes([d, e]) >> 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From FFmpeg: PTS 126000, DTS 122400.
    const BOTH: [u8; 19] =
        [0, 0, 1, 0xe0, 0, 0, 0x80, 0xc0, 10, 0x31, 0, 0x07, 0xd8, 0x61, 0x11, 0, 0x07, 0xbc, 0x41];

    #[test]
    fn stamps_are_found() {
        let pes = Pes::read(&BOTH).unwrap();
        assert_eq!(pes.stamps, Stamps { pts: Some(126_000), dts: Some(122_400) });
        assert_eq!((pes.header, pes.length), (19, None));
        let mut one = BOTH;
        one[5] = 50;
        one[7] = 0x80;
        let pes = Pes::read(&one).unwrap();
        assert_eq!((pes.stamps.decoded(), pes.length), (Some(126_000), Some(56)));
    }

    #[test]
    fn what_is_cut_off_or_no_header_has_none() {
        for length in 0..BOTH.len() {
            let pes = Pes::read(&BOTH[..length]);
            assert_eq!(pes.is_some(), length >= 9);
            assert!(pes.is_none_or(|pes| pes.stamps.dts.is_none()));
        }
        let mut unmarked = BOTH;
        unmarked[9] &= !1;
        assert_eq!(Pes::read(&unmarked).unwrap().stamps.pts, None);
    }
}
