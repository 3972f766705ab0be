//! FFmpeg's output: it can be decoded, and its times are the source's.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command as Program;
use std::time::Instant;

use bytes::Bytes;
use domain::encoding::abilities::VideoEncoder;
use domain::encoding::plan::VideoPlan;
use domain::reason::Obstacle;
use tokio_util::task::TaskTracker;
use warmgate::ffmpeg::command::{Command, InputFormat};
use warmgate::ffmpeg::process::Running;
use warmgate::ffmpeg::{Error, Ffmpeg, Settings};

use crate::ffmpeg::support::{command, copy, encode, first_bytes, settings, source, start, through};
use crate::support::wait::soon;

/// The round of the 33-bit clock, in ticks of 90 kHz.
const ROUND: i64 = 1 << 33;

/// The duration of a picture, in ticks.
const PICTURE: i64 = 90_000 / 25;

/// The pictures in `made`: for each its time in ticks, counted from `start` seconds of the source's clock, and whether it is
/// a key frame.
fn pictures(folder: &Path, made: &[u8], start: f64) -> Vec<(i64, bool)> {
    let path = folder.join("made.ts");
    std::fs::write(&path, made).unwrap();
    let read = Program::new("ffprobe")
        .args([
            "-loglevel",
            "error",
            "-select_streams",
            "v",
            "-show_entries",
            "packet=pts,flags",
            "-of",
            "csv=p=0",
        ])
        .arg(&path)
        .output()
        .unwrap();
    let text = String::from_utf8(read.stdout).unwrap();
    let begins = (start * 90_000.0).round() as i64 - PICTURE;
    let packet = |line: &str| {
        let (pts, flags) = line.split_once(',')?;
        Some(((pts.parse::<i64>().ok()? - begins).rem_euclid(ROUND) - PICTURE, flags.starts_with('K')))
    };
    let mut pictures: Vec<_> = text.lines().filter_map(packet).collect();
    pictures.sort_unstable();
    pictures
}

/// Decodes the stream, which FFmpeg must not complain of.
fn decodes(folder: &Path, made: &[u8]) {
    let path = folder.join("decoded.ts");
    std::fs::write(&path, made).unwrap();
    let decoded = Program::new("ffmpeg")
        .args(["-hide_banner", "-nostdin", "-loglevel", "error", "-i"])
        .arg(&path)
        .args(["-f", "null", "-"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&decoded.stderr), "");
    assert!(decoded.status.success());
}

/// Copies one source, and encodes it large and small. Its clock begins at `at` seconds.
async fn made_three_ways(at: f64) {
    let folder = tempfile::tempdir().unwrap();
    let ffmpeg = Ffmpeg::new(settings()).unwrap();
    let source = source(folder.path(), at);
    let original = pictures(folder.path(), &source, at);
    assert_eq!(original.len(), 250);
    let (large, small) = (encode(320, 800_000), encode(160, 100_000));
    let (copied, large, small) = tokio::join!(
        async { through(start(&ffmpeg, &copy()).await, &source).await },
        async { through(start(&ffmpeg, &large).await, &source).await },
        async { through(start(&ffmpeg, &small).await, &source).await },
    );
    for made in [&copied, &large, &small] {
        decodes(folder.path(), made);
        assert_eq!(made.len() % 188, 0);
    }
    let seen = |made: &[u8]| pictures(folder.path(), made, at);
    assert_eq!(seen(&copied), original, "a copy is the source");
    let (large, small) = (seen(&large), seen(&small));
    assert_eq!(large, small, "profiles of one channel line up");
    assert_eq!(large.len(), original.len(), "none is lost, none is doubled");
    let apart = large.iter().zip(&original).map(|((made, _), (source, _))| (made - source).abs()).max();
    assert!(apart < Some(PICTURE), "shown when the source's is: {apart:?}");
    let key_frames: Vec<_> = large.iter().filter(|(_, key)| *key).map(|(pts, _)| pts / PICTURE).collect();
    assert_eq!(key_frames, [0, 50, 100, 150, 200], "a key frame every two seconds, and no other");
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles_of_one_source_line_up() {
    made_three_ways(1000.0).await;
}

/// 2³³ / 90 kHz is 95443.7 s.
#[tokio::test(flavor = "multi_thread")]
async fn and_so_they_do_where_the_clock_goes_round() {
    made_three_ways(95_440.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_picture_is_small() {
    let folder = tempfile::tempdir().unwrap();
    let ffmpeg = Ffmpeg::new(settings()).unwrap();
    let source = source(folder.path(), 10.0);
    // Video of an odd number of pixels cannot be encoded.
    let limits =
        [(Some(160), None), (Some(161), None), (None, Some(90)), (None, Some(91)), (Some(161), Some(91))];
    for (max_width, max_height) in limits {
        let mut plan = encode(160, 100_000);
        if let Some(VideoPlan::Encode(encode)) = &mut plan.video {
            (encode.max_width, encode.max_height) = (max_width, max_height);
        }
        let made = through(start(&ffmpeg, &plan).await, &source).await;
        let path = folder.path().join("small.ts");
        std::fs::write(&path, &made).unwrap();
        let read = Program::new("ffprobe")
            .args(["-loglevel", "error", "-show_entries", "stream=codec_name,width,height", "-of", "csv=p=0"])
            .arg(&path)
            .output()
            .unwrap();
        let text = String::from_utf8(read.stdout).unwrap();
        // FFmpeg lists a stream once below its program and once by itself.
        let streams: BTreeSet<_> = text.split_whitespace().collect();
        assert_eq!(streams, BTreeSet::from(["h264,160,90", "aac"]), "{max_width:?} {max_height:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_made_of_the_first_key_frame() {
    let folder = tempfile::tempdir().unwrap();
    let ffmpeg = Ffmpeg::new(settings()).unwrap();
    let picture = ffmpeg.picture(vec![source(folder.path(), 0.0)]).await.unwrap();
    assert!(picture.starts_with(&[0xff, 0xd8]) && picture.ends_with(&[0xff, 0xd9]), "a JPEG, whole");
    ffmpeg.picture(vec![Bytes::from_static(b"no stream")]).await.unwrap_err();
    let full = Ffmpeg::new(Settings { processes: 0, ..settings() }).unwrap();
    full.picture(Vec::new()).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn in_front_of_a_file_it_plays_in_real_time() {
    let folder = tempfile::tempdir().unwrap();
    source(folder.path(), 10.0);
    let ffmpeg = Ffmpeg::new(settings()).unwrap();
    let path = folder.path().join("source.ts");
    let front = Command::remux(path.to_str().unwrap(), InputFormat::File, []);
    let mut running = ffmpeg.start(&front, &TaskTracker::new()).await.unwrap();
    assert!(running.stdin.is_none());
    first_bytes(&mut running.output).await;
    assert_eq!(soon(running.process.stop()).await.failure, None);
}

/// Encoders that work are used, the others are listed with the reason. No machine has all of these.
#[tokio::test(flavor = "multi_thread")]
async fn encoders_are_believed_when_they_have_encoded() {
    let settings = Settings { encoders: VideoEncoder::ALL.to_vec(), ..settings() };
    let ffmpeg = Ffmpeg::new(settings).unwrap();
    assert!(ffmpeg.abilities().video_encoders.is_empty(), "nothing is known before it was tried");
    soon(ffmpeg.probe()).await;
    let found = ffmpeg.found().borrow().clone().unwrap();
    let abilities = ffmpeg.abilities();
    println!("{found:#?}");
    assert!(abilities.video_encoders.contains(&VideoEncoder::Software));
    assert_eq!(found.video_encoders.len() + found.refused.len(), VideoEncoder::ALL.len());
    assert!(found.refused.iter().any(|(encoder, _)| *encoder == VideoEncoder::VideoToolbox));
    assert!(found.refused.iter().all(|(_, cause)| !cause.is_empty()));
    assert!(!abilities.audio_encoders.is_empty() && abilities.audio_decoders.len() == 6);
    assert_eq!(abilities.video_decoders.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_room_for_so_many_and_no_more() {
    let ffmpeg = Ffmpeg::new(Settings { processes: 2, encodes: 1, ..settings() }).unwrap();
    let tasks = TaskTracker::new();
    let encoding = ffmpeg.start(&command(&encode(320, 100_000)), &tasks).await.unwrap();
    let refused = |result: Result<Running, Error>| match result {
        Err(Error::Taken(obstacle)) => obstacle,
        Err(Error::Spawn(cause)) => panic!("{cause}"),
        Ok(_) => panic!("it was started"),
    };
    let another = ffmpeg.start(&command(&encode(160, 100_000)), &tasks).await;
    assert_eq!(refused(another), Obstacle::EncodesTaken);
    assert_eq!(ffmpeg.abilities().processes_left, 1, "what was refused takes no room");
    let _copying = ffmpeg.start(&command(&copy()), &tasks).await.unwrap();
    assert_eq!(refused(ffmpeg.start(&command(&copy()), &tasks).await), Obstacle::ProcessesTaken);
    soon(encoding.process.stop()).await;
    crate::support::wait::eventually("its room is free", async || ffmpeg.abilities().encodes_left == 1).await;
}

/// Prints the time until the first byte if a second of the source is there and the rest comes in real time; the bound is
/// loose.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_byte_comes_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let ffmpeg = Ffmpeg::new(settings()).unwrap();
    let source = source(folder.path(), 1000.0);
    for (name, plan) in [("copy", copy()), ("libx264", encode(320, 800_000))] {
        let begun = Instant::now();
        let Running { stdin, mut output, process, .. } = start(&ffmpeg, &plan).await;
        let stdin = stdin.unwrap();
        let second = source.len() / 10 / 188 * 188;
        stdin.offer(source.slice(..second)).unwrap();
        let feeding = tokio::spawn(as_it_plays(stdin, source.slice(second..)));
        first_bytes(&mut output).await;
        let taken = begun.elapsed();
        println!("{name}: {taken:?}");
        assert!(taken.as_secs() < 5, "{name}: {taken:?}");
        feeding.abort();
        soon(process.stop()).await;
    }
}

async fn as_it_plays(stdin: warmgate::ffmpeg::StdinQueue, source: Bytes) {
    let chunk = (source.len() / 90).max(1);
    for at in (0..source.len()).step_by(chunk) {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let _ = stdin.offer(source.slice(at..source.len().min(at + chunk)));
    }
}
