//! The HLS jobs (`TranscodeManager.cs`): an FFmpeg each, which pings keep alive and silence kills.
//!
//! Requests find a job by the id of its playlist, reports by its play session.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::response::Refusal;

use crate::consumer::Consumer;
use crate::encoding::Encoding;
use crate::ffmpeg::{Ffmpeg, args};
use crate::guid;
use crate::live_stream::LiveStreams;
use crate::lock::lock;
use crate::server::Server;
use crate::sessions::Sessions;

/// How often a waiting request looks at the playlist.
const POLL: Duration = Duration::from_millis(50);
/// How long an FFmpeg may take to quit before it is killed.
const QUIT_TIMEOUT: Duration = Duration::from_secs(5);

/// The jobs of one server.
#[derive(Debug)]
pub(crate) struct Jobs {
    server: Arc<Server>,
    live_streams: Arc<LiveStreams>,
    sessions: Arc<Sessions>,
    /// By playlist id.
    running: Mutex<BTreeMap<String, Arc<Job>>>,
    /// By playlist id: one request at a time may start a job.
    turns: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
    pub(crate) started: AtomicU64,
}

/// The request that starts a job.
#[derive(Debug)]
pub(crate) struct JobRequest {
    pub(crate) input: String,
    pub(crate) user_agent: String,
    pub(crate) device_id: String,
    pub(crate) play_session: String,
    /// The live stream that the request names. Its consumer is given back when the job dies of silence.
    pub(crate) live_stream: Option<String>,
    /// The live stream that the server opened because the request names none. It is given back when FFmpeg ends.
    pub(crate) own_stream: Option<String>,
    pub(crate) encoding: Encoding,
}

impl JobRequest {
    /// The playlist's id, in which no parameter of the encoding counts (`StreamingHelpers.GetOutputFilePath`).
    pub(crate) fn playlist_id(&self) -> String {
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
    ffmpeg: Ffmpeg,
    killed: AtomicBool,
    /// When it dies of silence; `None` while its first request still waits.
    deadline: Mutex<Option<Instant>>,
}

impl Jobs {
    pub(crate) fn new(server: Arc<Server>, live_streams: Arc<LiveStreams>, sessions: Arc<Sessions>) -> Self {
        let (running, turns) = (Mutex::default(), Mutex::default());
        Self { server, live_streams, sessions, running, turns, started: AtomicU64::new(0) }
    }

    /// The playlist that a request asks for: its file, if there is one, even a dead job's; else that of a new job.
    ///
    /// # Errors
    /// [`Refusal::Failed`] if FFmpeg ends before it has written the playlist.
    pub(crate) async fn playlist(self: &Arc<Self>, request: JobRequest) -> Result<String, Refusal> {
        let playlist_id = request.playlist_id();
        let path = self.server.folder.join(format!("{playlist_id}.m3u8"));
        if !path.exists() {
            let turn = self.turn(&playlist_id);
            let _held = turn.lock().await;
            if !path.exists() {
                self.start_and_wait(request, &playlist_id, &path).await?;
            }
        }
        self.ping(&playlist_id);
        tokio::fs::read_to_string(path).await.map_err(|_| Refusal::Missing)
    }

    /// Kills the jobs of a play session, and returns whether it had any. Their live streams stay open.
    pub(crate) async fn kill_session(&self, play_session: &str) -> bool {
        let jobs = self.of_session(play_session);
        for job in &jobs {
            self.kill(job).await;
        }
        !jobs.is_empty()
    }

    /// The number of running FFmpegs.
    pub(crate) fn count(&self) -> usize {
        lock(&self.running).values().filter(|job| job.ffmpeg.exit().is_none()).count()
    }

    /// Restarts the kill timer of the job with this playlist.
    pub(crate) fn ping(&self, playlist_id: &str) {
        if let Some(job) = lock(&self.running).get(playlist_id) {
            job.ping(self.server.settings.delays.kill_timer);
        }
    }

    /// Restarts the kill timers of a play session's jobs.
    pub(crate) fn ping_session(&self, play_session: &str) {
        for job in self.of_session(play_session) {
            job.ping(self.server.settings.delays.kill_timer);
        }
    }

    /// The input of a play session's job.
    pub(crate) fn input_of(&self, play_session: &str) -> Option<String> {
        self.of_session(play_session).first().map(|job| job.input.clone())
    }

    /// Kills all FFmpegs and waits until they are dead, so that none writes into a folder that is being deleted.
    pub(crate) fn kill_all(&self) {
        let jobs = std::mem::take(&mut *lock(&self.running));
        for job in jobs.values() {
            job.ffmpeg.kill();
        }
        for job in jobs.values() {
            for _ in 0..500 {
                if job.ffmpeg.exit().is_some() {
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

    async fn start_and_wait(
        self: &Arc<Self>,
        request: JobRequest,
        playlist_id: &str,
        path: &Path,
    ) -> Result<(), Refusal> {
        let min_segments = request.encoding.min_segments;
        let job = self.start(request, playlist_id)?;
        while !path.exists() {
            if job.ffmpeg.exit().is_some() {
                lock(&self.running).remove(playlist_id);
                return Err(Refusal::Failed);
            }
            sleep(POLL).await;
        }
        // The real server too goes on to wait for a job that has ended too early, until it is killed.
        while !job.killed.load(Ordering::Acquire) && count_segments(path).await < min_segments {
            sleep(POLL).await;
        }
        Ok(())
    }

    fn start(self: &Arc<Self>, request: JobRequest, playlist_id: &str) -> Result<Arc<Job>, Refusal> {
        let analyze = self.server.settings.delays.analyze.as_micros().to_string();
        let mut args = args!["-analyzeduration", analyze, "-fflags", "+igndts+genpts", "-i", &request.input];
        args.extend(request.encoding.args(playlist_id));
        let (ffmpeg, _) = Ffmpeg::start(&args, &self.server.folder, false).map_err(|_| Refusal::Failed)?;
        let job = Arc::new(Job {
            playlist_id: playlist_id.to_owned(),
            input: request.input,
            play_session: request.play_session,
            live_stream: request.live_stream,
            ffmpeg,
            killed: AtomicBool::new(false),
            deadline: Mutex::new(None),
        });
        self.started.fetch_add(1, Ordering::Relaxed);
        lock(&self.running).insert(playlist_id.to_owned(), job.clone());
        self.server.spawn(self.clone().watch(job.clone(), request.own_stream));
        Ok(job)
    }

    /// Watches a job until its end: gives back the live stream that was opened for it, and kills it when it dies of silence.
    async fn watch(self: Arc<Self>, job: Arc<Job>, mut own_stream: Option<String>) {
        let timer = self.server.settings.delays.kill_timer;
        loop {
            if own_stream.is_some() && job.ffmpeg.exit().is_some() {
                let id = own_stream.take().unwrap_or_default();
                self.live_streams.close(&id, &Consumer::of_job(&job.play_session)).await;
            }
            if job.killed.load(Ordering::Acquire) && own_stream.is_none() {
                return;
            }
            let now = Instant::now();
            if self.sessions.plays(&job.play_session) {
                job.ping(timer);
            }
            let deadline = *lock(&job.deadline);
            if deadline.is_some_and(|deadline| deadline <= now) && !job.killed.load(Ordering::Acquire) {
                self.die_of_silence(&job).await;
            }
            let next = now + timer.min(Duration::from_millis(200));
            let due = deadline.filter(|deadline| *deadline > now);
            sleep_until(due.map_or(next, |due| due.min(next))).await;
        }
    }

    async fn die_of_silence(&self, job: &Job) {
        self.kill(job).await;
        let Some(id) = &job.live_stream else { return };
        if self.sessions.gives_back(id, &job.play_session) {
            self.live_streams.close(id, &Consumer::of_job(&job.play_session)).await;
        }
    }

    /// Has a job's FFmpeg quit, and deletes its files after `Delays::linger`.
    async fn kill(&self, job: &Job) {
        lock(&self.running).remove(&job.playlist_id);
        job.killed.store(true, Ordering::Release);
        job.ffmpeg.quit(QUIT_TIMEOUT).await;
        let (folder, playlist_id) = (self.server.folder.clone(), job.playlist_id.clone());
        let linger = self.server.settings.delays.linger;
        self.server.spawn(async move {
            sleep(linger).await;
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.file_name().to_string_lossy().contains(&playlist_id) {
                    let _ = std::fs::remove_file(entry.path());
                }
            }
        });
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

async fn count_segments(playlist: &Path) -> usize {
    tokio::fs::read_to_string(playlist).await.map_or(0, |text| text.matches("#EXTINF:").count())
}
