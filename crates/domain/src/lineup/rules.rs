//! What the operator has to say about a playlist, and about single channels in it.

use crate::lineup::entry::Entry;
use crate::lineup::source::{ChannelSource, SourceKind, SourceUrl};
use crate::produce::Produce;

/// How a playlist's entries are taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Playlists of a higher one come first.
    pub priority: i32,
    /// Whether an entry is another source of a channel that an earlier entry or playlist has.
    pub merge: bool,
    /// What the gateway calls itself, unless an entry says otherwise.
    pub user_agent: Option<String>,
    /// What its requests say, unless an entry says otherwise.
    pub headers: Vec<(String, String)>,
    /// What is different for single channels.
    pub overrides: Vec<Override>,
}

/// What is different for one channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Override {
    /// Which channel: its `tvg-id`, else its number, else its name.
    pub channel: String,
    /// Not to be taken at all.
    pub skip: bool,
    /// Where to pull it from instead, to be tried in order; empty leaves it as it is.
    pub urls: Vec<SourceUrl>,
    /// What the gateway calls itself.
    pub user_agent: Option<String>,
    /// How its streams are made.
    pub produce: Option<Produce>,
    /// Another number.
    pub number: Option<String>,
    /// Another name.
    pub name: Option<String>,
    /// Another group.
    pub group: Option<String>,
}

impl Rules {
    /// Which override is for `entry`.
    pub(super) fn of(&self, entry: &Entry) -> Option<usize> {
        let names = [entry.tvg_id(), entry.number(), Some(entry.name.as_str())];
        names
            .into_iter()
            .flatten()
            .find_map(|name| self.overrides.iter().position(|rule| rule.channel == name))
    }

    /// Where `entry`, of this playlist, is pulled from.
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
