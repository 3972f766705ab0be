//! Reads what a viewer wants from its request for a playlist: which stream, under which conditions, and whether it may have it at all.
//!
//! It does not know how a stream is found or served.

use http::{Request, StatusCode};

use crate::body::Body;
use crate::proxy::auth::{Asker, Verdict};
use crate::proxy::gateway::Gateway;
use crate::proxy::injected_panics::{self, Step};
use crate::proxy::miss::Miss;
use crate::proxy::playbacks::Tuning;
use crate::proxy::query;
use crate::proxy::route::Live;
use crate::proxy::{reload, tuning};
use crate::supervisor::tune_request::TuneRequest;
use crate::upstream::jellyfin::Recipe;
use domain::key::{Channel, ConsumerId};
use domain::viewer::Viewer;

/// A refusal of the gateway's: the status, and why, as [`Gateway::refusal`] takes it.
pub(super) type Refusal = (StatusCode, (Option<&'static str>, &'static str));

/// The answer to a user without access to live TV.
pub(super) const NO_RIGHT: Refusal = (StatusCode::FORBIDDEN, (Some("http_request_denied"), "no-live-tv"));

/// The answer to a viewer that wants nothing to be started.
pub(super) const fn no_answer(miss: Miss) -> Refusal {
    (StatusCode::GATEWAY_TIMEOUT, (None, miss.as_str()))
}

/// What a viewer wants that may be served.
pub(super) struct Wanted<R> {
    /// The stream, for whom.
    pub(super) wish: TuneRequest,
    /// Makes the recipe to start its stream by.
    pub(super) recipe: R,
    /// What applies to the viewer.
    pub(super) tuning: Tuning,
    /// The segment that the request is to be blocked for.
    pub(super) awaited: Option<u64>,
}

/// The reason why a playlist request is not served.
pub(super) enum Unserved {
    /// The server answers it.
    Miss(Miss),
    /// The gateway refuses it.
    Refusal(Refusal),
}

impl Gateway {
    /// Reads what the viewer that `asker` speaks for wants. Where its profile is chosen for it, the request is rewritten, and what it asks for
    /// then is put into `in_profile`.
    pub(super) async fn wanted<'a>(
        &self,
        live: &'a Live,
        (token, asker, viewer): (Option<ConsumerId>, Option<&Asker>, Option<Viewer>),
        request: &mut Request<Body>,
        in_profile: &'a mut Option<Live>,
    ) -> Result<Wanted<impl Fn() -> Recipe + use<'a>>, Unserved> {
        injected_panics::at(Step::Tuning);
        let (Some(asker), Some(viewer)) = (asker, viewer) else { return Err(Unserved::Miss(Miss::NoToken)) };
        let channel = Channel { item: live.item.clone(), source: live.source.clone() };
        let credential = &asker.credential;
        let me = match self.verdict(&live.prefix, asker, (&viewer, &channel)).await {
            Verdict::NoLiveTv => return Err(Unserved::Refusal(NO_RIGHT)),
            Verdict::Denied => return Err(Unserved::Miss(Miss::Denied)),
            Verdict::Unknown => return Err(Unserved::Miss(Miss::AuthUnknown)),
            Verdict::Allowed(me) => me,
        };
        let tuning = self.tuning((&viewer, &channel), (&me, credential.device()), request);
        if let Some((id, name)) = me.id.as_ref().zip(me.name.as_ref()).filter(|_| tuning.is_new) {
            self.supervisor.names().user_is(id, name);
        }
        let live = match tuning.decided.profile {
            Some(profile) => {
                let query = tuning::in_profile(live.query.clone(), profile);
                query::replace(request, &query);
                &*in_profile.insert(Live { query, ..live.clone() })
            }
            None => live,
        };
        let wanted = self.tune_request(
            live,
            request.headers(),
            (viewer, channel, token),
            (credential, me),
            &tuning.decided,
        );
        let mode = tuning.decided.conditions.mode;
        let (mut wish, recipe) = wanted.map_err(|miss| {
            if miss.is_final(mode) {
                return Unserved::Refusal(no_answer(miss));
            }
            // Who plays the server's stream goes on with it, whatever it wishes later.
            self.has_tuned(&tuning);
            Unserved::Miss(miss)
        })?;
        wish.since = self.wants_since(&tuning, &live.prefix, &wish).await;
        let awaited = self.awaited_segment(wish.listing, &live.query);
        let awaited = awaited.map_err(|refusal| Unserved::Refusal(reload::refusal(refusal)))?;
        Ok(Wanted { wish, recipe, tuning, awaited })
    }

    /// The verdict on a viewer. While the server cannot be asked about a viewer that plays here, its last verdict on that
    /// viewer's credential holds, from whichever address the viewer came then.
    async fn verdict(&self, prefix: &str, asker: &Asker, (viewer, channel): (&Viewer, &Channel)) -> Verdict {
        match self.auth.check(prefix, asker).await {
            Verdict::Unknown if self.supervisor.is_playing(viewer, channel) => {
                self.auth.last_let_in(&asker.credential).map_or(Verdict::Unknown, Verdict::Allowed)
            }
            verdict => verdict,
        }
    }
}
