//! One FFmpeg: started, asked to quit, killed. What it is for is its owner's business.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, sleep};

use crate::demo::origin::lock;

const LOOK: Duration = Duration::from_millis(10);

/// A running FFmpeg; dropping it kills it.
#[derive(Debug)]
pub(super) struct Process {
    child: Mutex<Child>,
    stdin: tokio::sync::Mutex<Option<ChildStdin>>,
}

impl Process {
    /// Starts `ffmpeg` in `folder` and gives its standard output, if `piped`.
    pub(super) fn start(
        args: &[OsString],
        folder: &Path,
        piped: bool,
    ) -> io::Result<(Self, Option<ChildStdout>)> {
        let mut child = Command::new("ffmpeg")
            .args(["-hide_banner", "-nostats", "-loglevel", "quiet"])
            .args(args)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(if piped { Stdio::piped() } else { Stdio::null() })
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        Ok((Self { child: Mutex::new(child), stdin: tokio::sync::Mutex::new(stdin) }, stdout))
    }

    /// How it ended, once it has.
    pub(super) fn exit(&self) -> Option<ExitStatus> {
        lock(&self.child).try_wait().ok().flatten()
    }

    /// Kills it without a word.
    pub(super) fn kill(&self) {
        // An error means that it has ended already.
        let _ = lock(&self.child).start_kill();
    }

    /// Asks it to finish its output, and kills it if that takes longer than `patience`.
    pub(super) async fn quit(&self, patience: Duration) {
        if let Some(mut stdin) = self.stdin.lock().await.take() {
            let _ = stdin.write_all(b"q").await;
        }
        let deadline = Instant::now() + patience;
        while self.exit().is_none() {
            if Instant::now() >= deadline {
                self.kill();
            }
            sleep(LOOK).await;
        }
    }
}

/// Arguments of any kind in one list.
macro_rules! args {
    ($($arg:expr),* $(,)?) => { vec![$(std::ffi::OsString::from($arg)),*] };
}
pub(super) use args;
