//! Who has opened a channel is expected to ask for a stream of it: its input is opened at once, so that the first segment
//! need not be waited for when the question comes.
//!
//! It does not know whether anybody will ask; for nobody nothing stays open.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tracing::debug;

use crate::domain::consumer::Account;
use crate::domain::key::{Channel, LiveStreamId};
use crate::supervisor::Supervisor;
use crate::supervisor::access::Access;
use crate::supervisor::feeds::Member;
use crate::supervisor::intake::Intake;
use crate::upstream::jellyfin::{Login, Place, RawPath};

/// Longer than any player takes from its opening to its playlist: the slowest wait for the multivariant one in between.
const EXPECTED: Duration = Duration::from_secs(20);

/// A channel that somebody has opened.
#[derive(Debug)]
pub struct Opening {
    /// Where it is found.
    pub place: Place,
    /// Which.
    pub channel: Channel,
    /// What is open.
    pub live_stream: LiveStreamId,
    /// Where its raw stream is shared.
    pub raw: RawPath,
    /// Who opened it.
    pub account: Account,
    /// As whom the gateway may act to keep it open.
    pub login: Login,
}

impl Supervisor {
    /// Somebody has opened a channel, and will want a stream of it that the gateway may make itself.
    pub fn expect(&self, opening: Opening) {
        let shared = &self.shared;
        let Opening { place, channel, live_stream, raw, account, login } = opening;
        if shared.pool().has_channel(&channel) || shared.feeds.has(&channel) {
            return;
        }
        let user = place.user.clone();
        let access = Arc::new(Access::new(place, channel.source.clone(), live_stream));
        access.remember(account, login, user);
        debug!(item = %channel.item, "somebody is expected");
        let intake = |replaces| {
            let nothing_to_free = std::future::ready(false);
            Intake::tap(
                shared.caller(&access),
                Some(raw),
                replaces,
                shared.feed_limits,
                nothing_to_free,
                &shared.generations,
            )
        };
        shared.feeds.join(&channel, Member::Expected, intake);
        let shared = Arc::clone(shared);
        shared.generations.clone().spawn(async move {
            tokio::select! {
                () = sleep(EXPECTED) => {}
                () = shared.ended.cancelled() => {}
            }
            shared.feeds.leave(&channel, Member::Expected).await;
        });
    }
}
