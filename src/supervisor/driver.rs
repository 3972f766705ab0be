//! Drives the pool: waits for a wake-up call or the next deadline, then performs the pool's actions, as no other module does.
//!
//! A driver that has panicked can be run again: but for the action that it panicked in, nothing is lost.

use std::sync::Arc;

use tokio::time::sleep_until;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tracing::info;

use crate::background::noted;
use crate::cpu;
use crate::supervisor::generation::Generations;
use crate::supervisor::handle::Handle;
use crate::supervisor::held::client_openings::ClientOpenings;
use crate::supervisor::inputs::Inputs;
use crate::supervisor::remembering::Remembering;
use crate::supervisor::streams::Streams;
use crate::supervisor::warm_ups::WarmUps;
use domain::key::StreamId;
use domain::pool::foresight::Remembered;
use domain::pool::{Action, Event};
use domain::producer::State;
use domain::reason::{Failure, StopReason};
use domain::time::Timestamp;

/// The name of its task.
pub(super) const NAME: &str = "driver";

/// The parts of the supervisor that actions are performed with.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) handle: Handle,
    pub(super) streams: Arc<Streams>,
    pub(super) inputs: Inputs,
    pub(super) generations: Generations,
    pub(super) openings: Arc<ClientOpenings>,
    pub(super) warm_ups: WarmUps,
    pub(super) remembering: Remembering,
    pub(super) tasks: TaskTracker,
}

/// How a turn ends, once there is no action left.
struct TurnEnd {
    states: Vec<(StreamId, State)>,
    remembered: Vec<Remembered>,
    deadline: Option<Timestamp>,
}

impl Driver {
    /// Drives the pool for ever.
    pub(super) async fn run(self: Arc<Self>) {
        loop {
            self.handle.pool().handle_timeout(self.handle.now());
            let TurnEnd { states, remembered, deadline } = loop {
                match self.next_action() {
                    Ok(action) => self.perform(action),
                    Err(done) => break done,
                }
            };
            self.streams.publish(states);
            self.remembering.remember(remembered);
            self.handle.turned();
            let due = async {
                match deadline {
                    Some(deadline) => sleep_until(self.handle.instant(deadline)).await,
                    None => std::future::pending().await,
                }
            };
            // Dropping either future loses nothing: a wake-up call is kept, and the deadline is computed again.
            tokio::select! {
                () = self.handle.woken() => {}
                () = due => {}
            }
        }
    }

    fn next_action(&self) -> Result<Action, TurnEnd> {
        let mut pool = self.handle.pool();
        pool.poll_action().ok_or_else(|| TurnEnd {
            states: pool.changed_states(),
            remembered: pool.take_remembered(),
            deadline: pool.sleep_until(),
        })
    }

    /// Drives on after its own death, which it may die again and again: each wake-up call is a new life.
    pub(super) async fn drive_on(self: Arc<Self>) {
        loop {
            let _ = AbortOnDropHandle::new(tokio::spawn(Arc::clone(&self).run())).await;
            self.handle.woken().await;
        }
    }

    fn perform(&self, action: Action) {
        match action {
            Action::Start { stream, generation, method } => {
                match self.streams.get(stream) {
                    Some(running) => self.generations.start(running, stream, generation, method),
                    // The request that begins it has panicked.
                    None => {
                        self.handle.tell(Event::Failed { stream, generation, failure: Failure::Panicked })
                    }
                }
            }
            Action::Rest { stream, reason } => {
                if let Some(running) = self.streams.get(stream) {
                    let item = &running.access.place.item;
                    info!(stream = stream.0, %item, reason = reason.as_str(), "the stream rests: nobody watches");
                    running.rest();
                }
            }
            Action::Stop { stream, reason } => {
                self.stop(stream, reason);
            }
            Action::Forget(stream) => self.streams.remove(stream),
            Action::TrimWindow(stream) => {
                if let Some(stream) = self.streams.get(stream) {
                    stream.trim();
                }
            }
            Action::WarmUp(item, by) => self.warm_ups.begin(item, by),
            Action::MeasureCpu => {
                let handle = self.handle.clone();
                tokio::spawn(async move {
                    // The pool waits for it, and asks for no other.
                    let idle = noted("a measurement of the CPU", cpu::idle_share()).await;
                    handle.tell(Event::CpuMeasured(idle.flatten()));
                });
            }
            Action::OpenInput { input, replaces } => self.inputs.open(input, replaces),
            Action::CloseInput { input, reason } => {
                info!(input = input.0, reason = reason.as_str(), "closing the input");
                self.inputs.close(input);
            }
            Action::ForgetInput(input) => self.inputs.remove(input),
            Action::GiveBack { opening, reason } => self.openings.give_back(opening, reason),
            Action::LeaveToServer(opening) => self.openings.leave_to_server(opening),
            Action::MarkUncertain(opening) => self.openings.mark_uncertain(opening),
            Action::ForgetOpening(opening) => self.openings.forget(opening),
        }
    }

    /// Ends the generations of a stream, and tells the pool once they have closed everything.
    fn stop(&self, id: StreamId, reason: StopReason) {
        let (stream, handle) = (self.streams.get(id), self.handle.clone());
        let item = stream.as_ref().map(|stream| stream.access.place.item.to_string());
        info!(stream = id.0, item, reason = reason.as_str(), "stopping the stream");
        self.tasks.spawn(async move {
            let _told = handle.tell_at_end(Event::Retired(id));
            if let Some(stream) = stream {
                stream.stop.cancel();
                stream.all_closed().await;
            }
        });
    }
}
