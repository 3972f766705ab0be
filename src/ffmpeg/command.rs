//! Builds FFmpeg's command lines. Starts no process.
//!
//! FFmpeg reads a transport stream from standard input and writes one to standard output. The times of the source are
//! kept, so that all profiles of one source line up. Progress reports go to standard error, among log lines, from which
//! they differ in that log lines carry their level (`progress`).

use std::time::Duration;

use domain::encoding::abilities::VideoEncoder;
use domain::encoding::plan::{AudioEncode, AudioPlan, H264Profile, Plan, VideoEncode, VideoPlan};

/// The bitrate of a hardware encoder where the profile has no lower limit: it has no mode of constant quality.
const HARDWARE_BITRATE: u64 = 10_000_000;
/// One round of the stream's clock, 2³³ / 90 kHz, in seconds. Added to all times on the way in, it is lost in the 33 bits
/// that come out. Without it FFmpeg would drop pictures just before the clock's wrap, as negative times.
const ONE_ROUND: &str = "95443.717688";
/// Enough to find every track: half a second of stream is at hand when FFmpeg starts, and it waits for no more.
const PROBING: [&str; 6] = ["-probesize", "1000000", "-analyzeduration", "500000", "-fpsprobesize", "0"];
/// The same for RTSP, which arrives in real time and describes most of its tracks beforehand.
const LIVE_PROBING: [&str; 6] = ["-probesize", "1000000", "-analyzeduration", "100000", "-fpsprobesize", "0"];
/// Seconds. A larger jump of the times in a live playlist, as after an advertisement, is closed by moving the times that
/// follow. With `-copyts`, times behind those already written would be squeezed into nothing.
const JUMP: &str = "3";
/// The render node of the first graphics card.
const RENDER_NODE: &str = "/dev/dri/renderD128";

/// The arguments of a command line, without the program's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    pub(super) args: Vec<String>,
    pub(super) takes_input: bool,
    pub(super) encodes_video: bool,
}

/// The settings of a video encode that are no part of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodeSettings {
    /// The interval of key frames: the length of a segment.
    pub key_frames: Duration,
    /// The libx264 preset.
    pub preset: String,
}

/// The format of an input that FFmpeg fetches and turns into a transport stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputFormat {
    /// A live HLS playlist (RFC 8216).
    Hls,
    /// RTSP (RFC 7826), over TCP if the server can.
    Rtsp,
    /// A transport stream in UDP or RTP datagrams, unicast or multicast: passed on unread, RTP headers included.
    Datagrams,
    /// A file, read in real time.
    File,
}

impl Command {
    /// Turns the transport stream on standard input into `plan`.
    #[must_use]
    pub fn make(plan: &Plan, settings: &EncodeSettings) -> Self {
        let mut args = preamble();
        if let Some(VideoPlan::Encode(encode)) = &plan.video {
            put(&mut args, device(encode.encoder));
        }
        put(&mut args, &PROBING);
        put(&mut args, &["-fflags", "+genpts+discardcorrupt", "-itsoffset", ONE_ROUND]);
        // Follow tracks to other PIDs: FFmpeg would wait for the first ones for ever.
        put(&mut args, &["-f", "mpegts", "-merge_pmt_versions", "1", "-i", "pipe:0"]);
        match &plan.video {
            None => put(&mut args, &["-vn"]),
            Some(VideoPlan::Copy) => put(&mut args, &["-map", "0:v:0", "-c:v", "copy"]),
            Some(VideoPlan::Encode(encode)) => {
                put(&mut args, &["-map", "0:v:0"]);
                args.extend(video(encode, settings));
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

    /// Fetches `url` and turns it into a transport stream without encoding. `fields` are the header fields of the requests,
    /// where the format makes any.
    #[must_use]
    pub fn remux<'a>(
        url: &str,
        format: InputFormat,
        fields: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let mut args = preamble();
        let mut fields = fields.into_iter();
        match format {
            InputFormat::Hls => {
                put(&mut args, &PROBING);
                let fields: String = fields.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
                put(&mut args, &["-headers", &fields, "-f", "hls"]);
            }
            InputFormat::Rtsp => {
                put(&mut args, &LIVE_PROBING);
                if let Some((_, agent)) = fields.find(|(name, _)| name.eq_ignore_ascii_case("user-agent")) {
                    put(&mut args, &["-user_agent", agent]);
                }
                put(&mut args, &["-rtsp_flags", "prefer_tcp"]);
            }
            InputFormat::Datagrams => put(&mut args, &["-f", "data"]),
            InputFormat::File => {
                put(&mut args, &PROBING);
                put(&mut args, &["-re"]);
            }
        }
        put(&mut args, &["-i", url]);
        match format {
            // The first variant, as players begin with; the others would be fetched for their audio alone.
            InputFormat::Hls => put(&mut args, &["-map", "0:p:0:v:0?", "-map", "0:p:0:a?"]),
            InputFormat::Rtsp | InputFormat::File => put(&mut args, &["-map", "0:v:0?", "-map", "0:a?"]),
            InputFormat::Datagrams => put(&mut args, &["-map", "0"]),
        }
        put(&mut args, &["-c", "copy"]);
        match format {
            InputFormat::Hls => {
                put(&mut args, &["-dts_delta_threshold", JUMP]);
                args.extend(output());
            }
            InputFormat::Rtsp | InputFormat::File => args.extend(output()),
            InputFormat::Datagrams => put(&mut args, &["-f", "data", "-flush_packets", "1", "pipe:1"]),
        }
        Self { args, takes_input: false, encodes_video: false }
    }

    /// Encodes a few frames to nowhere, to show whether `encoder` works on this machine.
    #[must_use]
    pub(super) fn trial(encoder: VideoEncoder) -> Self {
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
        let settings = EncodeSettings { key_frames: Duration::from_secs(1), preset: "ultrafast".to_owned() };
        let mut args = preamble();
        put(&mut args, device(encoder));
        put(&mut args, &["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25", "-frames:v", "5"]);
        args.extend(video(&encode, &settings));
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

/// The output arguments. Packets are flushed at once, since the cutter waits for each key frame.
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

/// The arguments that open the encoding device.
const fn device(encoder: VideoEncoder) -> &'static [&'static str] {
    match encoder {
        VideoEncoder::Vaapi => &["-vaapi_device", RENDER_NODE],
        VideoEncoder::Qsv => &["-init_hw_device", "qsv=hw", "-filter_hw_device", "hw"],
        VideoEncoder::Software | VideoEncoder::Nvenc | VideoEncoder::VideoToolbox => &[],
    }
}

fn video(encode: &VideoEncode, settings: &EncodeSettings) -> Vec<String> {
    let mut args = vec!["-vf".to_owned(), filters(encode)];
    if let Some(rate) = encode.max_frame_rate {
        args.extend(["-fpsmax".to_owned(), rate.to_string()]);
    }
    put(&mut args, &["-c:v", encode.encoder.codec()]);
    args.extend(quality(encode, settings));
    if let Some(profile) = encode.profile {
        put(&mut args, &["-profile:v", profile_name(encode, profile)]);
    }
    if let Some(level) = encode.level {
        args.extend(["-level:v".to_owned(), level_name(encode.encoder, level)]);
    }
    let seconds = settings.key_frames.as_secs_f64();
    // No other key frames than these, so that a segment begins at each.
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

fn quality(encode: &VideoEncode, settings: &EncodeSettings) -> Vec<String> {
    let rate = |bitrate: u64| {
        ["-maxrate:v".to_owned(), bitrate.to_string(), "-bufsize:v".to_owned(), (2 * bitrate).to_string()]
    };
    if encode.encoder == VideoEncoder::Software {
        let preset = ["-preset:v", &settings.preset, "-crf:v", "23"].map(str::to_owned);
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
    // Quotes keep the commas of an expression from separating filters. No encoder takes an odd number of pixels.
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
        // Jellyfin's gain for a downmix (`EncodingHelper.cs`).
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

    fn settings() -> EncodeSettings {
        EncodeSettings { key_frames: Duration::from_secs(3), preset: "veryfast".to_owned() }
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
        Command::make(&Plan { video, audio, audio_index }, &settings())
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
            ("remux-hls", Command::remux("https://example.org/live.m3u8", InputFormat::Hls, fields)),
            ("remux-rtsp", Command::remux("rtsp://192.0.2.1/stream", InputFormat::Rtsp, fields)),
            ("remux-datagrams", Command::remux("udp://@239.0.0.1:1234", InputFormat::Datagrams, [])),
            ("remux-file", Command::remux("/srv/loop.ts", InputFormat::File, [])),
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
