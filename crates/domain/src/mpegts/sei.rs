//! Reads SEI messages of H.264 and HEVC (ISO/IEC 14496-10 and 23008-2, 7.3.2.3).

use crate::mpegts::bits::unescaped;

/// The first payload byte of the first message of type `kind`.
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

/// Reads a payload type or size: bytes of 255, and one that is less, added up.
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
