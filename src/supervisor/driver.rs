//! The one performer of the pool's actions: waits for the bell or the next deadline, and does what there is to do.

use std::sync::Arc;

use tokio::time::sleep_until;
use tracing::{Instrument, debug, info, info_span};

use crate::domain::pool::{Action, Event, StreamId};
use crate::supervisor::adopt::Generation;
use crate::supervisor::caller::Caller;
use crate::supervisor::{Shared, random};
use crate::upstream::follow::Fetched;

/// Drives the pool until the gateway has ended.
pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        let (actions, deadline) = {
            let mut pool = shared.pool();
            pool.handle_timeout(shared.now());
            let actions: Vec<_> = std::iter::from_fn(|| pool.poll_action()).collect();
            (actions, pool.next_deadline())
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
        }
    }
}

fn perform(shared: &Arc<Shared>, action: Action) {
    match action {
        Action::Start { stream, generation } => {
            let span = info_span!("stream", id = stream.0, generation);
            let task = produce(Arc::clone(shared), stream, generation).instrument(span);
            shared.generations.spawn(task);
        }
        Action::Stop { stream, reason } => {
            info!(stream = stream.0, reason = reason.as_str(), "giving back");
            if let Some(running) = shared.stream(stream) {
                running.stop.cancel();
            }
            let shared = Arc::clone(shared);
            // One task for a generation that runs and one for the stop: the stream is retired when both have ended.
            shared.generations.clone().spawn(async move { retire(&shared, stream).await });
        }
    }
}

async fn produce(shared: Arc<Shared>, id: StreamId, generation: u32) {
    let Some(stream) = shared.stream(id) else { return };
    let at_work = stream.work().await;
    if stream.stop.is_cancelled() {
        return;
    }
    info!(item = %stream.recipe.place.item, "starting");
    stream.starting();
    let caller = Caller {
        jellyfin: shared.jellyfin.clone(),
        stream: Arc::clone(&stream),
        own: shared.own.clone(),
        ledger: Arc::clone(&shared.ledger),
    };
    let mut work = Generation::begin(caller, format!("{:032x}", random()), &shared.generations);
    let mut anew = true;
    let deliver = |Fetched { duration, gap, media }| {
        let written = media.body.len() as u64;
        let (target, held) = stream.append(duration, anew || gap, media, shared.now());
        anew = false;
        debug!(seconds = duration.as_secs_f64(), bytes = written, "segment");
        shared.tell(Event::SegmentReady { stream: id, generation, target, written, held });
        shared.bell.notify_one();
    };
    let failure = work.run(generation == 1, deliver).await;
    if let Some(failure) = failure {
        info!(reason = failure.as_str(), "failed");
        shared.tell(Event::Failed { stream: id, generation, failure });
        stream.failed();
        shared.bell.notify_one();
        // The next generation need not wait for a server that may be down: what this one opened names itself.
        drop(at_work);
        work.retire().await;
    } else {
        work.retire().await;
        drop(at_work);
    }
}

async fn retire(shared: &Shared, id: StreamId) {
    let Some(stream) = shared.stream(id) else { return };
    let _nobody_at_work = stream.work().await;
    shared.tell(Event::Retired(id));
    shared.remove(id);
    stream.set_retired();
}
