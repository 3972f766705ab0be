//! Decides what applies to a viewer's playback of a channel, when the viewer tunes: by the operator's rules, its request's wishes and its
//! player. What was decided holds for the whole playback, whatever later requests carry.
//!
//! It does not know how a stream is found or served.

use std::sync::Arc;

use http::header::USER_AGENT;
use http::{HeaderMap, Request};

use crate::body::Body;
use crate::proxy::auth::{Asker, Verdict};
use crate::proxy::cmcd::Cmcd;
use crate::proxy::credential::Credential;
use crate::proxy::gateway::Gateway;
use crate::proxy::injected_panics::{self, Step};
use crate::proxy::miss::Miss;
use crate::proxy::playbacks::{Decided, Tuning};
use crate::proxy::query::{self, Query};
use crate::proxy::recipe;
use crate::proxy::route::{Live, prefix};
use crate::supervisor::tune_request::TuneRequest;
use crate::upstream::jellyfin::{Me, Recipe};
use domain::cadence::Class;
use domain::clients::{ClientSettings, TuneConditions, wishes};
use domain::encoding::demand::Demand;
use domain::key::{Channel, ConsumerId, DeviceId, PlaySessionId, StreamKey};
use domain::profile::{Policy, ProfileChoice, ProfileKey};
use domain::viewer::Viewer;

impl Gateway {
    /// The viewer that asks for a playlist.
    pub(super) fn viewer(
        &self,
        live: &Live,
        request: &Request<Body>,
        credential: &Credential,
        cmcd: &Cmcd,
    ) -> Viewer {
        // A player that sends no device id may be named by a proxy, or send a CMCD session.
        let named = || wishes::viewer(request.headers()).filter(|_| self.is_believed(request));
        let session = || cmcd.session.as_deref().map(DeviceId::new);
        let device = live.device.clone().or_else(|| credential.device().cloned());
        Viewer {
            account: self.account(credential.token()),
            device: device.or_else(named).or_else(session),
            play_session: live.play_session.clone(),
        }
    }

    /// What applies to a viewer that asks for a playlist of this channel: what was decided when it tuned, or else what its request, and
    /// the rules for it, now say.
    pub(super) fn tuning(
        &self,
        (viewer, channel): (&Viewer, &Channel),
        (me, device): (&Me, Option<&DeviceId>),
        request: &Request<Body>,
    ) -> Tuning {
        let playback = self.hash((viewer, channel));
        // Where the playback has no name, it is another once the viewer has left.
        let is_named = viewer.play_session.is_some();
        if let Some(decided) = self.playbacks.get(playback)
            && (is_named || self.supervisor.is_playing(viewer, channel))
        {
            return Tuning { playback, decided, is_new: false, ignored: Vec::new() };
        }
        let wishes = self.wishes(request);
        let settings = self.settings_of(Some(me), device, request).with(wishes.settings);
        // Who may have played before a restart of the gateway plays on.
        let has_begun = |play: &PlaySessionId| self.playbacks.has_begun(self.hash((viewer.account, play)));
        let (mode, max_age) = if viewer.play_session.as_ref().is_none_or(has_begun) {
            (settings.mode, wishes.max_age)
        } else {
            (None, None)
        };
        let settings = ClientSettings { mode, ..settings };
        let decided = Decided {
            produce: self.produce(channel, settings.produce),
            profile: settings.profile(),
            listing: self.listing(settings, request),
            start: settings.start.unwrap_or(self.choices().start),
            longest: settings.window,
            conditions: settings.conditions(max_age),
        };
        Tuning { playback, decided, is_new: true, ignored: wishes.ignored }
    }

    /// Replaces the encoding that a request for a multivariant playlist asks for, if its sender's profile is chosen.
    pub(super) async fn put_profile(&self, asker: &Asker, request: &mut Request<Body>) {
        let wishes = self.wishes(request).settings;
        let is_ruled = self.choices().client_rules.iter().any(|rule| rule.set.profile.is_some());
        if !is_ruled && wishes.profile.is_none() {
            return;
        }
        let me = match self.auth.check(prefix(request.uri()), asker).await {
            Verdict::Allowed(me) => Some(me),
            Verdict::NoLiveTv | Verdict::Denied | Verdict::Unknown => None,
        };
        let settings = self.settings_of(me.as_deref(), asker.credential.device(), request);
        if let Some(profile) = settings.with(wishes).profile() {
            query::replace(request, &in_profile(Query::of(request.uri()), profile));
        }
    }

    /// A viewer has been served: what was decided holds from now on. What it wished of streams to begin with is over.
    pub(super) fn has_tuned(&self, tuning: &Tuning) {
        if tuning.is_new {
            let TuneConditions { linger, priority, .. } = tuning.decided.conditions;
            let conditions = TuneConditions { linger, priority, ..TuneConditions::default() };
            self.playbacks.insert(tuning.playback, Decided { conditions, ..tuning.decided });
        }
    }

    /// Reads the stream that a viewer asks for, and the recipe to start it if it does not run.
    pub(super) fn tune_request<'a>(
        &self,
        live: &'a Live,
        headers: &HeaderMap,
        (viewer, channel, token): (Viewer, Channel, Option<ConsumerId>),
        (credential, me): (&Credential, Arc<Me>),
        decided: &Decided,
    ) -> Result<(TuneRequest, impl Fn() -> Recipe + use<'a>), Miss> {
        let policy =
            Policy { video_transcoding: me.video_transcoding, audio_transcoding: me.audio_transcoding };
        if policy != Policy::UNRESTRICTED && self.supervisor.has_own_credential() {
            return Err(Miss::Restricted);
        }
        let apple = recipe::is_apple(headers);
        let profile = ProfileKey::from_query(live.query.pairs(), apple, policy).map_err(Miss::Unshareable)?;
        if !self.pairings.is_proven(&channel, &live.live_stream) {
            return Err(Miss::Unpaired);
        }
        let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
        let request = TuneRequest {
            key: StreamKey { channel, profile: profile.key.clone() },
            viewer,
            token,
            class: Class::of_user_agent(agent.unwrap_or_default()),
            listing: decided.listing,
            since: None,
            longest: decided.longest,
            produce: decided.produce,
            conditions: decided.conditions,
            demand: Demand::from_query(live.query.pairs(), policy).ok(),
            login: credential.login(),
            user: me.id.clone(),
        };
        let recipe = move || {
            injected_panics::at(Step::Pool);
            recipe::of(live, &profile, apple, &me)
        };
        Ok((request, recipe))
    }
}

/// A query that asks for another encoding.
pub(super) fn in_profile(query: Query, profile: ProfileChoice) -> Query {
    let of_client: Vec<_> = query.pairs().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    // A limit of the client's that is lower stays.
    let strictest = |&(name, value): &(&'static str, &'static str)| {
        let theirs = of_client.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let lowest = theirs.filter_map(|(_, value)| value.parse::<u32>().ok()).min();
        let is_lower = |&lowest: &u32| value.parse().is_ok_and(|limit: u32| lowest < limit);
        (name, lowest.filter(is_lower).map_or_else(|| value.to_owned(), |lowest| lowest.to_string()))
    };
    let params: Vec<_> = profile.params().iter().map(strictest).collect();
    let params: Vec<_> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
    query.without_those(|name| profile.replaces(name)).with(&params)
}
