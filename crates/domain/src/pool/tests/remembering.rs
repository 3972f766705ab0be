//! What a pool has learned, and another one begins with.

use super::*;
use crate::pool::foresight::{KnownChannel, Remembered};
use crate::prediction::Switch;
use crate::value::Thrift;

const LEARNING: Limits = Limits {
    slots: 8,
    disk_budget: u64::MAX,
    memory: u64::MAX,
    own_credential: true,
    thrift: Some(Thrift::Balanced),
    ..LIMITS
};

const DAY: u64 = 24 * 3600 * 1000;

fn item(channel: u8) -> ItemId {
    key(channel).channel.item
}

/// A pool that tells what it learns, and knows the order of nine channels.
fn learning() -> Bench {
    let mut bench = Bench::new(LEARNING);
    bench.pool.begin_with([]);
    bench.pool.handle_event(Event::ChannelOrder((1..=9).map(item).collect()), at(0));
    bench
}

/// Viewer `number` tunes, has a picture after two seconds, and the pool goes on until `until`.
fn watches(bench: &mut Bench, (channel, number): (u8, u8), from: u64, until: u64) {
    let (stream, ..) = bench.serve(channel, number, at(from));
    bench.segment(stream, 0, at(from + 2000));
    bench.actions();
    passes(bench, until);
}

fn passes(bench: &mut Bench, until: u64) {
    while let Some(due) = bench.pool.next_deadline().filter(|due| *due <= at(until)) {
        bench.pool.handle_timeout(due);
        let closed: Vec<_> = bench.actions();
        for action in closed {
            if let Action::Stop { stream, .. } = action {
                bench.pool.handle_event(Event::Retired(stream), due);
            }
        }
    }
}

/// Two evenings of a viewer who steps, returns and chooses, and of another who does little.
fn two_evenings(bench: &mut Bench) -> Vec<Remembered> {
    for day in 0..2 {
        let begin = 20 * 3_600_000 + day * DAY;
        for (step, channel) in [1, 2, 3, 2, 7, 1].into_iter().enumerate() {
            let from = begin + step as u64 * 9000;
            watches(bench, (channel, 1), from, from + 8000);
        }
        watches(bench, (5, 2), begin + 600_000, begin + 610_000);
        passes(bench, begin + 3_600_000);
    }
    bench.pool.foresight.has_failed(&item(8), at(2 * DAY));
    bench.pool.take_remembered()
}

#[test]
fn each_way_to_come_to_a_channel_is_told() {
    let told = two_evenings(&mut learning());
    let of_first = told.iter().filter_map(|told| match told {
        Remembered::Came { player, how, .. } if player.user == Some(1) => Some(*how),
        Remembered::Came { .. }
        | Remembered::Left { .. }
        | Remembered::Order(_)
        | Remembered::Channel(..)
        | Remembered::Attempt(..) => None,
    });
    use Switch::{Choice, Down, On, Up};
    assert_eq!(of_first.take(6).collect::<Vec<_>>(), [On, Up, Up, Down, Choice, Choice]);
    let left = told.iter().filter(|told| matches!(told, Remembered::Left { .. })).count();
    assert_eq!(left, 4, "each viewer switches off each evening");
}

/// The server was not to be reached when it tuned, so its user was not known. Nobody else ever leaves in that player's name.
#[test]
fn whoever_turns_out_to_be_another_player_is_not_watching_twice() {
    let mut bench = learning();
    let unknown = PlayerKey { user: None, device: None };
    bench.pool.foresight.tuned(unknown, &viewer(1), &item(1), at(0));
    bench.pool.foresight.tuned(player_of(&viewer(1)), &viewer(1), &item(2), at(5000));
    assert!(bench.pool.take_remembered().contains(&Remembered::Left { player: unknown, at: at(5000) }));
}

#[test]
fn who_returns_by_no_step_goes_back() {
    let mut bench = learning();
    for (step, channel) in [1, 5, 1].into_iter().enumerate() {
        watches(&mut bench, (channel, 1), step as u64 * 9000, step as u64 * 9000 + 8000);
    }
    let told = bench.pool.take_remembered();
    let last = told.iter().rev().find(|told| matches!(told, Remembered::Came { .. }));
    assert!(matches!(last, Some(Remembered::Came { how: Switch::Back, .. })), "{last:?}");
}

/// The other pool predicts as the first one did, at any moment.
#[test]
fn a_pool_that_begins_with_it_predicts_as_before() {
    let mut before = learning();
    let told = two_evenings(&mut before);
    let mut after = Bench::new(LEARNING);
    after.pool.begin_with(told);
    let (before, after) = (&before.pool.foresight, &after.pool.foresight);
    assert_eq!(after.prediction_in_full(), before.prediction_in_full());
    let now = at(2 * DAY + 1);
    for channel in 1..=9 {
        assert_eq!(after.knows_of(&item(channel)), before.knows_of(&item(channel)), "{channel}");
        let worth = |foresight: &crate::pool::foresight::Foresight| {
            let offer = foresight.offer(&item(channel), crate::value::Readiness::Ready);
            offer.map(|offer| foresight.appraisal(Thrift::Balanced, now).worth(&offer).wanted)
        };
        assert_eq!(worth(after), worth(before), "{channel}");
    }
    let known = before.knows_of(&item(8));
    assert!(matches!(known, KnownChannel { failures: Some((1, _)), .. }), "{known:?}");
}

#[test]
fn nothing_is_kept_for_nobody_and_not_without_end() {
    let mut bench = Bench::new(LEARNING);
    watches(&mut bench, (1, 1), 0, 0);
    assert!(bench.pool.take_remembered().is_empty());
    bench.pool.begin_with([]);
    for _ in 0..5000 {
        bench.pool.foresight.has_failed(&item(1), at(0));
    }
    assert_eq!(bench.pool.take_remembered().len(), 1000);
    assert!(!bench.pool.foresight.has_untold());
}

/// A viewer that leaves after a hand-over has switched off for the process that has taken over, although it tuned before.
#[test]
fn departures_are_told_by_the_process_that_sees_them() {
    let mut old = learning();
    watches(&mut old, (1, 1), 0, 5000);
    let told = old.pool.take_remembered();
    let parts = old.pool.freeze(at(6000));
    let mut new = Bench { tokens: old.tokens, now: at(6000), ..Bench::new(LEARNING) };
    new.pool.begin_with(told);
    new.pool.go_on_with(parts);
    passes(&mut new, 3_600_000);
    let told = new.pool.take_remembered();
    let player = player_of(&viewer(1));
    assert!(told.iter().any(|told| matches!(told, Remembered::Left { player: left, .. } if *left == player)));
}

/// The other pool does not try again what could not be made, so that nobody waits for that in vain.
#[test]
fn what_could_not_be_made_is_not_tried_by_the_next_pool() {
    let mut before = Bench::new(LEARNING);
    before.pool.begin_with([]);
    let tune = |bench: &mut Bench| {
        bench.tokens += 1;
        let fresh = ConsumerId::from_bits(bench.tokens);
        bench.pool.tune(web_tune(key(1), viewer(1), Produce::Auto, fresh), at(1000));
        bench.actions().into_iter().find_map(|action| {
            let Action::Start { stream, generation, method } = action else { return None };
            Some((stream, generation, method))
        })
    };
    let (stream, generation, method) = tune(&mut before).unwrap();
    assert_eq!(method, ProductionMethod::Own);
    before.pool.handle_event(Event::Failed { stream, generation, failure: Failure::Unsuitable }, at(2000));
    let told = before.pool.take_remembered();
    let mut after = Bench::new(LEARNING);
    after.pool.begin_with(told);
    assert_eq!(tune(&mut after).unwrap().2, ProductionMethod::Adopted);
}
