//! Anything at all as what a player says of itself: one field per line, the last one as the parameter of the query.
#![no_main]

/// It is private to the gateway.
#[path = "../../src/proxy/cmcd.rs"]
mod cmcd;

use std::time::Duration;

use domain::signal::Signal;
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;

use crate::cmcd::Cmcd;

fuzz_target!(|data: &[u8]| {
    let mut fields = HeaderMap::new();
    let names = ["cmcd-request", "cmcd-object", "cmcd-status", "cmcd-session"];
    for (line, name) in data.split(|byte| *byte == b'\n').zip(names.into_iter().cycle()) {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            fields.append(name, value);
        }
    }
    let text = String::from_utf8_lossy(data);
    let said = Cmcd::of(&fields, text.lines().last());
    assert!(said.session.as_deref() != Some(""));
    for signal in said.signals() {
        assert!(!matches!(signal, Signal::Buffered(buffer) if buffer > Duration::from_secs(1_000_000)));
    }
});
