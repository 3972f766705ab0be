//! Whether an FFmpeg that runs still does its work.
//!
//! It is told what was seen and when, and says why to end it. It does not know how anything is measured or ended.

use std::time::Duration;

use crate::reason::Failure;
use crate::time::Timestamp;

/// What is borne.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// How long nothing may come out.
    pub silence: Duration,
    /// How long it may be slow before that is a failure.
    pub patience: Duration,
    /// Seconds of stream in a second that are not slow.
    pub speed: f64,
    /// Bytes it may hold.
    pub memory: u64,
}

/// What was seen of an FFmpeg.
#[derive(Clone, Copy, Debug)]
pub struct Health {
    limits: Limits,
    last_output: Timestamp,
    bytes: u64,
    /// Where the present measurement of speed began: the moment, and where in the stream it was.
    since: Option<(Timestamp, Duration)>,
    failure: Option<Failure>,
}

impl Health {
    /// That of an FFmpeg started `now`.
    #[must_use]
    pub const fn new(limits: Limits, now: Timestamp) -> Self {
        Self { limits, last_output: now, bytes: 0, since: None, failure: None }
    }

    /// It says how many bytes it has written.
    pub fn wrote(&mut self, bytes: u64, now: Timestamp) {
        if bytes > self.bytes {
            self.bytes = bytes;
            self.last_output = now;
        }
    }

    /// It says up to where in the stream it is; and it is `behind` if some of its source waits for it. One that waits for
    /// its source is never slow.
    pub fn made(&mut self, made: Duration, behind: bool, now: Timestamp) {
        if !behind {
            self.since = None;
            return;
        }
        let Some((began, made_then)) = self.since else {
            self.since = Some((now, made));
            return;
        };
        let span = now.since(began);
        if span >= self.limits.patience {
            let speed = made.saturating_sub(made_then).as_secs_f64() / span.as_secs_f64();
            if speed < self.limits.speed {
                self.failure = self.failure.or(Some(Failure::TooSlow));
            }
            self.since = Some((now, made));
        }
    }

    /// It holds this many bytes.
    pub fn holds(&mut self, bytes: u64) {
        if bytes > self.limits.memory {
            self.failure = self.failure.or(Some(Failure::TooMuchMemory));
        }
    }

    /// Why to end it, if it is to be ended.
    #[must_use]
    pub fn verdict(&self, now: Timestamp) -> Option<Failure> {
        let silent = now.since(self.last_output) >= self.limits.silence;
        self.failure.or(silent.then_some(Failure::Stalled))
    }

    /// When to judge it next, if nothing is seen until then.
    #[must_use]
    pub fn deadline(&self) -> Timestamp {
        self.last_output + self.limits.silence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        silence: Duration::from_secs(10),
        patience: Duration::from_secs(30),
        speed: 0.9,
        memory: 1000,
    };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn silence_is_borne_for_a_while() {
        let mut health = Health::new(LIMITS, at(0));
        assert_eq!((health.verdict(at(9)), health.deadline()), (None, at(10)));
        health.wrote(188, at(9));
        assert_eq!(health.verdict(at(18)), None);
        health.wrote(188, at(18));
        assert_eq!(health.verdict(health.deadline()), Some(Failure::Stalled));
    }

    #[test]
    fn being_slow_is_borne_for_a_while() {
        for (made_each_second, failure) in [(890, Some(Failure::TooSlow)), (910, None), (3000, None)] {
            let mut health = Health::new(LIMITS, at(0));
            for second in 0..=40 {
                health.wrote(second, at(second));
                health.made(Duration::from_millis(second * made_each_second), true, at(second));
                let due = failure.filter(|_| second >= 30);
                assert_eq!(health.verdict(at(second)), due, "{made_each_second} after {second} s");
            }
        }
    }

    #[test]
    fn a_fast_start_does_not_make_up_for_being_slow_later() {
        let mut health = Health::new(LIMITS, at(0));
        health.made(Duration::ZERO, true, at(0));
        health.made(Duration::from_secs(60), true, at(30));
        health.made(Duration::from_secs(70), true, at(60));
        health.wrote(1, at(60));
        assert_eq!(health.verdict(at(60)), Some(Failure::TooSlow));
    }

    #[test]
    fn who_waits_for_its_source_is_not_slow() {
        let mut health = Health::new(LIMITS, at(0));
        for second in 0..=100 {
            health.wrote(second, at(second));
            health.made(Duration::from_millis(second * 100), second % 29 != 0, at(second));
        }
        assert_eq!(health.verdict(at(100)), None);
    }

    #[test]
    fn memory_has_a_limit() {
        let mut health = Health::new(LIMITS, at(0));
        health.holds(1000);
        assert_eq!(health.verdict(at(0)), None);
        health.holds(1001);
        assert_eq!(health.verdict(at(0)), Some(Failure::TooMuchMemory));
        health.holds(1);
        assert_eq!(health.verdict(at(0)), Some(Failure::TooMuchMemory), "once is enough");
    }
}
