//! Starts processes that cannot outlive the gateway, however the gateway ends.
//!
//! Linux kills a child with its parent if the child has asked for it. So this program starts itself as `__ffmpeg`, which
//! asks and then becomes FFmpeg. The kernel takes the *thread* that forked for the parent, so one thread starts all
//! processes and lives as long as any of them.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc;

use rustix::process::{Pid, getppid};
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::background;

/// The hidden subcommand that becomes FFmpeg.
pub const SUBCOMMAND: &str = "__ffmpeg";

/// How FFmpeg is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Launcher {
    /// Through a program that has [`SUBCOMMAND`].
    Own(PathBuf),
    /// Directly, at the usual priority. Such an FFmpeg outlives a gateway that is killed, until the next one starts
    /// (`leftovers`).
    Plain,
}

impl Launcher {
    /// Through this program, also after an update has replaced its file.
    #[must_use]
    pub fn this_program() -> Self {
        if cfg!(target_os = "linux") { Self::Own(PathBuf::from("/proc/self/exe")) } else { Self::Plain }
    }

    /// The command that starts `ffmpeg`.
    pub(super) fn command(&self, ffmpeg: &Path, nice: i32) -> Command {
        match self {
            Self::Own(program) => {
                let mut command = Command::new(program);
                let own = std::process::id().to_string();
                command.args([SUBCOMMAND, &own, &nice.to_string()]).arg(ffmpeg);
                command
            }
            Self::Plain => Command::new(ffmpeg),
        }
    }
}

/// Replaces this process by FFmpeg: `arguments` are the parent's process id, the niceness, the program and its
/// arguments. Returns only if that fails.
#[must_use]
pub fn become_ffmpeg(arguments: &[OsString]) -> io::Error {
    let read = |argument: &OsString| argument.to_str()?.parse::<i32>().ok();
    let [parent, nice, program, arguments @ ..] = arguments else {
        return io::ErrorKind::InvalidInput.into();
    };
    let (Some(parent), Some(nice)) = (read(parent), read(nice)) else {
        return io::ErrorKind::InvalidInput.into();
    };
    if let Err(cause) = end_with_parent() {
        return cause;
    }
    // The parent may have ended before the request above.
    if getppid() != Pid::from_raw(parent) {
        return io::Error::other("the gateway that started it has ended");
    }
    // Without the wanted priority it plays all the same.
    let _ = rustix::process::nice(nice);
    std::process::Command::new(program).args(arguments).exec()
}

#[cfg(target_os = "linux")]
fn end_with_parent() -> io::Result<()> {
    use rustix::process::{Signal, set_parent_process_death_signal};
    Ok(set_parent_process_death_signal(Some(Signal::KILL))?)
}

#[cfg(not(target_os = "linux"))]
fn end_with_parent() -> io::Result<()> {
    Ok(())
}

/// The thread that starts all processes. It ends when this is dropped, and the processes with it.
#[derive(Debug)]
pub(super) struct Spawner(mpsc::Sender<Order>);

#[derive(Debug)]
struct Order {
    command: Command,
    answer: oneshot::Sender<io::Result<Child>>,
}

impl Spawner {
    /// Starts the thread.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub(super) fn start() -> io::Result<Self> {
        let (orders, received) = mpsc::channel::<Order>();
        let runtime = Handle::current();
        std::thread::Builder::new().name("ffmpeg-launcher".to_owned()).spawn(move || {
            let _inside = runtime.enter();
            for Order { mut command, answer } in received {
                let child = background::survived("the thread that starts FFmpeg", || command.spawn());
                // If nobody waits for the answer any more, the child is dropped with it, and killed.
                let _ = answer.send(child.unwrap_or_else(|| Err(io::Error::other("a panic"))));
            }
        })?;
        Ok(Self(orders))
    }

    /// Starts `command` in a process group of its own, with standard input if `takes_input`.
    pub(super) async fn spawn(&self, mut command: Command, takes_input: bool) -> io::Result<Child> {
        command.stdin(if takes_input { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        let (answer, answered) = oneshot::channel();
        let gone = || io::Error::other("the thread that starts FFmpeg has ended");
        self.0.send(Order { command, answer }).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}
