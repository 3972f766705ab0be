//! Handwritten HTTP/2 frames (RFC 9113), and header blocks (RFC 7541) that use no more than the static table.

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::support::wait::soon;

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// Kinds of frames (RFC 9113, 6).
pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const PRIORITY: u8 = 2;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PUSH_PROMISE: u8 = 5;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

// Their flags.
pub(super) const ACK: u8 = 1;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
pub(super) const PADDED: u8 = 8;
pub(super) const WITH_PRIORITY: u8 = 32;
/// Of HEADERS that are a whole request.
pub(super) const WHOLE: u8 = END_STREAM | END_HEADERS;

// Codes (RFC 9113, 7).
pub(super) const NO_ERROR: u32 = 0;
pub(super) const PROTOCOL_ERROR: u32 = 1;
pub(super) const FLOW_CONTROL_ERROR: u32 = 3;
pub(super) const STREAM_CLOSED: u32 = 5;
pub(super) const FRAME_SIZE_ERROR: u32 = 6;
pub(super) const CANCEL: u32 = 8;
pub(super) const COMPRESSION_ERROR: u32 = 9;
pub(super) const ENHANCE_YOUR_CALM: u32 = 11;

/// The fields of a request to `/` at `a`: method, scheme, path and authority.
pub(super) const GET: &[u8] = &[0x82, 0x86, 0x84, 0x41, 1, b'a'];
pub(super) const POST: &[u8] = &[0x83, 0x86, 0x84, 0x41, 1, b'a'];
// The first field of an answer.
pub(super) const STATUS_200: u8 = 0x88;
pub(super) const STATUS_400: u8 = 0x8c;

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A whole request with this header block.
pub(super) fn request(stream: u32, block: &[u8]) -> Vec<u8> {
    frame(HEADERS, WHOLE, stream, block)
}

pub(super) fn get(stream: u32) -> Vec<u8> {
    request(stream, GET)
}

/// The first request, with more fields.
pub(super) fn get_with(fields: &[u8]) -> Vec<u8> {
    request(1, &[GET, fields].concat())
}

/// The first request, with a body to come.
pub(super) fn post_with(fields: &[u8]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, 1, &[POST, fields].concat())
}

pub(super) fn post() -> Vec<u8> {
    post_with(&[])
}

/// A part of that body, or the last one.
pub(super) fn data(flags: u8, bytes: &[u8]) -> Vec<u8> {
    frame(DATA, flags, 1, bytes)
}

pub(super) fn reset(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes())
}

pub(super) fn setting(id: u16, value: u32) -> Vec<u8> {
    frame(SETTINGS, 0, 0, &[&id.to_be_bytes()[..], &value.to_be_bytes()].concat())
}

pub(super) fn window(stream: u32, more: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &more.to_be_bytes())
}

pub(super) fn continuation(flags: u8, stream: u32, block: &[u8]) -> Vec<u8> {
    frame(CONTINUATION, flags, stream, block)
}

/// A field that is in no table (RFC 7541, 6.2.2).
pub(super) fn field(name: &str, value: &str) -> Vec<u8> {
    let length = |text: &str| u8::try_from(text.len()).unwrap();
    [&[0, length(name)][..], name.as_bytes(), &[length(value)], value.as_bytes()].concat()
}

/// A frame that has been received.
pub(super) struct Received {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

/// The next frame; `None` if the connection has ended.
pub(super) async fn next(stream: &mut (impl AsyncRead + Unpin)) -> Option<Received> {
    let mut head = [0; 9];
    soon(stream.read_exact(&mut head)).await.ok()?;
    let [a, b, c, kind, flags, on @ ..] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
    soon(stream.read_exact(&mut payload)).await.ok()?;
    Some(Received { kind, flags, stream: u32::from_be_bytes(on), payload })
}
