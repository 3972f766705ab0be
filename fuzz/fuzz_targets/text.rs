//! Anything at all as what strangers write: each reader must bear it. The first byte says which one reads the rest.
#![no_main]

use domain::clients::wishes::{self, Wishes};
use domain::encoding::demand::Demand;
use domain::forwarded;
use domain::lineup::parse;
use domain::mpegts::tables;
use domain::playlist;
use domain::profile::{Policy, ProfileKey};
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

const ANY: Policy = Policy { video_transcoding: true, audio_transcoding: true };

fuzz_target!(|data: &[u8]| {
    let Some((&which, bytes)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(bytes);
    match which % 6 {
        0 => read_forwarded(&text),
        1 => read_wishes(bytes),
        2 => read_query(&text),
        3 => read_playlist(&text),
        4 => drop(parse::parse(&parse::decode(bytes))),
        _ => read_tables(bytes),
    }
});

/// Whatever a client sends, the hop that a proxy adds is the last.
fn read_forwarded(text: &str) {
    if let Some(hops) = forwarded::hops(text) {
        for node in hops.iter().filter_map(|hop| hop.node.as_deref()) {
            let _ = forwarded::hop_address(node);
        }
        let added = forwarded::hops(&format!("{text}, for=192.0.2.9")).expect("it can be read still");
        assert_eq!(added.len(), hops.len() + 1);
        assert_eq!(added.last().and_then(|hop| hop.node.as_deref()), Some("192.0.2.9"));
    }
}

/// One field of the gateway's own per line, after the number of its name.
fn read_wishes(bytes: &[u8]) {
    let mut fields = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some((&number, value)) = line.split_first() else { continue };
        let name = wishes::FIELDS.get(usize::from(number)).copied().unwrap_or("cache-control");
        if let Ok(value) = HeaderValue::from_bytes(value) {
            fields.append(HeaderName::from_static(name), value);
        }
    }
    let wishes = Wishes::of(&fields, true);
    assert!(wishes.ignored.len() <= 16);
    let _ = wishes::viewer(&fields);
}

/// A profile that can be shared can be shared with itself.
fn read_query(text: &str) {
    let pairs = || text.split('&').filter_map(|pair| pair.split_once('='));
    if let Ok(profile) = ProfileKey::from_query(pairs(), false, ANY) {
        assert!(profile.key.meets(&profile.key));
    }
    let _ = Demand::from_query(pairs(), ANY);
}

fn read_playlist(text: &str) {
    if let Some(read) = playlist::read(text) {
        assert!(read.entries.iter().all(|entry| !entry.uri.is_empty()));
    }
    let _ = playlist::read_tail(text);
}

fn read_tables(bytes: &[u8]) {
    if let Some(entries) = tables::pat(bytes) {
        entries.for_each(drop);
    }
    if let Some(map) = tables::pmt(bytes) {
        let _ = map.video();
        map.audio().for_each(drop);
    }
}
