//! The cutter against real streams: FFmpeg encodes them, the cutter cuts them, FFmpeg reads what came out.
#![allow(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]

use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use warmgate::domain::cutter::{Cut, Cutter, Rule};

/// As the gateway cuts.
const RULE: Rule = Rule {
    first: Duration::from_millis(500),
    usual: Duration::from_secs(3),
    target: Duration::from_secs(4),
    largest: 32 << 20,
};

/// Runs a tool on `input`; gives what it printed, and fails with what it complained about.
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

/// A stream of `seconds`, encoded as `how` says.
fn encoded(seconds: u32, how: &str) -> Bytes {
    let inputs = format!(
        "-f lavfi -i testsrc2=size=320x180:rate=25:duration={seconds} -f lavfi -i sine=frequency=440:sample_rate=48000:duration={seconds}"
    );
    run("ffmpeg", &format!("{inputs} {how} -f mpegts pipe:1"), &[]).into()
}

/// All segments of `stream`, which comes in pieces of `piece` bytes.
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

fn joined(cuts: &[Cut]) -> Vec<u8> {
    cuts.iter().flat_map(|cut| cut.bytes.iter().copied()).collect()
}

/// How many frames of the stream's kind FFmpeg decodes.
fn frames(stream: &[u8], kind: &str) -> usize {
    let args =
        format!("-count_frames -select_streams {kind}:0 -show_entries stream=nb_read_frames -of csv=p=0 IN");
    let counted = String::from_utf8(run("ffprobe", &args, stream)).unwrap();
    counted.split_whitespace().next().unwrap_or("0").trim_matches(',').parse().unwrap()
}

/// How many packets of the stream's kind FFmpeg finds.
fn packets(stream: &[u8], kind: &str) -> usize {
    let args = format!("-show_entries packet=pts -select_streams {kind}:0 -of csv=p=0 IN");
    String::from_utf8(run("ffprobe", &args, stream)).unwrap().lines().filter(|line| !line.is_empty()).count()
}

fn lengths(cuts: &[Cut]) -> Vec<f64> {
    cuts.iter().map(|cut| (cut.duration.as_secs_f64() * 1000.0).round() / 1000.0).collect()
}

#[test]
fn plain_h264_and_aac() {
    let stream = encoded(
        20,
        "-c:v libx264 -preset ultrafast -profile:v baseline -g 50 -keyint_min 50 -sc_threshold 0 -c:a aac",
    );
    let cuts = cut(&stream, 20_000);
    println!(
        "{:?} {:?}",
        lengths(&cuts),
        cuts.iter().map(|cut| (cut.independent, cut.bytes.len())).collect::<Vec<_>>()
    );
    assert_eq!(cuts.iter().map(|cut| cut.duration).sum::<Duration>(), Duration::from_secs(20));
    let joined = joined(&cuts);
    assert_eq!(frames(&joined, "v"), 500);
    assert_eq!(packets(&joined, "a"), packets(&stream, "a"));
    run("ffmpeg", "-xerror -i IN -f null -", &joined);
    for piece in [1, 187, 188, 189, 100_000] {
        assert_eq!(cut(&stream, piece), cuts, "{piece}");
    }
}
