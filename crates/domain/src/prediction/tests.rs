//! What is expected of viewers follows from what they did.

use std::time::Duration;

use super::*;
use crate::prediction::survival::Survival;

const VIEWER: ViewerKey = ViewerKey(1);
const EVENING: u8 = 20;

fn at(seconds: u64) -> Timestamp {
    Timestamp::after_start(Duration::from_secs(seconds))
}

fn ordered(channels: u32) -> Prediction {
    let mut prediction = Prediction::default();
    prediction.set_order(ChannelOrder::new((0..channels).map(ChannelKey).collect()));
    prediction
}

/// Lets the viewer zap through these channels, one every five seconds. Returns when it came to the last.
fn zaps(prediction: &mut Prediction, channels: impl IntoIterator<Item = u32>, from: u64) -> u64 {
    let mut now = from;
    for channel in channels {
        now += 5;
        prediction.tuned(VIEWER, ChannelKey(channel), at(now), EVENING);
    }
    now
}

/// How probably a channel is wanted within 15 seconds.
fn soon(prediction: &Prediction, channel: u32, now: u64) -> f64 {
    prediction.at(at(now), EVENING).demand(ChannelKey(channel)).within[1]
}

#[test]
fn a_viewer_who_steps_up_is_expected_at_the_next_channels() {
    let mut prediction = ordered(100);
    let now = zaps(&mut prediction, 10..30, 0);
    let candidates = prediction.candidates(VIEWER, at(now));
    assert_eq!(candidates.first(), Some(&ChannelKey(30)));
    assert!(candidates.contains(&ChannelKey(31)) && candidates.contains(&ChannelKey(32)), "{candidates:?}");
    let wanted: Vec<_> = [30, 31, 32, 50].map(|channel| soon(&prediction, channel, now)).into();
    assert!(wanted.is_sorted_by(|a, b| a > b) && wanted[0] > 0.4, "{wanted:?}");
}

#[test]
fn a_viewer_who_turns_round_is_expected_below() {
    let mut prediction = ordered(100);
    let now = zaps(&mut prediction, (50..58).chain((46..57).rev()), 0);
    assert!(soon(&prediction, 45, now) > soon(&prediction, 47, now));
    assert!(soon(&prediction, 44, now) > soon(&prediction, 48, now));
}

#[test]
fn the_line_up_is_a_ring() {
    let mut prediction = ordered(20);
    let now = zaps(&mut prediction, 10..20, 0);
    assert_eq!(prediction.candidates(VIEWER, at(now)).first(), Some(&ChannelKey(0)));
}

#[test]
fn without_an_order_no_neighbour_is_expected() {
    let mut prediction = Prediction::default();
    let now = zaps(&mut prediction, 10..30, 0);
    assert!(!prediction.candidates(VIEWER, at(now)).contains(&ChannelKey(30)));
    assert!(soon(&prediction, 30, now) < 0.05);
    assert!(soon(&prediction, 28, now) > soon(&prediction, 30, now), "it may go back");
}

#[test]
fn a_viewer_who_never_steps_is_not_expected_at_neighbours() {
    let (mut steps, mut jumps) = (ordered(100), ordered(100));
    let now = zaps(&mut jumps, [10, 40, 70].repeat(20), 0);
    zaps(&mut steps, [10], now - 5);
    assert!(soon(&jumps, 71, now) < soon(&steps, 11, now) / 3.0);
    assert_eq!(jumps.candidates(VIEWER, at(now)).first(), Some(&ChannelKey(10)), "it follows 70");
}

#[test]
fn the_channel_viewed_before_a_burst_is_expected_after_it() {
    let mut prediction = ordered(1000);
    let mut now = 0;
    let mut views = |channel: u32, burst: u32| {
        prediction.tuned(VIEWER, ChannelKey(channel), at(now), EVENING);
        now = zaps(&mut prediction, burst..burst + 9, now + 600);
        let (end, wanted) = (now, [5, 70].map(|channel| soon(&prediction, channel, now)));
        // It comes back for as long again.
        prediction.tuned(VIEWER, ChannelKey(channel), at(end + 5), EVENING);
        now = end + 605;
        wanted
    };
    for round in 0..40 {
        views(5, 100 + 20 * round);
        views(70, 110 + 20 * round);
    }
    let [viewed, other] = views(5, 950);
    assert!(viewed > 1.3 * other && other > 0.0, "both are watched alike: {viewed} {other}");
}

#[test]
fn who_has_stayed_for_long_stays_on() {
    let mut prediction = ordered(100);
    let now = zaps(&mut prediction, 10..20, 0);
    let wanted: Vec<_> = [0, 60, 600, 6000].map(|later| soon(&prediction, 20, now + later)).into();
    assert!(wanted.is_sorted_by(|a, b| a > b) && wanted[3] < wanted[0] / 20.0, "{wanted:?}");
}

#[test]
fn a_dwell_that_ends_by_switching_off_is_no_switch() {
    let (mut switching, mut leaving) = (Survival::default(), Survival::default());
    for _ in 0..1000 {
        switching.ended(30.0, true);
        leaving.ended(30.0, false);
    }
    let (switches, leaves) = (switching.leaves_within(22.0, 9.0), leaving.leaves_within(22.0, 9.0));
    assert!(switches > 0.6 && leaves < 0.02, "{switches} {leaves}");
}

#[test]
fn the_law_of_dwells_follows_what_is_seen() {
    let mut survival = Survival::default();
    let assumed = survival.leaves_within(0.0, 6.0);
    assert!((0.3..0.45).contains(&assumed), "half of the surfing, none of the viewing: {assumed}");
    (0..2000).for_each(|_| survival.ended(100.0, true));
    assert!(survival.leaves_within(0.0, 60.0) < 0.05);
    assert!(survival.leaves_within(0.0, 200.0) > 0.95);
}

#[test]
fn a_viewer_who_is_off_is_expected_at_the_hour_and_channel_of_its_habit() {
    let mut prediction = ordered(100);
    for day in 0..14 {
        let evening = (day * 24 + u64::from(EVENING)) * 3600;
        prediction.tuned(VIEWER, ChannelKey(7), at(evening), EVENING);
        prediction.left(VIEWER, at(evening + 600));
    }
    let now = at(14 * 86_400);
    let within_hour = |hour, channel| prediction.at(now, hour).demand(ChannelKey(channel)).within[6];
    assert!(within_hour(EVENING, 7) > 0.4, "{}", within_hour(EVENING, 7));
    assert!(within_hour(EVENING, 7) > 5.0 * within_hour(9, 7));
    assert!(within_hour(EVENING, 8).abs() < 1e-9);
    assert!(prediction.candidates(VIEWER, now).is_empty());
}

#[test]
fn who_has_just_switched_off_is_expected_back() {
    let mut prediction = ordered(50);
    prediction.tuned(VIEWER, ChannelKey(7), at(0), 12);
    prediction.left(VIEWER, at(1000));
    assert!(
        soon(&prediction, 7, 1030) > 0.01 && soon(&prediction, 7, 1030) > 10.0 * soon(&prediction, 8, 1030)
    );
    assert!(soon(&prediction, 7, 3000) < soon(&prediction, 7, 1030) / 20.0);

    // Where nobody ever comes back at once, nobody is expected to.
    let began = soon(&prediction, 7, 1030);
    for day in 1..60 {
        prediction.tuned(VIEWER, ChannelKey(7), at(86_400 * day), 12);
        prediction.left(VIEWER, at(86_400 * day + 1000));
    }
    let later = 86_400 * 59 + 1030;
    assert!(soon(&prediction, 7, later) < began / 2.0);
    // And where they do, it is learned again.
    for time in 0..60 {
        prediction.tuned(VIEWER, ChannelKey(7), at(later + 120 * time), 12);
        prediction.left(VIEWER, at(later + 120 * time + 60));
    }
    assert!(soon(&prediction, 7, later + 120 * 59 + 90) > began);
}

#[test]
fn who_begins_to_view_is_told_once() {
    let mut prediction = ordered(100);
    prediction.tuned(VIEWER, ChannelKey(1), at(100), EVENING);
    assert_eq!(prediction.next_settled(at(100)), Some(at(160)));
    assert_eq!(prediction.settled(at(100), at(159)).count(), 0);
    assert_eq!(prediction.settled(at(159), at(160)).collect::<Vec<_>>(), [VIEWER]);
    assert_eq!(prediction.settled(at(160), at(900)).count(), 0);
    assert_eq!(prediction.next_settled(at(160)), None);
}

#[test]
fn a_viewer_who_asks_again_for_its_channel_has_not_switched() {
    let mut prediction = ordered(100);
    let now = zaps(&mut prediction, 10..20, 0);
    let before = soon(&prediction, 20, now);
    prediction.tuned(VIEWER, ChannelKey(19), at(now), EVENING);
    assert!((soon(&prediction, 20, now) - before).abs() < 1e-12);
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut prediction = ordered(10_000);
    for step in 0..4000 {
        let viewer = ViewerKey(step % 200);
        prediction.tuned(viewer, ChannelKey(step * 7919 % 10_000), at(u64::from(step)), EVENING);
    }
    assert!(prediction.viewers.len() <= VIEWERS);
    assert!(prediction.popular.len() <= CHANNELS);
}

#[test]
fn who_is_present_is_forgotten_last() {
    let mut prediction = ordered(10);
    prediction.tuned(ViewerKey(0), ChannelKey(1), at(0), EVENING);
    for viewer in 1..=100 {
        prediction.tuned(ViewerKey(viewer), ChannelKey(2), at(u64::from(viewer)), EVENING);
        prediction.left(ViewerKey(viewer), at(u64::from(viewer)));
    }
    assert!(!prediction.candidates(ViewerKey(0), at(100)).is_empty());
}
