//! What is kept, stopped and started follows from what it is worth.

use std::time::Duration;

use super::*;
use crate::prediction::{ChannelKey, ChannelOrder, Demand, HORIZONS, Prediction, ViewerKey};
use crate::time::Timestamp;
use crate::value::worth::worth;

const EVENING: u8 = 20;

fn at(seconds: u64) -> Timestamp {
    Timestamp::after_start(Duration::from_secs(seconds))
}

fn ready(channel: u32) -> Offer {
    Offer { channel: ChannelKey(channel), readiness: Readiness::Ready, price: 1.0 }
}

fn not_started(channel: u32) -> Offer {
    Offer { readiness: Readiness::NotStarted, ..ready(channel) }
}

fn settled(channel: u32) -> Idle {
    Idle { offer: ready(channel), started_at: at(0) }
}

/// A viewer has stepped up from channel 10 to 19, and is there since second 50.
fn stepping() -> Prediction {
    let mut prediction = Prediction::default();
    prediction.set_order(ChannelOrder::new((0..100).map(ChannelKey).collect()));
    for step in 1..=10 {
        let now = at(u64::from(step) * 5);
        prediction.tuned(ViewerKey(1), ChannelKey(step + 9), now, EVENING);
    }
    prediction
}

fn at_50(prediction: &Prediction, thrift: Thrift, decide: impl FnOnce(&Appraisal<'_>)) {
    let waits = ColdWaits::default();
    decide(&Appraisal::new(prediction.at(at(50), EVENING), &waits, thrift, at(50)));
}

/// Somebody comes at a constant rate per second.
fn constant(rate: f64) -> Demand {
    Demand { within: HORIZONS.map(|horizon| 1.0 - (-rate * horizon).exp()), most_by: None }
}

#[test]
fn a_constant_demand_is_worth_its_rate_times_what_it_spares() {
    let worth = worth(&constant(0.001), 5.0, f64::INFINITY, 0.0, 1.0);
    assert!((worth.index / 0.005 - 1.0).abs() < 0.03, "{worth:?}");
}

#[test]
fn a_channel_that_is_twice_as_dear_is_worth_half() {
    let of = |price| worth(&constant(0.001), 5.0, f64::INFINITY, 0.0, price).index;
    assert!((of(1.0) / of(2.0) - 2.0).abs() < 1e-9);
}

#[test]
fn the_nearer_a_channel_is_to_ready_the_more_it_is_worth() {
    let prediction = stepping();
    at_50(&prediction, Thrift::Balanced, |appraisal| {
        let starting = |since| Offer { readiness: Readiness::Starting(at(since)), ..ready(20) };
        let ascending = [not_started(20), starting(50), starting(48), ready(20)];
        let worths: Vec<_> = ascending.iter().map(|offer| appraisal.worth(offer).index).collect();
        assert!(worths.is_sorted_by(|a, b| a < b), "{worths:?}");
    });
}

#[test]
fn a_channel_that_starts_slowly_is_worth_more() {
    let prediction = stepping();
    let mut waits = ColdWaits::default();
    waits.measured(ChannelKey(20), Duration::from_secs(2));
    waits.measured(ChannelKey(21), Duration::from_secs(2));
    let before = waits.spared(ChannelKey(20));
    (0..20).for_each(|_| waits.measured(ChannelKey(20), Duration::from_secs(10)));
    assert!((before - 1.65).abs() < 1e-9 && (waits.spared(ChannelKey(20)) - 9.65).abs() < 0.1);
    assert!((waits.spared(ChannelKey(21)) - 1.65).abs() < 1e-9, "each channel has its own");
    let unknown = waits.spared(ChannelKey(77));
    assert!((4.0..9.0).contains(&unknown), "as all channels: {unknown}");
    let slow = Appraisal::new(prediction.at(at(50), EVENING), &waits, Thrift::Balanced, at(50));
    at_50(&prediction, Thrift::Balanced, |usual| {
        assert!(slow.worth(&ready(20)).index > usual.worth(&ready(20)).index);
    });
}

#[test]
fn the_channel_that_nobody_expects_makes_room() {
    let prediction = stepping();
    at_50(&prediction, Thrift::Balanced, |appraisal| {
        let decision = appraisal.victim(&[ready(20), ready(60), ready(18)]).unwrap();
        assert_eq!((decision.verdict, decision.channel), (Verdict::Evict, ChannelKey(60)));
        let (runner_up, worth) = decision.runner_up.unwrap();
        assert_eq!(runner_up, ChannelKey(18), "it goes up, not back");
        assert!(worth.index > decision.worth.index);
        assert_eq!(appraisal.victim(&[]), None);
        let alone = appraisal.victim(&[ready(20)]).unwrap();
        assert_eq!((alone.runner_up, alone.worth.most_by), (None, Some(ViewerKey(1))));
    });
}

#[test]
fn what_is_likely_is_started_ahead_as_far_as_there_is_room() {
    let prediction = stepping();
    let candidates: Vec<_> = prediction
        .candidates(ViewerKey(1), at(50))
        .into_iter()
        .map(|channel| not_started(channel.0))
        .collect();
    let channels =
        |decisions: Vec<Decision>| decisions.iter().map(|decision| decision.channel.0).collect::<Vec<_>>();
    at_50(&prediction, Thrift::Balanced, |appraisal| {
        let starts = |free, starts| channels(appraisal.starts(&candidates, &[], Room { free, starts }));
        assert_eq!(starts(8, 2), [20, 21]);
        assert_eq!(starts(8, 9).len(), 4, "never more at once");
        assert_eq!(starts(1, 2), [20]);
        assert_eq!(starts(8, 0), [0; 0]);
        assert_eq!(appraisal.starts(&[not_started(60)], &[], Room { free: 8, starts: 2 }), []);
    });
}

#[test]
fn a_start_ahead_replaces_only_what_is_worth_much_less() {
    let prediction = stepping();
    at_50(&prediction, Thrift::Full, |appraisal| {
        let room = Room { free: 0, starts: 2 };
        let starts = |idle: &[Idle]| {
            let decisions = appraisal.starts(&[not_started(20)], idle, room);
            decisions.first().map(|decision| decision.verdict)
        };
        let instead_of = |channel| Some(Verdict::StartAhead { instead_of: Some(ChannelKey(channel)) });
        assert_eq!(starts(&[settled(60), settled(18)]), instead_of(60));
        assert_eq!(starts(&[Idle { started_at: at(46), ..settled(60) }]), None, "it has just been started");
        assert_eq!(starts(&[settled(20)]), None, "it is worth more");
        assert_eq!(starts(&[]), None);
    });
}

#[test]
fn what_is_too_dear_times_out_and_nothing_else() {
    let prediction = stepping();
    let idle = [ready(20), ready(60), ready(70)];
    at_50(&prediction, Thrift::Balanced, |appraisal| {
        let decisions = appraisal.time_outs(&idle);
        let channels: Vec<_> = decisions.iter().map(|decision| decision.channel.0).collect();
        assert_eq!(channels, [60, 70]);
        assert!(decisions.iter().all(|decision| decision.worth.index < decision.price));
    });
    at_50(&prediction, Thrift::Full, |appraisal| assert_eq!(appraisal.time_outs(&idle), []));
}

#[test]
fn one_deadline_tells_when_the_first_channel_times_out() {
    let (prediction, waits) = (stepping(), ColdWaits::default());
    let idle = [ready(20), ready(18)];
    let next = |thrift| next_time_out(&idle, &prediction, &waits, thrift, at(50), EVENING);
    for thrift in [Thrift::Thrift, Thrift::Balanced] {
        let deadline = next(thrift).unwrap();
        let dear = |now| {
            let appraisal = Appraisal::new(prediction.at(now, EVENING), &waits, thrift, now);
            appraisal.time_outs(&idle).len()
        };
        assert!(dear(deadline) > 0, "{thrift}");
        let a_little_before = deadline.before(deadline.since(at(50)).mul_f64(0.06));
        assert_eq!(dear(a_little_before), 0, "{thrift}");
    }
    assert!(next(Thrift::Thrift) < next(Thrift::Balanced));
    assert_eq!(next(Thrift::Full), None);
    assert_eq!(next_time_out(&[], &prediction, &waits, Thrift::Thrift, at(50), EVENING), None);
}

#[test]
fn presets_are_read_as_they_are_written() {
    for thrift in Thrift::ALL {
        assert_eq!(thrift.as_str().parse(), Ok(thrift));
    }
    assert_eq!("lavish".parse::<Thrift>(), Err(NoThrift));
    assert!(Thrift::ALL.is_sorted_by(|a, b| a.price() > b.price()));
}
