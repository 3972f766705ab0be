//! Makes ids as a .NET server does.

use std::fmt::Write as _;

use md5::{Digest, Md5};

/// Jellyfin's `GetMD5` (`BaseExtensions.cs`): the MD5 of the UTF-16LE text, spelled as a GUID "N", whose first three
/// fields are little-endian.
#[must_use]
pub fn md5(text: &str) -> String {
    spell(digest(text))
}

/// The bytes that [`md5()`] spells.
#[must_use]
pub fn digest(text: &str) -> [u8; 16] {
    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut hash: [u8; 16] = Md5::digest(bytes).into();
    hash[0..4].reverse();
    hash[4..6].reverse();
    hash[6..8].reverse();
    hash
}

/// Spells `bytes` as 32 lower-case hex digits.
#[must_use]
pub fn spell(bytes: [u8; 16]) -> String {
    bytes.iter().fold(String::with_capacity(32), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_id_is_that_of_the_recorded_server() {
        // The MediaSourceId of the channel at this URL, as recorded in fixtures/jellyfin/api-12.0-adopt.ndjson.
        assert_eq!(super::md5("http://127.0.0.1:9981/ch/1.ts"), "f91bdbcf108c4e49092c20cd88e22af1");
    }
}
