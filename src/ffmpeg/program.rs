//! The FFmpeg program of this machine, and how one process of it is started: marked with its owner and without the
//! gateway's configuration.
//!
//! It does not know what the arguments mean.

use std::io;
use std::path::PathBuf;

use tokio::process::Child;

use crate::ffmpeg::launcher::{Launcher, Spawner};
use crate::ffmpeg::leftovers;

/// See the module.
#[derive(Debug)]
pub(super) struct Program {
    path: PathBuf,
    launcher: Launcher,
    nice: i32,
    mark: String,
    spawner: Spawner,
}

impl Program {
    /// The program at `path`, whose processes belong to `owner`. Starts the thread that starts processes.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub(super) fn new(path: PathBuf, launcher: Launcher, nice: i32, owner: &str) -> io::Result<Self> {
        Ok(Self { path, launcher, nice, mark: leftovers::mark(owner), spawner: Spawner::start()? })
    }

    /// Starts a process with `args`; its standard input is a pipe if `takes_input`.
    pub(super) async fn spawn(&self, args: &[&str], takes_input: bool) -> io::Result<Child> {
        let mut command = self.launcher.command(&self.path, self.nice);
        command.args(args).env(leftovers::MARK, &self.mark);
        // FFmpeg needs none of the gateway's configuration, which may hold the API key.
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("WARMGATE__"))
        {
            command.env_remove(name);
        }
        self.spawner.spawn(command, takes_input).await
    }
}
