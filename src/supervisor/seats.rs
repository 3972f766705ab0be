//! The connections that providers allow, as they are taken: a feed has a seat, and whoever lets go of it gives it back.
//!
//! It does not know what is connected.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::feed::input::{Input, InputError, OpenFuture};
use domain::lineup::tuners::{Busy, Tuners};
use domain::reason::Failure;

/// The connections of all playlists.
#[derive(Clone, Debug)]
pub(super) struct Seats {
    tuners: Arc<Mutex<Tuners<u64>>>,
    next: Arc<AtomicU64>,
}

/// One connection of one playlist. Dropped, it is free.
#[derive(Debug)]
pub(super) struct Seat {
    tuners: Arc<Mutex<Tuners<u64>>>,
    holder: u64,
    playlist: Mutex<usize>,
}

impl Seats {
    pub(super) fn new(allowed: impl IntoIterator<Item = u32>) -> Self {
        Self { tuners: Arc::new(Mutex::new(Tuners::new(allowed))), next: Arc::default() }
    }

    /// A connection of the first of `playlists` that has one left.
    pub(super) fn take(&self, playlists: impl IntoIterator<Item = usize>) -> Option<Seat> {
        let holder = self.next.fetch_add(1, Ordering::Relaxed);
        let mut tuners = lock(&self.tuners);
        let playlist = playlists.into_iter().find(|playlist| tuners.take(*playlist, holder).is_ok())?;
        Some(Seat { tuners: Arc::clone(&self.tuners), holder, playlist: Mutex::new(playlist) })
    }

    /// Whether `playlist` has any number of connections.
    pub(super) fn is_unlimited(&self, playlist: usize) -> bool {
        lock(&self.tuners).is_unlimited(playlist)
    }
}

impl Seat {
    /// Which playlist's it is.
    pub(super) fn playlist(&self) -> usize {
        *lock(&self.playlist)
    }

    /// Takes one of another playlist instead.
    fn move_to(&self, playlist: usize) -> Result<(), Busy> {
        let mut at = lock(&self.playlist);
        if *at != playlist {
            let mut tuners = lock(&self.tuners);
            tuners.take(playlist, self.holder)?;
            tuners.give_back(*at, &self.holder);
            *at = playlist;
        }
        Ok(())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        lock(&self.tuners).give_back(self.playlist(), &self.holder);
    }
}

/// An input that is opened with a connection of its own playlist only.
#[derive(Debug)]
pub(super) struct Seated {
    pub(super) input: Arc<dyn Input>,
    pub(super) seat: Arc<Seat>,
    pub(super) playlist: usize,
}

impl Input for Seated {
    fn open(&self) -> OpenFuture<'_> {
        Box::pin(async {
            self.seat.move_to(self.playlist).map_err(|busy| InputError::new(Failure::Busy, busy))?;
            self.input.open().await
        })
    }

    fn name(&self) -> &str {
        self.input.name()
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_is_one_connection_wherever_it_is() {
        let seats = Seats::new([1, 1]);
        let seat = seats.take([0, 1]).unwrap();
        assert_eq!(seat.playlist(), 0);
        let other = seats.take([0, 1]).unwrap();
        assert_eq!(other.playlist(), 1);
        assert!(seats.take([0, 1]).is_none());
        assert_eq!(seat.move_to(1), Err(Busy { allowed: 1 }), "it stays where it is");
        drop(other);
        assert_eq!(seat.move_to(1), Ok(()));
        assert_eq!(seats.take([0]).map(|seat| seat.playlist()), Some(0));
        drop(seat);
        assert!(seats.take([1]).is_some());
    }
}
