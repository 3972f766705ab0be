//! Generates viewers that behave as players do (docs/presence.md 1), with the silences of docs/presence.md 2.

use std::time::Duration;

use crate::cadence::Class;
use crate::simulate::chance::Chance;
use crate::simulate::trace::{Seen, Trace};

/// Seconds that a viewer stays, on average.
const STAYS: f64 = 21.0 * 60.0;
/// Network gaps per hour, and the median of their lengths in seconds.
const GAPS: (f64, f64) = (0.5, 4.0);
/// Hidden spells per hour, where there are any, and the median of their lengths.
const HIDDEN: (f64, f64) = (1.0, 600.0);
/// Pauses per hour of those who are silent in them, and the median of their lengths.
const PAUSES: (f64, f64) = (3.0, 120.0);
/// Pauses per hour of the others.
const POLLED_PAUSES: f64 = 1.0;
/// A player's buffer, in seconds: for so long it goes on asking for segments in a pause.
const BUFFER: f64 = 20.0;
/// Seconds between reports, and their share that ends with a word of goodbye, so many seconds after the end.
const REPORTS: f64 = 10.0;
const SAYS_GOODBYE: f64 = 0.9;
const GOODBYE_TAKES: f64 = 0.2;
/// Seconds until a program that has ended has closed its connections (`fixtures/cadence`).
const CLOSING_TAKES: f64 = 0.05;
/// Seconds after which a player gives up a connection that brings nothing (hls.js, Shaka and GStreamer in `fixtures/cadence`).
const GIVES_UP: f64 = 15.0;

/// The kinds of viewers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Player {
    /// hls.js in a visible page.
    HlsJs,
    /// Media3 in an app.
    Media3,
    /// FFmpeg, never pausing.
    Ffmpeg,
    /// hls.js in a page that is hidden at times.
    HlsJsHidden,
    /// FFmpeg, silent in its pauses.
    FfmpegPausing,
}

impl Player {
    /// Every kind, in order.
    pub const ALL: [Self; 5] =
        [Self::HlsJs, Self::Media3, Self::Ffmpeg, Self::HlsJsHidden, Self::FfmpegPausing];

    /// The one spelling of it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HlsJs => "hls.js",
            Self::Media3 => "media3",
            Self::Ffmpeg => "ffmpeg",
            Self::HlsJsHidden => "hls.js-hidden",
            Self::FfmpegPausing => "ffmpeg-pausing",
        }
    }

    const fn class(self) -> Class {
        match self {
            Self::HlsJs | Self::HlsJsHidden => Class::Web,
            Self::Media3 => Class::App,
            Self::Ffmpeg | Self::FfmpegPausing => Class::Pull,
        }
    }
}

/// Viewers of one kind for `hours` of viewing in all; with hints they report as Jellyfin's clients do.
#[must_use]
pub fn generate(player: Player, target: Duration, hints: bool, hours: f64, seed: u64) -> Vec<Trace> {
    let mut chance = Chance::of(seed);
    let (mut traces, mut seconds) = (Vec::new(), 0.0);
    while seconds < hours * 3600.0 {
        let stays = chance.exponential(STAYS).max(20.0);
        seconds += stays;
        let viewer = Viewer::new(player, target.as_secs_f64(), stays, &mut chance);
        traces.push(viewer.play(hints, &mut chance));
    }
    traces
}

/// A stretch of time in which a viewer is other than usual.
type Spell = (f64, f64);

struct Viewer {
    player: Player,
    target: f64,
    stays: f64,
    gaps: Vec<Spell>,
    hidden: Vec<Spell>,
    pauses: Vec<Spell>,
}

impl Viewer {
    fn new(player: Player, target: f64, stays: f64, chance: &mut Chance) -> Self {
        let mut spells = |(rate, median): (f64, f64)| {
            let (mut spells, mut at): (Vec<Spell>, f64) = (Vec::new(), 0.0);
            if rate <= 0.0 {
                return spells;
            }
            loop {
                at += chance.exponential(3600.0 / rate);
                if at >= stays {
                    return spells;
                }
                let length = chance.lognormal(median, 1.0);
                spells.push((at, at + length));
                at += length;
            }
        };
        let gaps = spells(GAPS);
        let hidden = spells(if player == Player::HlsJsHidden { HIDDEN } else { (0.0, 0.0) });
        let pauses = spells(match player {
            Player::FfmpegPausing => PAUSES,
            Player::Ffmpeg => (0.0, 0.0),
            Player::HlsJs | Player::Media3 | Player::HlsJsHidden => (POLLED_PAUSES, PAUSES.1),
        });
        Self { player, target, stays, gaps, hidden, pauses }
    }

    fn play(self, hints: bool, chance: &mut Chance) -> Trace {
        let mut events = Vec::new();
        self.polls(&mut events, chance);
        if hints {
            self.reports(&mut events, chance);
        }
        // A hidden page's timers and a network that fails hold everything back alike.
        for (at, _) in &mut events {
            *at = held_back(&self.gaps, *at);
        }
        events.retain(|(at, _)| *at < self.stays);
        if self.closes() {
            events.push((self.stays + CLOSING_TAKES, Seen::Disconnected { by_peer: true }));
        }
        if hints && chance.happens(SAYS_GOODBYE) {
            events.push((held_back(&self.gaps, self.stays + GOODBYE_TAKES), Seen::Stopped));
        }
        let mut events: Vec<_> = events.into_iter().map(|(at, seen)| (millis(at), seen)).collect();
        events.sort_by_key(|(at, _)| *at);
        Trace {
            class: self.player.class(),
            target: Duration::from_secs_f64(self.target),
            events,
            left_at: Some(millis(self.stays)),
        }
    }

    /// A poll's connection: another if the one before was given up while the network failed and the poll waited.
    fn connects(&self, at: f64, polled_at: &mut f64, events: &mut Vec<(f64, Seen)>) {
        let gap = within(&self.gaps, at).filter(|(start, end)| end - start > GIVES_UP && *polled_at < *start);
        if gap.is_some() {
            events.push((at, Seen::Disconnected { by_peer: true }));
        }
        events.push((at, Seen::Connected { new: at == 0.0 || gap.is_some() }));
        *polled_at = at;
    }

    /// Whether its end closes its connections: a page's belong to the browser.
    const fn closes(&self) -> bool {
        match self.player {
            Player::Ffmpeg | Player::FfmpegPausing | Player::Media3 => true,
            Player::HlsJs | Player::HlsJsHidden => false,
        }
    }

    fn polls(&self, events: &mut Vec<(f64, Seen)>, chance: &mut Chance) {
        let (mut at, mut polled_at, mut sequence) = (0.0, 0.0, 0);
        while at < self.stays {
            let pause = within(&self.pauses, at);
            match pause {
                Some((_, end)) if self.player == Player::FfmpegPausing => {
                    at = end;
                    continue;
                }
                Some(_) | None => {}
            }
            self.connects(at, &mut polled_at, events);
            events.push((at, Seen::Playlist));
            let fills = pause.is_none_or(|(start, _)| at - start < BUFFER);
            let unchanged = chance.happens(0.1);
            if fills && !unchanged {
                sequence += 1;
                events.push((at + 0.03, Seen::Segment(sequence)));
            }
            let wait = if unchanged { self.target / 2.0 } else { self.target };
            at = self.throttled(at + wait + chance.lognormal(0.05, 1.0), chance);
        }
    }

    fn reports(&self, events: &mut Vec<(f64, Seen)>, chance: &mut Chance) {
        let mut at = 1.0;
        while at < self.stays {
            events.push((at, Seen::Report { paused: within(&self.pauses, at).is_some() }));
            at = self.throttled(at + REPORTS + chance.lognormal(0.05, 1.0), chance);
        }
    }

    /// When a timer that is due at `at` fires: in a hidden page once a minute, after the page was hidden.
    fn throttled(&self, at: f64, chance: &mut Chance) -> f64 {
        match within(&self.hidden, at) {
            Some((start, end)) => {
                let minutes = ((at - start) / 60.0).ceil();
                (start + minutes * 60.0).min(end) + chance.lognormal(0.05, 1.0)
            }
            None => at,
        }
    }
}

fn within(spells: &[Spell], at: f64) -> Option<Spell> {
    spells.iter().copied().find(|&(start, end)| start <= at && at < end)
}

fn held_back(gaps: &[Spell], at: f64) -> f64 {
    within(gaps, at).map_or(at, |(_, end)| end)
}

fn millis(seconds: f64) -> u64 {
    u64::try_from(Duration::from_secs_f64(seconds).as_millis()).unwrap_or(u64::MAX)
}
