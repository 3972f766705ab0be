//! Channels that are started before anybody asks for them.

use super::*;
use crate::key::{AskingId, LiveStreamId, OpeningId};
use crate::openings::ClientOpening;
use crate::reason::{CloseReason, StopReason, WarmUpRefusal};
use crate::tuners::{HostKind, TunerHost};
use crate::value::Thrift;

const AHEAD: Limits = Limits {
    slots: 8,
    disk_budget: u64::MAX,
    memory: u64::MAX,
    own_credential: true,
    thrift: Some(Thrift::Balanced),
    ..LIMITS
};

/// A viewer who steps through channels 1 to 9.
struct Stepper {
    bench: Bench,
    now: u64,
    number: u64,
}

fn item(channel: u8) -> ItemId {
    key(channel).channel.item
}

fn ahead(channel: u8) -> Action {
    Action::WarmUp(item(channel), Expecter::Foresight)
}

impl Stepper {
    fn with(limits: Limits, tuners: u32) -> Self {
        Self::before(Bench::new(limits), tuners)
    }

    fn before(mut bench: Bench, tuners: u32) -> Self {
        let host = TunerHost { id: "host".to_owned(), kind: HostKind::Other, count: tuners, provider: None };
        bench.pool.handle_event(Event::TunerHosts(vec![host]), at(0));
        bench.pool.handle_event(Event::ChannelOrder((1..=9).map(item).collect()), at(0));
        Self { bench, now: 1000, number: 0 }
    }

    fn at(&self) -> Timestamp {
        at(self.now)
    }

    /// A client opens a channel, for which the server takes so many milliseconds.
    fn opens(&mut self, channel: u8, took: u64) {
        self.number += 1;
        let (asking, opening) = (AskingId(self.number), OpeningId(self.number));
        self.bench.pool.handle_event(Event::Asks(asking, Some(item(channel))), self.at());
        self.now += took;
        let opened = ClientOpening {
            account: Some(Account(99)),
            device: None,
            live_stream: LiveStreamId::new(format!("live-{channel}")),
            item: Some(item(channel)),
            play_session: None,
            name: None,
            abandoned: false,
        };
        self.bench.pool.handle_event(Event::Opened(opening, opened), self.at());
        self.bench.pool.handle_event(Event::Answered(asking), self.at());
        self.bench.pool.handle_event(Event::OpeningLost(opening), self.at());
    }

    /// The viewer tunes, and gets the first segment two seconds later. Returns what the pool does for it.
    fn tunes(&mut self, channel: u8) -> Vec<Action> {
        self.now += 5000;
        let (stream, ..) = self.bench.serve(channel, 1, self.at());
        let mut done = self.bench.actions();
        self.now += 2000;
        self.bench.segment(stream, 0, self.at());
        done.extend(self.bench.actions());
        done
    }

    fn warms(&mut self, channel: u8) -> Result<Joined, WarmUpRefusal> {
        self.bench.pool.warm_up(&key(channel).channel, &tap(channel), Expecter::Foresight, at(self.now))
    }

    /// Lets time pass until the pool does something. Returns how long that took.
    fn waits_for(&mut self, action: &Action) -> Duration {
        let begun = self.at();
        loop {
            let due = self.bench.pool.next_deadline().unwrap();
            self.bench.pool.handle_timeout(due);
            if self.bench.actions().contains(action) {
                return due.since(begun);
            }
        }
    }

    /// The viewer has stepped from 1 to 3, and 4 was opened for that.
    fn at_the_third() -> (Self, Joined) {
        let mut stepper = Self::with(AHEAD, 6);
        stepper.opens(4, 500);
        for channel in 1..=2 {
            stepper.tunes(channel);
        }
        let done = stepper.tunes(3);
        let first = done.iter().find(|action| matches!(action, Action::WarmUp(..)));
        assert_eq!(first, Some(&ahead(4)), "the next one in the direction of its steps comes first");
        let joined = stepper.warms(4).unwrap();
        assert!(joined.opens);
        stepper.bench.actions();
        (stepper, joined)
    }
}

#[test]
fn who_steps_finds_the_next_channel_open() {
    let (mut stepper, joined) = Stepper::at_the_third();
    let now = stepper.at();
    let view = &stepper.bench.pool.snapshot(now).warmed_up[0];
    let why = view.why.as_ref().unwrap();
    assert_eq!((view.by, &why.item, why.verdict), (Expecter::Foresight, &item(4), "start-ahead"));
    let player = viewer(1);
    assert_eq!(why.wanted_by, Some((player.account, player.device)));
    assert!(why.worth.index > why.price);
    stepper.bench.pool.handle_event(Event::InputGrew { input: joined.input, held: 1, pulled: 1 }, now);
    let actions = stepper.tunes(4);
    let closed = Action::CloseInput { input: joined.input, reason: CloseReason::Unneeded };
    assert!(actions.contains(&closed), "the server makes the stream, which keeps the channel open");
    assert!(stepper.bench.pool.snapshot(stepper.at()).warmed_up.is_empty());
}

#[test]
fn what_is_not_worth_it_any_more_is_closed() {
    let (mut stepper, joined) = Stepper::at_the_third();
    let closed = Action::CloseInput { input: joined.input, reason: CloseReason::Unneeded };
    let kept = stepper.waits_for(&closed);
    assert!(kept > Duration::from_secs(5) && kept < AHEAD.warm_feed, "{kept:?}");
    let last = stepper.bench.pool.decisions().rfind(|decision| decision.item == item(4)).unwrap();
    assert_eq!(last.verdict, "time-out");
    assert!(last.worth.index < last.price);
}

#[test]
fn nothing_is_started_where_nobody_wants_it() {
    let mut stepper = Stepper::with(Limits { starts_ahead: false, ..AHEAD }, 6);
    for channel in 1..=9 {
        let done = stepper.tunes(channel);
        assert!(!done.iter().any(|action| matches!(action, Action::WarmUp(..))), "{done:?}");
    }
    let (mut stepper, joined) = Stepper::at_the_third();
    let off = Limits { starts_ahead: false, ..AHEAD };
    stepper.bench.pool.handle_event(Event::LimitsChanged(off), at(stepper.now));
    let closed = Action::CloseInput { input: joined.input, reason: CloseReason::Unneeded };
    assert!(stepper.bench.actions().contains(&closed), "a change takes effect at once");
}

/// The server opens one channel after another: a viewer who tunes meanwhile would wait.
#[test]
fn the_server_is_asked_only_where_that_delays_nobody_for_long() {
    let mut stepper = Stepper::with(AHEAD, 6);
    stepper.opens(2, 500);
    stepper.opens(3, 10_000);
    assert_eq!(stepper.warms(1).unwrap_err(), WarmUpRefusal::Slow, "nobody knows how long it takes");
    assert_eq!(stepper.warms(3).unwrap_err(), WarmUpRefusal::Slow);
    stepper.bench.pool.handle_event(Event::Asks(AskingId(99), Some(item(7))), stepper.at());
    assert_eq!(stepper.warms(2).unwrap_err(), WarmUpRefusal::Busy);
    stepper.bench.pool.handle_event(Event::Answered(AskingId(99)), stepper.at());
    assert!(stepper.warms(2).unwrap().opens);
    let again = stepper.bench.pool.warm_up(&key(3).channel, &tap(3), Expecter::Operator, at(stepper.now));
    assert!(again.unwrap().opens, "an operator decides for himself");

    let mut untold = Stepper { bench: Bench::new(AHEAD), now: 1000, number: 0 };
    untold.opens(2, 500);
    assert_eq!(untold.warms(2).unwrap_err(), WarmUpRefusal::NoLimit, "a provider may end what is watched");
}

/// Every look would decide it anew, and be refused.
#[test]
fn at_the_server_alone_only_what_it_opens_quickly_is_decided() {
    for is_known in [true, false] {
        let alone = Bench { pool: Pool::new(AHEAD, []), tokens: 0, now: at(0) };
        let mut stepper = Stepper::before(alone, 6);
        if is_known {
            stepper.opens(4, 500);
        }
        let done: Vec<_> = (1..=3).flat_map(|channel| stepper.tunes(channel)).collect();
        assert_eq!(done.contains(&ahead(4)), is_known, "{done:?}");
        let decided = stepper.bench.pool.decisions().filter(|decision| decision.verdict == "start-ahead");
        assert_eq!(decided.count(), usize::from(is_known));
    }
}

#[test]
fn what_was_open_already_tells_nothing_of_how_long_opening_takes() {
    let mut stepper = Stepper::with(AHEAD, 6);
    stepper.opens(2, 500);
    stepper.warms(2).unwrap();
    stepper.now += 8 * 24 * 3_600_000;
    stepper.bench.pool.handle_timeout(stepper.at());
    assert_eq!(stepper.warms(2).unwrap_err(), WarmUpRefusal::Slow, "that was long ago");
    stepper.bench.tune(2, 1, stepper.at());
    stepper.opens(2, 5);
    assert_eq!(stepper.warms(3).unwrap_err(), WarmUpRefusal::Slow);
    assert!(!stepper.bench.pool.foresight.opens_quickly(&item(2), stepper.at()));
}

/// The household of `simulate::tuners` shows that no recording and no viewer pays for it.
#[test]
fn what_is_worth_less_makes_room() {
    let mut stepper = Stepper::with(Limits { slots: 3, thrift: Some(Thrift::Full), ..AHEAD }, 9);
    stepper.bench.pool.foresight.has_started(&item(2), Duration::from_secs(20));
    stepper.opens(2, 500);
    stepper.bench.pool.item_has_source(&item(2), &key(2).channel.source);
    let (other, ..) = stepper.bench.serve(9, 2, stepper.at());
    stepper.bench.segment(other, 0, stepper.at());
    stepper.bench.pool.handle_event(goodbye("play-2"), stepper.at());
    stepper.now += 5000;
    stepper.bench.pool.handle_timeout(stepper.at());
    stepper.now += 30_000;
    let done = stepper.tunes(1);
    assert!(done.contains(&Action::Stop { stream: other, reason: StopReason::Outbid }), "{done:?}");
    assert!(!done.contains(&ahead(2)), "its tuner is not free yet");
    stepper.bench.pool.handle_event(Event::Retired(other), stepper.at());
    assert!(stepper.bench.actions().contains(&ahead(2)));
}

#[test]
fn what_fails_is_left_alone_for_a_while() {
    let (mut stepper, joined) = Stepper::at_the_third();
    stepper.bench.pool.handle_event(Event::InputEnded(joined.input, Failure::Refused), stepper.at());
    stepper.bench.pool.handle_event(Event::InputClosed(joined.input), stepper.at());
    let is_candidate = |pause| {
        let now = at(stepper.now + pause);
        stepper.bench.pool.foresight.candidates(player_of(&viewer(1)), now).contains(&item(4))
    };
    assert_eq!([0, 59_999, 60_000].map(is_candidate), [false, false, true]);
}

/// Players say goodbye before they open the next channel.
#[test]
fn who_says_goodbye_and_tunes_again_has_stepped() {
    let mut stepper = Stepper::with(AHEAD, 6);
    stepper.opens(4, 500);
    let mut done = Vec::new();
    for channel in 1..=3 {
        done = stepper.tunes(channel);
        stepper.bench.pool.handle_event(goodbye("play-1"), stepper.at());
        stepper.now += 3000;
        stepper.bench.pool.handle_timeout(stepper.at());
    }
    assert!(done.contains(&ahead(4)), "{done:?}");
}

#[test]
fn what_nobody_watches_is_looked_at_again_although_nothing_happens() {
    let mut stepper = Stepper::with(AHEAD, 6);
    let (stream, ..) = stepper.bench.serve(1, 1, stepper.at());
    stepper.bench.segment(stream, 0, stepper.at());
    stepper.bench.pool.handle_event(goodbye("play-1"), stepper.at());
    let kept = stepper.waits_for(&Action::Stop { stream, reason: StopReason::Idle });
    assert!(kept > Duration::from_secs(10) && kept < AHEAD.idle_timeout, "{kept:?}");
}

/// It may watch it in a moment, and holds the tuner in any case.
#[test]
fn what_a_client_has_open_is_not_let_go() {
    let mut stepper = Stepper::with(AHEAD, 6);
    let (stream, ..) = stepper.bench.serve(1, 1, stepper.at());
    stepper.bench.segment(stream, 0, stepper.at());
    stepper.bench.pool.handle_event(goodbye("play-1"), stepper.at());
    stepper.bench.pool.handle_event(Event::Asks(AskingId(7), Some(item(1))), stepper.at());
    let waits = at(stepper.now + 300_000);
    while let Some(due) = stepper.bench.pool.next_deadline().filter(|due| *due < waits) {
        stepper.bench.pool.handle_timeout(due);
    }
    assert!(!stepper.bench.actions().contains(&Action::Stop { stream, reason: StopReason::Idle }));
}

#[test]
fn of_a_provider_neither_the_last_connection_is_taken_nor_one_of_an_unknown_number() {
    let warms = |connections: [u32; 1]| {
        let mut pool = Pool::new(AHEAD, connections);
        pool.warm_up(&key(1).channel, &lineup(1), Expecter::Foresight, at(0)).map(|joined| joined.opens)
    };
    assert_eq!(warms([2]), Ok(true));
    assert!(warms([1]).is_err(), "the last one");
    assert!(warms([0]).is_err(), "nobody knows how many");
    let mut pool = Pool::new(AHEAD, [0]);
    assert!(pool.warm_up(&key(1).channel, &lineup(1), Expecter::Operator, at(0)).is_ok());
}

#[test]
fn the_server_opens_one_channel_at_a_time_for_nobody() {
    let mut stepper = Stepper::with(AHEAD, 8);
    stepper.opens(2, 500);
    stepper.opens(3, 500);
    let joined = stepper.warms(2).unwrap();
    assert_eq!(stepper.warms(3).unwrap_err(), WarmUpRefusal::Busy);
    let grew = Event::InputGrew { input: joined.input, held: 1, pulled: 1 };
    stepper.bench.pool.handle_event(grew, stepper.at());
    assert!(stepper.warms(3).is_ok());
}
