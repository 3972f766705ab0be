//! The lineup as a playlist of the gateway's own, for Jellyfin to tune through it.

use std::fmt::{self, Write as _};

use crate::lineup::Lineup;

/// What a lineup says itself, or what would be untrue behind the gateway.
const OWN: [&str; 8] = [
    "tvg-name",
    "tvg-chno",
    "group-title",
    "channel-number",
    "ch-number",
    "user-agent",
    "http-user-agent",
    "catchup-source",
];

/// Where the gateway serves its lineup, and what its URLs must carry.
#[derive(Clone, PartialEq, Eq)]
pub struct Site {
    base: String,
    token: Option<String>,
}

impl Site {
    /// At `base`, which is scheme, host and whatever stands before `/lineup/`.
    #[must_use]
    pub fn new(base: &str, token: Option<&str>) -> Self {
        Self { base: base.trim_end_matches('/').to_owned(), token: token.map(str::to_owned) }
    }

    /// The URL of the channel `id`.
    #[must_use]
    pub fn channel(&self, id: &str) -> String {
        self.url(&format!("{id}.ts"))
    }

    /// The URL of the guide.
    #[must_use]
    pub fn guide(&self) -> String {
        self.url("guide.xml")
    }

    fn url(&self, name: &str) -> String {
        let token = self.token.iter().map(|token| format!("?token={token}"));
        format!("{}/lineup/{name}{}", self.base, token.collect::<String>())
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").field("base", &self.base).finish_non_exhaustive()
    }
}

/// All channels of `lineup`, pulled through the gateway at `site`.
#[must_use]
pub fn render(lineup: &Lineup, site: &Site) -> String {
    let mut text = format!("#EXTM3U x-tvg-url=\"{}\"\n", site.guide());
    for channel in lineup.channels() {
        text.push_str("#EXTINF:-1");
        let said = channel.attributes.iter().filter(|(key, _)| !OWN.contains(&key.to_lowercase().as_str()));
        // What names the channel in the guide: its own id stands in where the provider gives none.
        let id = channel.tvg_id().is_none().then_some(("tvg-id", channel.id.as_str()));
        let own = [
            ("tvg-name", Some(channel.name.as_str())),
            ("tvg-chno", channel.number.as_deref()),
            ("group-title", channel.group.as_deref()),
        ];
        let own = own.into_iter().filter_map(|(key, value)| value.map(|value| (key, value)));
        for (key, value) in id.into_iter().chain(said).chain(own) {
            let _ = write!(text, " {key}=\"{}\"", on_one_line(value).replace('"', "'"));
        }
        let _ = writeln!(text, ",{}\n{}", on_one_line(&channel.name), site.channel(channel.id.as_str()));
    }
    text
}

fn on_one_line(value: &str) -> String {
    value.replace(['\r', '\n'], " ")
}
