//! The real gateway, as a process.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use jellyfin_alike::viewer::Viewer;
use jellyfin_alike::{Origin, Settings};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::support::log::Log;
use crate::support::wait::{eventually, soon};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_warmgate");

/// The gateway that gets one socket or two with these names, as from systemd.
pub(crate) fn given(sockets: &[&TcpListener], names: &str) -> Command {
    // A shell becomes the gateway, since LISTEN_PID is the process's own id.
    let count = sockets.len();
    let script = format!(
        "exec 3<&0 4<&1 0</dev/null; export LISTEN_PID=$$ LISTEN_FDS={count} LISTEN_FDNAMES={names}; exec \"$0\""
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script, PROGRAM]);
    for (socket, place) in sockets.iter().zip([Command::stdin, Command::stdout]) {
        place(&mut command, OwnedFd::from(socket.try_clone().unwrap()));
    }
    command
}

/// A process of the gateway's, before an origin. Dropping it kills it, and those that have taken its place.
pub(crate) struct Program {
    child: Child,
    /// The processes that have taken over since, the last of which serves.
    successors: Vec<(Pid, OwnedFd)>,
    pub(crate) address: String,
    /// What it says, warnings and more.
    pub(crate) log: Log,
}

impl Program {
    /// Starts it at `listen`, with its state in this folder and more configuration in `environment`.
    pub(crate) async fn start(
        state: &Path,
        listen: &str,
        origin: &Origin,
        environment: &[(&str, &str)],
    ) -> Self {
        let mut command = Command::new(PROGRAM);
        command.stdin(Stdio::null());
        Self::run(command, state, listen, origin, environment).await
    }

    /// The same, where the program is reached by this path.
    pub(crate) async fn start_at_path(
        program: &Path,
        state: &Path,
        origin: &Origin,
        environment: &[(&str, &str)],
    ) -> Self {
        let mut command = Command::new(program);
        command.stdin(Stdio::null());
        Self::run(command, state, "127.0.0.1:0", origin, environment).await
    }

    /// The same under the limits that these shell commands set.
    pub(crate) async fn start_limited(
        limits: &str,
        state: &Path,
        origin: &Origin,
        environment: &[(&str, &str)],
    ) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{limits}; exec \"$0\""), PROGRAM]).stdin(Stdio::null());
        Self::run(command, state, "127.0.0.1:0", origin, environment).await
    }

    /// The same at a socket that is bound already, as systemd gives it.
    pub(crate) async fn start_at(socket: &TcpListener, state: &Path, origin: &Origin) -> Self {
        Self::run(given(&[socket], ""), state, "127.0.0.1:0", origin, &[]).await
    }

    async fn run(
        mut command: Command,
        state: &Path,
        listen: &str,
        origin: &Origin,
        environment: &[(&str, &str)],
    ) -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        command
            .current_dir(state)
            .env_clear()
            .env("PATH", path)
            .env("WARMGATE__UPSTREAM__URL", format!("http://{}", origin.addr()))
            .env("WARMGATE__LISTEN", listen)
            .env("WARMGATE__STATE_DIR", state)
            .envs(environment.iter().copied())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Log::default();
        let line = loop {
            let line = soon(lines.next_line()).await.unwrap();
            let line = line.unwrap_or_else(|| panic!("it did not start: {}", log.text()));
            log.line(&line);
            if line.contains("listening") {
                break line;
            }
        };
        // The program would block on a full pipe.
        let kept = log.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                kept.line(&line);
            }
        });
        let address = line.split("address=").nth(1).unwrap().split(' ').next().unwrap().to_owned();
        Self { child, successors: Vec::new(), address, log }
    }

    /// A viewer of the first user's.
    pub(crate) fn viewer(&self, settings: &Settings, device: &str) -> Viewer {
        let user = &settings.users[0];
        Viewer::new(format!("http://{}", self.address), user.token(), &user.id, device)
    }

    /// Whether it has a file open in this folder, with a name or without.
    pub(crate) fn has_open(&self, folder: &Path) -> bool {
        let mut files =
            std::fs::read_dir(format!("/proc/{}/fd", self.child.id().unwrap())).unwrap().flatten();
        files.any(|file| std::fs::read_link(file.path()).is_ok_and(|to| to.starts_with(folder)))
    }

    /// Kills it.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// The process that serves.
    pub(crate) fn pid(&self) -> Pid {
        let first = || Pid::from_raw(self.child.id().unwrap().try_into().unwrap()).unwrap();
        self.successors.last().map_or_else(first, |(pid, _)| *pid)
    }

    /// Has another process take its place, and waits until it has.
    pub(crate) async fn hand_over(&mut self) {
        let taken_over = |text: &str| {
            let lines = text.lines().filter(|line| line.contains("another process has taken over"));
            lines
                .map(|line| line.rsplit_once("pid=").unwrap().1.trim().parse().unwrap())
                .collect::<Vec<i32>>()
        };
        let before = self.successors.len();
        self.signal(Signal::USR2);
        eventually("another process takes over", async || taken_over(&self.log.text()).len() > before).await;
        let pid = Pid::from_raw(taken_over(&self.log.text())[before]).unwrap();
        self.successors.push((pid, pidfd_open(pid, PidfdFlags::empty()).unwrap()));
    }

    /// Kills the process that serves, and not those before it.
    pub(crate) fn kill_the_last(&self) {
        pidfd_send_signal(&self.successors.last().unwrap().1, Signal::KILL).unwrap();
    }

    /// Kills the first process.
    pub(crate) async fn kill_the_first(&mut self) {
        self.kill().await;
    }

    /// Whether the first process runs.
    pub(crate) fn first_runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until the first process has ended by itself.
    pub(crate) async fn first_has_ended(&mut self) -> ExitStatus {
        soon(self.child.wait()).await.unwrap()
    }

    /// Asks the last process to stop, and waits until all have ended.
    pub(crate) async fn all_end(&mut self) {
        self.signal(Signal::TERM);
        for (pid, _) in &self.successors {
            eventually("it ends", async || has_ended(*pid)).await;
        }
        assert!(self.first_has_ended().await.success());
    }

    /// Asks it to stop, as systemd does, and waits until it has.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        soon(self.child.wait()).await.unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        for (_, process) in &self.successors {
            let _ = pidfd_send_signal(process, Signal::KILL);
        }
    }
}

/// Whether a process is gone, or waits for nothing but its parent's attention.
fn has_ended(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
        || !std::path::Path::new(&format!("/proc/{}", pid.as_raw_nonzero())).exists()
}
