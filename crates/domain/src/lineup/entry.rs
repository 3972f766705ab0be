//! Defines an entry of a playlist, and the flaws that one can have.

use std::fmt;

use crate::key::MediaSourceId;
use crate::lineup::attributes::Attributes;
use crate::lineup::source::{SourceKind, SourceUrl};

/// An entry: a URL and what the playlist says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The line of the URL, counted from 1.
    pub line: usize,
    /// The id that Jellyfin derives from the whole line of the URL as it is written.
    pub media_source: MediaSourceId,
    /// The URL.
    pub url: SourceUrl,
    /// How it is pulled.
    pub kind: SourceKind,
    /// The name of the channel.
    pub name: String,
    /// The group of the channel.
    pub group: Option<String>,
    /// All attributes, known or not.
    pub attributes: Attributes,
    /// The `User-Agent` to send.
    pub user_agent: Option<String>,
    /// Other request headers: names and values that HTTP allows.
    pub headers: Vec<(String, String)>,
}

impl Entry {
    /// The id of the channel in the guide.
    #[must_use]
    pub fn tvg_id(&self) -> Option<&str> {
        self.attributes.get("tvg-id")
    }

    /// The channel number.
    #[must_use]
    pub fn number(&self) -> Option<&str> {
        self.attributes.first(&["tvg-chno", "channel-number", "ch-number"])
    }

    /// The URL of the logo.
    #[must_use]
    pub fn logo(&self) -> Option<&str> {
        self.attributes.first(&["tvg-logo", "logo"])
    }
}

/// A flaw, and where in the playlist it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The line, counted from 1.
    pub line: usize,
    /// The name of the channel; empty if it is unknown.
    pub name: String,
    /// The flaw.
    pub flaw: Flaw,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        if !self.name.is_empty() {
            write!(f, "{}: ", self.name)?;
        }
        self.flaw.fmt(f)
    }
}

/// A flaw of a playlist. Its text shows nothing of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The text is the HLS playlist of one stream.
    #[error("this is the HLS playlist of one stream, not a list of channels")]
    Stream,
    /// The text is a web page, most likely an error.
    #[error("this is a page for a browser, not a list of channels")]
    Page,
    /// No URL follows `#EXTINF`.
    #[error("no URL follows")]
    NoUrl,
    /// No `#EXTINF` precedes the URL; Jellyfin skips such a URL as well.
    #[error("no #EXTINF precedes this URL")]
    NoInfo,
    /// The URL is of a kind that cannot be pulled.
    #[error(
        "the gateway pulls http, https, rtsp, udp and rtp URLs and files; DASH and other kinds are left to Jellyfin"
    )]
    Kind,
    /// A remote playlist names a file of this machine.
    #[error("only a playlist that is a file itself, or an override, may name files of this machine")]
    File,
    /// The stream is encrypted for players with a licence.
    #[error("it needs a DRM licence, which the gateway does not have")]
    Drm,
    /// The URL has occurred before; Jellyfin gives both the same id.
    #[error("this URL is the same as on line {first}")]
    Repeated {
        /// The line where it occurred first.
        first: usize,
    },
    /// A quote is not closed; the entry is kept.
    #[error("a quote is not closed; what follows it may be misread")]
    Unclosed,
    /// The entry has no name; it is kept.
    #[error("it has no name")]
    Unnamed,
    /// HTTP does not allow a header; the entry is kept without it.
    #[error("a header is not as HTTP allows it, and is left out")]
    Header,
}

impl Flaw {
    /// Whether the entry is skipped because of it.
    #[must_use]
    pub const fn skips(self) -> bool {
        match self {
            Self::Stream | Self::Page | Self::NoUrl | Self::NoInfo => true,
            Self::Kind | Self::File | Self::Drm | Self::Repeated { .. } => true,
            Self::Unclosed | Self::Unnamed | Self::Header => false,
        }
    }
}
