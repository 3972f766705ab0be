//! The shared raw stream of an open channel: its file as it grows, to as many readers as like, without a token.

use std::io::SeekFrom;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::body;
use crate::demo::origin::answer::{Answer, Refusal};
use crate::demo::origin::state::State;

/// How far before the end a late reader starts; no multiple of a packet's 188 bytes (`LiveStream.TrySeek`).
const TAIL: u64 = 20_000;
const CHUNK: u64 = 64 * 1024;

/// `GET /LiveTv/LiveStreamFiles/{unique id}/stream.ts`.
///
/// # Errors
/// [`Refusal::Missing`] for an unknown id, and for a file that was wiped or has ended.
pub(super) async fn stream(state: &State, unique_id: &str) -> Result<Answer, Refusal> {
    let shared = state.live.shared(unique_id).ok_or(Refusal::Missing)?;
    let mut file = File::open(&shared.file).await.map_err(|_| Refusal::Missing)?;
    let length = *shared.written.borrow();
    let start = if shared.age > state.settings.delays.late { length.saturating_sub(TAIL) } else { 0 };
    file.seek(SeekFrom::Start(start)).await.map_err(|_| Refusal::Missing)?;
    let (to, from) = mpsc::channel(4);
    state.spawn(follow(file, start, shared.written, to, state.settings.delays.input_end));
    let growing = body::unfold(from, |mut from| async move {
        let came = from.recv().await.map(Ok);
        (from, came)
    });
    let mut answer = http::Response::new(growing);
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("video/mp2t"));
    Ok(answer)
}

/// Sends the file from `at`, and what is added to it, until nothing has been added for as long as `patience`.
async fn follow(
    mut file: File,
    mut at: u64,
    mut written: watch::Receiver<u64>,
    to: mpsc::Sender<Bytes>,
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
            if to.send(Bytes::from(chunk)).await.is_err() {
                return;
            }
        }
        let more = async {
            if written.changed().await.is_err() {
                sleep(patience).await;
            }
        };
        tokio::select! {
            () = to.closed() => return,
            waited = timeout(patience, more) => if waited.is_err() || *written.borrow() == at { return },
        }
    }
}
