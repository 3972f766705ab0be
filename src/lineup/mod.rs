//! Fetches the provider's playlists and keeps the lineup up to date.
//!
//! A playlist that cannot be fetched or parsed leaves its last good version in place. It pulls no channel and does not
//! know what the lineup is used for.

mod allowance;
mod disk_cache;
mod guide;
mod load;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use crate::background::noted;
use crate::config::{Location, Playlist};
use crate::fetch::Fetcher;
use crate::lineup::allowance::Allowance;
use crate::lineup::disk_cache::DiskCache;
use crate::lineup::guide::Guides;
use crate::lineup::load::Loader;
use domain::lineup::entry::Complaint;
use domain::lineup::site::Site;
use domain::lineup::{Lineup, Rules, parse};
use domain::tuners::TunerLimit;

pub use crate::lineup::allowance::device;
pub use crate::lineup::load::Error;

/// The maximum number of complaints about one playlist that are logged at a time; `warmgate lineup` shows all.
const LOGGED: usize = 20;

/// The intervals at which playlists are refreshed, where the configuration does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intervals {
    /// How often a file is checked for changes.
    pub look: Duration,
    /// How soon a failed fetch is repeated, unless `reload` is shorter.
    pub retry: Duration,
}

impl Default for Intervals {
    /// 2 s and 1 min.
    fn default() -> Self {
        Self { look: Duration::from_secs(2), retry: Duration::from_secs(60) }
    }
}

/// The current lineup. Clones share it; when the last one is dropped, it is no longer refreshed.
#[derive(Clone, Debug)]
pub struct Lineups {
    published: Arc<Published>,
    guides: Arc<Guides>,
    /// The connections that the provider of each playlist says it allows.
    told: watch::Receiver<Vec<Option<TunerLimit>>>,
    _refreshers: Arc<Vec<AbortOnDropHandle<()>>>,
}

impl Lineups {
    /// Starts to refresh `playlists`, with copies in `folder`. `site` is where the gateway serves them itself.
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
        let published = Arc::new(Published::new(&playlists, site));
        let guides = Arc::new(Guides::new(&playlists, fetcher.clone()));
        let (tell, told) = watch::channel(vec![None; playlists.len()]);
        let allowances = playlists.iter().enumerate().filter_map(|(index, playlist)| {
            let (allowance, tell) = (Allowance::of(playlist, fetcher)?, tell.clone());
            let tell = move |limit| tell.send_modify(|told| told[index] = limit);
            let asking = allowance.run(intervals.retry, tell);
            Some(AbortOnDropHandle::new(tokio::spawn(async move {
                // The number that was told last holds.
                noted("the question to a playlist's provider", asking).await;
            })))
        });
        let allowances: Vec<_> = allowances.collect();
        let refreshers = playlists.into_iter().enumerate().map(|(index, playlist)| {
            let cache = DiskCache::new(folder.as_deref(), &playlist.location);
            let mut refresher = Refresher {
                index,
                loader: Loader::new(&playlist, fetcher.clone()),
                playlist,
                cache,
                published: Arc::clone(&published),
                complained: BTreeSet::new(),
            };
            let refreshing = async move {
                while noted("the refresher of a playlist", refresher.run(intervals)).await.is_none() {
                    tokio::time::sleep(intervals.retry).await;
                }
            };
            AbortOnDropHandle::new(tokio::spawn(refreshing))
        });
        let refreshers = Arc::new(refreshers.chain(allowances).collect());
        Self { published, guides, told, _refreshers: refreshers }
    }

    /// The lineup.
    #[must_use]
    pub fn current(&self) -> Arc<Lineup> {
        Arc::clone(&self.published.lineup.borrow())
    }

    /// The programme guide of the lineup, as XMLTV.
    pub async fn guide(&self) -> String {
        self.guides.render(self.current()).await
    }

    /// The connections that the provider of each playlist says it allows, if it says so, with each change.
    #[must_use]
    pub fn told(&self) -> watch::Receiver<Vec<Option<TunerLimit>>> {
        self.told.clone()
    }

    /// The lineup, with each change of it.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<Arc<Lineup>> {
        self.published.lineup.subscribe()
    }
}

/// Fetches each of `playlists` once.
pub async fn fetch_all(
    playlists: &[Playlist],
    fetcher: &Fetcher,
) -> Vec<Result<Arc<parse::Playlist>, Error>> {
    let mut got = Vec::new();
    for playlist in playlists {
        let loaded = Loader::new(playlist, fetcher.clone()).load().await;
        let read = |bytes: Option<Bytes>| load::parse(&bytes.unwrap_or_default(), &playlist.location);
        got.push(loaded.and_then(read).map(Arc::new));
    }
    got
}

/// The state that the refreshers share.
#[derive(Debug)]
struct Published {
    playlists: Mutex<Vec<(Rules, Arc<parse::Playlist>)>>,
    lineup: watch::Sender<Arc<Lineup>>,
    site: Option<Site>,
}

impl Published {
    fn new(playlists: &[Playlist], site: Option<Site>) -> Self {
        let playlists = playlists.iter().map(|playlist| (playlist.rules.clone(), Arc::default())).collect();
        Self { playlists: Mutex::new(playlists), lineup: watch::Sender::default(), site }
    }

    /// Replaces the last version of a playlist, and publishes the lineup made of all.
    fn publish(&self, index: usize, playlist: Arc<parse::Playlist>) -> Arc<Lineup> {
        let mut playlists = self.playlists.lock().unwrap_or_else(PoisonError::into_inner);
        playlists[index].1 = playlist;
        let lineup = Lineup::new(&playlists);
        let lineup = Arc::new(match &self.site {
            Some(site) => lineup.served_at(site),
            None => lineup,
        });
        // Under the lock, so that a slower task cannot publish an older lineup.
        self.lineup.send_replace(Arc::clone(&lineup));
        lineup
    }
}

/// Refreshes one playlist.
struct Refresher {
    index: usize,
    playlist: Playlist,
    loader: Loader,
    cache: DiskCache,
    published: Arc<Published>,
    complained: BTreeSet<String>,
}

impl Refresher {
    async fn run(&mut self, intervals: Intervals) {
        let (cache, from) = (self.cache.clone(), self.playlist.location.clone());
        let cached = spawn_blocking(move || cache.load().map(|bytes| load::parse(&bytes, &from)));
        if let Ok(Some(Ok(playlist))) = cached.await {
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
                        warn!(playlist = %self.playlist.location, reason = said, cause, "the playlist cannot be loaded; its last version stays in use");
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
        let cache = self.cache.clone();
        let read = move || load::parse(&bytes, &from).inspect(|_| cache.store(&bytes));
        let playlist = spawn_blocking(read).await.map_err(|fault| Error::File(fault.into()))?;
        self.publish(playlist?, "playlist");
        Ok(())
    }

    fn publish(&mut self, playlist: parse::Playlist, what: &str) {
        let playlist = Arc::new(playlist);
        let lineup = self.published.publish(self.index, Arc::clone(&playlist));
        let skipped = playlist.complaints.iter().filter(|complaint| complaint.flaw.skips()).count();
        let (location, channels) = (&self.playlist.location, playlist.entries.len());
        info!(playlist = %location, "{what}: {channels} channels, {skipped} skipped");
        let idle = lineup.idle_rules().iter().filter(|(index, _)| *index == self.index);
        let idle =
            idle.map(|(_, channel)| format!("{channel}: this override matches no channel of the playlist"));
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
