//! Applies the operator's settings for a playlist and for single channels in it.

use crate::lineup::entry::Entry;
use crate::lineup::source::{ChannelSource, SourceKind, SourceUrl};
use crate::produce::Produce;

/// The settings for a playlist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Playlists of higher priority come first.
    pub priority: i32,
    /// Whether an entry becomes another source of a channel that already exists, in this or an earlier playlist.
    pub merge: bool,
    /// The `User-Agent` for entries without one.
    pub user_agent: Option<String>,
    /// Request headers, which an entry may override.
    pub headers: Vec<(String, String)>,
    /// The settings for single channels.
    pub overrides: Vec<Override>,
}

/// The settings for one channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Override {
    /// Which channel: its `tvg-id`, else its number, else its name.
    pub channel: String,
    /// Whether the channel is left out.
    pub skip: bool,
    /// The URLs to use instead, in the order to try; empty keeps the entry's own.
    pub urls: Vec<SourceUrl>,
    /// The `User-Agent` to send.
    pub user_agent: Option<String>,
    /// How its streams are made.
    pub produce: Option<Produce>,
    /// The number to show instead.
    pub number: Option<String>,
    /// The name to show instead.
    pub name: Option<String>,
    /// The group to show instead.
    pub group: Option<String>,
}

impl Rules {
    /// The position of the override for `entry`.
    pub(super) fn of(&self, entry: &Entry) -> Option<usize> {
        let names = [entry.tvg_id(), entry.number(), Some(entry.name.as_str())];
        names
            .into_iter()
            .flatten()
            .find_map(|name| self.overrides.iter().position(|rule| rule.channel == name))
    }

    /// The sources of `entry` in `playlist`.
    pub(super) fn sources(
        &self,
        playlist: usize,
        entry: &Entry,
        rule: Option<&Override>,
    ) -> Vec<ChannelSource> {
        let user_agent = rule.and_then(|rule| rule.user_agent.clone());
        let user_agent = user_agent.or_else(|| entry.user_agent.clone()).or_else(|| self.user_agent.clone());
        let said = |name: &str| entry.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
        let ours = self.headers.iter().filter(|(name, _)| !said(name));
        let headers: Vec<_> = entry.headers.iter().chain(ours).cloned().collect();
        let source = |url: &SourceUrl, kind: SourceKind| ChannelSource {
            url: url.clone(),
            kind,
            user_agent: user_agent.clone(),
            headers: headers.clone(),
            playlist,
        };
        let instead = rule.map_or(&[][..], |rule| &rule.urls).iter();
        let instead: Vec<_> =
            instead.filter_map(|url| Some(source(url, SourceKind::of(url.expose())?))).collect();
        if instead.is_empty() { vec![source(&entry.url, entry.kind)] } else { instead }
    }
}
