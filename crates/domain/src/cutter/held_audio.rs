//! Holds the current audio PES packet back until it is whole, so that no packet is split between segments: players start
//! over with each segment and would lose it.

use crate::memory::Memory;
use crate::mpegts::clock::{HERTZ, Ticks, nearest};
use crate::mpegts::packet::{PACKET, Packet};
use crate::mpegts::pes::Pes;

/// The most bytes held: the 16-bit length of a PES packet allows for no more.
const LARGEST: usize = 512 * PACKET;
/// Audio that precedes the first picture by more than this is dropped.
const EARLY: Ticks = HERTZ / 10;

/// Holds audio back.
#[derive(Debug, Default)]
pub(super) struct HeldAudio {
    packets: Vec<u8>,
    /// Bytes of the PES packet still to come, if it told its length.
    missing: Option<usize>,
    /// Whether the start of the PES packet was there.
    begun: bool,
    shown: Option<Ticks>,
    /// Audio that is presented before this is dropped.
    from: Option<Ticks>,
    /// Whether any audio was passed on, or is awaited no longer.
    heard: bool,
}

impl HeldAudio {
    /// Drops what is held, and from now on audio that precedes a picture presented at `from`.
    pub(super) fn restart(&mut self, from: Option<Ticks>) {
        self.packets.clear();
        *self = Self { packets: std::mem::take(&mut self.packets), from, ..Self::default() };
    }

    /// Whether audio is awaited: none was passed on since the last restart.
    pub(super) const fn is_awaited(&self) -> bool {
        !self.heard
    }

    /// Awaits no audio any longer.
    pub(super) const fn give_up(&mut self) {
        self.heard = true;
    }

    /// Takes a packet, and appends PES packets that are whole to `out`.
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

    /// Appends what is held to `out`, whole or not.
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
