//! The server's tuner hosts, and which of them a media source may be on.
//!
//! A live stream's id does not name its host (`M3UTunerHost.cs`, `HdHomerunHost.cs`). What can be told: the media sources of an HDHomeRun end
//! in the MD5 of its address; those of an M3U host are 32 hex digits, and the id of the channel's item is an MD5 of both. A timer names the
//! host with its channel. A source that may be on several hosts counts on each of them: too few channels are kept warm rather than too many.

use std::collections::{BTreeMap, BTreeSet};

use url::Url;

use crate::guid;
use crate::key::{ItemId, MediaSourceId};

/// The most media sources whose host is remembered.
const SOURCES: usize = 10_000;

/// A tuner host of the server (`TunerHostInfo.cs`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunerHost {
    /// The server's name for it.
    pub id: String,
    /// What it is.
    pub kind: HostKind,
    /// `TunerCount`: the channels that it can have open at once. 0, the default of M3U hosts, says nothing.
    pub count: u32,
    /// The place in `lineup:` of the same playlist, if it is there: then the gateway may pull channels from its provider, too.
    pub provider: Option<usize>,
}

/// What a tuner host is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostKind {
    /// A playlist, with the MD5 of its URL.
    M3u(String),
    /// An HDHomeRun, with the MD5 of its address.
    HdHomeRun(String),
    /// The gateway's own playlist, with the MD5 of its URL: the gateway itself bounds the connections to its providers.
    Gateway(String),
    /// One that a plugin adds.
    Other,
}

impl HostKind {
    /// The kind of a host with this `Type` and `Url`.
    #[must_use]
    pub fn of(kind: &str, url: &str) -> Self {
        let path = url.split(['?', '#']).next().unwrap_or_default();
        if kind.eq_ignore_ascii_case("hdhomerun") {
            let scheme = if url.to_ascii_lowercase().starts_with("http") { "" } else { "http://" };
            let url = format!("{scheme}{url}");
            // The server writes it as .NET does: host in lower case, no port that needs not be said.
            let address = Url::parse(&url).map_or(url, String::from);
            Self::HdHomeRun(guid::md5(address.trim_end_matches('/')))
        } else if !kind.eq_ignore_ascii_case("m3u") {
            Self::Other
        } else if path.ends_with("/lineup/channels.m3u") {
            Self::Gateway(guid::md5(url))
        } else {
            Self::M3u(guid::md5(url))
        }
    }

    /// The MD5 of its playlist's URL, if it has one.
    fn playlist(&self) -> Option<&str> {
        match self {
            Self::M3u(playlist) | Self::Gateway(playlist) => Some(playlist),
            Self::HdHomeRun(_) | Self::Other => None,
        }
    }
}

/// The hosts of a server. Sources that are on none of them, such as those of plugins, are on a host of their own, which comes last.
#[derive(Clone, Debug, Default)]
pub(super) struct Hosts {
    hosts: Vec<TunerHost>,
    /// The MD5 of the playlist that a media source is on, where it was told.
    playlists: BTreeMap<MediaSourceId, String>,
    /// The media source of each item that was open.
    sources: BTreeMap<ItemId, MediaSourceId>,
    /// The media sources and items that tell nothing.
    untold: BTreeSet<(MediaSourceId, ItemId)>,
}

impl Hosts {
    pub(super) fn set(&mut self, hosts: Vec<TunerHost>) {
        self.hosts = hosts;
        self.untold.clear();
    }

    /// A media source is on the M3U host whose URL has this MD5.
    pub(super) fn tell(&mut self, source: MediaSourceId, playlist: String) {
        if self.playlists.len() < SOURCES || self.playlists.contains_key(&source) {
            self.playlists.insert(source, playlist);
        }
    }

    /// A media source belongs to this item. Where there are several playlists, its id tells on which of them the channel is.
    pub(super) fn recognise(&mut self, source: &MediaSourceId, item: &ItemId) {
        if self.sources.get(item).is_none_or(|known| known != source)
            && (self.sources.len() < SOURCES || self.sources.contains_key(item))
        {
            self.sources.insert(item.clone(), source.clone());
        }
        let playlists = || self.hosts.iter().filter_map(|host| host.kind.playlist());
        let is_known = self.playlists.get(source).is_some_and(|told| self.has_playlist(told));
        if is_known || playlists().nth(1).is_none() || self.untold.contains(&(source.clone(), item.clone())) {
            return;
        }
        let told = playlists().find(|playlist| item_id(playlist, source) == item.as_str()).map(str::to_owned);
        match told {
            Some(playlist) => self.tell(source.clone(), playlist),
            None if self.untold.len() < SOURCES => drop(self.untold.insert((source.clone(), item.clone()))),
            None => {}
        }
    }

    /// The hosts whose playlist is this one of `lineup:`.
    pub(super) fn of_provider(&self, playlist: usize) -> impl Iterator<Item = usize> {
        let hosts = self.hosts.iter().enumerate();
        hosts.filter(move |(_, host)| host.provider == Some(playlist)).map(|(index, _)| index)
    }

    /// The host at `index`; `None` for that of all other sources.
    pub(super) fn get(&self, index: usize) -> Option<&TunerHost> {
        self.hosts.get(index)
    }

    /// The indices of all hosts, that of all other sources included.
    pub(super) const fn indices(&self) -> std::ops::RangeInclusive<usize> {
        0..=self.hosts.len()
    }

    /// Whether `source` may be on the host at `index`.
    pub(super) fn may_have(&self, index: usize, source: &MediaSourceId) -> bool {
        match self.hosts.get(index) {
            Some(host) => self.is_possible(host, source),
            None => !self.hosts.iter().any(|host| self.is_possible(host, source)),
        }
    }

    /// The media source that an item was seen to have last.
    pub(super) fn source_of(&self, item: &ItemId) -> Option<&MediaSourceId> {
        self.sources.get(item)
    }

    /// The one host that `source` can be on, if there is no other.
    pub(super) fn only_host_of(&self, source: &MediaSourceId) -> Option<usize> {
        let mut possible = self.indices().filter(|&index| self.may_have(index, source));
        possible.next().filter(|_| possible.next().is_none())
    }

    fn is_possible(&self, host: &TunerHost, source: &MediaSourceId) -> bool {
        let of_playlist = source.is_guid();
        let of_device = |address: &str| source.as_str().rsplit('_').next() == Some(address);
        match &host.kind {
            HostKind::M3u(playlist) | HostKind::Gateway(playlist) => {
                let told = self.playlists.get(source).filter(|told| self.has_playlist(told));
                of_playlist && told.is_none_or(|told| told == playlist)
            }
            HostKind::HdHomeRun(address) => !of_playlist && of_device(address),
            HostKind::Other => !of_playlist,
        }
    }

    fn has_playlist(&self, playlist: &str) -> bool {
        self.hosts.iter().any(|host| host.kind.playlist() == Some(playlist))
    }
}

/// The id of the item of a channel on a playlist (`GetInternalChannelId` in `LiveTvDtoService.cs`, `GetNewItemId` in `LibraryManager.cs`).
fn item_id(playlist: &str, source: &MediaSourceId) -> String {
    guid::md5(&format!("MediaBrowser.Controller.LiveTv.LiveTvChannelembym3u_{playlist}{}4", source.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(kind: &str, url: &str) -> TunerHost {
        TunerHost { id: url.to_owned(), kind: HostKind::of(kind, url), count: 0, provider: None }
    }

    #[test]
    fn a_source_is_on_the_host_that_its_name_allows() {
        let mut hosts = Hosts::default();
        let of = |hosts: &Hosts, source: &str| {
            let source = MediaSourceId::new(source);
            hosts.indices().filter(|&index| hosts.may_have(index, &source)).collect::<Vec<_>>()
        };
        let playlist = guid::md5("http://provider/1.ts");
        assert_eq!(of(&hosts, &playlist), [0], "there is no other");
        let device = host("hdhomerun", "10.0.0.5");
        hosts.set(vec![host("m3u", "http://a/list.m3u"), device, host("M3U", "http://b/list.m3u")]);
        let address = guid::md5("http://10.0.0.5");
        let of_device = format!("native_{}_{address}", guid::md5("5.1"));
        assert_eq!(of(&hosts, &of_device), [1]);
        assert_eq!(of(&hosts, &playlist), [0, 2], "which of the playlists it is on is not known");
        assert_eq!(of(&hosts, "a plugin's"), [3]);
        hosts.tell(MediaSourceId::new(playlist.as_str()), guid::md5("http://b/list.m3u"));
        assert_eq!(of(&hosts, &playlist), [2]);
        hosts.tell(MediaSourceId::new(playlist.as_str()), guid::md5("http://gone/list.m3u"));
        assert_eq!(of(&hosts, &playlist), [0, 2]);
    }

    #[test]
    fn an_item_tells_the_playlist_that_its_channel_is_on() {
        // As a real server was asked for it (fixtures/jellyfin/api-12.0-adopt.ndjson, api-10.11-adopt.ndjson).
        let recorded = ItemId::parse("3470319929255d2e4e0e08ae69de1bd6").unwrap();
        let source = MediaSourceId::new(guid::md5("http://127.0.0.1:9981/ch/1.ts"));
        let other = MediaSourceId::new(guid::md5("http://127.0.0.1:9981/ch/2.ts"));
        let of = |hosts: &Hosts, source: &MediaSourceId| {
            hosts.indices().filter(|&index| hosts.may_have(index, source)).collect::<Vec<_>>()
        };
        let own = host("m3u", "http://gateway:8097/lineup/channels.m3u");
        let mut hosts = Hosts::default();
        hosts.set(vec![host("m3u", "http://b/list.m3u"), own.clone()]);
        hosts.recognise(&source, &recorded);
        assert_eq!(of(&hosts, &source), [0, 1], "its playlist is not known yet");
        hosts.set(vec![
            host("m3u", "http://b/list.m3u"),
            own,
            host("m3u", "http://127.0.0.1:9981/channels.m3u"),
        ]);
        hosts.recognise(&source, &recorded);
        hosts.recognise(&other, &recorded);
        assert_eq!(of(&hosts, &source), [2]);
        assert_eq!(of(&hosts, &other), [0, 1, 2], "it is another channel's item");
    }

    #[test]
    fn what_a_host_is() {
        let own = "http://gateway:8097/lineup/channels.m3u?token=a";
        assert_eq!(HostKind::of("m3u", own), HostKind::Gateway(guid::md5(own)));
        for spelling in ["http://10.0.0.5/", "10.0.0.5:80", "HTTP://10.0.0.5"] {
            assert_eq!(
                HostKind::of("hdhomerun", spelling),
                HostKind::of("HDHomeRun", "10.0.0.5"),
                "{spelling}"
            );
        }
        assert_eq!(HostKind::of("hdhomerun", "HDHR-1.local"), HostKind::of("hdhomerun", "hdhr-1.local"));
        assert_ne!(HostKind::of("hdhomerun", "10.0.0.5:8080"), HostKind::of("hdhomerun", "10.0.0.5"));
        assert_eq!(HostKind::of("satip", "http://10.0.0.5"), HostKind::Other);
    }
}
