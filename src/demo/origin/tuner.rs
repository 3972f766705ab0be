//! The tuner side: each open channel has an input, which fills the shared raw file; mostly an FFmpeg that paints it.
//!
//! It knows nothing of consumers; who opened it closes it by dropping it.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::demo::origin::input::{self, Flow, Input};
use crate::demo::origin::library::{Channel, Reception};
use crate::demo::origin::lock;
use crate::demo::origin::process::args;
use crate::demo::origin::settings::Settings;
use crate::demo::origin::state::State;

/// Frames per second of every channel.
pub(super) const FRAME_RATE: u32 = 25;
/// How much of FFmpeg's beginning is thrown away, for it is a key frame: two pictures' time.
const OPENING: Duration = Duration::from_millis(80);
/// Length of an MPEG-TS packet in bytes.
const PACKET: usize = 188;

/// What a channel's provider has been told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Opening is refused.
    Fails,
    /// Connections stay, but nothing comes any more.
    Stalls,
}

/// The faults by channel number; a channel without one is well.
pub(super) type Faults = Arc<Mutex<BTreeMap<u32, Fault>>>;

/// An open input. Dropping it hangs up and deletes the file.
#[derive(Debug)]
pub(super) struct Tuner {
    /// The shared raw file.
    pub(super) file: PathBuf,
    input: Input,
    written: watch::Receiver<u64>,
    ended: Arc<AtomicBool>,
}

impl Tuner {
    /// Connects to the channel; its bytes go to `{unique_id}.ts` in the transcode folder.
    pub(super) async fn start(state: &State, channel: &Channel, unique_id: &str) -> io::Result<Self> {
        let path = state.folder.join(format!("{unique_id}.ts"));
        let file = File::create(&path).await?;
        let ((input, flow), opening) = match channel.reception {
            Reception::Painted => {
                let nth = u32::try_from(state.live.tunes.load(Ordering::Relaxed)).unwrap_or(u32::MAX);
                let key_frame = first_key_frame(state.settings.gop, nth);
                let picture = picture(&state.settings, channel, key_frame);
                (input::paint(&picture, &state.folder)?, OPENING)
            }
            Reception::Pulled => (input::pull(&state.fetcher, &channel.url).await?, Duration::ZERO),
        };
        let (progress, written) = watch::channel(0);
        let ended = Arc::new(AtomicBool::new(false));
        let (number, faults) = (channel.number, state.faults.clone());
        let pump = Pump { number, faults, opening, progress, ended: ended.clone() };
        state.spawn(pump.run(flow, file, path.clone()));
        Ok(Self { file: path, input, written, ended })
    }

    /// How many bytes there are; closed when there will be no more.
    pub(super) fn written(&self) -> watch::Receiver<u64> {
        self.written.clone()
    }

    /// Whether the provider has ended it: such an input is not shared with anybody new.
    pub(super) fn ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Ends it, as if the provider had hung up.
    pub(super) fn hang_up(&self) {
        self.input.hang_up();
    }

    /// Whether its input has gone.
    pub(super) fn is_gone(&self) -> bool {
        self.input.is_gone()
    }
}

impl Drop for Tuner {
    fn drop(&mut self) {
        self.input.hang_up();
        // The file is gone already if the input had ended, or the folder was wiped.
        let _ = std::fs::remove_file(&self.file);
    }
}

/// Carries what comes into the file.
struct Pump {
    number: u32,
    faults: Faults,
    /// How much of the beginning is thrown away.
    opening: Duration,
    progress: watch::Sender<u64>,
    ended: Arc<AtomicBool>,
}

impl Pump {
    async fn run(self, mut from: Flow, mut file: File, path: PathBuf) {
        let (mut read, mut total, mut begin) = (0, 0, None);
        while let Some(came) = from.next().await {
            let count = came.len();
            let begin = *begin.get_or_insert_with(|| Instant::now() + self.opening);
            let start = if total == 0 { (PACKET - read % PACKET) % PACKET } else { 0 };
            read += count;
            if self.is_stalled() || Instant::now() < begin || start >= count {
                continue;
            }
            let stored = file.write_all(&came[start..]).await;
            if stored.and(file.flush().await).is_err() {
                break;
            }
            total += (count - start) as u64;
            self.progress.send_replace(total);
        }
        self.ended.store(true, Ordering::Release);
        let _ = std::fs::remove_file(path);
    }

    fn is_stalled(&self) -> bool {
        lock(&self.faults).get(&self.number) == Some(&Fault::Stalls)
    }
}

/// When the first key frame comes: a provider's stream is joined anywhere between two of them, never at one. The golden
/// section spreads the openings evenly, and each server's in the same order.
fn first_key_frame(gop: Duration, opening: u32) -> Duration {
    const GOLDEN_SECTION: f64 = 0.618_033_988_749_895;
    let soonest = 2 * OPENING;
    soonest + gop.saturating_sub(soonest).mul_f64((f64::from(opening) * GOLDEN_SECTION).fract())
}

/// Test pictures with the channel's number and a running clock, and a tone of its own. As light as H.264 gets.
fn picture(settings: &Settings, channel: &Channel, key_frame: Duration) -> Vec<std::ffi::OsString> {
    let (width, height) = (settings.width, settings.height);
    let (first, gop) = (key_frame.as_secs_f64(), settings.gop.as_secs_f64());
    let label = |text: &str, size: u32, y: &str| {
        format!(
            "drawtext=text='{text}':fontsize={size}:fontcolor=white:box=1:boxcolor=black@0.6:boxborderw=8:x=24:y={y}"
        )
    };
    // Neighbouring channels must not look alike.
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
        "baseline",
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
