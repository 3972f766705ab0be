//! What is simulated: anything that shows viewers their channels.

use crate::simulate::zapping::ledger::Ledger;

/// A gateway. It notes in the ledger whatever it does.
pub(super) trait Gateway {
    /// A viewer asks for a channel, and has left the one before.
    fn tuned(&mut self, viewer: u32, channel: u32, now: u64, ledger: &mut Ledger);

    /// The gateway notices that a viewer has switched off.
    fn left(&mut self, viewer: u32, now: u64, ledger: &mut Ledger);

    /// When it wants to be woken up; later than the moment at which it was last called.
    fn next_deadline(&self) -> Option<u64>;

    /// That moment has come.
    fn wake(&mut self, now: u64, ledger: &mut Ledger);
}
