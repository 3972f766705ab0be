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
    /// The extents on disk, the oldest first, and whether lists may name what they hold.
    extents: VecDeque<(ExtentId, bool)>,
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
    /// The new extent; `None` if all room is taken by what is about to go.
    pub extent: Option<ExtentId>,
    /// The extents that are to leave the lists, the oldest first.
    pub unlist: Vec<ExtentId>,
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

    /// Makes room for an extent, and for as many as are likely to be begun before what leaves the lists now is gone.
    pub fn begin(&mut self, now: Timestamp) -> Room {
        self.begun.push_back(now);
        while self.begun.pop_front_if(|begun| now.since(*begun) > LINGERS).is_some() {}
        let ahead = self.begun.len().min(self.most / 2);
        let listed = self.extents.iter().filter(|(_, is_listed)| *is_listed).count();
        let surplus = (listed + 1).saturating_sub(self.most - ahead);
        let oldest = self.extents.iter_mut().filter(|(_, is_listed)| *is_listed).take(surplus);
        let unlist = oldest.map(|(id, is_listed)| {
            *is_listed = false;
            *id
        });
        let unlist = unlist.collect();
        let extent = (self.extents.len() < self.most).then(|| {
            let id = self.next;
            self.next = ExtentId(id.0 + 1);
            self.extents.push_back((id, true));
            id
        });
        Room { extent, unlist }
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
            let room = budget.begin(now);
            assert_eq!(room.extent, Some(ExtentId(step)), "there is always room");
            leaving.extend(room.unlist.into_iter().map(|id| (id, now + Duration::from_secs(80))));
            on_disk += 1;
            most = most.max(on_disk);
        }
        assert!((110..=128).contains(&most), "{most}");
    }

    #[test]
    fn nothing_is_begun_while_there_is_no_room() {
        let mut budget = Budget::new(4 << 20);
        let begun: Vec<_> = (0..4).map(|_| budget.begin(at(0)).extent.unwrap()).collect();
        let room = budget.begin(at(1));
        assert_eq!(room.extent, None);
        assert!(room.unlist.iter().all(|id| begun.contains(id)));
        budget.ended(begun[0]);
        assert_eq!(budget.begin(at(100)).extent, Some(ExtentId(4)));
    }
}
