//! Determines how many tuners the server has, and how many of them stay free.

use crate::reason::LimitSource;

/// The lowest limit at which `Reserve::Auto` keeps a tuner free. With fewer, a reserve would leave little to keep warm.
const RESERVES_FROM: u32 = 4;

/// The number of tuners, and where it is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TunerLimit {
    /// Channels that the server can have open at once.
    pub count: u32,
    /// Where the number comes from.
    pub source: LimitSource,
}

/// How many tuners are never used by what nobody watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reserve {
    /// One where the limit is 4 or more, else none.
    #[default]
    Auto,
    /// This many.
    Fixed(u32),
}

impl Reserve {
    /// The number of tuners that stay free, of `limit`.
    #[must_use]
    pub const fn of(self, limit: u32) -> u32 {
        match self {
            Self::Auto => (limit >= RESERVES_FROM) as u32,
            Self::Fixed(count) => count,
        }
    }
}

/// What the operator decides about tuners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The number of tuners, if the operator has set it. The server's own number counts if it is smaller.
    pub limit: Option<u32>,
    /// How many of them stay free.
    pub reserve: Reserve,
}

/// The limit that follows from the number that the operator has set and from the `TunerCount` of each of the server's hosts.
/// 0 is the default of M3U hosts and says nothing. Of several hosts none tells which one a channel is on, so that their
/// numbers say nothing either.
pub(super) fn limit(configured: Option<u32>, hosts: &[u32]) -> Option<TunerLimit> {
    let server = match hosts {
        [count] if *count > 0 => Some(TunerLimit { count: *count, source: LimitSource::Server }),
        _ => None,
    };
    let configured = configured.map(|count| TunerLimit { count, source: LimitSource::Configured });
    server.into_iter().chain(configured).min_by_key(|limit| limit.count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_number_wins_and_zero_is_no_number() {
        let of =
            |configured, hosts: &[u32]| limit(configured, hosts).map(|limit| (limit.count, limit.source));
        assert_eq!(of(None, &[]), None);
        assert_eq!(of(None, &[0]), None);
        assert_eq!(of(None, &[3]), Some((3, LimitSource::Server)));
        assert_eq!(of(None, &[3, 2]), None, "which of them a channel is on is unknown");
        assert_eq!(of(Some(2), &[3]), Some((2, LimitSource::Configured)));
        assert_eq!(of(Some(4), &[3]), Some((3, LimitSource::Server)));
        assert_eq!(of(Some(4), &[0]), Some((4, LimitSource::Configured)));
    }

    #[test]
    fn one_of_many_stays_free() {
        assert_eq!([1, 3, 4, 8].map(|limit| Reserve::Auto.of(limit)), [0, 0, 1, 1]);
        assert_eq!(Reserve::Fixed(2).of(3), 2);
    }
}
