//! The thread that writes: what has come within a second goes into one transaction.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::oneshot;
use tracing::warn;

use crate::background;
use crate::history::entry::Entry;
use crate::history::file::File;
use domain::time::Timestamp;

/// The name under which its deaths are logged.
const NAME: &str = "the history's writer";
/// How many entries wait at most.
pub(super) const QUEUE: usize = 1024;
/// Between two transactions: what a killed process loses.
const PAUSE: Duration = Duration::from_secs(1);
/// How often it is written down, while somebody watches, that the gateway lives.
const ALIVE: Duration = Duration::from_secs(60);

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Job {
    /// An entry is to be written.
    Write(Entry),
    /// All that came before is to be written at once, and whoever waits for that is to be told.
    Flush(oneshot::Sender<()>),
}

/// Works until nobody can tell it anything any more.
pub(super) fn write_all(mut file: File, jobs: &Receiver<Job>) {
    let (mut due, mut is_failing) = (Instant::now(), false);
    // What could not be written is tried once more.
    let mut again = Vec::new();
    loop {
        let mut next = match jobs.recv_timeout(ALIVE) {
            Ok(job) => Some(job),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let (mut entries, mut waiting) = (std::mem::take(&mut again), None);
        while let Some(job) = next.take() {
            match job {
                Job::Write(entry) => entries.push(entry),
                Job::Flush(done) => waiting = Some(done),
            }
            if waiting.is_none() && entries.len() < QUEUE {
                next = jobs.recv_timeout(due.saturating_duration_since(Instant::now())).ok();
            }
        }
        due = Instant::now() + PAUSE;
        let written = background::survived(NAME, || file.write(&entries, now()));
        match written {
            Some(Ok(())) if is_failing => {
                is_failing = false;
                warn!("the history can be written again");
            }
            Some(Err(why)) if !is_failing => {
                is_failing = true;
                again = entries;
                warn!(%why, "the history cannot be written: what is watched meanwhile is not remembered");
            }
            Some(Ok(()) | Err(_)) | None => {}
        }
        if let Some(done) = waiting {
            // Who waited may have gone.
            let _ = done.send(());
        }
    }
}

fn now() -> Timestamp {
    Timestamp::after_start(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}
