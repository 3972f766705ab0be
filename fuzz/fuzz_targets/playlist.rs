//! Anything at all as the server's media playlist.
#![no_main]

use domain::playlist;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    for read in playlist::read(&text).into_iter().chain([playlist::read_tail(&text)]) {
        assert!(read.entries.iter().all(|entry| !entry.uri.is_empty()));
    }
});
