//! The shared raw stream of an open live stream: sends its growing file to any number of readers, who need no token
//! (`LiveTvController.GetLiveStreamFile`).

use std::io::SeekFrom;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::body::Body;
use crate::response::{Refusal, Response};
use crate::state::State;

/// How many bytes before the end a late reader starts. It is no multiple of a packet's 188 (`LiveStream.TrySeek`).
const TAIL: u64 = 20_000;
const CHUNK: u64 = 64 * 1024;

/// `GET /LiveTv/LiveStreamFiles/{unique id}/stream.ts`.
///
/// # Errors
/// [`Refusal::Missing`] for an unknown id, and if the file is gone: it is deleted when the input ends.
pub(crate) async fn stream(state: &State, unique_id: &str) -> Result<Response, Refusal> {
    let raw = state.live_streams.raw_file(unique_id).ok_or(Refusal::Missing)?;
    let mut file = File::open(&raw.path).await.map_err(|_| Refusal::Missing)?;
    let length = *raw.written.borrow();
    let start = if raw.age > state.server.settings.delays.late { length.saturating_sub(TAIL) } else { 0 };
    file.seek(SeekFrom::Start(start)).await.map_err(|_| Refusal::Missing)?;
    let (sender, receiver) = mpsc::channel(4);
    state.server.spawn(follow(file, start, raw.written, sender, state.server.settings.delays.input_end));
    let mut response = Response::new(Body::Streamed(receiver));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("video/mp2t"));
    Ok(response)
}

/// Sends the file from `at` on, and all that is written to it, until nothing has been written for as long as `patience`.
async fn follow(
    mut file: File,
    mut at: u64,
    mut written: watch::Receiver<u64>,
    sender: mpsc::Sender<Bytes>,
    patience: Duration,
) {
    loop {
        let end = *written.borrow_and_update();
        while at < end {
            let mut chunk = vec![0; (end - at).min(CHUNK) as usize];
            if file.read_exact(&mut chunk).await.is_err() {
                return;
            }
            at += chunk.len() as u64;
            if sender.send(Bytes::from(chunk)).await.is_err() {
                return;
            }
        }
        let more = async {
            if written.changed().await.is_err() {
                sleep(patience).await;
            }
        };
        tokio::select! {
            () = sender.closed() => return,
            waited = timeout(patience, more) => if waited.is_err() || *written.borrow() == at { return },
        }
    }
}
