//! An HLS job's encoding: what FFmpeg copies, what it encodes, and how long the segments are (`EncodingHelper.cs`).
//!
//! Pure: computes FFmpeg's arguments from the request, the source and the user's rights.

use std::ffi::OsString;
use std::time::Duration;

use crate::ffmpeg::args;
use crate::parameters::Query;
use crate::response::Refusal;
use crate::settings::{Policy, Settings};
use crate::tuner::FRAME_RATE;

/// User agents whose segments are twice as long when video is copied (`StreamState.SegmentLength`).
const APPLE: [&str; 5] = ["appletv", "cfnetwork", "ipad", "iphone", "ipod"];

/// The encoding of an HLS job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Encoding {
    /// `None` copies the source's video.
    pub(crate) video: Option<Video>,
    /// `None` copies the source's audio.
    pub(crate) audio: Option<Audio>,
    pub(crate) segment_length: Duration,
    /// How many segments the first response waits for.
    pub(crate) min_segments: usize,
}

/// How video is encoded: always as H.264, the only codec that real clients ask for in MPEG-TS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Video {
    bitrate: u64,
    max_width: u64,
    max_height: u64,
    /// Whether it makes whole pictures of two fields.
    deinterlace: bool,
}

/// How audio is encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Audio {
    encoder: &'static str,
    bitrate: u64,
    channels: u64,
}

impl Encoding {
    /// The encoding that a request asks for.
    ///
    /// # Errors
    /// [`Refusal::BadRequest`] for a codec name that the server's pattern does not match, and for fMP4 segments, which this
    /// server does not make.
    pub(crate) fn new(
        query: &Query,
        user_agent: &str,
        policy: Policy,
        probed: bool,
        settings: &Settings,
    ) -> Result<Self, Refusal> {
        check_names(query)?;
        let video = if policy.video_transcoding { video(query, probed, settings) } else { None };
        let audio = if policy.audio_transcoding { audio(query) } else { None };
        let apple = APPLE.iter().any(|name| user_agent.to_ascii_lowercase().contains(name));
        let segment_length = match query.number("SegmentLength").filter(|seconds| *seconds > 0) {
            Some(seconds) => Duration::from_secs(seconds),
            None if apple && video.is_none() => settings.segment_length * 2,
            None => settings.segment_length,
        };
        let default = if segment_length >= Duration::from_secs(10) { 2 } else { 3 };
        let min_segments = query.number("MinSegments").map_or(default, |count| count as usize);
        Ok(Self { video, audio, segment_length, min_segments })
    }

    /// FFmpeg's arguments after the input (`DynamicHlsController.GetCommandLineArguments`).
    pub(crate) fn args(&self, playlist_id: &str) -> Vec<OsString> {
        let seconds = self.segment_length.as_secs_f64().to_string();
        let mut args = args!["-map_metadata", "-1", "-map_chapters", "-1", "-threads", "1", "-sn"];
        match &self.video {
            None => args.extend(args!["-codec:v:0", "copy", "-start_at_zero"]),
            Some(video) => args.extend(video.args(&seconds)),
        }
        match &self.audio {
            None => args.extend(args!["-codec:a:0", "copy"]),
            Some(audio) => args.extend(audio.args()),
        }
        args.extend(args![
            "-copyts",
            "-avoid_negative_ts",
            "disabled",
            "-max_muxing_queue_size",
            "2048",
            "-f",
            "hls",
            "-max_delay",
            "5000000",
            "-hls_time",
            &seconds,
            "-hls_segment_type",
            "mpegts",
            "-start_number",
            "0",
            "-hls_base_url",
            format!("hls/{playlist_id}/"),
            "-hls_segment_filename",
            format!("{playlist_id}%d.ts"),
            "-hls_playlist_type",
            "event",
            "-hls_list_size",
            "0",
            "-y",
            format!("{playlist_id}.m3u8"),
        ]);
        args
    }
}

impl Video {
    fn args(&self, segment_seconds: &str) -> Vec<OsString> {
        let (rate, buffer) = (self.bitrate.to_string(), (2 * self.bitrate).to_string());
        let (width, height) = (self.max_width, self.max_height);
        let deinterlace = if self.deinterlace { "yadif=0:-1:0," } else { "" };
        args![
            "-codec:v:0",
            "libx264",
            "-preset",
            "superfast",
            "-maxrate",
            &rate,
            "-bufsize",
            &buffer,
            "-force_key_frames:0",
            format!("expr:gte(t,n_forced*{segment_seconds})"),
            "-sc_threshold:v:0",
            "0",
            "-vf",
            format!(
                "{deinterlace}scale=w='trunc(min({width},iw)/2)*2':h='trunc(min({height},ih)/2)*2':force_original_aspect_ratio=decrease:force_divisible_by=2,format=yuv420p"
            ),
            "-flags",
            "-global_header",
        ]
    }
}

impl Audio {
    fn args(&self) -> Vec<OsString> {
        args!["-codec:a:0", self.encoder, "-ac", self.channels.to_string(), "-ab", self.bitrate.to_string(),]
    }
}

/// The audio codec that the media playlist's URI names in the master playlist.
pub(crate) fn audio_codec(query: &Query, policy: Policy, probed: bool) -> String {
    match audio(query).filter(|_| policy.audio_transcoding) {
        None if probed => "copy".to_owned(),
        None | Some(_) => first_codec(query).to_owned(),
    }
}

fn check_names(query: &Query) -> Result<(), Refusal> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-._,|".contains(letter);
    let names = ["Container", "SegmentContainer", "AudioCodec", "VideoCodec", "SubtitleCodec"];
    let mut values = names.iter().filter_map(|name| query.get(name));
    let well = values.all(|value| value.len() <= 40 && value.chars().all(allowed));
    let container = query.get("SegmentContainer").unwrap_or("ts");
    if well && container.eq_ignore_ascii_case("ts") { Ok(()) } else { Err(Refusal::BadRequest) }
}

fn video(query: &Query, probed: bool, settings: &Settings) -> Option<Video> {
    let limit =
        |name: &str, other: &str| query.number(name).or_else(|| query.number(other)).unwrap_or(u64::MAX);
    let (max_width, max_height) = (limit("MaxWidth", "Width"), limit("MaxHeight", "Height"));
    let max_rate = query.get("MaxFramerate").and_then(|rate| rate.parse::<f64>().ok()).unwrap_or(f64::MAX);
    let fits = max_width >= u64::from(settings.width)
        && max_height >= u64::from(settings.height)
        && max_rate >= f64::from(FRAME_RATE);
    let deinterlace = settings.interlaced && query.get("h264-deinterlace") == Some("true");
    let copy =
        copies(query, "AllowVideoStreamCopy", "VideoCodec", "h264") && !deinterlace && (fits || !probed);
    let asked = query.number("VideoBitrate").unwrap_or(u64::MAX).min(settings.fallback_max_bitrate);
    (!copy).then(|| Video {
        bitrate: asked.clamp(64_000, 4_000_000),
        max_width: max_width.min(u64::from(settings.width)),
        max_height: max_height.min(u64::from(settings.height)),
        deinterlace,
    })
}

fn audio(query: &Query) -> Option<Audio> {
    let encoder = match first_codec(query) {
        "mp3" => "libmp3lame",
        "ac3" => "ac3",
        "opus" => "libopus",
        _ => "aac",
    };
    let channels = query.number("TranscodingMaxAudioChannels").unwrap_or(2).clamp(1, 2);
    let bitrate = query.number("AudioBitrate").unwrap_or(128_000).clamp(32_000, 384_000);
    (!copies(query, "AllowAudioStreamCopy", "AudioCodec", "aac")).then_some(Audio {
        encoder,
        bitrate,
        channels,
    })
}

fn copies(query: &Query, permission: &str, list: &str, source: &str) -> bool {
    let allowed =
        query.flag(permission).unwrap_or(true) && query.flag("EnableAutoStreamCopy").unwrap_or(true);
    let codecs = query.get(list).unwrap_or("copy");
    allowed && codecs.split(',').any(|codec| codec == "copy" || codec.eq_ignore_ascii_case(source))
}

fn first_codec(query: &Query) -> &str {
    query.get("AudioCodec").and_then(|list| list.split(',').next()).unwrap_or("aac")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::encoding::Encoding;
    use crate::parameters::Query;
    use crate::response::Refusal;
    use crate::settings::{Policy, Settings};

    fn encoding(query: &str, user_agent: &str, policy: Policy) -> Result<Encoding, Refusal> {
        Encoding::new(&Query::parse(query), user_agent, policy, true, &Settings::real())
    }

    #[test]
    fn a_source_that_fits_is_copied() {
        let all = Policy::default();
        let web =
            encoding("VideoCodec=h264&AudioCodec=aac,mp3&MaxFramerate=25&MinSegments=1", "web", all).unwrap();
        assert_eq!((web.video, web.audio, web.min_segments), (None, None, 1));
        for query in ["AllowVideoStreamCopy=false", "VideoCodec=hevc", "MaxWidth=320", "MaxFramerate=24"] {
            assert!(encoding(query, "web", all).unwrap().video.is_some(), "{query}");
            let barred = Policy { video_transcoding: false, ..all };
            assert!(encoding(query, "web", barred).unwrap().video.is_none(), "{query}");
        }
        assert!(encoding("AudioCodec=mp3", "web", all).unwrap().audio.is_some());
    }

    #[test]
    fn segments_are_longer_for_apple_when_video_is_copied() {
        let length =
            |query: &str, agent: &str| encoding(query, agent, Policy::default()).unwrap().segment_length;
        assert_eq!(length("", "Mozilla"), Duration::from_secs(3));
        assert_eq!(length("", "AppleTV/tvOS"), Duration::from_secs(6));
        assert_eq!(length("AllowVideoStreamCopy=false", "AppleTV/tvOS"), Duration::from_secs(3));
        assert_eq!(length("SegmentLength=1", "AppleTV/tvOS"), Duration::from_secs(1));
    }

    #[test]
    fn names_with_other_characters_are_refused() {
        for query in ["VideoCodec=h264;ls", "SegmentContainer=mp4"] {
            assert_eq!(encoding(query, "", Policy::default()), Err(Refusal::BadRequest), "{query}");
        }
    }
}
