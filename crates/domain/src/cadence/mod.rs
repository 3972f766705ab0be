//! What a silence means: the probability that a viewer has left, given its own rhythm and everything else that may have
//! silenced it (lateness, its network, a hidden tab, a pause).
//!
//! From that follow two moments, computed when something is heard and not swept for: when a viewer becomes suspect and
//! when it has left. It does not know who the viewers are, nor what hangs on the answer.

mod habits;
pub mod laws;

use std::time::Duration;

pub use crate::cadence::habits::Habits;
use crate::cadence::laws::Rates;

/// Longer than any silence that is waited out: where the search for a crossing ends.
const LONGEST: f64 = 4.0 * 3600.0;

/// How a player behaves when nothing is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// In a browser: polls on in a pause, once a minute in a hidden tab.
    Web,
    /// In an app (Media3, AVPlayer, Roku): polls on in a pause.
    App,
    /// Asks only when its reader does (FFmpeg, mpv, VLC): silent in a pause.
    Pull,
    /// Treated as a browser.
    Unknown,
}

impl Class {
    /// Every class, in order.
    pub const ALL: [Self; 4] = [Self::Web, Self::App, Self::Pull, Self::Unknown];

    /// What `User-Agent` lets expect (zapping 3.1); behaviour may say otherwise later.
    #[must_use]
    pub fn of_user_agent(agent: &str) -> Self {
        const PULL: [&str; 8] =
            ["lavf/", "libmpv", "mpv ", "vlc/", "libvlc", "kodi/", "gstreamer", "mplayer"];
        const APP: [&str; 10] = [
            "exoplayer",
            "media3",
            "applecoremedia",
            "dalvik",
            "okhttp",
            "roku/",
            "swiftfin",
            "infuse",
            "findroid",
            "jellyfin android",
        ];
        let agent = agent.to_ascii_lowercase();
        let names = |known: &[&str]| known.iter().any(|name| agent.contains(name));
        if names(&PULL) {
            Self::Pull
        } else if names(&APP) {
            Self::App
        } else if agent.contains("mozilla/") {
            Self::Web
        } else {
            Self::Unknown
        }
    }

    /// The one spelling of it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::App => "app",
            Self::Pull => "pull",
            Self::Unknown => "unknown",
        }
    }
}

/// How often one viewer asks, learned from its own gaps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rhythm {
    /// Nine of ten gaps are shorter, in seconds.
    usual: f64,
    /// How many gaps in a row were a hidden tab's.
    thin: u8,
    /// What it says it has in its buffer, in seconds.
    buffer: f64,
}

impl Rhythm {
    /// It asked again after `gap`.
    pub fn learn(&mut self, gap: Duration) {
        let gap = gap.as_secs_f64();
        if gap < laws::BURST {
            return;
        }
        self.thin = if laws::THIN.contains(&gap) { self.thin.saturating_add(1) } else { 0 };
        let usual = self.usual.max(laws::BURST);
        let factor = if gap > usual { 1.0 + laws::RISE } else { 1.0 - laws::FALL };
        // A single step never goes beyond the gap that caused it.
        let moved = if gap > usual { (usual * factor).min(gap) } else { (usual * factor).max(gap) };
        self.usual = moved.min(laws::SLOWEST);
    }

    /// It said how much it has in its buffer.
    pub const fn buffered(&mut self, length: Duration) {
        self.buffer = length.as_secs_f64().min(laws::SLOWEST);
    }

    /// Whether it asks once a minute, as hidden tabs do.
    #[must_use]
    pub const fn is_thin(&self) -> bool {
        self.thin >= 2
    }

    /// After how many seconds it asks again at the latest, if all is well.
    #[must_use]
    pub fn expected(&self, target: Duration) -> f64 {
        let own = if self.is_thin() { laws::THIN_RHYTHM } else { self.usual };
        laws::TARGETS * own.max(target.as_secs_f64()) + laws::SLACK
    }
}

/// What is known of a viewer's pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// As of any viewer of its class.
    Usual,
    /// It said that it pauses, and has been silent since.
    UnderWay,
    /// It says when it pauses, and goes on talking.
    Told,
}

/// Everything that the probability of a viewer's absence depends on, but for the silence itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outlook {
    /// After how many seconds it is expected to ask again.
    pub expected: f64,
    /// The stream's target duration, in seconds.
    pub target: f64,
    /// The habits of its class.
    pub rates: Rates,
    /// Whether it reports, and so would have said goodbye.
    pub reports: bool,
    /// What is known of its pauses.
    pub pause: Pause,
    /// By how much the evidence beside its silence multiplies the odds.
    pub odds: f64,
}

impl Outlook {
    /// That of a viewer with this rhythm, of this class, as long as nothing else is known.
    #[must_use]
    pub fn new(rhythm: &Rhythm, class: Class, target: Duration, rates: Rates) -> Self {
        let expected = match class {
            Class::Pull => rhythm.expected(target).max(rhythm.buffer),
            Class::Web | Class::App | Class::Unknown => rhythm.expected(target),
        };
        // Rounded, so that what was computed once holds while nothing of note changes.
        let expected = (expected * 4.0).ceil() / 4.0;
        Self { expected, target: target.as_secs_f64(), rates, reports: false, pause: Pause::Usual, odds: 1.0 }
    }

    /// The probability that it has left after this silence (zapping 4.1).
    #[must_use]
    pub fn absence(&self, silence: Duration) -> f64 {
        self.after(silence.as_secs_f64())
    }

    /// The shortest silence after which it has left with probability `p`.
    #[must_use]
    pub fn crossing(&self, p: f64) -> Duration {
        let (mut low, mut high) = (0.0, LONGEST);
        while high - low > 0.01 {
            let middle = f64::midpoint(low, high);
            if self.after(middle) < p { low = middle } else { high = middle }
        }
        Duration::from_secs_f64(high)
    }

    fn after(&self, silence: f64) -> f64 {
        let late = silence - self.expected;
        if late <= 0.0 {
            return 0.0;
        }
        let wordless = if self.reports { laws::WORDLESS } else { 1.0 };
        let left = self.rates.left * wordless * self.odds;
        let pauses = match self.pause {
            Pause::Usual => self.rates.pause,
            Pause::UnderWay => laws::UNDER_WAY,
            Pause::Told => self.rates.pause * laws::SILENT_ALTHOUGH_REPORTING,
        };
        // A tab may be hidden just before it would have asked.
        let hidden = if silence < laws::HIDDEN + self.target { self.rates.hidden } else { 0.0 };
        let late_only = 3600.0 * (-late / laws::JITTER).exp() / self.target.max(1.0);
        let alive = self.rates.gap * laws::beyond(late / laws::GAP)
            + hidden
            + pauses * laws::beyond(silence / laws::PAUSE)
            + late_only;
        left / (left + alive)
    }
}

#[cfg(test)]
mod tests;
