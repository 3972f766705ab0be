//! Anything at all as `Forwarded`: whatever a client makes up, the hop that a proxy adds is the last.
#![no_main]

use domain::forwarded::{hop_address, hops};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let Some(read) = hops(&text) else { return };
    for node in read.iter().filter_map(|hop| hop.node.as_deref()) {
        let _ = hop_address(node);
    }
    let added = hops(&format!("{text}, for=192.0.2.9")).expect("it can be read still");
    assert_eq!(added.len(), read.len() + 1);
    assert_eq!(added.last().and_then(|hop| hop.node.as_deref()), Some("192.0.2.9"));
});
