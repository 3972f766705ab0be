//! Tells which tuners are short for a channel, as far as it is known on which host the channel is.

use std::collections::BTreeSet;

use crate::key::{ItemId, MediaSourceId};
use crate::reason::LimitSource;
use crate::tuners::limits::{Scope, TunerLimit};
use crate::tuners::occupancy::Occupancy;
use crate::tuners::server_tuners::ServerTuners;

impl ServerTuners {
    /// The media source of an item, if it has been open.
    #[must_use]
    pub fn source_of(&self, item: &ItemId) -> Option<&MediaSourceId> {
        self.hosts.source_of(item)
    }

    /// An item has this media source.
    pub fn recognise(&mut self, item: &ItemId, source: &MediaSourceId) {
        self.hosts.recognise(source, item);
    }

    /// Whether there are several hosts, so that a channel's source is needed to know what it is denied by.
    #[must_use]
    pub fn has_several_hosts(&self) -> bool {
        self.hosts.get(1).is_some()
    }

    /// The number of tuners that `wanted` can have one of, and which they are, if that is known: that which the operator has set, or
    /// that of its host; without a channel, that of the only host. The smallest counts.
    #[must_use]
    pub fn limit_for(&self, open: &Occupancy, wanted: Option<&MediaSourceId>) -> Option<(Scope, TunerLimit)> {
        let is_only =
            || !self.has_several_hosts() && open.sources().all(|source| self.hosts.may_have(0, source));
        let host = match wanted.and_then(|source| self.hosts.only_host_of(source)) {
            Some(host) => Some(host),
            None => is_only().then_some(0),
        };
        let limits = self.limits(open);
        let counts = limits.filter(|(scope, _)| match scope {
            Scope::All => true,
            Scope::Host(index) => host == Some(*index),
        });
        counts.min_by_key(|(_, limit)| limit.count)
    }

    /// The number of tuners, if there is one for all.
    #[must_use]
    pub fn limit(&self, open: &Occupancy) -> Option<TunerLimit> {
        self.limit_for(open, None).map(|(_, limit)| limit)
    }

    /// Whether the number of tuners that `wanted` can have one of is told, rather than learned.
    #[must_use]
    pub fn is_limit_told(&self, open: &Occupancy, wanted: Option<&MediaSourceId>) -> bool {
        self.limit_for(open, wanted).is_some_and(|(_, limit)| match limit.source {
            LimitSource::Server
            | LimitSource::Configured
            | LimitSource::Lineup
            | LimitSource::Device
            | LimitSource::Account => true,
            LimitSource::Learned => false,
        })
    }

    /// The tuners that are short for `wanted`, or for a channel of which nothing is known; `None` if one is known to be free. The
    /// items `asked` for may be open besides.
    #[must_use]
    pub fn short(
        &self,
        open: &Occupancy,
        asked: &BTreeSet<&ItemId>,
        wanted: Option<&MediaSourceId>,
    ) -> Option<Scope> {
        let host = wanted.and_then(|source| self.hosts.only_host_of(source));
        let in_use = |scope| self.in_use(scope, open, asked);
        let mut limits = self.limits(open).filter(|(scope, _)| match (scope, host) {
            (Scope::All, _) | (_, None) => true,
            (Scope::Host(index), Some(host)) => *index == host,
        });
        let short = limits.find(|(scope, limit)| in_use(*scope) >= self.certain(*scope, *limit) as usize);
        let is_known = || match host {
            Some(host) => self.limits(open).any(|(scope, _)| scope == Scope::Host(host)),
            None => self.are_hosts_told && !self.has_unlimited_host(),
        };
        match short {
            Some((scope, _)) => Some(scope),
            None if self.settings.limit.is_some() || is_known() => None,
            None => Some(host.map_or(Scope::All, Scope::Host)),
        }
    }

    /// The tuners of which one counts as free for `wanted`. The items `asked` for may be open besides.
    #[must_use]
    pub fn counted_free(
        &self,
        open: &Occupancy,
        asked: &BTreeSet<&ItemId>,
        wanted: Option<&MediaSourceId>,
    ) -> Option<Scope> {
        let (scope, limit) = self.limit_for(open, wanted)?;
        (self.in_use(scope, open, asked) < self.certain(scope, limit) as usize).then_some(scope)
    }

    fn in_use(&self, scope: Scope, open: &Occupancy, asked: &BTreeSet<&ItemId>) -> usize {
        let others =
            asked.iter().filter(|item| self.source_of(item).is_none_or(|source| self.is_in(scope, source)));
        others.count() + self.open_in(scope, open, |_| true)
    }

    /// Whether `wanted` can be opened for nobody yet: then a tuner is left besides, and the reserve. Where no number of tuners is known,
    /// it can. The items `asked` for may be open besides.
    #[must_use]
    pub fn can_spare(&self, open: &Occupancy, asked: &BTreeSet<&ItemId>, wanted: &MediaSourceId) -> bool {
        self.spare(open, asked, wanted).is_none_or(|spare| spare > 0)
    }

    /// Whether `wanted` could be opened for nobody if `given_up` were closed, which nobody needs.
    #[must_use]
    pub fn can_spare_instead(
        &self,
        open: &Occupancy,
        asked: &BTreeSet<&ItemId>,
        wanted: &MediaSourceId,
        given_up: &MediaSourceId,
    ) -> bool {
        let mut left = self.left_beside_reserve(open, asked, wanted);
        left.all(|(scope, left)| left + isize::from(self.is_in(scope, given_up)) > 0)
    }

    /// How many channels such as `wanted` can be opened for nobody yet; `None` where no number of tuners is known.
    #[must_use]
    pub fn spare(
        &self,
        open: &Occupancy,
        asked: &BTreeSet<&ItemId>,
        wanted: &MediaSourceId,
    ) -> Option<usize> {
        let least = self.left_beside_reserve(open, asked, wanted).map(|(_, left)| left).min()?;
        Some(usize::try_from(least).unwrap_or_default())
    }

    /// How many tuners that `wanted` may have are left beside the reserve, or the last one; below 0 where more are in use.
    fn left_beside_reserve<'a>(
        &'a self,
        open: &'a Occupancy,
        asked: &BTreeSet<&ItemId>,
        wanted: &'a MediaSourceId,
    ) -> impl Iterator<Item = (Scope, isize)> + use<'a> {
        let asked = asked.len();
        let limits = self.limits(open).filter(|(scope, _)| self.is_in(*scope, wanted));
        limits.map(move |(scope, limit)| {
            let in_use = asked + self.unseen() + self.open_in(scope, open, |_| true);
            let kept = self.reserve(limit).max(1) as usize;
            (scope, (self.certain(scope, limit) as usize).cast_signed() - (in_use + kept).cast_signed())
        })
    }

    /// Whether a channel has to go before `wanted` is opened, since nobody would refuse that: a provider may end another channel for it.
    #[must_use]
    pub fn must_make_way(&self, open: &Occupancy, wanted: Option<&MediaSourceId>) -> bool {
        self.limit_for(open, wanted).is_some_and(|(scope, limit)| {
            let is_firm = match (limit.source, scope) {
                // The server itself refuses, but does not know of the gateway's own pulls.
                (LimitSource::Server, scope) => self.pulls_in(scope, open, |_| true) > 0,
                (
                    LimitSource::Configured
                    | LimitSource::Lineup
                    | LimitSource::Device
                    | LimitSource::Account,
                    _,
                )
                | (LimitSource::Learned, Scope::All) => true,
                (LimitSource::Learned, Scope::Host(index)) => {
                    self.learned_of(index).ceiling == Some(limit.count) || open.is_recorded()
                }
            };
            is_firm && self.open_in(scope, open, |_| true) >= limit.count as usize
        })
    }
}
