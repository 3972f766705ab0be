//! Profiles, spelling by spelling.

use proptest::prelude::*;

use super::*;
use crate::encoding::demand::Demand;

/// The encoding parameters that jellyfin-web sent to Jellyfin 12.0-rc5 (fixtures/jellyfin/web-12.0-zap.ndjson).
const WEB: &str = "VideoCodec=h264&AudioCodec=copy&AudioStreamIndex=-1&VideoBitrate=1973691388&AudioBitrate=98730&MaxFramerate=25\
    &SegmentContainer=ts&MinSegments=1&TranscodingMaxAudioChannels=2&RequireAvc=false&EnableAudioVbrEncoding=true\
    &h264-level=30&h264-videobitdepth=8&h264-profile=constrainedbaseline&h264-rangetype=SDR&h264-deinterlace=true";

/// The same client's at a channel that was never probed (docs/jellyfin.md, section 1.1).
const UNPROBED: &str = "VideoCodec=h264&AudioCodec=aac&AudioStreamIndex=-1&VideoBitrate=1973406118&AudioBitrate=384000\
    &SegmentContainer=ts&MinSegments=1&TranscodingMaxAudioChannels=2&RequireAvc=false&EnableAudioVbrEncoding=true";

fn pairs(query: &str) -> Vec<(String, String)> {
    let split = |pair: &str| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    query.split('&').filter_map(split).collect()
}

fn read_as(query: &[(String, String)], apple: bool, policy: Policy) -> Result<Profile, Unshareable> {
    ProfileKey::from_query(query.iter().map(|(name, value)| (name.as_str(), value.as_str())), apple, policy)
}

fn profile(query: &str) -> Profile {
    read_as(&pairs(query), false, Policy::UNRESTRICTED).unwrap()
}

fn key(query: &str) -> ProfileKey {
    profile(query).key
}

/// `base` with some pairs replaced or added.
fn with(base: &str, changes: &str) -> String {
    let changes = pairs(changes);
    let kept =
        pairs(base).into_iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    let all: Vec<String> =
        kept.chain(changes.clone()).map(|(name, value)| format!("{name}={value}")).collect();
    all.join("&")
}

#[test]
fn the_canonical_text_says_all_and_no_more() {
    assert_eq!(
        key(WEB).to_string(),
        "transcodingmaxaudiochannels=2&videobitrate=max&videocodec=h264&audiocodec=copy\
         &h264-deinterlace=true&h264-level=30&h264-profile=constrainedbaseline&h264-rangetype=SDR&h264-videobitdepth=8&maxframerate=25"
    );
    assert_eq!(key("").to_string(), "");
}

/// What a client asks for after a profile was chosen for it: here and in `proxy::tuning` in the same way.
fn chosen(query: &str, choice: ProfileChoice) -> Vec<(String, String)> {
    let is_own = |name: &str| choice.params().iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
    let kept = pairs(query).into_iter().filter(|(name, _)| !choice.replaces(name) && !is_own(name));
    kept.chain(choice.params().iter().map(|&(name, value)| (name.to_owned(), value.to_owned()))).collect()
}

#[test]
fn a_chosen_profile_stands_in_place_of_what_clients_ask_for() {
    let small = with(WEB, "VideoCodec=hevc,h264&VideoBitrate=4000000&MaxWidth=640&MaxHeight=360&Width=320");
    let clients = [WEB, UNPROBED, &small, "MediaSourceId=x&AllowVideoStreamCopy=false&RequireAvc=true"];
    let demands = |choice| {
        clients.map(|client| {
            let query = chosen(client, choice);
            let read = || query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let key = ProfileKey::from_query(read(), false, Policy::UNRESTRICTED).unwrap().key;
            (key, Demand::from_query(read(), Policy::UNRESTRICTED).unwrap())
        })
    };
    let copies = demands(ProfileChoice::AsIs);
    assert!(copies.iter().all(|(key, _)| key.meets(&copies[0].0)), "all share one stream: {copies:?}");
    assert!(copies.iter().all(|(_, demand)| demand.forces_video_copy() && demand.forces_audio_copy()));
    for (_, demand) in demands(ProfileChoice::Compatible) {
        assert_eq!(
            (demand.video_codecs, demand.audio_codecs),
            (vec!["h264".to_owned()], vec!["aac".to_owned()])
        );
        assert_eq!((demand.max_width, demand.max_height), (Some(1920), Some(1080)));
        assert!(demand.may_copy_video && demand.may_copy_audio, "a source that is like that is copied");
        assert!(
            demand.video_bitrate.is_none_or(|bitrate| bitrate <= 30_000_000),
            "{:?}",
            demand.video_bitrate
        );
    }
}

#[test]
fn spellings_of_one_wish() {
    for (one, two) in [
        ("VideoBitrate=8000000", "videoBitRate=8000000"),
        ("RequireAvc=True", "requireAvc=true"),
        ("RequireAvc=false&RequireNonAnamorphic=False&DeInterlace=false", ""),
        ("alwaysBurnInSubtitleWhenTranscoding=false&EnableAutoStreamCopy=True&allowAudioStreamCopy=true", ""),
        ("EnableAudioVbrEncoding=TRUE", ""),
        ("allowVideoStreamCopy=true", ""),
        ("AudioStreamIndex=-1&SubtitleStreamIndex=-1&VideoStreamIndex=-1", ""),
        ("SubtitleMethod=Hls", ""),
        ("MaxFramerate=25", "maxFramerate=25.0"),
        ("TranscodingMaxAudioChannels=2", "TranscodingMaxAudioChannels=02"),
        ("AudioCodec=aac,mp3", "AudioCodec=AAC, mp3,aac"),
        ("VideoCodec=h264,h264", "VideoCodec=h264"),
        ("SegmentContainer=TS", ""),
        ("SegmentLength=3", ""),
        ("StartTimeTicks=0&Static=False&Params=", ""),
        ("MaxWidth=", ""),
        ("MaxWidth=1280&MaxWidth=640", "MaxWidth=1280"),
        ("MaxWidth=&MaxWidth=640", ""),
        ("AudioCodec=copy&AudioBitrate=98730", "AudioCodec=copy&AudioBitrate=98958"),
        ("h264-deinterlace=True", "h264-deinterlace=true"),
    ] {
        assert_eq!(key(one), key(two), "{one} | {two}");
    }
}

#[test]
fn what_does_not_reach_the_encoder_is_no_part() {
    for name in [
        "LiveStreamId",
        "MediaSourceId",
        "PlaySessionId",
        "DeviceId",
        "ApiKey",
        "api_key",
        "Tag",
        "TranscodeReasons",
        "DeviceProfileId",
        "MinSegments",
        "BreakOnNonKeyFrames",
        "EnableSubtitlesInManifest",
        "EnableMpegtsM2TsMode",
        "EstimateContentLength",
        "TranscodeSeekInfo",
        "CopyTimestamps",
        "Context",
        "Container",
        "CpuCoreLimit",
        "CMCD",
        "_HLS_msn",
        "_HLS_part",
        "_hls_skip",
        "",
    ] {
        assert_eq!(key(&format!("{name}=7")), key(""), "{name}");
    }
}

#[test]
fn what_reaches_the_encoder_tells_apart() {
    for change in [
        "VideoCodec=hevc",
        "VideoCodec=hevc,h264",
        "AudioCodec=aac",
        "AudioCodec=copy,aac",
        "VideoBitrate=2000000",
        "AudioSampleRate=48000",
        "AudioChannels=2",
        "MaxAudioChannels=2",
        "TranscodingMaxAudioChannels=6",
        "MaxAudioBitDepth=16",
        "EnableAudioVbrEncoding=false",
        "Width=640",
        "Height=360",
        "MaxWidth=640",
        "MaxHeight=360",
        "Framerate=25",
        "MaxFramerate=50",
        "Profile=main",
        "Level=31",
        "MaxRefFrames=4",
        "MaxVideoBitDepth=8",
        "RequireAvc=true",
        "RequireNonAnamorphic=true",
        "DeInterlace=true",
        "EnableAutoStreamCopy=false",
        "allowVideoStreamCopy=false",
        "allowAudioStreamCopy=false",
        "SegmentLength=1",
        "AudioStreamIndex=1",
        "VideoStreamIndex=0",
        "SubtitleStreamIndex=2",
        "SubtitleCodec=srt",
        "alwaysBurnInSubtitleWhenTranscoding=true",
        "h264-level=31",
        "h264-codectag=avc1",
        "aac-audiochannels=2",
        "rangetype=SDR",
        "Unknown=1",
        "unknown=1",
        "MaxWidth=much",
    ] {
        let changed = key(&with(WEB, change));
        assert_ne!(changed, key(WEB), "{change}");
        assert!(!changed.meets(&key(WEB)), "{change}");
    }
    assert_ne!(key("SubtitleStreamIndex=2&SubtitleMethod=Encode"), key("SubtitleStreamIndex=2"));
    assert_ne!(key("AudioCodec=aac&AudioBitrate=128000"), key("AudioCodec=aac&AudioBitrate=64000"));
    assert_ne!(key("Unknown=1"), key("unknown=1"), "one is a stream option, the other is not");
    assert_ne!(key("h264-level=30"), key("H264-level=30"));
    let read = |query: &[(&str, &str)]| {
        let profile = ProfileKey::from_query(query.iter().copied(), false, Policy::UNRESTRICTED);
        profile.unwrap().key
    };
    assert_ne!(read(&[("Unknown", "a&Zero=b")]), read(&[("Unknown", "a"), ("Zero", "b")]));
}

#[test]
fn what_is_one_viewers_own_is_not_shared() {
    for (query, reason, spelling) in [
        ("StartTimeTicks=600000000", Unshareable::StartTime, "start-time"),
        ("startTimeTicks=soon", Unshareable::StartTime, "start-time"),
        ("static=true", Unshareable::Static, "static"),
        ("Params=;;h264;", Unshareable::Params, "params"),
        ("SegmentContainer=mp4", Unshareable::Container, "container"),
        ("SegmentContainer=ts,mp4", Unshareable::Container, "container"),
    ] {
        assert_eq!(read_as(&pairs(query), false, Policy::UNRESTRICTED), Err(reason), "{query}");
        assert_eq!(reason.as_str(), spelling);
    }
}

#[test]
fn two_zaps_of_one_web_client_are_one_profile() {
    let first = profile(WEB);
    let second = profile(&with(WEB, "VideoBitrate=1973691160&AudioBitrate=98958"));
    assert_eq!(first, second);
    assert_eq!(first.video_bitrate, Some(30_000_000));
}

#[test]
fn a_measured_bitrate_is_asked_for_as_its_step() {
    let measured = profile(&with(WEB, "VideoBitrate=7950000&AudioBitrate=98730"));
    assert_eq!(measured.video_bitrate, Some(7_901_270), "the picture's share of 8 Mbit/s");
    assert_eq!(measured.key, key(&with(WEB, "VideoBitrate=8500000&AudioBitrate=98958")));
    assert_eq!(profile("VideoCodec=h264").video_bitrate, None);
    assert_eq!(profile("VideoBitrate=fast").video_bitrate, None);
}

#[test]
fn a_channel_before_and_after_its_probe_is_one_stream() {
    let (probed, unprobed) = (key(WEB), key(UNPROBED));
    assert_ne!(probed, unprobed);
    assert!(probed.meets(&unprobed) && unprobed.meets(&probed));

    let encoded = key(&with(WEB, "AudioCodec=aac"));
    assert!(encoded.meets(&unprobed), "a source whose sound is not copied");
}

#[test]
fn different_limits_or_wishes_never_meet() {
    let other_limit = key(&with(WEB, "h264-level=31"));
    assert!(!key(WEB).meets(&other_limit));
    assert!(key(UNPROBED).meets(&other_limit), "meeting is no equivalence");
    assert!(
        !key(WEB).meets(&key(&with(UNPROBED, "VideoBitrate=2000000"))),
        "the bitrate is the client's wish"
    );
    assert!(!key(UNPROBED).meets(&key(&with(UNPROBED, "AudioCodec=mp3"))), "neither is probed");
    assert!(!key(UNPROBED).meets(&key(&with(WEB, "AudioCodec=mp3"))), "the codecs contradict each other");
}

#[test]
fn the_users_policy_is_part_of_the_profile() {
    let read = |video_transcoding, audio_transcoding| {
        read_as(&pairs(WEB), false, Policy { video_transcoding, audio_transcoding }).unwrap().key
    };
    let keys = [read(true, true), read(true, false), read(false, true), read(false, false)];
    for (at, one) in keys.iter().enumerate() {
        for two in &keys[at + 1..] {
            assert!(!one.meets(two), "{one} | {two}");
        }
    }
    assert_ne!(key(&with(WEB, "~video_transcoding=false")), read(false, true), "a query cannot claim it");
}

#[test]
fn apples_players_get_their_longer_segments() {
    let read = |query: &str, apple| {
        let profile = read_as(&pairs(query), apple, Policy::UNRESTRICTED).unwrap();
        (profile.segment_length.as_secs(), profile.key)
    };
    assert_eq!(read(WEB, false).0, 3);
    assert_eq!(read(WEB, true).0, 6);
    assert!(!read(WEB, true).1.meets(&read(WEB, false).1));
    let asked = with(WEB, "SegmentLength=1");
    assert_eq!(read(&asked, true), read(&asked, false), "who asks for a length gets it");
    assert_eq!(read(&asked, true).0, 1);
    let encoded = with(WEB, "AllowVideoStreamCopy=false");
    assert_eq!(read(&encoded, true), read(&encoded, false), "an encoded picture is cut alike for all");
    assert_eq!(read(&with(WEB, "SegmentLength=0"), false).0, 1);
    assert_eq!(read(&with(WEB, "SegmentLength=99999999999"), false).0, 60);
}

/// Any query of known names, stream options and unknown names.
fn any_query() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop_oneof![
        Just("VideoCodec"),
        Just("AudioCodec"),
        Just("VideoBitrate"),
        Just("AudioBitrate"),
        Just("MaxFramerate"),
        Just("RequireAvc"),
        Just("MaxWidth"),
        Just("SegmentLength"),
        Just("h264-level"),
        Just("hevc-profile"),
        Just("Stranger"),
        Just("stranger"),
        Just("PlaySessionId"),
        Just("SubtitleMethod"),
    ];
    let value = prop_oneof![
        Just("h264"),
        Just("aac,mp3"),
        Just("copy"),
        Just("8000000"),
        Just("128000"),
        Just("25"),
        Just("25.0"),
        Just("True"),
        Just("false"),
        Just("-1"),
        Just("3"),
        Just(""),
        Just("a b&c=d"),
    ];
    prop::collection::vec((name, value), 0..10).prop_map(|pairs| {
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    })
}

fn swap_case(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
        .collect()
}

proptest! {
    #[test]
    fn order_does_not_matter((sent, shuffled) in any_query().prop_map(|query| {
        let mut seen = Vec::new();
        let first_of = |pair: &(String, String)| (!seen.contains(&pair.0)).then(|| seen.push(pair.0.clone())).is_some();
        query.into_iter().filter(first_of).collect::<Vec<_>>()
    }).prop_flat_map(|query| (Just(query.clone()), Just(query).prop_shuffle()))) {
        let read = |query: &[_]| read_as(query, false, Policy::UNRESTRICTED);
        prop_assert_eq!(read(&sent), read(&shuffled));
    }

    #[test]
    fn letter_case_of_bound_names_does_not_matter(sent in any_query()) {
        let free = |name: &str| name.contains('-') || name.eq_ignore_ascii_case("stranger");
        let swapped: Vec<_> = sent.iter()
            .map(|(name, value)| (if free(name) { name.clone() } else { swap_case(name) }, value.clone()))
            .collect();
        prop_assert_eq!(read_as(&sent, true, Policy::UNRESTRICTED), read_as(&swapped, true, Policy::UNRESTRICTED));
    }

    #[test]
    fn the_first_of_duplicates_decides(sent in any_query(), values in any_query()) {
        let later = sent.iter().zip(&values).map(|((name, _), (_, value))| (name.clone(), value.clone()));
        let doubled: Vec<_> = sent.iter().cloned().chain(later).collect();
        prop_assert_eq!(read_as(&sent, false, Policy::UNRESTRICTED), read_as(&doubled, false, Policy::UNRESTRICTED));
    }

    #[test]
    fn meeting_is_reflexive_and_symmetric(one in any_query(), two in any_query()) {
        let key = |query: &[_]| read_as(query, false, Policy::UNRESTRICTED).unwrap().key;
        let (one, two) = (key(&one), key(&two));
        prop_assert!(one.meets(&one));
        prop_assert_eq!(one.meets(&two), two.meets(&one));
    }

    #[test]
    fn the_text_is_as_exact_as_the_key(one in any_query(), other in any_query(), at in any::<prop::sample::Index>()) {
        let mut two = one.clone();
        if let (false, Some((_, value))) = (two.is_empty(), other.first()) {
            let at = at.index(two.len());
            two[at].1.clone_from(value);
        }
        let key = |query: &[_]| read_as(query, false, Policy::UNRESTRICTED).unwrap().key;
        let (one, two) = (key(&one), key(&two));
        prop_assert_eq!(one == two, one.to_string() == two.to_string());
    }
}
