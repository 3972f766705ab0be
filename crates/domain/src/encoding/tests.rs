//! Demands and sources, line by line.

use crate::encoding::abilities::{Abilities, AudioEncoder, VideoEncoder};
use crate::encoding::demand::Demand;
use crate::encoding::plan::{
    AudioEncode, AudioPlan, H264Profile, Plan, Tolerance, VideoEncode, VideoPlan, plan, replan,
};
use crate::mpegts::facts::{Audio, AudioCodec, Facts, Profile, Video, VideoCodec};
use crate::profile::Policy;
use crate::reason::Obstacle;

/// What jellyfin-web asked of Jellyfin 12.0-rc5 (fixtures/jellyfin/web-12.0-zap.ndjson).
const WEB: &str = "VideoCodec=h264&AudioCodec=aac&AudioStreamIndex=-1&VideoBitrate=1973691388&AudioBitrate=384000&MaxFramerate=25\
    &SegmentContainer=ts&MinSegments=1&TranscodingMaxAudioChannels=2&RequireAvc=false&EnableAudioVbrEncoding=true\
    &h264-level=40&h264-videobitdepth=8&h264-profile=high&h264-rangetype=SDR&h264-deinterlace=true";

fn demand_of(query: &str, policy: Policy) -> Result<Demand, Obstacle> {
    Demand::from_query(query.split('&').filter_map(|pair| pair.split_once('=')), policy)
}

/// [`WEB`] with some pairs before it: the first of duplicates counts.
fn web(changes: &str) -> Demand {
    demand_of(&format!("{changes}&{WEB}"), Policy::UNRESTRICTED).unwrap()
}

fn source() -> Facts {
    Facts {
        video: Some(Video {
            profile: Some(Profile { idc: 100, constraints: 0 }),
            level: Some(40),
            size: Some((1920, 1080)),
            bit_depth: Some(8),
            interlaced: Some(false),
            square_pixels: Some(true),
            frame_rate: Some(25.0),
            reference_frames: Some(4),
            ..Video::unknown(VideoCodec::H264)
        }),
        audio: vec![audio_stream(AudioCodec::Aac, 2)],
    }
}

fn audio_stream(codec: AudioCodec, channels: u32) -> Audio {
    Audio { channels: Some(channels), sample_rate: Some(48_000), ..Audio::unknown(codec) }
}

fn with_video(change: impl FnOnce(&mut Video)) -> Facts {
    let mut facts = source();
    facts.video.as_mut().map(change).unwrap();
    facts
}

fn with_audio(sounds: &[Audio]) -> Facts {
    Facts { audio: sounds.to_vec(), ..source() }
}

fn abilities() -> Abilities {
    Abilities {
        video_encoders: vec![VideoEncoder::Software],
        audio_encoders: vec![AudioEncoder::Aac, AudioEncoder::Ac3],
        video_decoders: vec![VideoCodec::H264, VideoCodec::Hevc, VideoCodec::Mpeg2],
        audio_decoders: vec![AudioCodec::Aac, AudioCodec::Mp2, AudioCodec::Ac3],
        processes_left: 1,
        encodes_left: 1,
        server_hardware: false,
    }
}

fn planned(demand: &Demand, facts: &Facts) -> Result<Plan, Obstacle> {
    plan(demand, facts, &abilities(), Tolerance::NONE)
}

/// Whether video is copied, or the obstacle.
fn copies_video(demand: &Demand, facts: &Facts) -> Result<bool, Obstacle> {
    planned(demand, facts).map(|plan| plan.video == Some(VideoPlan::Copy))
}

fn copies_audio(demand: &Demand, facts: &Facts) -> Result<bool, Obstacle> {
    planned(demand, facts).map(|plan| plan.audio == Some(AudioPlan::Copy))
}

fn encode(demand: &Demand, facts: &Facts) -> VideoEncode {
    let plan = plan(demand, facts, &abilities(), Tolerance::FORCED).unwrap();
    let Some(VideoPlan::Encode(encode)) = plan.video else { panic!("copied: {plan:?}") };
    encode
}

fn encode_audio(demand: &Demand, facts: &Facts) -> AudioEncode {
    let Some(AudioPlan::Encode(encode)) = planned(demand, facts).unwrap().audio else { panic!("copied") };
    encode
}

/// Fails with each case whose result is not the expected one.
fn all_as_expected<T: std::fmt::Debug + PartialEq>(cases: impl IntoIterator<Item = (&'static str, T, T)>) {
    let wrong: Vec<_> = cases.into_iter().filter(|(_, made, expected)| made != expected).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_meets_the_demand_is_copied() {
    let plan = planned(&web(""), &source()).unwrap();
    assert_eq!(plan, Plan { video: Some(VideoPlan::Copy), audio: Some(AudioPlan::Copy), audio_index: 0 });
    assert!(plan.is_copy());
    let nothing_wished = demand_of("", Policy::UNRESTRICTED).unwrap();
    assert!(planned(&nothing_wished, &with_audio(&[audio_stream(AudioCodec::Ac3, 6)])).unwrap().is_copy());
}

/// Each line of `CanStreamCopyVideo`, on either side of its limit.
#[test]
fn lines_of_video() {
    type Change = fn(&mut Video);
    let same: Change = |_| {};
    let table: [(&str, Change, Result<bool, Obstacle>); _] = [
        ("AllowVideoStreamCopy=false", same, Ok(false)),
        ("allowVideoStreamCopy=true", same, Ok(true)),
        ("EnableAutoStreamCopy=false", same, Ok(true)),
        ("", |video| video.interlaced = Some(true), Ok(false)),
        ("", |video| video.interlaced = None, Err(Obstacle::UnknownSource)),
        ("h264-deinterlace=false", |video| video.interlaced = Some(true), Ok(true)),
        ("h264-deinterlace=false&DeInterlace=true", |video| video.interlaced = Some(true), Ok(false)),
        ("", |video| video.square_pixels = Some(false), Ok(true)),
        ("RequireNonAnamorphic=true", |video| video.square_pixels = Some(false), Ok(false)),
        ("RequireNonAnamorphic=true", |video| video.square_pixels = None, Ok(true)),
        ("RequireAvc=true", same, Ok(true)),
        ("VideoCodec=h264,hevc", |video| video.codec = VideoCodec::Hevc, Ok(true)),
        ("VideoCodec=h264,h265", |video| video.codec = VideoCodec::Hevc, Ok(false)),
        ("VideoCodec=h264", |video| video.codec = VideoCodec::Hevc, Ok(false)),
        ("VideoCodec=hevc", same, Err(Obstacle::EncoderMissing)),
        ("h264-profile=main", same, Ok(false)),
        ("h264-profile=main,high", same, Ok(true)),
        ("Profile=Main", same, Ok(false)),
        ("h264-profile=high10", same, Ok(true)),
        ("h264-profile=unheard-of", same, Ok(false)),
        (
            "h264-profile=high10",
            |video| video.profile = Some(Profile { idc: 110, constraints: 0x10 }),
            Ok(false),
        ),
        (
            "h264-profile=constrainedbaseline",
            |video| video.profile = Some(Profile { idc: 66, constraints: 0xC0 }),
            Ok(true),
        ),
        (
            "h264-profile=constrainedbaseline",
            |video| video.profile = Some(Profile { idc: 66, constraints: 0 }),
            Ok(false),
        ),
        ("", |video| video.profile = Some(Profile { idc: 122, constraints: 0 }), Ok(false)),
        ("", |video| video.profile = None, Err(Obstacle::UnknownSource)),
        ("h264-rangetype=HDR10", same, Ok(true)),
        ("", |video| video.high_dynamic_range = true, Err(Obstacle::HighDynamicRange)),
        ("h264-rangetype=SDR,HDR10,HLG", |video| video.high_dynamic_range = true, Ok(true)),
        (
            "h264-rangetype=SDR,HDR10",
            |video| video.high_dynamic_range = true,
            Err(Obstacle::HighDynamicRange),
        ),
        ("MaxWidth=1920&MaxHeight=1080", same, Ok(true)),
        ("MaxWidth=1919", same, Ok(false)),
        ("MaxHeight=1079", same, Ok(false)),
        ("MaxWidth=1919", |video| video.size = None, Err(Obstacle::UnknownSource)),
        ("Width=1919", same, Ok(false)),
        ("Height=1079", same, Ok(false)),
        ("Width=1919&MaxWidth=1920", same, Ok(true)),
        ("MaxFramerate=24.95", same, Ok(true)),
        ("MaxFramerate=24.94", same, Ok(false)),
        ("Framerate=24", |video| video.frame_rate = Some(25.0), Ok(true)),
        ("", |video| video.frame_rate = None, Err(Obstacle::UnknownSource)),
        ("VideoBitrate=20000000&AudioBitrate=0", same, Ok(true)),
        ("VideoBitrate=15000000&AudioBitrate=0", same, Ok(false)),
        ("VideoBitrate=25000000&AudioBitrate=0", |video| video.size = Some((3840, 2160)), Ok(false)),
        ("VideoBitrate=30000000", |video| video.size = Some((3840, 2160)), Ok(true)),
        ("VideoBitrate=8000000&AudioBitrate=0", |video| video.size = Some((1440, 1080)), Ok(true)),
        ("VideoBitrate=7200000&AudioBitrate=0", |video| video.size = Some((1280, 720)), Ok(false)),
        ("VideoBitrate=2000000&AudioBitrate=0", |video| video.size = Some((720, 576)), Ok(true)),
        ("VideoBitrate=1500000&AudioBitrate=0", |video| video.size = Some((720, 576)), Ok(false)),
        ("VideoBitrate=1", |video| video.size = Some((640, 360)), Ok(true)),
        ("VideoBitrate=1", |video| video.size = None, Err(Obstacle::UnknownSource)),
        ("", |video| video.bit_depth = Some(10), Ok(false)),
        ("MaxVideoBitDepth=10", |video| video.bit_depth = Some(10), Ok(true)),
        ("", |video| video.bit_depth = None, Err(Obstacle::UnknownSource)),
        ("h264-maxrefframes=3", same, Ok(false)),
        ("h264-maxrefframes=4", same, Ok(true)),
        ("MaxRefFrames=3&h264-maxrefframes=4", same, Ok(false)),
        ("h264-level=39", same, Ok(false)),
        ("Level=41&h264-level=39", same, Ok(true)),
        ("h264-level=39.5", same, Ok(false)),
        ("h264-level=-99", same, Ok(false)),
        ("h264-level=39", |video| video.level = None, Err(Obstacle::UnknownSource)),
        ("h264-level=x", same, Ok(true)),
        ("VideoCodec=copy&AllowVideoStreamCopy=false", same, Ok(true)),
        ("", |video| video.codec = VideoCodec::Other(0xD1), Err(Obstacle::UnknownSource)),
    ];
    all_as_expected(table.map(|(changes, change, expected)| {
        (changes, copies_video(&web(changes), &with_video(change)), expected)
    }));
}

/// What is known of other codecs, and what is not.
#[test]
fn lines_of_other_video_codecs() {
    type Change = fn(&mut Video);
    let hevc: Change = |video| {
        video.codec = VideoCodec::Hevc;
        video.profile = Some(Profile { idc: 2, constraints: 0 });
        video.level = Some(120);
    };
    let mpeg2: Change = |video| {
        video.codec = VideoCodec::Mpeg2;
        video.profile = Some(Profile { idc: 4, constraints: 0 });
        video.bitrate = Some(15_000_000);
    };
    let mpeg2_of_30: Change = |video| {
        video.codec = VideoCodec::Mpeg2;
        video.bitrate = Some(30_000_000);
    };
    let table = [
        ("hevc-level=120", hevc, Ok(true)),
        ("hevc-level=119", hevc, Ok(false)),
        ("hevc-profile=main10", hevc, Ok(true)),
        ("hevc-profile=main", hevc, Ok(false)),
        // It has four, and FFprobe reports one.
        ("hevc-maxrefframes=1", hevc, Ok(true)),
        ("mpeg2video-profile=main", mpeg2, Ok(true)),
        ("mpeg2video-profile=high", mpeg2, Ok(false)),
        ("VideoBitrate=20000000&AudioBitrate=0", mpeg2, Ok(true)),
        ("VideoBitrate=15000000&AudioBitrate=0", mpeg2, Err(Obstacle::UnknownSource)),
        ("VideoBitrate=12000000&AudioBitrate=0", mpeg2, Ok(false)),
        ("VideoBitrate=25000000&AudioBitrate=0", mpeg2_of_30, Err(Obstacle::UnknownSource)),
        ("VideoBitrate=15000000&AudioBitrate=0", mpeg2_of_30, Ok(false)),
    ];
    all_as_expected(table.map(|(changes, change, expected)| {
        let demand = web(&format!("VideoCodec=hevc,mpeg2video,h264&{changes}"));
        (changes, copies_video(&demand, &with_video(change)), expected)
    }));
}

/// Each line of `CanStreamCopyAudio`, on either side of its limit.
#[test]
fn lines_of_audio() {
    let unsaid = Audio::unknown(AudioCodec::Aac);
    let ac3 = Audio { bitrate: Some(448_000), ..audio_stream(AudioCodec::Ac3, 2) };
    let table = [
        ("AllowAudioStreamCopy=false", audio_stream(AudioCodec::Aac, 2), Ok(false)),
        ("EnableAutoStreamCopy=false", audio_stream(AudioCodec::Aac, 2), Ok(false)),
        ("", audio_stream(AudioCodec::Mp2, 2), Ok(false)),
        ("AudioCodec=copy", audio_stream(AudioCodec::Mp2, 2), Ok(true)),
        ("AudioCodec=copy&AllowAudioStreamCopy=false", audio_stream(AudioCodec::Mp2, 2), Ok(true)),
        ("AudioCodec=copy,aac", audio_stream(AudioCodec::Mp2, 2), Ok(false)),
        ("AudioCodec=aac,ac3,mp2", audio_stream(AudioCodec::Mp2, 2), Ok(true)),
        ("AudioCodec=ac3", ac3.clone(), Ok(false)),
        ("AudioCodec=ac3&AudioBitrate=448000", ac3, Ok(true)),
        ("AudioCodec=vorbis", audio_stream(AudioCodec::Mp2, 2), Err(Obstacle::EncoderMissing)),
        ("", audio_stream(AudioCodec::Other(0x8A), 2), Err(Obstacle::DecoderMissing)),
        ("", audio_stream(AudioCodec::Aac, 6), Ok(false)),
        ("TranscodingMaxAudioChannels=6", audio_stream(AudioCodec::Aac, 6), Ok(true)),
        ("MaxAudioChannels=6", audio_stream(AudioCodec::Aac, 6), Ok(true)),
        ("MaxAudioChannels=6&aac-audiochannels=2", audio_stream(AudioCodec::Aac, 6), Ok(false)),
        ("MaxAudioChannels=6&AudioChannels=2", audio_stream(AudioCodec::Aac, 6), Ok(true)),
        ("", unsaid.clone(), Err(Obstacle::UnknownSource)),
        ("AudioSampleRate=48000", audio_stream(AudioCodec::Aac, 2), Ok(true)),
        ("AudioSampleRate=44100", audio_stream(AudioCodec::Aac, 2), Ok(false)),
        ("AudioBitrate=1", audio_stream(AudioCodec::Aac, 2), Ok(true)),
    ];
    all_as_expected(table.map(|(changes, audio, expected)| {
        (changes, copies_audio(&web(changes), &with_audio(&[audio])), expected)
    }));
}

#[test]
fn the_users_policy_forces_copies() {
    let hard = "AllowVideoStreamCopy=false&AllowAudioStreamCopy=false&AudioCodec=aac&VideoCodec=h264";
    for (video_transcoding, audio_transcoding) in [(true, true), (true, false), (false, true), (false, false)]
    {
        let demand = demand_of(hard, Policy { video_transcoding, audio_transcoding }).unwrap();
        let plan = planned(&demand, &source()).unwrap();
        let encoded = (plan.video != Some(VideoPlan::Copy), plan.audio != Some(AudioPlan::Copy));
        assert_eq!(encoded, (video_transcoding, audio_transcoding));
    }
}

#[test]
fn encoded_video_keeps_the_limits() {
    let demand =
        web("AllowVideoStreamCopy=false&VideoBitrate=2600000&AudioBitrate=400000&h264-profile=main,high");
    assert_eq!(
        encode(&demand, &source()),
        VideoEncode {
            encoder: VideoEncoder::Software,
            profile: Some(H264Profile::Main),
            level: Some(40),
            bitrate: Some(2_600_000),
            max_width: Some(1920),
            max_height: None,
            max_frame_rate: Some(25.0),
            deinterlace: false,
        }
    );
    let named = |wish: &str| {
        let encode = encode(&web(&format!("AllowVideoStreamCopy=false&{wish}")), &source());
        (encode.profile, encode.level)
    };
    assert_eq!(named("Profile=ConstrainedBaseline&Level=99"), (Some(H264Profile::Baseline), Some(51)));
    assert_eq!(named("Profile=High10&Level=-99"), (Some(H264Profile::High), Some(51)));
    assert_eq!(named("Profile=unheard-of&Level=4.1"), (None, None));
}

/// `ResolutionNormalizer` and what precedes it, computed by hand.
#[test]
fn encoded_video_is_as_large_as_its_bitrate_suffices_for() {
    type Change = fn(&mut Video);
    let full: Change = |_| {};
    let hevc: Change = |video| video.codec = VideoCodec::Hevc;
    let standard: Change = |video| video.size = Some((720, 576));
    let small: Change = |video| video.size = Some((640, 360));
    let table = [
        // No more than such video is assumed to have, and no size is asked for.
        ("VideoBitrate=30000000", full, 20_000_000, None, None),
        ("VideoBitrate=30000000&MaxWidth=1280&MaxHeight=720", full, 20_000_000, Some(1280), Some(720)),
        // HEVC needs fewer bits.
        ("VideoBitrate=30000000", hevc, 30_000_000, None, None),
        // Two and a half times its assumed bitrate; without one, the limit.
        ("VideoBitrate=30000000", standard, 5_000_000, None, None),
        ("VideoBitrate=30000000", small, 30_000_000, Some(3840), None),
        ("VideoBitrate=30000000&MaxHeight=90", small, 30_000_000, Some(3840), Some(90)),
        // By 30/25: 9.6, 1.2 (400 000 count four times) and 1.92 Mbit/s.
        ("VideoBitrate=8000000&MaxWidth=1280&MaxHeight=720", full, 8_000_000, Some(1280), Some(720)),
        ("VideoBitrate=8000000&MaxWidth=2560&MaxHeight=1440", full, 8_000_000, Some(1920), Some(1440)),
        ("VideoBitrate=250000&MaxWidth=1280", full, 250_000, Some(960), None),
        ("VideoBitrate=400000&MaxWidth=1280", full, 400_000, Some(960), None),
        ("VideoBitrate=5000000&MaxFramerate=30", full, 5_000_000, Some(1280), None),
        ("VideoBitrate=5000000&MaxFramerate=24", full, 5_000_000, Some(1920), None),
        ("VideoBitrate=6000000&MaxFramerate=60", full, 6_000_000, Some(1280), None),
        ("Width=320&Height=180", full, 20_000_000, Some(320), Some(180)),
    ];
    all_as_expected(table.map(|(changes, change, bitrate, width, height)| {
        let demand = web(&format!("AllowVideoStreamCopy=false&AudioBitrate=0&{changes}"));
        let encode = encode(&demand, &with_video(change));
        (changes, (encode.bitrate, encode.max_width, encode.max_height), (Some(bitrate), width, height))
    }));
}

#[test]
fn a_measured_bitrate_is_one_of_few() {
    assert_eq!(web("VideoBitrate=7950000&AudioBitrate=384000").video_bitrate, Some(7_616_000));
    assert_eq!(web("").video_bitrate, Some(30_000_000));
}

#[test]
fn who_forces_it_gets_what_can_be_made() {
    let forced = |demand: &Demand, facts: &Facts| plan(demand, facts, &abilities(), Tolerance::FORCED);
    let unknown = with_video(|video| video.frame_rate = None);
    assert_eq!(forced(&web(""), &unknown).unwrap().video, Some(VideoPlan::Copy), "as it is, while in doubt");
    let drawn = web("SubtitleStreamIndex=2&SubtitleMethod=Encode");
    assert!(forced(&drawn, &source()).is_ok());
    let bright = with_video(|video| video.high_dynamic_range = true);
    assert_eq!(forced(&web(""), &bright), Err(Obstacle::HighDynamicRange));
    assert_eq!(forced(&web(""), &with_video(|video| video.scrambled = true)), Err(Obstacle::Scrambled));
}

#[test]
fn what_is_scrambled_is_in_the_way_only_if_it_would_be_played() {
    let hidden = |codec| Audio { scrambled: true, ..audio_stream(codec, 6) };
    let clear = Audio::unknown(AudioCodec::AacLatm);
    let index =
        |list: &[Audio]| planned(&web("AudioCodec=copy"), &with_audio(list)).map(|plan| plan.audio_index);
    assert_eq!(index(&[hidden(AudioCodec::Ac3), clear, hidden(AudioCodec::Aac)]), Ok(1));
    assert_eq!(index(&[hidden(AudioCodec::Ac3), hidden(AudioCodec::Aac)]), Err(Obstacle::Scrambled));
    let radio = Facts { video: None, ..with_audio(&[hidden(AudioCodec::Mp2)]) };
    assert_eq!(planned(&web(""), &radio), Err(Obstacle::Scrambled));
}

#[test]
fn subtitles_that_are_not_drawn_are_in_nobodys_way() {
    for (changes, expected) in [
        ("SubtitleStreamIndex=2&SubtitleMethod=Encode", Err(Obstacle::BurntInSubtitles)),
        ("SubtitleStreamIndex=2", Err(Obstacle::BurntInSubtitles)),
        ("SubtitleStreamIndex=2&SubtitleMethod=Hls", Ok(true)),
        ("SubtitleStreamIndex=-1&SubtitleMethod=Encode", Ok(true)),
    ] {
        assert_eq!(copies_video(&web(changes), &source()), expected, "{changes}");
    }
}

#[test]
fn encoded_audio_keeps_the_limits() {
    let six = with_audio(&[audio_stream(AudioCodec::Ac3, 6)]);
    assert_eq!(
        encode_audio(&web(""), &six),
        AudioEncode {
            encoder: AudioEncoder::Aac,
            channels: Some(2),
            bitrate: 256_000,
            sample_rate: None,
            downmix: true,
        }
    );
    let mp2 = |changes: &str| encode_audio(&web(changes), &with_audio(&[audio_stream(AudioCodec::Mp2, 2)]));
    assert_eq!((mp2("").channels, mp2("").downmix), (None, false));
    assert_eq!(mp2("AudioBitrate=").bitrate, 256_000);
    assert_eq!(mp2("AudioBitrate=96000").bitrate, 96_000);
    assert_eq!(mp2("AudioSampleRate=44100").sample_rate, Some(44_100));
    assert_eq!(mp2("AudioSampleRate=48000").sample_rate, None);
    for (wished, channels, bitrate) in [
        (1, 1, 128_000),
        (2, 2, 256_000),
        (4, 2, 256_000),
        (5, 6, 640_000),
        (6, 6, 640_000),
        (7, 8, 640_000),
        (8, 8, 640_000),
    ] {
        let changes =
            format!("AllowAudioStreamCopy=false&AudioBitrate=1000000&TranscodingMaxAudioChannels={wished}");
        let encode = encode_audio(&web(&changes), &with_audio(&[audio_stream(AudioCodec::Aac, 8)]));
        assert_eq!((encode.channels.unwrap_or(8), encode.bitrate), (channels, bitrate), "{wished}");
    }
    let ac3 = encode_audio(
        &web("AudioCodec=ac3&TranscodingMaxAudioChannels=8"),
        &with_audio(&[audio_stream(AudioCodec::Aac, 8)]),
    );
    assert_eq!(ac3.channels, Some(6));
    // As many channels as there are; two stay two, and for more only their number tells how many are made.
    let latm = with_audio(&[Audio::unknown(AudioCodec::AacLatm)]);
    let abilities = Abilities { audio_decoders: vec![AudioCodec::AacLatm], ..abilities() };
    let plan = |changes: &str| plan(&web(changes), &latm, &abilities, Tolerance::NONE);
    assert!(plan("").is_ok());
    assert_eq!(plan("TranscodingMaxAudioChannels=6"), Err(Obstacle::UnknownSource));
}

/// `ShiftAudioCodecsIfNeeded` and `CanEncodeToAudioCodec`.
#[test]
fn audio_is_encoded_to_the_first_codec_accepted() {
    for (wished, channels, expected) in [
        ("aac,ac3", 2, AudioEncoder::Aac),
        ("ac3,aac", 2, AudioEncoder::Aac),
        ("eac3,ac3,opus,aac", 2, AudioEncoder::Aac),
        ("ac3,eac3", 2, AudioEncoder::Ac3),
        ("ac3,aac", 6, AudioEncoder::Ac3),
        ("opus,flac,aac", 6, AudioEncoder::Aac),
    ] {
        let demand = web(&format!("TranscodingMaxAudioChannels=6&AudioCodec={wished}"));
        let encode = encode_audio(&demand, &with_audio(&[audio_stream(AudioCodec::Mp2, channels)]));
        assert_eq!(encode.encoder, expected, "{wished} {channels}");
    }
}

#[test]
fn of_several_audio_streams_the_one_with_most_channels_is_taken() {
    let (stereo, surround) = (audio_stream(AudioCodec::Mp2, 2), audio_stream(AudioCodec::Ac3, 6));
    let index = |list: &[Audio]| planned(&web("AudioCodec=copy"), &with_audio(list)).unwrap().audio_index;
    assert_eq!(index(&[stereo.clone(), surround.clone(), surround]), 1);
    assert_eq!(index(&[stereo.clone(), stereo.clone()]), 0);
    // A number belongs to a source whose streams Jellyfin has numbered.
    let numbered =
        |list: &[Audio]| copies_audio(&web("AudioStreamIndex=1&AudioCodec=copy"), &with_audio(list));
    assert_eq!(numbered(&[stereo.clone(), stereo.clone()]), Err(Obstacle::UnknownSource));
    assert_eq!(numbered(&[stereo]), Ok(true));
}

#[test]
fn the_audio_stream_that_is_played_stays_while_it_is_not_scrambled() {
    let (first, second) = (audio_stream(AudioCodec::Mp2, 2), audio_stream(AudioCodec::Ac3, 6));
    let demand = web("AudioCodec=copy");
    let before = planned(&demand, &with_audio(&[first.clone(), second.clone()])).unwrap();
    let after =
        |list: &[Audio]| replan(&demand, &with_audio(list), &abilities(), &before).unwrap().audio_index;
    assert_eq!(before.audio_index, 1);
    assert_eq!(after(&[first.clone(), audio_stream(AudioCodec::Ac3, 2)]), 1, "it has become a stereo stream");
    assert_eq!(after(&[first.clone(), Audio { scrambled: true, ..second }]), 0);
    assert_eq!(after(&[first]), 0);
}

#[test]
fn radio_has_no_video_and_an_empty_source_is_an_obstacle() {
    let radio = Facts { video: None, ..source() };
    let plan = planned(&web(""), &radio).unwrap();
    assert_eq!((plan.video, plan.audio), (None, Some(AudioPlan::Copy)));
    assert_eq!(planned(&web(""), &Facts::default()), Err(Obstacle::NothingToPlay));
}

#[test]
fn what_ffmpeg_has_not_or_may_not_is_not_planned() {
    let encode = web("AllowVideoStreamCopy=false");
    let with = |change: fn(&mut Abilities)| {
        let mut abilities = abilities();
        change(&mut abilities);
        plan(&encode, &source(), &abilities, Tolerance::FORCED).err()
    };
    assert_eq!(with(|_| {}), None);
    assert_eq!(with(|has| has.video_encoders.clear()), Some(Obstacle::EncoderMissing));
    assert_eq!(with(|has| has.video_decoders.clear()), Some(Obstacle::DecoderMissing));
    assert_eq!(with(|has| has.encodes_left = 0), Some(Obstacle::EncodesTaken));
    assert_eq!(with(|has| has.processes_left = 0), Some(Obstacle::ProcessesTaken));
    let copied = plan(&web(""), &source(), &Abilities::default(), Tolerance::NONE);
    assert!(copied.unwrap().is_copy(), "a copy needs no FFmpeg");
    let audio_only = Abilities { encodes_left: 0, ..abilities() };
    let mp2 = with_audio(&[audio_stream(AudioCodec::Mp2, 2)]);
    assert!(plan(&web(""), &mp2, &audio_only, Tolerance::NONE).is_ok(), "a sound is no picture");
}

/// NVENC fails where a level is too low.
#[test]
fn no_level_is_wished_of_nvenc() {
    let abilities = Abilities { video_encoders: vec![VideoEncoder::Nvenc], ..abilities() };
    let plan = plan(&web("AllowVideoStreamCopy=false"), &source(), &abilities, Tolerance::NONE).unwrap();
    let Some(VideoPlan::Encode(encode)) = plan.video else { panic!("copied: {plan:?}") };
    assert_eq!((encode.profile, encode.level), (Some(H264Profile::High), None));
}

#[test]
fn what_cannot_be_read_is_the_servers_to_refuse() {
    for query in [
        "VideoBitrate=much",
        "MaxWidth=-",
        "MaxFramerate=x",
        "MaxFramerate=NaN",
        "MaxFramerate=inf",
        "Framerate=0",
        "Static=true",
        "SubtitleStreamIndex=en",
    ] {
        assert_eq!(demand_of(query, Policy::UNRESTRICTED), Err(Obstacle::UnreadableWish), "{query}");
    }
}

#[test]
fn what_the_server_does_in_hardware_is_not_done_by_the_processor() {
    let encode = web("AllowVideoStreamCopy=false");
    let made = |demand: &Demand, video_encoders: Vec<VideoEncoder>, tolerance: Tolerance| {
        let abilities = Abilities { video_encoders, server_hardware: true, ..abilities() };
        plan(demand, &source(), &abilities, tolerance).err()
    };
    let software = || vec![VideoEncoder::Software];
    assert_eq!(made(&encode, software(), Tolerance::NONE), Some(Obstacle::ServerHardware));
    assert_eq!(made(&encode, software(), Tolerance::FORCED), None);
    assert_eq!(made(&encode, vec![VideoEncoder::Vaapi], Tolerance::NONE), None);
    assert_eq!(made(&web(""), software(), Tolerance::NONE), None, "a copy is no work");
}
