//! The provider's playlists, got and kept up to date: what the domain knows of channels comes from here.
//!
//! A playlist that cannot be got, or is none, leaves its last good version in place. It does not know what channels are
//! wanted for, and pulls none.

mod guide;
mod load;
mod shelf;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use crate::config::{Location, Playlist};
use crate::fetch::Fetcher;
use crate::lineup::guide::Guides;
use crate::lineup::load::Loader;
use crate::lineup::shelf::Shelf;
use domain::lineup::entry::Complaint;
use domain::lineup::site::Site;
use domain::lineup::{Lineup, Rules, parse};

pub use crate::lineup::load::Error;

/// Complaints of one playlist that are logged at a time; `warmgate lineup` shows them all.
const LOGGED: usize = 20;

/// How often things are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intervals {
    /// A file's change is noticed within this.
    pub look: Duration,
    /// A server that gave no playlist is asked again after this, or after the usual time where that is shorter.
    pub retry: Duration,
}

impl Default for Intervals {
    /// 2 s, and 1 min.
    fn default() -> Self {
        Self { look: Duration::from_secs(2), retry: Duration::from_secs(60) }
    }
}

/// The lineup as it is at the moment. Clones share it; when the last one is dropped, it is no longer kept up to date.
#[derive(Clone, Debug)]
pub struct Lineups {
    board: Arc<Board>,
    guides: Arc<Guides>,
    _keepers: Arc<Vec<AbortOnDropHandle<()>>>,
}

impl Lineups {
    /// Begins to keep `playlists` up to date, with copies in `folder`. `site` is where the gateway serves them itself.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn start(
        playlists: Vec<Playlist>,
        fetcher: &Fetcher,
        folder: Option<PathBuf>,
        site: Option<Site>,
        intervals: Intervals,
    ) -> Self {
        let board = Arc::new(Board::new(&playlists, site));
        let guides = Arc::new(Guides::new(&playlists, fetcher.clone()));
        let keepers = playlists.into_iter().enumerate().map(|(index, playlist)| {
            let shelf = Shelf::new(folder.as_deref(), &playlist.location);
            let keeper = Keeper {
                index,
                loader: Loader::new(&playlist, fetcher.clone()),
                playlist,
                shelf,
                board: Arc::clone(&board),
                complained: BTreeSet::new(),
            };
            AbortOnDropHandle::new(tokio::spawn(keeper.keep(intervals)))
        });
        let keepers = Arc::new(keepers.collect());
        Self { board, guides, _keepers: keepers }
    }

    /// The lineup.
    #[must_use]
    pub fn current(&self) -> Arc<Lineup> {
        Arc::clone(&self.board.lineup.borrow())
    }

    /// The programme guide of the lineup, as XMLTV.
    pub async fn guide(&self) -> String {
        self.guides.render(self.current()).await
    }

    /// The lineup, and word of each change of it.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<Arc<Lineup>> {
        self.board.lineup.subscribe()
    }
}

/// Gets `playlists` once, each as it is or why it cannot be got.
pub async fn once(playlists: &[Playlist], fetcher: &Fetcher) -> Vec<Result<Arc<parse::Playlist>, Error>> {
    let mut got = Vec::new();
    for playlist in playlists {
        let loaded = Loader::new(playlist, fetcher.clone()).load().await;
        let read = |bytes: Option<Bytes>| load::parse(&bytes.unwrap_or_default(), &playlist.location);
        got.push(loaded.and_then(read).map(Arc::new));
    }
    got
}

/// What the keepers have together.
#[derive(Debug)]
struct Board {
    playlists: Mutex<Vec<(Rules, Arc<parse::Playlist>)>>,
    lineup: watch::Sender<Arc<Lineup>>,
    site: Option<Site>,
}

impl Board {
    fn new(playlists: &[Playlist], site: Option<Site>) -> Self {
        let playlists = playlists.iter().map(|playlist| (playlist.rules.clone(), Arc::default())).collect();
        Self { playlists: Mutex::new(playlists), lineup: watch::Sender::default(), site }
    }

    /// Puts `playlist` in the place of its last version.
    fn publish(&self, index: usize, playlist: Arc<parse::Playlist>) -> Arc<Lineup> {
        let mut playlists = self.playlists.lock().unwrap_or_else(PoisonError::into_inner);
        playlists[index].1 = playlist;
        let lineup = Lineup::new(&playlists);
        let lineup = Arc::new(match &self.site {
            Some(site) => lineup.served_at(site),
            None => lineup,
        });
        // Under the lock, so that a slower one does not publish an older state.
        self.lineup.send_replace(Arc::clone(&lineup));
        lineup
    }
}

/// Keeps one playlist up to date.
struct Keeper {
    index: usize,
    playlist: Playlist,
    loader: Loader,
    shelf: Shelf,
    board: Arc<Board>,
    complained: BTreeSet<String>,
}

impl Keeper {
    async fn keep(mut self, intervals: Intervals) {
        let shelved = self.shelf.take().map(|bytes| load::parse(&bytes, &self.playlist.location));
        if let Some(Ok(playlist)) = shelved {
            self.publish(playlist, "the last good copy of a playlist");
        }
        let usual = match self.playlist.location {
            Location::Url(_) => self.playlist.reload,
            Location::File(_) => self.playlist.reload.min(intervals.look),
        };
        let mut failed = String::new();
        loop {
            let wait = match self.refresh().await {
                Ok(()) => {
                    failed.clear();
                    usual
                }
                Err(error) => {
                    self.loader.forget();
                    let said = error.to_string();
                    if said != failed {
                        let cause = std::error::Error::source(&error).map(ToString::to_string);
                        warn!(playlist = %self.playlist.location, reason = said, cause, "no playlist; what is known stays");
                    }
                    failed = said;
                    usual.min(intervals.retry)
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    async fn refresh(&mut self) -> Result<(), Error> {
        let Some(bytes) = self.loader.load().await? else { return Ok(()) };
        let from = self.playlist.location.clone();
        let (playlist, bytes) = tokio::task::spawn_blocking(move || (load::parse(&bytes, &from), bytes))
            .await
            .map_err(|fault| Error::File(fault.into()))?;
        self.publish(playlist?, "playlist");
        self.shelf.put(&bytes);
        Ok(())
    }

    fn publish(&mut self, playlist: parse::Playlist, what: &str) {
        let playlist = Arc::new(playlist);
        let lineup = self.board.publish(self.index, Arc::clone(&playlist));
        let skipped = playlist.complaints.iter().filter(|complaint| complaint.flaw.skips()).count();
        let (location, channels) = (&self.playlist.location, playlist.entries.len());
        info!(playlist = %location, "{what}: {channels} channels, {skipped} skipped");
        let idle = lineup.idle_rules().iter().filter(|(index, _)| *index == self.index);
        let idle = idle.map(|(_, channel)| format!("{channel}: this override is for no channel of it"));
        let said = playlist.complaints.iter().map(Complaint::to_string).chain(idle);
        let new: Vec<_> = said.filter(|said| self.complained.insert(said.clone())).collect();
        for said in new.iter().take(LOGGED) {
            warn!(playlist = %location, "{said}");
        }
        if new.len() > LOGGED {
            warn!(playlist = %location, "and {} more; `warmgate lineup` shows them all", new.len() - LOGGED);
        }
    }
}
