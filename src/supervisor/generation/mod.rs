//! Runs the generations of streams: delivers their segments, tells the pool of their end, and closes everything they opened.
//!
//! A generation is either made here (`own`) or adopted from the server (`adopted`). The module does not know why one is started
//! or stopped, nor who watches.

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
use domain::pool::{Event, Open};
use domain::produce::ProductionMethod;
use domain::reason::Failure;

/// Starts generations, with the parts of the supervisor that they need.
#[derive(Clone, Debug)]
pub(super) struct Generations {
    pub(super) handle: Handle,
    pub(super) callers: Callers,
    pub(super) inputs: Inputs,
    pub(super) workshop: Arc<Workshop>,
    pub(super) tasks: TaskTracker,
}

/// A generation that is about to run.
struct Generation {
    stream: Arc<Stream>,
    id: StreamId,
    number: u32,
    with: Generations,
}

impl Generations {
    /// Starts a generation. If it ends by itself, the pool is told with [`Event::Failed`].
    pub(super) fn start(&self, stream: Arc<Stream>, id: StreamId, number: u32, method: ProductionMethod) {
        let span = info_span!("stream", id = id.0, generation = number, method = method.as_str());
        let registered = stream.register_generation();
        let generation = Generation { stream, id, number, with: self.clone() };
        let run = self.tasks.spawn(generation.run(method).instrument(span));
        let handle = self.handle.clone();
        self.tasks.spawn(async move {
            if run.await.is_err() {
                handle.tell(Event::Failed { stream: id, generation: number, failure: Failure::Panicked });
            }
            drop(registered);
        });
    }
}

impl Generation {
    async fn run(self, method: ProductionMethod) {
        let stream = Arc::clone(&self.stream);
        let turn = stream.lock_generation().await;
        if stream.stop.is_cancelled() {
            return;
        }
        info!(item = %stream.access.place.item, "starting the generation");
        let paused = stream.new_pause_token();
        match method {
            ProductionMethod::Adopted => self.adopt(turn).await,
            ProductionMethod::Own => self.make(paused).await,
        }
    }

    async fn make(&self, paused: CancellationToken) {
        let Self { stream, id, with: Generations { inputs, workshop, tasks, .. }, .. } = self;
        let failure = match inputs.join(*id, stream, self.tuner_requested()) {
            Ok(input) => {
                let run = own::run(
                    Arc::clone(workshop),
                    Arc::clone(stream),
                    input,
                    self.delivery(ProductionMethod::Own),
                    paused,
                );
                ended(tasks.spawn(run.in_current_span())).await
            }
            Err(failure) => Some(failure),
        };
        if let Some(failure) = failure {
            self.failed(failure);
        }
    }

    async fn adopt(&self, turn: tokio::sync::MutexGuard<'_, ()>) {
        let Self { stream, with: Generations { callers, workshop, tasks, .. }, .. } = self;
        let (handle, id, generation) = (self.with.handle.clone(), self.id, self.number);
        let tell = move |state| handle.tell(Event::OwnOpening(Open::Stream(id), generation, state));
        let (caller, play_session) = (callers.about(&stream.access), format!("{:032x}", random()));
        let (opened, work) =
            AdoptedJob::begin(caller, Arc::clone(stream), play_session, tell, self.tuner_requested(), tasks);
        let delivery =
            self.delivery(ProductionMethod::Adopted).adopted_segments(workshop.server_encodes(stream));
        let work = work.run(stream.take_opening(), delivery);
        let failure = ended(tasks.spawn(work.in_current_span())).await;
        if let Some(failure) = failure {
            self.failed(failure);
            // The next generation need not wait while this one closes its job at a server that may be down: each has a play
            // session of its own.
            drop(turn);
            opened.retire(Some(failure)).await;
        } else {
            opened.retire(None).await;
            drop(turn);
        }
    }

    fn failed(&self, failure: Failure) {
        let item = &self.stream.access.place.item;
        info!(%item, reason = failure.as_str(), "the generation has failed");
        self.stream.interrupt();
        self.with.handle.tell(Event::Failed { stream: self.id, generation: self.number, failure });
    }

    fn delivery(&self, method: ProductionMethod) -> Delivery {
        Delivery::new(self.with.handle.clone(), Arc::clone(&self.stream), (self.id, self.number), method)
    }

    /// Frees the tuner of an idle stream for a stream that has lost its own. The first generation frees none if the client's
    /// opening before it has already done so. A viewer that was silent has none any more.
    fn tuner_requested(&self) -> impl Future<Output = bool> + Send + 'static {
        let (number, stream, handle) = (self.number, Arc::clone(&self.stream), self.with.handle.clone());
        async move {
            let wanted = Some(stream.access.source.clone());
            stream.may_request_tuner(number == 1) && handle.free_tuner(wanted).await
        }
    }
}

/// Waits for the end of a generation's task; a panic is a failure.
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
