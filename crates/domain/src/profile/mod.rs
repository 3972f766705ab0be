//! How a stream is encoded, in one spelling: two requests with the same profile get the same bytes from Jellyfin.
//!
//! It takes decoded query pairs (`values`) and knows which of them reach the encoder (`param`) and how measured bitrates
//! become few (`bitrate`). It does not know which channel is meant, who asks, or how a URL is written.

pub(crate) mod bitrate;
mod param;
#[cfg(test)]
mod tests;
mod unshareable;
pub(crate) mod values;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::profile::param::Rule;
use crate::profile::values::{Values, escape};

pub use crate::profile::unshareable::Unshareable;

/// What Jellyfin lets a user's requests be encoded to (`UserPolicy`, read by `EncodingHelper.TryStreamCopy`): where
/// one is forbidden, the source is copied whatever the query says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `EnableVideoPlaybackTranscoding`.
    pub video_transcoding: bool,
    /// `EnableAudioPlaybackTranscoding`.
    pub audio_transcoding: bool,
}

impl Policy {
    /// That of an API key, and of most users.
    pub const UNRESTRICTED: Self = Self { video_transcoding: true, audio_transcoding: true };
}

/// A request's profile, and what follows from it for the request that starts the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its identity.
    pub key: ProfileKey,
    /// The `VideoBitrate` (bit/s) to send upstream in place of the client's, where the key has made them one; never above it.
    pub video_bitrate: Option<u64>,
    /// How long Jellyfin means the segments to be (`StreamState.SegmentLength`); a copied picture is cut at its key frames.
    pub segment_length: Duration,
}

/// The identity of a profile: equal keys, equal bytes. Displayed as its canonical text.
///
/// It has two parts. The *core* is what the client wished. The *derived* part is what Jellyfin added to the URL from
/// what it knew of the source: `{codec}-*` options, `MaxFramerate`, `AudioCodec`, `AudioBitrate`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProfileKey(Arc<Parts>);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Parts {
    core: String,
    audio_codec: Option<String>,
    audio_bitrate: Option<String>,
    limits: String,
}

impl ProfileKey {
    /// Reads the profile of a `live.m3u8` request from its percent-decoded pairs (`jellyfin.md` 6).
    ///
    /// `apple` is whether Jellyfin takes the user agent for one of Apple's, which get longer segments of a copied picture.
    ///
    /// # Errors
    /// What makes the request one that nobody else can share.
    pub fn from_query<'a>(
        pairs: impl Iterator<Item = (&'a str, &'a str)>,
        apple: bool,
        policy: Policy,
    ) -> Result<Profile, Unshareable> {
        let mut values = Values::read(pairs)?;
        let video_bitrate = put_bucket(&mut values);
        let segment_length = put_segment_length(&mut values, apple, policy);
        put_policy(&mut values, policy);
        drop_what_has_no_effect(&mut values);
        Ok(Profile { key: Self(Arc::new(Parts::of(values))), video_bitrate, segment_length })
    }

    /// Whether a request under `other` may be served from a stream started under `self`, or the other way round.
    ///
    /// Before Jellyfin has probed a channel it knows no limits of its source: the same client's URL then comes without
    /// `{codec}-*` and `MaxFramerate`, and with another `AudioCodec` (the one to encode to, where it will be `copy`) and
    /// `AudioBitrate`. So keys meet if they are equal, or if their cores are, exactly one is unprobed, and the audio
    /// codecs do not contradict each other. Two probed keys with different limits never meet.
    ///
    /// **Limits.** It is no equivalence: an unprobed key may meet two that do not meet each other, so a stream is
    /// looked for among those of its channel and not by hash. And a client whose limits the source exceeds, which
    /// Jellyfin would have encoded for, is given the copy that the unprobed request started: its player says so with a
    /// new request (`AllowVideoStreamCopy=false`), which has another core.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        let (one, two) = (&self.0, &other.0);
        one == two
            || (one.core == two.core && one.is_unprobed() != two.is_unprobed() && audio_agrees(one, two))
    }
}

impl fmt::Display for ProfileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let audio_codec = self.0.audio_codec.as_deref().map(|value| pair("audiocodec", value));
        let audio_bitrate = self.0.audio_bitrate.as_deref().map(|value| pair("audiobitrate", value));
        let derived = [Some(self.0.core.clone()), audio_codec, audio_bitrate, Some(self.0.limits.clone())];
        let parts: Vec<String> = derived.into_iter().flatten().filter(|part| !part.is_empty()).collect();
        f.write_str(&parts.join("&"))
    }
}

impl fmt::Debug for ProfileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProfileKey({self})")
    }
}

impl Parts {
    fn of(values: Values) -> Self {
        let (mut core, mut limits) = (Vec::new(), Vec::new());
        let (mut audio_codec, mut audio_bitrate) = (None, None);
        for (name, rule, value) in values.into_iter() {
            match (name.as_str(), rule) {
                ("audiocodec", _) => audio_codec = Some(value),
                ("audiobitrate", _) => audio_bitrate = Some(value),
                (_, Rule::Derived(_) | Rule::Limit) => limits.push(pair(&name, &value)),
                (_, Rule::Wish(_) | Rule::Ignored | Rule::Refused(..)) => core.push(pair(&name, &value)),
            }
        }
        Self { core: core.join("&"), audio_codec, audio_bitrate, limits: limits.join("&") }
    }

    fn is_unprobed(&self) -> bool {
        self.limits.is_empty()
    }
}

fn audio_agrees(one: &Parts, two: &Parts) -> bool {
    let copies = |parts: &Parts| parts.audio_codec.as_deref() == Some("copy");
    one.audio_codec == two.audio_codec || copies(one) || copies(two)
}

/// Puts the bucket in the place of the video bitrate, and gives the bitrate to ask upstream for.
fn put_bucket(values: &mut Values) -> Option<u64> {
    let video = values.number("videobitrate")?;
    let bucket = bitrate::bucket(video, values.number("audiobitrate").unwrap_or(0));
    values.put("videobitrate", bucket.name);
    bucket.video
}

/// Canonicalises the segment length: 3 s unless asked for, but 6 s where a picture may be copied for one of Apple's
/// players. Which it will be is not known here, so that its absence is a thing of its own for them.
fn put_segment_length(values: &mut Values, apple: bool, policy: Policy) -> Duration {
    const USUAL: u64 = 3;
    const APPLE: u64 = 6;
    const LONGEST: u64 = 60;
    let may_copy = values.text("allowvideostreamcopy") != Some("false") || !policy.video_transcoding;
    let seconds = match values.text("segmentlength") {
        None if apple && may_copy => {
            values.put("~apple", "true".to_owned());
            APPLE
        }
        None => USUAL,
        Some("3") => {
            values.remove("segmentlength");
            USUAL
        }
        Some(_) => values.number("segmentlength").unwrap_or(USUAL).clamp(1, LONGEST),
    };
    Duration::from_secs(seconds)
}

/// No query can forge these names, nor `~apple`: a `~` of its own is escaped.
fn put_policy(values: &mut Values, policy: Policy) {
    if !policy.video_transcoding {
        values.put("~video_transcoding", "false".to_owned());
    }
    if !policy.audio_transcoding {
        values.put("~audio_transcoding", "false".to_owned());
    }
}

fn drop_what_has_no_effect(values: &mut Values) {
    if values.text("subtitlestreamindex").is_none() {
        values.remove("subtitlemethod");
    }
    if values.text("audiocodec") == Some("copy") {
        values.remove("audiobitrate");
    }
}

/// A name as it was escaped by [`Values::read`], and its value.
fn pair(name: &str, value: &str) -> String {
    format!("{name}={}", escape(value))
}
