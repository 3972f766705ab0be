//! Lets requests wait for a stream: for its first segments, and for one that its lists have yet to reach.
//!
//! It does not know who waits.

use tokio::time::timeout;

use super::{Readiness, Stream};
use domain::producer::State;
use domain::reload;
use domain::window::Listing;

impl Stream {
    /// Waits until the stream has segments for a viewer, has failed, or is retiring. A viewer that `has_list` goes on with the
    /// segments that are listed; another joins only a stream that goes on.
    pub async fn ready(&self, listing: Listing, has_list: bool) -> Readiness {
        let readiness = self.first_readiness(listing, has_list).await;
        if has_list || readiness != Readiness::Ready {
            return readiness;
        }
        let Some(hold) = self.hold(listing) else { return readiness };
        let mut grown = self.grown.subscribe();
        let _ = timeout(hold, grown.changed()).await;
        self.first_readiness(listing, has_list).await
    }

    async fn first_readiness(&self, listing: Listing, has_list: bool) -> Readiness {
        let (mut state, mut grown) = (self.state.subscribe(), self.grown.subscribe());
        loop {
            grown.mark_unchanged();
            let current = *state.borrow_and_update();
            if let Some(readiness) = self.readiness(current, listing, has_list) {
                return readiness;
            }
            // The senders live as long as this stream.
            tokio::select! {
                _ = state.changed() => {}
                _ = grown.changed() => {}
            }
        }
    }

    /// The outcome for a request that waits while the producer is in `state`; `None` if the request waits on.
    fn readiness(&self, state: Option<State>, listing: Listing, has_list: bool) -> Option<Readiness> {
        match state {
            Some(State::Starting | State::Live | State::BackingOff { .. }) if has_list => {
                Some(Readiness::Ready)
            }
            // It may have failed already, which is published later.
            Some(State::Live) => self.join_point(listing, None).map(|_| Readiness::Ready),
            Some(State::BackingOff { .. }) => self.is_unborn().then_some(Readiness::Failed),
            Some(State::Starting | State::Resting) => None,
            Some(State::Retiring(_)) | None => Some(Readiness::Retired),
        }
    }

    /// Waits until the lists of this kind have reached a segment. Returns false if the stream ends first, or after [`reload::held`].
    pub async fn reaches(&self, listing: Listing, sequence: u64) -> bool {
        let longest = reload::held(self.target(listing));
        let mut grown = self.grown.subscribe();
        // Not by `wait_for`, which would look at the window while it keeps those from appending who hold the window.
        let reached = async {
            loop {
                grown.mark_unchanged();
                if self.newest(listing) >= sequence || grown.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            reached = timeout(longest, reached) => reached.is_ok(),
            () = self.gone() => false,
        }
    }

    /// Waits until the stream is gone and has closed everything that it had opened.
    async fn gone(&self) {
        let mut state = self.state.subscribe();
        let _ = state.wait_for(Option::is_none).await;
    }
}
