//! One pool goes on with what another one has.

use super::*;
use crate::key::{LiveStreamId, OpeningId};
use crate::openings::ClientOpening;
use crate::reason::{CloseReason, ReturnReason};

/// Another pool that has been given everything, as by another process.
fn heir(old: &mut Bench, now: Timestamp) -> Bench {
    let parts = serde_json::to_string(&old.pool.freeze(now)).unwrap();
    let mut heir = Bench { tokens: old.tokens, now, ..Bench::new(LIMITS) };
    heir.pool.go_on_with(serde_json::from_str(&parts).unwrap());
    heir.pool.crowd.check();
    heir
}

fn opening(number: u8) -> ClientOpening {
    let Viewer { account, device, play_session } = viewer(number);
    ClientOpening {
        account: Some(account),
        device,
        live_stream: LiveStreamId::new("live"),
        item: None,
        play_session,
        name: None,
        abandoned: false,
    }
}

#[test]
fn streams_go_on_with_their_next_generation_and_viewers_where_they_are() {
    let mut old = Bench::new(LIMITS);
    let (watched, consumer, _) = old.serve(1, 1, at(0));
    old.segment(watched, 10, at(1000));
    old.pool.join(consumer, Some(LIST), at(1000));
    old.pool.segment_requested(consumer, 1, at(1100));
    let (warm, left, _) = old.serve(2, 2, at(1000));
    old.segment(warm, 10, at(2000));
    old.pool.handle_event(goodbye("play-2"), at(2500));
    old.actions();

    let mut new = heir(&mut old, at(3000));
    let start = |stream| Action::Start { stream, generation: 2, method: ProductionMethod::Adopted };
    assert_eq!(new.actions(), [start(watched), start(warm)]);
    assert_eq!(new.presence(consumer), Some(Presence::Playing));
    assert_eq!(new.serve(1, 1, at(3100)).1, consumer, "it keeps its token");
    assert_eq!(new.pool.list_of(consumer), Some(LIST));
    assert_eq!(new.pool.segment_requested(consumer, 2, at(3200)), Some(watched));
    new.pool.handle_timeout(at(5000));
    assert_eq!(new.presence(left).map(Presence::is_present), Some(false), "its goodbye takes effect");
    assert!(!new.pool.is_established());
    new.segment(watched, 10, at(4000));
    new.segment(warm, 10, at(4000));
    assert!(new.pool.is_established());
    assert_eq!(new.serve(3, 3, at(6000)).0, StreamId(3), "no name is used twice");
    assert!(new.snapshot().tally.failures.is_empty());
}

/// Its player repeats its request at once, whichever process answers.
#[test]
fn whom_the_operator_has_sent_away_stays_away() {
    let mut old = Bench::new(LIMITS);
    let (_, consumer, _) = old.serve(1, 1, at(0));
    assert!(old.pool.send_away(consumer, at(1000)));
    old.actions();
    let mut new = heir(&mut old, at(2000));
    assert_eq!(new.tune(1, 1, at(3000)), Admission::Refused(RefuseReason::SentAway));
    assert!(matches!(new.tune(1, 1, at(62_000)), Admission::Serve { .. }));
}

/// The answers go on through the old process, and count for the limit of a user's streams.
#[test]
fn what_the_server_is_sending_is_counted_on() {
    let mut old = Bench::new(LIMITS);
    let player = || (Account(1), Some(DeviceId::new("phone")));
    for _ in 0..2 {
        old.pool.handle_event(Event::MediaBegins(player().0, player().1), at(0));
    }
    let mut new = heir(&mut old, at(1000));
    assert!(!new.pool.may_watch(Account(1), None, 1));
    new.pool.handle_event(Event::MediaEnds(player().0, player().1), at(2000));
    assert!(!new.pool.may_watch(Account(1), None, 1), "one of the two");
    new.pool.handle_event(Event::MediaEnds(player().0, player().1), at(2000));
    assert!(new.pool.may_watch(Account(1), None, 1));
}

#[test]
fn time_does_not_pass_for_a_frozen_pool() {
    let mut old = Bench::new(LIMITS);
    let (stream, consumer, _) = old.serve(1, 1, at(0));
    old.segment(stream, 10, at(1000));
    old.pool.handle_event(Event::Opened(OpeningId(1), opening(9)), at(1000));
    old.actions();
    let mut new = heir(&mut old, at(2000));
    new.actions();

    old.pool.handle_event(Event::Failed { stream, generation: 1, failure: Failure::Gone }, at(3000));
    old.pool.handle_timeout(at(300_000));
    assert_eq!((old.pool.next_deadline(), old.actions()), (None, vec![]));
    assert_eq!(old.presence(consumer).map(Presence::is_present), Some(true));
    new.pool.handle_timeout(at(121_000));
    let given_back = Action::GiveBack { opening: OpeningId(1), reason: ReturnReason::Unfollowed };
    assert!(new.actions().contains(&given_back), "the other one gives it back when that is due");

    old.pool.thaw();
    old.pool.handle_timeout(at(3600));
    let restart = Action::Start { stream, generation: 2, method: ProductionMethod::Adopted };
    assert_eq!(old.actions(), [restart]);
    old.pool.handle_timeout(at(121_000));
    assert!(old.actions().contains(&given_back));
}

#[test]
fn a_frozen_pool_ends_without_giving_back_what_is_not_its_own() {
    let mut old = Bench::new(LIMITS);
    let (stream, ..) = old.serve(1, 1, at(0));
    old.pool.handle_event(Event::Opened(OpeningId(1), opening(9)), at(0));
    old.actions();
    old.pool.freeze(at(1000));
    old.pool.handle_event(Event::Shutdown, at(300_000));
    let stop = Action::Stop { stream, reason: StopReason::Shutdown };
    assert_eq!(old.actions(), [stop]);
    old.pool.handle_event(Event::Retired(stream), at(300_000));
    assert_eq!(old.actions(), [Action::Forget(stream)]);
    assert!(old.pool.is_empty());
}

/// The provider may allow no further connection. One that a client reads through stays with the process that it reads from.
#[test]
fn what_is_pulled_from_a_provider_is_closed_before() {
    let mut old = Bench::new(LIMITS);
    let (stream, ..) = old.serve(1, 1, at(0));
    old.pool.join_input(stream, &lineup(1), at(0)).unwrap();
    let (other, ..) = old.serve(2, 2, at(0));
    old.pool.join_input(other, &tap(2), at(0)).unwrap();
    old.actions();
    old.pool.freeze(at(1000));
    let closing =
        |action: &Action| matches!(action, Action::CloseInput { reason: CloseReason::HandedOver, .. });
    assert_eq!(old.actions().iter().filter(|action| closing(action)).count(), 1);
    old.pool.thaw();

    let mut read = Bench::new(LIMITS);
    read.pool.read_input(&lineup(1), at(0)).unwrap();
    read.actions();
    read.pool.freeze(at(1000));
    assert_eq!(read.actions(), []);
}
