//! An FFmpeg process: started, asked to quit, killed. Its arguments are its owner's.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, sleep};

use crate::lock::lock;

/// How often a quitting FFmpeg is checked for its end.
const POLL: Duration = Duration::from_millis(10);

/// An FFmpeg process. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Ffmpeg {
    child: Mutex<Child>,
    stdin: tokio::sync::Mutex<Option<ChildStdin>>,
}

impl Ffmpeg {
    /// Starts `ffmpeg` in `folder`, and returns its standard output if it is `piped`.
    pub(crate) fn start(
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

    /// Its exit status; `None` while it runs.
    pub(crate) fn exit(&self) -> Option<ExitStatus> {
        lock(&self.child).try_wait().ok().flatten()
    }

    /// Kills it.
    pub(crate) fn kill(&self) {
        // It fails only if the process has ended already.
        let _ = lock(&self.child).start_kill();
    }

    /// Asks it to finish its output, and kills it after `timeout`.
    pub(crate) async fn quit(&self, timeout: Duration) {
        if let Some(mut stdin) = self.stdin.lock().await.take() {
            let _ = stdin.write_all(b"q").await;
        }
        let deadline = Instant::now() + timeout;
        while self.exit().is_none() {
            if Instant::now() >= deadline {
                self.kill();
            }
            sleep(POLL).await;
        }
    }
}

/// A list of arguments of any string type.
macro_rules! args {
    ($($arg:expr),* $(,)?) => { vec![$(std::ffi::OsString::from($arg)),*] };
}
pub(crate) use args;
