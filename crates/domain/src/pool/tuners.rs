//! The pool's account of the server's tuners: which channels are open there, for whom, and which idle one has to go.

use std::collections::{BTreeMap, BTreeSet};

use super::Pool;
use crate::inputs::{Input, InputKey};
use crate::key::{Channel, ItemId, LiveStreamId, MediaSourceId};
use crate::pool::api::{Open, OwnOpening};
use crate::pool::giving_way::Shortage;
use crate::pool::snapshot::TunersView;
use crate::produce::ProductionMethod;
use crate::reason::{Failure, OpeningRefusal};
use crate::time::Timestamp;
use crate::tuners::{Learned, Needed, Occupancy, Purpose, Scope, Use, Want};

impl Pool {
    /// Whether somebody tells how many tuners `wanted` can have one of.
    #[must_use]
    pub fn is_tuner_limit_told(&self, wanted: Option<&MediaSourceId>, now: Timestamp) -> bool {
        self.tuners.is_limit_told(&self.occupancy(now), wanted)
    }

    /// The media source of an item, if it has been open.
    #[must_use]
    pub fn source_of(&self, item: &ItemId) -> Option<MediaSourceId> {
        self.tuners.source_of(item).cloned()
    }

    /// The server has told that an item has this media source.
    pub fn item_has_source(&mut self, item: &ItemId, source: &MediaSourceId) {
        self.tuners.recognise(item, source);
    }

    /// Whether the server has several tuner hosts.
    #[must_use]
    pub fn has_several_tuner_hosts(&self) -> bool {
        self.tuners.has_several_hosts()
    }

    /// Whether an idle channel has to go before the server is asked to open this item's.
    #[must_use]
    pub fn must_make_way(&self, item: Option<&ItemId>, now: Timestamp) -> bool {
        let open = self.occupancy(now);
        let wanted = item.and_then(|item| self.tuners.source_of(item));
        !item.is_some_and(|item| open.has_item(item)) && self.tuners.must_make_way(&open, wanted)
    }

    /// Whether a tuner is known to be free for `wanted`, even if each opening that the server works on gets one.
    #[must_use]
    pub fn is_tuner_free(&self, wanted: Option<&MediaSourceId>, now: Timestamp) -> bool {
        self.counted_free(wanted, now).is_some()
    }

    /// The tuners of which one counts as free for `wanted`.
    fn counted_free(&self, wanted: Option<&MediaSourceId>, now: Timestamp) -> Option<Scope> {
        let open = self.occupancy(now);
        self.tuners.counted_free(&open, &self.asking.items(&open), wanted)
    }

    /// The openings that the server works on for somebody who waits: how they end is not known yet.
    #[must_use]
    pub fn undecided(&self) -> BTreeSet<Open> {
        self.asking.awaited().map(Open::Asking).collect()
    }

    /// Whether the server works on an opening, or one is being closed.
    #[must_use]
    pub fn is_opening_or_closing(&self) -> bool {
        !self.asking.is_empty() || self.openings.closing().next().is_some()
    }

    /// What has been learned of tuner hosts whose limit nobody tells, by the host's name.
    #[must_use]
    pub fn learned_limits(&self) -> BTreeMap<String, Learned> {
        self.tuners.learned()
    }

    /// What an earlier process has learned of tuner hosts.
    pub fn recall_limits(&mut self, learned: BTreeMap<String, Learned>) {
        self.tuners.recall(learned);
    }

    /// The server had no tuner left for `item`, and none could be freed. Returns what the tuners are needed for, if that is why:
    /// their number is known, every one is needed, and none of them has this very channel open.
    pub fn tuners_taken_from(&mut self, item: &ItemId, now: Timestamp) -> Option<Vec<Needed>> {
        let open = self.occupancy(now);
        let wanted = self.tuners.source_of(item);
        let (scope, limit) =
            self.tuners.limit_for(&open, wanted).filter(|_| self.tuners.is_limit_told(&open, wanted))?;
        let needed: Vec<_> =
            open.needed().filter(|needed| self.tuners.is_in(scope, &needed.source)).collect();
        let pulls = self.tuners.pulls_in(scope, &open, |by| by == Use::Needed);
        let all_needed = needed.len() + pulls >= limit.count as usize && !open.has_item(item);
        all_needed.then(|| {
            self.opening_refused(OpeningRefusal::TunersTaken);
            needed
        })
    }

    /// The server had no tuner left for somebody, who wants `wanted` if that is known. Where one counts as free, the count may be wrong:
    /// a recording has just begun, or a player beside the gateway has one. Then an idle channel goes too, unless a tuner is about to be free.
    pub(super) fn tuner_denied(&mut self, wanted: Option<&MediaSourceId>, now: Timestamp) {
        match self.counted_free(wanted, now) {
            None => {
                self.tuner_needed(Shortage::Tuner, wanted, now);
            }
            Some(scope) if self.closing().is_empty() => {
                // Otherwise a dead channel that is asked for again and again would keep everybody's next one shut.
                if self.free_tuner(Shortage::Tuner, scope, wanted, now) {
                    self.tuners.one_is_unseen(now);
                }
            }
            Some(_) => {}
        }
    }

    /// The server is about to need a tuner for a recording, of `wanted` if that is known.
    pub(super) fn recording_begins(&mut self, wanted: Option<&MediaSourceId>, now: Timestamp) {
        if self.tuner_needed(Shortage::Recording, wanted, now) {
            self.tuners.helped_ahead(now);
        }
    }

    /// A channel has ended by itself; its last data came at `last`.
    pub(super) fn channel_ended(
        &mut self,
        source: MediaSourceId,
        last: Timestamp,
        failure: Failure,
        now: Timestamp,
    ) {
        match failure {
            Failure::Ended | Failure::Stalled | Failure::Gone => {
                let open = self.occupancy(now);
                self.tuners.observe(&open, now);
                self.tuners.ended(&source, last, &open, now);
            }
            Failure::Unreachable
            | Failure::Refused
            | Failure::Busy
            | Failure::Oversized
            | Failure::Overlong
            | Failure::Unreadable
            | Failure::Unsuitable
            | Failure::Lagged
            | Failure::TooSlow
            | Failure::TooMuchMemory
            | Failure::Crashed
            | Failure::Panicked => {}
        }
    }

    /// How far the opening of a channel for a stream or an input has come. What is said of one that is gone comes too late.
    pub(super) fn own_opening(&mut self, open: Open, generation: u32, state: OwnOpening, now: Timestamp) {
        let is_known = match open {
            Open::Stream(id) => self.streams.contains_key(&id),
            Open::Input(id) => self.inputs.all().any(|(known, _)| known == id),
            Open::ClientOpening(_) | Open::Asking(_) => false,
        };
        if !is_known {
            return;
        }
        self.own_openings.tell(open, generation, state);
        match state {
            OwnOpening::Asked => self.tuners.asked(now),
            OwnOpening::Granted | OwnOpening::Refused => {}
        }
    }

    /// If no tuner is known to be free, an idle channel goes.
    fn tuner_needed(&mut self, shortage: Shortage, wanted: Option<&MediaSourceId>, now: Timestamp) -> bool {
        let open = self.occupancy(now);
        let undecided = self.asking.items(&open);
        let Some(scope) = self.tuners.short(&open, &undecided, wanted) else { return false };
        self.tuners.denied(&open, undecided.len(), now);
        self.free_tuner(shortage, scope, wanted, now)
    }

    /// Has idle channels go for recordings, and for the reserve.
    pub(super) fn keep_tuners_free(&mut self, now: Timestamp) {
        if !self.tuners.is_concerned() {
            return;
        }
        self.tuners.observe(&self.occupancy(now), now);
        if self.draining {
            return;
        }
        while let Some(Want { purpose, scope }) = self.tuners.want(&self.occupancy(now), now) {
            let shortage = match purpose {
                Purpose::Recording => Shortage::Recording,
                Purpose::Reserve => Shortage::Reserve,
                Purpose::Limit => Shortage::TunerLimit,
            };
            if !self.free_tuner(shortage, scope, None, now) {
                return;
            }
        }
    }

    /// What is open at the server: consumers of the gateway's, openings of clients, recordings.
    pub(super) fn occupancy(&self, now: Timestamp) -> Occupancy {
        let mut open = Occupancy::default();
        for (&id, stream) in &self.streams {
            let channel = &stream.key.channel;
            let is_adopted = stream.producer.method() == ProductionMethod::Adopted;
            if !is_adopted || stream.released {
                continue;
            }
            let by =
                if stream.producer.is_retiring() { Use::Closing } else { Self::use_by(self.is_watched(id)) };
            self.add_own(&mut open, Open::Stream(id), channel, by);
        }
        for (id, input, channel) in self.inputs.taps() {
            self.add_own(&mut open, Open::Input(id), channel, self.use_of(input));
        }
        for (_, input) in self.inputs.all() {
            if let (InputKey::Lineup(_), Some(playlist)) = (input.key(), input.playlist()) {
                open.add_pull(playlist, self.use_of(input));
            }
        }
        // A live stream once, however many clients have it open.
        let open_by_clients: BTreeSet<_> = self.openings.live_streams().collect();
        for (live_stream, item) in open_by_clients {
            if let Some(source) = live_stream.media_source() {
                open.add(&source, item, Use::Needed);
            }
        }
        let closing: BTreeSet<_> = self.openings.closing().map(|(_, live_stream)| live_stream).collect();
        for source in closing.into_iter().filter_map(LiveStreamId::media_source) {
            open.add(&source, None, Use::Closing);
        }
        for timer in self.tuners.recordings(now) {
            open.add_recording(timer);
        }
        open
    }

    /// Adds to `open` what the gateway itself has open, or tries to. What the server has refused takes no tuner.
    fn add_own(&self, open: &mut Occupancy, own: Open, channel: &Channel, by: Use) {
        match self.own_openings.state(own) {
            OwnOpening::Asked => open.add_asked(&channel.source, Some(&channel.item), by),
            OwnOpening::Granted => open.add(&channel.source, Some(&channel.item), by),
            OwnOpening::Refused => {}
        }
    }

    /// The server's tuners at `now`.
    #[must_use]
    pub fn tuners_view(&self, now: Timestamp) -> TunersView {
        let open = self.occupancy(now);
        let limit = self.tuners.limit(&open);
        TunersView {
            limit,
            reserve: limit.map_or(0, |limit| self.tuners.reserve(limit)),
            hosts: self.tuners.hosts_view(&open),
            providers: self.tuners.providers_view(&open),
            in_use: open.in_use(),
            idle: open.count(Use::Idle),
            closing: open.count(Use::Closing),
        }
    }

    fn use_of(&self, input: &Input) -> Use {
        let is_watched = || input.streams().into_iter().any(|stream| self.is_watched(stream));
        if input.is_closing() || self.is_deserted(input) {
            Use::Closing
        } else {
            Self::use_by(input.is_read() || is_watched())
        }
    }

    const fn use_by(somebody: bool) -> Use {
        if somebody { Use::Needed } else { Use::Idle }
    }
}
