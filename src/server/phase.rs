//! How far a hand-over to another process of the gateway is: which of both accepts connections and answers.
//!
//! ```text
//! Serving ──► HandingOver ──► HandedOver
//!    ▲             │
//!    └─────────────┘ the other has come to nothing
//! ```
//!
//! It does not know what is handed over.

use std::future::pending;

use tokio::sync::watch;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// This process accepts and answers.
    Serving,
    /// Neither accepts, and what concerns the state that is being handed over waits.
    HandingOver,
    /// The other process accepts. Connections that are open end here, each with its next answer.
    HandedOver,
}

/// Tells the phase, and when it changes.
#[derive(Clone, Debug)]
pub struct Phases(watch::Receiver<Phase>);

impl Default for Phases {
    /// There is no hand-over.
    fn default() -> Self {
        Self(watch::channel(Phase::Serving).1)
    }
}

impl From<&watch::Sender<Phase>> for Phases {
    fn from(phases: &watch::Sender<Phase>) -> Self {
        Self(phases.subscribe())
    }
}

impl Phases {
    /// The phase at this moment.
    #[must_use]
    pub fn now(&self) -> Phase {
        *self.0.borrow()
    }

    /// Waits until a hand-over begins.
    pub async fn begins(&self) {
        self.wait_for(|phase| phase != Phase::Serving).await;
    }

    /// Waits until the hand-over that is under way has ended, if one is. Returns whether the other process serves from now on.
    pub async fn is_handed_over(&self) -> bool {
        self.wait_for(|phase| phase != Phase::HandingOver).await == Phase::HandedOver
    }

    /// Waits until the other process serves.
    pub async fn handed_over(&self) {
        self.wait_for(|phase| phase == Phase::HandedOver).await;
    }

    async fn wait_for(&self, is_it: impl Fn(Phase) -> bool) -> Phase {
        // Each request asks, and mostly no hand-over is under way.
        let now = self.now();
        if is_it(now) {
            return now;
        }
        let mut phases = self.0.clone();
        let reached = phases.wait_for(|phase| is_it(*phase)).await.map(|phase| *phase);
        match reached {
            Ok(phase) => phase,
            // Nobody will begin a hand-over any more.
            Err(_) => pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn who_waits_for_the_end_of_a_hand_over_learns_how_it_ended() {
        let sender = watch::Sender::new(Phase::Serving);
        let phases = Phases::from(&sender);
        assert_eq!(phases.is_handed_over().now_or_never(), Some(false));
        sender.send_replace(Phase::HandingOver);
        assert_eq!(phases.is_handed_over().now_or_never(), None);
        sender.send_replace(Phase::Serving);
        assert_eq!(phases.is_handed_over().now_or_never(), Some(false));
        sender.send_replace(Phase::HandedOver);
        assert_eq!(phases.is_handed_over().now_or_never(), Some(true));
        assert_eq!(phases.handed_over().now_or_never(), Some(()));
        assert_eq!(Phases::default().begins().now_or_never(), None);
    }
}
