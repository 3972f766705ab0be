//! FFmpeg's command line for each thing it is asked to do; a pure function, no process.
//!
//! A transport stream goes in at standard input and comes out at standard output. Its times stay those of the source, so
//! that whatever is made from one source at once lines up. Progress goes to standard error, among the log lines, which it
//! cannot be mistaken for: those carry their level (`progress`).

use std::time::Duration;

use domain::encoding::abilities::VideoEncoder;
use domain::encoding::plan::{AudioEncode, AudioPlan, H264Profile, Plan, VideoEncode, VideoPlan};

/// What a hardware encoder is told where the wish has no limit below it: it has no rate that follows from the quality.
const HARDWARE_BITRATE: u64 = 10_000_000;
/// One round of the stream's clock, 2³³ / 90 kHz, in seconds: added to all times, it is gone in the 33 bits that come out.
/// Without it FFmpeg would take what comes before the clock's next zero for negative, and throw it away.
const ONE_ROUND: &str = "95443.717688";
/// Enough to meet every stream once; half a second is at hand when FFmpeg starts, and no more is waited for.
const PROBING: [&str; 6] = ["-probesize", "1000000", "-analyzeduration", "500000", "-fpsprobesize", "0"];
/// The same where everything comes as slowly as it plays, and most of it has been described beforehand.
const LIVE_PROBING: [&str; 6] = ["-probesize", "1000000", "-analyzeduration", "100000", "-fpsprobesize", "0"];
/// Seconds; what jumps by more in a live playlist, as after an advertisement, has its times moved so that it goes on.
/// They must not be passed on as they are (`-copyts`): what lies behind what was written would be squeezed into nothing.
const JUMP: &str = "3";
/// The render node of the first graphics card.
const RENDER_NODE: &str = "/dev/dri/renderD128";

/// A command line, without the program's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    pub(super) args: Vec<String>,
    pub(super) takes_input: bool,
    pub(super) encodes_video: bool,
}

/// How an encoded picture is cut and how much work it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// A key frame each time this has passed: the length of a segment.
    pub key_frames: Duration,
    /// libx264's preset.
    pub preset: String,
}

/// What FFmpeg is put in front of, to make a transport stream of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    /// A live playlist (RFC 8216).
    Hls,
    /// RTSP (RFC 7826), over TCP if its server can.
    Rtsp,
    /// A transport stream in UDP or RTP, multicast or not: passed on as it comes, RTP's headers and all.
    Datagrams,
    /// A file, read as fast as it plays.
    File,
}

impl Command {
    /// Makes `plan` of the transport stream that comes in.
    #[must_use]
    pub fn make(plan: &Plan, rule: &Rule) -> Self {
        let mut args = preamble();
        if let Some(VideoPlan::Encode(encode)) = &plan.video {
            put(&mut args, device(encode.encoder));
        }
        put(&mut args, &PROBING);
        put(&mut args, &["-fflags", "+genpts+discardcorrupt", "-itsoffset", ONE_ROUND]);
        // What moves to other PIDs is the same: it would wait for the first ones for ever.
        put(&mut args, &["-f", "mpegts", "-merge_pmt_versions", "1", "-i", "pipe:0"]);
        match &plan.video {
            None => put(&mut args, &["-vn"]),
            Some(VideoPlan::Copy) => put(&mut args, &["-map", "0:v:0", "-c:v", "copy"]),
            Some(VideoPlan::Encode(encode)) => {
                put(&mut args, &["-map", "0:v:0"]);
                args.extend(video(encode, rule));
            }
        }
        if let Some(audio_plan) = &plan.audio {
            args.extend(["-map".to_owned(), format!("0:a:{}", plan.audio_index)]);
            match audio_plan {
                AudioPlan::Copy => put(&mut args, &["-c:a", "copy"]),
                AudioPlan::Encode(encode) => args.extend(audio(encode)),
            }
        }
        put(&mut args, &["-sn", "-dn", "-map_metadata", "-1", "-copyts", "-avoid_negative_ts", "disabled"]);
        args.extend(output());
        Self { args, takes_input: true, encodes_video: plan.encodes_video() }
    }

    /// Fetches `url` and makes a transport stream of it, without encoding. `fields` are what requests say, where any are
    /// made.
    #[must_use]
    pub fn front<'a>(url: &str, kind: Front, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut args = preamble();
        let mut fields = fields.into_iter();
        match kind {
            Front::Hls => {
                put(&mut args, &PROBING);
                let fields: String = fields.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
                put(&mut args, &["-headers", &fields, "-f", "hls"]);
            }
            Front::Rtsp => {
                put(&mut args, &LIVE_PROBING);
                if let Some((_, agent)) = fields.find(|(name, _)| name.eq_ignore_ascii_case("user-agent")) {
                    put(&mut args, &["-user_agent", agent]);
                }
                put(&mut args, &["-rtsp_flags", "prefer_tcp"]);
            }
            Front::Datagrams => put(&mut args, &["-f", "data"]),
            Front::File => {
                put(&mut args, &PROBING);
                put(&mut args, &["-re"]);
            }
        }
        put(&mut args, &["-i", url]);
        match kind {
            // The first variant, which is the one to begin with; the others would be fetched for their sounds alone.
            Front::Hls => put(&mut args, &["-map", "0:p:0:v:0?", "-map", "0:p:0:a?"]),
            Front::Rtsp | Front::File => put(&mut args, &["-map", "0:v:0?", "-map", "0:a?"]),
            Front::Datagrams => put(&mut args, &["-map", "0"]),
        }
        put(&mut args, &["-c", "copy"]);
        match kind {
            Front::Hls => {
                put(&mut args, &["-dts_delta_threshold", JUMP]);
                args.extend(output());
            }
            Front::Rtsp | Front::File => args.extend(output()),
            Front::Datagrams => put(&mut args, &["-f", "data", "-flush_packets", "1", "pipe:1"]),
        }
        Self { args, takes_input: false, encodes_video: false }
    }

    /// Encodes a few frames to nowhere, which shows whether `encoder` works on this machine.
    #[must_use]
    pub fn trial(encoder: VideoEncoder) -> Self {
        let encode = VideoEncode {
            encoder,
            profile: None,
            level: None,
            bitrate: Some(1_000_000),
            max_width: None,
            max_height: None,
            max_frame_rate: None,
            deinterlace: false,
        };
        let rule = Rule { key_frames: Duration::from_secs(1), preset: "ultrafast".to_owned() };
        let mut args = preamble();
        put(&mut args, device(encoder));
        put(&mut args, &["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25", "-frames:v", "5"]);
        args.extend(video(&encode, &rule));
        put(&mut args, &["-f", "null", "-"]);
        Self { args, takes_input: false, encodes_video: true }
    }
}

fn preamble() -> Vec<String> {
    const ARGS: [&str; 8] = [
        "-hide_banner",
        "-nostdin",
        "-nostats",
        "-loglevel",
        "repeat+level+warning",
        "-progress",
        "pipe:2",
        "-stats_period",
    ];
    ARGS.iter().map(|arg| (*arg).to_owned()).chain(["0.5".to_owned()]).collect()
}

/// At once: the cutter behind it waits for each key frame.
fn output() -> Vec<String> {
    const ARGS: [&str; 11] = [
        "-f",
        "mpegts",
        "-mpegts_flags",
        "+resend_headers",
        "-muxdelay",
        "0",
        "-muxpreload",
        "0",
        "-flush_packets",
        "1",
        "pipe:1",
    ];
    ARGS.iter().map(|arg| (*arg).to_owned()).collect()
}

/// What opens the device that encodes.
const fn device(encoder: VideoEncoder) -> &'static [&'static str] {
    match encoder {
        VideoEncoder::Vaapi => &["-vaapi_device", RENDER_NODE],
        VideoEncoder::Qsv => &["-init_hw_device", "qsv=hw", "-filter_hw_device", "hw"],
        VideoEncoder::Software | VideoEncoder::Nvenc | VideoEncoder::VideoToolbox => &[],
    }
}

fn video(encode: &VideoEncode, rule: &Rule) -> Vec<String> {
    let mut args = vec!["-vf".to_owned(), filters(encode)];
    if let Some(rate) = encode.max_frame_rate {
        args.extend(["-fpsmax".to_owned(), rate.to_string()]);
    }
    put(&mut args, &["-c:v", encode.encoder.codec()]);
    args.extend(quality(encode, rule));
    if let Some(profile) = encode.profile {
        put(&mut args, &["-profile:v", profile_name(encode, profile)]);
    }
    if let Some(level) = encode.level {
        args.extend(["-level:v".to_owned(), level_name(encode.encoder, level)]);
    }
    let seconds = rule.key_frames.as_secs_f64();
    // No others than these: a key frame that is not where it is expected would be where a segment is not cut.
    args.extend(["-force_key_frames:v".to_owned(), format!("expr:gte(t,n_forced*{seconds})")]);
    put(&mut args, &["-g:v", "9999"]);
    match encode.encoder {
        VideoEncoder::Software => put(&mut args, &["-sc_threshold:v", "0"]),
        VideoEncoder::Nvenc => put(&mut args, &["-no-scenecut", "1", "-forced-idr", "1"]),
        VideoEncoder::Qsv => put(&mut args, &["-forced_idr", "1"]),
        VideoEncoder::Vaapi | VideoEncoder::VideoToolbox => {}
    }
    args
}

fn quality(encode: &VideoEncode, rule: &Rule) -> Vec<String> {
    let rate = |bitrate: u64| {
        ["-maxrate:v".to_owned(), bitrate.to_string(), "-bufsize:v".to_owned(), (2 * bitrate).to_string()]
    };
    if encode.encoder == VideoEncoder::Software {
        let preset = ["-preset:v", &rule.preset, "-crf:v", "23"].map(str::to_owned);
        return preset.into_iter().chain(encode.bitrate.into_iter().flat_map(rate)).collect();
    }
    let bitrate = encode.bitrate.unwrap_or(HARDWARE_BITRATE).min(HARDWARE_BITRATE);
    ["-b:v".to_owned(), bitrate.to_string()].into_iter().chain(rate(bitrate)).collect()
}

fn filters(encode: &VideoEncode) -> String {
    let mut chain = Vec::new();
    if encode.deinterlace {
        chain.push("bwdif=mode=send_frame:deint=interlaced".to_owned());
    }
    // Commas within an expression are escaped from the chain's own. No encoder takes an odd number of pixels.
    match (encode.max_width, encode.max_height) {
        (None, None) => {}
        (Some(width), None) => chain.push(format!("scale=w='trunc(min(iw,{width})/2)*2':h=-2")),
        (None, Some(height)) => chain.push(format!("scale=w=-2:h='trunc(min(ih,{height})/2)*2'")),
        (Some(width), Some(height)) => chain.push(format!(
            "scale=w='min(iw,{width})':h='min(ih,{height})':force_original_aspect_ratio=decrease:force_divisible_by=2"
        )),
    }
    chain.push(
        match encode.encoder {
            VideoEncoder::Software => "format=yuv420p",
            VideoEncoder::Vaapi => "format=nv12,hwupload",
            VideoEncoder::Qsv => "format=nv12,hwupload=extra_hw_frames=64",
            VideoEncoder::Nvenc | VideoEncoder::VideoToolbox => "format=nv12",
        }
        .to_owned(),
    );
    chain.join(",")
}

const fn profile_name(encode: &VideoEncode, profile: H264Profile) -> &'static str {
    match (profile, encode.encoder) {
        (H264Profile::Baseline, VideoEncoder::Vaapi) => "constrained_baseline",
        (
            H264Profile::Baseline,
            VideoEncoder::Software | VideoEncoder::Nvenc | VideoEncoder::Qsv | VideoEncoder::VideoToolbox,
        ) => "baseline",
        (H264Profile::Main, _) => "main",
        (H264Profile::High, _) => "high",
    }
}

fn level_name(encoder: VideoEncoder, level: u32) -> String {
    match encoder {
        VideoEncoder::Vaapi | VideoEncoder::Qsv => level.to_string(),
        VideoEncoder::Software | VideoEncoder::Nvenc | VideoEncoder::VideoToolbox => {
            format!("{}.{}", level / 10, level % 10)
        }
    }
}

fn audio(encode: &AudioEncode) -> Vec<String> {
    let mut args = vec!["-c:a".to_owned(), encode.encoder.codec().to_owned()];
    args.extend(["-b:a".to_owned(), encode.bitrate.to_string()]);
    if let Some(channels) = encode.channels {
        args.extend(["-ac".to_owned(), channels.to_string()]);
    }
    if let Some(sample_rate) = encode.sample_rate {
        args.extend(["-ar".to_owned(), sample_rate.to_string()]);
    }
    if encode.downmix {
        // As loud as Jellyfin makes it.
        put(&mut args, &["-af", "volume=2"]);
    }
    args
}

fn put(args: &mut Vec<String>, more: &[&str]) {
    args.extend(more.iter().map(|arg| (*arg).to_owned()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::encoding::abilities::AudioEncoder;

    fn rule() -> Rule {
        Rule { key_frames: Duration::from_secs(3), preset: "veryfast".to_owned() }
    }

    fn small(encoder: VideoEncoder) -> VideoEncode {
        VideoEncode {
            encoder,
            profile: Some(H264Profile::Main),
            level: Some(31),
            bitrate: Some(2_000_000),
            max_width: Some(960),
            max_height: Some(540),
            max_frame_rate: Some(29.97),
            deinterlace: true,
        }
    }

    fn unlimited(encoder: VideoEncoder) -> VideoEncode {
        VideoEncode {
            profile: None,
            level: None,
            bitrate: None,
            max_width: None,
            max_height: None,
            max_frame_rate: None,
            deinterlace: false,
            ..small(encoder)
        }
    }

    fn made(video: Option<VideoPlan>, audio: Option<AudioPlan>, audio_index: usize) -> Command {
        Command::make(&Plan { video, audio, audio_index }, &rule())
    }

    fn of(encode: VideoEncode) -> Command {
        made(Some(VideoPlan::Encode(encode)), Some(AudioPlan::Copy), 0)
    }

    /// What is said to FFmpeg stands in fixtures/ffmpeg, an argument a line. WRITE_FIXTURES=1 writes it anew.
    #[test]
    fn the_command_lines_are_those_of_the_fixtures() {
        let surround = AudioEncode {
            encoder: AudioEncoder::Aac,
            channels: Some(2),
            bitrate: 384_000,
            sample_rate: Some(48_000),
            downmix: true,
        };
        let plain = AudioEncode { channels: None, sample_rate: None, downmix: false, ..surround.clone() };
        let sound = |encode: &AudioEncode| Some(AudioPlan::Encode(encode.clone()));
        let fields = [("User-Agent", "tv")];
        let mut folder = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        folder.push("fixtures/ffmpeg");
        let all = [
            ("copy", made(Some(VideoPlan::Copy), Some(AudioPlan::Copy), 0)),
            ("copy-without-sound", made(Some(VideoPlan::Copy), None, 0)),
            ("radio", made(None, sound(&plain), 0)),
            ("sound-only-encoded", made(Some(VideoPlan::Copy), sound(&surround), 1)),
            ("encode", made(Some(VideoPlan::Encode(unlimited(VideoEncoder::Software))), sound(&plain), 0)),
            ("encode-small", of(small(VideoEncoder::Software))),
            ("encode-small-vaapi", of(small(VideoEncoder::Vaapi))),
            ("encode-small-nvenc", of(small(VideoEncoder::Nvenc))),
            ("encode-small-qsv", of(small(VideoEncoder::Qsv))),
            ("encode-videotoolbox", of(unlimited(VideoEncoder::VideoToolbox))),
            ("front-hls", Command::front("https://example.org/live.m3u8", Front::Hls, fields)),
            ("front-rtsp", Command::front("rtsp://192.0.2.1/stream", Front::Rtsp, fields)),
            ("front-datagrams", Command::front("udp://@239.0.0.1:1234", Front::Datagrams, [])),
            ("front-file", Command::front("/srv/loop.ts", Front::File, [])),
            ("trial-vaapi", Command::trial(VideoEncoder::Vaapi)),
        ];
        for (name, command) in all {
            let (path, text) = (folder.join(format!("{name}.txt")), command.args.join("\n") + "\n");
            if std::env::var_os("WRITE_FIXTURES").is_some() {
                std::fs::write(&path, &text).unwrap();
            }
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "{name}");
        }
    }
}
