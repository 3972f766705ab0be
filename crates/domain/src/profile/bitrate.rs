//! Bitrates that are measured differ from zap to zap; here they become few.
//!
//! It knows nothing of how a bitrate is spelled in a query.

/// Above it all video bitrates are one: Jellyfin limits a live stream to `FallbackMaxStreamingBitrate`, 30 Mbit/s by default (since 10.10).
pub(super) const CEILING: u64 = 30_000_000;

/// The steps within a decade, in tenths: close enough that a viewer loses at most a quarter, most of them the choices of the clients' menus.
const RUNGS: [u128; 12] = [10, 12, 15, 20, 25, 30, 40, 42, 50, 60, 72, 80];

/// What a video bitrate is taken for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bucket {
    /// Its name in the key.
    pub(super) name: String,
    /// The video bitrate (bit/s) to ask for in the place of the client's, where it differs; never above it.
    pub(crate) video: Option<u64>,
}

/// The bucket of a request for `video` and `audio` bit/s.
///
/// A client sends the video bitrate as what it chose (or measured) less the audio bitrate, and that depends on the
/// source: so the *sum* is floored. Where nothing would be left for the picture, the client's value stands, in a bucket of its own.
pub(crate) fn bucket(video: u64, audio: u64) -> Bucket {
    if video >= CEILING {
        return Bucket { name: "max".to_owned(), video: (video > CEILING).then_some(CEILING) };
    }
    let floor = floor(video.saturating_add(audio));
    match floor.checked_sub(audio) {
        None | Some(0) => Bucket { name: format!("exactly-{video}"), video: None },
        Some(left) => Bucket { name: floor.to_string(), video: (left != video).then_some(left) },
    }
}

/// The highest step of the ladder that is not above `chosen`.
fn floor(chosen: u64) -> u64 {
    let Some(decade) = chosen.checked_ilog10() else { return 0 };
    let (chosen, unit) = (u128::from(chosen), 10_u128.pow(decade));
    let steps = RUNGS.iter().map(|rung| rung * unit / 10);
    let highest = steps.take_while(|&step| step <= chosen).last().unwrap_or(unit);
    u64::try_from(highest).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sent(name: &str, video: Option<u64>) -> Bucket {
        Bucket { name: name.to_owned(), video }
    }

    #[test]
    fn measured_and_lan_values_are_one() {
        // The two zaps of web-12.0-zap.ndjson, jellyfin-web's fixed LAN value, and the limit itself.
        for video in [1_973_691_388, 1_973_691_160, 139_616_000] {
            assert_eq!(bucket(video, 98_730), sent("max", Some(30_000_000)), "{video}");
        }
        assert_eq!(bucket(30_000_000, 0), sent("max", None));
        assert_eq!(bucket(29_999_999, 0), sent("25000000", Some(25_000_000)));
    }

    #[test]
    fn the_sum_is_what_was_chosen() {
        assert_eq!(bucket(7_616_000, 384_000), sent("8000000", None));
        assert_eq!(bucket(7_901_270, 98_730), sent("8000000", None));
        assert_eq!(bucket(7_950_000, 384_000), sent("8000000", Some(7_616_000)));
        assert_eq!(bucket(4_199_999, 0), sent("4000000", Some(4_000_000)));
        assert_eq!(bucket(4_200_000, 0), sent("4200000", None));
        assert_eq!(bucket(9_999_999, 0), sent("8000000", Some(8_000_000)));
    }

    #[test]
    fn a_bucket_that_leaves_no_picture_is_not_used() {
        assert_eq!(bucket(30_000, 384_000), sent("400000", Some(16_000)));
        assert_eq!(bucket(10_000, 400_000), sent("exactly-10000", None));
        assert_eq!(bucket(1_000, 384_000), sent("exactly-1000", None));
        assert_eq!(bucket(0, 0), sent("exactly-0", None));
    }

    proptest! {
        #[test]
        fn never_above_the_clients_and_stable(video in any::<u64>(), audio in any::<u64>()) {
            let first = bucket(video, audio);
            let asked = first.video.unwrap_or(video);
            prop_assert!(asked <= video);
            prop_assert_eq!(bucket(asked, audio), Bucket { video: None, ..first });
        }

        #[test]
        fn at_most_a_quarter_is_lost(video in 1_000_000..CEILING, audio in 0..1_000_000_u64) {
            let asked = bucket(video, audio).video.unwrap_or(video);
            prop_assert!((asked + audio) * 4 >= (video + audio) * 3, "{asked} of {video}");
        }
    }
}
