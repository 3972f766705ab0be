//! Rounds video bitrates, which clients measure anew at each zap, to a few steps.
//!
//! It does not know how a query spells a bitrate.

/// Higher video bitrates are treated alike: Jellyfin limits a live stream to `FallbackMaxStreamingBitrate`, 30 Mbit/s by
/// default (since 10.10).
pub(super) const CEILING: u64 = 30_000_000;

/// The steps within a decade, in tenths. They cost a viewer a quarter of the bitrate at most; most are choices in the
/// clients' menus.
const STEPS: [u128; 12] = [10, 12, 15, 20, 25, 30, 40, 42, 50, 60, 72, 80];

/// A step that bitrates are rounded to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Its name in the key.
    pub(super) name: String,
    /// The video bitrate in bit/s to ask for instead of the client's; `None` keeps the client's. Never higher than that.
    pub(crate) video: Option<u64>,
}

/// The step for `video` and `audio` bit/s.
///
/// A client sends the total that it chose or measured, less an audio bitrate that depends on the source. So the *sum* is
/// rounded down. If that leaves nothing for the video, the client's value gets a step of its own.
pub(crate) fn step(video: u64, audio: u64) -> Step {
    if video >= CEILING {
        return Step { name: "max".to_owned(), video: (video > CEILING).then_some(CEILING) };
    }
    let floor = floor(video.saturating_add(audio));
    match floor.checked_sub(audio) {
        None | Some(0) => Step { name: format!("exactly-{video}"), video: None },
        Some(left) => Step { name: floor.to_string(), video: (left != video).then_some(left) },
    }
}

/// The highest step not above `chosen`.
fn floor(chosen: u64) -> u64 {
    let Some(decade) = chosen.checked_ilog10() else { return 0 };
    let (chosen, unit) = (u128::from(chosen), 10_u128.pow(decade));
    let steps = STEPS.iter().map(|step| step * unit / 10);
    let highest = steps.take_while(|&step| step <= chosen).last().unwrap_or(unit);
    u64::try_from(highest).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sent(name: &str, video: Option<u64>) -> Step {
        Step { name: name.to_owned(), video }
    }

    #[test]
    fn measured_and_lan_values_are_one() {
        // The two zaps in fixtures/jellyfin/web-12.0-zap.ndjson, jellyfin-web's fixed value for a LAN, and the limit
        // itself.
        for video in [1_973_691_388, 1_973_691_160, 139_616_000] {
            assert_eq!(step(video, 98_730), sent("max", Some(30_000_000)), "{video}");
        }
        assert_eq!(step(30_000_000, 0), sent("max", None));
        assert_eq!(step(29_999_999, 0), sent("25000000", Some(25_000_000)));
    }

    #[test]
    fn the_sum_is_what_was_chosen() {
        assert_eq!(step(7_616_000, 384_000), sent("8000000", None));
        assert_eq!(step(7_901_270, 98_730), sent("8000000", None));
        assert_eq!(step(7_950_000, 384_000), sent("8000000", Some(7_616_000)));
        assert_eq!(step(4_199_999, 0), sent("4000000", Some(4_000_000)));
        assert_eq!(step(4_200_000, 0), sent("4200000", None));
        assert_eq!(step(9_999_999, 0), sent("8000000", Some(8_000_000)));
    }

    #[test]
    fn a_step_that_leaves_no_video_is_not_used() {
        assert_eq!(step(30_000, 384_000), sent("400000", Some(16_000)));
        assert_eq!(step(10_000, 400_000), sent("exactly-10000", None));
        assert_eq!(step(1_000, 384_000), sent("exactly-1000", None));
        assert_eq!(step(0, 0), sent("exactly-0", None));
    }

    proptest! {
        #[test]
        fn never_above_the_clients_and_stable(video in any::<u64>(), audio in any::<u64>()) {
            let first = step(video, audio);
            let asked = first.video.unwrap_or(video);
            prop_assert!(asked <= video);
            prop_assert_eq!(step(asked, audio), Step { video: None, ..first });
        }

        #[test]
        fn at_most_a_quarter_is_lost(video in 1_000_000..CEILING, audio in 0..1_000_000_u64) {
            let asked = step(video, audio).video.unwrap_or(video);
            prop_assert!((asked + audio) * 4 >= (video + audio) * 3, "{asked} of {video}");
        }
    }
}
