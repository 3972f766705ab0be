//! Finds whole transport stream packets in bytes that arrive in pieces of any length, start anywhere and may be damaged.
//!
//! Packets of 192 bytes (M2TS, with a 4-byte prefix) and of 204 bytes (with 16 bytes of parity) come out as the 188-byte
//! packets they contain. The output depends on the bytes alone, not on how they were split.

use bytes::{Buf, Bytes, BytesMut};

use crate::mpegts::packet::{PACKET, SYNC};

/// Distances between two packets in bytes, the most common one first.
const STRIDES: [usize; 3] = [PACKET, 192, 204];
/// How many sync bytes in a row prove that packets were found.
const PROOF: usize = 3;
/// How many bytes must be there before the first packet is accepted.
const OUTLOOK: usize = (PROOF - 1) * STRIDES[2] + 1;
/// How many bytes are searched at once when the pieces are shorter than [`OUTLOOK`].
const SEARCHED: usize = 4096;

/// Aligns a byte stream to packets.
#[derive(Debug, Default)]
pub struct Align {
    /// Bytes left over from earlier pieces, at most [`SEARCHED`].
    rest: BytesMut,
    /// The newest piece.
    chunk: Bytes,
    /// The distance between packets, while alignment holds.
    stride: Option<usize>,
    skipped: u64,
    losses: u64,
}

impl Align {
    /// Takes the next piece. [`next_run`](Self::next_run) must have returned `None` before.
    pub fn push(&mut self, bytes: &Bytes) {
        if self.chunk.is_empty() {
            self.chunk = bytes.clone();
        } else {
            let mut all = BytesMut::from(&*self.chunk);
            all.extend_from_slice(bytes);
            self.chunk = all.freeze();
        }
    }

    /// Returns the next consecutive packets, as many as lie in one piece; `None` when more bytes are needed.
    pub fn next_run(&mut self) -> Option<Bytes> {
        loop {
            self.fill();
            if let Some(stride) = self.stride {
                match self.take(stride) {
                    Taken::Run(run) => return Some(run),
                    Taken::Nothing => return None,
                    Taken::NoPacket => {
                        self.stride = None;
                        self.losses += 1;
                    }
                }
            } else if !self.find() {
                return None;
            }
        }
    }

    /// Drops the bytes that are left and starts over: the next piece does not continue this one.
    pub fn reset(&mut self) {
        self.skip(self.rest.len() + self.chunk.len());
        self.rest.clear();
        self.chunk.clear();
        self.stride = None;
    }

    /// The number of bytes that belonged to no packet.
    #[must_use]
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// How often alignment was lost.
    #[must_use]
    pub const fn losses(&self) -> u64 {
        self.losses
    }

    /// Fills `rest` up to the length that the next step needs, unless it is empty.
    fn fill(&mut self) {
        if self.rest.is_empty() {
            return;
        }
        let wanted = self.stride.unwrap_or(SEARCHED);
        let missing = wanted.saturating_sub(self.rest.len()).min(self.chunk.len());
        self.rest.extend_from_slice(&self.chunk.split_to(missing));
    }

    /// Takes packets off the front of the bytes.
    fn take(&mut self, stride: usize) -> Taken {
        if !self.rest.is_empty() {
            if self.rest.len() < stride {
                return Taken::Nothing;
            }
            let packet = self.rest.split_to(stride).freeze();
            if packet[0] == SYNC {
                return Taken::Run(packet.slice(..PACKET));
            }
            self.give_back(packet);
            return Taken::NoPacket;
        }
        let packets = self.chunk.chunks_exact(stride).take_while(|packet| packet[0] == SYNC);
        // Packets with bytes between them are a run each.
        let count = if stride == PACKET { packets.count() } else { packets.take(1).count() };
        if count > 0 {
            let run = self.chunk.split_to(count * stride);
            return Taken::Run(if stride == PACKET { run } else { run.slice(..PACKET) });
        }
        if self.chunk.len() >= stride {
            return Taken::NoPacket;
        }
        self.rest.extend_from_slice(&self.chunk);
        self.chunk.clear();
        Taken::Nothing
    }

    /// Puts bytes back in front.
    fn give_back(&mut self, front: Bytes) {
        let mut all = BytesMut::from(front);
        all.unsplit(std::mem::take(&mut self.rest));
        self.rest = all;
    }

    /// Searches for [`PROOF`] sync bytes in a row and skips the bytes before them; returns `false` if it needs more
    /// bytes.
    fn find(&mut self) -> bool {
        let from_rest = !self.rest.is_empty();
        let bytes: &[u8] = if from_rest { &self.rest } else { &self.chunk };
        let (mut at, mut found) = (0, None);
        while found.is_none() && bytes.len() - at >= OUTLOOK {
            let window = &bytes[at..];
            found = STRIDES.into_iter().find(|stride| (0..PROOF).all(|nth| window[nth * stride] == SYNC));
            at += usize::from(found.is_none());
        }
        self.stride = found;
        self.skip(at);
        if from_rest {
            self.rest.advance(at);
        } else {
            self.chunk.advance(at);
        }
        if found.is_none() && !from_rest {
            self.rest.extend_from_slice(&self.chunk);
            self.chunk.clear();
        }
        found.is_some() || !self.chunk.is_empty()
    }

    const fn skip(&mut self, bytes: usize) {
        self.skipped += bytes as u64;
    }
}

/// The result of taking packets off the front.
enum Taken {
    Run(Bytes),
    Nothing,
    NoPacket,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(count: u8) -> Vec<u8> {
        (0..count).flat_map(|nth| [&[SYNC, nth][..], &[0x55; PACKET - 2]].concat()).collect()
    }

    /// The second byte of each packet found in `bytes`, and the counts of skipped bytes and losses.
    fn found(bytes: &[u8], piece: usize) -> (Vec<u8>, u64, u64) {
        let (mut align, mut found) = (Align::default(), Vec::new());
        for piece in bytes.chunks(piece) {
            align.push(&Bytes::copy_from_slice(piece));
            while let Some(run) = align.next_run() {
                assert!(run.len() % PACKET == 0 && run.chunks(PACKET).all(|packet| packet[0] == SYNC));
                found.extend(run.chunks(PACKET).map(|packet| packet[1]));
            }
            assert!(align.rest.len() <= SEARCHED && align.chunk.is_empty());
        }
        (found, align.skipped(), align.losses())
    }

    #[test]
    fn packets_are_found_behind_whatever_comes_first() {
        let lone = [&[1, SYNC][..], &[2; 300], &[SYNC; 1], &[3; 90]].concat();
        for front in [vec![], vec![9; 77], lone, packets(1)[20..].to_vec()] {
            let stream = [front.clone(), packets(9)].concat();
            for piece in [1, 7, 188, 500, 10_000] {
                let expected = ((0..9).collect(), front.len() as u64, 0);
                assert_eq!(found(&stream, piece), expected, "{} in {piece}", front.len());
            }
        }
    }

    #[test]
    fn packets_are_found_again_behind_a_gap() {
        let mut stream = packets(20);
        stream.drain(5 * PACKET + 50..5 * PACKET + 90);
        for piece in [1, 188, 10_000] {
            let (packets, skipped, losses) = found(&stream, piece);
            // The damaged packet keeps its start and takes bytes of the next one.
            assert_eq!(packets, (0..6).chain(7..20).collect::<Vec<_>>(), "{piece}");
            assert_eq!((skipped, losses), (PACKET as u64 - 40, 1), "{piece}");
        }
    }

    #[test]
    fn garbage_is_not_kept() {
        let (packets, skipped, losses) = found(&vec![0x11; 1 << 20], 4000);
        assert!(packets.is_empty() && losses == 0);
        assert!(skipped > (1 << 20) - SEARCHED as u64);
    }
}
