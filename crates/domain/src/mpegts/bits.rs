//! Reads the bits of parameter sets and headers; every read returns `None` past the end.

/// A bit reader.
#[derive(Clone, Debug)]
pub(super) struct Bits<I> {
    bytes: I,
    byte: u8,
    left: u32,
}

impl<I: Iterator<Item = u8>> Bits<I> {
    /// Reads `bytes` from the most significant bit of each on.
    pub(super) const fn new(bytes: I) -> Self {
        Self { bytes, byte: 0, left: 0 }
    }

    /// Reads one bit.
    pub(super) fn bit(&mut self) -> Option<u32> {
        if self.left == 0 {
            self.byte = self.bytes.next()?;
            self.left = 8;
        }
        self.left -= 1;
        Some(u32::from(self.byte >> self.left & 1))
    }

    /// Reads one bit as a flag.
    pub(super) fn flag(&mut self) -> Option<bool> {
        self.bit().map(|bit| bit == 1)
    }

    /// Reads `count` bits, at most 32, as a number.
    pub(super) fn number(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0_u32, |number, _| Some(number << 1 | self.bit()?))
    }

    /// Skips `count` bits.
    pub(super) fn skip(&mut self, count: u32) -> Option<()> {
        (0..count).try_for_each(|_| self.bit().map(drop))
    }

    /// Reads an unsigned Exp-Golomb code, `ue(v)` (ISO/IEC 14496-10, 9.1).
    pub(super) fn unsigned(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.number(zeros)?)
    }

    /// Reads a signed Exp-Golomb code, `se(v)` (ISO/IEC 14496-10, 9.1.1).
    pub(super) fn signed(&mut self) -> Option<i32> {
        let code = self.unsigned()?;
        let half = i32::try_from(code.div_ceil(2)).ok()?;
        Some(if code % 2 == 1 { half } else { -half })
    }
}

/// The bytes of a NAL unit without the emulation prevention bytes (ISO/IEC 14496-10, 7.4.1).
pub(super) fn unescaped(nal: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let mut zeros = 0;
    nal.iter().copied().filter(move |&byte| {
        let escape = zeros >= 2 && byte == 3;
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        !escape
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_standard() {
        // 1 010 011 00100 00101, then an end.
        let mut bits = Bits::new([0b1010_0110, 0b0100_0010, 0b1000_0000].into_iter());
        let codes: Vec<_> = std::iter::from_fn(|| bits.unsigned()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4]);
        let mut bits = Bits::new([0b1010_0110, 0b0100_0010, 0b1000_0000].into_iter());
        let codes: Vec<_> = std::iter::from_fn(|| bits.signed()).collect();
        assert_eq!(codes, [0, 1, -1, 2, -2]);
    }

    #[test]
    fn nothing_is_read_beyond_the_end() {
        assert_eq!(Bits::new([0; 9].into_iter()).unsigned(), None);
        assert_eq!(Bits::new([0, 0, 0, 1].into_iter()).unsigned(), None);
        assert_eq!(Bits::new([0xff; 3].into_iter()).number(25), None);
        assert_eq!(Bits::new([0xff; 4].into_iter()).number(32), Some(u32::MAX));
        assert_eq!(Bits::new([0, 0, 0, 1, 0xff, 0xff, 0xff, 0xfe].into_iter()).unsigned(), Some(0xffff_fffe));
    }

    #[test]
    fn escapes_are_left_out() {
        let plain: Vec<_> = unescaped(&[0, 0, 3, 1, 0, 0, 3, 0, 0, 3, 3]).collect();
        assert_eq!(plain, [0, 0, 1, 0, 0, 0, 0, 3]);
    }
}
