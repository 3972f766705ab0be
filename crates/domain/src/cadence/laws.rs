//! Holds every number that is assumed or was measured about silence, with its source.
//!
//! docs/presence.md 3 gives the formula that they belong to. `habits` corrects the assumed rates by what is seen.

use crate::cadence::class::Class;

/// The probability of absence from which on a viewer is suspect (docs/presence.md 3).
pub const SUSPECT: f64 = 0.90;
/// The probability of absence from which on a viewer has left (docs/presence.md 3).
pub const LEFT: f64 = 0.99;
/// The probability of absence after a goodbye, as assumed: only a change of quality takes one back (docs/presence.md 4).
pub const GOODBYE: f64 = 0.95;

/// A player makes its next request after this many target durations plus `SLACK` at the latest (docs/presence.md 2).
pub(super) const TARGETS: f64 = 1.1;
/// See [`TARGETS`]; in seconds. Both were read in the sources of hls.js, Shaka, Media3 and VHS.
pub(super) const SLACK: f64 = 0.4;
/// The spread of a present player's lateness, in seconds (docs/presence.md 3).
pub(super) const JITTER: f64 = 0.35;
/// The median of a network gap in seconds, assumed to be lognormal with sigma 1 (docs/presence.md 2).
pub(super) const GAP: f64 = 4.0;
/// The median of a pause in seconds, assumed to be lognormal with sigma 1 (docs/presence.md 2).
pub(super) const PAUSE: f64 = 120.0;
/// A hidden, silent tab wakes up once a minute (Chrome 88 and later); seconds, with two for the request.
pub(super) const HIDDEN: f64 = 62.0;

/// The share of the players that send reports and leave without one: nine of ten say goodbye (docs/presence.md 3).
pub(super) const WORDLESS: f64 = 0.1;
/// How often a pause silences one whose reports go on in pauses, beside one who does not report.
pub(super) const SILENT_ALTHOUGH_REPORTING: f64 = 0.02;
/// A pause that is known to be under way, as a rate per hour: it outweighs everything but its own length.
pub(super) const UNDER_WAY: f64 = 60.0;

/// The factor by which a closed WebSocket multiplies the odds of having left (docs/presence.md 4).
pub const SOCKET_CLOSED: f64 = 10.0;
/// The factor for the end of all connections of a player that is known to use one again (docs/presence.md 4). In `fixtures/cadence` every program
/// that was stopped or killed closed them within a second; three living ones did in some two hours, and each was back
/// within 30 ms.
pub const CONNECTION_CLOSED_KEPT: f64 = 50.0;
/// The same factor for any other player.
pub const CONNECTION_CLOSED: f64 = 3.0;
/// The factor for a request that the player has given up (docs/presence.md 4).
pub const ABORTED: f64 = 3.0;

/// The quantile of a viewer's own gaps that counts as its rhythm, and how fast it follows: one odd gap moves it by no more
/// than `RISE`, and `RISE / FALL` is what makes it the .9 quantile.
pub(super) const RISE: f64 = 0.45;
/// See [`RISE`].
pub(super) const FALL: f64 = 0.05;
/// The slowest rhythm that is learned, in seconds: beyond the thin tab's minute there is no player.
pub(super) const SLOWEST: f64 = 75.0;
/// Requests closer than this, in seconds, are one: a segment follows its playlist by 20-40 ms (docs/jellyfin.md 1).
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
    /// The rates assumed of a class before anything was seen (docs/presence.md 3).
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
