//! Writes to a process's standard input through a bounded queue, so that the writer never waits for the process: a process
//! that falls too far behind fails alone.

use std::sync::Arc;

use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;
use tokio::process::ChildStdin;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use domain::reason::Failure;

/// The maximum number of queued bytes: some seconds of any channel.
const CAPACITY: usize = 8 << 20;

/// The queue to a process's standard input. When it is dropped, the rest is written and the input closed.
#[derive(Debug)]
pub struct StdinQueue {
    queue: UnboundedSender<Chunk>,
    room: Arc<Semaphore>,
}

type Chunk = (Bytes, OwnedSemaphorePermit);

/// The fill level of a queue.
#[derive(Clone, Debug)]
pub(super) struct Backlog(Arc<Semaphore>);

impl Backlog {
    /// Whether bytes are waiting for the process.
    pub(super) fn is_behind(&self) -> bool {
        self.0.available_permits() < CAPACITY
    }
}

impl StdinQueue {
    /// A queue to `stdin`, its fill level, and the task that writes until `closing`.
    pub(super) fn new(
        stdin: ChildStdin,
        closing: CancellationToken,
    ) -> (Self, Backlog, impl Future<Output = ()>) {
        let (queue, queued) = unbounded_channel();
        let room = Arc::new(Semaphore::new(CAPACITY));
        let writing = async move {
            // Either way `stdin` is dropped here, which closes it.
            closing.run_until_cancelled(write(stdin, queued)).await;
        };
        (Self { queue, room: Arc::clone(&room) }, Backlog(room), writing)
    }

    /// Queues `bytes` without waiting.
    ///
    /// # Errors
    /// [`Failure::TooSlow`] if the queue is full, [`Failure::Ended`] if the process has closed its input.
    pub fn offer(&self, bytes: Bytes) -> Result<(), Failure> {
        let size = u32::try_from(bytes.len()).map_err(|_| Failure::TooSlow)?;
        let room = Arc::clone(&self.room).try_acquire_many_owned(size).map_err(|_| Failure::TooSlow)?;
        self.queue.send((bytes, room)).map_err(|_| Failure::Ended)
    }

    /// Queues `bytes`, waiting until there is room.
    ///
    /// # Errors
    /// [`Failure::Ended`] if the process has closed its input.
    pub async fn give(&self, bytes: Bytes) -> Result<(), Failure> {
        let size = u32::try_from(bytes.len().min(CAPACITY)).map_err(|_| Failure::TooSlow)?;
        let room = Arc::clone(&self.room).acquire_many_owned(size).await.map_err(|_| Failure::Ended)?;
        self.queue.send((bytes, room)).map_err(|_| Failure::Ended)
    }
}

async fn write(mut stdin: ChildStdin, mut queued: UnboundedReceiver<Chunk>) {
    while let Some((bytes, _room)) = queued.recv().await {
        // It fails when the process has ended, which its watcher reports.
        if stdin.write_all(&bytes).await.is_err() {
            return;
        }
    }
}
