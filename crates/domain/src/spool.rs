//! Shares the disk space of the spool: which extents leave the lists so that there is room for new ones.
//!
//! An extent is a stretch of one stream on disk. The oldest goes first, whichever stream it is of, so all streams reach back equally
//! far. What has left the lists stays on disk for a while, so room is made ahead. The module does no IO and holds no content.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Timestamp;

/// How long an extent stays on disk after it has left the lists, at most: players may still fetch what they have read of.
const LINGERS: Duration = Duration::from_secs(90);
/// The largest extent, in bytes.
const LARGEST: u64 = 64 << 20;
/// The smallest.
const SMALLEST: u64 = 1 << 20;
/// A small budget consists of so many extents.
const EXTENTS: u64 = 64;

/// The disk space, and who takes it.
#[derive(Clone, Debug)]
pub struct Budget {
    extent: u64,
    most: usize,
    /// The extents on disk, the oldest first, and since when no list may name what they hold.
    extents: VecDeque<(ExtentId, Option<Timestamp>)>,
    /// When extents were begun, lately.
    begun: VecDeque<Timestamp>,
    next: ExtentId,
}

/// The number of an extent; later ones have higher numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtentId(pub u64);

/// What is to happen so that an extent can be begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// The new extent; `None` if the disk has no room, and the spool holds nothing that could make some.
    pub extent: Option<ExtentId>,
    /// The extents that are to leave the lists, the oldest first.
    pub unlist: Vec<ExtentId>,
    /// The extents whose space is to be free now, whoever may still want what they hold.
    pub reclaim: Vec<ExtentId>,
}

impl Budget {
    /// A budget of this many bytes.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let extent = (bytes / EXTENTS).clamp(SMALLEST, LARGEST);
        let most = usize::try_from(bytes / extent).unwrap_or(usize::MAX).max(1);
        Self { extent, most, extents: VecDeque::new(), begun: VecDeque::new(), next: ExtentId(0) }
    }

    /// The size of an extent, in bytes.
    #[must_use]
    pub const fn extent(&self) -> u64 {
        self.extent
    }

    /// Makes room for an extent, and for as many as are likely to be begun before what leaves the lists now is gone. `is_scarce` says
    /// that others need the disk: then the oldest extent goes for the new one.
    pub fn begin(&mut self, is_scarce: bool, now: Timestamp) -> Room {
        while self.begun.pop_front_if(|begun| now.since(*begun) > LINGERS).is_some() {}
        let is_over = |left: &Option<Timestamp>| left.is_some_and(|left| now.since(left) > LINGERS);
        let mut reclaim: Vec<_> =
            self.extents.iter().filter(|(_, left)| is_over(left)).map(|(id, _)| *id).collect();
        self.extents.retain(|(_, left)| !is_over(left));
        let ahead = (self.begun.len() + 1).min(self.most / 2);
        let listed = self.extents.iter().filter(|(_, left)| left.is_none()).count();
        let surplus = (listed + 1).saturating_sub(self.most - ahead);
        let oldest = self.extents.iter_mut().filter(|(_, left)| left.is_none()).take(surplus);
        let unlist = oldest.map(|(id, left)| {
            *left = Some(now);
            *id
        });
        let mut unlist: Vec<_> = unlist.collect();
        if (is_scarce || self.extents.len() >= self.most)
            && let Some((id, left)) = self.extents.pop_front()
        {
            unlist.extend(left.is_none().then_some(id));
            reclaim.push(id);
        } else if is_scarce {
            return Room { extent: None, unlist, reclaim };
        }
        let id = self.next;
        self.next = ExtentId(id.0 + 1);
        self.extents.push_back((id, None));
        self.begun.push_back(now);
        Room { extent: Some(id), unlist, reclaim }
    }

    /// An extent is on disk that another process has begun. Those that are adopted first are the oldest.
    pub fn adopt(&mut self) -> ExtentId {
        let id = self.next;
        self.next = ExtentId(id.0 + 1);
        self.extents.push_back((id, None));
        id
    }

    /// An extent is gone from the disk.
    pub fn ended(&mut self, extent: ExtentId) {
        self.extents.retain(|(id, _)| *id != extent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn the_oldest_leave_the_lists_before_their_room_is_needed() {
        let mut budget = Budget::new(8 << 30);
        assert_eq!((budget.extent(), budget.most), (64 << 20, 128));
        let (mut on_disk, mut most, mut leaving) = (0, 0, VecDeque::new());
        // Eight streams of 8 Mbit/s: an extent each 67 s, each of them.
        for step in 0..2000_u64 {
            let now = at(step * 67 / 8);
            while leaving.front().is_some_and(|(_, gone)| *gone <= now) {
                let (id, _) = leaving.pop_front().unwrap();
                budget.ended(id);
                on_disk -= 1;
            }
            let room = budget.begin(false, now);
            assert!(room.reclaim.is_empty(), "what has left the lists goes by itself");
            assert_eq!(room.extent, Some(ExtentId(step)), "there is always room");
            leaving.extend(room.unlist.into_iter().map(|id| (id, now + Duration::from_secs(80))));
            on_disk += 1;
            most = most.max(on_disk);
        }
        assert!((110..=128).contains(&most), "{most}");
    }

    #[test]
    fn what_does_not_go_by_itself_is_reclaimed() {
        let mut budget = Budget::new(4 << 20);
        let begun: Vec<_> = (0..4).map(|_| budget.begin(false, at(0)).extent.unwrap()).collect();
        let room = budget.begin(false, at(1));
        assert_eq!((room.extent, room.reclaim), (Some(ExtentId(4)), vec![begun[0]]));
        let room = budget.begin(false, at(200));
        assert!(room.reclaim.contains(&begun[1]), "it left the lists long ago: {room:?}");
        assert!(budget.extents.len() <= budget.most);
    }

    #[test]
    fn a_disk_that_others_need_is_not_filled() {
        let mut budget = Budget::new(1 << 30);
        assert_eq!(budget.begin(true, at(0)).extent, None);
        let first = budget.begin(false, at(1)).extent.unwrap();
        let room = budget.begin(true, at(2));
        assert_eq!((room.unlist, room.reclaim, budget.extents.len()), (vec![first], vec![first], 1));
    }
}
