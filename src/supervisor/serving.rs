//! Serves viewers: grants them streams, and gives them lists and segments.
//!
//! It does not know how a request is spelled, nor how streams are made.

use std::sync::Arc;

use crate::supervisor::Supervisor;
use crate::supervisor::answering::Answering;
use crate::supervisor::handle::random;
use crate::supervisor::stream::{Playlist, Stream, StreamSpec};
use crate::supervisor::tune_request::{Lease, TuneRequest};
use crate::upstream::jellyfin::Recipe;
use domain::key::{ConsumerId, StreamId};
use domain::openings::Mention;
use domain::pool::{Admission, PlaylistHints, SegmentRequest, Tune};
use domain::reason::RefuseReason;
use domain::window::{JoinPoint, Listing};

impl Supervisor {
    /// Grants a viewer the stream of a playlist request; an error says why the request is to be forwarded. `mention` is the opening
    /// that the request names; `recipe` is called if the stream is new. Waits only where the request may be a straggler: then its
    /// client has gone by the end of the wait.
    pub async fn tune(
        &self,
        request: &TuneRequest,
        mention: &Mention,
        recipe: impl FnOnce() -> Recipe,
    ) -> Result<Lease, RefuseReason> {
        let TuneRequest { key, viewer, demand, login, user, .. } = request;
        let &TuneRequest { token, class, listing, since, longest, produce, conditions, .. } = request;
        let account = viewer.account;
        self.handle.until_no_straggler(viewer).await;
        let player = self.remembering.player(user.as_deref(), viewer.device.as_ref());
        let (lease, input) = self.handle.ask(|pool, now| {
            let token = token.filter(|token| !pool.is_token(*token));
            let fresh = token.unwrap_or_else(|| ConsumerId::from_bits(random()));
            let (key, viewer) = (key.clone(), viewer.clone());
            let tune = Tune { key, viewer, player, class, produce, conditions, fresh };
            match pool.playlist_requested(tune, mention, now) {
                Admission::Refused(reason) => Err(reason),
                Admission::Serve { stream: id, consumer, warmth } => {
                    user.iter().for_each(|user| pool.account_is_of(account, user));
                    let has_opening = pool.has_opening(mention);
                    let spec =
                        || StreamSpec { recipe: recipe(), demand: demand.clone(), produce, has_opening };
                    let stream = self.streams.get_or_insert(id, spec);
                    // Under the pool's lock, which the driver needs to start the stream: its first call takes this credential.
                    stream.access.remember(account, login.clone(), user.clone());
                    let answering = Answering::new(&self.handle, consumer);
                    let list = pool.list_of(consumer);
                    let (has_list, listing) = (list.is_some(), list.map_or(listing, |list| list.listing));
                    let waits_since = self.handle.instant(pool.waits_since(consumer).unwrap_or(now));
                    let lease = Lease {
                        id,
                        stream,
                        consumer,
                        warmth,
                        waits_since,
                        has_list,
                        listing,
                        since,
                        longest,
                        answering,
                    };
                    Ok((lease, pool.input_of(id)))
                }
            }
        })?;
        if let Some(input) = input {
            self.inputs.add_login(input, account, login, user.as_deref());
        }
        self.callers.leftovers.offer(account, login, user.as_deref());
        self.tuners.introduce(account, &lease.stream.recipe.place.prefix, login);
        Ok(lease)
    }

    /// The playlist of a consumer; `None` before the first segment. `blocking` says whether it offers blocking reload.
    #[must_use]
    pub fn playlist(&self, lease: Lease, hints: &PlaylistHints<'_>, blocking: bool) -> Option<Playlist> {
        let Lease { stream, consumer, has_list, listing, since, longest, answering, .. } = lease;
        let joins = || Some(JoinPoint { longest, ..stream.join_point(listing, since)? });
        let join_point = if has_list { None } else { joins() };
        answering.reported();
        let start = self.handle.ask(|pool, now| pool.playlist_answered(consumer, join_point, hints, now));
        // A consumer that has been forgotten meanwhile begins anew.
        let start = start.or_else(joins)?;
        stream.playlist(start, blocking)
    }

    /// Tells the pool that a consumer has requested a segment. Returns the stream with its name, and how the list is made that names
    /// the segment; `None` if the stream is gone.
    #[must_use]
    pub fn segment_requested(
        &self,
        consumer: ConsumerId,
        request: &SegmentRequest<'_>,
    ) -> Option<((StreamId, Arc<Stream>), Listing, Answering)> {
        let (id, listing) = self.handle.ask(|pool, now| pool.request_segment(consumer, request, now))?;
        let answering = Answering::new(&self.handle, consumer);
        match self.streams.get(id) {
            Some(stream) => Some(((id, stream), listing, answering)),
            None => {
                answering.sent();
                None
            }
        }
    }
}
