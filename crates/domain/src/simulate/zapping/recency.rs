//! The order in which idle channels were left.

use crate::simulate::zapping::slots::Slots;

/// The idle channel that was left longest ago, of those that suit.
pub(super) fn left_longest_ago(slots: &Slots, suits: impl Fn(u32) -> bool) -> Option<u32> {
    let idle = slots.idle().filter(|&(channel, _)| suits(channel));
    idle.min_by_key(|(_, slot)| slot.left_at).map(|(channel, _)| channel)
}
