//! Supplemental enhancement information of H.264 and HEVC (ISO/IEC 14496-10 and 23008-2, 7.3.2.3).

use crate::mpegts::bits::unescaped;

/// The first byte of what the first of these messages that is of this kind says.
pub(super) fn message(messages: &[u8], kind: usize) -> Option<u8> {
    let mut bytes = unescaped(messages);
    loop {
        let found = extended(&mut bytes)?;
        // The trailing bits look like a message without a size.
        let size = extended(&mut bytes)?;
        if found == kind {
            return bytes.next();
        }
        if size > 0 {
            bytes.nth(size - 1)?;
        }
    }
}

/// A number in bytes of which all but the last are 255.
fn extended(bytes: &mut impl Iterator<Item = u8>) -> Option<usize> {
    let mut number = 0;
    loop {
        let byte = bytes.next()?;
        number += usize::from(byte);
        if byte != 0xff {
            return Some(number);
        }
    }
}
