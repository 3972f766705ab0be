//! The HLS jobs and their lives (`TranscodeManager.cs`): one FFmpeg each, pinged, timed and killed.
//!
//! A job is found by the name of its playlist for requests, and by its play session for reports.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::demo::origin::answer::Refusal;
use crate::demo::origin::live;
use crate::demo::origin::lock;
use crate::demo::origin::plan::Plan;
use crate::demo::origin::process::{Process, args};
use crate::demo::origin::state::State;
use domain::guid;

/// How often a waiting request looks at the playlist.
const LOOK: Duration = Duration::from_millis(50);
/// How long a job may take to quit before it is killed.
const PATIENCE: Duration = Duration::from_secs(5);

/// All jobs.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    running: Mutex<BTreeMap<String, Arc<Job>>>,
    /// One at a time may start a playlist.
    turns: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
    pub(super) started: AtomicU64,
}

/// What a job is made from.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) input: String,
    pub(super) user_agent: String,
    pub(super) device_id: String,
    pub(super) play_session: String,
    /// The live stream named in the request, whose consumer dies with a silent job.
    pub(super) live_stream: Option<String>,
    /// The live stream opened for want of a name, given back when FFmpeg ends.
    pub(super) own_stream: Option<String>,
    pub(super) plan: Plan,
}

impl Order {
    /// The playlist's name: no encoding parameter is in it (`StreamingHelpers.GetOutputFilePath`).
    pub(super) fn playlist_id(&self) -> String {
        let Self { input, user_agent, device_id, play_session, .. } = self;
        guid::md5(&format!("{input}-{user_agent}-{device_id}-{play_session}"))
    }
}

#[derive(Debug)]
struct Job {
    playlist_id: String,
    input: String,
    play_session: String,
    live_stream: Option<String>,
    process: Process,
    killed: AtomicBool,
    /// When it dies of silence; not yet known while its first request still waits.
    deadline: Mutex<Option<Instant>>,
}

impl Jobs {
    /// How many FFmpegs run.
    pub(super) fn count(&self) -> usize {
        lock(&self.running).values().filter(|job| job.process.exit().is_none()).count()
    }

    /// Rearms the kill timer of the job with this playlist.
    pub(super) fn ping(&self, playlist_id: &str, timer: Duration) {
        if let Some(job) = lock(&self.running).get(playlist_id) {
            job.ping(timer);
        }
    }

    /// Rearms the kill timers of a play session's jobs.
    pub(super) fn ping_session(&self, play_session: &str, timer: Duration) {
        for job in self.of_session(play_session) {
            job.ping(timer);
        }
    }

    /// The input of a play session's job.
    pub(super) fn input_of(&self, play_session: &str) -> Option<String> {
        self.of_session(play_session).first().map(|job| job.input.clone())
    }

    /// Kills all FFmpegs at once and sees them dead, so that none writes into a folder that is being deleted.
    pub(super) fn kill_all(&self) {
        let jobs = std::mem::take(&mut *lock(&self.running));
        for job in jobs.values() {
            job.process.kill();
        }
        for job in jobs.values() {
            for _ in 0..500 {
                if job.process.exit().is_some() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    fn of_session(&self, play_session: &str) -> Vec<Arc<Job>> {
        let running = lock(&self.running);
        running.values().filter(|job| job.play_session.eq_ignore_ascii_case(play_session)).cloned().collect()
    }

    fn turn(&self, playlist_id: &str) -> Arc<tokio::sync::Mutex<()>> {
        lock(&self.turns).entry(playlist_id.to_owned()).or_default().clone()
    }
}

impl Job {
    fn ping(&self, timer: Duration) {
        *lock(&self.deadline) = Some(Instant::now() + timer);
    }
}

/// The playlist of an order: at once if its file is there, even a dead one's, else from a new job.
///
/// # Errors
/// [`Refusal::Failed`] if FFmpeg ends before there is a playlist.
pub(super) async fn playlist(state: &Arc<State>, order: Order) -> Result<String, Refusal> {
    let playlist_id = order.playlist_id();
    let path = state.folder.join(format!("{playlist_id}.m3u8"));
    if !path.exists() {
        let turn = state.jobs.turn(&playlist_id);
        let _held = turn.lock().await;
        if !path.exists() {
            start_and_wait(state, order, &playlist_id, &path).await?;
        }
    }
    state.jobs.ping(&playlist_id, state.settings.delays.kill_timer);
    tokio::fs::read_to_string(path).await.map_err(|_| Refusal::Missing)
}

async fn start_and_wait(
    state: &Arc<State>,
    order: Order,
    playlist_id: &str,
    path: &Path,
) -> Result<(), Refusal> {
    let min_segments = order.plan.min_segments;
    let job = start(state, order, playlist_id)?;
    while !path.exists() {
        if job.process.exit().is_some() {
            lock(&state.jobs.running).remove(playlist_id);
            return Err(Refusal::Failed);
        }
        sleep(LOOK).await;
    }
    // As in the real server, a job that ends too early is waited for until somebody kills it.
    while !job.killed.load(Ordering::Acquire) && segments(path).await < min_segments {
        sleep(LOOK).await;
    }
    Ok(())
}

fn start(state: &Arc<State>, order: Order, playlist_id: &str) -> Result<Arc<Job>, Refusal> {
    let analyze = state.settings.delays.analyze.as_micros().to_string();
    let mut args = args!["-analyzeduration", analyze, "-fflags", "+igndts+genpts", "-i", &order.input];
    args.extend(order.plan.args(playlist_id));
    let (process, _) = Process::start(&args, &state.folder, false).map_err(|_| Refusal::Failed)?;
    let job = Arc::new(Job {
        playlist_id: playlist_id.to_owned(),
        input: order.input,
        play_session: order.play_session,
        live_stream: order.live_stream,
        process,
        killed: AtomicBool::new(false),
        deadline: Mutex::new(None),
    });
    state.jobs.started.fetch_add(1, Ordering::Relaxed);
    lock(&state.jobs.running).insert(playlist_id.to_owned(), job.clone());
    state.spawn(watch(state.clone(), job.clone(), order.own_stream));
    Ok(job)
}

async fn segments(path: &Path) -> usize {
    tokio::fs::read_to_string(path).await.map_or(0, |text| text.matches("#EXTINF:").count())
}

/// Follows a job to its end: gives back what it opened, and kills it when nobody asks for it any more.
async fn watch(state: Arc<State>, job: Arc<Job>, mut own_stream: Option<String>) {
    let timer = state.settings.delays.kill_timer;
    loop {
        if own_stream.is_some() && job.process.exit().is_some() {
            let id = own_stream.take().unwrap_or_default();
            live::close(&state, &id).await;
        }
        if job.killed.load(Ordering::Acquire) && own_stream.is_none() {
            return;
        }
        let now = Instant::now();
        if state.sessions.plays(&job.play_session) {
            job.ping(timer);
        }
        let deadline = *lock(&job.deadline);
        if deadline.is_some_and(|deadline| deadline <= now) && !job.killed.load(Ordering::Acquire) {
            die_of_silence(&state, &job).await;
        }
        let next = now + timer.min(Duration::from_millis(200));
        sleep_until(deadline.filter(|deadline| *deadline > now).map_or(next, |deadline| deadline.min(next)))
            .await;
    }
}

async fn die_of_silence(state: &Arc<State>, job: &Arc<Job>) {
    kill(state, job).await;
    let Some(id) = &job.live_stream else { return };
    if state.sessions.gives_back(state.settings.version, id, &job.play_session) {
        live::close(state, id).await;
    }
}

/// Kills the jobs of a play session; live streams are left alone.
pub(super) async fn kill_session(state: &Arc<State>, play_session: &str) {
    for job in state.jobs.of_session(play_session) {
        kill(state, &job).await;
    }
}

/// Ends a job orderly; its files stay a little while.
async fn kill(state: &Arc<State>, job: &Arc<Job>) {
    lock(&state.jobs.running).remove(&job.playlist_id);
    job.killed.store(true, Ordering::Release);
    job.process.quit(PATIENCE).await;
    let (folder, playlist_id) = (state.folder.clone(), job.playlist_id.clone());
    let linger = state.settings.delays.linger;
    state.spawn(async move {
        sleep(linger).await;
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().contains(&playlist_id) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    });
}
