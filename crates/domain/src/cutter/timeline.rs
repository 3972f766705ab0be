//! Derives a decoding time that never falls from time stamps that may be missing, out of order or wrapped.

use crate::mpegts::clock::{HERTZ, Ticks, nearest};
use crate::mpegts::pes::Stamps;

/// Stamps that fall by less are out of order or inaccurate; those that fall by more have jumped.
const DISORDER: Ticks = HERTZ;
/// The same at a random access point, behind which nothing older is presented.
const DISORDER_AT_ACCESS: Ticks = HERTZ / 10;
/// The duration of a picture until a better one is known.
const USUAL_STEP: Ticks = HERTZ / 25;
/// A longer distance between two pictures is not the duration of one.
const LONGEST_STEP: Ticks = HERTZ / 2;

/// The decoding time of a stream.
#[derive(Debug)]
pub(super) struct Timeline {
    /// A step ahead of more than this is a jump.
    longest: Ticks,
    now: Option<Ticks>,
    step: Ticks,
}

/// Where a picture lies on the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    /// It follows the previous picture.
    At(Ticks),
    /// It does not belong to this timeline.
    Jumped,
}

impl Timeline {
    /// Treats a step ahead of more than `longest` as a jump.
    pub(super) const fn new(longest: Ticks) -> Self {
        Self { longest, now: None, step: USUAL_STEP }
    }

    /// Takes the next stamp for the start of a new timeline.
    pub(super) const fn restart(&mut self) {
        self.now = None;
    }

    /// Places the next picture.
    pub(super) fn place(&mut self, stamps: Stamps, random_access: bool) -> Placed {
        let Some(before) = self.now else {
            // A picture without stamps cannot start a timeline.
            self.now = stamps.decoded();
            return self.now.map_or(Placed::Jumped, Placed::At);
        };
        let now = stamps.decoded().map_or(before + self.step, |stamp| nearest(stamp, before));
        let ahead = now - before;
        let disorder = if random_access { DISORDER_AT_ACCESS } else { DISORDER };
        if ahead < -disorder || ahead > self.longest {
            return Placed::Jumped;
        }
        if ahead > 0 && ahead <= LONGEST_STEP {
            self.step = ahead;
        }
        let now = now.max(before);
        self.now = Some(now);
        Placed::At(now)
    }

    /// When the last placed picture ends.
    pub(super) fn end(&self) -> Option<Ticks> {
        self.now.map(|now| now + self.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamps(pts: Ticks) -> Stamps {
        Stamps { pts: Some(pts), dts: None }
    }

    #[test]
    fn time_goes_on_whatever_the_stamps_do() {
        let mut timeline = Timeline::new(3 * HERTZ);
        let wrap = 1 << 33;
        let told = [Some(wrap - 3600), None, Some(3600), Some(1800), Some(10_800)];
        let placed: Vec<_> =
            told.map(|pts| timeline.place(Stamps { pts, dts: None }, false)).into_iter().collect();
        let at = [wrap - 3600, wrap, wrap + 3600, wrap + 3600, wrap + 10_800];
        assert_eq!(placed, at.map(Placed::At));
        assert_eq!(timeline.end(), Some(wrap + 18_000));
    }

    #[test]
    fn a_jump_is_none_of_its_time() {
        const FROM: Ticks = 900_000;
        let jumps = [(FROM + 3 * HERTZ + 1, false), (FROM - HERTZ - 1, false), (FROM - HERTZ / 10 - 1, true)];
        for (to, random_access) in jumps {
            let mut timeline = Timeline::new(3 * HERTZ);
            timeline.place(stamps(FROM), true);
            assert_eq!(timeline.place(stamps(to), random_access), Placed::Jumped);
            timeline.restart();
            assert_eq!(timeline.place(stamps(to), random_access), Placed::At(to));
        }
        assert_eq!(Timeline::new(HERTZ).place(Stamps::default(), true), Placed::Jumped);
    }
}
