//! Makes a picture of the beginning of a transport stream, by one short process.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use crate::ffmpeg::{Error, Ffmpeg};

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The first picture of the video, with square pixels, as JPEG.
const ARGS: [&str; 21] = [
    "-hide_banner",
    "-loglevel",
    "error",
    "-threads",
    "1",
    "-f",
    "mpegts",
    "-i",
    "pipe:0",
    "-map",
    "0:v:0",
    "-frames:v",
    "1",
    "-vf",
    "scale=trunc(iw*sar/2)*2:ih,scale=480:-2,setsar=1",
    "-c:v",
    "mjpeg",
    "-q:v",
    "6",
    "-f",
    "image2pipe",
];

impl Ffmpeg {
    /// The first picture of `stream`, which begins with a key frame, as JPEG. It takes no place among the processes that viewers may need:
    /// whoever asks makes one at a time.
    ///
    /// # Errors
    /// If FFmpeg makes no picture within some seconds.
    pub async fn picture(&self, stream: Vec<Bytes>) -> Result<Bytes, Error> {
        let args: Vec<_> = ARGS.into_iter().chain(["pipe:1"]).collect();
        // It is killed when it is dropped.
        let mut child = self.0.program.spawn(&args, true).await?;
        let stdin = child.stdin.take();
        let feeding = async move {
            let Some(mut stdin) = stdin else { return };
            for piece in stream {
                // It may have seen enough.
                if stdin.write_all(&piece).await.is_err() {
                    return;
                }
            }
        };
        let made = timeout(PATIENCE, async { tokio::join!(feeding, child.wait_with_output()).1 }).await;
        let output = made.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        // The start of an image (JPEG, annex B).
        if output.status.success() && output.stdout.starts_with(&[0xff, 0xd8]) {
            Ok(output.stdout.into())
        } else {
            Err(io::Error::other("FFmpeg has made no picture").into())
        }
    }
}
