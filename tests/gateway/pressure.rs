//! Real encoders run for nobody on a machine whose CPU is short, and a stream that is watched falls behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::produce::{Produce, ProductionMethod};
use domain::reason::{Failure, StopReason};
use jellyfin_alike::viewer::Playback;

use warmgate::config::ThriftChoice;

use crate::support::stage::{Stage, is_hit, poll, tune, tune_with, warm};
use crate::support::wait::{eventually, soon};

const NEVER: Duration = Duration::from_secs(3600);
/// Subtitles that are burnt in are left to the server.
const AT_THE_SERVER: &str =
    "&SubtitleStreamIndex=2&SubtitleMethod=Encode&AllowVideoStreamCopy=false&MaxHeight=90";
const HERE: &str = "&MaxHeight=90";

/// Threads that take all CPU time that nobody else wants, until the value is dropped.
struct Busy(Arc<AtomicBool>);

impl Busy {
    fn begin() -> Self {
        let busy = Arc::new(AtomicBool::new(true));
        for _ in 0..std::thread::available_parallelism().unwrap().get() {
            let busy = Arc::clone(&busy);
            std::thread::spawn(move || {
                // In Linux the niceness is the thread's own.
                rustix::process::nice(19).unwrap();
                while busy.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        Self(busy)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Watches a channel, and leaves it encoding for nobody.
async fn leaves(stage: &Stage, channel: usize, more: &str) {
    let viewer = stage.viewer(0, "tv");
    let (playback, _) = tune_with(&viewer, &stage.channel(channel), more).await;
    soon(viewer.report(&playback, "Playing")).await.unwrap();
    soon(viewer.leave(&playback)).await.unwrap();
    stage.deserted().await;
}

/// Two of the server's jobs and two encoders of ours are left, and a fifth channel is zapped to, which is warm. Its source is late
/// from some time on, so whether it falls behind does not hang on this machine.
#[tokio::test(flavor = "multi_thread")]
async fn encodings_for_nobody_go_when_a_watched_stream_falls_behind() {
    let stage = Stage::with(
        |settings| {
            settings.tuners = 6;
            settings.delays.input_end = NEVER;
            settings.delays.kill_timer = NEVER;
        },
        |config| {
            config.produce.default = Produce::Auto;
            config.pool.slots = 8;
            config.pool.thrift = ThriftChoice::Lru;
            config.pool.idle_timeout = NEVER;
            config.warm.encode = NEVER;
            config.feed.stall = NEVER;
        },
    )
    .await;
    warm(&stage, 1).await;
    for (channel, more) in [(2, AT_THE_SERVER), (3, HERE), (4, AT_THE_SERVER), (5, HERE)] {
        leaves(&stage, channel, more).await;
    }
    let methods =
        |stage: &Stage| stage.snapshot().streams.into_iter().map(|stream| stream.method).collect::<Vec<_>>();
    let (own, adopted) = (ProductionMethod::Own, ProductionMethod::Adopted);
    assert_eq!(methods(&stage), [own, adopted, own, adopted, own]);
    assert_eq!((stage.encoders().len(), stage.origin().counts().jobs), (2, 2));
    let viewer = stage.viewer(1, "phone");
    let (playback, zapped) = tune(&viewer, &stage.channel(1)).await;
    assert!(is_hit(&zapped), "{}", zapped.field("cache-status"));

    let busy = Busy::begin();
    stage.origin().stall(1);
    let gone = |stage: &Stage| {
        let tally = stage.snapshot().tally;
        let of =
            |counts: &std::collections::BTreeMap<StopReason, u64>| counts.get(&StopReason::Pressure).copied();
        (of(&tally.stopped), of(&tally.rested))
    };
    eventually("all that encodes for nobody has gone", async || {
        goes_on(&stage, &playback).await;
        gone(&stage) == (Some(2), Some(2))
    })
    .await;
    drop(busy);
    eventually("nothing encodes", async || stage.encoders().is_empty() && stage.origin().counts().jobs == 0)
        .await;
    let stopped = goes_on(&stage, &playback).await;
    stage.origin().recover(1);
    eventually("the watched stream goes on", async || goes_on(&stage, &playback).await != stopped).await;
    let tally = stage.snapshot().tally;
    assert_eq!((tally.stopped.len(), tally.rested.len()), (1, 1), "nothing went for another reason");
    assert_eq!(tally.failures.get(&Failure::Unsuitable), Some(&2), "what is left to the server");
}

/// The newest segment of a list, which the viewer gets in any case.
async fn goes_on(stage: &Stage, playback: &Playback) -> Option<String> {
    let answer = poll(&stage.viewer(1, "phone"), playback).await;
    assert!(is_hit(&answer), "{}", answer.field("cache-status"));
    answer.segments().pop()
}
