//! The window against RFC 8216bis, section 6.2.

use std::time::Duration;

use proptest::prelude::*;

use super::{Arrival, JoinPoint, ListLengths, Listing, Promise, Window, first_sequence};
use crate::time::Timestamp;

const SEGMENTS: Promise = Promise::Segments(secs(4));
/// Of lists that slide.
const LENGTHS: ListLengths = ListLengths { least: secs(12), most: secs(12) };
const PIECES: Promise = Promise::Pieces { target: secs(1), group: Duration::ZERO };

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn segment(duration: Duration, discontinuity: bool) -> Arrival {
    Arrival { duration, discontinuity, independent: true, ends_group: true }
}

fn push<P>(window: &mut Window<P>, arrival: Arrival, payload: P, millis: u64) {
    window.push(arrival, payload, 1, (Timestamp::from_millis(millis), Duration::from_millis(millis)));
}

/// A window of whole segments.
fn window_of(durations: &[u64]) -> Window<()> {
    let mut window = Window::new(0, SEGMENTS, LENGTHS);
    let mut now = 0;
    for &duration in durations {
        now += duration;
        push(&mut window, segment(secs(duration), false), (), now * 1000);
    }
    window
}

/// A window of pieces of half a second each, with a random access point at each `!`.
fn pieces_of(pieces: &str, promise: Promise) -> Window<usize> {
    let mut window = Window::new(0, promise, LENGTHS);
    let pieces: Vec<_> = pieces.chars().map(|piece| piece == '!').collect();
    for (at, &independent) in pieces.iter().enumerate() {
        let ends_group = *pieces.get(at + 1).unwrap_or(&true);
        let arrival =
            Arrival { duration: Duration::from_millis(500), discontinuity: false, independent, ends_group };
        push(&mut window, arrival, at, at as u64 * 500);
    }
    window
}

fn begin<P>(window: &Window<P>, listing: Listing) -> JoinPoint {
    JoinPoint {
        listing,
        sequence: 0,
        target: window.target(listing).unwrap(),
        plays_from_first: false,
        longest: None,
    }
}

fn numbers<P>(window: &Window<P>, start: JoinPoint) -> Vec<u64> {
    window.list(start).map(|listed| listed.sequence).collect()
}

/// The pieces of each segment that a list names, and its length in milliseconds.
fn contents(window: &Window<usize>, listing: Listing) -> Vec<(Vec<usize>, u128)> {
    let listed = window.list(begin(window, listing));
    listed
        .map(|listed| {
            let pieces = window.get(listing, listed.sequence).unwrap().copied().collect();
            (pieces, listed.duration.as_millis())
        })
        .collect()
}

#[test]
fn a_newcomer_gets_the_last_seconds_and_keeps_its_own_head() {
    for listing in Listing::ALL {
        let mut window = window_of(&[4, 2, 4, 2]);
        let start = window.join(listing, secs(6), None).unwrap();
        assert_eq!(numbers(&window, start), [2, 3]);
        push(&mut window, segment(secs(4), false), (), 16_000);
        assert_eq!(numbers(&window, start), [2, 3, 4]);
        assert_eq!(numbers(&window, window.join(listing, secs(6), None).unwrap()), [3, 4]);
    }
}

#[test]
fn a_newcomer_begins_with_a_key_frame() {
    assert_eq!(pieces_of("..", PIECES).join(Listing::Fine, secs(1), None), None);
    let joins = |pieces: &str, millis| {
        pieces_of(pieces, PIECES)
            .join(Listing::Fine, Duration::from_millis(millis), None)
            .map(|at| at.sequence)
    };
    assert_eq!(joins(".!...", 500), Some(1), "rather more than it wished than nothing to see");
    assert_eq!(joins(".!...!.", 3000), Some(1));
    assert_eq!(joins(".!...!.", 500), Some(5));
}

#[test]
fn the_first_list_has_enough_to_play_on() {
    let joins = |pieces: &str, listing| pieces_of(pieces, PIECES).join(listing, secs(6), None).is_some();
    assert!(!joins("!", Listing::Fine), "the player would stand still after half a second");
    assert!(joins("!.", Listing::Fine));
    assert!(!joins("!...", Listing::Keyed));
    assert!(joins("!...!...", Listing::Keyed));
    assert!(joins("!.......", Listing::Keyed), "four seconds are enough");
    let window = pieces_of("!...!...!...", PIECES);
    let start = window.join(Listing::Keyed, secs(1), None).unwrap();
    assert_eq!(
        numbers(&window, start),
        [1, 2],
        "more than is wished, where that is too little to begin with"
    );
    let segments = window_of(&[2]);
    assert!(
        segments.join(Listing::Fine, secs(6), None).is_some(),
        "the server's own viewers begin with one segment"
    );
}

/// A player with a second in hand that asks every second stands still when an answer takes a little longer.
#[test]
fn a_first_list_that_is_barely_enough_waits_for_one_segment_more() {
    let holds = |pieces: &str, listing| {
        let window = pieces_of(pieces, PIECES);
        window.hold(window.join(listing, secs(6), None).unwrap()).is_some()
    };
    assert!(holds("!.", Listing::Fine));
    assert!(!holds("!..", Listing::Fine));
    assert!(!holds("!...!...", Listing::Keyed), "its player has seconds in hand");
    let segments = window_of(&[2]);
    assert_eq!(segments.hold(segments.join(Listing::Fine, secs(6), None).unwrap()), None);
}

#[test]
fn pieces_are_listed_one_by_one_and_from_key_frame_to_key_frame() {
    let window = pieces_of("!...!...", PIECES);
    assert_eq!(window.target(Listing::Fine), Some(secs(1)));
    assert_eq!(window.target(Listing::Keyed), Some(secs(2)));
    let fine: Vec<_> = (0..8).map(|at| (vec![at], 500)).collect();
    assert_eq!(contents(&window, Listing::Fine), fine);
    assert_eq!(contents(&window, Listing::Keyed), [(vec![0, 1, 2, 3], 2000), (vec![4, 5, 6, 7], 2000)]);
    assert_eq!((window.newest(Listing::Fine), window.newest(Listing::Keyed)), (7, 1));
}

#[test]
fn groups_fit_what_keyed_lists_promise() {
    let lengths = |pieces: &str, group: u64| {
        let promise = Promise::Pieces { target: secs(1), group: secs(group) };
        let window = pieces_of(pieces, promise);
        let listed =
            contents(&window, Listing::Keyed).into_iter().map(|(_, millis)| millis).collect::<Vec<_>>();
        (window.target(Listing::Keyed).unwrap().as_secs(), listed)
    };
    // The first two groups set the target duration; a longer one is divided.
    assert_eq!(lengths("!...!...!.........!...", 0), (2, vec![2000, 2000, 2000, 2000, 1000, 2000]));
    assert_eq!(lengths("!.!.........!...", 0), (5, vec![1000, 5000, 2000]));
    // Unless the channel is known to have longer ones.
    assert_eq!(lengths("!...!...!.........!...", 5), (5, vec![2000, 2000, 5000, 2000]));
    // What is left of a divided group stands alone.
    assert_eq!(lengths("!...!...!....!...", 0), (2, vec![2000, 2000, 2000, 500, 2000]));
    assert_eq!(lengths("!...!...!.....!...", 0), (2, vec![2000, 2000, 2000, 1000, 2000]));
    // Short groups are listed together.
    assert_eq!(lengths("!!!!", 0), (2, vec![1000, 1000]));
    // Nothing is longer than six seconds.
    assert_eq!(lengths("!...................", 10), (6, vec![6000, 4000]));
}

#[test]
fn an_interruption_ends_a_group() {
    let mut window = pieces_of("!...!...!", PIECES);
    window.interrupt();
    assert_eq!(contents(&window, Listing::Keyed).len(), 3);
    assert!(window.is_interrupted());
    let arrival = Arrival { duration: secs(1), discontinuity: true, independent: true, ends_group: false };
    push(&mut window, arrival, 9, 5000);
    assert!(!window.is_interrupted());
    push(
        &mut window,
        Arrival { discontinuity: false, independent: false, ends_group: true, ..arrival },
        10,
        6000,
    );
    let last = contents(&window, Listing::Keyed).pop().unwrap();
    assert_eq!(last, (vec![9, 10], 2000));
    let listed = window.list(begin(&window, Listing::Keyed)).last().unwrap();
    assert!(listed.discontinuity);
}

#[test]
fn the_longest_distance_of_key_frames_is_known() {
    assert_eq!(pieces_of("!...!.....!.", PIECES).longest_distance(), secs(3));
}

#[test]
fn nobody_joins_what_is_over() {
    for listing in Listing::ALL {
        let mut window = window_of(&[4, 4]);
        window.interrupt();
        assert_eq!(window.join(listing, secs(6), None), None);
        push(&mut window, segment(secs(4), true), (), 60_000);
        assert_eq!(window.join(listing, secs(6), None).unwrap().sequence, 2);
        assert_eq!(numbers(&window, begin(&window, listing)), [0, 1, 2], "who was there goes on");
    }
}

#[test]
fn a_segment_stays_to_be_had_after_it_has_left_the_list() {
    let mut window = window_of(&[4; 5]);
    assert_eq!(numbers(&window, begin(&window, Listing::Keyed)), [2, 3, 4]);
    let is_held = |window: &Window<()>, sequence| window.get(Listing::Fine, sequence).is_some();
    assert!(is_held(&window, 0));
    // Unlisted at 16 s; promised for the playlist's 12 s, a group and two target durations more.
    push(&mut window, segment(secs(4), false), (), 40_000);
    assert!(is_held(&window, 0));
    push(&mut window, segment(secs(4), false), (), 40_001);
    assert!(!is_held(&window, 0));
    assert!(is_held(&window, 1));
    assert!(window.get(Listing::Keyed, 0).is_none() && window.get(Listing::Keyed, 1).is_some());
}

#[test]
fn shedding_spares_what_is_listed() {
    let mut window = window_of(&[4; 6]);
    window.shed();
    assert_eq!(window.bytes(), 3);
    assert!(window.get(Listing::Fine, 2).is_none());
    assert_eq!(numbers(&window, begin(&window, Listing::Fine)), [3, 4, 5]);
    // The oldest group that is listed is whole.
    let mut window = pieces_of(&"!...".repeat(12), PIECES);
    window.shed();
    let keyed = contents(&window, Listing::Keyed);
    assert_eq!((keyed.len(), keyed[0].0.len()), (9, 4));
}

#[test]
fn a_list_grows_until_it_is_as_long_as_the_window_reaches() {
    let lengths = ListLengths { least: secs(12), most: secs(60) };
    let mut window = Window::new(0, SEGMENTS, lengths);
    let mut next = 0;
    let mut push_until = |window: &mut Window<u64>, seconds: u64| {
        while next * 4 < seconds {
            push(window, segment(secs(4), false), next, next * 4000);
            next += 1;
        }
    };
    push_until(&mut window, 20);
    let start = window.join(Listing::Keyed, secs(6), None).unwrap();
    let is_event = |window: &Window<u64>| {
        let text = window.text(start, false).plain();
        String::from_utf8_lossy(&text).contains("#EXT-X-PLAYLIST-TYPE:EVENT")
    };
    window.reached([None, Some(start.sequence)]);
    push_until(&mut window, 72);
    assert_eq!(numbers(&window, start), (start.sequence..18).collect::<Vec<_>>());
    assert!(is_event(&window));
    let newcomer = window.join(Listing::Keyed, secs(6), None).unwrap();
    assert_eq!(newcomer.sequence, 16, "a newcomer's list begins near live");
    // Pieces begin at their number times four seconds.
    let since = |window: &Window<u64>, seconds| {
        let start = window.join(Listing::Keyed, secs(6), Some(secs(seconds))).unwrap();
        (start.sequence, start.plays_from_first)
    };
    assert_eq!(since(&window, 41), (10, true), "who wants to see a programme begins where that did");
    assert_eq!(since(&window, 1), (start.sequence, true), "or as soon after it as the stream is kept");
    assert_eq!(since(&window, 66), (16, false), "but not later than others");
    // What only the list of a viewer names does not stay in memory.
    let old: Vec<_> = window.take_old().into_iter().map(|(piece, _)| piece).collect();
    assert_eq!(old, (start.sequence..15).collect::<Vec<_>>());
    assert!(window.take_old().is_empty(), "each is offered once");
    old.iter().for_each(|&piece| window.moved(piece, |payload| *payload += 1000));
    assert_eq!(window.get(Listing::Keyed, start.sequence).unwrap().next(), Some(&(1000 + start.sequence)));
    assert_eq!(window.bytes(), 18 - start.sequence - old.len() as u64);
    // At the end of its reach it slides.
    push_until(&mut window, 100);
    assert_eq!(numbers(&window, start), (10..25).collect::<Vec<_>>());
    assert!(!is_event(&window));
    assert!(window.get(Listing::Keyed, 9).is_some(), "and what it has dropped can be had for a while");
    // What is lost leaves all lists before it is gone.
    window.lose(14);
    assert_eq!(numbers(&window, start), (15..25).collect::<Vec<_>>());
    assert!(window.get(Listing::Keyed, 14).is_some());
    assert_eq!(window.oldest(Listing::Keyed).unwrap().next(), Some(&15));
    // Once the viewer has left, nothing old is kept for it.
    window.reached([None, None]);
    push_until(&mut window, 160);
    assert_eq!(numbers(&window, start), [37, 38, 39]);
    assert!(window.get(Listing::Keyed, 15).is_none());
}

#[test]
fn a_list_that_slides_promises_nothing_else() {
    let window = window_of(&[4; 3]);
    let text = window.text(begin(&window, Listing::Fine), false).plain();
    assert!(!String::from_utf8_lossy(&text).contains("EVENT"));
}

#[test]
fn a_discontinuity_that_has_slid_out_is_still_counted() {
    let mut window = Window::new(0, SEGMENTS, LENGTHS);
    for sequence in 0..8_u64 {
        let discontinuity = sequence == 0 || sequence == 3 || sequence == 6;
        push(&mut window, segment(secs(4), discontinuity), (), sequence * 4000);
    }
    for listing in Listing::ALL {
        let listed = window.list(begin(&window, listing));
        let listed: Vec<_> = listed
            .map(|listed| (listed.sequence, listed.discontinuity, listed.discontinuity_sequence))
            .collect();
        // The first segment is no discontinuity; of the two that are, the one at 3 has left the window.
        assert_eq!(listed, [(5, false, 1), (6, true, 1), (7, false, 2)]);
    }
}

#[test]
fn numbers_rise_although_the_gateway_restarts_after_an_hour() {
    let begun = Duration::from_millis(1_795_000_000_300);
    let mut window = Window::new(first_sequence(begun), PIECES, LENGTHS);
    // The shortest pieces that there are: a quarter of a second.
    let arrival = Arrival {
        duration: Duration::from_millis(250),
        discontinuity: true,
        independent: true,
        ends_group: true,
    };
    for at in 0..4 * 3600 {
        push(&mut window, arrival, (), at * 250);
    }
    let after = first_sequence(begun + secs(3600));
    let last = |listing| window.list(begin(&window, listing)).last().unwrap();
    for listing in Listing::ALL {
        assert!(
            last(listing).sequence < after && last(listing).discontinuity_sequence < after,
            "{listing:?}"
        );
    }
}

#[test]
fn a_later_life_goes_on_beyond_the_last_one() {
    let mut window = Window::new(700, SEGMENTS, LENGTHS);
    push(&mut window, segment(secs(4), true), (), 0);
    let first = window.list(begin(&window, Listing::Keyed)).next().unwrap();
    // A different discontinuity sequence tells a player that this stream does not continue the earlier one, even without
    // a tag.
    assert_eq!((first.sequence, first.discontinuity, first.discontinuity_sequence), (700, false, 700));
    assert_eq!(window.join(Listing::Keyed, secs(6), None).unwrap().sequence, 700);
}

/// The segments of a list, each with its pieces.
type Shown = Vec<(u64, Vec<u64>)>;

proptest! {
    /// The rules of RFC 8216bis, 4.4.3.1, 6.2.1 and 6.2.2, for every viewer and any pieces.
    #[test]
    fn lists_only_ever_move_forward(
        pieces in proptest::collection::vec((250_u64..1400, any::<bool>(), 0_u8..20), 1..300),
        joins in 0_usize..300,
        fine in any::<bool>(),
    ) {
        let listing = if fine { Listing::Fine } else { Listing::Keyed };
        let mut window: Window<u64> = Window::new(0, PIECES, LENGTHS);
        let mut now = 0;
        let mut viewer: Option<(JoinPoint, Shown)> = None;
        for (index, &(millis, key, splice)) in pieces.iter().enumerate() {
            now += millis;
            let discontinuity = splice == 0;
            let arrival = Arrival {
                duration: Duration::from_millis(millis),
                discontinuity,
                independent: key || discontinuity || index == 0,
                ends_group: pieces.get(index + 1).is_none_or(|next| next.1 || next.2 == 0),
            };
            push(&mut window, arrival, index as u64, now);
            if index >= joins && viewer.is_none() {
                viewer = window.join(listing, secs(6), None).map(|start| (start, Vec::new()));
            }
            let Some((start, previous)) = &mut viewer else { continue };
            let list: Vec<_> = window.list(*start).collect();
            let first: Vec<u64> = window.get(listing, list[0].sequence).unwrap().copied().collect();
            let first = usize::try_from(first[0]).unwrap();
            let is_key = |at: usize| at == 0 || pieces[at].1 || pieces[at].2 == 0;
            let far: u64 = (0..=first).rev().take_while(|at| !is_key(*at)).map(|at| pieces[at].0).sum();
            prop_assert!(is_key(first) || far > 5000, "a list begins in the middle of a group");
            prop_assert!(list.windows(2).all(|pair| pair[1].sequence == pair[0].sequence + 1));
            prop_assert!(list.iter().all(|listed| listed.duration < start.target + Duration::from_millis(500)));
            let fresh: Shown = list
                .iter()
                .map(|listed| (listed.sequence, window.get(listing, listed.sequence).unwrap().copied().collect()))
                .collect();
            let listed: Vec<u64> = fresh.iter().flat_map(|(_, pieces)| pieces.clone()).collect();
            prop_assert!(listed.windows(2).all(|pair| pair[1] == pair[0] + 1), "no piece is missing or twice");
            if let (Some((old, _)), Some((new, _))) = (previous.first(), fresh.first()) {
                prop_assert!(new >= old, "media sequence fell");
                if new > old {
                    let total: Duration = list.iter().map(|listed| listed.duration).sum();
                    prop_assert!(total >= start.target * 3, "shrank below three target durations");
                }
            }
            for (sequence, pieces) in previous.iter() {
                let held: Option<Vec<u64>> = window.get(listing, *sequence).map(|pieces| pieces.copied().collect());
                prop_assert_eq!(held.as_ref(), Some(pieces), "a segment never changes");
            }
            *previous = fresh;
        }
    }
}

/// A viewer whose list is to be short: it slides earlier than others, at three target durations at the earliest, and never back.
#[test]
fn a_list_is_no_longer_than_its_viewer_wants() {
    let long = ListLengths { least: secs(12), most: secs(600) };
    for (longest, segments) in [(None, 60), (Some(20), 5), (Some(21), 6), (Some(1), 3), (Some(300), 60)] {
        let mut window = Window::new(0, SEGMENTS, long);
        let (mut first, mut start) = (0, None);
        for at in 1..=60_u64 {
            window.reached([Some(0); 2]);
            push(&mut window, segment(secs(4), false), (), at * 4000);
            let begins = *start.get_or_insert_with(|| JoinPoint {
                longest: longest.map(secs),
                ..begin(&window, Listing::Keyed)
            });
            let listed = numbers(&window, begins);
            assert!(listed[0] >= first, "it never slides back");
            first = listed[0];
            assert_eq!(listed.last(), Some(&(at - 1)));
            let text = String::from_utf8(window.text(begins, false).plain().to_vec()).unwrap();
            assert!(text.contains(&format!("#EXT-X-MEDIA-SEQUENCE:{first}\n")), "{text}");
            assert_eq!(text.contains("#EXT-X-PLAYLIST-TYPE:EVENT"), longest.is_none(), "{text}");
        }
        assert_eq!(60 - first, segments, "{longest:?}");
    }
}
