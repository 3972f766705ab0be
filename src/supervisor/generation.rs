//! A generation of a stream, from its start to its end, in one of the two ways: what it makes goes into the window, how it
//! ends is told to the pool, and what it opened is given back.
//!
//! It does not know why it is started or stopped, nor who watches.

use std::convert::Infallible;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tracing::{Instrument, debug, info};

use crate::memory::Mapped;
use crate::supervisor::adopt::Generation;
use crate::supervisor::feeds::{Member, Source};
use crate::supervisor::intake::Intake;
use crate::supervisor::own;
use crate::supervisor::shared::{Shared, random};
use crate::supervisor::stream::Stream;
use crate::upstream::follow::Fetched;
use crate::upstream::jellyfin::Media;
use domain::key::StreamId;
use domain::pool::{Event, Output};
use domain::produce::Means;
use domain::reason::Failure;
use domain::window::Arrival;

/// What an adopted stream costs on the server's disk: the tuner's raw file and the segments cut from it
/// (`jellyfin-observed.md` 2.8).
const WRITTEN_TWICE: u64 = 2;

/// A generation that is to run.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) shared: Arc<Shared>,
    pub(super) stream: Arc<Stream>,
    pub(super) id: StreamId,
    pub(super) generation: u32,
}

/// Where a generation's segments go.
#[derive(Debug)]
pub(super) struct Delivery {
    run: Run,
    /// Whether none has come yet.
    anew: bool,
}

/// What a segment costs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// Bytes on the server's disk, beside those of its input.
    pub(super) written: u64,
    /// Whether it took an encoder of ours.
    pub(super) encoded: bool,
}

impl Run {
    pub(super) async fn produce(self, means: Means) {
        let stream = Arc::clone(&self.stream);
        let at_work = stream.work().await;
        if stream.stop.is_cancelled() {
            return;
        }
        info!(item = %stream.access.place.item, "starting");
        stream.starting();
        let paused = stream.until_paused();
        match means {
            Means::Adopted => self.adopt(at_work).await,
            Means::Own => {
                let work = self.shared.generations.spawn(own::run(self.clone(), paused).in_current_span());
                if let Some(failure) = ended(work).await {
                    self.failed(failure);
                }
            }
        }
    }

    async fn adopt(&self, at_work: tokio::sync::MutexGuard<'_, ()>) {
        let Self { shared, stream, .. } = self;
        let (caller, play_session) = (shared.caller(&stream.access), format!("{:032x}", random()));
        let tasks = &shared.generations;
        let (opened, work) =
            Generation::begin(caller, Arc::clone(stream), play_session, self.freed_tuner(), tasks);
        let work = work.run(stream.take_opening(), self.adopted_segments());
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

    /// The channel's input, opened if need be: the one it has, the provider's if that is to be had, or else what the
    /// server shares.
    pub(super) fn intake(&self) -> Arc<Intake> {
        let Self { shared, stream, id, .. } = self;
        let member = Member::Stream(*id);
        if let Some(intake) = shared.feeds.of(member) {
            return intake;
        }
        let provided = shared.provided(&stream.channel.source, member);
        let (source, intake) = provided.unwrap_or_else(|| self.tapped(member));
        let run = self.clone();
        shared.generations.spawn(async move { run.shared.feeds.leave_all(member, Some(&source)).await });
        intake
    }

    fn tapped(&self, member: Member) -> (Source, Arc<Intake>) {
        let Self { shared, stream, .. } = self;
        let (limits, tasks) = (shared.feed_limits, &shared.generations);
        let source = Source::Tap(stream.channel.clone());
        let Ok(intake) = shared.feeds.join(&source, member, |replaces| {
            let caller = shared.caller(&stream.access);
            Ok::<_, Infallible>(Intake::tap(caller, None, replaces, limits, self.freed_tuner(), tasks))
        });
        (source, intake)
    }

    fn failed(&self, failure: Failure) {
        info!(reason = failure.as_str(), "failed");
        let Self { shared, stream, id, generation } = self;
        shared.tell(Event::Failed { stream: *id, generation: *generation, failure });
        if !shared.pool().is_starting(*id) {
            stream.failed();
        }
        shared.bell.notify_one();
    }

    pub(super) fn delivery(&self) -> Delivery {
        Delivery { run: self.clone(), anew: true }
    }

    fn adopted_segments(&self) -> impl FnMut(Fetched) + Send + 'static {
        let mut delivery = self.delivery();
        move |Fetched { duration, gap, media }| {
            if delivery.anew {
                delivery.run.let_go_of_feed();
            }
            let media = Media { body: Mapped::holding(&media.body).into(), ..media };
            let written = WRITTEN_TWICE * media.body.len() as u64;
            let arrival = Arrival { duration, discontinuity: gap, independent: true };
            delivery.deliver(arrival, media, Cost { written, encoded: false });
        }
    }

    /// An adopted stream has no use for the input of one of our own that did not come about.
    fn let_go_of_feed(&self) {
        let run = self.clone();
        self.shared.generations.spawn(async move {
            run.shared.feeds.leave_all(Member::Stream(run.id), None).await;
        });
    }

    /// Nothing is made of the input, but it is kept for whoever comes: until it ends, or the stream.
    pub(super) async fn attend(self) {
        let Some(intake) = self.shared.feeds.of(Member::Stream(self.id)) else {
            return self.failed(Failure::Gone);
        };
        tokio::select! {
            () = intake.feed.ended() => self.failed(intake.failure()),
            () = self.stream.stop.cancelled() => {}
        }
    }

    /// Gives back an idle stream's tuner, for a stream that was watched and has lost its own; a first opening is a
    /// client's, and it has been helped already.
    pub(super) fn freed_tuner(&self) -> impl Future<Output = bool> + Send + 'static {
        let run = self.clone();
        async move { run.generation > 1 && run.stream.may_beg() && run.shared.free_tuner().await }
    }
}

impl Delivery {
    /// Puts a segment into the window, and tells the pool.
    pub(super) fn deliver(&mut self, arrival: Arrival, media: Media, cost: Cost) {
        let Run { shared, stream, id, generation } = &self.run;
        let discontinuity = self.anew || arrival.discontinuity;
        debug!(seconds = arrival.duration.as_secs_f64(), bytes = media.body.len(), "segment");
        let appended = stream.append(Arrival { discontinuity, ..arrival }, media, shared.now());
        let Some((target, held)) = appended else { return };
        self.anew = false;
        let Cost { written, encoded } = cost;
        let output = Output { target, written, held, encoded };
        shared.tell(Event::SegmentReady { stream: *id, generation: *generation, output });
        shared.bell.notify_one();
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
