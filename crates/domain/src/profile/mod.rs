//! Identifies how a stream is encoded: requests with the same profile get the same bytes from Jellyfin.
//!
//! `values` reads decoded query pairs, `param` knows which parameters reach the encoder, `bitrate` rounds measured
//! bitrates, `choice` replaces what a client asks for. The profile does not know the channel, the client, or how a URL is written.

pub(crate) mod bitrate;
mod choice;
mod param;
#[cfg(test)]
mod tests;
mod unshareable;
pub(crate) mod values;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::profile::param::Rule;
use crate::profile::values::{Values, escape};

pub use crate::profile::choice::ProfileChoice;
pub use crate::profile::unshareable::Unshareable;

/// What a user may have transcoded (`UserPolicy`, read by `EncodingHelper.TryStreamCopy`). Where it is forbidden, the
/// source is copied whatever the query says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// `EnableVideoPlaybackTranscoding`.
    pub video_transcoding: bool,
    /// `EnableAudioPlaybackTranscoding`.
    pub audio_transcoding: bool,
}

impl Policy {
    /// The policy of an API key, and of most users.
    pub const UNRESTRICTED: Self = Self { video_transcoding: true, audio_transcoding: true };
}

/// The profile of a request, and what it means for the request that starts the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its identity.
    pub key: ProfileKey,
    /// The `VideoBitrate` in bit/s to send upstream, where the key has rounded the client's down.
    pub video_bitrate: Option<u64>,
    /// The segment length that Jellyfin aims at (`StreamState.SegmentLength`); copied video is cut at key frames.
    pub segment_length: Duration,
}

/// The identity of a profile: equal keys, equal bytes. It displays as its canonical text.
///
/// It has two parts. The *core* is what the client chose. The *derived* part is what Jellyfin added to the URL because of
/// the source: `{codec}-*` options, `MaxFramerate`, `AudioCodec`, `AudioBitrate`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProfileKey(Arc<Parts>);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Parts {
    core: String,
    audio_codec: Option<String>,
    audio_bitrate: Option<String>,
    limits: String,
}

impl ProfileKey {
    /// Reads the profile of a `live.m3u8` request from its percent-decoded pairs (docs/jellyfin.md, section 1.1).
    ///
    /// `apple` says whether Jellyfin takes the user agent for one of Apple's, which get longer segments of copied video.
    ///
    /// # Errors
    ///
    /// The reason why the request cannot share a stream.
    pub fn from_query<'a>(
        pairs: impl Iterator<Item = (&'a str, &'a str)>,
        apple: bool,
        policy: Policy,
    ) -> Result<Profile, Unshareable> {
        let mut values = Values::read(pairs)?;
        let video_bitrate = put_bitrate_step(&mut values);
        let segment_length = put_segment_length(&mut values, apple, policy);
        put_policy(&mut values, policy);
        drop_what_has_no_effect(&mut values);
        Ok(Profile { key: Self(Arc::new(Parts::of(values))), video_bitrate, segment_length })
    }

    /// Whether a request under `other` can be served from a stream started under `self`, or the other way round.
    ///
    /// Before Jellyfin has probed a channel, it knows no limits of the source: the same client's URL then comes without
    /// `{codec}-*` and `MaxFramerate`, and with another `AudioCodec` (the one to encode to, where it will be `copy`
    /// later) and `AudioBitrate`. So keys meet if they are equal; or if their cores are equal, exactly one of them is
    /// unprobed, and the audio codecs do not contradict each other. Two probed keys with different limits never meet.
    ///
    /// **Limits.** This is no equivalence: an unprobed key may meet two keys that do not meet each other. So a stream is
    /// looked for among those of its channel, and not by hash. A client that cannot play the source as it is, and for
    /// which Jellyfin would have encoded it, may get the copy that an unprobed request started. Its player then asks
    /// again with `AllowVideoStreamCopy=false`, which is another core.
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

/// Replaces the video bitrate by its step, and returns the bitrate to ask upstream for.
fn put_bitrate_step(values: &mut Values) -> Option<u64> {
    let video = values.number("videobitrate")?;
    let step = bitrate::step(video, values.number("audiobitrate").unwrap_or(0));
    values.put("videobitrate", step.name);
    step.video
}

/// Canonicalises the segment length: 3 s by default, but 6 s where video may be copied for an Apple player. Whether it
/// will be copied is not known here, so an absent length is a value of its own for Apple players.
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

/// No query can forge these names, nor `~apple`: a `~` in a query is escaped.
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

/// A pair of the key; [`Values::read`] has escaped the name already.
fn pair(name: &str, value: &str) -> String {
    format!("{name}={}", escape(value))
}
