//! How many connections the provider of each playlist in `lineup:` allows: as the operator has set, and as the provider itself tells, by the
//! `discover.json` of an HDHomeRun or the account at an Xtream panel.
//!
//! How the provider is asked is not known here.

use crate::reason::LimitSource;
use crate::tuners::limits::TunerLimit;

/// The providers, by the playlist's place in `lineup:`. What the operator has set counts, whatever a provider tells.
#[derive(Clone, Debug, Default)]
pub(super) struct Providers(Vec<Provider>);

#[derive(Clone, Copy, Debug, Default)]
struct Provider {
    configured: Option<TunerLimit>,
    told: Option<TunerLimit>,
}

impl Providers {
    /// The providers of playlists for which this many connections are set each; 0 is no number.
    pub(super) fn new(configured: impl IntoIterator<Item = u32>) -> Self {
        let provider = |count| Provider {
            configured: (count > 0).then_some(TunerLimit { count, source: LimitSource::Lineup }),
            told: None,
        };
        Self(configured.into_iter().map(provider).collect())
    }

    /// The provider of a playlist tells this, or tells nothing any more.
    pub(super) fn tell(&mut self, playlist: usize, told: Option<TunerLimit>) {
        if let Some(provider) = self.0.get_mut(playlist) {
            provider.told = told.filter(|told| told.count > 0);
        }
    }

    /// The connections that the provider of a playlist allows, if anybody says so.
    pub(super) fn limit(&self, playlist: usize) -> Option<TunerLimit> {
        let provider = self.0.get(playlist)?;
        provider.configured.or(provider.told)
    }

    pub(super) fn playlists(&self) -> std::ops::Range<usize> {
        0..self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_counts_and_none_is_no_number() {
        let mut providers = Providers::new([2, 0]);
        let account = |count| Some(TunerLimit { count, source: LimitSource::Account });
        let limits = |providers: &Providers| {
            [0, 1, 2].map(|at| providers.limit(at).map(|limit| (limit.count, limit.source)))
        };
        assert_eq!(limits(&providers), [Some((2, LimitSource::Lineup)), None, None]);
        for (playlist, count) in [(0, 3), (1, 3), (2, 3)] {
            providers.tell(playlist, account(count));
        }
        assert_eq!(
            limits(&providers),
            [Some((2, LimitSource::Lineup)), Some((3, LimitSource::Account)), None]
        );
        providers.tell(0, account(1));
        providers.tell(1, account(0));
        assert_eq!(limits(&providers), [Some((2, LimitSource::Lineup)), None, None]);
    }
}
