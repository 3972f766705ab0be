//! Records which channels are open at the server, and whether anybody needs them: each takes one tuner, however many have it.

use std::collections::{BTreeMap, BTreeSet};

use crate::key::{ItemId, MediaSourceId};
use crate::tuners::timers::Timer;

/// Who has a channel open. Of several, the greatest counts: a tuner is free only when all have given it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// The gateway, which is giving it back.
    Closing,
    /// The gateway, for nobody.
    Idle,
    /// Somebody: a viewer, a client that has opened it, a recording.
    Needed,
}

/// A channel that is open for somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    /// Its media source.
    pub source: MediaSourceId,
    /// Its item, if that is known.
    pub item: Option<ItemId>,
}

/// The channels that are open at the server.
#[derive(Clone, Debug, Default)]
pub struct Occupancy {
    open: BTreeMap<MediaSourceId, Use>,
    /// Those of them that the server is known to have opened.
    opened: BTreeSet<MediaSourceId>,
    items: BTreeSet<(ItemId, MediaSourceId)>,
    /// The gateway's own pulls, which take connections and no tuner of the server's, by the playlist's place in `lineup:`.
    pulls: Vec<(usize, Use)>,
    is_recorded: bool,
}

impl Occupancy {
    /// Somebody has a media source open, which belongs to `item`.
    pub fn add(&mut self, source: &MediaSourceId, item: Option<&ItemId>, by: Use) {
        self.add_asked(source, item, by);
        self.opened.insert(source.clone());
    }

    /// The server is asked to open a media source, which belongs to `item`, and may have done so.
    pub fn add_asked(&mut self, source: &MediaSourceId, item: Option<&ItemId>, by: Use) {
        let known = self.open.entry(source.clone()).or_insert(by);
        *known = by.max(*known);
        self.items.extend(item.map(|item| (item.clone(), source.clone())));
    }

    /// Whether a media source is open, and not being closed.
    #[must_use]
    pub fn is_kept_open(&self, source: &MediaSourceId) -> bool {
        self.open.get(source).is_some_and(|by| *by > Use::Closing)
    }

    /// The gateway itself pulls a channel from the provider of a playlist.
    pub fn add_pull(&mut self, playlist: usize, by: Use) {
        self.pulls.push((playlist, by));
    }

    /// The number of the gateway's own pulls from the provider of a playlist whose use `counts`.
    pub(super) fn pulls_from(&self, playlist: usize, counts: impl Fn(Use) -> bool) -> usize {
        self.pulls.iter().filter(|(known, by)| *known == playlist && counts(*by)).count()
    }

    /// Whether anything is open for nobody, at the server or at a provider.
    pub(super) fn has_idle(&self) -> bool {
        let mut uses = self.open.values().chain(self.pulls.iter().map(|(_, by)| by));
        uses.any(|by| *by == Use::Idle)
    }

    /// A recording has its channel open.
    pub fn add_recording(&mut self, timer: &Timer) {
        self.is_recorded = true;
        let source =
            self.source_of(timer).or_else(|| Some(MediaSourceId::new(timer.item.as_ref()?.as_str())));
        if let Some(source) = source {
            self.add(&source, timer.item.as_ref(), Use::Needed);
        }
    }

    /// The tuners that are taken, those that are being given back included.
    #[must_use]
    pub fn in_use(&self) -> usize {
        self.open.len()
    }

    /// The number of channels whose use is `by`.
    #[must_use]
    pub fn count(&self, by: Use) -> usize {
        self.open.values().filter(|known| **known == by).count()
    }

    /// The number of channels for which `counts` is true.
    pub(super) fn count_of(&self, counts: impl Fn(&MediaSourceId, Use) -> bool) -> usize {
        self.open.iter().filter(|(source, by)| counts(source, **by)).count()
    }

    /// The channels that are open.
    pub(super) fn sources(&self) -> impl Iterator<Item = &MediaSourceId> {
        self.open.keys()
    }

    /// The channels that the server is known to have opened: an attempt that it refuses ends no other channel.
    pub(super) fn opened(&self) -> impl Iterator<Item = &MediaSourceId> {
        self.opened.iter()
    }

    /// The items that are known to belong to channels, each with its media source.
    pub(super) fn items(&self) -> impl Iterator<Item = &(ItemId, MediaSourceId)> {
        self.items.iter()
    }

    /// Whether a recording is being made.
    pub(super) const fn is_recorded(&self) -> bool {
        self.is_recorded
    }

    /// The channels that are open for nobody: each frees its tuner when the gateway gives it back.
    pub fn idle(&self) -> impl Iterator<Item = &MediaSourceId> {
        self.open.iter().filter(|(_, by)| **by == Use::Idle).map(|(source, _)| source)
    }

    /// The channels that are open for somebody.
    pub fn needed(&self) -> impl Iterator<Item = Needed> {
        let needed = self.open.iter().filter(|(_, by)| **by == Use::Needed);
        needed.map(|(source, _)| {
            let item = self.items.iter().find(|(_, known)| known == source).map(|(item, _)| item.clone());
            Needed { source: source.clone(), item }
        })
    }

    /// Whether a channel is open, for whomever.
    #[must_use]
    pub fn has_item(&self, item: &ItemId) -> bool {
        self.items.iter().any(|(known, source)| known == item && self.open.contains_key(source))
    }

    /// Whether the channel of a timer is open, and stays so.
    #[must_use]
    pub fn has(&self, timer: &Timer) -> bool {
        self.source_of(timer).and_then(|source| self.open.get(&source)).is_some_and(|by| *by != Use::Closing)
    }

    /// Whether a timer is about this media source.
    #[must_use]
    pub fn concerns(&self, timer: &Timer, source: &MediaSourceId) -> bool {
        self.source_of(timer).is_some_and(|wanted| wanted == *source)
    }

    fn source_of(&self, timer: &Timer) -> Option<MediaSourceId> {
        let of_item = |item: &ItemId| {
            let known = self.items.iter().find(|(known, _)| known == item);
            known.map(|(_, source)| source.clone())
        };
        timer.source.clone().or_else(|| timer.item.as_ref().and_then(of_item))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;
    use crate::tuners::timers::TimerStatus;

    #[test]
    fn a_tuner_is_free_when_the_last_has_given_it_back() {
        let (one, two) = (MediaSourceId::new("one"), MediaSourceId::new("two"));
        let mut open = Occupancy::default();
        open.add(&one, None, Use::Idle);
        open.add(&one, None, Use::Closing);
        open.add(&two, None, Use::Idle);
        assert_eq!((open.in_use(), open.idle().count()), (2, 2));
        open.add(&two, None, Use::Needed);
        assert_eq!(open.idle().collect::<Vec<_>>(), [&one], "its client has it still");
    }

    #[test]
    fn a_timer_names_its_channel_by_its_item_or_its_source() {
        let (item, source) = (ItemId::parse(&"a".repeat(32)), MediaSourceId::new("one"));
        let timer = |item, source| Timer {
            id: String::new(),
            item,
            source,
            playlist: None,
            starts: Timestamp::default(),
            ends: Timestamp::default(),
            status: TimerStatus::InProgress,
        };
        let mut open = Occupancy::default();
        open.add_recording(&timer(item.clone(), None));
        assert_eq!(open.in_use(), 1);
        let mut open = Occupancy::default();
        open.add(&source, item.as_ref(), Use::Idle);
        assert!(open.has(&timer(item.clone(), None)) && open.has(&timer(None, Some(source.clone()))));
        open.add_recording(&timer(item, None));
        assert_eq!((open.in_use(), open.idle().count()), (1, 0));
    }
}
