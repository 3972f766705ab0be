//! The puller on a clock of its own, with inputs that do as they are told.

use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::body::{self, BoxError};
use crate::feed::input::{InputError, OpenFuture};
use crate::feed::reader::ReaderEnd;
use domain::reason::Failure;

/// What an input does at one opening, one after the other.
#[derive(Clone, Copy, Debug)]
enum Act {
    Refuse(Failure),
    /// No answer.
    Hang,
    /// So many packets, one every 100 ms; then the next act.
    Packets(usize),
    /// Bytes that are no packets.
    Noise(usize),
    Break,
    Silence,
}

/// Plays one script at each opening, the last one for ever.
#[derive(Debug)]
struct Scripted {
    scripts: &'static [&'static [Act]],
    opened: Mutex<Vec<Instant>>,
}

impl Scripted {
    fn new(scripts: &'static [&'static [Act]]) -> Arc<Self> {
        Arc::new(Self { scripts, opened: Mutex::default() })
    }

    /// When it was opened, in milliseconds since `start`.
    fn opened(&self, start: Instant) -> Vec<u128> {
        self.opened.lock().unwrap().iter().map(|at| (*at - start).as_millis()).collect()
    }
}

impl Input for Scripted {
    fn open(&self) -> OpenFuture<'_> {
        Box::pin(async {
            let nth = {
                let mut opened = self.opened.lock().unwrap();
                opened.push(Instant::now());
                opened.len() - 1
            };
            let script = self.scripts[nth.min(self.scripts.len() - 1)];
            match script.first() {
                Some(Act::Refuse(failure)) => Err(InputError::new(*failure, "as told")),
                Some(Act::Hang) => std::future::pending().await,
                Some(Act::Packets(_) | Act::Noise(_) | Act::Break | Act::Silence) | None => {
                    Ok(played(script))
                }
            }
        })
    }

    fn name(&self) -> &str {
        "scripted"
    }
}

fn played(script: &'static [Act]) -> body::Body {
    let frames = script.iter().flat_map(|act| match act {
        Act::Packets(packets) => vec![*act; *packets],
        Act::Refuse(_) | Act::Hang | Act::Noise(_) | Act::Break | Act::Silence => vec![*act],
    });
    let frames = futures_util::stream::unfold((frames, 0_u8), async |(mut frames, counter)| {
        let frame = match frames.next()? {
            Act::Packets(_) => {
                sleep(Duration::from_millis(100)).await;
                Ok(Frame::data(Bytes::from(packet(counter).to_vec())))
            }
            Act::Noise(bytes) => Ok(Frame::data(vec![0; bytes].into())),
            Act::Break => Err(BoxError::from("as told")),
            Act::Refuse(_) | Act::Hang | Act::Silence => std::future::pending().await,
        };
        Some((frame, (frames, (counter + 1) % 16)))
    });
    body::boxed(StreamBody::new(Box::pin(frames)))
}

/// A packet of a program that nobody knows.
fn packet(counter: u8) -> [u8; 188] {
    let mut packet = [0xff; 188];
    packet[..4].copy_from_slice(&[0x47, 0x01, 0x00, 0x10 | counter]);
    packet
}

const LIMITS: Limits = Limits {
    ring: Duration::from_secs(12),
    memory: 1 << 20,
    stall: Duration::from_secs(10),
    attempts: 2,
    connect: Duration::from_secs(5),
};

fn begin(inputs: &[&Arc<Scripted>]) -> (Feed, Instant) {
    let inputs = inputs.iter().map(|input| Arc::clone(input) as Arc<dyn Input>).collect();
    (Feed::start(inputs, LIMITS, &TaskTracker::new()), Instant::now())
}

/// Waits until it is over.
async fn end(feed: &Feed) -> FeedState {
    *feed.state().wait_for(FeedState::is_over).await.unwrap()
}

/// How a reader ends that reads what there still is.
async fn drained(reader: &mut Reader) -> ReaderEnd {
    let reading = async {
        loop {
            if let Err(end) = reader.next().await {
                return end;
            }
        }
    };
    timeout(Duration::from_millis(1), reading).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn each_failure_is_told_apart() {
    use Act::{Break, Hang, Noise, Packets, Refuse, Silence};
    for (script, failure, after) in [
        (&[&[Refuse(Failure::Refused)][..]] as &[&[Act]], Failure::Refused, 500),
        (&[&[Refuse(Failure::Gone)]], Failure::Gone, 0),
        (&[&[Hang]], Failure::Unreachable, 10_500),
        (&[&[Silence]], Failure::Stalled, 20_500),
        (&[&[]], Failure::Ended, 500),
        (&[&[Packets(10)]], Failure::Ended, 2500),
        (&[&[Packets(10), Break]], Failure::Unreachable, 2500),
        (&[&[Packets(10), Noise(2 << 20), Silence]], Failure::Stalled, 2500 + 2 * 9900),
        (&[&[Noise(1000)]], Failure::Unreadable, 500),
        (&[&[Noise(1 << 19), Noise(1 << 19), Silence]], Failure::Unreadable, 500),
    ] {
        let input = Scripted::new(Vec::leak(script.to_vec()));
        let (feed, start) = begin(&[&input]);
        assert_eq!(end(&feed).await, FeedState::Failed(failure), "{script:?}");
        let took = start.elapsed().as_millis();
        assert!(took.abs_diff(after) < 250, "{script:?} took {took} ms");
        assert_eq!(drained(&mut feed.read(Join::Oldest)).await, ReaderEnd::Failed(failure));
        assert_eq!(feed.facts().await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stall_and_two_refusals_lead_round_to_the_input_that_flows() {
    let first = Scripted::new(&[&[Act::Packets(1000), Act::Silence], &[Act::Packets(1000), Act::Silence]]);
    let second = Scripted::new(&[&[Act::Refuse(Failure::Refused)]]);
    let (feed, start) = begin(&[&first, &second]);
    sleep(Duration::from_secs(150)).await;
    assert_eq!(*feed.state().borrow(), FeedState::Flowing { input: 0 });
    // 100 s of packets, 10 s of silence, two refusals half a second apart, half a second before the first again.
    assert_eq!(second.opened(start), [110_000, 110_500]);
    assert_eq!(first.opened(start), [0, 111_000]);
    assert_eq!((feed.counts().connections, feed.counts().splices), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_it_is_stopped_and_when_nobody_has_it() {
    for stop in [Feed::stop, |feed: &Feed| drop(std::mem::replace(&mut feed.clone(), feed.clone()))] {
        let input = Scripted::new(&[&[Act::Packets(1000)]]);
        let tasks = TaskTracker::new();
        let feed = Feed::start(vec![input], LIMITS, &tasks);
        let mut reader = feed.read(Join::Oldest);
        sleep(Duration::from_secs(6)).await;
        assert_eq!(reader.next().await.unwrap().bytes.len() % 188, 0);
        stop(&feed);
        drop(feed);
        assert_eq!(drained(&mut reader).await, ReaderEnd::Stopped);
        tasks.close();
        tasks.wait().await;
    }
}

/// A read that is given up takes nothing with it.
#[tokio::test(start_paused = true)]
async fn reading_is_cancel_safe() {
    let input = Scripted::new(&[&[Act::Packets(600)]]);
    let (feed, _) = begin(&[&input]);
    let mut reader = feed.read(Join::Oldest);
    let mut counters = Vec::new();
    while counters.len() < 500 {
        if let Ok(chunk) = timeout(Duration::from_millis(7), reader.next()).await {
            counters.extend(chunk.unwrap().bytes.chunks(188).map(|packet| usize::from(packet[3] & 15)));
        }
    }
    assert!(counters.windows(2).all(|pair| pair[1] == (pair[0] + 1) % 16));
}
