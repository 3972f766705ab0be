//! One made-up viewer: when it watches, how long it stays on a channel, and where it goes next (docs/worth.md 1).
//!
//! ```text
//! off ──session──► view ──dwell over──► surf ⇄ surf ──chosen, or liked──► view …
//! ```

use crate::simulate::chance::Chance;
use crate::simulate::zapping::audience::{Zap, hour};
use crate::simulate::zapping::habits::Habits;
use crate::simulate::zapping::popularity::Popularity;

/// Sessions a day, and how they are spread over its hours.
const SESSIONS: f64 = 2.4;
const BY_HOUR: [f64; 24] = [
    0.6, 0.3, 0.2, 0.15, 0.15, 0.3, 0.6, 0.9, 1.1, 1.0, 0.9, 0.9, 1.0, 1.1, 1.2, 1.3, 1.2, 1.2, 1.4, 1.6,
    1.9, 2.2, 2.0, 1.2,
];
/// The share of short sessions, and the mean of those and of the others, in seconds.
const SHORT: f64 = 0.35;
const SHORT_MEAN: f64 = 8.0 * 60.0;
const LONG_MEAN: f64 = 93.0 * 60.0;
/// Dwells: the median in seconds, and sigma.
const SURF: (f64, f64) = (6.0, 0.8);
const VIEW: (f64, f64) = (5.3 * 60.0, 1.15);
/// The share of views that end with a programme, at a half hour, and of those that are left on, with the law of these.
const ENDS_WITH_PROGRAMME: f64 = 0.15;
const LEFT_ON: f64 = 0.03;
const LEFT_ON_FOR: (f64, f64) = (2.0 * 3600.0, 0.5);
/// The share of steps to a neighbour while surfing, of viewers with a remote control and of those who choose from a list.
const LINEAR: (f64, f64) = (0.78, 0.12);
/// The share of bursts that begin upwards, and of steps that go on as the one before.
const UP: f64 = 0.69;
const GOES_ON: f64 = 0.95;
/// The share of steps back to the channel before, and of favourites among the rest.
const BACK: f64 = 0.10;
const FAVOURITE: f64 = 0.8;
/// The share of steps that end a burst by choice, and of these, those back to what was viewed before it.
const CHOOSES: f64 = 0.16;
const CHOOSES_VIEWED: f64 = 0.35;
/// How likely a viewer stays where it lands: on a favourite, and elsewhere.
const LIKES: (f64, f64) = (0.30, 0.05);

/// One viewer.
#[derive(Debug)]
pub(super) struct Person<'a> {
    pub(super) number: u32,
    pub(super) by_guide: bool,
    pub(super) channels: u32,
    pub(super) popularity: &'a Popularity,
    pub(super) habits: Habits,
    pub(super) chance: Chance,
}

/// Where a viewer is in a session.
struct Session {
    at: f64,
    ends: f64,
    channel: u32,
    before: u32,
    viewed: u32,
    is_up: bool,
}

impl Person<'_> {
    /// All that it does until `end`, in seconds since the beginning.
    pub(super) fn live(mut self, end: f64) -> Vec<Zap> {
        let (mut zaps, mut at, mut last) = (Vec::new(), 0.0, None);
        let mean: f64 = BY_HOUR.iter().sum::<f64>() / 24.0;
        let peak = BY_HOUR.into_iter().fold(0.0, f64::max);
        loop {
            // Thinning (Lewis, Shedler 1979): sessions come at the rate of the peak, and all but the hour's share are dropped.
            at += self.chance.exponential(86_400.0 / SESSIONS * mean / peak);
            if at >= end {
                return zaps;
            }
            let rate = BY_HOUR.get(usize::from(hour(millis(at)))).copied().unwrap_or_default();
            if self.chance.happens(rate / peak) {
                let viewed;
                (at, viewed) = self.watch(at, last, &mut zaps);
                last = Some(viewed);
            }
        }
    }

    /// One session from `at`: when it ends, and what was viewed last.
    fn watch(&mut self, at: f64, last: Option<u32>, zaps: &mut Vec<Zap>) -> (f64, u32) {
        let mean = if self.chance.happens(SHORT) { SHORT_MEAN } else { LONG_MEAN };
        let channel = self.habits.first(hour(millis(at)), last, &mut self.chance);
        let ends = at + self.chance.exponential(mean);
        let mut session = Session { at, ends, channel, before: channel, viewed: channel, is_up: true };
        while session.at < session.ends {
            zaps.push(self.zap(session.at, Some(session.channel)));
            self.view(&mut session);
            if session.at < session.ends {
                self.surf(&mut session, zaps);
            }
        }
        zaps.push(self.zap(session.ends, None));
        (session.ends, session.viewed)
    }

    fn zap(&self, at: f64, channel: Option<u32>) -> Zap {
        Zap { at: millis(at), viewer: self.number, channel }
    }

    fn view(&mut self, session: &mut Session) {
        session.viewed = session.channel;
        let drawn = self.chance.even();
        if drawn < LEFT_ON {
            session.at += self.chance.lognormal(LEFT_ON_FOR.0, LEFT_ON_FOR.1);
            session.ends = session.ends.max(session.at);
            return;
        }
        let dwell = self.chance.lognormal(VIEW.0, VIEW.1);
        let programme = 1800.0 - session.at % 1800.0;
        let ends_with_it = drawn < LEFT_ON + ENDS_WITH_PROGRAMME;
        session.at += if ends_with_it { dwell.min(programme) } else { dwell };
    }

    /// Steps from channel to channel until one is viewed, which the session then is on.
    fn surf(&mut self, session: &mut Session, zaps: &mut Vec<Zap>) {
        let viewed = session.viewed;
        session.is_up = self.chance.happens(UP);
        loop {
            let chosen = self.chance.happens(CHOOSES);
            let next = if chosen { self.choose(viewed) } else { self.step(session) };
            if next == session.channel {
                continue;
            }
            session.before = std::mem::replace(&mut session.channel, next);
            let likes = if self.habits.is_favourite(next) { LIKES.0 } else { LIKES.1 };
            if chosen || self.chance.happens(likes) {
                return;
            }
            zaps.push(self.zap(session.at, Some(next)));
            session.at += self.chance.lognormal(SURF.0, SURF.1).max(0.3);
            if session.at >= session.ends {
                return;
            }
        }
    }

    fn choose(&mut self, viewed: u32) -> u32 {
        if self.chance.happens(CHOOSES_VIEWED) { viewed } else { self.habits.favourite(&mut self.chance) }
    }

    fn step(&mut self, session: &mut Session) -> u32 {
        let linear = if self.by_guide { LINEAR.1 } else { LINEAR.0 };
        let drawn = self.chance.even();
        if drawn < linear {
            if !self.chance.happens(GOES_ON) {
                session.is_up = !session.is_up;
            }
            let step = if session.is_up { 1 } else { self.channels.saturating_sub(1) };
            (session.channel + step) % self.channels.max(1)
        } else if drawn < linear + BACK {
            session.before
        } else if self.chance.happens(FAVOURITE) {
            self.habits.favourite(&mut self.chance)
        } else {
            self.popularity.draw(&mut self.chance)
        }
    }
}

fn millis(seconds: f64) -> u64 {
    (seconds * 1000.0) as u64
}
