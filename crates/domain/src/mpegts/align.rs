//! Whole packets from bytes that come in pieces of any length, begin anywhere and may be damaged.
//!
//! Packets of 192 bytes (M2TS: four in front) and of 204 (sixteen of parity behind) are given as those of 188 they hold.
//! What it gives depends on the bytes alone, not on how they came in pieces.

use bytes::{Buf, Bytes, BytesMut};

use crate::mpegts::packet::{PACKET, SYNC};

/// From one packet to the next; the usual distance first.
const STRIDES: [usize; 3] = [PACKET, 192, 204];
/// As many sync bytes in a row are no coincidence.
const PROOF: usize = 3;
/// What has to be seen before a first packet is believed in.
const OUTLOOK: usize = (PROOF - 1) * STRIDES[2] + 1;
/// As much is searched at once, where the pieces are shorter than what has to be seen.
const SEARCHED: usize = 4096;

/// Finds packets.
#[derive(Debug, Default)]
pub struct Align {
    /// What did not suffice yet: at most [`SEARCHED`].
    rest: BytesMut,
    /// What came last.
    chunk: Bytes,
    /// The distance of the packets, while they follow one another.
    stride: Option<usize>,
    skipped: u64,
    losses: u64,
}

impl Align {
    /// Takes what came; [`next_run`](Self::next_run) gives the packets in it and must have given all that came before.
    pub fn push(&mut self, bytes: &Bytes) {
        if self.chunk.is_empty() {
            self.chunk = bytes.clone();
        } else {
            let mut all = BytesMut::from(&*self.chunk);
            all.extend_from_slice(bytes);
            self.chunk = all.freeze();
        }
    }

    /// The next packets that follow one another, as many as lie in one piece.
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

    /// What comes next does not continue what came: half a packet is none.
    pub fn reset(&mut self) {
        self.skip(self.rest.len() + self.chunk.len());
        self.rest.clear();
        self.chunk.clear();
        self.stride = None;
    }

    /// Bytes that belonged to no packet.
    #[must_use]
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// How often packets had to be looked for anew.
    #[must_use]
    pub const fn losses(&self) -> u64 {
        self.losses
    }

    /// Brings `rest` to what the next step needs, or to nothing at all.
    fn fill(&mut self) {
        if self.rest.is_empty() {
            return;
        }
        let wanted = self.stride.unwrap_or(SEARCHED);
        let missing = wanted.saturating_sub(self.rest.len()).min(self.chunk.len());
        self.rest.extend_from_slice(&self.chunk.split_to(missing));
    }

    /// Packets at the beginning of what there is.
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
        // Where packets are apart, each is a run of its own.
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

    /// Puts bytes in front again.
    fn give_back(&mut self, front: Bytes) {
        let mut all = BytesMut::from(front);
        all.unsplit(std::mem::take(&mut self.rest));
        self.rest = all;
    }

    /// Looks for the first of [`PROOF`] sync bytes in a row and drops what lies before; `false` if more must come first.
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

/// What the beginning of the bytes turned out to be.
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

    /// The second bytes of the packets found in `bytes`, and how many bytes were skipped and losses borne.
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
            // The damaged one keeps its beginning and takes some of the next.
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
