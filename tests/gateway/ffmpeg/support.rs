//! A source, plans to encode it, and an FFmpeg that carries them out.

use std::path::{Path, PathBuf};
use std::process::Command as Program;
use std::time::Duration;

use bytes::Bytes;
use domain::encoding::abilities::{AudioEncoder, VideoEncoder};
use domain::encoding::health::Limits;
use domain::encoding::plan::{AudioEncode, AudioPlan, Plan, VideoEncode, VideoPlan};
use tokio::io::AsyncReadExt;
use tokio::process::ChildStdout;
use tokio_util::task::TaskTracker;
use warmgate::ffmpeg::command::{Command, EncodeSettings};
use warmgate::ffmpeg::launcher::Launcher;
use warmgate::ffmpeg::process::Running;
use warmgate::ffmpeg::{Ffmpeg, Settings};

use crate::support::wait::soon;

pub(crate) fn settings() -> Settings {
    Settings {
        path: PathBuf::from("ffmpeg"),
        launcher: Launcher::Own(PathBuf::from(env!("CARGO_BIN_EXE_warmgate"))),
        encoders: vec![VideoEncoder::Software],
        processes: 8,
        encodes: 4,
        nice: 1,
        limits: Limits {
            silence: Duration::from_secs(30),
            patience: Duration::from_secs(30),
            speed: 0.9,
            memory: 2 << 30,
        },
        owner: format!("test-{}", std::process::id()),
    }
}

pub(crate) fn copy() -> Plan {
    Plan { video: Some(VideoPlan::Copy), audio: Some(AudioPlan::Copy), audio_index: 0 }
}

pub(crate) fn encode(max_width: u32, bitrate: u64) -> Plan {
    let video = VideoEncode {
        encoder: VideoEncoder::Software,
        profile: None,
        level: None,
        bitrate: Some(bitrate),
        max_width: Some(max_width),
        max_height: None,
        max_frame_rate: Some(25.0),
        deinterlace: true,
    };
    let encoder = AudioEncoder::Aac;
    let audio =
        AudioEncode { encoder, channels: Some(2), bitrate: 128_000, sample_rate: None, downmix: false };
    Plan { video: Some(VideoPlan::Encode(video)), audio: Some(AudioPlan::Encode(audio)), audio_index: 0 }
}

pub(crate) fn command(plan: &Plan) -> Command {
    Command::make(
        plan,
        &EncodeSettings { key_frames: Duration::from_secs(2), preset: "ultrafast".to_owned() },
    )
}

pub(crate) async fn start(ffmpeg: &Ffmpeg, plan: &Plan) -> Running {
    ffmpeg.start(&command(plan), &TaskTracker::new()).await.unwrap()
}

/// Ten seconds of 320×180 at 25 frames/s with a key frame each second, and of sound. The clock begins at `start` seconds.
pub(crate) fn source(folder: &Path, start: f64) -> Bytes {
    let path = folder.join("source.ts");
    let made = Program::new("ffmpeg")
        .args(["-hide_banner", "-nostdin", "-loglevel", "error", "-y"])
        .args(["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=10"])
        .args(["-f", "lavfi", "-i", "sine=sample_rate=48000:duration=10"])
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "25", "-pix_fmt", "yuv420p"])
        .args(["-c:a", "mp2", "-ac", "2", "-output_ts_offset", &start.to_string(), "-muxdelay", "0"])
        .args(["-f", "mpegts"])
        .arg(&path)
        .status()
        .unwrap();
    assert!(made.success());
    std::fs::read(path).unwrap().into()
}

/// Feeds `source` to FFmpeg and returns its whole output.
pub(crate) async fn through(running: Running, source: &Bytes) -> Vec<u8> {
    let Running { stdin, mut output, process, .. } = running;
    let stdin = stdin.unwrap();
    for at in (0..source.len()).step_by(188 * 100) {
        stdin.offer(source.slice(at..source.len().min(at + 188 * 100))).unwrap();
    }
    drop(stdin);
    let mut made = Vec::new();
    soon(output.read_to_end(&mut made)).await.unwrap();
    assert!(soon(process.ended()).await.status.unwrap().success());
    made
}

/// Waits for the first bytes.
pub(crate) async fn first_bytes(output: &mut ChildStdout) {
    assert!(soon(output.read_u8()).await.is_ok(), "nothing came");
}

pub(crate) fn exists(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}
