//! Runs FFmpeg: a transport stream goes in, another comes out, and no process is ever left behind.
//!
//! [`command`] builds the arguments, `program` and [`launcher`] start a process, [`process`] watches and ends it (`life`),
//! `stdin` feeds it, `progress` reads its reports, `picture` makes a picture by a short one, `encoders` tests what it can do, and [`leftovers`] ends what an earlier
//! gateway left running. It knows neither channels nor streams.

pub mod command;
mod encoders;
pub mod launcher;
pub mod leftovers;
mod life;
mod picture;
pub mod process;
mod program;
mod progress;
mod stdin;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use tokio_util::task::TaskTracker;

use crate::ffmpeg::command::Command;
use crate::ffmpeg::launcher::Launcher;
use crate::ffmpeg::process::{Running, Watch};
use crate::ffmpeg::program::Program;
use domain::encoding::abilities::{Abilities, VideoEncoder};
use domain::encoding::health::Limits;
use domain::reason::{Failure, Obstacle};

pub use encoders::Found;
pub use progress::Progress;
pub use stdin::StdinQueue;

/// The settings of FFmpeg.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The program.
    pub path: PathBuf,
    /// How it is started.
    pub launcher: Launcher,
    /// The encoders to test, the preferred first.
    pub encoders: Vec<VideoEncoder>,
    /// The maximum number of processes.
    pub processes: usize,
    /// How many of them may encode video.
    pub encodes: usize,
    /// The niceness of a process, 0 to 19.
    pub nice: i32,
    /// The limits beyond which a process is ended.
    pub limits: Limits,
    /// The name of this gateway, which tells its processes from those of others on the machine.
    pub owner: String,
}

/// Why an FFmpeg was not started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The maximum number of processes is running.
    #[error("no room for another FFmpeg: {}", .0.as_str())]
    Taken(Obstacle),
    /// The system could not start it.
    #[error("FFmpeg cannot be started: {0}")]
    Spawn(#[from] io::Error),
}

impl Error {
    /// The failure of the stream that the process was meant for.
    #[must_use]
    pub const fn failure(&self) -> Failure {
        match self {
            Self::Taken(obstacle) => obstacle.failure(),
            Self::Spawn(_) => Failure::Crashed,
        }
    }
}

/// The FFmpeg of this machine, with its limits. Clones share it; when the last one is dropped, every process ends.
#[derive(Clone, Debug)]
pub struct Ffmpeg(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    program: Program,
    wanted: Vec<VideoEncoder>,
    limits: Limits,
    processes: Arc<Semaphore>,
    encodes: Arc<Semaphore>,
    found: watch::Sender<Option<Found>>,
}

impl Ffmpeg {
    /// An FFmpeg whose abilities are not known yet.
    ///
    /// # Errors
    /// If the thread that starts processes cannot be started.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new(settings: Settings) -> io::Result<Self> {
        let processes = Arc::new(Semaphore::new(settings.processes));
        let encodes = Arc::new(Semaphore::new(settings.encodes));
        let Settings { path, launcher, nice, owner, encoders: wanted, limits, .. } = settings;
        let program = Program::new(path, launcher, nice, &owner)?;
        let found = watch::Sender::new(None);
        Ok(Self(Arc::new(Shared { program, wanted, limits, processes, encodes, found })))
    }

    /// Finds out what it can do, which takes some seconds. Until then it has no abilities.
    pub async fn probe(&self) {
        let found = encoders::find(&self.0.program, &self.0.wanted).await;
        self.0.found.send_replace(Some(found));
    }

    /// What [`Self::probe`] has found; `None` before.
    #[must_use]
    pub fn found(&self) -> watch::Receiver<Option<Found>> {
        self.0.found.subscribe()
    }

    /// Its abilities, with the processes that are left at this moment.
    #[must_use]
    pub fn abilities(&self) -> Abilities {
        let found = self.0.found.borrow().clone().unwrap_or_default();
        Abilities {
            video_encoders: found.video_encoders,
            audio_encoders: found.audio_encoders,
            video_decoders: found.video_decoders,
            audio_decoders: found.audio_decoders,
            processes_left: self.0.processes.available_permits(),
            encodes_left: self.0.encodes.available_permits(),
            server_hardware: false,
        }
    }

    /// Starts `command`, watched by one of `tasks`.
    ///
    /// # Errors
    /// If the maximum is running, or the system cannot start it.
    pub async fn start(&self, command: &Command, tasks: &TaskTracker) -> Result<Running, Error> {
        let take = |room: &Arc<Semaphore>, otherwise| {
            Arc::clone(room).try_acquire_owned().map_err(|_| Error::Taken(otherwise))
        };
        let mut room = vec![take(&self.0.processes, Obstacle::ProcessesTaken)?];
        if command.encodes_video {
            room.push(take(&self.0.encodes, Obstacle::EncodesTaken)?);
        }
        let args: Vec<_> = command.args.iter().map(String::as_str).collect();
        let child = self.0.program.spawn(&args, command.takes_input).await?;
        let watched = Watch::over(child, self.0.limits, room);
        let (running, watching) = watched.ok_or_else(|| io::Error::other("it ended at once"))?;
        // The process ends with the thread that started it, which `shared` keeps.
        let shared = Arc::clone(&self.0);
        tasks.spawn(async move {
            watching.await;
            drop(shared);
        });
        Ok(running)
    }
}
