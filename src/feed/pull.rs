//! The one task that pulls a feed: opens an input, takes what comes, and tries again or elsewhere when that ends.
//!
//! What comes next it is told by [`Feeding`]; it has the clock and the hands.

use std::sync::Arc;

use http_body_util::BodyExt;
use tokio::sync::watch;
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::body::Body;
use crate::feed::inflow::Inflow;
use crate::feed::input::{Input, InputError};
use crate::feed::limits::Limits;
use crate::feed::shared::Shared;
use domain::feeding::{FeedState, Feeding};
use domain::mpegts::facts::Facts;
use domain::reason::Failure;
use domain::throttle::Throttle;
use domain::time::Timestamp;

/// An input that has given no packet in so many bytes gives something else.
const GARBAGE: usize = 1 << 20;

pub(super) struct Puller {
    inputs: Vec<Arc<dyn Input>>,
    limits: Limits,
    feeding: Feeding,
    inflow: Inflow,
    epoch: Instant,
    grown: watch::Sender<()>,
    state: watch::Sender<FeedState>,
    facts: watch::Sender<Option<Facts>>,
}

/// What others may watch. All of it is closed once nobody pulls any more.
pub(super) struct Watched {
    pub(super) grown: watch::Receiver<()>,
    pub(super) state: watch::Receiver<FeedState>,
    pub(super) facts: watch::Receiver<Option<Facts>>,
}

impl Puller {
    pub(super) fn new(inputs: Vec<Arc<dyn Input>>, limits: Limits, shared: Arc<Shared>) -> (Self, Watched) {
        let feeding = Feeding::new(inputs.len(), limits.attempts);
        let (grown, grown_watch) = watch::channel(());
        let (state, state_watch) = watch::channel(feeding.state());
        let (facts, facts_watch) = watch::channel(None);
        let inflow = Inflow::new(shared);
        let epoch = Instant::now();
        let puller = Self { inputs, limits, feeding, inflow, epoch, grown, state, facts };
        (puller, Watched { grown: grown_watch, state: state_watch, facts: facts_watch })
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        if stop.run_until_cancelled(self.pull()).await.is_none() {
            self.feeding.end();
            self.tell();
        }
    }

    /// Returns when no input is worth a try.
    async fn pull(&mut self) {
        loop {
            match self.feeding.state() {
                FeedState::Connecting { input } | FeedState::Flowing { input } => {
                    let input = Arc::clone(&self.inputs[input]);
                    let failure = self.attempt(&*input).await;
                    self.feeding.failed(failure, self.now());
                }
                FeedState::BackingOff { retry_at, .. } => {
                    sleep_until(self.epoch + retry_at.elapsed()).await;
                    self.feeding.retry();
                }
                FeedState::Failed(_) | FeedState::Ended => return,
            }
            self.tell();
        }
    }

    /// Takes what `input` gives for as long as it gives anything.
    async fn attempt(&mut self, input: &dyn Input) -> Failure {
        let error = match timeout(self.limits.connect, input.open()).await {
            Ok(Ok(body)) => {
                info!(input = input.name(), "connected");
                self.take(body).await
            }
            Ok(Err(error)) => error,
            Err(late) => InputError::new(Failure::Unreachable, late),
        };
        warn!(input = input.name(), reason = error.failure.as_str(), cause = %error.cause, "no more");
        error.failure
    }

    async fn take(&mut self, mut body: Body) -> InputError {
        self.inflow.connected();
        let mut flowed_at = Instant::now();
        let mut came = 0;
        let mut pace = Throttle::new(self.limits.ring);
        loop {
            // A body that is always ready must not keep everybody else from running.
            consume_budget().await;
            let data = match timeout_at(flowed_at + self.limits.stall, body.frame()).await {
                Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
                Ok(Some(Err(broken))) => return InputError::new(Failure::Unreachable, broken),
                Ok(None) if came > 0 && !self.flows() => return unreadable("it ended without a packet"),
                Ok(None) => return InputError::new(Failure::Ended, "it ended"),
                Err(_) => return InputError::new(Failure::Stalled, "no packet came for too long"),
            };
            if came == 0
                && let Some(what) = recognise(&data)
            {
                return unreadable(what);
            }
            came += data.len();
            if self.inflow.take(&data, self.now()) {
                flowed_at = Instant::now();
                self.feeding.flows(self.now());
                self.tell();
                self.grown.send_replace(());
                let wait = pace.wait(self.inflow.position(), self.now());
                if !wait.is_zero() {
                    sleep(wait).await;
                    flowed_at = Instant::now();
                }
            } else if came >= GARBAGE && !self.flows() {
                return unreadable("this is no transport stream");
            }
        }
    }

    fn flows(&self) -> bool {
        matches!(self.feeding.state(), FeedState::Flowing { .. })
    }

    fn now(&self) -> Timestamp {
        Timestamp::after_start(self.epoch.elapsed())
    }

    /// Lets everybody know where things stand, if that is news. What its inputs hold is given back before the end is told.
    fn tell(&mut self) {
        let state = self.feeding.state();
        if state.is_over() {
            self.inputs.clear();
        }
        self.state.send_if_modified(|told| std::mem::replace(told, state) != state);
        if let Some(facts) = self.inflow.facts() {
            self.facts.send_if_modified(|told| {
                let news = told.as_ref() != Some(facts);
                if news {
                    *told = Some(facts.clone());
                }
                news
            });
        }
    }
}

fn unreadable(what: &'static str) -> InputError {
    InputError::new(Failure::Unreadable, what)
}

/// What `beginning` obviously is, if it is not a transport stream.
fn recognise(beginning: &[u8]) -> Option<&'static str> {
    let begins = |with: &str| {
        beginning.get(..with.len()).is_some_and(|bytes| bytes.eq_ignore_ascii_case(with.as_bytes()))
    };
    if begins("#EXTM3U") {
        Some("this is a playlist")
    } else if ["<!doctype", "<html", "<?xml"].into_iter().any(begins) {
        Some("this is a web page")
    } else {
        None
    }
}
