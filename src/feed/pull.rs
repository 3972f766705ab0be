//! The task that pulls a feed: it opens an input, takes its bytes, and opens it again, or another, when it ends.
//!
//! [`Feeding`] decides which input comes next and when; this task has the clock and performs it.

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

/// The bytes without a packet after which an input is not a transport stream.
const GARBAGE: usize = 1 << 20;

/// Growth is told in steps of so many bytes: a quarter of a second of a good picture.
const GROWTH: u64 = 256 << 10;

#[derive(Debug)]
pub(super) struct Puller {
    inputs: Vec<Arc<dyn Input>>,
    limits: Limits,
    feeding: Feeding,
    inflow: Inflow,
    epoch: Instant,
    grown: watch::Sender<()>,
    growth: watch::Sender<u64>,
    state: watch::Sender<FeedState>,
    facts: watch::Sender<Option<Facts>>,
}

/// The watch channels of a feed. They close when the pull ends.
pub(super) struct Watched {
    pub(super) grown: watch::Receiver<()>,
    pub(super) growth: watch::Receiver<u64>,
    pub(super) state: watch::Receiver<FeedState>,
    pub(super) facts: watch::Receiver<Option<Facts>>,
}

impl Puller {
    pub(super) fn new(limits: Limits, shared: Arc<Shared>) -> (Self, Watched) {
        // With an input, since it may yet get one.
        let feeding = Feeding::new(1, limits.attempts);
        let (grown, grown_watch) = watch::channel(());
        let (growth, growth_watch) = watch::channel(0);
        let (state, state_watch) = watch::channel(feeding.state());
        let (facts, facts_watch) = watch::channel(None);
        let inflow = Inflow::new(shared);
        let epoch = Instant::now();
        let inputs = Vec::new();
        let puller = Self { inputs, limits, feeding, inflow, epoch, grown, growth, state, facts };
        (puller, Watched { grown: grown_watch, growth: growth_watch, state: state_watch, facts: facts_watch })
    }

    /// Pulls until no input is worth a try, or it is to `stop`.
    pub(super) async fn run(mut self, inputs: Vec<Arc<dyn Input>>, stop: CancellationToken) {
        self.feeding = Feeding::new(inputs.len(), self.limits.attempts);
        self.inputs = inputs;
        self.tell();
        if stop.run_until_cancelled(self.pull()).await.is_none() {
            self.end();
        }
    }

    /// Ends a feed that is not to be pulled any more.
    pub(super) fn end(mut self) {
        self.feeding.end();
        self.tell();
    }

    /// Pulls until no input is worth another attempt.
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

    /// Opens `input` and takes its bytes until it fails.
    async fn attempt(&mut self, input: &dyn Input) -> Failure {
        let error = match timeout(self.limits.connect, input.open()).await {
            Ok(Ok(body)) => {
                info!(input = input.name(), "connected");
                self.take(body).await
            }
            Ok(Err(error)) => error,
            Err(late) => InputError::new(Failure::Unreachable, late),
        };
        warn!(input = input.name(), reason = error.failure.as_str(), cause = %error.cause, "the input ended");
        error.failure
    }

    async fn take(&mut self, mut body: Body) -> InputError {
        self.inflow.connected();
        let mut flowed_at = Instant::now();
        let mut came = 0;
        let mut pace = Throttle::new(self.limits.ring);
        loop {
            // A body that is always ready must not starve other tasks.
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
                let steps = self.inflow.pulled() / GROWTH;
                self.growth.send_if_modified(|told| std::mem::replace(told, steps) != steps);
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

    /// Publishes state and facts if they have changed. Inputs are dropped before the end is published.
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

/// Recognises the usual things that are not a transport stream by their first bytes.
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
