//! GUIDs as Jellyfin makes and writes them: 32 lower-case hex digits (`Guid.ToString("N")`).

use md5::{Digest, Md5};

/// The GUID of a text: MD5 of its UTF-16LE bytes (`GetMD5` in `BaseExtensions.cs`).
pub(crate) fn md5(text: &str) -> String {
    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let hash: [u8; 16] = Md5::digest(bytes).into();
    // .NET reads the first three fields of a GUID as little-endian numbers.
    let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    hex(order.map(|index: usize| hash[index]))
}

/// A new random GUID (`Guid.NewGuid`).
pub(crate) fn random() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    hex(bytes)
}

/// A GUID from a path or a body in the form the server compares: without dashes, in lower case.
pub(crate) fn normalize(id: &str) -> String {
    id.replace('-', "").to_ascii_lowercase()
}

fn hex(bytes: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(bytes))
}
