//! Opens the input of a channel that a viewer has just opened, so that the first segment is there when the viewer asks.
//!
//! It does not know whether the viewer will ask; the pool closes the input if nobody does.

use std::sync::Arc;

use super::Inputs;
use crate::supervisor::held::access::Access;
use crate::supervisor::inputs::open_input::Brief;
use crate::upstream::jellyfin::{Login, Place, RawPath};
use domain::key::{Channel, LiveStreamId};
use domain::viewer::Account;

/// A channel that a viewer has opened.
#[derive(Debug)]
pub struct OpenedChannel {
    /// Where it is found.
    pub place: Place,
    /// The channel.
    pub channel: Channel,
    /// The live stream that is open.
    pub live_stream: LiveStreamId,
    /// Where its raw stream is shared, if it is.
    pub raw: Option<RawPath>,
    /// Who opened it.
    pub account: Account,
    /// As whom the gateway may act to keep it open.
    pub login: Login,
}

impl Inputs {
    /// A viewer will want a stream of this channel that the gateway may make itself.
    pub(in crate::supervisor) fn prefetch(&self, opened: OpenedChannel) {
        let OpenedChannel { place, channel, live_stream, raw, account, login } = opened;
        let user = place.user.clone();
        let tap = raw.is_some().then_some(&channel);
        let access = Arc::new(Access::new(place, channel.source.clone(), live_stream));
        access.remember(account, login.clone(), user.clone());
        let brief = || Brief::tap(self.callers.about(&access), raw, std::future::ready(false));
        let joined = self.joined(&channel.source, tap, brief, |pool, wanted| {
            pool.prefetch(&channel, account, wanted, self.handle.now())
        });
        if let Some(access) = joined.as_ref().and_then(|input| input.access()) {
            access.introduce(account, &login, user.as_deref());
        }
    }
}
