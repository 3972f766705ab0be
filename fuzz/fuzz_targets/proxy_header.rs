//! Anything at all as the beginning of a connection: a PROXY header is read within its bounds, and nothing of what follows it.
#![no_main]

/// It is private to the gateway.
#[path = "../../src/server/proxy_protocol.rs"]
mod proxy_protocol;

use futures_util::FutureExt;
use libfuzzer_sys::fuzz_target;

use crate::proxy_protocol::Client;

/// A header of version 2: its beginning, and what is read of the rest at most.
const LONGEST: usize = 16 + 4096;

fuzz_target!(|data: &[u8]| {
    let (header, length) = read(data);
    assert!(length <= LONGEST);
    if header.is_some() {
        assert_eq!(read(&data[..length]), (header, length));
    }
});

/// What the header says, and how many bytes were read.
fn read(data: &[u8]) -> (Option<Option<Client>>, usize) {
    let mut rest = data;
    let read = proxy_protocol::read(&mut rest).now_or_never().expect("bytes in memory are there");
    (read.ok(), data.len() - rest.len())
}
