//! A viewer that zaps by chance: some of its goodbyes are said, some are not, and some of its connections just end.

use std::sync::Arc;
use std::time::Duration;

use domain::simulate::Chance;
use jellyfin_alike::viewer::{Answer, BoxError, Playback, Unplayable, Viewer};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::runs::truth::{Manner, Truth};

/// How long a request may take; only a server that hangs takes longer.
const REQUEST: Duration = Duration::from_secs(60);
/// After a kill, requests may fail for this long.
const RECOVERY: Duration = Duration::from_secs(12);

/// How fast a viewer is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// It stays on a channel from this long …
    pub(crate) shortest: Duration,
    /// … to this long.
    pub(crate) longest: Duration,
    /// Between two playlists.
    pub(crate) poll: Duration,
    /// Between two reports.
    pub(crate) report: Duration,
    /// It falls silent for at most this long.
    pub(crate) silence: Duration,
    /// Whether it asks for segments of 1 s.
    pub(crate) short: bool,
}

/// How it goes on after a stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// It reports Stopped, and then opens another channel.
    Polite,
    /// The same, and closes the live stream besides.
    Thorough,
    /// It opens another channel without a word.
    Wordless,
    /// It opens another channel, and then reports that it has stopped.
    Late,
    /// It falls silent, and comes back to the same channel or opens another one.
    Silent,
    /// Its connections end in the middle of whatever it does.
    Killed,
}

/// What the viewers share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) base: String,
    pub(crate) items: Vec<String>,
    pub(crate) truth: Truth,
    pub(crate) pace: Pace,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Zapper {
    world: Arc<World>,
    user: String,
    token: String,
    device: String,
    chance: Chance,
    viewer: Viewer,
    /// Whether an error that it gets is a fault.
    is_judged: bool,
    /// The stay that it has not said goodbye to.
    current: Option<(usize, Playback)>,
}

impl Zapper {
    pub(crate) fn new(world: &Arc<World>, user: &str, token: &str, seed: u64) -> Self {
        let device = format!("device-{token}");
        let viewer = Viewer::new(&world.base, token, user, &device);
        let (user, token) = (user.to_owned(), token.to_owned());
        Self {
            world: Arc::clone(world),
            user,
            token,
            device,
            chance: Chance::of(seed),
            viewer,
            is_judged: true,
            current: None,
        }
    }

    /// Zaps this often, then leaves.
    pub(crate) async fn zap(&mut self, times: usize) {
        let mut next = Next::Polite;
        for _ in 0..times {
            next = self.step(next).await;
        }
        if let Some((stay, playback)) = self.current.take() {
            self.leave(stay, &playback, next).await;
        }
    }

    /// One zap. `how` is how it left the channel before; returns how it leaves this one.
    async fn step(&mut self, how: Next) -> Next {
        let world = Arc::clone(&self.world);
        let truth = &world.truth;
        let left = self.current.take();
        if let Some((stay, playback)) = &left {
            self.leave(*stay, playback, how).await;
        }
        let left = left.filter(|_| matches!(how, Next::Wordless | Next::Late));
        if how == Next::Silent {
            self.be_silent().await;
        }
        let channel = self.chance.below(self.world.items.len());
        let stay = truth.asks(&self.device, channel);
        let asked_at = truth.now();
        let opened = match self.open(channel).await {
            Some(Ok(playback)) => playback,
            Some(Err(error)) => {
                if error.is::<Unplayable>() {
                    self.fault(error.to_string());
                    truth.left(stay, truth.now(), Manner::Unplayed);
                } else {
                    truth.refused(stay, error.to_string());
                }
                if let Some((before, playback)) = &left {
                    self.leave(*before, playback, Next::Polite).await;
                }
                sleep(self.dwell().min(Duration::from_secs(2))).await;
                return Next::Polite;
            }
            // Killed meanwhile: the server opens it all the same.
            None => {
                truth.left(stay, truth.now() + Duration::from_secs(5), Manner::Told);
                if let Some((before, _)) = &left {
                    truth.left(*before, asked_at, Manner::Silent);
                }
                return Next::Polite;
            }
        };
        truth.opened(stay, &opened.play_session);
        if let Some((before, playback)) = &left {
            match how {
                Next::Late => self.leave(*before, playback, Next::Polite).await,
                // Two players of one device may watch the same channel.
                _ if playback.item == opened.item => truth.left(*before, asked_at, Manner::Silent),
                _ => truth.left(*before, truth.now(), Manner::Told),
            }
        }
        if self.chance.happens(0.06) {
            if let Some((before, _)) = left.filter(|_| how == Next::Wordless) {
                truth.left(before, asked_at, Manner::Silent);
            }
            truth.left(stay, truth.now(), Manner::Unplayed);
            sleep(self.dwell()).await;
            return Next::Polite;
        }
        let (mut next, until) = (self.choose(), self.dwell_until());
        self.watch(&opened, until).await;
        if next == Next::Silent && self.chance.happens(0.4) {
            truth.left(stay, truth.now(), Manner::Silent);
            self.be_silent().await;
            truth.is_back(stay);
            let until = self.dwell_until();
            // Others may have its tuner by now.
            self.is_judged = false;
            self.watch(&opened, until).await;
            self.is_judged = true;
            next = Next::Polite;
        }
        self.current = Some((stay, opened));
        next
    }

    /// Says goodbye, as far as it does.
    async fn leave(&mut self, stay: usize, playback: &Playback, how: Next) {
        let world = Arc::clone(&self.world);
        let truth = &world.truth;
        match how {
            Next::Polite | Next::Thorough => {
                self.said(
                    "goodbye",
                    timeout(REQUEST, self.viewer.leave(playback)).await.map(|left| left.map(drop)),
                );
                if how == Next::Thorough {
                    let path = format!("/LiveStreams/Close?liveStreamId={}", playback.live_stream);
                    let closed = timeout(REQUEST, self.viewer.post(&path, &serde_json::Value::Null)).await;
                    self.checked("Close", closed.ok());
                }
                truth.left(stay, truth.now(), Manner::Told);
            }
            // At the latest; if the next opening comes, it is told.
            Next::Wordless | Next::Late | Next::Silent => truth.left(stay, truth.now(), Manner::Silent),
            Next::Killed => {
                truth.left(stay, truth.now(), Manner::Silent);
                self.viewer = Viewer::new(&world.base, &self.token, &self.user, &self.device);
            }
        }
    }

    /// Opens a channel; `None` if it was killed meanwhile.
    async fn open(&mut self, channel: usize) -> Option<Result<Playback, BoxError>> {
        let world = Arc::clone(&self.world);
        let opening = self.viewer.open(&world.items[channel]);
        let opened = if self.chance.happens(0.05) {
            let killed = Duration::from_secs_f64(self.chance.even());
            timeout(killed, opening).await.ok()
        } else {
            Some(timeout(REQUEST, opening).await.unwrap_or_else(|_| Err("it hangs".into())))
        };
        if opened.is_none() {
            self.viewer = Viewer::new(&world.base, &self.token, &self.user, &self.device);
        }
        let short = |playback: Playback| match world.pace.short {
            true => Playback { playlist: format!("{}&SegmentLength=1", playback.playlist), ..playback },
            false => playback,
        };
        opened.map(|opened| opened.map(short))
    }

    /// Polls, fetches and reports until a moment.
    async fn watch(&self, playback: &Playback, until: Instant) {
        let playing = async {
            let (mut reported, mut last) = (None::<Instant>, String::new());
            loop {
                let at = Instant::now();
                let answer = self.checked("playlist", Some(self.viewer.poll(playback).await));
                for uri in answer.iter().flat_map(Answer::segments) {
                    if uri.len() > last.len() || (uri.len() == last.len() && uri > last) {
                        self.checked("segment", Some(self.viewer.segment(playback, &uri).await));
                        last = uri;
                    }
                }
                if reported.is_none_or(|at| at.elapsed() >= self.world.pace.report) {
                    let moment = if reported.is_none() { "Playing" } else { "Playing/Progress" };
                    self.checked(moment, Some(self.viewer.report(playback, moment).await));
                    reported = Some(at);
                }
                sleep_until(at + self.world.pace.poll).await;
            }
        };
        let () = tokio::select! {
            () = playing => {}
            () = sleep_until(until) => {}
        };
    }

    /// The answer, which has to be none of an error.
    fn checked(&self, what: &str, answer: Option<Result<Answer, BoxError>>) -> Option<Answer> {
        match answer {
            Some(Ok(answer)) if answer.status.as_u16() < 400 => {
                if what == "playlist" {
                    self.world.truth.playlist();
                }
                return Some(answer);
            }
            Some(Ok(answer)) => {
                let said = answer.text().chars().take(80).collect::<String>();
                let cache = answer.field("cache-status").to_owned();
                self.fault(format!("{what} {} after {:?}: {cache} {said}", answer.status, answer.took));
            }
            Some(Err(error)) => self.fault(format!("{what}: {error}")),
            None => self.fault(format!("{what} hangs")),
        }
        None
    }

    fn said<E>(&self, what: &str, done: Result<Result<(), BoxError>, E>) {
        match done {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.fault(format!("{what}: {error}")),
            Err(_) => self.fault(format!("{what} hangs")),
        }
    }

    fn fault(&self, what: String) {
        if self.is_judged && !self.world.truth.is_disturbed(RECOVERY) {
            self.world.truth.fault(format!("{}: {what}", self.device));
        }
    }

    async fn be_silent(&mut self) {
        sleep(self.world.pace.silence.mul_f64(self.chance.even())).await;
    }

    fn dwell(&mut self) -> Duration {
        let Pace { shortest, longest, .. } = self.world.pace;
        shortest + (longest - shortest).mul_f64(self.chance.even())
    }

    fn dwell_until(&mut self) -> Instant {
        Instant::now() + self.dwell()
    }

    fn choose(&mut self) -> Next {
        let shares = [
            (Next::Polite, 0.30),
            (Next::Thorough, 0.05),
            (Next::Wordless, 0.25),
            (Next::Late, 0.10),
            (Next::Silent, 0.15),
            (Next::Killed, 0.15),
        ];
        let mut drawn = self.chance.even();
        for (next, share) in shares {
            if drawn < share {
                return next;
            }
            drawn -= share;
        }
        Next::Polite
    }
}
