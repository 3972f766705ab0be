//! Decides how the list for the sender of a request is made, from the operator's choice and the request's player.
//!
//! It does not know what the lists look like.

use http::header::USER_AGENT;
use http::{HeaderName, Request};

use crate::body::Body;
use crate::proxy::credential::Credential;
use crate::proxy::gateway::Gateway;
use crate::upstream::jellyfin::Me;
use domain::window::{Listing, ListingChoice};

/// What a browser will use the answer for (W3C Fetch Metadata).
const FETCH_DESTINATION: HeaderName = HeaderName::from_static("sec-fetch-dest");

impl Gateway {
    /// How the list for the sender of a request is made.
    pub(super) fn listing(&self, me: &Me, credential: &Credential, request: &Request<Body>) -> Listing {
        match self.settings_of(Some(me), credential.device(), request).cut.unwrap_or(self.cut) {
            ListingChoice::Always(listing) => listing,
            ListingChoice::Auto => {
                let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
                let is_media = matches!(text(FETCH_DESTINATION), Some("video" | "audio"));
                Listing::of_player(text(USER_AGENT).unwrap_or_default(), is_media)
            }
        }
    }
}
