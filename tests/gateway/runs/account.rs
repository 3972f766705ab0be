//! What was open at the origin while viewers zapped, compared with what the gateway believed and with what is true.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use jellyfin_alike::{Consumer, Holder, Origin};
use tokio::time::sleep;

use crate::runs::truth::{SLACK, Truth};

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(100);
/// Consumers of the gateway's own on one channel.
const OF_THE_GATEWAY: usize = 1;

/// The tuners at a moment.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    at: Duration,
    open: usize,
    /// How many the gateway believes to be open, if it can be asked.
    believed: Option<usize>,
    /// The consumers of each channel, for a failure's message.
    consumers: Vec<(usize, Vec<String>)>,
}

impl Sample {
    pub(crate) fn of(origin: &Origin, believed: Option<usize>, truth: &Truth) -> Self {
        let channels: BTreeMap<_, _> = origin
            .channels()
            .into_iter()
            .enumerate()
            .map(|(at, channel)| (channel.live_stream_id, at))
            .collect();
        let consumers = origin.consumers();
        let named = |consumer: &Consumer| {
            let holder = match &consumer.holder {
                Holder::Session { device, user_agent, .. } if user_agent.is_empty() => device.clone(),
                Holder::Session { .. } => "gateway".to_owned(),
                Holder::Job => "job".to_owned(),
                Holder::Recorder { .. } => "recorder".to_owned(),
            };
            let play = consumer.play_session.chars().take(4).collect::<String>();
            format!("{holder} {play}")
        };
        let by_channel = |(id, consumers): (&String, &Vec<Consumer>)| {
            (channels.get(id).copied().unwrap_or(usize::MAX), consumers.iter().map(named).collect())
        };
        Self {
            at: truth.now(),
            open: consumers.len(),
            believed,
            consumers: consumers.iter().map(by_channel).collect(),
        }
    }
}

/// Looks at the tuners while `run` goes on; `look` gives nothing while the origin is down.
pub(crate) async fn looking<T>(
    look: impl Fn() -> Option<Sample>,
    run: impl Future<Output = T>,
) -> (T, Vec<Sample>) {
    let mut samples = Vec::new();
    let forever = async {
        loop {
            samples.extend(look());
            sleep(INTERVAL).await;
        }
    };
    let result = tokio::select! {
        result = run => result,
        () = forever => unreachable!(),
    };
    (result, samples)
}

/// The moments at which neither the number of open tuners was what the gateway believed at any time within [`SLACK`], nor what it believed
/// was the number at any time within it: with a zap one channel may be closed and another opened between two answers of the server's.
pub(crate) fn miscounts(samples: &[Sample]) -> Vec<String> {
    let (mut found, mut from) = (Vec::new(), 0);
    let wrong = samples.iter().filter(|sample| {
        while samples[from].at + SLACK < sample.at {
            from += 1;
        }
        let mut near = samples[from..].iter().take_while(|near| near.at <= sample.at + SLACK);
        let agree = |near: &Sample| near.believed == Some(sample.open) || sample.believed == Some(near.open);
        sample.believed.is_some() && !near.any(agree)
    });
    let mut last = None::<&Sample>;
    for sample in wrong {
        let differs = |last: &Sample| {
            (last.open, last.believed, &last.consumers) != (sample.open, sample.believed, &sample.consumers)
        };
        if last.is_none_or(differs) {
            let Sample { at, open, believed, consumers, .. } = sample;
            found.push(format!("{at:.1?}: {open} open, {believed:?} believed: {consumers:?}"));
        }
        last = Some(sample);
    }
    found
}

/// By how many tuners the gateway was mistaken at most, and for how long without a break.
pub(crate) fn largest_mistake(samples: &[Sample]) -> (usize, Duration) {
    let (mut most, mut longest, mut since) = (0, Duration::ZERO, None);
    for sample in samples {
        let mistake = sample.believed.map_or(0, |believed| believed.abs_diff(sample.open));
        most = most.max(mistake);
        since = (mistake > 0).then(|| since.unwrap_or(sample.at));
        longest = longest.max(since.map_or(Duration::ZERO, |since| sample.at - since));
    }
    (most, longest)
}

/// Where a channel has had more consumers, for longer than [`SLACK`], than viewers that may have it and the gateway. The server
/// counts consumers and does not name them, so whose they are is not asked.
pub(crate) fn ghosts(samples: &[Sample], truth: &Truth) -> Vec<String> {
    let (mut found, mut since) = (Vec::new(), BTreeMap::new());
    for sample in samples {
        let surplus = sample.consumers.iter().filter(|(channel, consumers)| {
            consumers.len() > truth.openings(*channel, sample.at) + OF_THE_GATEWAY
        });
        let surplus: BTreeMap<_, _> = surplus.map(|(channel, consumers)| (*channel, consumers)).collect();
        since.retain(|channel, _| surplus.contains_key(channel));
        for (channel, consumers) in surplus {
            let (first, is_told) = since.entry(channel).or_insert((sample.at, false));
            if *first + SLACK < sample.at && !*is_told {
                *is_told = true;
                found.push(format!(
                    "ghost on {channel} from {first:.1?}: {consumers:?}, {:#?}",
                    truth.stays(channel)
                ));
            }
        }
    }
    found
}

/// The account of the tuners, whenever it changed.
pub(crate) fn changes(samples: &[Sample]) -> Vec<String> {
    let mut last = None::<&Sample>;
    let changed = samples.iter().filter(|sample| {
        let same =
            last.is_some_and(|last| last.consumers == sample.consumers && last.believed == sample.believed);
        last = Some(sample);
        !same
    });
    let line = |Sample { at, open, believed, consumers, .. }: &Sample| {
        format!("T {at:.3?}: {open} open, {believed:?} believed: {consumers:?}")
    };
    changed.map(line).collect()
}
