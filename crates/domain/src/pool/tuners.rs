//! The pool's account of the server's tuners: which channels are open there, for whom, and which idle one has to go.

use std::collections::BTreeSet;

use super::Pool;
use crate::key::{ItemId, LiveStreamId};
use crate::pool::giving_way::Shortage;
use crate::pool::snapshot::TunersView;
use crate::produce::ProductionMethod;
use crate::reason::OpeningRefusal;
use crate::time::Timestamp;
use crate::tuners::{Needed, Occupancy, TunerLimit, Use, Want};

impl Pool {
    /// How many tuners the server has, if that is known.
    #[must_use]
    pub const fn tuner_limit(&self) -> Option<TunerLimit> {
        self.tuners.limit()
    }

    /// The number of tuners that stay free of what nobody watches; 0 where the limit is unknown.
    #[must_use]
    pub fn tuner_reserve(&self) -> u32 {
        self.tuners.reserve()
    }

    /// The server had no tuner left for `item`, and none could be freed. Returns what the tuners are needed for, if that is why:
    /// their number is known, every one is needed, and none of them has this very channel open.
    pub fn tuners_taken_from(&mut self, item: &ItemId, now: Timestamp) -> Option<Vec<Needed>> {
        let limit = self.tuners.limit()?.count as usize;
        let open = self.occupancy(now);
        let all_needed = open.count(Use::Needed) >= limit && !open.has_item(item);
        all_needed.then(|| {
            self.opening_refused(OpeningRefusal::TunersTaken);
            open.needed().collect()
        })
    }

    /// The server had no tuner left for somebody.
    pub(super) fn tuner_denied(&mut self, now: Timestamp) {
        self.tuner_needed(Shortage::Tuner, now);
    }

    /// The server is about to need a tuner for a recording.
    pub(super) fn recording_begins(&mut self, now: Timestamp) {
        self.tuner_needed(Shortage::Recording, now);
    }

    /// If all tuners are known to be taken, or their number is unknown, an idle channel goes.
    fn tuner_needed(&mut self, shortage: Shortage, now: Timestamp) {
        if self.tuners.limit().is_none() || self.tuners.are_taken(&self.occupancy(now)) {
            self.free_tuner(shortage, now);
        }
    }

    /// Has idle channels go for recordings, and for the reserve.
    pub(super) fn keep_tuners_free(&mut self, now: Timestamp) {
        if self.draining || !self.tuners.is_concerned() {
            return;
        }
        while let Some(want) = self.tuners.want(&self.occupancy(now), now) {
            let shortage = match want {
                Want::Recording => Shortage::Recording,
                Want::Reserve => Shortage::Reserve,
            };
            if !self.free_tuner(shortage, now) {
                return;
            }
        }
    }

    /// What is open at the server: consumers of the gateway's, openings of clients, recordings.
    pub(super) fn occupancy(&self, now: Timestamp) -> Occupancy {
        let mut open = Occupancy::default();
        for (&id, stream) in &self.streams {
            let channel = &stream.key.channel;
            if stream.producer.method() == ProductionMethod::Adopted && !stream.released {
                let by = if stream.producer.is_retiring() {
                    Use::Closing
                } else {
                    Self::use_by(self.is_watched(id))
                };
                open.add(&channel.source, Some(&channel.item), by);
            }
        }
        for (_, input, channel) in self.inputs.taps() {
            let is_watched = || input.streams().into_iter().any(|stream| self.is_watched(stream));
            let by = if input.is_closing() || self.is_deserted(input) {
                Use::Closing
            } else {
                Self::use_by(input.is_read() || is_watched())
            };
            open.add(&channel.source, Some(&channel.item), by);
        }
        // A live stream once, however many clients have it open.
        let open_by_clients: BTreeSet<_> = self.openings.live_streams().collect();
        for source in open_by_clients.into_iter().filter_map(LiveStreamId::media_source) {
            open.add(&source, None, Use::Needed);
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

    pub(super) fn tuners_view(&self, now: Timestamp) -> TunersView {
        let open = self.occupancy(now);
        TunersView {
            limit: self.tuners.limit(),
            reserve: self.tuners.reserve(),
            in_use: open.in_use(),
            idle: open.count(Use::Idle),
        }
    }

    const fn use_by(somebody: bool) -> Use {
        if somebody { Use::Needed } else { Use::Idle }
    }
}
