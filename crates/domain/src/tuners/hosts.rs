//! The server's tuner hosts, and which of them a media source may be on.
//!
//! A live stream's id does not name its host (`M3UTunerHost.cs`, `HdHomerunHost.cs`). What can be told: the media sources of an HDHomeRun end
//! in the MD5 of its address; those of an M3U host are 32 hex digits, and a timer names the host with its channel. A source that may be on
//! several hosts counts on each of them: too few channels are kept warm rather than too many.

use std::collections::BTreeMap;

use crate::guid;
use crate::key::MediaSourceId;

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
    /// The connections that its provider allows, if `lineup:` has the same playlist with a limit.
    pub provider: Option<u32>,
}

/// What a tuner host is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostKind {
    /// A playlist, with the MD5 of its URL.
    M3u(String),
    /// An HDHomeRun, with the MD5 of its address.
    HdHomeRun(String),
    /// The gateway's own playlist: the gateway itself bounds the connections to its providers.
    Gateway,
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
            Self::HdHomeRun(guid::md5(format!("{scheme}{url}").trim_end_matches('/')))
        } else if !kind.eq_ignore_ascii_case("m3u") {
            Self::Other
        } else if path.ends_with("/lineup/channels.m3u") {
            Self::Gateway
        } else {
            Self::M3u(guid::md5(url))
        }
    }
}

/// The hosts of a server. Sources that are on none of them, such as those of plugins, are on a host of their own, which comes last.
#[derive(Clone, Debug, Default)]
pub(super) struct Hosts {
    hosts: Vec<TunerHost>,
    /// The MD5 of the playlist that a media source is on, where it was told.
    playlists: BTreeMap<MediaSourceId, String>,
}

impl Hosts {
    pub(super) fn set(&mut self, hosts: Vec<TunerHost>) {
        self.hosts = hosts;
    }

    /// A media source is on the M3U host whose URL has this MD5.
    pub(super) fn tell(&mut self, source: MediaSourceId, playlist: String) {
        if self.playlists.len() < SOURCES || self.playlists.contains_key(&source) {
            self.playlists.insert(source, playlist);
        }
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

    fn is_possible(&self, host: &TunerHost, source: &MediaSourceId) -> bool {
        let of_playlist = source.is_guid();
        let of_device = |address: &str| source.as_str().rsplit('_').next() == Some(address);
        match &host.kind {
            HostKind::M3u(playlist) => {
                let told = self.playlists.get(source).filter(|told| self.has_playlist(told));
                of_playlist && told.is_none_or(|told| told == playlist)
            }
            HostKind::Gateway => of_playlist,
            HostKind::HdHomeRun(address) => !of_playlist && of_device(address),
            HostKind::Other => !of_playlist,
        }
    }

    fn has_playlist(&self, playlist: &str) -> bool {
        self.hosts.iter().any(|host| matches!(&host.kind, HostKind::M3u(known) if known == playlist))
    }
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
    fn what_a_host_is() {
        let own = "http://gateway:8097/lineup/channels.m3u?token=a";
        assert_eq!(HostKind::of("m3u", own), HostKind::Gateway);
        assert_eq!(HostKind::of("hdhomerun", "http://10.0.0.5/"), HostKind::of("HDHomeRun", "10.0.0.5"));
        assert_eq!(HostKind::of("satip", "http://10.0.0.5"), HostKind::Other);
    }
}
