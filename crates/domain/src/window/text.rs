//! The text of a listing's segments: written once per segment, and shared by all lists that name it.
//!
//! Full blocks are compressed once as well, and joined to chapters once, so that a long list costs hardly more than a short one. It
//! does not know which segments a list names, nor what stands before the first one.

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

use crate::playlist::{self, Listed};

/// Segments per block: what a list repeats of its first and its last block is not compressed.
const BLOCK: usize = 64;
/// Blocks per chapter: a list joins the checksums of so many, and of its chapters.
const CHAPTER: usize = 16;
/// The header of a gzip member without any option (RFC 1952, 2.3).
const GZIP: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// The most that a stored block of DEFLATE holds (RFC 1951, 3.2.4).
const STORED: usize = 0xffff;
/// The bytes of a gzip member beside its content, where that is short.
const OVERHEAD: usize = 32;

/// The text of segments that follow each other.
#[derive(Clone, Debug)]
pub(super) struct Text {
    /// The number of the first segment of the first block.
    first: u64,
    /// The first block is the first of a chapter.
    full: VecDeque<Block>,
    chapters: VecDeque<Arc<Stretch>>,
    growing: Growing,
}

#[derive(Clone, Debug, Default)]
struct Growing {
    text: String,
    /// Where each segment begins.
    begins: Vec<usize>,
}

/// Segments whose text changes no more.
#[derive(Clone, Debug)]
struct Block {
    all: Arc<Stretch>,
    begins: Vec<usize>,
}

/// A text that changes no more.
#[derive(Debug)]
struct Stretch {
    text: Bytes,
    /// The text by DEFLATE, in blocks none of which is the last; it ends at a byte's end.
    deflated: Bytes,
    crc: Crc,
}

/// A list: what stands before its first segment, and its segments.
#[derive(Clone, Debug)]
pub struct ListText {
    /// All before the first whole block.
    head: String,
    /// All whole blocks.
    stretches: Vec<Arc<Stretch>>,
    /// All after the last whole block.
    tail: String,
}

impl Text {
    pub(super) fn new(first: u64) -> Self {
        Self { first, full: VecDeque::new(), chapters: VecDeque::new(), growing: Growing::default() }
    }

    /// Appends the next segment.
    pub(super) fn push(&mut self, listed: &Listed) {
        self.growing.begins.push(self.growing.text.len());
        playlist::write_segment(&mut self.growing.text, listed);
        if self.growing.begins.len() == BLOCK {
            let Growing { text, begins } = std::mem::take(&mut self.growing);
            self.full.push_back(Block { all: Arc::new(Stretch::new(text)), begins });
            if self.full.len().is_multiple_of(CHAPTER) {
                let last = self.full.range(self.full.len() - CHAPTER..).map(|block| &block.all);
                self.chapters.push_back(Arc::new(Stretch::joined(last)));
            }
        }
    }

    /// The text from this segment on, behind `head`.
    pub(super) fn from(&self, sequence: u64, mut head: String) -> ListText {
        let skipped = usize::try_from(sequence.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let (mut block, within) = (skipped / BLOCK, skipped % BLOCK);
        let mut tail = &*self.growing.text;
        if let Some(first) = self.full.get(block).filter(|_| within > 0) {
            head.push_str(&String::from_utf8_lossy(&first.all.text[first.begins[within]..]));
            block += 1;
        } else if block >= self.full.len() {
            let behind = skipped - self.full.len() * BLOCK;
            tail = &tail[self.growing.begins.get(behind).copied().unwrap_or(tail.len())..];
        }
        let mut stretches = Vec::new();
        while let Some(next) = self.full.get(block) {
            let chapter = self.chapters.get(block / CHAPTER).filter(|_| block.is_multiple_of(CHAPTER));
            stretches.push(Arc::clone(chapter.unwrap_or(&next.all)));
            block += if chapter.is_some() { CHAPTER } else { 1 };
        }
        ListText { head, stretches, tail: tail.to_owned() }
    }

    /// Forgets the chapters that end before this segment.
    pub(super) fn forget_before(&mut self, sequence: u64) {
        const SEGMENTS: usize = BLOCK * CHAPTER;
        while sequence >= self.first + SEGMENTS as u64 && self.chapters.pop_front().is_some() {
            self.full.drain(..CHAPTER);
            self.first += SEGMENTS as u64;
        }
    }
}

impl Stretch {
    fn new(text: String) -> Self {
        let mut crc = Crc::new();
        crc.update(text.as_bytes());
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        let deflated = encoder.write_all(text.as_bytes()).and_then(|()| encoder.flush());
        debug_assert!(deflated.is_ok(), "memory is the only limit");
        Self { text: text.into(), deflated: std::mem::take(encoder.get_mut()).into(), crc }
    }

    fn joined<'a>(parts: impl Iterator<Item = &'a Arc<Self>> + Clone) -> Self {
        let mut crc = Crc::new();
        parts.clone().for_each(|part| crc.combine(&part.crc));
        let text: Vec<_> = parts.clone().map(|part| &*part.text).collect();
        let deflated: Vec<_> = parts.map(|part| &*part.deflated).collect();
        Self { text: text.concat().into(), deflated: deflated.concat().into(), crc }
    }
}

impl ListText {
    /// The list as it is.
    #[must_use]
    pub fn plain(&self) -> Bytes {
        let Self { head, stretches, tail } = self;
        let whole = stretches.iter().map(|stretch| &*stretch.text);
        let parts: Vec<&[u8]> = [head.as_bytes()].into_iter().chain(whole).chain([tail.as_bytes()]).collect();
        parts.concat().into()
    }

    /// The list by gzip (RFC 1952); `None` if it is too short for that to be worth it.
    #[must_use]
    pub fn gzipped(&self) -> Option<Bytes> {
        let Self { head, stretches, tail } = self;
        if stretches.is_empty() {
            return None;
        }
        let mut crc = Crc::new();
        crc.update(head.as_bytes());
        let length: usize = stretches.iter().map(|stretch| stretch.deflated.len()).sum();
        let mut gzipped = Vec::with_capacity(length + head.len() + tail.len() + OVERHEAD);
        gzipped.extend_from_slice(&GZIP);
        store(&mut gzipped, head, false);
        for stretch in stretches {
            gzipped.extend_from_slice(&stretch.deflated);
            crc.combine(&stretch.crc);
        }
        crc.update(tail.as_bytes());
        store(&mut gzipped, tail, true);
        gzipped.extend_from_slice(&crc.sum().to_le_bytes());
        gzipped.extend_from_slice(&crc.amount().to_le_bytes());
        Some(gzipped.into())
    }
}

/// Appends the text in stored blocks of DEFLATE (RFC 1951, 3.2.4), the last of which is the last of all if `is_last`.
fn store(gzipped: &mut Vec<u8>, text: &str, is_last: bool) {
    let count = text.len().div_ceil(STORED).max(1);
    for number in 0..count {
        let block = &text.as_bytes()[number * STORED..text.len().min((number + 1) * STORED)];
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        gzipped.push(u8::from(is_last && number + 1 == count));
        gzipped.extend_from_slice(&length.to_le_bytes());
        gzipped.extend_from_slice(&(!length).to_le_bytes());
        gzipped.extend_from_slice(block);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::time::Duration;

    use super::*;

    fn listed(sequence: u64) -> Listed {
        let duration = Duration::from_millis(480 + sequence % 3 * 20);
        let discontinuity = sequence % 100 == 50;
        Listed {
            sequence,
            duration,
            discontinuity,
            discontinuity_sequence: 0,
            date: Duration::from_secs(sequence),
        }
    }

    fn text_of(numbers: std::ops::Range<u64>) -> String {
        let mut text = String::from("#EXTM3U\n");
        numbers.for_each(|sequence| playlist::write_segment(&mut text, &listed(sequence)));
        text
    }

    #[test]
    fn every_list_is_the_text_of_its_segments_plain_and_compressed() {
        const FIRST: u64 = 1_000_000;
        let (mut text, mut pushed) = (Text::new(FIRST), 0);
        for end in (0..300).chain(1000..1100).chain(2040..2060) {
            (FIRST + pushed..FIRST + end).for_each(|sequence| text.push(&listed(sequence)));
            pushed = end;
            for begin in
                [0, 1, 63, 64, 65, 128, 200, 1023, 1024, 1025, end].into_iter().filter(|begin| *begin <= end)
            {
                let list = text.from(FIRST + begin, "#EXTM3U\n".to_owned());
                let expected = text_of(FIRST + begin..FIRST + end);
                if let Some(gzipped) = list.gzipped() {
                    let mut unzipped = String::new();
                    flate2::read::GzDecoder::new(&gzipped[..]).read_to_string(&mut unzipped).unwrap();
                    assert_eq!(unzipped, expected, "{begin}..{end}");
                }
                assert_eq!(list.plain(), expected.as_bytes(), "{begin}..{end}");
            }
        }
        text.forget_before(FIRST + 1130);
        assert_eq!(text.first, FIRST + 1024);
        let list = text.from(FIRST + 1130, "#EXTM3U\n".to_owned());
        assert_eq!(list.plain(), text_of(FIRST + 1130..FIRST + 2059).as_bytes());
    }

    #[test]
    fn two_hours_take_little_room_compressed() {
        let mut text = Text::new(28_659_724);
        (0..14_400).for_each(|at| text.push(&listed(28_659_724 + at)));
        let gzipped = text.from(28_659_730, String::new()).gzipped().unwrap().len();
        assert!(gzipped < 80_000, "{gzipped}");
    }
}
