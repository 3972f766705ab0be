//! Reads the path of an open channel's shared raw stream, `…/LiveTv/LiveStreamFiles/{uniqueId}/stream.ts`: the tuner's transport
//! stream, for any number of readers (docs/jellyfin.md 4).
//!
//! It does not know whether the stream is still shared.

/// The path of an open channel's shared raw stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawPath(String);

impl RawPath {
    /// Takes the path of the URL that an answer gives as the media source's; `None` if it is no shared raw stream.
    #[must_use]
    pub fn of_url(url: &str) -> Option<Self> {
        let path = url.parse::<http::Uri>().ok()?.path().to_owned();
        opening_in(&path)?;
        Some(Self(path))
    }

    /// The path.
    #[must_use]
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The unique id of the opening, in lower case: the only name that tells two openings of a live stream apart.
    #[must_use]
    pub fn opening(&self) -> String {
        opening_in(&self.0).unwrap_or_default()
    }
}

/// The unique id in the path of a shared raw stream.
fn opening_in(path: &str) -> Option<String> {
    let path = path.to_ascii_lowercase();
    let (_, rest) = path.split_once("/livetv/livestreamfiles/")?;
    let (unique, file) = rest.split_once('/')?;
    (file.starts_with("stream.") && !file.contains('/')).then(|| unique.to_owned())
}
