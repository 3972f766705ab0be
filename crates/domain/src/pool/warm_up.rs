//! Opens channels for viewers who may come.
//!
//! Such a channel costs nobody anything: it takes neither the last tuner nor the reserve, and gives way to whatever is watched. Who
//! expects a viewer, and why, is not known here.

use super::Pool;
use crate::inputs::{Input, Joined, Member, Stay, Wanted};
use crate::key::{Channel, ItemId};
use crate::lineup::tuners::Busy;
use crate::pool::snapshot::WarmedUpView;
use crate::reason::{CloseReason, WarmUpRefusal};
use crate::time::Timestamp;

impl Pool {
    /// Opens the input of a channel, or keeps the one that is open, for as long as `warm.feed` says.
    ///
    /// # Errors
    /// It would cost a viewer something.
    pub fn warm_up(
        &mut self,
        channel: &Channel,
        wanted: &Wanted,
        now: Timestamp,
    ) -> Result<Joined, WarmUpRefusal> {
        if self.draining || self.is_frozen {
            return Err(WarmUpRefusal::Closing);
        }
        let open = self.occupancy(now);
        let is_open = open.is_kept_open(&channel.source);
        if !is_open && !self.tuners.can_spare(&open, &self.asking.items(&open), Some(&channel.source)) {
            return Err(WarmUpRefusal::Tuners);
        }
        let inputs = &self.inputs;
        self.expected.retain(|_, member| inputs.of(*member).is_some());
        let known = self.expected.get(&channel.item).copied();
        if known.is_none() && self.expected.len() >= self.limits.slots {
            return Err(WarmUpRefusal::Slots);
        }
        let member = known.unwrap_or_else(|| Member::Expected(self.inputs.number()));
        let stay = Stay { since: now, until: Some(now + self.limits.warm_feed) };
        let joined = self.inputs.join(member, stay, &self.with_room(wanted, now));
        let joined = joined.map_err(|Busy { .. }| WarmUpRefusal::Connections)?;
        self.expected.insert(channel.item.clone(), member);
        Ok(joined)
    }

    /// Expects nobody at a channel any more. Returns whether somebody was expected.
    pub fn release(&mut self, item: &ItemId) -> bool {
        if self.is_frozen {
            return false;
        }
        let Some(member) = self.expected.remove(item) else { return false };
        let is_open = self.inputs.of(member).is_some();
        self.inputs.dismiss_member(member, CloseReason::Unneeded);
        is_open
    }

    /// The input of a channel at which a viewer is expected.
    pub(super) fn warmed_up(&self, item: &ItemId) -> Option<&Input> {
        self.inputs.get(self.inputs.of(*self.expected.get(item)?)?)
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

    pub(super) fn warmed_up_views(&self) -> Vec<WarmedUpView> {
        let view = |item: &ItemId| {
            let input = self.warmed_up(item)?;
            let (is_ready, until) = (input.grew_at().is_some(), input.expected_until());
            Some(WarmedUpView { item: item.clone(), is_ready, until })
        };
        self.expected.keys().filter_map(view).collect()
    }
}
