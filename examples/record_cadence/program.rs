//! Players that are programs: starts each, controls it, and gets its version.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;

use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use warmgate::body::BoxError;

use crate::scenario::Deed;

/// Debian's Python, which has the bindings; another one may come first in the path.
const PYTHON: &str = "/usr/bin/python3";
const NOBODY: u32 = 65534;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Ffmpeg,
    Mpv,
    /// With a cache that a pause can fill.
    MpvSmall,
    Vlc,
    Gstreamer,
}

/// A running player.
pub(crate) struct Playing {
    program: Program,
    child: Child,
    folder: TempDir,
}

impl Program {
    /// Its version.
    pub(crate) async fn version(self) -> Result<String, BoxError> {
        let (name, argument) = match self {
            Self::Ffmpeg => ("ffmpeg", "-version"),
            Self::Mpv | Self::MpvSmall => ("mpv", "--version"),
            Self::Vlc => ("vlc", "--version"),
            Self::Gstreamer => ("gst-launch-1.0", "--version"),
        };
        let mut command = Command::new(name);
        unprivileged(&mut command, self);
        let said = String::from_utf8(command.arg(argument).output().await?.stdout)?;
        let number =
            said.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
        Ok(number.ok_or("no version")?.to_owned())
    }

    /// Starts it without video and audio output.
    pub(crate) fn play(self, url: &str) -> io::Result<Playing> {
        let folder = TempDir::new()?;
        let socket = socket(&folder);
        let mut command = match self {
            Self::Ffmpeg => command("ffmpeg", &["-hide_banner", "-re", "-i", url, "-f", "null", "-"]),
            Self::Mpv | Self::MpvSmall => {
                let server = format!("--input-ipc-server={}", socket.display());
                let cache = if self == Self::Mpv { "150MiB" } else { "4MiB" };
                let cache = format!("--demuxer-max-bytes={cache}");
                command(
                    "mpv",
                    &["--no-config", "--vo=null", "--ao=null", "--no-terminal", &server, &cache, url],
                )
            }
            Self::Vlc => {
                command("vlc", &["-I", "oldrc", "--rc-fake-tty", "--vout", "dummy", "--aout", "dummy", url])
            }
            Self::Gstreamer => command(PYTHON, &["-c", include_str!("gstreamer.py"), url]),
        };
        unprivileged(&mut command, self);
        let child = command.kill_on_drop(true).stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        Ok(Playing { program: self, child, folder })
    }
}

impl Playing {
    /// Performs an action with the player's own commands.
    pub(crate) async fn perform(&mut self, deed: Deed) -> Result<(), BoxError> {
        match deed {
            Deed::Kill => self.child.start_kill()?,
            Deed::Freeze => self.signal(Signal::STOP)?,
            Deed::Thaw => self.signal(Signal::CONT)?,
            Deed::Pause | Deed::Resume | Deed::Stop => self.tell(deed).await?,
            Deed::Hide | Deed::Show => return Err("a program has no tabs".into()),
            Deed::Cut | Deed::Restore => {}
        }
        Ok(())
    }

    /// Its exit status, if it has ended.
    pub(crate) fn ended(&mut self) -> io::Result<Option<String>> {
        Ok(self.child.try_wait()?.map(|status| status.to_string()))
    }

    /// Ends it, if it has not ended.
    pub(crate) async fn end(mut self) -> io::Result<()> {
        self.child.kill().await
    }

    async fn tell(&mut self, deed: Deed) -> Result<(), BoxError> {
        let word = match (self.program, deed) {
            (Program::Ffmpeg, Deed::Stop) => "q",
            // VLC's command is a toggle.
            (Program::Vlc, Deed::Pause | Deed::Resume) => "pause\n",
            (Program::Vlc, _) => "quit\n",
            (Program::Gstreamer, Deed::Pause) => "pause\n",
            (Program::Gstreamer, Deed::Resume) => "resume\n",
            (Program::Gstreamer, _) => "stop\n",
            (Program::Mpv | Program::MpvSmall, Deed::Stop) => return self.ask(json!(["quit"])).await,
            (Program::Mpv | Program::MpvSmall, _) => {
                return self.ask(json!(["set_property", "pause", deed == Deed::Pause])).await;
            }
            (Program::Ffmpeg, _) => return Err("ffmpeg cannot be paused".into()),
        };
        let stdin = self.child.stdin.as_mut().ok_or("no standard input")?;
        stdin.write_all(word.as_bytes()).await?;
        Ok(stdin.flush().await?)
    }

    async fn ask(&self, command: serde_json::Value) -> Result<(), BoxError> {
        let mut stream = UnixStream::connect(socket(&self.folder)).await?;
        stream.write_all(format!("{}\n", json!({ "command": command })).as_bytes()).await?;
        // The socket stays open until mpv has read it: mpv drops commands of a closed connection.
        stream.readable().await?;
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<(), BoxError> {
        let id = self.child.id().ok_or("it has ended")?;
        kill_process(Pid::from_raw(i32::try_from(id)?).ok_or("no process")?, signal)?;
        Ok(())
    }
}

fn command(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(arguments);
    command
}

fn socket(folder: &TempDir) -> PathBuf {
    folder.path().join("mpv")
}

/// VLC refuses to be root.
fn unprivileged(command: &mut Command, program: Program) {
    if program == Program::Vlc && geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY).env("HOME", "/nonexistent");
    }
}
