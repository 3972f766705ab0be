//! Judges whether a running FFmpeg still does its work.
//!
//! The caller tells it what FFmpeg did and when; it does not know how that is measured, nor how FFmpeg is ended.

use std::time::Duration;

use crate::reason::Failure;
use crate::time::Timestamp;

/// The limits of a healthy FFmpeg.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The longest time without output.
    pub silence: Duration,
    /// How long it may be slow.
    pub patience: Duration,
    /// The least speed, in seconds of the stream per second.
    pub speed: f64,
    /// The most bytes of memory.
    pub memory: u64,
}

/// The health of one FFmpeg.
#[derive(Clone, Copy, Debug)]
pub struct Health {
    limits: Limits,
    last_output: Timestamp,
    bytes: u64,
    /// When the current measurement of speed started, and the position in the stream then.
    since: Option<(Timestamp, Duration)>,
    failure: Option<Failure>,
}

impl Health {
    /// Starts with an FFmpeg that was started `now`.
    #[must_use]
    pub const fn new(limits: Limits, now: Timestamp) -> Self {
        Self { limits, last_output: now, bytes: 0, since: None, failure: None }
    }

    /// Notes that it has written `bytes` in all.
    pub fn wrote(&mut self, bytes: u64, now: Timestamp) {
        if bytes > self.bytes {
            self.bytes = bytes;
            self.last_output = now;
        }
    }

    /// Notes that it has come to `made` in the stream; `behind` says that input is waiting for it. An FFmpeg that waits
    /// for input is never slow.
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

    /// Notes that it uses `bytes` of memory.
    pub fn holds(&mut self, bytes: u64) {
        if bytes > self.limits.memory {
            self.failure = self.failure.or(Some(Failure::TooMuchMemory));
        }
    }

    /// The reason to end it, if there is one.
    #[must_use]
    pub fn verdict(&self, now: Timestamp) -> Option<Failure> {
        let silent = now.since(self.last_output) >= self.limits.silence;
        self.failure.or(silent.then_some(Failure::Stalled))
    }

    /// When to ask for the next verdict if nothing happens until then.
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
