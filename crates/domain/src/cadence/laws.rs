//! The numbers: everything that is assumed or was measured about silence, in one place, each with where it comes from.
//!
//! "zapping" is the research note of that name; its rates are assumptions that `habits` corrects by what is seen.

use crate::cadence::class::Class;

/// From this probability on a viewer is suspect (zapping 3.3).
pub const SUSPECT: f64 = 0.90;
/// From this probability on a viewer has left (zapping 3.3).
pub const LEFT: f64 = 0.99;
/// What a goodbye is worth by itself: stops are taken back by a quality change only (zapping 4.1, assumed).
pub const GOODBYE: f64 = 0.95;

/// A player asks again after this many target durations and …
pub(super) const TARGETS: f64 = 1.1;
/// … this many seconds at the latest (zapping 3.2, from hls.js, Shaka, Media3 and VHS as read).
pub(super) const SLACK: f64 = 0.4;
/// Spread of a living player's lateness, in seconds (zapping 4.1).
pub(super) const JITTER: f64 = 0.35;
/// Median of a network gap in seconds; lognormal with sigma 1 (zapping 3.2, assumed).
pub(super) const GAP: f64 = 4.0;
/// Median of a pause in seconds; lognormal with sigma 1 (zapping 4.1, assumed).
pub(super) const PAUSE: f64 = 120.0;
/// A hidden, silent tab wakes up once a minute (Chrome 88 and later); seconds, with two for the request.
pub(super) const HIDDEN: f64 = 62.0;

/// Of those who report, how many go without a word (zapping 3.3: a stop is seen in 90 %).
pub(super) const WORDLESS: f64 = 0.1;
/// How often a pause silences one whose reports go on in pauses, beside one who does not report.
pub(super) const SILENT_ALTHOUGH_REPORTING: f64 = 0.02;
/// A pause that is known to be under way, as a rate per hour: it outweighs everything but its own length.
pub(super) const UNDER_WAY: f64 = 60.0;

/// A closed WebSocket multiplies the odds of having left by this (zapping 4.1).
pub const SOCKET_CLOSED: f64 = 10.0;
/// All connections closed, of a player known to ask again over the same one (zapping 4.1). In `fixtures/cadence` every program
/// that was stopped or killed closed them within a second; three living ones did in some two hours, and each was back
/// within 30 ms.
pub const CONNECTION_CLOSED_KEPT: f64 = 50.0;
/// The same, of any other (zapping 4.1).
pub const CONNECTION_CLOSED: f64 = 3.0;
/// A request given up by the player (zapping 4.1: a connection cancelled, of a client not known to keep them).
pub const ABORTED: f64 = 3.0;

/// The quantile of a viewer's own gaps that counts as its rhythm, and how fast it follows: one odd gap moves it by no more
/// than `RISE`, and `RISE / FALL` is what makes it the .9 quantile.
pub(super) const RISE: f64 = 0.45;
/// See [`RISE`].
pub(super) const FALL: f64 = 0.05;
/// The slowest rhythm that is learned, in seconds: beyond the thin tab's minute there is no player.
pub(super) const SLOWEST: f64 = 75.0;
/// Requests closer than this, in seconds, are one: a segment follows its playlist by 20-40 ms (`jellyfin-observed.md` 1).
pub(super) const BURST: f64 = 0.3;
/// Gaps of this many seconds are a hidden tab's.
pub(super) const THIN: std::ops::Range<f64> = 45.0..75.0;
/// The rhythm of a hidden tab, in seconds.
pub(super) const THIN_RHYTHM: f64 = 61.0;

/// How much viewing the assumed rates are worth, in hours: so much makes what was seen count half.
pub(super) const PRIOR_HOURS: f64 = 4.0;
/// After this much viewing what was seen counts half as much, in hours: habits change with seasons and players.
pub(super) const HALF_LIFE: f64 = 200.0;
/// Within these factors of the assumed rate a learned one stays. Neither many departures nor years without a hidden tab or
/// a pause may make the gateway give up a viewer who hides or pauses: 12 departures an hour beside 1/8 hiding are below .99.
pub(super) const LEFT_BOUNDS: (f64, f64) = (0.125, 2.0);
/// See [`LEFT_BOUNDS`].
pub(super) const GAP_BOUNDS: (f64, f64) = (0.125, 8.0);
/// See [`LEFT_BOUNDS`].
pub(super) const SPELL_BOUNDS: (f64, f64) = (0.5, 8.0);
/// Silence shorter than this beyond the expected, in seconds, is lateness and teaches nothing about gaps.
pub(super) const LATE: f64 = 1.5;

/// How often things happen to a viewer, per hour of viewing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// It leaves, other than by a zap.
    pub left: f64,
    /// Its network fails it.
    pub gap: f64,
    /// Its tab is hidden.
    pub hidden: f64,
    /// It pauses, and is silent for as long.
    pub pause: f64,
}

impl Rates {
    /// What is assumed of a class before anything was seen (zapping 4.1).
    #[must_use]
    pub const fn assumed(class: Class) -> Self {
        let (hidden, pause) = match class {
            Class::Web | Class::Unknown => (0.25, 0.0),
            Class::App => (0.0, 0.0),
            Class::Pull => (0.0, 1.0),
        };
        Self { left: 6.0, gap: 0.5, hidden, pause }
    }
}

/// The share of a lognormal law (sigma 1) beyond `x` medians.
pub(super) fn beyond(x: f64) -> f64 {
    if x <= 0.0 { 1.0 } else { 0.5 * erfc(x.ln() / std::f64::consts::SQRT_2) }
}

/// The density of the same law at `x` medians.
pub(super) fn density(x: f64) -> f64 {
    if x <= 0.0 { 0.0 } else { (-0.5 * x.ln().powi(2)).exp() / (x * (2.0 * std::f64::consts::PI).sqrt()) }
}

/// The complementary error function, to seven digits (a Chebyshev fit, as in *Numerical Recipes* 6.2.2).
fn erfc(x: f64) -> f64 {
    const FIT: [f64; 10] = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let t = 1.0 / (1.0 + 0.5 * x.abs());
    let fit = FIT.iter().rev().fold(0.0, |sum, term| sum * t + term);
    let tail = t * (-x * x + fit).exp();
    if x >= 0.0 { tail } else { 2.0 - tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_laws_are_what_they_are_called() {
        for (medians, share) in [(0.0, 1.0), (1.0, 0.5), (1_f64.exp(), 0.158_655), (10.0, 0.010_651)] {
            assert!((beyond(medians) - share).abs() < 1e-5, "{medians}: {}", beyond(medians));
        }
        let sum: f64 = (0..200_000).map(|step| density((f64::from(step) + 0.5) / 1000.0) / 1000.0).sum();
        assert!((sum - 1.0).abs() < 1e-3, "{sum}");
    }
}
