//! Decides how a playlist request that names the segment it waits for is answered: blocking playlist reload (RFC 8216bis
//! 6.2.5.2).
//!
//! The gateway makes no partial segments: a part exists when its segment does. How a request waits is not known here.

use std::time::Duration;

use crate::reason::ReloadRefusal;

/// How many segments beyond the newest one a request may wait for.
const AHEAD: u64 = 2;
/// A request is held for at most this many target durations.
const HELD_TARGETS: u32 = 3;
/// The longest that any playlist request is held that could be answered with a list: hls.js ends a request after ten seconds
/// without a first byte, and after the third one its player (docs/decisions/33-held-polls.md).
pub const HELD: Duration = Duration::from_secs(9);

/// How long a request for a stream with this target duration is held at most.
#[must_use]
pub fn held(target: Duration) -> Duration {
    (target * HELD_TARGETS).min(HELD)
}

/// How to answer a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Answer it at once.
    Serve,
    /// Block it until the segment exists.
    Wait,
    /// Refuse it.
    Refuse(ReloadRefusal),
}

/// The segment that a request waits for, from its `_HLS_msn` and `_HLS_part`; `None` if it does not wait.
///
/// # Errors
/// [`ReloadRefusal::Malformed`] or [`ReloadRefusal::PartAlone`].
pub fn wanted(msn: Option<&str>, part: Option<&str>) -> Result<Option<u64>, ReloadRefusal> {
    let number = |text: &str| text.parse::<u64>().map_err(|_| ReloadRefusal::Malformed);
    match (msn, part) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(ReloadRefusal::PartAlone),
        (Some(msn), part) => {
            part.map_or(Ok(0), number)?;
            number(msn).map(Some)
        }
    }
}

/// What to do with a request that waits for `wanted` when `newest` is there.
#[must_use]
pub const fn answer(wanted: u64, newest: u64) -> Answer {
    match wanted.checked_sub(newest) {
        None | Some(0) => Answer::Serve,
        Some(ahead) if ahead <= AHEAD => Answer::Wait,
        Some(_) => Answer::Refuse(ReloadRefusal::TooFarAhead),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_request_waits_for() {
        assert_eq!(wanted(None, None), Ok(None));
        assert_eq!(wanted(Some("7"), None), Ok(Some(7)));
        assert_eq!(wanted(Some("7"), Some("3")), Ok(Some(7)), "a part is there when its segment is");
        assert_eq!(wanted(None, Some("3")), Err(ReloadRefusal::PartAlone));
        for (msn, part) in
            [("", None), ("-1", None), ("x", None), ("7", Some("x")), ("99999999999999999999", None)]
        {
            assert_eq!(wanted(Some(msn), part), Err(ReloadRefusal::Malformed), "{msn} {part:?}");
        }
    }

    #[test]
    fn no_request_is_held_until_its_player_gives_up() {
        for (target, longest) in [(1, 3), (2, 6), (4, 9), (10, 9)] {
            assert_eq!(held(Duration::from_secs(target)), Duration::from_secs(longest), "{target}");
        }
    }

    #[test]
    fn what_it_is_answered_with() {
        for (wanted, expected) in [
            (0, Answer::Serve),
            (10, Answer::Serve),
            (11, Answer::Wait),
            (12, Answer::Wait),
            (13, Answer::Refuse(ReloadRefusal::TooFarAhead)),
            (u64::MAX, Answer::Refuse(ReloadRefusal::TooFarAhead)),
        ] {
            assert_eq!(answer(wanted, 10), expected, "{wanted}");
        }
    }
}
