//! Reads the text messages of a WebSocket in passing (RFC 6455), from the bytes that one side sends without a mask.
//!
//! It never fails: what it cannot read it leaves alone, for good where it cannot tell any more where a frame begins.

use std::io::Cursor;
use std::sync::Arc;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Data, OpCode};

/// Bytes of the largest message that is read. A notice of a timer has about 150.
const READABLE: usize = 4096;
/// Bytes of the longest header without a mask (section 5.2).
const LONGEST_HEADER: usize = 10;

/// A callback for the text messages of the server in the tunnel that a request asks for, in the request's extensions. It must not wait.
#[derive(Clone)]
pub(super) struct OnMessage(pub Arc<Callback>);

type Callback = dyn Fn(&[u8]) + Send + Sync;

/// See the module.
#[derive(Debug)]
pub(super) struct Messages {
    on_message: OnMessage,
    position: Position,
    /// The beginning of the present message; `None` between messages, and within one that is not read.
    message: Option<Vec<u8>>,
}

/// Where in the bytes the reader is.
#[derive(Debug)]
enum Position {
    /// In a header, of which these bytes have come.
    Header(Vec<u8>),
    /// In a payload.
    Payload { left: u64, frame: Frame },
    /// Nothing is read any more.
    Lost,
}

/// What a payload means for the present message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    /// A part of it.
    Part,
    /// Its last part.
    LastPart,
    /// Nothing: a control frame may come between its parts.
    Control,
}

impl Messages {
    pub(super) const fn new(on_message: OnMessage) -> Self {
        Self { on_message, position: Position::Header(Vec::new()), message: None }
    }

    /// Reads the next bytes.
    pub(super) fn read(&mut self, mut bytes: &[u8]) {
        while let Some((&first, after)) = bytes.split_first() {
            match &mut self.position {
                Position::Lost => return,
                Position::Header(header) => {
                    header.push(first);
                    bytes = after;
                    let begun = std::mem::take(header);
                    self.position = self.after_header(begun);
                }
                Position::Payload { left, frame } => {
                    let here = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    let (payload, rest) = bytes.split_at(here);
                    *left -= here as u64;
                    bytes = rest;
                    let frame = *frame;
                    self.keep(payload, frame);
                }
            }
            if let Position::Payload { left: 0, frame } = self.position {
                self.position = Position::Header(Vec::new());
                self.end(frame);
            }
        }
    }

    /// Where the reader is after these bytes of a header.
    fn after_header(&mut self, header: Vec<u8>) -> Position {
        match FrameHeader::parse(&mut Cursor::new(&header)) {
            Ok(None) if header.len() < LONGEST_HEADER => Position::Header(header),
            Ok(Some((
                FrameHeader { is_final, rsv1: false, rsv2: false, rsv3: false, opcode, mask: None },
                left,
            ))) => {
                let frame = match opcode {
                    OpCode::Control(_) => Frame::Control,
                    OpCode::Data(_) if is_final => Frame::LastPart,
                    OpCode::Data(_) => Frame::Part,
                };
                match opcode {
                    OpCode::Data(Data::Text) => self.message = Some(Vec::new()),
                    OpCode::Data(Data::Binary | Data::Reserved(_)) => self.message = None,
                    OpCode::Data(Data::Continue) | OpCode::Control(_) => {}
                }
                Position::Payload { left, frame }
            }
            Ok(Some(_) | None) | Err(_) => {
                self.message = None;
                Position::Lost
            }
        }
    }

    fn keep(&mut self, payload: &[u8], frame: Frame) {
        match frame {
            Frame::Part | Frame::LastPart => {
                self.message = self.message.take().filter(|known| known.len() + payload.len() <= READABLE);
                if let Some(message) = &mut self.message {
                    message.extend_from_slice(payload);
                }
            }
            Frame::Control => {}
        }
    }

    fn end(&mut self, frame: Frame) {
        match frame {
            Frame::LastPart => {
                if let Some(message) = self.message.take() {
                    (self.on_message.0)(&message);
                }
            }
            Frame::Part | Frame::Control => {}
        }
    }
}

impl std::fmt::Debug for OnMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OnMessage(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use proptest::prelude::*;

    use super::*;

    const TEXT: u8 = 0x81;

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match payload.len() {
            length @ ..=125 => frame.push(length as u8),
            length @ ..=65_535 => {
                frame.push(126);
                frame.extend((length as u16).to_be_bytes());
            }
            length => {
                frame.push(127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend(payload);
        frame
    }

    /// What is read of these chunks.
    fn read<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
        let read = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&read);
        let tell = move |message: &[u8]| {
            told.lock().unwrap().push(String::from_utf8_lossy(message).into_owned());
        };
        let mut messages = Messages::new(OnMessage(Arc::new(tell)));
        chunks.into_iter().for_each(|chunk| messages.read(chunk));
        drop(messages);
        Arc::into_inner(read).unwrap().into_inner().unwrap()
    }

    /// Messages of every kind: whole, in parts around a ping, binary, too large, long, empty.
    fn conversation() -> Vec<u8> {
        [
            frame(TEXT, b"one"),
            frame(0x01, b"tw"),
            frame(0x89, b"ping"),
            frame(0x80, b"o"),
            frame(0x82, b"binary"),
            frame(TEXT, &[b'x'; 70_000]),
            frame(0x01, &[b'y'; 4000]),
            frame(0x80, &[b'y'; 97]),
            frame(TEXT, &[b'z'; 200]),
            frame(TEXT, b""),
            frame(TEXT, b"last"),
        ]
        .concat()
    }

    fn expected() -> Vec<String> {
        ["one", "two", &"z".repeat(200), "", "last"].map(str::to_owned).to_vec()
    }

    #[test]
    fn each_message_is_read_once() {
        assert_eq!(read([&conversation()[..]]), expected());
        assert_eq!(read(conversation().chunks(1)), expected());
    }

    #[test]
    fn what_cannot_be_read_ends_the_reading() {
        let compressed = [frame(TEXT, b"one"), frame(0xc1, b"two"), frame(TEXT, b"three")].concat();
        assert_eq!(read([&compressed[..]]), ["one"]);
        let masked = [&[TEXT, 0x83, 1, 2, 3, 4, 5, 6, 7][..], &frame(TEXT, b"two")].concat();
        assert_eq!(read([&masked[..]]), [""; 0]);
        let unknown = [frame(0x83, b"one"), frame(TEXT, b"two")].concat();
        assert_eq!(read([&unknown[..]]), [""; 0]);
    }

    proptest! {
        #[test]
        fn however_the_bytes_come(cuts in proptest::collection::vec(1_usize..5000, 1..200)) {
            let bytes = conversation();
            let (mut rest, mut chunks) = (&bytes[..], Vec::new());
            for cut in cuts {
                let (chunk, after) = rest.split_at(cut.min(rest.len()));
                chunks.push(chunk);
                rest = after;
            }
            chunks.push(rest);
            prop_assert_eq!(read(chunks), expected());
        }

        #[test]
        fn any_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            read(bytes.chunks(7));
        }
    }
}
