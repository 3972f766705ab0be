//! The window against RFC 8216bis, section 6.2.

use std::time::Duration;

use proptest::prelude::*;

use super::{Arrival, Window};
use crate::time::Timestamp;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn arrival(duration: Duration, discontinuity: bool) -> Arrival {
    Arrival { duration, discontinuity, independent: true }
}

fn window_of(durations: &[u64]) -> Window<()> {
    let mut window = Window::new(0, secs(4), secs(12));
    let mut now = 0;
    for &duration in durations {
        now += duration;
        window.push(arrival(secs(duration), false), (), 1, Timestamp::from_millis(now * 1000));
    }
    window
}

fn numbers(window: &Window<()>, start: u64) -> Vec<u64> {
    window.list(start).map(|listed| listed.sequence).collect()
}

#[test]
fn a_newcomer_gets_the_last_seconds_and_keeps_its_own_head() {
    let mut window = window_of(&[4, 2, 4, 2]);
    let start = window.join(secs(6)).unwrap();
    assert_eq!(numbers(&window, start), [2, 3]);
    window.push(arrival(secs(4), false), (), 1, Timestamp::from_millis(16_000));
    assert_eq!(numbers(&window, start), [2, 3, 4]);
    assert_eq!(numbers(&window, window.join(secs(6)).unwrap()), [3, 4]);
}

#[test]
fn a_newcomer_begins_with_a_key_frame() {
    let mut window = Window::new(0, secs(4), secs(12));
    let push = |window: &mut Window<()>, independent| {
        let arrival = Arrival { independent, ..arrival(secs(2), false) };
        window.push(arrival, (), 1, Timestamp::from_millis(0));
    };
    push(&mut window, false);
    assert_eq!(window.join(secs(6)), None);
    for independent in [true, false, false, false] {
        push(&mut window, independent);
    }
    assert_eq!(window.join(secs(2)), Some(1), "rather more than it wished than nothing to see");
    push(&mut window, true);
    assert_eq!(window.join(secs(6)), Some(1));
    assert_eq!(window.join(secs(2)), Some(5));
}

#[test]
fn nobody_joins_what_is_over() {
    let mut window = window_of(&[4, 4]);
    window.interrupt();
    assert_eq!(window.join(secs(6)), None);
    window.push(arrival(secs(4), true), (), 1, Timestamp::from_millis(60_000));
    assert_eq!(window.join(secs(6)), Some(2));
    assert_eq!(numbers(&window, 0), [0, 1, 2], "who was there goes on");
}

#[test]
fn a_segment_stays_to_be_had_after_it_has_left_the_list() {
    let mut window = window_of(&[4; 5]);
    assert_eq!(numbers(&window, 0), [2, 3, 4]);
    assert!(window.get(0).is_some());
    // Unlisted at 16 s; promised for its own 4 s, the playlist's 12 s and one target duration more.
    window.push(arrival(secs(4), false), (), 1, Timestamp::from_millis(36_000));
    assert!(window.get(0).is_some());
    window.push(arrival(secs(4), false), (), 1, Timestamp::from_millis(36_001));
    assert!(window.get(0).is_none());
    assert!(window.get(1).is_some());
}

#[test]
fn shedding_spares_what_is_listed() {
    let mut window = window_of(&[4; 6]);
    window.shed();
    assert_eq!(window.bytes(), 3);
    assert!(window.get(2).is_none());
    assert_eq!(numbers(&window, 0), [3, 4, 5]);
}

#[test]
fn a_discontinuity_that_has_slid_out_is_still_counted() {
    let mut window = Window::new(0, secs(4), secs(12));
    for sequence in 0..8_u64 {
        let discontinuity = sequence == 0 || sequence == 3 || sequence == 6;
        window.push(arrival(secs(4), discontinuity), (), 1, Timestamp::from_millis(sequence * 4000));
    }
    let listed: Vec<_> = window
        .list(0)
        .map(|listed| (listed.sequence, listed.discontinuity, listed.discontinuity_sequence))
        .collect();
    // The first segment is no discontinuity; of the two that are, the one at 3 has left the window.
    assert_eq!(listed, [(5, false, 1), (6, true, 1), (7, false, 2)]);
}

#[test]
fn a_later_life_goes_on_beyond_the_last_one() {
    let mut window = Window::new(700, secs(4), secs(12));
    window.push(arrival(secs(4), true), (), 1, Timestamp::from_millis(0));
    let first = window.list(0).next().unwrap();
    // A different discontinuity sequence tells a player that this stream does not continue the earlier one, even without
    // a tag.
    assert_eq!((first.sequence, first.discontinuity, first.discontinuity_sequence), (700, false, 700));
    assert_eq!(window.join(secs(6)).unwrap(), 700);
}

proptest! {
    /// The rules of RFC 8216bis, 6.2.1 and 6.2.2, for every viewer and any durations.
    #[test]
    fn lists_only_ever_move_forward(durations in proptest::collection::vec(100_u64..15_000, 1..200), joins in 0_usize..200) {
        let mut window: Window<u64> = Window::new(0, secs(4), secs(12));
        let mut now = 0;
        let mut viewer: Option<(u64, Vec<u64>)> = None;
        for (index, &millis) in durations.iter().enumerate() {
            now += millis;
            window.push(arrival(Duration::from_millis(millis), false), index as u64, 1, Timestamp::from_millis(now));
            if index == joins {
                viewer = Some((window.join(secs(6)).unwrap(), Vec::new()));
            }
            if let Some((start, previous)) = &mut viewer {
                let list: Vec<_> = window.list(*start).collect();
                let numbers: Vec<_> = list.iter().map(|listed| listed.sequence).collect();
                prop_assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
                prop_assert_eq!(numbers.last(), Some(&(index as u64)));
                if let (Some(old), Some(new)) = (previous.first(), numbers.first()) {
                    prop_assert!(new >= old, "media sequence fell");
                    if new > old {
                        let total: Duration = list.iter().map(|listed| listed.duration).sum();
                        prop_assert!(total >= secs(12), "shrank below three target durations");
                    }
                }
                for &sequence in previous.iter() {
                    prop_assert_eq!(window.get(sequence).map(|segment| segment.payload), Some(sequence));
                }
                *previous = numbers;
            }
        }
    }
}
