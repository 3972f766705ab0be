//! Defines the identifiers of items, media sources, play sessions, streams and consumers.
//!
//! The module knows their syntax and equality. It does not know the URLs and JSON that they are read from.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::profile::ProfileKey;

/// A library item (for live TV: a channel) by its GUID, as 32 lower-case hex digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ItemId(Arc<str>);

impl ItemId {
    /// Reads a GUID in either of the forms that Jellyfin's routes accept, dashed or not, in any letter case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = match text.len() {
            32 => text.to_owned(),
            36 if [8, 13, 18, 23].iter().all(|&at| text.as_bytes()[at] == b'-') => text.replace('-', ""),
            _ => return None,
        };
        is_hex_32(&digits).then(|| Self(digits.to_ascii_lowercase().into()))
    }

    /// The 32 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A newtype over text that is compared byte for byte.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the text as it is, decoded.
            #[must_use]
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text as it was given.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

/// A newtype over text that may be seen by everybody.
macro_rules! public_text_id {
    ($(#[$doc:meta])* $name:ident) => {
        text_id!($(#[$doc])* $name);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

public_text_id!(
    /// Identifies one of an item's media sources. Usually 32 hex digits, but a tuner may choose any text.
    MediaSourceId
);

public_text_id!(
    /// Identifies a live stream that Jellyfin holds open. Built-in tuners derive the id from the channel's URL, so each opening
    /// of a channel has the same one.
    LiveStreamId
);

impl MediaSourceId {
    /// Whether it is 32 hex digits, as those of M3U hosts are.
    #[must_use]
    pub fn is_guid(&self) -> bool {
        is_hex_32(&self.0)
    }
}

impl LiveStreamId {
    /// The id that the server gives to a live stream of one of its own tuner hosts: two digests of its classes' names, and the media
    /// source (`LiveTvMediaSourceProvider.cs`; the recordings in `fixtures/jellyfin` agree). One of a plugin has another.
    #[must_use]
    pub fn of_built_in(source: &MediaSourceId) -> Self {
        const CLASSES: &str = "e2329f4997b378e64ccf8fa396deb76e_af999c25a00715699361240d4c6c7a53";
        Self::new(format!("{CLASSES}_{source}"))
    }

    /// The media source that the id contains: the one that it proves, else 32 hex digits at its end, which may be anything's.
    #[must_use]
    pub fn media_source(&self) -> Option<MediaSourceId> {
        let tail = || self.0.rsplit_once('_').map(|(_, tail)| tail).filter(|tail| is_hex_32(tail));
        self.proven_source().or_else(tail).map(MediaSourceId::new)
    }

    /// Whether the id itself proves that it is a live stream of `source`; `None` if it proves nothing.
    #[must_use]
    pub fn proves(&self, source: &MediaSourceId) -> Option<bool> {
        self.proven_source().map(|proven| proven.eq_ignore_ascii_case(&source.0))
    }

    /// The media source that the server appends to the id: `{32 hex digits}_{32 hex digits}_{media source}`
    /// (`LiveTvMediaSourceProvider.cs`). That of an HDHomeRun contains `_` itself.
    fn proven_source(&self) -> Option<&str> {
        let mut parts = self.0.splitn(3, '_');
        let (provider, service, source) = (parts.next()?, parts.next()?, parts.next()?);
        (is_hex_32(provider) && is_hex_32(service) && !source.is_empty()).then_some(source)
    }
}

public_text_id!(
    /// Identifies a channel of the lineup in the gateway's own playlist: 32 hex digits that stay the same when the channel's
    /// URL changes.
    ChannelId
);

public_text_id!(
    /// The device id that a client sends. It is not a secret: any client may send it.
    DeviceId
);

public_text_id!(
    /// A user of the server, by its id as the server writes it.
    UserId
);

text_id!(
    /// Identifies one playback. A client that knows it can stop the encoding job, so `Debug` shows only its beginning.
    PlaySessionId
);

impl fmt::Debug for PlaySessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_start(f, "PlaySessionId", &self.0, 4)
    }
}

/// Identifies a stream within this process. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StreamId(pub u64);

/// Identifies an open input within this process. Never used twice; a later input has a larger id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InputId(pub u64);

/// Identifies a live stream that a client opened at the server. Never used twice within this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OpeningId(pub u64);

/// Identifies a request to open a channel that the server has not answered. Never used twice within this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskingId(pub u64);

/// The token of one consumer in the gateway's own URIs: 32 lower-case hex digits. It grants access to segments, so `Debug`
/// shows only its beginning.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConsumerId(u128);

impl ConsumerId {
    /// The token that spells `bits`, which the caller has drawn at random.
    #[must_use]
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// The bits of the token.
    #[must_use]
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// Parses a token; `None` unless it is spelled as the gateway writes it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let ours = is_hex_32(text) && !text.bytes().any(|byte| byte.is_ascii_uppercase());
        ours.then(|| u128::from_str_radix(text, 16).ok().map(Self)).flatten()
    }
}

impl fmt::Display for ConsumerId {
    /// The whole token, for a URI.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for ConsumerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_start(f, "ConsumerId", &self.to_string(), 6)
    }
}

/// A channel that is watched: an item and one of its media sources.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Channel {
    /// The channel's item in the library.
    pub item: ItemId,
    /// The media source of that item.
    pub source: MediaSourceId,
}

/// Identifies a stream: a channel under a profile. One producer makes it, and any number of consumers share it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StreamKey {
    /// The channel.
    pub channel: Channel,
    /// The profile that the channel is encoded to.
    pub profile: ProfileKey,
}

impl StreamKey {
    /// Whether a request for `other` may be served from the stream started for `self`; see [`ProfileKey::meets`].
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        self.channel == other.channel && self.profile.meets(&other.profile)
    }
}

fn is_hex_32(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Writes the first `shown` characters of a secret: enough to tell two apart in a log, too few to use it. A secret of at
/// most `shown` characters is hidden altogether.
fn fmt_start(f: &mut fmt::Formatter<'_>, name: &str, secret: &str, shown: usize) -> fmt::Result {
    match secret.char_indices().nth(shown) {
        Some((end, _)) => write!(f, "{name}({}…)", &secret[..end]),
        None => write!(f, "{name}(…)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_guid_is_the_same_item() {
        let plain = ItemId::parse("3470319929255d2e4e0e08ae69de1bd6").unwrap();
        assert_eq!(ItemId::parse("34703199-2925-5d2e-4e0e-08ae69de1bd6"), Some(plain.clone()));
        assert_eq!(ItemId::parse("34703199-2925-5D2E-4E0E-08AE69DE1BD6"), Some(plain.clone()));
        assert_eq!(plain.to_string(), "3470319929255d2e4e0e08ae69de1bd6");
    }

    #[test]
    fn text_that_is_no_guid_is_rejected() {
        for text in [
            "",
            "ActiveEncodings",
            "3470319929255d2e4e0e08ae69de1bd",
            "3470319929255d2e4e0e08ae69de1bdg",
            "3470-3199-2925-5d2e-4e0e08ae69de1bd6",
            "{3470319929255d2e4e0e08ae69de1bd6}",
            "é470319929255d2e4e0e08ae69de1bd",
        ] {
            assert_eq!(ItemId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_live_stream_names_its_media_source() {
        let md5 = |digit: &str| digit.repeat(32);
        let of =
            |text: String| LiveStreamId::new(text).media_source().map(|source| source.as_str().to_owned());
        let (provider, service) = (md5("a"), md5("b"));
        assert_eq!(of(format!("{provider}_{service}_{}", md5("c"))), Some(md5("c")));
        let of_device = format!("native_{}_{}", md5("d"), md5("e"));
        assert_eq!(of(format!("{provider}_{service}_{of_device}")), Some(of_device), "an HDHomeRun's");
        assert_eq!(of(format!("{provider}_{service}_a_plugins")), Some("a_plugins".to_owned()));
        assert_eq!(of(format!("any_{}", md5("c"))), Some(md5("c")));
        assert_eq!((of("any_text".to_owned()), of(format!("{provider}_{service}_"))), (None, None));
    }

    #[test]
    fn a_consumer_has_one_spelling() {
        let id = ConsumerId::from_bits(0xabc);
        assert_eq!(id.to_string(), "00000000000000000000000000000abc");
        assert_eq!(ConsumerId::parse(&id.to_string()), Some(id));
        assert_eq!(ConsumerId::parse("00000000000000000000000000000ABC"), None);
        assert_eq!(ConsumerId::parse("abc"), None);
    }

    #[test]
    fn secrets_are_not_shown_whole() {
        assert_eq!(format!("{:?}", PlaySessionId::new("d504d20cf39c4d53")), "PlaySessionId(d504…)");
        assert_eq!(format!("{:?}", PlaySessionId::new("d504")), "PlaySessionId(…)");
        assert_eq!(format!("{:?}", PlaySessionId::new("ééééé")), "PlaySessionId(éééé…)");
        let consumer = ConsumerId::parse("0123456789abcdef0123456789abcdef").unwrap();
        assert_eq!(format!("{consumer:?}"), "ConsumerId(012345…)");
    }

    #[test]
    fn a_live_stream_names_its_source() {
        let built_in = "e2329f4997b378e64ccf8fa396deb76e_af999c25a00715699361240d4c6c7a53_f91bdbcf108c4e49092c20cd88e22af1";
        let source = MediaSourceId::new("f91bdbcf108c4e49092c20cd88e22af1");
        assert_eq!(LiveStreamId::new(built_in).media_source().as_ref(), Some(&source));
        assert_eq!(LiveStreamId::of_built_in(&source), LiveStreamId::new(built_in));
        assert_eq!(LiveStreamId::new("x_y").media_source(), None);
        assert_eq!(LiveStreamId::new(built_in).proves(&source), Some(true));
        assert_eq!(LiveStreamId::new(built_in).proves(&MediaSourceId::new("default")), Some(false));
        let of_plugin = LiveStreamId::new(format!("x_{source}"));
        assert_eq!(of_plugin.proves(&source), None, "a plugin's may end in anything");
    }
}
