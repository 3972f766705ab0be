//! A generation of a stream, from its start to its end, in one of the two ways: its segments go into the window, its end is
//! told to the pool, and everything it opened is given back.
//!
//! It does not know why it is started or stopped, nor who watches.

mod adopted;
mod delivery;
pub mod own;

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, info, info_span};

use crate::supervisor::generation::adopted::AdoptedJob;
use crate::supervisor::generation::delivery::Delivery;
use crate::supervisor::generation::own::workshop::Workshop;
use crate::supervisor::handle::{Handle, random};
use crate::supervisor::held::caller::Callers;
use crate::supervisor::inputs::Inputs;
use crate::supervisor::stream::Stream;
use domain::key::StreamId;
use domain::pool::Event;
use domain::produce::ProductionMethod;
use domain::reason::Failure;

/// Starts generations, with whatever they are made with.
#[derive(Clone, Debug)]
pub(super) struct Generations {
    pub(super) handle: Handle,
    pub(super) callers: Callers,
    pub(super) inputs: Inputs,
    pub(super) workshop: Arc<Workshop>,
    pub(super) tasks: TaskTracker,
}

/// A generation that is to run.
struct Generation {
    stream: Arc<Stream>,
    id: StreamId,
    number: u32,
    with: Generations,
}

impl Generations {
    /// Starts a generation. The pool is told `Failed` if it ends by itself.
    pub(super) fn start(&self, stream: Arc<Stream>, id: StreamId, number: u32, method: ProductionMethod) {
        let span = info_span!("stream", id = id.0, generation = number, method = method.as_str());
        let entered = stream.enter();
        let generation = Generation { stream, id, number, with: self.clone() };
        let run = generation.run(method).instrument(span);
        self.tasks.spawn(async move {
            run.await;
            drop(entered);
        });
    }
}

impl Generation {
    async fn run(self, method: ProductionMethod) {
        let stream = Arc::clone(&self.stream);
        let at_work = stream.work().await;
        if stream.stop.is_cancelled() {
            return;
        }
        info!(item = %stream.access.place.item, "starting");
        let paused = stream.until_paused();
        match method {
            ProductionMethod::Adopted => self.adopt(at_work).await,
            ProductionMethod::Own => self.make(paused).await,
        }
    }

    async fn make(&self, paused: CancellationToken) {
        let Self { stream, id, with: Generations { inputs, workshop, tasks, .. }, .. } = self;
        let failure = match inputs.join(*id, stream, self.tuner_requested()) {
            Ok(input) => {
                let run = own::run(Arc::clone(workshop), Arc::clone(stream), input, self.delivery(), paused);
                ended(tasks.spawn(run.in_current_span())).await
            }
            Err(failure) => Some(failure),
        };
        if let Some(failure) = failure {
            self.failed(failure);
        }
    }

    async fn adopt(&self, at_work: tokio::sync::MutexGuard<'_, ()>) {
        let Self { stream, with: Generations { callers, tasks, .. }, .. } = self;
        let (caller, play_session) = (callers.about(&stream.access), format!("{:032x}", random()));
        let (opened, work) =
            AdoptedJob::begin(caller, Arc::clone(stream), play_session, self.tuner_requested(), tasks);
        let work = work.run(stream.take_opening(), self.delivery().adopted_segments());
        let failure = ended(tasks.spawn(work.in_current_span())).await;
        if let Some(failure) = failure {
            self.failed(failure);
            // The next generation need not wait for a server that may be down: what this one opened names itself.
            drop(at_work);
            opened.retire(Some(failure)).await;
        } else {
            opened.retire(None).await;
            drop(at_work);
        }
    }

    fn failed(&self, failure: Failure) {
        info!(reason = failure.as_str(), "failed");
        self.with.handle.tell(Event::Failed { stream: self.id, generation: self.number, failure });
    }

    fn delivery(&self) -> Delivery {
        Delivery::new(self.with.handle.clone(), Arc::clone(&self.stream), self.id, self.number)
    }

    /// Gives back an idle stream's tuner, for a stream that was watched and has lost its own; a first opening is a
    /// client's, and it has been helped already.
    fn tuner_requested(&self) -> impl Future<Output = bool> + Send + 'static {
        let (number, stream, handle) = (self.number, Arc::clone(&self.stream), self.with.handle.clone());
        async move { number > 1 && stream.may_request_tuner() && handle.free_tuner().await }
    }
}

/// How a generation's work ended.
async fn ended(work: JoinHandle<Option<Failure>>) -> Option<Failure> {
    work.await.unwrap_or(Some(Failure::Panicked))
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
