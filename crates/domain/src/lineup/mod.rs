//! Merges the provider's playlists into one lineup: its channels, and where each can be pulled from.
//!
//! ```text
//! text ─► parse ─► entries ─┐
//! text ─► parse ─► entries ─┼─► Lineup: channels, each with its sources in the order to try
//! rules of the operator ────┘
//! ```
//!
//! A request names a media source, whose id Jellyfin derives from the URL alone. So the channel of a request is found
//! without asking the server. The lineup does not know how playlists are fetched, nor which channels are being pulled.

pub mod attributes;
pub mod entry;
pub mod m3u;
mod options;
pub mod parse;
mod rules;
pub mod site;
pub mod source;
pub mod tuners;
pub mod xmltv;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::guid;
use crate::key::{ChannelId, MediaSourceId};
use crate::lineup::attributes::Attributes;
use crate::lineup::entry::Entry;
use crate::lineup::parse::Playlist;
use crate::lineup::site::Site;
use crate::lineup::source::{ChannelSource, SourceUrl};
use crate::produce::Produce;

pub use crate::lineup::rules::{Override, Rules};

/// A channel of the lineup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineupChannel {
    /// Its id in the gateway's own playlist.
    pub id: ChannelId,
    /// The ids of its media sources at Jellyfin.
    pub media_sources: Vec<MediaSourceId>,
    /// Its name.
    pub name: String,
    /// Its number.
    pub number: Option<String>,
    /// Its group.
    pub group: Option<String>,
    /// The attributes of its first entry.
    pub attributes: Attributes,
    /// Where it can be pulled from, in the order to try.
    pub sources: Vec<ChannelSource>,
    /// How its streams are made, if the operator says so.
    pub produce: Option<Produce>,
}

impl LineupChannel {
    /// Its id in the guide.
    #[must_use]
    pub fn tvg_id(&self) -> Option<&str> {
        self.attributes.get("tvg-id")
    }
}

/// A guide (XMLTV) that a playlist names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guide {
    /// Its URL.
    pub url: SourceUrl,
    /// The playlist, by its position in the configuration.
    pub playlist: usize,
}

/// The channels of all playlists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lineup {
    channels: Vec<LineupChannel>,
    by_media_source: BTreeMap<MediaSourceId, usize>,
    /// The media sources that Jellyfin has from the gateway's own playlist.
    served: BTreeSet<MediaSourceId>,
    guides: Vec<Guide>,
    idle_rules: Vec<(usize, String)>,
}

impl Lineup {
    /// Merges `playlists` under their rules: the highest priority first, else in the order given.
    #[must_use]
    pub fn new(playlists: &[(Rules, Arc<Playlist>)]) -> Self {
        let mut order: Vec<usize> = (0..playlists.len()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(playlists[index].0.priority));
        let (mut lineup, mut names) = (Self::default(), Names::default());
        for index in order {
            let (rules, playlist) = &playlists[index];
            let mut used = vec![false; rules.overrides.len()];
            for entry in &playlist.entries {
                let of_entry = rules.of(entry);
                of_entry.iter().for_each(|&at| used[at] = true);
                lineup.add(index, entry, rules, of_entry.map(|at| &rules.overrides[at]), &mut names);
            }
            let idle = rules.overrides.iter().zip(used).filter(|(_, used)| !used);
            lineup.idle_rules.extend(idle.map(|(rule, _)| (index, rule.channel.clone())));
            let guides = playlist.guides.iter().cloned();
            lineup.guides.extend(guides.map(|url| Guide { url, playlist: index }));
        }
        lineup.name_channels();
        lineup
    }

    /// Adds the media sources that Jellyfin derives from the gateway's own playlist at `site`.
    #[must_use]
    pub fn served_at(mut self, site: &Site) -> Self {
        for (index, channel) in self.channels.iter_mut().enumerate() {
            let media_source = MediaSourceId::new(guid::md5(&site.channel(channel.id.as_str())));
            channel.media_sources.push(media_source.clone());
            self.served.insert(media_source.clone());
            self.by_media_source.insert(media_source, index);
        }
        self
    }

    /// The channels, in the order of their playlists.
    #[must_use]
    pub fn channels(&self) -> &[LineupChannel] {
        &self.channels
    }

    /// The channel of a media source.
    #[must_use]
    pub fn find(&self, media_source: &MediaSourceId) -> Option<&LineupChannel> {
        self.by_media_source.get(media_source).map(|&index| &self.channels[index])
    }

    /// Whether Jellyfin has `media_source` from the gateway's own playlist, and so tunes at the gateway instead of the
    /// provider.
    #[must_use]
    pub fn is_served(&self, media_source: &MediaSourceId) -> bool {
        self.served.contains(media_source)
    }

    /// The channel with this id in the gateway's own playlist.
    #[must_use]
    pub fn channel(&self, id: &ChannelId) -> Option<&LineupChannel> {
        self.channels.iter().find(|channel| channel.id == *id)
    }

    /// The guides that the playlists name.
    #[must_use]
    pub fn guides(&self) -> &[Guide] {
        &self.guides
    }

    /// Overrides that match no entry, each with its playlist: most likely a typing error.
    #[must_use]
    pub fn idle_rules(&self) -> &[(usize, String)] {
        &self.idle_rules
    }

    fn add(
        &mut self,
        playlist: usize,
        entry: &Entry,
        rules: &Rules,
        of_entry: Option<&Override>,
        names: &mut Names,
    ) {
        if of_entry.is_some_and(|rule| rule.skip) {
            return;
        }
        let sources = rules.sources(playlist, entry, of_entry);
        // The same URL is the same channel, whichever playlist lists it.
        let by_url = self.by_media_source.get(&entry.media_source).copied();
        let index = by_url.or_else(|| names.find(entry).filter(|_| rules.merge)).unwrap_or_else(|| {
            self.channels.push(channel(entry, of_entry));
            names.note(entry, self.channels.len() - 1);
            self.channels.len() - 1
        });
        let channel = &mut self.channels[index];
        channel.sources.extend(sources);
        if !channel.media_sources.contains(&entry.media_source) {
            channel.media_sources.push(entry.media_source.clone());
        }
        self.by_media_source.insert(entry.media_source.clone(), index);
    }

    /// Gives each channel an id, derived from its id in the guide or else its name, and from its position among those of
    /// the same name.
    fn name_channels(&mut self) {
        let mut seen = BTreeMap::<String, u32>::new();
        for channel in &mut self.channels {
            let name = channel.tvg_id().unwrap_or(&channel.name);
            let count = seen.entry(name.to_owned()).or_default();
            *count += 1;
            channel.id = ChannelId::new(guid::md5(&format!("warmgate lineup: {name} #{count}")));
        }
    }
}

/// An index of the channels by name, used while the lineup is built.
#[derive(Default)]
struct Names {
    in_guide: BTreeMap<String, usize>,
    any: BTreeMap<String, usize>,
    /// The channels without an id in the guide.
    plain: BTreeMap<String, usize>,
}

impl Names {
    /// The channel with the same id in the guide; or with the same name, if one of the two has no id.
    fn find(&self, entry: &Entry) -> Option<usize> {
        let found = match entry.tvg_id() {
            Some(id) => self.in_guide.get(id).or_else(|| self.plain.get(&entry.name)),
            None => self.any.get(&entry.name),
        };
        found.copied()
    }

    /// Notes the channel of `entry`; the first of a name counts.
    fn note(&mut self, entry: &Entry, index: usize) {
        let mine = match entry.tvg_id() {
            Some(id) => self.in_guide.entry(id.to_owned()),
            None => self.plain.entry(entry.name.clone()),
        };
        mine.or_insert(index);
        self.any.entry(entry.name.clone()).or_insert(index);
    }
}

fn channel(entry: &Entry, rule: Option<&Override>) -> LineupChannel {
    let wished = |wish: fn(&Override) -> &Option<String>, said: Option<&str>| {
        rule.and_then(|rule| wish(rule).clone()).or_else(|| said.map(str::to_owned))
    };
    LineupChannel {
        id: ChannelId::new(""),
        media_sources: vec![entry.media_source.clone()],
        name: wished(|rule| &rule.name, None).unwrap_or_else(|| entry.name.clone()),
        number: wished(|rule| &rule.number, entry.number()),
        group: wished(|rule| &rule.group, entry.group.as_deref()),
        attributes: entry.attributes.clone(),
        sources: Vec::new(),
        produce: rule.and_then(|rule| rule.produce),
    }
}
