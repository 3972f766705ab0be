//! The one performer of the pool's actions: waits for the bell or the next deadline, and does what there is to do.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio::time::sleep_until;
use tracing::{Instrument, debug, info, info_span};

use crate::domain::pool::{Action, Event, StreamId};
use crate::domain::reason::Failure;
use crate::supervisor::adopt::Generation;
use crate::supervisor::caller::Caller;
use crate::supervisor::stream::Stream;
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
            let Some(running) = shared.stream(stream) else { return };
            let span = info_span!("stream", id = stream.0, generation);
            let entered = running.enter();
            let task = produce(Arc::clone(shared), running, stream, generation).instrument(span);
            shared.generations.spawn(async move {
                task.await;
                drop(entered);
            });
        }
        Action::GiveBack { opening, reason } => shared.give_back(opening, reason),
        Action::Doubted(opening) => shared.doubted(opening),
        Action::Settled(opening) => shared.settled(opening),
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

async fn produce(shared: Arc<Shared>, stream: Arc<Stream>, id: StreamId, generation: u32) {
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
        leftovers: Arc::clone(&shared.leftovers),
    };
    let freed = freed(Arc::clone(&shared), Arc::clone(&stream), generation);
    let play_session = format!("{:032x}", random());
    let (opened, work) = Generation::begin(caller, play_session, freed, &shared.generations);
    let deliver = delivery(Arc::clone(&shared), Arc::clone(&stream), id, generation);
    let failure = ended(shared.generations.spawn(work.run(generation == 1, deliver).in_current_span())).await;
    if let Some(failure) = failure {
        info!(reason = failure.as_str(), "failed");
        shared.tell(Event::Failed { stream: id, generation, failure });
        stream.failed();
        shared.bell.notify_one();
        // The next generation need not wait for a server that may be down: what this one opened names itself.
        drop(at_work);
        opened.retire(Some(failure)).await;
    } else {
        opened.retire(None).await;
        drop(at_work);
    }
}

/// How a generation's work ended.
async fn ended(work: JoinHandle<Option<Failure>>) -> Option<Failure> {
    work.await.unwrap_or(Some(Failure::Panicked))
}

/// Where a generation's segments go.
fn delivery(
    shared: Arc<Shared>,
    stream: Arc<Stream>,
    id: StreamId,
    generation: u32,
) -> impl FnMut(Fetched) + Send + 'static {
    let mut anew = true;
    move |Fetched { duration, gap, media }| {
        let written = media.body.len() as u64;
        let (target, held) = stream.append(duration, anew || gap, media, shared.now());
        anew = false;
        debug!(seconds = duration.as_secs_f64(), bytes = written, "segment");
        shared.tell(Event::SegmentReady { stream: id, generation, target, written, held });
        shared.bell.notify_one();
    }
}

/// Gives back an idle stream's tuner, for a stream that was watched and has lost its own; a first opening is a client's,
/// and it has been helped already.
async fn freed(shared: Arc<Shared>, stream: Arc<Stream>, generation: u32) -> bool {
    generation > 1 && stream.may_beg() && shared.free_tuner().await
}

async fn retire(shared: &Shared, id: StreamId) {
    let Some(stream) = shared.stream(id) else { return };
    stream.deserted().await;
    shared.tell(Event::Retired(id));
    shared.remove(id);
    stream.set_retired();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_failure() {
        let work =
            tokio::spawn(async { if std::hint::black_box(true) { panic!("as a test") } else { None } });
        assert_eq!(ended(work).await, Some(Failure::Panicked));
    }
}
