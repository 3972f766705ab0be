//! One running FFmpeg. One task watches it until its exit status is taken, and no other signals it.

use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{Level, debug, error, trace, warn};

use crate::ffmpeg::life::{Act, Life};
use crate::ffmpeg::progress::{Line, Progress};
use crate::ffmpeg::stdin::{Backlog, StdinQueue};
use domain::encoding::health::{Health, Limits};
use domain::reason::Failure;
use domain::time::Timestamp;

/// The interval of health checks.
const LOOK: Duration = Duration::from_millis(200);
/// How long the log of an ended process is read.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A running FFmpeg.
#[derive(Debug)]
pub struct Running {
    /// Its standard input; `None` if it fetches its source itself.
    pub stdin: Option<StdinQueue>,
    /// The transport stream it makes.
    pub output: ChildStdout,
    /// Its progress.
    pub progress: watch::Receiver<Progress>,
    /// The process itself.
    pub process: Process,
}

/// The handle of a process. Dropping it stops the process.
#[derive(Debug)]
pub struct Process {
    stop: DropGuard,
    ended: watch::Receiver<Option<Ended>>,
    id: u32,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Why it ended by itself; `None` if it was asked to.
    pub failure: Option<Failure>,
    /// Its exit status, if it could be taken.
    pub status: Option<ExitStatus>,
}

impl Process {
    /// Its process id.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// Waits for its end.
    pub async fn ended(&self) -> Ended {
        let gone = Ended { failure: Some(Failure::Panicked), status: None };
        let mut ended = self.ended.clone();
        ended.wait_for(Option::is_some).await.ok().and_then(|ended| *ended).unwrap_or(gone)
    }

    /// Ends it and waits for its end, which takes three seconds at most.
    pub async fn stop(self) -> Ended {
        let Self { stop, ended, id } = self;
        stop.disarm().cancel();
        Self { stop: CancellationToken::new().drop_guard(), ended, id }.ended().await
    }
}

/// The state of the task that watches a process.
#[derive(Debug)]
pub(super) struct Watch {
    child: Child,
    stderr: Option<ChildStderr>,
    group: Option<Pid>,
    life: Life,
    health: Health,
    failure: Option<Failure>,
    began: Instant,
    stop: CancellationToken,
    closing: CancellationToken,
    backlog: Option<Backlog>,
    progress: watch::Sender<Progress>,
    ended: watch::Sender<Option<Ended>>,
    /// Its places among the processes, given back with its exit status.
    _room: Vec<OwnedSemaphorePermit>,
}

impl Watch {
    /// Takes charge of `child`; returns its handles and the task that watches it.
    pub(super) fn over(
        mut child: Child,
        limits: Limits,
        room: Vec<OwnedSemaphorePermit>,
    ) -> Option<(Running, impl Future<Output = ()>)> {
        let (stop, closing) = (CancellationToken::new(), CancellationToken::new());
        let (progress, progresses) = watch::channel(Progress::default());
        let (ended, ends) = watch::channel(None);
        let (id, output, stderr) = (child.id()?, child.stdout.take()?, child.stderr.take());
        let piped = child.stdin.take().map(|stdin| StdinQueue::new(stdin, closing.clone()));
        let (stdin, backlog, writing) = match piped {
            Some((stdin, backlog, writing)) => (Some(stdin), Some(backlog), Some(writing)),
            None => (None, None, None),
        };
        let watch = Self {
            child,
            stderr,
            group: i32::try_from(id).ok().and_then(Pid::from_raw),
            life: Life::Starting,
            health: Health::new(limits, Timestamp::default()),
            failure: None,
            began: Instant::now(),
            stop: stop.clone(),
            closing,
            backlog,
            progress,
            ended,
            _room: room,
        };
        let process = Process { stop: stop.drop_guard(), ended: ends, id };
        let task = async move {
            match writing {
                Some(writing) => _ = tokio::join!(watch.run(), writing),
                None => watch.run().await,
            }
        };
        Some((Running { stdin, output, progress: progresses, process }, task))
    }

    async fn run(mut self) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut lines = self.stderr.take().map(|stderr| BufReader::new(stderr).lines());
        let status = loop {
            let next = async {
                match &mut lines {
                    Some(lines) => lines.next_line().await,
                    None => std::future::pending().await,
                }
            };
            // All are cancel-safe.
            tokio::select! {
                status = self.child.wait() => break status.ok(),
                () = self.stop.cancelled(), if self.life.is_wanted() => self.end(),
                line = next => match line {
                    Ok(Some(line)) => self.hear(&line),
                    Ok(None) | Err(_) => lines = None,
                },
                _ = looks.tick() => self.look(),
            }
        };
        let last_words = async {
            while let Some(lines) = &mut lines
                && let Ok(Some(line)) = lines.next_line().await
            {
                self.hear(&line);
            }
        };
        // With a time limit: a grandchild may hold the pipe open.
        let _ = tokio::time::timeout(LAST_WORDS, last_words).await;
        self.conclude(status);
    }

    fn conclude(mut self, status: Option<ExitStatus>) {
        let by_itself = || match status {
            Some(status) if status.success() => Failure::Ended,
            Some(_) | None => Failure::Crashed,
        };
        let failure = self.failure.or_else(|| self.life.is_wanted().then(by_itself));
        self.life.reaped();
        self.closing.cancel();
        debug!(status = ?status, reason = failure.map(Failure::as_str), "FFmpeg ended");
        self.ended.send_replace(Some(Ended { failure, status }));
    }

    fn now(&self) -> Timestamp {
        Timestamp::after_start(self.began.elapsed())
    }

    fn end(&mut self) {
        let act = self.life.stop(self.now());
        self.perform(act);
    }

    fn perform(&self, act: Option<Act>) {
        let signal = |signal| self.group.map(|group| kill_process_group(group, signal));
        match act {
            None => {}
            Some(Act::CloseInput) => self.closing.cancel(),
            // An error means that it has ended, which `wait` reports.
            Some(Act::Interrupt) => _ = signal(Signal::INT),
            Some(Act::Kill) => _ = signal(Signal::KILL),
        }
    }

    fn hear(&mut self, line: &str) {
        let mut progress = *self.progress.borrow();
        match progress.read(line) {
            Line::Part => {
                self.progress.send_replace(progress);
            }
            Line::Report => self.report(progress),
            Line::Log(level, text) => say(level, &text),
        }
    }

    fn report(&mut self, progress: Progress) {
        let now = self.now();
        if progress.bytes > 0 {
            self.life.produced();
        }
        self.health.wrote(progress.bytes, now);
        let behind = self.backlog.as_ref().is_some_and(Backlog::is_behind);
        self.health.made(progress.time, behind, now);
    }

    fn look(&mut self) {
        let now = self.now();
        if let Some(bytes) = self.child.id().and_then(resident) {
            self.health.holds(bytes);
        }
        if let Some(failure) = self.health.verdict(now).filter(|_| self.life.is_wanted()) {
            warn!(reason = failure.as_str(), "ending FFmpeg");
            self.failure = Some(failure);
            self.end();
        }
        let act = self.life.timeout(now);
        self.perform(act);
    }
}

fn say(level: Level, text: &str) {
    match level {
        Level::ERROR => error!(target: "ffmpeg", "{text}"),
        Level::WARN => warn!(target: "ffmpeg", "{text}"),
        Level::TRACE => trace!(target: "ffmpeg", "{text}"),
        _ => debug!(target: "ffmpeg", "{text}"),
    }
}

/// The resident memory of a process, in bytes, where the system tells it.
fn resident(id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
