//! Defines where a channel can be pulled from.
//!
//! The URLs of providers are credentials: they contain user and password, often in the path. So every display of a source
//! shows its scheme and host only.

use std::fmt;
use std::sync::Arc;

/// A URL that must not be shown.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceUrl(Arc<str>);

impl SourceUrl {
    /// Takes the URL as it is written.
    #[must_use]
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The URL itself: for requests, never for messages.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((scheme, rest)) = self.0.split_once("://") else { return f.write_str("…") };
        let authority = rest.split(['/', '?', '#', '|']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        let more = if rest.len() > authority.len() { "/…" } else { "" };
        write!(f, "{scheme}://{host}{more}")
    }
}

impl fmt::Debug for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceUrl({self})")
    }
}

/// How a source is pulled, judged by its URL. The server may still answer with something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceKind {
    /// An endless transport stream over HTTP.
    Http,
    /// An HLS playlist over HTTP.
    Hls,
    /// RTSP.
    Rtsp,
    /// A transport stream over UDP.
    Udp,
    /// A transport stream over RTP.
    Rtp,
    /// A file on this machine.
    File,
}

impl SourceKind {
    /// The spelling in logs and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Hls => "hls",
            Self::Rtsp => "rtsp",
            Self::Udp => "udp",
            Self::Rtp => "rtp",
            Self::File => "file",
        }
    }

    /// The kind of `url`; `None` if it cannot be pulled.
    #[must_use]
    pub fn of(url: &str) -> Option<Self> {
        if url.starts_with('/') {
            return Some(Self::File);
        }
        let (scheme, rest) = url.split_once("://").filter(|(_, rest)| !rest.is_empty())?;
        match scheme.to_ascii_lowercase().as_str() {
            "http" | "https" => match extension(rest).as_deref() {
                Some("m3u8" | "m3u") => Some(Self::Hls),
                Some("mpd" | "ism") => None,
                Some(_) | None => Some(Self::Http),
            },
            "rtsp" | "rtsps" => Some(Self::Rtsp),
            "udp" => Some(Self::Udp),
            "rtp" => Some(Self::Rtp),
            "file" => Some(Self::File),
            _ => None,
        }
    }
}

/// The extension of a path, in lower case.
fn extension(rest: &str) -> Option<String> {
    let path = rest.split(['?', '#']).next()?;
    let (_, name) = path.rsplit_once('/')?;
    name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase())
}

/// A source of a channel.
#[derive(Clone, PartialEq, Eq)]
pub struct ChannelSource {
    /// The URL.
    pub url: SourceUrl,
    /// How it is pulled.
    pub kind: SourceKind,
    /// The `User-Agent` to send; `None` lets the gateway choose.
    pub user_agent: Option<String>,
    /// Other request headers: names and values that HTTP allows.
    pub headers: Vec<(String, String)>,
    /// The playlist it comes from, by its position in the configuration: it takes a connection of that provider.
    pub playlist: usize,
}

impl ChannelSource {
    /// All request headers, `User-Agent` first.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let user_agent = self.user_agent.iter().map(|value| ("User-Agent", value.as_str()));
        user_agent.chain(self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }
}

impl fmt::Debug for ChannelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.fields().map(|(name, _)| name).collect();
        f.debug_struct("ChannelSource")
            .field("url", &self.url)
            .field("kind", &self.kind)
            .field("fields", &names)
            .field("playlist", &self.playlist)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_told_from_the_url() {
        for (url, kind) in [
            ("http://tv.example/live/me/pw/17.ts", Some(SourceKind::Http)),
            ("HTTPS://tv.example/17", Some(SourceKind::Http)),
            ("http://m3u8.example", Some(SourceKind::Http)),
            ("http://tv.example/udp/239.0.0.1:1234", Some(SourceKind::Http)),
            ("http://tv.example/a/index.M3U8?token=1.ts", Some(SourceKind::Hls)),
            ("http://tv.example/a/manifest.mpd", None),
            ("rtsp://192.0.2.1:554/?src=1&freq=11362", Some(SourceKind::Rtsp)),
            ("udp://@239.0.0.1:1234", Some(SourceKind::Udp)),
            ("rtp://239.0.0.1:1234", Some(SourceKind::Rtp)),
            ("file:///srv/tv.ts", Some(SourceKind::File)),
            ("/srv/tv.ts", Some(SourceKind::File)),
            ("plugin://plugin.video.x/", None),
            ("http://", None),
            ("news", None),
        ] {
            assert_eq!(SourceKind::of(url), kind, "{url}");
        }
    }

    #[test]
    fn nobody_is_shown_a_password() {
        for (url, shown) in [
            ("http://me:secret@tv.example:80/live/secret/1.ts?t=secret", "http://tv.example:80/…"),
            ("http://tv.example?t=secret", "http://tv.example/…"),
            ("http://tv.example", "http://tv.example"),
            ("udp://@239.0.0.1:1234", "udp://239.0.0.1:1234"),
            ("/srv/secret.ts", "…"),
        ] {
            let headers = vec![("Cookie".to_owned(), "secret".to_owned())];
            let url = SourceUrl::new(url);
            assert_eq!(url.to_string(), shown);
            let source =
                ChannelSource { url, kind: SourceKind::Http, user_agent: None, headers, playlist: 0 };
            assert!(!format!("{source:?}").contains("secret"), "{source:?}");
        }
    }
}
