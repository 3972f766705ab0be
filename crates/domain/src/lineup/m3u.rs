//! Writes the lineup as a playlist, through which Jellyfin can tune at the gateway.

use std::fmt::Write as _;

use crate::lineup::Lineup;
use crate::lineup::site::Site;

/// Attributes that the lineup writes itself, or that are wrong behind the gateway.
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

/// Writes the channels of `lineup`, with URLs of the gateway at `site`.
#[must_use]
pub fn render(lineup: &Lineup, site: &Site) -> String {
    let mut text = format!("#EXTM3U x-tvg-url=\"{}\"\n", site.guide());
    for channel in lineup.channels() {
        text.push_str("#EXTINF:-1");
        let said = channel.attributes.iter().filter(|(key, _)| !OWN.contains(&key.to_lowercase().as_str()));
        // The channel's own id names it in the guide if the provider gives none.
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
