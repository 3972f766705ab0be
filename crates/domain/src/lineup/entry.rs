//! What a playlist says of one channel, and what was wrong with what it said.

use std::fmt;

use crate::key::MediaSourceId;
use crate::lineup::attributes::Attributes;
use crate::lineup::source::{SourceKind, SourceUrl};

/// A URL and what was said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The line of its URL, from 1.
    pub line: usize,
    /// As Jellyfin names it: over the whole line of the URL, as it was written.
    pub media_source: MediaSourceId,
    /// Where it is.
    pub url: SourceUrl,
    /// How it is pulled.
    pub kind: SourceKind,
    /// What people call it.
    pub name: String,
    /// Its group, if it is in one.
    pub group: Option<String>,
    /// All attributes, known or not.
    pub attributes: Attributes,
    /// What a player is to call itself.
    pub user_agent: Option<String>,
    /// What else a request is to say: names and values that HTTP allows.
    pub headers: Vec<(String, String)>,
}

impl Entry {
    /// Its name in the guide.
    #[must_use]
    pub fn tvg_id(&self) -> Option<&str> {
        self.attributes.get("tvg-id")
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> Option<&str> {
        self.attributes.first(&["tvg-chno", "channel-number", "ch-number"])
    }

    /// The URL of its logo.
    #[must_use]
    pub fn logo(&self) -> Option<&str> {
        self.attributes.first(&["tvg-logo", "logo"])
    }
}

/// Something wrong with a playlist: where, with which channel, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The line, from 1.
    pub line: usize,
    /// The channel's name, where it is known.
    pub name: String,
    /// What is wrong.
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

/// What can be wrong with a playlist. Its text shows nothing of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// No channel list at all.
    #[error("this is the HLS playlist of one stream, not a list of channels")]
    Stream,
    /// An error page, most likely.
    #[error("this is a page for a browser, not a list of channels")]
    Page,
    /// `#EXTINF` and no URL.
    #[error("no URL follows")]
    NoUrl,
    /// A URL and no `#EXTINF`; Jellyfin passes it over as well.
    #[error("no #EXTINF precedes this URL")]
    NoInfo,
    /// Not of a kind that can be pulled.
    #[error(
        "the gateway pulls http, https, rtsp, udp and rtp URLs and files; DASH and anything else stays Jellyfin's"
    )]
    Kind,
    /// A file of this machine, named by another.
    #[error("only a playlist that is a file itself, or an override, names files of this machine")]
    File,
    /// It is encrypted for a player that has a licence.
    #[error("it needs a DRM licence, which the gateway has none of")]
    Drm,
    /// The same URL once more: Jellyfin gives both the same id.
    #[error("this URL is the same as on line {first}")]
    Repeated {
        /// Where it is first.
        first: usize,
    },
    /// A quote that is never closed; the entry is taken.
    #[error("a quote is not closed; what follows it may be misread")]
    Unclosed,
    /// Nothing names it; the entry is taken.
    #[error("it has no name")]
    Unnamed,
    /// A header that HTTP does not allow; the entry is taken without it.
    #[error("a header is not as HTTP allows it, and is left out")]
    Header,
}

impl Flaw {
    /// Whether the entry is passed over for it.
    #[must_use]
    pub const fn skips(self) -> bool {
        match self {
            Self::Stream | Self::Page | Self::NoUrl | Self::NoInfo => true,
            Self::Kind | Self::File | Self::Drm | Self::Repeated { .. } => true,
            Self::Unclosed | Self::Unnamed | Self::Header => false,
        }
    }
}
