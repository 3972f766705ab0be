//! Who has opened a channel is expected to ask for a stream of it: its input is opened at once, so that the first segment
//! need not be waited for when the question comes.
//!
//! It does not know whether anybody will ask; for nobody nothing stays open.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tracing::debug;

use crate::supervisor::Supervisor;
use crate::supervisor::access::Access;
use crate::supervisor::feeds::{Member, Source};
use crate::supervisor::intake::Intake;
use crate::upstream::jellyfin::{Login, Place, RawPath};
use domain::key::{Channel, LiveStreamId};
use domain::viewer::Account;

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
    /// Where its raw stream is shared, if it is.
    pub raw: Option<RawPath>,
    /// Who opened it.
    pub account: Account,
    /// As whom the gateway may act to keep it open.
    pub login: Login,
}

impl Supervisor {
    /// Somebody has opened a channel, and will want a stream of it that the gateway may make itself.
    pub fn expect(&self, opening: Opening) {
        let shared = &self.shared;
        if shared.draining.is_cancelled() {
            return;
        }
        {
            let (pool, channel) = (shared.pool(), &opening.channel);
            if pool.has_channel(channel) || pool.has_failed_attempt(channel, opening.account, shared.now()) {
                return;
            }
        }
        let item = opening.channel.item.clone();
        let somebody = shared.feeds.somebody();
        let provided = shared.provided(&opening.channel.source, somebody).map(|(source, _)| source);
        let Some(source) = provided.or_else(|| self.tapped(opening, somebody)) else { return };
        debug!(%item, ?source, "somebody is expected");
        shared.bell.notify_one();
        let shared = Arc::clone(shared);
        shared.generations.clone().spawn(async move {
            let leaving = async {
                tokio::select! {
                    () = sleep(EXPECTED) => {}
                    () = shared.draining.cancelled() => {}
                }
                shared.feeds.leave(&source, somebody).await;
            };
            // What is closed may take its time.
            tokio::join!(shared.feeds.bound_expected(shared.expected), leaving);
        });
    }

    /// Taps what the server shares, or joins who has tapped it already.
    fn tapped(&self, opening: Opening, somebody: Member) -> Option<Source> {
        let shared = &self.shared;
        let Opening { place, channel, live_stream, raw, account, login } = opening;
        let raw = raw?;
        let source = Source::Tap(channel.clone());
        let user = place.user.clone();
        let access = Arc::new(Access::new(place, channel.source, live_stream));
        access.remember(account, login.clone(), user.clone());
        let (limits, tasks) = (shared.feed_limits, &shared.generations);
        let Ok(intake) = shared.feeds.join(&source, somebody, |replaces| {
            let nothing_to_free = std::future::ready(false);
            let caller = shared.caller(&access);
            Ok::<_, Infallible>(Intake::tap(caller, Some(raw), replaces, limits, nothing_to_free, tasks))
        });
        if let Some(access) = intake.access() {
            access.introduce(account, &login, user.as_deref());
        }
        Some(source)
    }
}
