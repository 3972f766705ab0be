//! Opens the input of a channel that a viewer has just opened, so that the first segment exists when the viewer requests it.
//!
//! It does not know whether the viewer will request a stream; the pool closes the input if no viewer does.

use std::sync::Arc;

use super::Inputs;
use crate::supervisor::held::access::Access;
use crate::supervisor::inputs::open_input::InputSpec;
use crate::upstream::jellyfin::{Login, Place, RawPath};
use domain::key::{Channel, LiveStreamId};
use domain::viewer::Account;

/// A channel that a viewer has opened.
#[derive(Debug)]
pub struct OpenedChannel {
    /// The channel's address at the server.
    pub place: Place,
    /// The channel.
    pub channel: Channel,
    /// The live stream that the viewer opened.
    pub live_stream: LiveStreamId,
    /// The path of the raw stream, if the server shares it.
    pub raw: Option<RawPath>,
    /// The viewer's account.
    pub account: Account,
    /// The credential with which the gateway may keep the channel open.
    pub login: Login,
}

impl Inputs {
    /// Opens the input of a channel that a viewer has opened and will request a stream of.
    pub(in crate::supervisor) fn prefetch(&self, opened: OpenedChannel) {
        let OpenedChannel { place, channel, live_stream, raw, account, login } = opened;
        let user = place.user.clone();
        let tap = raw.is_some().then_some(&channel);
        let access = Arc::new(Access::new(place, channel.source.clone(), live_stream));
        access.remember(account, login.clone(), user.clone());
        let spec = || InputSpec::tap(self.callers.about(&access), raw, std::future::ready(false));
        let joined = self.joined(&channel.source, tap, spec, |pool, wanted| {
            pool.prefetch(&channel, account, wanted, self.handle.now())
        });
        if let Some(access) = joined.as_ref().and_then(|input| input.access()) {
            access.remember_if_new(account, &login, user.as_deref());
        }
    }
}
