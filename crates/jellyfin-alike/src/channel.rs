//! Channels and their ids, computed as the real server does (`MediaSourceManager.cs`, `M3UTunerHost.cs`).
//!
//! Whether a channel is open is not known here: see `live_stream`.

use serde_json::{Value, json};

use crate::guid;
use crate::settings::server_id;

/// MD5 of the type name of `LiveTvMediaSourceProvider`, the same since Jellyfin 10.9.
const PROVIDER: &str = "e2329f4997b378e64ccf8fa396deb76e";
/// MD5 of the type name of `DefaultLiveTvService`, the same since Jellyfin 10.9.
const SERVICE: &str = "af999c25a00715699361240d4c6c7a53";

/// The type of a channel's item, from whose name its id is computed together with the service's and the channel's
/// (`LiveTvDtoService.cs`, `LibraryManager.cs`).
const ITEM_TYPE: &str = "MediaBrowser.Controller.LiveTv.LiveTvChannel";
/// The URL of the playlist of generated channels.
pub(crate) const PLAYLIST: &str = "http://127.0.0.1:9981/channels.m3u";
/// The URL of the playlist of the second tuner host, if there is one.
pub(crate) const SECOND_PLAYLIST: &str = "http://127.0.0.1:9982/channels.m3u";

/// One channel of an M3U tuner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its number, counted from 1.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// The id of its item, 32 hex digits.
    pub item_id: String,
    /// The id of its only media source: MD5 of its URL.
    pub media_source_id: String,
    /// The id of its live stream, the same for every opening.
    pub live_stream_id: String,
    /// The `OpenToken` of `LiveStreams/Open`.
    pub open_token: String,
    /// The provider's URL, from which the ids are computed.
    pub url: String,
    /// The URL of the playlist that it is on, which makes its tuner host.
    pub playlist: String,
    /// How it is received.
    pub reception: Reception,
}

/// How a channel is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reception {
    /// FFmpeg generates test pictures and a tone; the channel's URL is never requested.
    Generated,
    /// The channel's URL is requested.
    Pulled,
}

impl Channel {
    /// The generated channel with this number.
    #[must_use]
    pub fn new(number: u32) -> Self {
        Self::on(PLAYLIST, number)
    }

    /// The generated channel with this number, on this playlist.
    pub(crate) fn on(playlist: &str, number: u32) -> Self {
        let url = format!("http://127.0.0.1:9981/ch/{number}.ts");
        Self::at(playlist, url, number, format!("Test {number}"), Reception::Generated)
    }

    /// The generated channel with this number, at a tuner that names its live streams as it likes.
    pub(crate) fn of_plugin(number: u32) -> Self {
        let plugin = guid::md5("warmgate demo: plugin");
        Self { live_stream_id: format!("{plugin}_channel-{number}"), ..Self::new(number) }
    }

    /// The channels of an M3U playlist. Their ids are computed from the URL's line as it is written (`M3uParser.cs`).
    pub(crate) fn from_playlist(playlist_url: &str, playlist: &str) -> Vec<Self> {
        let (mut channels, mut name) = (Vec::new(), None);
        for line in playlist.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some(info) = line.strip_prefix("#EXTINF:") {
                name = Some(info.rsplit_once(',').map_or(info, |(_, name)| name).trim().to_owned());
            } else if !line.starts_with('#')
                && let Some(name) = name.take()
            {
                let number = u32::try_from(channels.len() + 1).unwrap_or(u32::MAX);
                channels.push(Self::at(playlist_url, line.to_owned(), number, name, Reception::Pulled));
            }
        }
        channels
    }

    fn at(playlist: &str, url: String, number: u32, name: String, reception: Reception) -> Self {
        let media_source_id = guid::md5(&url);
        let item_id = guid::md5(&format!("{ITEM_TYPE}embym3u_{}{media_source_id}4", guid::md5(playlist)));
        Self {
            number,
            name,
            live_stream_id: format!("{PROVIDER}_{SERVICE}_{media_source_id}"),
            open_token: format!("{PROVIDER}_LiveTvChannel_{item_id}_{media_source_id}"),
            item_id,
            media_source_id,
            url,
            playlist: playlist.to_owned(),
            reception,
        }
    }

    /// The item's id with dashes, as a `TranscodingUrl` has it.
    #[must_use]
    pub fn dashed_item_id(&self) -> String {
        let id = &self.item_id;
        format!("{}-{}-{}-{}-{}", &id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..])
    }

    /// The bitrate of the channel's audio that a probe finds, in bit/s.
    #[must_use]
    pub fn audio_bitrate(&self) -> u64 {
        98_730 + 228 * u64::from(self.number - 1)
    }

    /// The JSON of its `BaseItemDto`.
    pub(crate) fn to_item(&self) -> Value {
        json!({
            "Name": self.name, "Id": self.item_id, "Number": self.number.to_string(),
            "ChannelNumber": self.number.to_string(), "Type": "TvChannel", "ChannelType": "TV",
            "MediaType": "Video", "IsFolder": false, "LocationType": "Remote", "ServerId": server_id(),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::channel::{Channel, Reception};

    #[test]
    fn ids_are_those_of_the_recorded_server() {
        let channel = Channel::new(1);
        assert_eq!(channel.media_source_id, "f91bdbcf108c4e49092c20cd88e22af1");
        assert_eq!(
            channel.live_stream_id,
            "e2329f4997b378e64ccf8fa396deb76e_af999c25a00715699361240d4c6c7a53_f91bdbcf108c4e49092c20cd88e22af1"
        );
    }

    #[test]
    fn a_playlist_has_names_and_urls() {
        let text = "#EXTM3U\n#EXTINF:-1 tvg-id=\"a\",One, more\n#EXTGRP:x\nhttp://127.0.0.1:9981/ch/1.ts\nhttp://x/2\n";
        let channels = Channel::from_playlist(super::PLAYLIST, text);
        let [one] = &channels[..] else { panic!("{channels:?}") };
        assert_eq!((one.name.as_str(), one.reception), ("more", Reception::Pulled));
        assert_eq!(one.media_source_id, Channel::new(1).media_source_id);
    }
}
