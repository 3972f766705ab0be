//! What a rule for warm channels decides.

use crate::simulate::zapping::slots::Slots;

/// What is to be done with a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// It is stopped.
    Stop(u32),
    /// It is started ahead of this viewer.
    Start { channel: u32, ahead_of: u32 },
}

/// A rule. It is told what the gateway knows, and no more.
pub(super) trait Rules {
    /// A viewer has tuned to a channel, which it has left any other one for.
    fn tuned(&mut self, _viewer: u32, _channel: u32, _now: u64) {}

    /// A viewer has switched off.
    fn left(&mut self, _viewer: u32, _now: u64) {}

    /// A channel was ready so many milliseconds after its start.
    fn started(&mut self, _channel: u32, _took: u64) {}

    /// Which of the idle channels makes room for one that a viewer asks for.
    fn victim(&mut self, slots: &Slots, now: u64) -> Option<u32>;

    /// What is to be done. `zapped` is the viewer who has just tuned.
    fn orders(&mut self, slots: &Slots, zapped: Option<u32>, now: u64) -> Vec<Order>;

    /// When `orders` is to be asked again, if nothing happens before.
    fn deadline(&self, _slots: &Slots, _now: u64) -> Option<u64> {
        None
    }
}
