//! The section `lineup`: the provider's playlists, as written and as used.
//!
//! Their URLs contain credentials, so no message repeats a value that was written where a URL is expected.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::config::errors::Report;
use crate::config::scalar;
use crate::config::secret::Secret;
use domain::lineup::source::SourceUrl;
use domain::lineup::{Override, Rules};
use domain::produce::Produce;

/// A provider's playlist and how it is read.
#[derive(Clone, Debug, PartialEq)]
pub struct Playlist {
    /// Where to get it.
    pub location: Location,
    /// The connections that the gateway may open to the provider at once; 0: no limit.
    pub tuners: u32,
    /// How often it is fetched again.
    pub reload: Duration,
    /// The URL of its programme guide, instead of the one that the playlist names.
    pub guide: Option<SourceUrl>,
    /// How its entries become channels.
    pub rules: Rules,
}

/// The place of a playlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// On an HTTP server.
    Url(SourceUrl),
    /// On this machine.
    File(PathBuf),
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => url.fmt(f),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// A playlist as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a playlist with keys of its own")]
pub(super) struct WrittenPlaylist {
    #[serde(deserialize_with = "scalar::some")]
    url: Option<SourceUrl>,
    file: Option<PathBuf>,
    #[serde(deserialize_with = "scalar::one")]
    tuners: u32,
    #[serde(deserialize_with = "scalar::one")]
    priority: i32,
    #[serde(deserialize_with = "scalar::one")]
    merge: bool,
    #[serde(deserialize_with = "scalar::one")]
    reload: Duration,
    #[serde(deserialize_with = "scalar::some")]
    user_agent: Option<String>,
    #[serde(deserialize_with = "scalar::some")]
    referrer: Option<String>,
    #[serde(deserialize_with = "scalar::map")]
    headers: BTreeMap<String, Secret>,
    #[serde(deserialize_with = "scalar::some")]
    guide: Option<SourceUrl>,
    channels: BTreeMap<scalar::Key, OrUrl<WrittenChannel>>,
}

impl Default for WrittenPlaylist {
    fn default() -> Self {
        Self {
            url: None,
            file: None,
            tuners: 0,
            priority: 0,
            merge: false,
            reload: Duration::from_secs(6 * 60 * 60),
            user_agent: None,
            referrer: None,
            headers: BTreeMap::new(),
            guide: None,
            channels: BTreeMap::new(),
        }
    }
}

/// The overrides for one channel, as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a channel with keys of its own")]
struct WrittenChannel {
    #[serde(deserialize_with = "scalar::one")]
    skip: bool,
    #[serde(deserialize_with = "scalar::one_or_more")]
    urls: Vec<SourceUrl>,
    #[serde(deserialize_with = "scalar::some")]
    user_agent: Option<String>,
    #[serde(deserialize_with = "scalar::some")]
    produce: Option<Produce>,
    #[serde(deserialize_with = "scalar::some")]
    number: Option<String>,
    #[serde(deserialize_with = "scalar::some")]
    name: Option<String>,
    #[serde(deserialize_with = "scalar::some")]
    group: Option<String>,
}

/// For `#[serde(deserialize_with)]`: playlists, or the URL of a single one.
pub(super) fn playlists<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<WrittenPlaylist>, D::Error> {
    deserializer.deserialize_any(Playlists)
}

struct Playlists;

impl<'de> Visitor<'de> for Playlists {
    type Value = Vec<WrittenPlaylist>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of playlists")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<WrittenPlaylist>, A::Error> {
        let mut list = Vec::new();
        while let Some(OrUrl(playlist)) = items.next_element()? {
            list.push(playlist);
        }
        Ok(list)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<WrittenPlaylist>, E> {
        scalar::read(text).map(|url: SourceUrl| vec![url.into()]).map_err(E::custom)
    }
}

/// A section, or a URL alone as its short form.
#[derive(Clone, Debug)]
struct OrUrl<T>(T);

impl<'de, T: Deserialize<'de> + From<SourceUrl>> Deserialize<'de> for OrUrl<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OrUrlVisitor(PhantomData)).map(Self)
    }
}

struct OrUrlVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + From<SourceUrl>> Visitor<'de> for OrUrlVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("keys with values, or a URL")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        scalar::read(text).map(|url: SourceUrl| url.into()).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, keys: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(keys))
    }
}

impl From<SourceUrl> for WrittenPlaylist {
    fn from(url: SourceUrl) -> Self {
        Self { url: Some(url), ..Self::default() }
    }
}

impl From<SourceUrl> for WrittenChannel {
    fn from(url: SourceUrl) -> Self {
        Self { urls: vec![url], ..Self::default() }
    }
}

/// Checks `written`; relative paths are relative to `folder`.
pub(super) fn lower(written: Vec<WrittenPlaylist>, folder: &Path, report: &mut Report) -> Vec<Playlist> {
    let numbered = written.into_iter().enumerate();
    numbered.filter_map(|(index, one)| playlist(one, &format!("lineup[{index}]"), folder, report)).collect()
}

fn playlist(written: WrittenPlaylist, key: &str, folder: &Path, report: &mut Report) -> Option<Playlist> {
    let WrittenPlaylist { url, file, tuners, priority, merge, reload, guide, .. } = &written;
    let (in_url, in_file) = (format!("{key}.url"), format!("{key}.file"));
    let one = url.is_some() != file.is_some();
    report.rule(one, key, &[&in_url, &in_file], "write either url or file: where the playlist is");
    report.rule(!reload.is_zero(), &format!("{key}.reload"), &[], "must be longer than 0s");
    for (address, key) in [(url, &in_url), (guide, &format!("{key}.guide"))] {
        let http = address.as_ref().is_none_or(|url| is_http(url.expose()));
        report.rule(http, key, &[], "write a URL of http or https; a playlist on this machine is a file");
    }
    for (name, value) in &written.headers {
        let holds = HeaderName::try_from(name).is_ok() && HeaderValue::try_from(value.expose()).is_ok();
        report.rule(holds, &format!("{key}.headers.{name}"), &[], "is no header that HTTP allows");
    }
    let location = match (url, file) {
        (Some(url), _) => Location::Url(url.clone()),
        (None, Some(file)) => Location::File(folder.join(file)),
        (None, None) => return None,
    };
    let (tuners, reload, guide) = (*tuners, *reload, guide.clone());
    let rules = rules(*priority, *merge, written);
    Some(Playlist { location, tuners, reload, guide, rules })
}

fn rules(priority: i32, merge: bool, written: WrittenPlaylist) -> Rules {
    let referrer = written.referrer.map(|referrer| ("Referer".to_owned(), referrer));
    let headers = written.headers.into_iter().map(|(name, value)| (name, value.expose().to_owned()));
    let channel = |(channel, OrUrl(written)): (scalar::Key, OrUrl<WrittenChannel>)| {
        let WrittenChannel { skip, urls, user_agent, produce, number, name, group } = written;
        Override { channel: channel.0, skip, urls, user_agent, produce, number, name, group }
    };
    Rules {
        priority,
        merge,
        user_agent: written.user_agent,
        headers: referrer.into_iter().chain(headers).collect(),
        overrides: written.channels.into_iter().map(channel).collect(),
    }
}

fn is_http(url: &str) -> bool {
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}
