//! Reads the configuration again when its file changes, or upon SIGHUP. A wrong one changes nothing.
//!
//! It does not know what a change does.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;
use tracing::{info, warn};

use crate::app::changes::Changes;
use crate::config::Config;
use crate::file_stamp::FileStamp;
use crate::service_manager;
use crate::telemetry::Level;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// The requests to read the configuration again.
pub(super) struct Requests {
    path: PathBuf,
    hangup: Signal,
    /// The file as it was when it was read last.
    read: Option<FileStamp>,
}

impl Requests {
    /// From now on SIGHUP is such a request, and so is a change of the file at `path`.
    ///
    /// # Errors
    /// If no handler for the signal can be installed.
    pub(super) fn new(path: PathBuf) -> io::Result<Self> {
        Ok(Self { read: FileStamp::of(&path), path, hangup: signal(SignalKind::hangup())? })
    }

    /// Follows the requests for ever.
    pub(super) async fn follow(mut self, changes: Changes, level: Level) {
        while let Some(cause) = self.next().await {
            service_manager::reloading();
            changes.reopen_logs();
            self.read_again(cause, &changes, &level);
            service_manager::ready();
        }
    }

    /// Waits for the next request, and returns where it comes from; `None` if none can come.
    async fn next(&mut self) -> Option<&'static str> {
        let mut seen = self.read;
        loop {
            tokio::select! {
                asked = self.hangup.recv() => return asked.map(|()| "SIGHUP"),
                () = sleep(LOOK) => {
                    let now = FileStamp::of(&self.path);
                    // An editor may not have written all of it yet.
                    let is_whole = std::mem::replace(&mut seen, now) == now;
                    if is_whole && now.is_some() && now != self.read {
                        return Some("the file has changed");
                    }
                }
            }
        }
    }

    fn read_again(&mut self, cause: &str, changes: &Changes, level: &Level) {
        let path = self.path.display();
        let now = FileStamp::of(&self.path);
        if now.is_none() && self.read.is_some() {
            warn!(file = %path, cause, "the configuration is not there any more, and stays in effect as it was");
            return;
        }
        self.read = now;
        let config = match Config::load(&self.path) {
            Ok(config) => config,
            Err(errors) => {
                warn!(file = %path, cause, "the configuration has errors, and the one before stays in effect");
                errors.problems().iter().for_each(|problem| warn!(%problem, "not in effect"));
                return;
            }
        };
        if let Err(error) = level.change(&config.log.level) {
            warn!(%error, "the level of the log stays");
        }
        let waiting = changes.apply(config);
        info!(file = %path, cause, "the configuration was read again");
        if !waiting.is_empty() {
            warn!(keys = waiting.join(", "), "these need a restart to take effect");
        }
    }
}
