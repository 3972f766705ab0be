//! Finds out what this machine's FFmpeg can do, by running each encoder: one that is built in may have no device.

use std::collections::BTreeSet;
use std::time::Duration;

use tracing::{debug, info, warn};

use crate::ffmpeg::command::Command;
use crate::ffmpeg::program::Program;
use crate::ffmpeg::progress::{Line, Progress};
use domain::encoding::abilities::{AudioEncoder, VideoEncoder};
use domain::mpegts::facts::{AudioCodec, VideoCodec};

/// The time limit for each run. A driver that hangs must not block the others.
const PATIENCE: Duration = Duration::from_secs(15);

/// The abilities of FFmpeg on this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// FFmpeg's version, as it prints it.
    pub version: String,
    /// The video encoders that work, in order of preference.
    pub video_encoders: Vec<VideoEncoder>,
    /// The ones that do not work, and why.
    pub refused: Vec<(VideoEncoder, String)>,
    /// The audio encoders.
    pub audio_encoders: Vec<AudioEncoder>,
    /// The video codecs that can be decoded.
    pub video_decoders: Vec<VideoCodec>,
    /// The audio codecs that can be decoded.
    pub audio_decoders: Vec<AudioCodec>,
}

/// Lists encoders and decoders, and runs each encoder of `wanted`.
pub(super) async fn find(program: &Program, wanted: &[VideoEncoder]) -> Found {
    const VIDEO: [VideoCodec; 3] = [VideoCodec::H264, VideoCodec::Hevc, VideoCodec::Mpeg2];
    const AUDIO: [AudioCodec; 6] = [
        AudioCodec::Aac,
        AudioCodec::AacLatm,
        AudioCodec::Mp2,
        AudioCodec::Mp3,
        AudioCodec::Ac3,
        AudioCodec::Eac3,
    ];
    let version = match ask(program, &["-version"]).await {
        Ok(text) => version_of(&text),
        Err(cause) => {
            warn!(cause, "FFmpeg cannot be run: nothing is encoded here");
            return Found::default();
        }
    };
    let encoders = ask(program, &["-hide_banner", "-encoders"]).await.unwrap_or_default();
    let decoders = ask(program, &["-hide_banner", "-decoders"]).await.unwrap_or_default();
    let (encoders, decoders) = (names(&encoders), names(&decoders));
    let mut found = Found {
        version,
        audio_encoders: filter(&AudioEncoder::ALL, |sound| encoders.contains(sound.codec())),
        video_decoders: filter(&VIDEO, |codec| decoders.contains(codec.as_str())),
        audio_decoders: filter(&AUDIO, |codec| decoders.contains(codec.as_str())),
        ..Found::default()
    };
    for encoder in wanted.iter().copied() {
        match tried(program, encoder, &encoders).await {
            Ok(()) => found.video_encoders.push(encoder),
            Err(cause) => {
                debug!(encoder = encoder.as_str(), cause, "this encoder does not work here");
                found.refused.push((encoder, cause));
            }
        }
    }
    let works: Vec<_> = found.video_encoders.iter().map(|encoder| encoder.as_str()).collect();
    info!(version = found.version, encoders = works.join(","), "FFmpeg");
    found
}

async fn tried(program: &Program, encoder: VideoEncoder, known: &BTreeSet<&str>) -> Result<(), String> {
    if !known.contains(encoder.codec()) {
        return Err(format!("{} is not built in", encoder.codec()));
    }
    let trial = Command::trial(encoder);
    let args: Vec<_> = trial.args.iter().map(String::as_str).collect();
    ask(program, &args).await.map(|_| ())
}

/// Runs FFmpeg; its standard output, or the first complaint on standard error if it fails.
async fn ask(program: &Program, args: &[&str]) -> Result<String, String> {
    let child = program.spawn(args, false).await.map_err(|cause| cause.to_string())?;
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
    let output = output.map_err(|_| "it does not end".to_owned())?.map_err(|cause| cause.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    let first = complaints.lines().find_map(|line| match Progress::default().read(line) {
        Line::Log(_, text) if !text.is_empty() => Some(text),
        Line::Log(..) | Line::Part | Line::Report => None,
    });
    Err(first.unwrap_or_else(|| output.status.to_string()))
}

/// `ffmpeg version 5.1.9-0+deb12u1 Copyright …`
fn version_of(text: &str) -> String {
    text.split_whitespace().nth(2).unwrap_or("unknown").to_owned()
}

/// The names in FFmpeg's list of encoders or decoders: the second word of each line below the dashes.
fn names(list: &str) -> BTreeSet<&str> {
    let below = list.lines().skip_while(|line| !line.trim().starts_with("---")).skip(1);
    below.filter_map(|line| line.split_whitespace().nth(1)).collect()
}

fn filter<T: Copy>(all: &[T], holds: impl Fn(T) -> bool) -> Vec<T> {
    all.iter().copied().filter(|one| holds(*one)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_below_the_ruler() {
        let list = "Encoders:\n V..... = Video\n ------\n V....D libx264   libx264 H.264 (codec h264)\n A..... aac  AAC\n";
        assert_eq!(names(list), BTreeSet::from(["libx264", "aac"]));
        assert_eq!(names(""), BTreeSet::new());
        assert_eq!(version_of("ffmpeg version 5.1.9-0+deb12u1 Copyright (c)"), "5.1.9-0+deb12u1");
    }
}
