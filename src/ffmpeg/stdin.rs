//! A process's standard input, written to without ever waiting: what it does not take in time is a failure of its own, and
//! nobody else waits for it.

use std::sync::Arc;

use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;
use tokio::process::ChildStdin;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use domain::reason::Failure;

/// Bytes that wait at most: some seconds of any channel.
const CAPACITY: usize = 8 << 20;

/// Where the source goes. Dropped, what waits is still written, and then the process meets the end.
#[derive(Debug)]
pub struct StdinQueue {
    queue: UnboundedSender<Chunk>,
    room: Arc<Semaphore>,
}

type Chunk = (Bytes, OwnedSemaphorePermit);

/// How much waits.
#[derive(Clone, Debug)]
pub(super) struct Backlog(Arc<Semaphore>);

impl Backlog {
    /// Whether the process takes less than it is given.
    pub(super) fn is_behind(&self) -> bool {
        self.0.available_permits() < CAPACITY
    }
}

impl StdinQueue {
    /// An input that writes to `stdin` until `closing`; and the task that does.
    pub(super) fn new(
        stdin: ChildStdin,
        closing: CancellationToken,
    ) -> (Self, Backlog, impl Future<Output = ()>) {
        let (queue, queued) = unbounded_channel();
        let room = Arc::new(Semaphore::new(CAPACITY));
        let writing = async move {
            // Whichever comes first, `stdin` is dropped here, and that closes it.
            closing.run_until_cancelled(write(stdin, queued)).await;
        };
        (Self { queue, room: Arc::clone(&room) }, Backlog(room), writing)
    }

    /// Takes `bytes` along, without waiting.
    ///
    /// # Errors
    /// [`Failure::TooSlow`] if too much waits already, [`Failure::Ended`] if it takes nothing any more.
    pub fn offer(&self, bytes: Bytes) -> Result<(), Failure> {
        let size = u32::try_from(bytes.len()).map_err(|_| Failure::TooSlow)?;
        let room = Arc::clone(&self.room).try_acquire_many_owned(size).map_err(|_| Failure::TooSlow)?;
        self.queue.send((bytes, room)).map_err(|_| Failure::Ended)
    }

    /// The same, but waits until there is room.
    ///
    /// # Errors
    /// [`Failure::Ended`] if it takes nothing any more.
    pub async fn give(&self, bytes: Bytes) -> Result<(), Failure> {
        let size = u32::try_from(bytes.len().min(CAPACITY)).map_err(|_| Failure::TooSlow)?;
        let room = Arc::clone(&self.room).acquire_many_owned(size).await.map_err(|_| Failure::Ended)?;
        self.queue.send((bytes, room)).map_err(|_| Failure::Ended)
    }
}

async fn write(mut stdin: ChildStdin, mut queued: UnboundedReceiver<Chunk>) {
    while let Some((bytes, _room)) = queued.recv().await {
        // It fails once the process is gone, which is noticed where it is waited for.
        if stdin.write_all(&bytes).await.is_err() {
            return;
        }
    }
}
