//! Keeps account of the connections that each playlist's provider allows, and of their holders.
//!
//! The holders of a playlist are a set, not a count: taking a connection twice takes one, giving it back twice gives back
//! one.

use std::collections::BTreeSet;

/// All connections of the playlist are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all {allowed} connections of this playlist are taken")]
pub struct Busy {
    /// How many connections the provider allows.
    pub allowed: u32,
}

/// The connections of all playlists; `H` names a holder.
#[derive(Clone, Debug)]
pub struct Tuners<H> {
    playlists: Vec<Playlist<H>>,
}

#[derive(Clone, Debug)]
struct Playlist<H> {
    /// 0 means no limit.
    allowed: u32,
    holders: BTreeSet<H>,
}

impl<H: Ord> Tuners<H> {
    /// Creates the account of playlists that allow this many connections each; 0 means no limit.
    #[must_use]
    pub fn new(allowed: impl IntoIterator<Item = u32>) -> Self {
        let playlist = |allowed| Playlist { allowed, holders: BTreeSet::new() };
        Self { playlists: allowed.into_iter().map(playlist).collect() }
    }

    /// Takes a connection of `playlist` for `holder`, which may have it already.
    ///
    /// # Errors
    ///
    /// Other holders have all of them.
    pub fn take(&mut self, playlist: usize, holder: H) -> Result<(), Busy> {
        let Some(playlist) = self.playlists.get_mut(playlist) else { return Ok(()) };
        if playlist.is_full() && !playlist.holders.contains(&holder) {
            return Err(Busy { allowed: playlist.allowed });
        }
        playlist.holders.insert(holder);
        Ok(())
    }

    /// Gives back the connection of `holder`, if it has one.
    pub fn give_back(&mut self, playlist: usize, holder: &H) {
        if let Some(playlist) = self.playlists.get_mut(playlist) {
            playlist.holders.remove(holder);
        }
    }

    /// Changes how many connections a playlist allows; 0 means no limit. Whoever has one keeps it.
    pub fn allow(&mut self, playlist: usize, allowed: u32) {
        if let Some(playlist) = self.playlists.get_mut(playlist) {
            playlist.allowed = allowed;
        }
    }

    /// Whether `playlist` has a connection left.
    #[must_use]
    pub fn has_left(&self, playlist: usize) -> bool {
        self.playlists.get(playlist).is_none_or(|playlist| !playlist.is_full())
    }

    /// Whether there are no playlists.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.playlists.is_empty()
    }

    /// Whether `playlist` is known to have one left beside the last.
    #[must_use]
    pub fn can_spare(&self, playlist: usize) -> bool {
        self.playlists
            .get(playlist)
            .is_some_and(|playlist| playlist.holders.len() + 1 < playlist.allowed as usize)
    }

    /// The holders of connections of `playlist`, in order.
    pub fn holders(&self, playlist: usize) -> impl Iterator<Item = &H> {
        self.playlists.get(playlist).into_iter().flat_map(|playlist| &playlist.holders)
    }

    /// Whether `playlist` has no limit.
    #[must_use]
    pub fn is_unlimited(&self, playlist: usize) -> bool {
        self.playlists.get(playlist).is_none_or(|playlist| playlist.allowed == 0)
    }
}

impl<H> Playlist<H> {
    fn is_full(&self) -> bool {
        self.allowed > 0 && self.holders.len() >= self.allowed as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_belongs_to_somebody() {
        let mut tuners = Tuners::new([1, 0]);
        assert_eq!(tuners.take(0, "a"), Ok(()));
        assert_eq!(tuners.take(0, "a"), Ok(()), "it has it already");
        assert_eq!(tuners.take(0, "b"), Err(Busy { allowed: 1 }));
        tuners.give_back(0, &"b");
        assert_eq!(tuners.take(0, "b"), Err(Busy { allowed: 1 }), "nobody gives back another's");
        tuners.give_back(0, &"a");
        tuners.give_back(0, &"a");
        assert_eq!(tuners.take(0, "b"), Ok(()));
        assert_eq!(tuners.holders(0).collect::<Vec<_>>(), [&"b"]);
    }

    #[test]
    fn the_last_one_is_not_spared_nor_one_of_a_number_that_nobody_knows() {
        let mut tuners = Tuners::new([2, 0]);
        assert!(tuners.can_spare(0) && !tuners.can_spare(1) && !tuners.can_spare(9));
        tuners.take(0, "a").unwrap();
        assert!(!tuners.can_spare(0));
    }

    #[test]
    fn none_stands_for_any_number() {
        let mut tuners = Tuners::new([1, 0]);
        assert!((0..99).all(|holder| tuners.take(1, holder).is_ok()));
        assert!(tuners.take(7, 0).is_ok(), "of no playlist, of no limit");
    }
}
