//! The one performer of the pool's actions: waits for the bell or the next deadline, and does what there is to do.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, sleep_until};
use tracing::{Instrument, info, info_span};

use crate::supervisor::feeds::Member;
use crate::supervisor::generation::Run;
use crate::supervisor::shared::Shared;
use domain::key::StreamId;
use domain::pool::{Action, Event};

/// How often it is looked after what inputs hold, if nothing happens in between.
const LOOK: Duration = Duration::from_secs(5);

/// Drives the pool until the gateway has ended.
pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        let inputs = shared.feeds.inputs();
        let growing = !inputs.is_empty();
        let (actions, deadline) = {
            let mut pool = shared.pool();
            pool.handle_event(Event::Inputs(inputs), shared.now());
            pool.handle_timeout(shared.now());
            let actions: Vec<_> = std::iter::from_fn(|| pool.poll_action()).collect();
            (actions, pool.sleep_until())
        };
        for action in actions {
            perform(&shared, action);
        }
        let due = async {
            match deadline {
                Some(deadline) => sleep_until(shared.epoch + deadline.elapsed()).await,
                None => std::future::pending().await,
            }
        };
        // Losing either future loses nothing: the bell keeps one ring, and the deadline is asked for again.
        tokio::select! {
            () = shared.ended.cancelled() => return,
            () = shared.bell.notified() => {}
            () = due => {}
            () = sleep(LOOK), if growing => {}
        }
    }
}

fn perform(shared: &Arc<Shared>, action: Action) {
    match action {
        Action::Start { stream, generation, means } => {
            let Some(running) = shared.stream(stream) else { return };
            let span = info_span!("stream", id = stream.0, generation, means = means.as_str());
            let entered = running.enter();
            let run = Run { shared: Arc::clone(shared), stream: running, id: stream, generation };
            let task = run.produce(means).instrument(span);
            shared.generations.spawn(async move {
                task.await;
                drop(entered);
            });
        }
        Action::Close { input, reason } => {
            info!(input = input.0, reason = reason.as_str(), "closing");
            let shared = Arc::clone(shared);
            shared.generations.clone().spawn(async move { shared.feeds.give_up(input).await });
        }
        Action::GiveBack { opening, reason } => shared.give_back(opening, reason),
        Action::Doubted(opening) => shared.doubted(opening),
        Action::Settled(opening) => shared.settled(opening),
        Action::Rest { stream, generation } => {
            if let Some(running) = shared.stream(stream) {
                info!(stream = stream.0, "resting");
                running.rest();
                let run = Run { shared: Arc::clone(shared), stream: running, id: stream, generation };
                shared.generations.spawn(run.attend());
            }
        }
        Action::Shed(stream) => {
            if let Some(stream) = shared.stream(stream) {
                stream.shed();
            }
        }
        Action::Stop { stream, reason } => {
            info!(stream = stream.0, reason = reason.as_str(), "giving back");
            if let Some(running) = shared.stream(stream) {
                running.stop.cancel();
            }
            let shared = Arc::clone(shared);
            shared.generations.clone().spawn(async move { retire(&shared, stream).await });
        }
    }
}

async fn retire(shared: &Shared, id: StreamId) {
    let Some(stream) = shared.stream(id) else { return };
    stream.deserted().await;
    shared.feeds.leave_all(Member::Stream(id), None).await;
    shared.tell(Event::Retired(id));
    shared.remove(id);
    stream.set_retired();
}
