//! The cutter on real streams: FFmpeg encodes them, the cutter cuts them, and FFmpeg reads the segments.
#![allow(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]

use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use domain::cutter::{Cut, Cutter, Rule};
use domain::mpegts::facts::{AudioCodec, Facts, Profile, VideoCodec};
use domain::mpegts::packet::Packet;
use domain::mpegts::scan::Scan;

/// The rule by which the gateway cuts.
const RULE: Rule = Rule {
    piece: Duration::from_millis(500),
    target: Duration::from_secs(1),
    first: Duration::from_millis(2200),
    largest: 32 << 20,
};

/// Runs a tool on `input` and returns its output; a complaint fails the test.
fn run(tool: &str, args: &str, input: &[u8]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.ts");
    std::fs::write(&path, input).unwrap();
    let args = args.replace("IN", path.to_str().unwrap());
    let output = Command::new(tool)
        .args(["-v", "error"])
        .args(args.split_whitespace())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{tool} {args}: {said}");
    output.stdout
}

/// A stream of `seconds`, encoded with the arguments `how`.
fn encoded(seconds: u32, how: &str) -> Bytes {
    let inputs = format!(
        "-f lavfi -i testsrc2=size=320x180:rate=25:duration={seconds} -f lavfi -i sine=frequency=440:sample_rate=48000:duration={seconds}"
    );
    run("ffmpeg", &format!("{inputs} {how} -f mpegts pipe:1"), &[]).into()
}

/// The segments of `stream`, which is pushed in pieces of `piece` bytes.
fn cut(stream: &Bytes, piece: usize) -> Vec<Cut> {
    let mut cutter = Cutter::new(RULE);
    let mut cuts = Vec::new();
    for piece in stream.chunks(piece) {
        cutter.push(&Bytes::copy_from_slice(piece));
        cuts.extend(std::iter::from_fn(|| cutter.poll()));
    }
    cuts.extend(cutter.finish());
    cuts
}

/// The facts about the stream.
fn facts(stream: &Bytes) -> Facts {
    let mut scan = Scan::default();
    let settled = stream.chunks(188).position(|packet| {
        scan.read(Packet::new(packet).unwrap());
        scan.is_settled()
    });
    assert!(settled.is_some(), "never settled: {:?}", scan.facts());
    scan.facts().unwrap().clone()
}

fn joined(cuts: &[Cut]) -> Vec<u8> {
    cuts.iter().flat_map(|cut| cut.bytes.iter().copied()).collect()
}

/// The number of frames of this kind that FFmpeg decodes.
fn frames(stream: &[u8], kind: &str) -> usize {
    let args =
        format!("-count_frames -select_streams {kind}:0 -show_entries stream=nb_read_frames -of csv=p=0 IN");
    let counted = String::from_utf8(run("ffprobe", &args, stream)).unwrap();
    counted.split_whitespace().next().unwrap_or("0").trim_matches(',').parse().unwrap()
}

/// The number of packets of this kind that FFmpeg finds.
fn packets(stream: &[u8], kind: &str) -> usize {
    let args = format!("-show_entries packet=pts -select_streams {kind}:0 -of csv=p=0 IN");
    String::from_utf8(run("ffprobe", &args, stream)).unwrap().lines().filter(|line| !line.is_empty()).count()
}

/// Of each segment the duration, whether it begins with a random access point, and whether it is a discontinuity.
fn summary(cuts: &[Cut]) -> Vec<(u128, bool, bool)> {
    cuts.iter().map(|cut| (cut.duration.as_millis(), cut.independent, cut.discontinuity)).collect()
}

fn total(cuts: &[Cut]) -> f64 {
    cuts.iter().map(|cut| cut.duration).sum::<Duration>().as_secs_f64()
}

/// Checks `cuts` of the whole `stream`: they contain all of it, and keep to the rule.
fn hold(stream: &Bytes, cuts: &[Cut], seconds: f64) {
    println!("{:?}", summary(cuts));
    let joined = joined(cuts);
    for kind in ["v", "a"] {
        let (before, after) = (packets(stream, kind), packets(&joined, kind));
        assert!(after == before, "{kind}: {before} packets before, {after} after");
    }
    assert_eq!(frames(&joined, "v"), frames(stream, "v"), "frames");
    run("ffmpeg", "-xerror -i IN -f null -", &joined);
    assert!((total(cuts) - seconds).abs() <= 0.04, "{} s of {seconds}", total(cuts));
    for cut in cuts {
        assert!(cut.duration.as_secs_f64().round() <= RULE.target.as_secs_f64(), "{:?}", cut.duration);
        assert!(cut.bytes.len() % 188 == 0 && cut.bytes[..3] == [0x47, 0x40, 0x00], "begins with a PAT");
    }
    assert!(cuts[0].independent && cuts.iter().all(|cut| !cut.discontinuity));
    // A segment that begins with a random access point can be decoded by itself, but for pictures shown before that.
    if let Some(cut) = cuts[1..].iter().rev().find(|cut| cut.independent) {
        run("ffmpeg", "-v fatal -i IN -frames:v 1 -f null -", &cut.bytes);
    }
}

const H264: &str = "-c:v libx264 -preset ultrafast -sc_threshold 0";

#[test]
fn plain_h264_and_aac() {
    let stream = encoded(14, &format!("{H264} -profile:v baseline -g 50 -c:a aac"));
    let cuts = cut(&stream, 20_000);
    hold(&stream, &cuts, 14.0);
    let facts = facts(&stream);
    let video = facts.video.unwrap();
    assert_eq!((video.codec, video.size, video.bit_depth), (VideoCodec::H264, Some((320, 180)), Some(8)));
    assert_eq!(video.profile, Some(Profile { idc: 66, constraints: 0xc0 }));
    assert_eq!(
        (video.interlaced, video.frame_rate, video.square_pixels),
        (Some(false), Some(25.0), Some(true))
    );
    let audio = &facts.audio[0];
    assert_eq!((audio.codec, audio.channels, audio.sample_rate), (AudioCodec::Aac, Some(1), Some(48_000)));
    for piece in [187, 188, 100_000] {
        assert!(cut(&stream, piece) == cuts, "{piece}");
    }
    let group = [(520, true), (520, false), (520, false), (440, false)];
    for cuts in cuts.chunks(4) {
        let cuts: Vec<_> = cuts.iter().map(|cut| (cut.duration.as_millis(), cut.independent)).collect();
        assert_eq!(cuts, group);
    }
}

#[test]
fn open_groups_of_pictures() {
    let x264 = "-x264-params bframes=3:open_gop=1:keyint=40:min-keyint=40:b-pyramid=normal";
    let stream = encoded(16, &format!("{H264} {x264} -c:a aac"));
    let cuts = cut(&stream, 20_000);
    hold(&stream, &cuts, 16.0);
    assert_eq!(cuts.iter().filter(|cut| cut.independent).count(), 10);
    assert_eq!(facts(&stream).video.unwrap().profile.unwrap().idc, 77);
}

#[test]
fn long_groups_of_pictures() {
    let stream = encoded(44, &format!("{H264} -g 350 -c:a aac"));
    let cuts = cut(&stream, 20_000);
    hold(&stream, &cuts, 44.0);
    assert_eq!(cuts.iter().filter(|cut| cut.independent).count(), 4);
    assert!(cuts.len() <= 90);
}

#[test]
fn irregular_groups_of_pictures() {
    let at = "0,0.4,3.2,3.6,9,9.2,16,17,18,19";
    let stream = encoded(20, &format!("{H264} -g 350 -force_key_frames {at} -c:a aac"));
    hold(&stream, &cut(&stream, 20_000), 20.0);
}

#[test]
fn interlaced_pictures() {
    let stream = encoded(8, &format!("{H264} -g 50 -flags +ildct+ilme -x264-params tff=1 -c:a mp3"));
    hold(&stream, &cut(&stream, 20_000), 8.0);
    let facts = facts(&stream);
    assert_eq!(facts.video.as_ref().unwrap().interlaced, Some(true));
    assert_eq!(facts.video.unwrap().frame_rate, Some(25.0));
    assert_eq!(facts.audio[0].codec, AudioCodec::Mp3);
}

#[test]
fn hevc_and_enhanced_ac3() {
    let x265 = "-x265-params log-level=none:keyint=50:min-keyint=50:open-gop=1";
    let stream = encoded(9, &format!("-c:v libx265 -preset ultrafast {x265} -c:a eac3 -ac 6"));
    hold(&stream, &cut(&stream, 20_000), 9.0);
    let facts = facts(&stream);
    let video = facts.video.unwrap();
    assert_eq!((video.codec, video.size, video.bit_depth), (VideoCodec::Hevc, Some((320, 180)), Some(8)));
    assert_eq!(
        (video.interlaced, video.frame_rate, video.square_pixels),
        (Some(false), Some(25.0), Some(true))
    );
    assert_eq!(video.profile.unwrap().idc, 1);
    let audio = &facts.audio[0];
    assert_eq!((audio.codec, audio.channels, audio.sample_rate), (AudioCodec::Eac3, Some(6), Some(48_000)));
}

#[test]
fn high_dynamic_range() {
    // The last one as in broadcasts: an SEI message declares HLG.
    for (transfer, is_high) in
        [("bt709", false), ("arib-std-b67", true), ("bt2020-10", false), ("bt2020-10:atc-sei=18", true)]
    {
        let x265 = format!(
            "-x265-params log-level=none:keyint=50:colorprim=bt2020:colormatrix=bt2020nc:transfer={transfer}"
        );
        let how = format!("-c:v libx265 -preset ultrafast -pix_fmt yuv420p10le {x265} -c:a aac");
        let video = facts(&encoded(3, &how)).video.unwrap();
        assert_eq!(video.high_dynamic_range, is_high, "{transfer}");
        assert_eq!((video.bit_depth, video.profile.unwrap().idc), (Some(10), 2));
    }
}

#[test]
fn mpeg2_and_layer_two() {
    let stream = encoded(
        10,
        "-c:v mpeg2video -b:v 2M -maxrate 2500k -bufsize 1M -g 15 -bf 2 -aspect 16:9 -c:a mp2 -b:a 192k -metadata:s:a:0 language=deu",
    );
    hold(&stream, &cut(&stream, 20_000), 10.0);
    let facts = facts(&stream);
    let video = facts.video.unwrap();
    assert_eq!(
        (video.codec, video.size, video.frame_rate),
        (VideoCodec::Mpeg2, Some((320, 180)), Some(25.0))
    );
    assert_eq!((video.bitrate, video.square_pixels), (Some(2_500_000), Some(true)));
    let audio = &facts.audio[0];
    assert_eq!((audio.codec, audio.channels, audio.sample_rate), (AudioCodec::Mp2, Some(1), Some(48_000)));
    assert_eq!(audio.bitrate, Some(192_000));
    assert_eq!(audio.language.as_deref(), Some("deu"));
}

#[test]
fn stamps_that_begin_anew() {
    let x264 = "-x264-params bframes=2:keyint=50";
    let stream = encoded(14, &format!("{H264} {x264} -c:a ac3 -ac 2 -output_ts_offset 95438"));
    hold(&stream, &cut(&stream, 20_000), 14.0);
    let audio = &facts(&stream).audio[0];
    assert_eq!((audio.codec, audio.channels, audio.sample_rate), (AudioCodec::Ac3, Some(2), Some(48_000)));
    assert_eq!(audio.bitrate, Some(192_000));
}

/// Two hours, in whose middle the clock wraps.
#[test]
fn nothing_is_lost_or_drifts_in_two_hours() {
    let input = "-f lavfi -i testsrc2=size=64x36:rate=5:duration=7200";
    let how =
        "-c:v libx264 -preset ultrafast -tune zerolatency -g 10 -output_ts_offset 91843 -f mpegts pipe:1";
    let stream: Bytes = run("ffmpeg", &format!("{input} {how}"), &[]).into();
    let cuts = cut(&stream, 100_000);
    assert!((total(&cuts) - 7200.0).abs() <= 0.25, "{} s", total(&cuts));
    assert_eq!(packets(&joined(&cuts), "v"), 36_000);
    assert!(cuts.iter().skip(1).all(|cut| !cut.discontinuity), "seamless");
    assert!(cuts.iter().all(|cut| cut.duration < Duration::from_millis(1500)));
}

#[test]
fn radio() {
    for codec in ["aac", "mp2", "ac3"] {
        let stream = encoded(12, &format!("-map 1:a -c:a {codec}"));
        let cuts = cut(&stream, 20_000);
        println!("{:?}", summary(&cuts));
        assert!((total(&cuts) - 12.0).abs() < 0.2, "{codec}: {}", total(&cuts));
        assert_eq!(packets(&joined(&cuts), "a"), packets(&stream, "a"), "{codec}");
        assert!(cuts.iter().all(|cut| cut.independent && cut.duration <= RULE.target));
        assert_eq!(facts(&stream).video, None);
    }
}

#[test]
fn one_of_several_programs() {
    let maps = "-map 1:a -map 0:v -map 1:a -map 1:a -map 0:v";
    let programs =
        "-program program_num=7:st=0 -program program_num=8:st=1:st=2:st=3 -program program_num=9:st=4";
    let how = format!("{maps} {H264} -g 50 -c:a aac -s:v:1 160x90 {programs}");
    let stream = encoded(8, &how);
    let cuts = cut(&stream, 20_000);
    let joined = joined(&cuts);
    let shown = "-show_entries program=program_num,nb_streams:stream=width -of csv=p=0 IN";
    let shown = String::from_utf8(run("ffprobe", shown, &joined)).unwrap();
    assert!(shown.starts_with("8,2"), "{shown}");
    assert_eq!((frames(&joined, "v"), facts(&stream).audio.len()), (200, 2));
    run("ffmpeg", "-xerror -i IN -f null -", &joined);
}

#[test]
fn a_stream_that_is_joined_anywhere() {
    let stream = encoded(12, &format!("{H264} -g 50 -c:a aac"));
    let begin = stream.len() / 4 + 77;
    let cuts = cut(&stream.slice(begin..), 20_000);
    assert!(cuts[0].independent);
    let joined = joined(&cuts);
    // The pictures from the next group of pictures on.
    let count = frames(&joined, "v");
    assert!(count.is_multiple_of(50) && count >= 200, "{count}");
    run("ffmpeg", "-xerror -i IN -f null -", &joined);
}

#[test]
fn other_packets() {
    let stream = encoded(6, &format!("{H264} -g 50 -c:a aac"));
    let cuts = cut(&stream, 20_000);
    for (front, behind) in [(4, 0), (0, 16)] {
        let padded: Bytes = stream
            .chunks(188)
            .flat_map(|packet| [&[0x11; 4][..front], packet, &[0x22; 16][..behind]].concat())
            .collect();
        // A packet of M2TS ends where the next one's time code does.
        let padded = [&*padded, &[0; 4]].concat().into();
        assert!(cut(&padded, 10_001) == cuts, "{front} {behind}");
    }
}

#[test]
fn what_does_not_continue_begins_anew() {
    let first = encoded(5, &format!("{H264} -g 50 -c:a aac"));
    let later = encoded(5, &format!("{H264} -g 50 -c:a aac -output_ts_offset 300"));
    let smaller = encoded(5, &format!("{H264} -g 50 -c:a aac -s 160x90 -output_ts_offset 305"));
    let other = encoded(5, "-c:v mpeg2video -g 25 -c:a mp2");
    let stream: Bytes = [first, later, smaller, other].concat().into();
    let cuts = cut(&stream, 20_000);
    println!("{:?}", summary(&cuts));
    let anew: Vec<_> = cuts.iter().filter(|cut| cut.discontinuity).collect();
    assert_eq!(anew.len(), 3);
    assert!(anew.iter().all(|cut| cut.independent));
    assert!((total(&cuts) - 20.0).abs() < 0.2, "{}", total(&cuts));
}
