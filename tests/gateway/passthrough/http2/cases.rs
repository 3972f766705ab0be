//! What HTTP/2 forbids, case by case in the order of RFC 9113, as h2spec has it, and what it allows a sender to do for ever.

use crate::passthrough::http2::Outcome::{self, Connection, Fine, Stream};
use crate::passthrough::http2::frames::{
    ACK, COMPRESSION_ERROR, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR, GET, GOAWAY, HEADERS, PADDED, PING, PRIORITY, PROTOCOL_ERROR, PUSH_PROMISE, RST_STREAM,
    SETTINGS, STATUS_200, STREAM_CLOSED, WHOLE, WINDOW_UPDATE, WITH_PRIORITY, continuation, data, field,
    frame, get, get_with, post, post_with, request, reset, setting, window,
};

/// Its name, what it comes to, and its frames behind the preface and the settings.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) outcome: Outcome,
    pub(super) frames: Vec<u8>,
}

const MALFORMED: Outcome = Stream(PROTOCOL_ERROR);
const CLOSED: Outcome = Stream(STREAM_CLOSED);
const PROTOCOL: Outcome = Connection(PROTOCOL_ERROR);
const SIZE: Outcome = Connection(FRAME_SIZE_ERROR);
const COMPRESSION: Outcome = Connection(COMPRESSION_ERROR);
const CALM: Outcome = Connection(ENHANCE_YOUR_CALM);

fn case<const N: usize>(name: &'static str, outcome: Outcome, frames: [Vec<u8>; N]) -> Case {
    Case { name, outcome, frames: frames.concat() }
}

pub(super) fn all() -> Vec<Case> {
    [framing(), blocks(), streams(), kinds(), connection(), requests(), floods()]
        .into_iter()
        .flatten()
        .collect()
}

/// RFC 9113, 4.1 and 4.2.
fn framing() -> Vec<Case> {
    let large = vec![0; (16 << 10) + 1];
    vec![
        case("unknown kind", Fine, [frame(22, 0, 0, b"xx"), frame(22, 0, 9, b"")]),
        case("unknown flags", Fine, [frame(PING, 22, 0, &[0; 8])]),
        case("reserved bit", Fine, [frame(PING, 0, 1 << 31, &[0; 8])]),
        case("DATA too large", Stream(FRAME_SIZE_ERROR), [post(), data(0, &large)]),
        case("HEADERS too large", SIZE, [request(1, &large)]),
    ]
}

/// RFC 9113, 4.3, and RFC 7541: header blocks.
fn blocks() -> Vec<Case> {
    let begun = || frame(HEADERS, END_STREAM, 1, GET);
    let huffman = |value: &[u8]| get_with(&[&[0, 1, b'x'][..], value].concat());
    vec![
        case("no such index", COMPRESSION, [get_with(&[0xff, 0xff, 0x7f])]),
        case("index 0", COMPRESSION, [get_with(&[0x80])]),
        case("literal that breaks off", COMPRESSION, [get_with(&[0, 5, b'x'])]),
        case("table too large", COMPRESSION, [request(1, &[&[0x3f, 0xff, 0xff, 3][..], GET].concat())]),
        case("table resized behind a field", COMPRESSION, [get_with(&[0x20])]),
        case("Huffman code and eight bits more", COMPRESSION, [huffman(&[0x82, 0x1f, 0xff])]),
        case("Huffman code and zeros", COMPRESSION, [huffman(&[0x81, 0x18])]),
        case("Huffman end of string", COMPRESSION, [huffman(&[0x84, 0xff, 0xff, 0xff, 0xff])]),
        case("PRIORITY in a block", PROTOCOL, [begun(), frame(PRIORITY, 0, 1, &[0; 5])]),
        case("unknown kind in a block", PROTOCOL, [begun(), frame(22, 0, 1, b"")]),
        case("another request in a block", PROTOCOL, [begun(), get(3)]),
        case("another stream's CONTINUATION", PROTOCOL, [begun(), continuation(END_HEADERS, 3, b"")]),
        case(
            "block in three frames",
            Fine,
            [begun(), continuation(0, 1, b""), continuation(END_HEADERS, 1, &field("x", "y"))],
        ),
    ]
}

/// RFC 9113, 5: streams and their states.
fn streams() -> Vec<Case> {
    let on_itself = [0, 0, 0, 1, 0];
    let dependent = [&on_itself[..], GET].concat();
    vec![
        case("DATA on an idle stream", PROTOCOL, [data(END_STREAM, b"x")]),
        case("RST_STREAM on an idle stream", PROTOCOL, [reset(1)]),
        case("WINDOW_UPDATE on an idle stream", PROTOCOL, [window(1, 1)]),
        case("CONTINUATION on an idle stream", PROTOCOL, [continuation(END_HEADERS, 1, GET)]),
        case("PRIORITY on an idle stream", Fine, [frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1])]),
        case("DATA behind the end", CLOSED, [get(1), data(END_STREAM, b"x")]),
        case("HEADERS behind the end", CLOSED, [get(1), get(1)]),
        case("CONTINUATION behind the end", PROTOCOL, [get(1), continuation(END_HEADERS, 1, b"")]),
        case("WINDOW_UPDATE behind the end", Fine, [get(1), window(1, 1)]),
        case("PRIORITY behind the end", Fine, [get(1), frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1])]),
        case("DATA behind RST_STREAM", CLOSED, [post(), reset(1), data(END_STREAM, b"x")]),
        case("HEADERS behind RST_STREAM", CLOSED, [post(), reset(1), get(1)]),
        case("even stream", PROTOCOL, [get(2)]),
        case("falling streams", PROTOCOL, [get(5), get(3)]),
        case(
            "HEADERS depend on themselves",
            MALFORMED,
            [frame(HEADERS, WHOLE | WITH_PRIORITY, 1, &dependent)],
        ),
        case("PRIORITY depends on itself", MALFORMED, [post(), frame(PRIORITY, 0, 1, &on_itself)]),
    ]
}

/// RFC 9113, 6: frames of a stream.
fn kinds() -> Vec<Case> {
    let padded =
        |count: u8, padding: &[u8]| frame(HEADERS, WHOLE | PADDED, 1, &[&[count][..], GET, padding].concat());
    let promise = frame(PUSH_PROMISE, END_HEADERS, 1, &[&[0, 0, 0, 2][..], GET].concat());
    let full = 0x7fff_ffff;
    vec![
        case("DATA on stream 0", PROTOCOL, [frame(DATA, 0, 0, b"x")]),
        case("DATA with too much padding", PROTOCOL, [post(), data(PADDED | END_STREAM, &[6, 0, 0])]),
        case("HEADERS on stream 0", PROTOCOL, [get(0)]),
        case("HEADERS with too much padding", PROTOCOL, [padded(50, b"")]),
        case("HEADERS with padding", Fine, [padded(3, &[0; 3])]),
        case("PRIORITY on stream 0", PROTOCOL, [frame(PRIORITY, 0, 0, &[0; 5])]),
        case("PRIORITY too short", Stream(FRAME_SIZE_ERROR), [post(), frame(PRIORITY, 0, 1, &[0; 4])]),
        case("RST_STREAM on stream 0", PROTOCOL, [reset(0)]),
        case("RST_STREAM too short", SIZE, [post(), frame(RST_STREAM, 0, 1, &[0; 3])]),
        case("PUSH_PROMISE", PROTOCOL, [get(1), promise]),
        case("WINDOW_UPDATE of 0 on a stream", MALFORMED, [post(), window(1, 0)]),
        case("window too large", Stream(FLOW_CONTROL_ERROR), [post(), window(1, full), window(1, full)]),
        case("CONTINUATION on stream 0", PROTOCOL, [continuation(END_HEADERS, 0, b"")]),
        case("CONTINUATION behind a whole block", PROTOCOL, [post(), continuation(END_HEADERS, 1, b"")]),
    ]
}

/// RFC 9113, 6: frames of the connection.
fn connection() -> Vec<Case> {
    let (flow, full) = (Connection(FLOW_CONTROL_ERROR), 0x7fff_ffff);
    vec![
        case("SETTINGS acknowledged with content", SIZE, [frame(SETTINGS, ACK, 0, &[0; 6])]),
        case("SETTINGS on a stream", PROTOCOL, [frame(SETTINGS, 0, 1, b"")]),
        case("SETTINGS of five bytes", SIZE, [frame(SETTINGS, 0, 0, &[0; 5])]),
        case("ENABLE_PUSH of 2", PROTOCOL, [setting(2, 2)]),
        case("INITIAL_WINDOW_SIZE too large", flow, [setting(4, 1 << 31)]),
        case("MAX_FRAME_SIZE too small", PROTOCOL, [setting(5, (1 << 14) - 1)]),
        case("MAX_FRAME_SIZE too large", PROTOCOL, [setting(5, 1 << 24)]),
        case("unknown setting", Fine, [setting(0xff, 1)]),
        case("PING that answers none", Fine, [frame(PING, ACK, 0, &[1; 8])]),
        case("PING on a stream", PROTOCOL, [frame(PING, 0, 1, &[0; 8])]),
        case("PING too short", SIZE, [frame(PING, 0, 0, &[0; 6])]),
        case("GOAWAY on a stream", PROTOCOL, [frame(GOAWAY, 0, 1, &[0; 8])]),
        case("WINDOW_UPDATE of 0", PROTOCOL, [window(0, 0)]),
        case("WINDOW_UPDATE too short", SIZE, [frame(WINDOW_UPDATE, 0, 0, &[0; 3])]),
        case("window too large", flow, [window(0, full), window(0, full)]),
    ]
}

/// RFC 9113, 8: requests.
fn requests() -> Vec<Case> {
    let without = |nth: usize| request(1, &[&GET[..nth], &GET[nth + 1..]].concat());
    let of = |length: &str| post_with(&field("content-length", length));
    let trailers = |flags, block: &[u8]| frame(HEADERS, flags, 1, block);
    vec![
        case("trailers that do not end it", MALFORMED, [post(), trailers(END_HEADERS, &field("x", "y"))]),
        // `h2` drops it.
        case("pseudo-field in trailers", Fine, [post(), trailers(WHOLE, &GET[..1])]),
        case("trailers", Fine, [post(), trailers(WHOLE, &field("x", "y"))]),
        case("upper case", MALFORMED, [get_with(&field("X", "y"))]),
        case("space in a name", MALFORMED, [get_with(&field("x y", "z"))]),
        case("NUL in a value", MALFORMED, [get_with(&field("x", "a\0b"))]),
        case("end of a line in a value", MALFORMED, [get_with(&field("x", "a\r\ny: b"))]),
        case("unknown pseudo-field", MALFORMED, [get_with(&field(":x", "y"))]),
        case("pseudo-field of answers", MALFORMED, [get_with(&[STATUS_200])]),
        case("pseudo-field behind a field", MALFORMED, [request(1, &[&field("x", "y")[..], GET].concat())]),
        case("no method", MALFORMED, [without(0)]),
        case("no scheme", MALFORMED, [without(1)]),
        case("no path", MALFORMED, [without(2)]),
        case("empty path", MALFORMED, [request(1, &[&GET[..2], &field(":path", ""), &GET[3..]].concat())]),
        case("two methods", MALFORMED, [request(1, &[&GET[..1], GET].concat())]),
        case("two schemes", MALFORMED, [request(1, &[&GET[1..2], GET].concat())]),
        case("two paths", MALFORMED, [request(1, &[&GET[2..3], GET].concat())]),
        case("Connection", MALFORMED, [get_with(&field("connection", "keep-alive"))]),
        case("Transfer-Encoding", MALFORMED, [get_with(&field("transfer-encoding", "chunked"))]),
        case("TE with gzip", MALFORMED, [get_with(&field("te", "gzip"))]),
        case("TE with trailers", Fine, [get_with(&field("te", "trailers"))]),
        case("longer than it says", MALFORMED, [of("1"), data(END_STREAM, b"xx")]),
        case("shorter than it says", MALFORMED, [of("2"), data(END_STREAM, b"x")]),
        case("as long as it says", Fine, [of("2"), data(0, b"x"), data(END_STREAM, b"x")]),
    ]
}

/// Frames that cost their sender little (docs/decisions/34-http2-floods.md).
fn floods() -> Vec<Case> {
    let resets = (0..2000).flat_map(|nth| [get(2 * nth + 1), reset(2 * nth + 1)].concat());
    let endless = continuation(0, 1, &field("x", &"y".repeat(100)));
    let empty = |kind, flags, stream| frame(kind, flags, stream, b"");
    vec![
        case("flood of resets", CALM, [resets.collect()]),
        case("flood of CONTINUATION", CALM, [frame(HEADERS, END_STREAM, 1, GET), endless.repeat(2000)]),
        case("flood of empty DATA", CALM, [post(), empty(DATA, 0, 1).repeat(20_000)]),
        case("flood of SETTINGS", Fine, [empty(SETTINGS, 0, 0).repeat(2000)]),
        case("flood of PING", Fine, [frame(PING, 0, 0, &[0; 8]).repeat(2000)]),
        case("flood of PRIORITY", Fine, [frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1]).repeat(2000)]),
        case("flood of WINDOW_UPDATE", Fine, [window(0, 1).repeat(2000)]),
    ]
}
