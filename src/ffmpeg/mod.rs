//! FFmpeg: a transport stream goes in, another comes out, and whatever happens no process is left behind.
//!
//! [`command`] says what is asked of it, [`launcher`] starts it, [`process`] watches one and ends it (`life`), `stdin` feeds
//! it, `progress` reads what it says, `encoders` finds out what it can do, [`leftovers`] ends what an earlier gateway left. It
//! does not know what a channel or a stream is, nor who waits for the output.

pub mod command;
mod encoders;
pub mod launcher;
pub mod leftovers;
mod life;
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

/// What a gateway uses FFmpeg with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The program.
    pub path: PathBuf,
    /// What starts it.
    pub launcher: Launcher,
    /// The encoders to try, the preferred first.
    pub encoders: Vec<VideoEncoder>,
    /// Processes at once.
    pub processes: usize,
    /// Encoded pictures at once.
    pub encodes: usize,
    /// How far behind everything else it stands for the processor, 0 to 19.
    pub nice: i32,
    /// What is borne of a process.
    pub limits: Limits,
    /// Who this gateway is, beside others on the machine.
    pub owner: String,
}

/// Why an FFmpeg was not started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// As many run as may.
    #[error("no room for another FFmpeg: {}", .0.as_str())]
    Taken(Obstacle),
    /// The system did not start it.
    #[error("FFmpeg cannot be started: {0}")]
    Spawn(#[from] io::Error),
}

impl Error {
    /// What that is for the stream it was meant for.
    #[must_use]
    pub const fn failure(&self) -> Failure {
        match self {
            Self::Taken(obstacle) => obstacle.failure(),
            Self::Spawn(_) => Failure::Crashed,
        }
    }
}

/// The FFmpeg of this machine, with its limits. Dropped altogether, every process ends.
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
    /// An FFmpeg of which nothing is known yet.
    ///
    /// # Errors
    /// If the thread that starts processes cannot be had.
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

    /// Finds out what it can do, which takes some seconds; until then it can do nothing.
    pub async fn probe(&self) {
        let found = encoders::find(&self.0.program, &self.0.wanted).await;
        self.0.found.send_replace(Some(found));
    }

    /// What was found out, once it was.
    #[must_use]
    pub fn found(&self) -> watch::Receiver<Option<Found>> {
        self.0.found.subscribe()
    }

    /// What it can do at this moment.
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

    /// Starts `command`; what watches over it is one of `tasks`.
    ///
    /// # Errors
    /// If there is no room for it, or the system does not start it.
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
        let (running, watching) = watched.ok_or_else(|| io::Error::other("it ended before it began"))?;
        // The thread that started it must not end before it.
        let shared = Arc::clone(&self.0);
        tasks.spawn(async move {
            watching.await;
            drop(shared);
        });
        Ok(running)
    }
}
