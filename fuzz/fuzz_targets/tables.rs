//! Anything at all as the tables of a transport stream.
#![no_main]

use domain::mpegts::tables;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some(entries) = tables::pat(data) {
        entries.for_each(drop);
    }
    if let Some(map) = tables::pmt(data) {
        let _ = map.video();
        map.audio().for_each(drop);
    }
});
