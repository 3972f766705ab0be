//! The calls that the requests of a viewer make: one for a segment, two for a playlist.
//!
//! Each takes together everything that the request says, so that the pool's lock is taken once for all of it.

use std::collections::BTreeSet;

use super::Pool;
use crate::key::{ConsumerId, StreamId};
use crate::openings::{Mention, MentionKind};
use crate::pool::api::{Action, Admission, PlaylistHints, SegmentRequest, Tune};
use crate::pool::watching::is_watched_by;
use crate::signal::{Signal, Whose};
use crate::time::Timestamp;
use crate::viewer::Viewer;
use crate::window::{JoinPoint, Listing};

impl Pool {
    /// A viewer requests a playlist, and mentions what it has opened. If it is served, the request counts as being answered
    /// until `playlist_answered` or `answer_ended`.
    pub fn playlist_requested(&mut self, tune: Tune, mention: &Mention, now: Timestamp) -> Admission {
        self.mentioned(mention, MentionKind::Named, now);
        let admission = self.tune(tune, now);
        if let Admission::Serve { consumer, .. } = admission {
            self.answer_begun(consumer, now);
        }
        admission
    }

    /// Until when a viewer's request for a playlist is to wait: whoever still waits then is no request that was under way when its
    /// device tuned away, and the stream ended for that.
    #[must_use]
    pub fn straggles_until(&self, viewer: &Viewer, now: Timestamp) -> Option<Timestamp> {
        self.shared_devices.straggles_until(viewer, now)
    }

    /// The playlist that a consumer has requested is about to be sent. Returns where its list begins: at `join_point` for its first
    /// list. `said` is what the request hints.
    pub fn playlist_answered(
        &mut self,
        consumer: ConsumerId,
        join_point: Option<JoinPoint>,
        hints: &PlaylistHints<'_>,
        now: Timestamp,
    ) -> Option<JoinPoint> {
        self.say(consumer, hints.connection.as_slice(), now);
        self.answer_ended(consumer, true, now);
        let begins = self.join(consumer, join_point, now);
        // After the request itself: that is a sign of life even where the player says that it is its last.
        self.say(consumer, hints.signals, now);
        self.mentioned(hints.mention, MentionKind::Served, now);
        begins
    }

    /// A request for a segment with a consumer's token: the stream it is for, and the list that names it. If it is `None`, the
    /// request is refused; else it counts as being answered until `answer_ended`.
    pub fn request_segment(
        &mut self,
        consumer: ConsumerId,
        request: &SegmentRequest<'_>,
        now: Timestamp,
    ) -> Option<(StreamId, Listing)> {
        let listing = self.list_of(consumer)?.listing;
        let stream = self.segment_requested(consumer, request.sequence, now)?;
        self.say(consumer, request.signals, now);
        self.say(consumer, request.connection.as_slice(), now);
        self.answer_begun(consumer, now);
        Some((stream, listing))
    }

    /// The stream that a consumer's token grants a segment of. The token alone does not grant it for ever: a viewer that has
    /// not shown its credential for a while has to do so first, by a request for the playlist.
    pub fn segment_requested(
        &mut self,
        consumer: ConsumerId,
        sequence: u64,
        now: Timestamp,
    ) -> Option<StreamId> {
        let known = self.crowd.get(consumer)?;
        let is_granted = known.is_vouched_for(now) && !self.sent_away.contains(known.viewer(), now);
        is_granted.then(|| self.notice(consumer, Signal::Segment(sequence), now)).flatten()
    }

    /// A consumer is about to be given its list. Returns where the list begins, which is `start` only for its first list.
    pub fn join(
        &mut self,
        consumer: ConsumerId,
        start: Option<JoinPoint>,
        now: Timestamp,
    ) -> Option<JoinPoint> {
        self.notice(consumer, Signal::Playlist, now);
        self.crowd.update(consumer, |consumer| consumer.join(start)).unwrap_or(start)
    }

    /// The answer to one of a consumer's requests begins. `answer_ended` is to follow.
    pub fn answer_begun(&mut self, consumer: ConsumerId, now: Timestamp) {
        self.crowd.update(consumer, |consumer| consumer.answer_begun(now));
    }

    /// The answer to one of a consumer's requests has ended: sent as a `whole`, or given up by the player.
    pub fn answer_ended(&mut self, consumer: ConsumerId, whole: bool, now: Timestamp) {
        let Some(known) = self.crowd.get(consumer) else { return };
        let terms = self.terms(known.stream(), known.class(), known.list());
        self.crowd.update(consumer, |consumer| consumer.answer_ended(whole, &terms, now));
    }

    /// A request mentions what clients have opened, or settles it.
    pub(super) fn mentioned(&mut self, mention: &Mention, kind: MentionKind, now: Timestamp) {
        // A viewer that gets the server's own playlist because the gateway stops comes back to the next process.
        let is_passed_on = matches!(kind, MentionKind::PassedOn | MentionKind::TakenOver);
        let kind = if self.draining && is_passed_on { MentionKind::Named } else { kind };
        let is_watched = is_watched_by(&self.crowd, &self.streams, BTreeSet::new());
        let changed = self.openings.mentioned(mention, kind, is_watched, now);
        let action = if kind == MentionKind::Stopped { Action::MarkUncertain } else { Action::ForgetOpening };
        self.actions.extend(changed.into_iter().map(action));
    }

    /// A player says something of itself in a request.
    fn say(&mut self, consumer: ConsumerId, signals: &[Signal], now: Timestamp) {
        for &signal in signals {
            self.signal(&Whose::Consumer(consumer), signal, now);
        }
    }
}
