//! Tells how far a stream has come: by its PCR where that runs steadily, else by the time of arrival.

use std::time::Duration;

use crate::mpegts::clock::{HERTZ, Ticks, duration, nearest};
use crate::time::Timestamp;

/// A PCR comes ten times per second; one that is farther ahead than this follows missing packets.
const AHEAD: Ticks = 2 * HERTZ;
/// A PCR that is farther ahead than this belongs to another timeline.
const LOST: Ticks = 10 * HERTZ;
/// After a silence longer than this, the time of arrival counts.
const SPARSE: Duration = Duration::from_secs(1);

/// How a PCR follows the previous ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// It continues them; or there was none to compare.
    Even,
    /// It does not continue them: the clock has jumped, or this PCR is damaged.
    Astray,
    /// It continues those before the one that was [`Astray`](Self::Astray), which was damaged.
    Back,
    /// It continues the one that was [`Astray`](Self::Astray): the clock has jumped.
    Elsewhere,
}

/// The position in a stream, which never falls.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    position: Duration,
    /// The last PCR, and the position then.
    last: Option<(Ticks, Duration)>,
    /// When `position` was last set.
    moved: Timestamp,
    /// The last PCR before the one that was [`Course::Astray`].
    strayed_from: Option<Ticks>,
}

impl Clock {
    /// How far the stream has come.
    pub(super) const fn position(&self) -> Duration {
        self.position
    }

    /// Notes that packets arrived, with this PCR or none.
    pub(super) fn advance(&mut self, told: Option<Ticks>, now: Timestamp) -> Course {
        let silence = now.since(self.moved);
        let arrived = self.position + silence;
        self.position = match (self.last, told) {
            (Some(_), None) if silence <= SPARSE => return Course::Even,
            (None, _) | (Some(_), None) => arrived,
            (Some((last, then)), Some(told)) => match nearest(told, last) - last {
                // Time that the arrival has already counted is not counted again.
                ahead @ 0..=AHEAD => self.position.max(then + duration(ahead)),
                _ => arrived,
            },
        };
        self.moved = now;
        let Some(told) = told else { return Course::Even };
        match self.last.replace((told, self.position)) {
            Some((last, _)) => self.course(last, told),
            None => Course::Even,
        }
    }

    fn course(&mut self, last: Ticks, told: Ticks) -> Course {
        let goes_on = |from: Ticks| (0..=LOST).contains(&(nearest(told, from) - from));
        match self.strayed_from.take() {
            None if goes_on(last) => Course::Even,
            // This comes first: a PCR that lagged a little once is no jump, although the next one continues it as well.
            Some(from) if goes_on(from) => Course::Back,
            Some(_) if goes_on(last) => Course::Elsewhere,
            strayed => {
                self.strayed_from = strayed.or(Some(last));
                Course::Astray
            }
        }
    }

    /// Expects a new timeline.
    pub(super) const fn splice(&mut self) {
        self.last = None;
        self.strayed_from = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The position in milliseconds after each arrival: its PCR in milliseconds, if any, and the time.
    fn positions(arrivals: &[(Option<i64>, u64)]) -> Vec<u128> {
        let mut clock = Clock::default();
        arrivals
            .iter()
            .map(|(told, at)| {
                clock.advance(told.map(|ms| ms * 90 % (1 << 33)), Timestamp::from_millis(*at));
                clock.position().as_millis()
            })
            .collect()
    }

    #[test]
    fn what_the_stream_tells_counts_where_it_tells_anything() {
        let burst = [(Some(1000), 5), (Some(2000), 5), (None, 5), (Some(3500), 6)];
        assert_eq!(positions(&burst), [5, 1005, 1005, 2505]);
        assert_eq!(positions(&[(None, 0), (None, 700), (None, 900)]), [0, 700, 900]);
    }

    #[test]
    fn a_moment_that_stands_alone_is_damaged_and_two_are_a_jump() {
        let courses = |told: &[i64]| {
            let mut clock = Clock::default();
            let advance = |ms: &i64| clock.advance(Some(ms * 90), Timestamp::default());
            told.iter().map(advance).collect::<Vec<_>>()
        };
        let (even, astray) = (Course::Even, Course::Astray);
        assert_eq!(courses(&[0, 100, 19_000, 19_100, 19_200]), [even, even, astray, Course::Elsewhere, even]);
        assert_eq!(courses(&[0, 9000, 9100]), [even; 3], "some of it is missing");
        assert_eq!(courses(&[9000, 9100, 0, 100]), [even, even, astray, Course::Elsewhere]);
        assert_eq!(courses(&[0, 100, 19_000, 200, 300]), [even, even, astray, Course::Back, even]);
        assert_eq!(courses(&[0, 100, 60, 200, 300]), [even, even, astray, Course::Back, even]);
        assert_eq!(courses(&[0, 19_000, 50_000, 50_100]), [even, astray, astray, Course::Elsewhere]);
    }

    #[test]
    fn it_begins_anew_every_day() {
        let last = (1 << 33) / 90;
        assert_eq!(positions(&[(Some(last), 0), (Some(last + 500), 0)]), [0, 500]);
    }

    #[test]
    fn a_pause_is_not_counted_twice() {
        let paused = [(Some(0), 0), (None, 1500), (Some(1600), 1510), (Some(2600), 1510)];
        assert_eq!(positions(&paused), [0, 1500, 1600, 2600]);
    }

    #[test]
    fn a_jump_lasts_as_long_as_it_took_to_arrive() {
        let jumps = [(Some(60_000), 0), (Some(5000), 40), (Some(5500), 40), (Some(90_000), 100)];
        assert_eq!(positions(&jumps), [0, 40, 540, 600]);
    }
}
