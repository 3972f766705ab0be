//! The channels that playlists of the provider know: which there are, and where each can be pulled from.
//!
//! ```text
//! text ─► parse ─► entries ─┐
//! text ─► parse ─► entries ─┼─► Lineup: channels, each with sources to be tried in order
//! rules of the operator ────┘
//! ```
//!
//! A request names a media source, whose id Jellyfin derives from the URL alone; so a lineup and a request meet without
//! anybody being asked. It does not know how playlists are got, nor what is pulled at the moment.

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

/// What can be watched, under one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineupChannel {
    /// Its id in the gateway's own playlist.
    pub id: ChannelId,
    /// The media sources that mean it, at Jellyfin.
    pub media_sources: Vec<MediaSourceId>,
    /// What people call it.
    pub name: String,
    /// Its number.
    pub number: Option<String>,
    /// Its group.
    pub group: Option<String>,
    /// All that its first entry said of it.
    pub attributes: Attributes,
    /// Where it can be pulled from, to be tried in order.
    pub sources: Vec<ChannelSource>,
    /// How its streams are to be made, if anything is wished.
    pub produce: Option<Produce>,
}

impl LineupChannel {
    /// Its name in the guide.
    #[must_use]
    pub fn tvg_id(&self) -> Option<&str> {
        self.attributes.get("tvg-id")
    }
}

/// A programme guide and the playlist that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guide {
    /// Where it is.
    pub url: SourceUrl,
    /// Which playlist names it, in the order of the configuration.
    pub playlist: usize,
}

/// The channels of all playlists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lineup {
    channels: Vec<LineupChannel>,
    by_media_source: BTreeMap<MediaSourceId, usize>,
    /// The media sources of the gateway's own playlist.
    served: BTreeSet<MediaSourceId>,
    guides: Vec<Guide>,
    idle_rules: Vec<(usize, String)>,
}

impl Lineup {
    /// What `playlists` have together under their rules. The one of highest priority comes first, among equals the first.
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

    /// The same, known also by the media sources that Jellyfin makes of the gateway's own playlist at `site`.
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

    /// The channel that a request for `media_source` means.
    #[must_use]
    pub fn find(&self, media_source: &MediaSourceId) -> Option<&LineupChannel> {
        self.by_media_source.get(media_source).map(|&index| &self.channels[index])
    }

    /// Whether whoever asks for `media_source` has it from the gateway's own playlist: it tunes through the gateway, and
    /// not at the provider itself.
    #[must_use]
    pub fn is_served(&self, media_source: &MediaSourceId) -> bool {
        self.served.contains(media_source)
    }

    /// The channel of this id in the gateway's own playlist.
    #[must_use]
    pub fn channel(&self, id: &ChannelId) -> Option<&LineupChannel> {
        self.channels.iter().find(|channel| channel.id == *id)
    }

    /// The programme guides that the playlists name.
    #[must_use]
    pub fn guides(&self) -> &[Guide] {
        &self.guides
    }

    /// Overrides that apply to no entry, each with its playlist: most likely mistyped.
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
        // The same URL is the same channel, whoever lists it.
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

    /// Gives each channel its id: from its name in the guide, else from its name; the second of a name is told apart.
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

/// Which channel has which name, while a lineup is put together: playlists are too long to be searched.
#[derive(Default)]
struct Names {
    in_guide: BTreeMap<String, usize>,
    any: BTreeMap<String, usize>,
    /// Of those without a name in the guide.
    plain: BTreeMap<String, usize>,
}

impl Names {
    /// The channel of the same name in the guide, or of the very same name where one of the two has none there.
    fn find(&self, entry: &Entry) -> Option<usize> {
        let found = match entry.tvg_id() {
            Some(id) => self.in_guide.get(id).or_else(|| self.plain.get(&entry.name)),
            None => self.any.get(&entry.name),
        };
        found.copied()
    }

    /// Notes the channel that `entry` has become; the first of a name counts.
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
