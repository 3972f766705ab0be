//! Decides how the list for the sender of a request is made and where it begins, from the operator's choice and the request's player.
//!
//! It does not know what the lists look like.

use std::time::Duration;

use http::header::USER_AGENT;
use http::{HeaderName, Request};

use crate::body::Body;
use crate::proxy::gateway::Gateway;
use crate::proxy::playbacks::Tuning;
use crate::supervisor::tune_request::TuneRequest;
use domain::clients::ClientSettings;
use domain::window::{Listing, ListingChoice, StartChoice};

/// What a browser will use the answer for (W3C Fetch Metadata).
const FETCH_DESTINATION: HeaderName = HeaderName::from_static("sec-fetch-dest");

impl Gateway {
    /// How the list for the sender of a request is made.
    pub(super) fn listing(&self, settings: ClientSettings, request: &Request<Body>) -> Listing {
        match settings.cut.unwrap_or(self.choices().cut) {
            ListingChoice::Always(listing) => listing,
            ListingChoice::Auto => {
                let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
                let is_media = matches!(text(FETCH_DESTINATION), Some("video" | "audio"));
                Listing::of_player(text(USER_AGENT).unwrap_or_default(), is_media)
            }
        }
    }

    /// When what the viewer wants to see began, since 1970; `None` for who begins near live, has a list already, or asks for a stream
    /// that does not run: that has nothing older.
    pub(super) async fn wants_since(
        &self,
        tuning: &Tuning,
        prefix: &str,
        wish: &TuneRequest,
    ) -> Option<Duration> {
        let TuneRequest { key, viewer, produce, login, .. } = wish;
        match tuning.decided.start {
            StartChoice::Programme if !tuning.is_new => None,
            StartChoice::Join => None,
            StartChoice::Programme if !self.supervisor.runs(key, *produce) => None,
            StartChoice::Programme if self.supervisor.is_playing(viewer, &key.channel) => None,
            StartChoice::Programme => {
                self.programmes.began(prefix, &key.channel.item, viewer.account, login).await
            }
        }
    }
}
