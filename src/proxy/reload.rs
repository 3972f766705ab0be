//! Blocking playlist reload (RFC 8216bis 6.2.5.2, `viewers.blocking_reload`): blocks a playlist request until the segment that it
//! names is in the window.
//!
//! A viewer whose request is blocked counts as present. `domain::reload` decides whether to wait, and for how far ahead.

use http::StatusCode;

use crate::proxy::gateway::Gateway;
use crate::proxy::query::Query;
use crate::supervisor::tune_request::Lease;
use domain::reason::ReloadRefusal;
use domain::reload;
use domain::window::Listing;

impl Gateway {
    /// The segment that a request asks to be blocked for, if it asks and its player is offered to be.
    pub(super) fn awaited_segment(
        &self,
        listing: Listing,
        query: &Query,
    ) -> Result<Option<u64>, ReloadRefusal> {
        if self.choices().blocking_reload.is_offered(listing) {
            reload::wanted(query.get("_HLS_msn"), query.get("_HLS_part"))
        } else {
            Ok(None)
        }
    }

    /// Returns once the awaited segment is in the window, or has been waited for as long as a player is patient. Its request is then
    /// answered with the list as it is, as is one too many: a player that plays is destroyed by a refusal.
    pub(super) async fn block_until(&self, lease: &Lease, awaited: Option<u64>) -> Result<(), ReloadRefusal> {
        let Some(awaited) = awaited else { return Ok(()) };
        match reload::answer(awaited, lease.stream.newest(lease.listing)) {
            reload::Answer::Serve => Ok(()),
            // Its player would take a refusal for the end.
            reload::Answer::Refuse(ReloadRefusal::TooFarAhead) if lease.has_list => Ok(()),
            reload::Answer::Refuse(refusal) => Err(refusal),
            reload::Answer::Wait => {
                if let Some(_permit) = self.blocked_requests.admit(lease.consumer) {
                    lease.stream.reaches(lease.listing, awaited).await;
                }
                Ok(())
            }
        }
    }
}

/// The status of a refusal (RFC 8216bis 6.2.5.2), and why, as [`Gateway::refusal`] takes it.
pub(super) const fn refusal(refusal: ReloadRefusal) -> (StatusCode, (Option<&'static str>, &'static str)) {
    match refusal {
        ReloadRefusal::Malformed | ReloadRefusal::PartAlone | ReloadRefusal::TooFarAhead => {
            (StatusCode::BAD_REQUEST, (Some("http_request_error"), refusal.as_str()))
        }
    }
}
