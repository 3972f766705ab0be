//! The decoding time of a stream, which never falls, from stamps that may be missing, out of order or begin anew.

use crate::mpegts::clock::{HERTZ, Ticks, nearest};
use crate::mpegts::pes::Stamps;

/// Stamps that fall by less are out of order, or a little wrong; those that fall by more begin anew.
const DISORDER: Ticks = HERTZ;
/// The same where decoding may begin: nothing that was decoded before is shown later.
const DISORDER_AT_ACCESS: Ticks = HERTZ / 10;
/// What a picture lasts as long as nobody knows better.
const USUAL_STEP: Ticks = HERTZ / 25;
/// A longer distance between two pictures is not what one of them lasts.
const LONGEST_STEP: Ticks = HERTZ / 2;

/// Decoding time.
#[derive(Debug)]
pub(super) struct Timeline {
    /// A longer way ahead is a jump.
    longest: Ticks,
    now: Option<Ticks>,
    step: Ticks,
}

/// Where a picture lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    /// Behind the one before.
    At(Ticks),
    /// Somewhere else altogether.
    Jumped,
}

impl Timeline {
    /// One on which a way ahead of more than `longest` is a jump.
    pub(super) const fn new(longest: Ticks) -> Self {
        Self { longest, now: None, step: USUAL_STEP }
    }

    /// What comes next begins anew.
    pub(super) const fn restart(&mut self) {
        self.now = None;
    }

    /// Places the next picture, with which decoding may begin if it is an `access` point.
    pub(super) fn place(&mut self, stamps: Stamps, random_access: bool) -> Placed {
        let Some(before) = self.now else {
            // What has no stamp cannot be a beginning.
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

    /// Where the picture that was placed last ends.
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
