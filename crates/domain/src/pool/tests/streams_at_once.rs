//! How many streams a user may watch at once: each of its devices that plays is one.

use super::*;
use crate::key::{LiveStreamId, OpeningId};
use crate::openings::{ClientOpening, Mention, MentionKind};

/// Lets a viewer's user open a channel on a device that it has not used yet.
fn may(bench: &Bench, number: u8, limit: u32) -> bool {
    bench.pool.may_watch(Account(u64::from(number)), Some(&DeviceId::new("another")), limit)
}

#[test]
fn each_device_of_a_user_that_plays_is_one() {
    let mut bench = Bench::new(Limits { slots: 8, ..LIMITS });
    for number in [1, 2, 3] {
        bench.pool.account_is_of(Account(number), "alice");
    }
    bench.pool.account_is_of(Account(4), "bob");
    assert!(may(&bench, 1, 1) && !may(&bench, 1, 0));
    let (_, first, _) = bench.serve(1, 1, at(0));
    bench.serve(1, 2, at(0));
    bench.serve(2, 4, at(0));
    assert!(!may(&bench, 3, 2) && may(&bench, 3, 3), "on one channel or on two");
    assert!(may(&bench, 4, 2) && !may(&bench, 4, 1), "another user has its own");
    let own = bench.pool.may_watch(Account(1), Some(&DeviceId::new("device-1")), 2);
    assert!(own, "a device that zaps leaves what it plays");
    bench.pool.leave(vec![(first, LeaveReason::Silence)], at(1));
    assert!(may(&bench, 3, 2));
    assert!(may(&bench, 9, 1), "nothing is known of it");
}

/// A channel that a client has open counts before and without a playlist of ours, and no longer than that.
#[test]
fn what_is_open_counts_until_it_is_stopped() {
    let mut bench = Bench::new(LIMITS);
    let live_stream = LiveStreamId::new("l");
    let opening = ClientOpening {
        item: None,
        account: Some(Account(1)),
        device: Some(DeviceId::new("device-1")),
        live_stream: live_stream.clone(),
        play_session: None,
        name: None,
        abandoned: false,
    };
    bench.pool.handle_event(Event::Opened(OpeningId(1), opening), at(0));
    assert!(!may(&bench, 1, 1));
    // The same device by its openings and by its consumer is one.
    bench.serve(1, 1, at(1));
    assert!(may(&bench, 1, 2));
    let mut bench = Bench::new(LIMITS);
    let opening = ClientOpening {
        item: None,
        account: Some(Account(1)),
        device: None,
        live_stream: live_stream.clone(),
        play_session: None,
        name: None,
        abandoned: false,
    };
    bench.pool.handle_event(Event::Opened(OpeningId(1), opening), at(0));
    let mention = Mention { account: Some(Account(1)), live_stream: Some(live_stream), ..Mention::default() };
    bench.pool.handle_event(Event::Mentioned(mention, MentionKind::Stopped), at(1));
    assert!(may(&bench, 1, 1));
}

#[test]
fn accounts_that_nobody_uses_are_forgotten_when_there_are_too_many() {
    let mut bench = Bench::new(LIMITS);
    bench.serve(1, 1, at(0));
    for number in 1..10_000 {
        bench.pool.account_is_of(Account(number), "alice");
    }
    assert!(bench.pool.users.len() <= 4096 && bench.pool.users.contains_key(&Account(1)));
    bench.pool.account_is_of(Account(250), "alice");
    assert!(!may(&bench, 250, 1), "who watches is still counted");
}

/// What the server itself sends counts for as long as it is sent, however many requests a player makes for it.
#[test]
fn what_the_server_sends_counts_until_it_ends() {
    let mut bench = Bench::new(LIMITS);
    let device = || Some(DeviceId::new("device-1"));
    for _ in 0..2 {
        bench.pool.handle_event(Event::MediaBegins(Account(1), device()), at(0));
    }
    assert!(!may(&bench, 1, 1) && may(&bench, 1, 2));
    bench.pool.handle_event(Event::MediaBegins(Account(2), None), at(0));
    bench.pool.handle_event(Event::MediaEnds(Account(1), device()), at(1));
    assert!(!may(&bench, 1, 1));
    bench.pool.handle_event(Event::MediaEnds(Account(1), device()), at(2));
    assert!(may(&bench, 1, 1) && !may(&bench, 2, 1));
}
