//! Makes the programme guide of the lineup from the guides of its playlists.
//!
//! It is made on request, which a server sends once a day, and one at a time, since guides are large.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::Mutex;
use tracing::warn;
use url::Url;

use crate::config::Playlist;
use crate::fetch::{self, Fetcher};
use crate::lineup::load::{self, Error};
use domain::lineup::parse::decode;
use domain::lineup::source::SourceUrl;
use domain::lineup::{Lineup, xmltv};

/// The maximum size of a guide, unpacked.
const LARGEST: usize = 256 << 20;

/// The guides of all playlists.
#[derive(Debug)]
pub(super) struct Guides {
    /// For each playlist, the guide configured instead of those it names, and the header fields for its provider.
    playlists: Vec<(Option<SourceUrl>, HeaderMap)>,
    fetcher: Fetcher,
    alone: Mutex<()>,
}

impl Guides {
    pub(super) fn new(playlists: &[Playlist], fetcher: Fetcher) -> Self {
        let of = |playlist: &Playlist| (playlist.guide.clone(), load::headers(&playlist.rules));
        Self { playlists: playlists.iter().map(of).collect(), fetcher, alone: Mutex::default() }
    }

    /// The guide of `lineup`. A guide that cannot be fetched is left out and logged.
    pub(super) async fn render(&self, lineup: Arc<Lineup>) -> String {
        let _alone = self.alone.lock().await;
        let mut text = xmltv::head(&lineup);
        for (url, headers) in self.of(&lineup) {
            let programmes = match self.fetch(&url, headers).await {
                Ok(bytes) => select(bytes, Arc::clone(&lineup)).await,
                Err(error) => Err(error),
            };
            match programmes {
                Ok(programmes) => text.push_str(&programmes),
                Err(error) => warn!(guide = %url, reason = %error, "no programmes from this guide"),
            }
        }
        text + xmltv::END
    }

    /// Each guide once, in the order of the playlists.
    fn of(&self, lineup: &Lineup) -> Vec<(SourceUrl, &HeaderMap)> {
        let named = lineup.guides().iter().filter(|guide| self.playlists[guide.playlist].0.is_none());
        let named = named.map(|guide| (guide.url.clone(), &self.playlists[guide.playlist].1));
        let wished = self.playlists.iter().filter_map(|(url, headers)| Some((url.clone()?, headers)));
        let mut guides: Vec<(SourceUrl, &HeaderMap)> = Vec::new();
        for (url, headers) in wished.chain(named) {
            if guides.iter().all(|(known, _)| *known != url) {
                guides.push((url, headers));
            }
        }
        guides
    }

    async fn fetch(&self, url: &SourceUrl, headers: &HeaderMap) -> Result<Bytes, Error> {
        let url = Url::parse(url.expose()).map_err(|_| fetch::Error::Address)?;
        load::whole(self.fetcher.get(&url, headers).await?.response, load::LARGEST, load::PATIENCE).await
    }
}

/// The programmes in `bytes` of the channels of `lineup`.
async fn select(bytes: Bytes, lineup: Arc<Lineup>) -> Result<String, Error> {
    let selected = tokio::task::spawn_blocking(move || {
        let unpacked = load::unpack(&bytes, LARGEST)?;
        Ok(xmltv::programmes(&decode(&unpacked), &lineup))
    });
    selected.await.map_err(|fault| Error::File(fault.into()))?
}
