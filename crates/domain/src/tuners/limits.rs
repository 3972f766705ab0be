//! Determines how many channels can be open at once, on all tuner hosts or on one, and how many tuners of them stay free.

use crate::reason::LimitSource;
use crate::tuners::hosts::TunerHost;

/// The lowest limit at which `Reserve::Auto` keeps a tuner free. With fewer, a reserve would leave little to keep warm.
const RESERVES_FROM: u32 = 4;

/// The number of tuners, and where it is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TunerLimit {
    /// Channels that can be open at once.
    pub count: u32,
    /// Where the number comes from.
    pub source: LimitSource,
}

/// The tuners that a limit is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of all hosts.
    All,
    /// Those of the host at this index.
    Host(usize),
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
    /// The number of tuners of all hosts together, if the operator has set it. A host's own number counts besides.
    pub limit: Option<u32>,
    /// How many of them stay free.
    pub reserve: Reserve,
}

/// The limit of a host that is told: by the server, or as that of its `provider`. The smallest counts.
pub(super) fn told(host: &TunerHost, provider: Option<TunerLimit>) -> Option<TunerLimit> {
    let server = Some(host.count).filter(|count| *count > 0);
    let server = server.map(|count| TunerLimit { count, source: LimitSource::Server });
    server.into_iter().chain(provider).min_by_key(|limit| limit.count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuners::hosts::HostKind;

    #[test]
    fn the_smallest_number_counts_and_zero_is_no_number() {
        let of = |count, provider: Option<u32>| {
            let host = TunerHost { id: String::new(), kind: HostKind::Other, count, provider: None };
            let provider = provider.map(|count| TunerLimit { count, source: LimitSource::Lineup });
            told(&host, provider).map(|limit| (limit.count, limit.source))
        };
        assert_eq!(of(0, None), None);
        assert_eq!(of(3, None), Some((3, LimitSource::Server)));
        assert_eq!(of(3, Some(2)), Some((2, LimitSource::Lineup)));
        assert_eq!(of(3, Some(4)), Some((3, LimitSource::Server)));
        assert_eq!(of(0, Some(4)), Some((4, LimitSource::Lineup)));
    }

    #[test]
    fn one_of_many_stays_free() {
        assert_eq!([1, 3, 4, 8].map(|limit| Reserve::Auto.of(limit)), [0, 0, 1, 1]);
        assert_eq!(Reserve::Fixed(2).of(3), 2);
    }
}
