//! Counts the channels that the gateway pulls itself from providers, on the server's hosts with the same playlist: each takes a connection of
//! the provider's, as a channel does that the server has open there.

use crate::tuners::limits::{Scope, TunerLimit};
use crate::tuners::occupancy::{Occupancy, Use};
use crate::tuners::server_tuners::ServerTuners;

/// What is known of the provider of a playlist in `lineup:` at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderView {
    /// The connections that it allows; `None` if nobody says so.
    pub limit: Option<TunerLimit>,
    /// Those that the gateway has itself.
    pub pulls: usize,
}

impl ServerTuners {
    /// The provider of a playlist tells how many connections it allows, or tells it no more. Returns how many count; 0 if nobody says.
    pub fn provider_told(&mut self, playlist: usize, told: Option<TunerLimit>) -> u32 {
        self.providers.tell(playlist, told);
        self.providers.limit(playlist).map_or(0, |limit| limit.count)
    }

    /// Whether the gateway may pull one channel more from the provider of a playlist, as far as the hosts with the same playlist go: what
    /// the server itself has open there counts.
    #[must_use]
    pub fn has_room_for_pull(&self, playlist: usize, open: &Occupancy) -> bool {
        self.hosts.of_provider(playlist).all(|index| {
            let limit = self.told(index);
            limit.is_none_or(|limit| self.open_on(index, open, |_| true) < limit.count as usize)
        })
    }

    /// How many channels can be open on the hosts whose playlist is this one of `lineup:`, if somebody tells.
    #[must_use]
    pub fn bound_of_provider(&self, playlist: usize) -> Option<u32> {
        let told = self.hosts.of_provider(playlist).filter_map(|index| self.told(index));
        told.map(|limit| limit.count).min()
    }

    /// The tuners of the hosts whose playlist is this one of `lineup:`.
    pub fn scopes_of_provider(&self, playlist: usize) -> impl Iterator<Item = Scope> {
        self.hosts.of_provider(playlist).map(Scope::Host)
    }

    /// The playlist in `lineup:` from whose provider the gateway's own pulls take connections in `scope`.
    #[must_use]
    pub fn provider_of(&self, scope: Scope) -> Option<usize> {
        match scope {
            Scope::All => None,
            Scope::Host(index) => self.hosts.get(index)?.provider,
        }
    }

    /// The provider of each playlist in `lineup:`.
    #[must_use]
    pub fn providers_view(&self, open: &Occupancy) -> Vec<ProviderView> {
        let view = |playlist| ProviderView {
            limit: self.providers.limit(playlist),
            pulls: open.pulls_from(playlist, |_| true),
        };
        self.providers.playlists().map(view).collect()
    }

    /// The channels that may be open on a host, and the gateway's own pulls from its provider, whose use `counts`.
    pub(super) fn open_on(&self, index: usize, open: &Occupancy, counts: impl Fn(Use) -> bool) -> usize {
        let provider = self.hosts.get(index).and_then(|host| host.provider);
        let pulls = provider.map_or(0, |playlist| open.pulls_from(playlist, &counts));
        pulls + open.count_of(|source, by| self.hosts.may_have(index, source) && counts(by))
    }

    /// The same for the tuners in `scope`. Those of all hosts are the server's alone.
    pub(super) fn open_in(&self, scope: Scope, open: &Occupancy, counts: impl Fn(Use) -> bool) -> usize {
        match scope {
            Scope::All => open.count_of(|_, by| counts(by)),
            Scope::Host(index) => self.open_on(index, open, counts),
        }
    }

    /// The gateway's own pulls that take connections in `scope`.
    #[must_use]
    pub fn pulls_in(&self, scope: Scope, open: &Occupancy, counts: impl Fn(Use) -> bool) -> usize {
        self.provider_of(scope).map_or(0, |playlist| open.pulls_from(playlist, counts))
    }
}
