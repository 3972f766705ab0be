//! A tuner: the input of an open live stream, whose bytes a task writes to the shared raw file (`SharedHttpStream.cs`).
//!
//! It knows nothing of consumers. Dropping it closes it.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::channel::{Channel, Reception};
use crate::input::{self, Input, InputBytes};

use crate::ffmpeg::args;
use crate::lock::lock;
use crate::server::Server;
use crate::settings::Settings;

/// Frames per second of every channel.
pub(crate) const FRAME_RATE: u32 = 25;
/// How much of a generated stream's beginning is discarded, because it is a key frame: the time of two pictures.
const DISCARDED: Duration = Duration::from_millis(80);
/// Length of an MPEG-TS packet in bytes.
const PACKET: usize = 188;

/// A fault of a channel's provider, made on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The provider refuses connections.
    Fails,
    /// The provider stays connected and sends nothing.
    Stalls,
}

/// The faults by channel number.
pub(crate) type Faults = Arc<Mutex<BTreeMap<u32, Fault>>>;

/// A tuner. Dropping it disconnects the input and deletes the raw file.
#[derive(Debug)]
pub(crate) struct Tuner {
    /// The raw file.
    pub(crate) path: PathBuf,
    input: Input,
    written: watch::Receiver<u64>,
    ended: Arc<AtomicBool>,
}

impl Tuner {
    /// Connects to the channel, whose bytes go to `{unique_id}.ts` in the transcode folder. It is the server's `nth` tuning.
    pub(crate) async fn start(
        server: &Server,
        faults: &Faults,
        channel: &Channel,
        unique_id: &str,
        nth: u64,
    ) -> io::Result<Self> {
        let ((input, bytes), discarded) = match channel.reception {
            Reception::Generated => {
                let key_frame = first_key_frame(server.settings.gop, nth);
                let args = picture_args(&server.settings, channel, key_frame);
                (input::generate(&args, &server.folder)?, DISCARDED)
            }
            Reception::Pulled => (input::pull(&server.provider, &channel.url).await?, Duration::ZERO),
        };
        let path = server.folder.join(format!("{unique_id}.ts"));
        let file = File::create(&path).await?;
        let (written_sender, written) = watch::channel(0);
        let ended = Arc::new(AtomicBool::new(false));
        let (number, faults) = (channel.number, faults.clone());
        let lateness = server.settings.lateness;
        let writer =
            Writer { number, faults, discarded, lateness, written: written_sender, ended: ended.clone() };
        server.spawn(writer.run(bytes, file, path.clone()));
        Ok(Self { path, input, written, ended })
    }

    /// Bytes written so far; closed when no more will come.
    pub(crate) fn written(&self) -> watch::Receiver<u64> {
        self.written.clone()
    }

    /// Whether the input has ended: such a tuner gets no new consumer.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Disconnects the input, as if the provider had.
    pub(crate) fn disconnect(&self) {
        self.input.disconnect();
    }

    /// Whether its input is connected.
    pub(crate) fn is_connected(&self) -> bool {
        self.input.is_connected()
    }
}

impl Drop for Tuner {
    fn drop(&mut self) {
        self.input.disconnect();
        // It is gone already if the input has ended or the folder was wiped.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The task that writes an input's bytes to the raw file.
struct Writer {
    number: u32,
    faults: Faults,
    /// How much of the beginning is discarded.
    discarded: Duration,
    /// How late bytes may be.
    lateness: Duration,
    written: watch::Sender<u64>,
    ended: Arc<AtomicBool>,
}

impl Writer {
    async fn run(self, mut input: InputBytes, mut file: File, path: PathBuf) {
        let (mut read, mut total, mut begin) = (0, 0, None);
        for nth in 1.. {
            if !self.lateness.is_zero() {
                sleep(self.lateness.mul_f64(spread(nth))).await;
            }
            let Some(bytes) = input.next().await else { break };
            let count = bytes.len();
            let begin = *begin.get_or_insert_with(|| Instant::now() + self.discarded);
            let start = if total == 0 { (PACKET - read % PACKET) % PACKET } else { 0 };
            read += count;
            if self.is_stalled() || Instant::now() < begin || start >= count {
                continue;
            }
            let stored = file.write_all(&bytes[start..]).await;
            if stored.and(file.flush().await).is_err() {
                break;
            }
            total += (count - start) as u64;
            self.written.send_replace(total);
        }
        self.ended.store(true, Ordering::Release);
        let _ = std::fs::remove_file(path);
    }

    fn is_stalled(&self) -> bool {
        lock(&self.faults).get(&self.number) == Some(&Fault::Stalls)
    }
}

/// The time of the first key frame. A provider's stream is joined at any moment between two key frames, never at one.
fn first_key_frame(gop: Duration, nth: u64) -> Duration {
    let soonest = 2 * DISCARDED;
    soonest + gop.saturating_sub(soonest).mul_f64(spread(nth))
}

/// Numbers from 0 to 1 that the golden section spreads evenly, in an order that is always the same.
fn spread(nth: u64) -> f64 {
    const GOLDEN_SECTION: f64 = 0.618_033_988_749_895;
    (nth as f64 * GOLDEN_SECTION).fract()
}

/// FFmpeg's arguments for test pictures with the channel's number and a clock, and the channel's own tone, at the lowest
/// cost that H.264 allows.
fn picture_args(settings: &Settings, channel: &Channel, key_frame: Duration) -> Vec<std::ffi::OsString> {
    let (width, height) = (settings.width, settings.height);
    let (first, gop) = (key_frame.as_secs_f64(), settings.gop.as_secs_f64());
    let label = |text: &str, size: u32, y: &str| {
        format!(
            "drawtext=text='{text}':fontsize={size}:fontcolor=white:box=1:boxcolor=black@0.6:boxborderw=8:x=24:y={y}"
        )
    };
    // Neighbouring channels look different.
    let source = match channel.number % 3 {
        1 => "testsrc2",
        2 => "smptehdbars",
        _ => "testsrc",
    };
    let video = format!(
        "{source}=size={width}x{height}:rate={FRAME_RATE},{},{},format=yuv420p",
        label(&channel.number.to_string(), height / 4, "24"),
        label("%{localtime\\:%X}", height / 8, "h-th-24"),
    );
    let tone = format!("sine=frequency={}:sample_rate=48000", 220 + 55 * channel.number);
    // The baseline profile has no fields.
    let (profile, flags) = if settings.interlaced { ("main", "+ildct+ilme") } else { ("baseline", "-ildct") };
    args![
        "-re",
        "-f",
        "lavfi",
        "-i",
        video,
        "-re",
        "-f",
        "lavfi",
        "-i",
        tone,
        "-filter_threads",
        "1",
        "-c:v",
        "libx264",
        "-threads",
        "1",
        "-preset",
        "ultrafast",
        "-tune",
        "zerolatency",
        "-profile:v",
        profile,
        "-flags",
        flags,
        "-level",
        "3.0",
        "-b:v",
        "1000k",
        "-maxrate",
        "1200k",
        "-bufsize",
        "1200k",
        "-g",
        "100000",
        "-force_key_frames",
        format!("expr:gte(t,{first}+n_forced*{gop})"),
        "-forced-idr",
        "1",
        "-sc_threshold",
        "0",
        "-c:a",
        "aac",
        "-b:a",
        "96k",
        "-ac",
        "1",
        "-f",
        "mpegts",
        "-muxdelay",
        "0",
        "-muxpreload",
        "0",
        "-flush_packets",
        "1",
        "pipe:1",
    ]
}
