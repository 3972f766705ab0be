//! Judges whether a job of the server's encodes the video that a request asks for, or copies it.
//!
//! The server does not say so itself (docs/jellyfin.md 2): it follows from what the request forbids, from the source where
//! the gateway has seen it, and else from the reasons that the server wrote into the request's URL.

use crate::encoding::copying;
use crate::encoding::demand::Demand;
use crate::mpegts::facts::Video;

/// The reasons of `TranscodeReason.cs` for which the video is encoded. For the others a copy in another container, or with
/// another sound, is enough; subtitles are read from the demand.
const OF_VIDEO: [&str; 13] = [
    "VideoCodecNotSupported",
    "VideoProfileNotSupported",
    "VideoRangeTypeNotSupported",
    "VideoLevelNotSupported",
    "VideoResolutionNotSupported",
    "VideoBitDepthNotSupported",
    "VideoFramerateNotSupported",
    "VideoBitrateNotSupported",
    "VideoRotationNotSupported",
    "RefFramesNotSupported",
    "AnamorphicVideoNotSupported",
    "InterlacedVideoNotSupported",
    "ContainerBitrateExceedsLimit",
];

/// Whether `TranscodeReasons` of a request, `reasons`, say that the server encodes the video. Up to 10.10 each comma is
/// followed by a space.
#[must_use]
pub fn concern_video(reasons: &str) -> bool {
    reasons.split(',').any(|reason| OF_VIDEO.iter().any(|known| known.eq_ignore_ascii_case(reason.trim())))
}

/// Whether the server encodes the video for a request that makes this `demand`; `reasons_say_so` is what
/// [`concern_video`] says, `source` the source's video if it is known.
#[must_use]
pub fn encodes_video(demand: &Demand, source: Option<&Video>, reasons_say_so: bool) -> bool {
    if demand.forces_video_copy() {
        return false;
    }
    if !demand.may_copy_video || demand.burns_in_subtitles {
        return true;
    }
    source
        .and_then(|video| copying::video(demand, video))
        .map_or(reasons_say_so, |may_be_copied| !may_be_copied)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mpegts::facts::VideoCodec;
    use crate::profile::Policy;

    fn demand(query: &[(&str, &str)], policy: Policy) -> Demand {
        Demand::from_query(query.iter().copied(), policy).unwrap()
    }

    #[test]
    fn reasons_are_read_as_every_version_writes_them() {
        for (reasons, of_video) in [
            ("ContainerNotSupported", false),
            ("ContainerNotSupported,AudioCodecNotSupported", false),
            ("DirectPlayError", false),
            ("", false),
            ("ContainerNotSupported, VideoCodecNotSupported", true),
            ("ContainerBitrateExceedsLimit", true),
            ("interlacedvideonotsupported,ContainerNotSupported", true),
        ] {
            assert_eq!(concern_video(reasons), of_video, "{reasons}");
        }
    }

    #[test]
    fn what_is_known_for_sure_comes_before_what_the_server_told() {
        let web = [("VideoCodec", "h264"), ("AudioCodec", "aac")];
        let no_copy = [("VideoCodec", "h264"), ("AllowVideoStreamCopy", "false")];
        let burnt = [("VideoCodec", "h264"), ("SubtitleStreamIndex", "2"), ("SubtitleMethod", "Encode")];
        let copy = [("VideoCodec", "copy")];
        let barred = Policy { video_transcoding: false, ..Policy::UNRESTRICTED };
        let (h264, mpeg2) = (Video::unknown(VideoCodec::H264), Video::unknown(VideoCodec::Mpeg2));
        for (query, policy, source, told, encodes) in [
            (&web[..], Policy::UNRESTRICTED, None, false, false),
            (&web, Policy::UNRESTRICTED, None, true, true),
            (&web, Policy::UNRESTRICTED, Some(&h264), true, false),
            (&web, Policy::UNRESTRICTED, Some(&mpeg2), false, true),
            (&no_copy, Policy::UNRESTRICTED, Some(&h264), false, true),
            (&burnt, Policy::UNRESTRICTED, None, false, true),
            (&copy, Policy::UNRESTRICTED, Some(&mpeg2), true, false),
            (&no_copy, barred, None, true, false),
        ] {
            assert_eq!(encodes_video(&demand(query, policy), source, told), encodes, "{query:?} {source:?}");
        }
    }
}
