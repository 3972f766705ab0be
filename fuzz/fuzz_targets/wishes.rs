//! Anything at all as structured fields of the gateway's own: one field per line, after the number of its name.
#![no_main]

use domain::clients::wishes::{FIELDS, Wishes, viewer};
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut fields = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        let Some((&number, value)) = line.split_first() else { continue };
        let name = FIELDS.get(usize::from(number.wrapping_sub(b'0'))).copied().unwrap_or("cache-control");
        if let Ok(value) = HeaderValue::from_bytes(value) {
            fields.append(HeaderName::from_static(name), value);
        }
    }
    let wishes = Wishes::of(&fields, true);
    assert!(wishes.ignored.len() <= 16);
    let _ = viewer(&fields);
});
