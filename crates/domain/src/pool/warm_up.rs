//! Opens channels for viewers who may come.
//!
//! Such a channel costs nobody anything: it takes neither the last tuner nor the reserve, and gives way to whatever is watched. Who
//! expects a viewer, and why, is not known here.

use super::Pool;
use crate::inputs::{Input, InputKey, Joined, Member, Stay, Wanted};
use crate::key::{Channel, InputId, ItemId};
use crate::lineup::tuners::Busy;
use crate::pool::expected::{Expected, Expecter};
use crate::pool::snapshot::{Tally, WarmedUpView};
use crate::reason::{CloseReason, WarmUpRefusal};
use crate::time::Timestamp;
use crate::tuners::Occupancy;

impl Pool {
    /// Opens the input of a channel, or keeps the one that is open, for as long as `warm.feed` says.
    ///
    /// # Errors
    /// It would cost a viewer something.
    pub fn warm_up(
        &mut self,
        channel: &Channel,
        wanted: &Wanted,
        by: Expecter,
        now: Timestamp,
    ) -> Result<Joined, WarmUpRefusal> {
        if self.draining || self.is_frozen {
            return Err(WarmUpRefusal::Closing);
        }
        let open = self.occupancy(now);
        let is_open = open.is_kept_open(&channel.source);
        if !is_open && !self.tuners.can_spare(&open, &self.asking.items(&open), &channel.source) {
            return Err(WarmUpRefusal::Tuners);
        }
        self.forget_expected();
        let known = self.expected.get(&channel.item).copied();
        if known.is_none() && self.expected.len() >= self.limits.slots {
            return Err(WarmUpRefusal::Slots);
        }
        let mut wanted = self.with_room(wanted, now);
        if by == Expecter::Foresight {
            self.spare(&mut wanted);
            if wanted.lineup.is_none() && !is_open {
                self.may_delay_nobody(channel, &open, now)?;
            }
        }
        if by == Expecter::Operator {
            self.wanted_after_all(&channel.item);
        }
        // Whoever asks for it means it.
        let by = known.map_or(by, |known| if known.by == Expecter::Operator { known.by } else { by });
        let member = known.map_or_else(|| Member::Expected(self.inputs.number()), |known| known.member);
        let stay = Stay { since: now, until: Some(now + self.limits.warm_feed) };
        let joined = self.inputs.join(member, stay, &wanted);
        let joined = joined.map_err(|Busy { .. }| WarmUpRefusal::Connections)?;
        let since = known.map_or(now, |known| known.since);
        let is_met = self.expected.get(&channel.item).is_some_and(|known| known.is_met);
        self.tally.ahead.made += u64::from(by == Expecter::Foresight && known.is_none());
        self.expected.insert(channel.item.clone(), Expected { member, by, since, is_met });
        Ok(joined)
    }

    /// Forgets the viewers who were expected at channels that have been closed since.
    fn forget_expected(&mut self) {
        self.tally.ahead.in_vain += self.closed_in_vain();
        let inputs = &self.inputs;
        self.expected.retain(|_, expected| inputs.of(expected.member).is_some());
    }

    /// How many channels were started ahead and have been closed since, before anybody came.
    fn closed_in_vain(&self) -> u64 {
        let in_vain = self
            .expected
            .values()
            .filter(|expected| expected.is_in_vain() && self.inputs.of(expected.member).is_none());
        in_vain.count() as u64
    }

    /// Somebody has come to a channel, or the operator has asked for it: if it was started ahead, that was not in vain.
    pub(super) fn wanted_after_all(&mut self, item: &ItemId) {
        let inputs = &self.inputs;
        let expected = self
            .expected
            .get_mut(item)
            .filter(|expected| expected.is_in_vain() && inputs.of(expected.member).is_some());
        if let Some(expected) = expected {
            expected.is_met = true;
            self.tally.ahead.hit += 1;
        }
    }

    /// What has happened since the start.
    pub(super) fn tally(&self) -> Tally {
        let mut tally = self.tally.clone();
        tally.ahead.in_vain += self.closed_in_vain();
        tally
    }

    /// Leaves of what is wanted what may be opened that nobody has asked for: from a provider, if more than the last of its connections is
    /// known to be left; a provider whose number nobody knows may end what is watched.
    fn spare(&self, wanted: &mut Wanted) {
        let is_spared = |&playlist: &usize| {
            let is_told = self.tuners.bound_of_provider(playlist).is_some();
            let connections = self.inputs.connections();
            connections.can_spare(playlist) || (is_told && connections.is_unlimited(playlist))
        };
        let lineup = wanted.lineup.take().filter(|lineup| lineup.may_open);
        wanted.lineup = lineup.and_then(|mut lineup| {
            lineup.playlists.retain(is_spared);
            (!lineup.playlists.is_empty()).then_some(lineup)
        });
        if wanted.lineup.is_some() {
            wanted.tap = None;
        }
    }

    /// Whether a channel is being opened at the server for a viewer who may come.
    fn opens_ahead(&self) -> bool {
        let inputs =
            self.expected.values().filter_map(|expected| self.inputs.get(self.inputs.of(expected.member)?));
        let mut opening = inputs.filter(|input| input.is_open() && input.grew_at().is_none());
        opening.any(|input| matches!(input.key(), InputKey::Tap(_)))
    }

    /// Whether the server can be asked to open a channel that nobody has asked for. It opens one after another, so that a viewer who tunes
    /// meanwhile waits.
    fn may_delay_nobody(
        &self,
        channel: &Channel,
        open: &Occupancy,
        now: Timestamp,
    ) -> Result<(), WarmUpRefusal> {
        if self.tuners.limit_for(open, Some(&channel.source)).is_none() {
            Err(WarmUpRefusal::NoLimit)
        } else if !self.foresight.opens_quickly(&channel.item, now) {
            Err(WarmUpRefusal::Slow)
        } else if !self.asking.is_empty() || self.own_openings.are_asked() || self.opens_ahead() {
            Err(WarmUpRefusal::Busy)
        } else {
            Ok(())
        }
    }

    /// Expects nobody at a channel any more. Returns whether somebody was expected.
    pub fn release(&mut self, item: &ItemId) -> bool {
        if self.is_frozen {
            return false;
        }
        let Some(expected) = self.expected.remove(item) else { return false };
        self.tally.ahead.in_vain += u64::from(expected.is_in_vain());
        let member = expected.member;
        let is_open = self.inputs.of(member).is_some();
        self.inputs.dismiss_member(member, CloseReason::Unneeded);
        is_open
    }

    /// The input of a channel at which a viewer is expected.
    pub(super) fn warmed_up(&self, item: &ItemId) -> Option<&Input> {
        self.inputs.get(self.inputs.of(self.expected.get(item)?.member)?)
    }

    /// The channel that is warmed up from an input.
    pub(super) fn warmed_up_from(&self, input: InputId) -> Option<ItemId> {
        let mut expected = self.expected.iter();
        let found = expected.find(|(_, expected)| self.inputs.of(expected.member) == Some(input));
        found.map(|(item, _)| item.clone())
    }

    /// Whether bytes have come of what is pulled for an item, for whomever; `None` if nothing is.
    #[must_use]
    pub fn input_warmth(&self, item: &ItemId) -> Option<bool> {
        let of_streams = self.streams.iter().filter(|(_, stream)| stream.key.channel.item == *item);
        let of_streams = of_streams.filter_map(|(&id, _)| self.inputs.get(self.input_of(id)?));
        let taps =
            self.inputs.taps().filter(|(_, input, channel)| channel.item == *item && !input.is_closing());
        let inputs = of_streams.chain(taps.map(|(_, input, _)| input)).chain(self.warmed_up(item));
        inputs.filter(|input| input.is_open()).map(|input| input.grew_at().is_some()).max()
    }

    /// The channels that the operator has warmed up.
    pub(super) fn warmed_up_by_operator(&self) -> Vec<ItemId> {
        let theirs = self.expected.iter().filter(|(_, expected)| expected.by == Expecter::Operator);
        theirs.map(|(item, _)| item.clone()).filter(|item| self.warmed_up(item).is_some()).collect()
    }

    pub(super) fn warmed_up_views(&self) -> Vec<WarmedUpView> {
        let view = |(item, expected): (&ItemId, &Expected)| {
            let input = self.warmed_up(item)?;
            let (is_ready, until) = (input.grew_at().is_some(), input.expected_until());
            let is_theirs = expected.by == Expecter::Foresight;
            let mut decisions = self.foresight.decisions().rev();
            let why = is_theirs.then(|| decisions.find(|decision| decision.item == *item).cloned()).flatten();
            Some(WarmedUpView { item: item.clone(), by: expected.by, is_ready, until, why })
        };
        self.expected.iter().filter_map(view).collect()
    }
}
