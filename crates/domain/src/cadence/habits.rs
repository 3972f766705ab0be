//! Learns how often the viewers of one class leave, lose their network, hide their tab and pause.
//!
//! Each rate begins at its assumed value, follows the events seen, forgets old ones and stays within bounds, so that nothing
//! one viewer does can make the gateway blind to another.

use std::time::Duration;

use crate::cadence::class::Class;
use crate::cadence::laws::{
    GAP, GAP_BOUNDS, HALF_LIFE, HIDDEN, LATE, LEFT_BOUNDS, PAUSE, PRIOR_HOURS, Rates, SPELL_BOUNDS, THIN,
    density,
};
use crate::cadence::rhythm::Rhythm;

/// The habits of a class.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    assumed: Rates,
    /// Events seen, decayed.
    seen: Rates,
    hours: f64,
}

impl Habits {
    /// The habits assumed of a class before anything was seen.
    #[must_use]
    pub const fn of(class: Class) -> Self {
        let none = Rates { left: 0.0, gap: 0.0, hidden: 0.0, pause: 0.0 };
        Self { assumed: Rates::assumed(class), seen: none, hours: 0.0 }
    }

    /// A viewer has broken a silence of length `span`. The event counts for each possible cause of the silence, in proportion to
    /// the cause's probability.
    pub fn returned(&mut self, span: Duration, rhythm: &Rhythm, target: Duration) {
        self.viewed(span);
        let silence = span.as_secs_f64();
        let late = silence - rhythm.expected(target);
        if late < LATE {
            return;
        }
        let rates = self.rates();
        let gap = rates.gap * density(late / GAP) / GAP;
        let pause = rates.pause * density(silence / PAUSE) / PAUSE;
        let hidden = if THIN.contains(&silence) && !rhythm.is_thin() { rates.hidden / HIDDEN } else { 0.0 };
        let all = gap + pause + hidden;
        if all > 0.0 {
            self.seen.gap += gap / all;
            self.seen.pause += pause / all;
            self.seen.hidden += hidden / all;
        }
    }

    /// A viewer has left, other than by a zap.
    pub fn left(&mut self) {
        self.seen.left += 1.0;
    }

    /// A viewer that counted as having left has come back.
    pub fn had_not_left(&mut self) {
        self.seen.left = (self.seen.left - 1.0).max(0.0);
    }

    /// The rates, in steps of a twelfth, so that they change rarely.
    #[must_use]
    pub fn rates(&self) -> Rates {
        let rate = |assumed: f64, seen: f64, (least, most): (f64, f64)| {
            let rate = (assumed * PRIOR_HOURS + seen) / (PRIOR_HOURS + self.hours);
            let bounded = rate.clamp(assumed * least, assumed * most);
            if bounded > 0.0 { ((bounded.log2() * 8.0).round() / 8.0).exp2() } else { 0.0 }
        };
        Rates {
            left: rate(self.assumed.left, self.seen.left, LEFT_BOUNDS),
            gap: rate(self.assumed.gap, self.seen.gap, GAP_BOUNDS),
            hidden: rate(self.assumed.hidden, self.seen.hidden, SPELL_BOUNDS),
            pause: rate(self.assumed.pause, self.seen.pause, SPELL_BOUNDS),
        }
    }

    fn viewed(&mut self, span: Duration) {
        let hours = span.as_secs_f64() / 3600.0;
        let kept = (-hours / HALF_LIFE).exp2();
        let Rates { left, gap, hidden, pause } = &mut self.seen;
        for count in [left, gap, hidden, pause, &mut self.hours] {
            *count *= kept;
        }
        self.hours += hours;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Duration = Duration::from_secs(3);

    #[test]
    fn rates_follow_what_is_seen_within_bounds() {
        let mut habits = Habits::of(Class::App);
        let rhythm = Rhythm::default();
        for minute in 0..60_000 {
            for _ in 0..20 {
                habits.returned(Duration::from_secs(3), &rhythm, TARGET);
            }
            if minute % 20 == 0 {
                habits.left();
            }
        }
        let rates = habits.rates();
        assert!((2.6..3.4).contains(&rates.left), "three an hour: {}", rates.left);
        assert!((rates.gap - 0.0625).abs() < 0.01, "never seen, and yet possible: {}", rates.gap);
        for _ in 0..100_000 {
            habits.left();
        }
        assert!(habits.rates().left <= 13.0, "however many leave");
    }

    #[test]
    fn a_long_silence_of_a_pull_player_is_a_pause_rather_than_a_gap() {
        let mut habits = Habits::of(Class::Pull);
        habits.returned(Duration::from_secs(300), &Rhythm::default(), TARGET);
        assert!(habits.seen.pause > 0.9, "{habits:?}");
        habits.returned(Duration::from_secs(8), &Rhythm::default(), TARGET);
        assert!(habits.seen.gap > 0.9, "{habits:?}");
    }
}
