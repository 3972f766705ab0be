//! Anything at all as a provider's playlist (M3U) and, behind a byte of zero, as its guide (XMLTV): what the gateway makes of them
//! can be read as they were.
#![no_main]

use std::sync::Arc;

use domain::lineup::parse::{decode, parse};
use domain::lineup::site::Site;
use domain::lineup::{Lineup, Rules, m3u, xmltv};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let [list, guide] = [(); 2].map(|()| decode(parts.next().unwrap_or_default()));
    let rules = Rules { merge: true, ..Rules::default() };
    let lineup = Lineup::new(&[(rules, Arc::new(parse(&list)))]);
    let served = parse(&m3u::render(&lineup, &Site::new("http://gate", None)));
    assert_eq!(served.entries.len(), lineup.channels().len());
    let _ = xmltv::head(&lineup);
    let programmes = xmltv::programmes(&guide, &lineup);
    assert_eq!(xmltv::programmes(&programmes, &lineup), programmes);
});
