//! Who joins which input, who gives way, and what an end means.

use super::*;
use crate::reason::CloseReason;

impl Bench {
    /// Does what is asked for at once: nothing that is stopped or closed takes its time.
    fn settle(&mut self, now: Timestamp) -> Vec<Action> {
        let mut done = Vec::new();
        while let Some(action) = self.pool.poll_action() {
            match &action {
                Action::Stop { stream, .. } => self.pool.handle_event(Event::Retired(*stream), now),
                Action::CloseInput { input, .. } => self.pool.handle_event(Event::InputClosed(*input), now),
                _ => {}
            }
            done.push(action);
        }
        done
    }

    /// A reader of this channel came at 0 and left at `at`: its input.
    fn lingering(&mut self, wanted: &Wanted, left: Timestamp) -> InputId {
        let (reader, joined) = self.pool.read_input(wanted, at(0)).unwrap();
        self.pool.handle_event(Event::ReaderLeft(reader), left);
        self.actions();
        joined.input
    }
}

fn closed(input: InputId) -> Action {
    Action::CloseInput { input, reason: CloseReason::TunerNeeded }
}

#[test]
fn a_connection_is_needed_elsewhere_only_if_nobody_watches_what_is_made_of_it() {
    for also_watched in [true, false] {
        let mut bench = Bench::new(LIMITS);
        let (stream, ..) = bench.serve(1, 1, at(0));
        bench.pool.join_input(stream, &lineup(1), at(0)).unwrap();
        if also_watched {
            let (watched, ..) = bench.serve(2, 2, at(0));
            bench.pool.join_input(watched, &lineup(1), at(0)).unwrap();
        }
        bench.pool.handle_event(goodbye("play-1"), at(0));
        bench.pool.handle_timeout(at(2000));
        assert!(!bench.pool.is_watched(stream));
        bench.actions();
        bench.pool.handle_event(Event::ConnectionNeeded(vec![1]), at(2000));
        assert_eq!(bench.actions(), [], "that of another playlist would not help");
        bench.pool.handle_event(Event::ConnectionNeeded(vec![0]), at(2000));
        let stopped = Action::Stop { stream, reason: StopReason::TunerNeeded };
        assert_eq!(bench.actions(), if also_watched { vec![] } else { vec![stopped] });
    }
}

/// A channel that was left a moment ago is the likeliest to be zapped back to.
#[test]
fn the_channel_left_longest_ago_gives_way_whatever_it_was_used_for() {
    let unlimited = |channel: u8| {
        let lineup = lineup(channel).lineup.map(|lineup| LineupInput { playlists: vec![1], ..lineup });
        Wanted { lineup, tap: None }
    };
    for (denied, event) in [(true, Event::TunerDenied(None)), (false, Event::ConnectionNeeded(vec![1]))] {
        let mut bench = Bench::new(Limits { slots: 4, ..LIMITS });
        let last = bench.lingering(&unlimited(8), at(56_000));
        let first = bench.lingering(&unlimited(9), at(1000));
        let (stream, ..) = bench.serve(1, 1, at(0));
        let joined = bench.pool.join_input(stream, &unlimited(1), at(0)).unwrap();
        bench.segment(stream, 1, at(0));
        bench.pool.join_input(stream, &unlimited(1), at(0)).unwrap();
        bench.pool.handle_event(goodbye("play-1"), at(28_000));
        bench.pool.handle_timeout(at(30_000));
        bench.settle(at(30_000));
        let mut freed = || {
            bench.pool.handle_event(event.clone(), at(60_000));
            bench.settle(at(60_000))
        };
        assert_eq!(freed()[0], closed(first));
        let stopped = freed();
        assert_eq!(stopped[0], Action::Stop { stream, reason: StopReason::TunerNeeded }, "{denied}");
        assert!(
            stopped
                .iter()
                .any(|action| matches!(action, Action::CloseInput { input, .. } if *input != joined.input))
        );
        assert_eq!(freed()[0], closed(last));
        assert_eq!(freed(), []);
    }
}

#[test]
fn whoever_has_just_opened_a_channel_gives_way_last() {
    let mut bench = Bench::new(LIMITS);
    let expected = bench.pool.prefetch(&key(2).channel, Account(9), &tap(2), at(0)).unwrap().input;
    let left = bench.lingering(&tap(3), at(1000));
    bench.pool.handle_event(Event::TunerDenied(None), at(2000));
    assert_eq!(bench.settle(at(2000))[0], closed(left));
    bench.pool.handle_event(Event::TunerDenied(None), at(2000));
    assert_eq!(bench.settle(at(2000))[0], closed(expected));
    bench.pool.handle_event(Event::TunerDenied(None), at(2000));
    assert_eq!(bench.settle(at(2000)), [], "nothing is idle any more");
}

#[test]
fn whoever_opens_a_channel_is_expected_for_a_while_and_as_many_as_there_are_slots() {
    let mut bench = Bench::new(LIMITS);
    let mut prefetch = |channel, account, now| {
        let joined = bench.pool.prefetch(&key(channel).channel, Account(account), &tap(channel), now);
        (joined.map(|joined| joined.input), bench.actions())
    };
    let (one, opened) = prefetch(1, 1, at(0));
    let opens = |input, replaces| Action::OpenInput { input, replaces };
    assert_eq!(opened, [opens(one.unwrap(), None)]);
    assert_eq!(prefetch(1, 2, at(15_000)), (one, vec![]), "another has opened it as well");
    let (two, _) = prefetch(2, 1, at(16_000));
    let (three, actions) = prefetch(3, 1, at(17_000));
    let superseded = Action::CloseInput { input: one.unwrap(), reason: CloseReason::Superseded };
    assert_eq!(actions, [opens(three.unwrap(), None), superseded]);
    bench.pool.handle_timeout(at(35_999));
    assert_eq!(bench.actions(), []);
    bench.pool.handle_timeout(at(36_000));
    let unneeded =
        |input: Option<InputId>| Action::CloseInput { input: input.unwrap(), reason: CloseReason::Unneeded };
    assert_eq!(bench.actions(), [unneeded(two)]);
    assert_eq!(bench.pool.next_deadline(), Some(at(37_000)));
    bench.pool.handle_timeout(at(37_000));
    assert_eq!(bench.actions(), [unneeded(three)]);
}

#[test]
fn a_logout_closes_what_only_its_token_could_release() {
    let mut bench = Bench::new(Limits { slots: 4, ..LIMITS });
    let mut prefetch = |channel, account| {
        let joined = bench.pool.prefetch(&key(channel).channel, Account(account), &either(channel), at(0));
        joined.unwrap().input
    };
    let (_lineup, only, shared) = (prefetch(1, 1), prefetch(2, 1), prefetch(3, 1));
    assert_eq!(prefetch(3, 2), shared);
    bench.actions();
    bench.pool.handle_event(Event::LoggingOut(Account(1)), at(1));
    assert_eq!(bench.actions(), [Action::CloseInput { input: only, reason: CloseReason::LoggedOut }]);
}

#[test]
fn a_stream_is_gone_when_the_input_is_closed_that_it_was_the_last_to_need() {
    let mut bench = Bench::new(LIMITS);
    let stream = bench.deserted(false);
    let input = bench.pool.input_of(stream).unwrap();
    bench.pool.handle_event(Event::TunerDenied(None), at(2000));
    assert_eq!(bench.actions(), [Action::Stop { stream, reason: StopReason::TunerNeeded }]);
    bench.pool.handle_event(Event::Retired(stream), at(2001));
    assert_eq!(bench.actions(), [Action::CloseInput { input, reason: CloseReason::Unneeded }]);
    assert_eq!(
        bench.pool.closing(),
        [Open::Stream(stream), Open::Input(input)].into(),
        "its tuner is not free yet"
    );
    bench.pool.handle_event(Event::InputClosed(input), at(2002));
    assert_eq!(bench.actions(), [Action::ForgetInput(input), Action::Forget(stream)]);
    assert_eq!(bench.pool.closing(), Closing::new());
}

#[test]
fn a_resting_stream_fails_with_its_input() {
    let mut bench = Bench::new(LIMITS);
    let stream = bench.deserted(true);
    let input = bench.pool.input_of(stream).unwrap();
    bench.pool.handle_event(Event::InputEnded(InputId(99), Failure::Gone), at(2000));
    bench.pool.handle_timeout(at(121_000));
    assert_eq!(bench.actions(), [Action::Rest { stream, reason: StopReason::Idle }]);
    bench.pool.handle_event(Event::InputEnded(input, Failure::Gone), at(122_000));
    assert_eq!(bench.actions(), [Action::Stop { stream, reason: StopReason::Failed }]);
}

#[test]
fn a_new_input_takes_over_the_members_of_the_one_that_ended() {
    let mut bench = Bench::new(LIMITS);
    let (stream, ..) = bench.serve(1, 1, at(0));
    let before = bench.pool.join_input(stream, &either(1), at(0)).unwrap();
    assert!(before.opens);
    let (_, read) = bench.pool.read_input(&lineup(1), at(0)).unwrap();
    assert_eq!((read.input, read.opens), (before.input, false));
    bench.actions();
    bench.pool.handle_event(Event::InputEnded(before.input, Failure::Ended), at(1));
    let after = bench.pool.join_input(stream, &either(1), at(2)).unwrap();
    assert!(after.opens && after.input != before.input && after.key == before.key, "its connection is free");
    let replaced = Action::CloseInput { input: before.input, reason: CloseReason::Replaced };
    let opened = Action::OpenInput { input: after.input, replaces: Some(before.input) };
    assert_eq!(bench.actions(), [replaced, opened]);
    let inputs = bench.snapshot().inputs;
    assert!(matches!(&inputs[..], [input] if input.is_read && input.streams == [stream]));
}

#[test]
fn a_stream_takes_the_servers_input_where_the_provider_has_no_connection_left() {
    let mut bench = Bench::new(LIMITS);
    let of = |bench: &mut Bench, number| {
        let (stream, ..) = bench.serve(number, number, at(0));
        bench.pool.join_input(stream, &either(number), at(0)).unwrap().key
    };
    assert!(matches!(of(&mut bench, 1), InputKey::Lineup(_)));
    assert!(matches!(of(&mut bench, 2), InputKey::Tap(_)));
    assert!(bench.pool.read_input(&lineup(3), at(0)).is_err());
}
