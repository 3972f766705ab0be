//! Gathers the start of a video PES packet until it can tell whether the packet is a random access point.
//!
//! It finds the parts between start codes; the codecs say what each part means.

use std::ops::Range;

use crate::mpegts::facts::{Video, VideoCodec};
use crate::mpegts::part::Part;
use crate::mpegts::{h264, hevc, mpeg2};

/// The most bytes of a packet that are looked at.
const LARGEST: usize = 16 << 10;

/// The start of a PES packet, and the video parameters known so far.
#[derive(Debug)]
pub(super) struct PesHead {
    codec: VideoCodec,
    bytes: Vec<u8>,
    /// Where the first part begins that is not classified yet.
    next: usize,
    /// Bytes of the PES header still to come.
    header: usize,
    random_access: bool,
    recovery: bool,
    high_dynamic_range: bool,
    decided: bool,
    /// Up to where the end of the current part was searched for.
    searched: usize,
    /// Where the parameters of this packet lie.
    found: Option<Range<usize>>,
    /// The parameters that `video` was read from.
    parameters: Vec<u8>,
    video: Video,
}

impl PesHead {
    /// Expects video coded as `codec`.
    #[must_use]
    pub(super) fn new(codec: VideoCodec) -> Self {
        Self {
            codec,
            bytes: Vec::new(),
            next: 0,
            header: 0,
            random_access: false,
            recovery: false,
            high_dynamic_range: false,
            decided: true,
            searched: 0,
            found: None,
            parameters: Vec::new(),
            video: Video::unknown(codec),
        }
    }

    /// The video format as last read.
    #[must_use]
    pub(super) const fn video(&self) -> &Video {
        &self.video
    }

    /// Starts a PES packet whose header has `header` bytes; `random_access` is the flag of its adaptation field.
    pub(super) fn begin(&mut self, header: usize, random_access: bool) {
        self.bytes.clear();
        self.next = 0;
        self.header = header;
        self.random_access = random_access;
        self.recovery = false;
        self.high_dynamic_range = false;
        self.decided = false;
        self.searched = 0;
        self.found = None;
    }

    /// Ignores the rest of this packet.
    pub(super) const fn abandon(&mut self) {
        self.decided = true;
    }

    /// Takes more of the packet. Returns `Some` once per packet: whether it is a random access point.
    pub(super) fn extend(&mut self, payload: &[u8]) -> Option<bool> {
        if self.decided {
            return None;
        }
        let skipped = self.header.min(payload.len());
        self.header -= skipped;
        self.bytes.extend_from_slice(&payload[skipped..]);
        let random_access = match self.codec {
            VideoCodec::Other(_) => Some(self.random_access),
            VideoCodec::H264 | VideoCodec::Hevc | VideoCodec::Mpeg2 => self.search(),
        };
        let random_access = random_access.or_else(|| (self.bytes.len() > LARGEST).then_some(false));
        self.decided = random_access.is_some();
        random_access
    }

    fn search(&mut self) -> Option<bool> {
        loop {
            let Some(begin) = start_code(&self.bytes, self.next) else {
                // The last two bytes may belong to a start code.
                self.next = self.next.max(self.bytes.len().saturating_sub(2));
                return None;
            };
            let content = begin + 3;
            let end = start_code(&self.bytes, content.max(self.searched));
            let part = &self.bytes[content..end.unwrap_or(self.bytes.len())];
            let meaning = match self.codec {
                VideoCodec::H264 => h264::part(part, end.is_some()),
                VideoCodec::Hevc => hevc::part(part, end.is_some()),
                VideoCodec::Mpeg2 | VideoCodec::Other(_) => mpeg2::part(part),
            };
            match meaning {
                Part::Parameters => {
                    self.found.get_or_insert(content..end.unwrap_or(self.bytes.len()));
                }
                Part::Recovery => self.recovery = true,
                Part::HighDynamicRange => self.high_dynamic_range = true,
                Part::Picture { random_access } => {
                    let random_access = random_access || self.recovery || self.random_access;
                    return Some(self.learn(begin) && random_access);
                }
                Part::Incomplete | Part::Other => {}
            }
            let Some(end) = end else {
                self.next = begin;
                self.searched = self.bytes.len().saturating_sub(2);
                return None;
            };
            self.next = end;
        }
    }

    /// Reads the parameters in front of the picture at `picture`; `false` if there are none.
    fn learn(&mut self, picture: usize) -> bool {
        let is_there = self.read_parameters(picture);
        self.video.high_dynamic_range |= self.high_dynamic_range;
        is_there
    }

    fn read_parameters(&mut self, picture: usize) -> bool {
        let Some(mut found) = self.found.clone() else { return false };
        if self.codec == VideoCodec::Mpeg2 {
            // The extensions of a sequence header have start codes of their own.
            found.end = picture;
        }
        let Some(bytes) = self.bytes.get(found) else { return false };
        if bytes == self.parameters {
            return true;
        }
        let video = match self.codec {
            VideoCodec::H264 => h264::parameters(bytes),
            VideoCodec::Hevc => hevc::parameters(bytes),
            VideoCodec::Mpeg2 | VideoCodec::Other(_) => mpeg2::parameters(bytes),
        };
        if let Some(video) = video {
            self.video = video;
            self.parameters.clear();
            self.parameters.extend_from_slice(bytes);
        }
        true
    }
}

/// The offset of the next start code, from `from` on.
fn start_code(bytes: &[u8], from: usize) -> Option<usize> {
    bytes.get(from..)?.windows(3).position(|window| window == [0, 0, 1]).map(|at| from + at)
}
