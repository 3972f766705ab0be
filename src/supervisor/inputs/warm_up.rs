//! Opens the input of a channel for a viewer who may come.
//!
//! Whether that costs anybody anything, the pool decides.

use std::sync::Arc;

use super::Inputs;
use crate::supervisor::held::access::Access;
use crate::supervisor::inputs::open_input::InputSpec;
use crate::upstream::jellyfin::Place;
use domain::key::{Channel, LiveStreamId};
use domain::pool::Expecter;
use domain::reason::WarmUpRefusal;

impl Inputs {
    /// Opens the input of a channel: the provider's if possible, else the raw stream that the server shares, with the gateway's own
    /// credential.
    ///
    /// # Errors
    /// The pool refuses it.
    pub(in crate::supervisor) fn warm_up(
        &self,
        place: Place,
        channel: &Channel,
        by: Expecter,
    ) -> Result<(), WarmUpRefusal> {
        let live_stream = LiveStreamId::of_built_in(&channel.source);
        let access = Arc::new(Access::new(place, channel.source.clone(), live_stream));
        let spec = || InputSpec::tap(self.callers.about(&access), None, std::future::ready(false));
        let mut refused = None;
        let tap = self.callers.gateway_login.is_some().then_some(channel);
        let joined = self.joined(&channel.source, tap, spec, |pool, wanted| {
            pool.warm_up(channel, wanted, by, self.handle.now())
                .map_err(|refusal| refused = Some(refusal))
                .ok()
        });
        match joined {
            Some(_) => Ok(()),
            None => Err(refused.unwrap_or(WarmUpRefusal::Closing)),
        }
    }
}
