//! The PES packet of the sound that is under way, so that every one is whole in one segment: players begin anew with
//! each of them and lose what they have half of.

use crate::memory::Memory;
use crate::mpegts::clock::{HERTZ, Ticks, nearest};
use crate::mpegts::packet::{PACKET, Packet};
use crate::mpegts::pes::Pes;

/// A PES packet says its length in 16 bits; what is longer than such a one is passed on as it comes.
const LARGEST: usize = 512 * PACKET;
/// Sound that is as much earlier than the first picture is of no use.
const EARLY: Ticks = HERTZ / 10;

/// Holds sound back.
#[derive(Debug, Default)]
pub(super) struct HeldAudio {
    packets: Vec<u8>,
    /// Bytes of the PES packet that have yet to come, where it told its length.
    missing: Option<usize>,
    /// Whether its beginning was there.
    begun: bool,
    shown: Option<Ticks>,
    /// No sound earlier than this is wanted.
    from: Option<Ticks>,
    /// Whether any was passed on.
    heard: bool,
}

impl HeldAudio {
    /// Nothing is under way, and nothing is wanted but sound beside a picture that is shown at `from`.
    pub(super) fn restart(&mut self, from: Option<Ticks>) {
        self.packets.clear();
        *self = Self { packets: std::mem::take(&mut self.packets), from, ..Self::default() };
    }

    /// Whether any sound was passed on.
    pub(super) const fn is_heard(&self) -> bool {
        self.heard
    }

    /// Takes a packet; appends to `out` what is whole.
    pub(super) fn take(&mut self, packet: Packet<'_>, out: &mut impl Memory) {
        let payload = packet.payload();
        if packet.starts_unit() {
            self.pass(out);
            let pes = Pes::read(payload);
            self.begun = true;
            self.missing = pes.and_then(|pes| pes.length);
            self.shown = pes.and_then(|pes| pes.stamps.pts);
        }
        if !self.begun {
            return;
        }
        self.packets.extend_from_slice(packet.bytes());
        self.missing = self.missing.map(|missing| missing.saturating_sub(payload.len()));
        if self.missing == Some(0) || self.packets.len() > LARGEST {
            self.pass(out);
        }
    }

    /// Bytes held.
    pub(super) const fn len(&self) -> usize {
        self.packets.len()
    }

    /// Appends to `out` what is held, whole or not.
    pub(super) fn pass(&mut self, out: &mut impl Memory) {
        let is_early = match (self.from, self.shown) {
            (Some(from), Some(shown)) => nearest(shown, from) < from - EARLY,
            (None, _) | (_, None) => false,
        };
        if !is_early && !self.packets.is_empty() {
            out.extend_from_slice(&self.packets);
            self.heard = true;
            self.from = None;
        }
        self.packets.clear();
    }
}
