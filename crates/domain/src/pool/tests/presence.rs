//! Presence as the pool sees it: hints, zaps, suspects, and what is left after a million events.

use super::*;
use crate::consumer::Verdict;
use crate::key::{LiveStreamId, OpeningId};
use crate::openings::{ClientOpening, Mention, MentionKind};
use crate::reason::{Evidence, ReturnReason};

const PATIENT: Limits = Limits { patience: Duration::from_secs(1800), ..LIMITS };

impl Bench {
    fn signal(&mut self, whose: Whose, signal: Signal, now: Timestamp) {
        self.pool.handle_event(Event::Signal(whose, signal), now);
    }

    /// A viewer whose stream runs and who has fetched a segment.
    fn watching(&mut self, channel: u8, number: u8, now: Timestamp) -> (StreamId, ConsumerId) {
        let (stream, consumer, _) = self.serve(channel, number, now);
        self.segment(stream, 1, now);
        self.pool.segment_requested(consumer, 1, now);
        (stream, consumer)
    }

    /// Lets time pass as the driver does.
    fn wait(&mut self, until: u64) {
        while let Some(deadline) = self.pool.next_deadline().filter(|deadline| *deadline <= at(until)) {
            self.pool.handle_timeout(deadline);
        }
        self.now = at(until);
        self.pool.handle_timeout(self.now);
    }

    fn verdict(&self, consumer: ConsumerId) -> Verdict {
        let streams = self.snapshot().streams;
        let mut consumers = streams.into_iter().flat_map(|stream| stream.consumers);
        consumers.find(|view| view.id == consumer).unwrap().verdict
    }
}

fn play(number: u8) -> Whose {
    Whose::PlaySession(PlaySessionId::new(format!("play-{number}")))
}

fn left(bench: &Bench, consumer: ConsumerId) -> Option<LeaveReason> {
    match bench.presence(consumer) {
        Some(Presence::Left { reason, .. }) => Some(reason),
        _ => None,
    }
}

/// hls.js ends a request after ten seconds without an answer and repeats it at once: that is one wait.
#[test]
fn a_request_that_is_repeated_goes_on_waiting() {
    let mut bench = Bench::new(LIMITS);
    let (stream, consumer, _) = bench.serve(1, 1, at(1000));
    bench.pool.answer_begun(consumer, at(1000));
    bench.pool.answer_ended(consumer, false, at(11_000));
    assert_eq!(bench.serve(1, 1, at(11_001)), (stream, consumer, Warmth::Warming));
    assert_eq!(bench.pool.waits_since(consumer), Some(at(1000)));
    // The next request may come before the end of the last one is known.
    bench.pool.answer_begun(consumer, at(11_001));
    bench.serve(1, 1, at(21_001));
    assert_eq!(bench.pool.waits_since(consumer), Some(at(1000)));
    bench.segment(stream, 1, at(22_000));
    bench.pool.answer_ended(consumer, true, at(22_000));
    bench.pool.join(consumer, Some(LIST), at(22_000));
    assert_eq!(bench.pool.waits_since(consumer), None);
    bench.serve(1, 1, at(25_000));
    assert_eq!(bench.pool.waits_since(consumer), Some(at(25_000)), "another wait");
    bench.serve(1, 1, at(40_000));
    assert_eq!(bench.pool.waits_since(consumer), Some(at(40_000)), "it gave up in between");
}

#[test]
fn silence_makes_a_viewer_suspect_and_then_gone_and_says_why() {
    let mut bench = Bench::new(PATIENT);
    let (_, consumer) = bench.watching(1, 1, at(0));
    assert_eq!(bench.verdict(consumer).because, [Evidence::Fetches].into());
    bench.wait(15_000);
    let verdict = bench.verdict(consumer);
    assert_eq!((verdict.state, verdict.because), (Presence::Suspect, [Evidence::Silence].into()));
    assert!((0.9..0.99).contains(&verdict.probability), "{}", verdict.probability);
    bench.wait(60_000);
    assert_eq!(bench.presence(consumer), Some(Presence::Suspect), "it may be a hidden tab");
    bench.wait(70_000);
    let verdict = bench.verdict(consumer);
    assert_eq!(left(&bench, consumer), Some(LeaveReason::Silence));
    assert!(verdict.probability >= 0.99, "{verdict:?}");
    assert_eq!(verdict.because, [Evidence::Silence].into());
    bench.pool.segment_requested(consumer, 2, at(75_000));
    assert_eq!(bench.presence(consumer), Some(Presence::Playing));
}

#[test]
fn a_request_being_answered_is_presence_but_not_for_ever() {
    let mut bench = Bench::new(LIMITS);
    let (_, consumer) = bench.watching(1, 1, at(0));
    bench.pool.answer_begun(consumer, at(0));
    bench.wait(119_000);
    assert_eq!(bench.presence(consumer), Some(Presence::Playing));
    assert!(bench.verdict(consumer).because.contains(&Evidence::OpenRequest));
    bench.pool.answer_ended(consumer, true, at(119_000));
    bench.wait(139_000);
    assert_eq!(left(&bench, consumer), Some(LeaveReason::Silence));
    bench.pool.segment_requested(consumer, 2, at(140_000));
    let (_, other) = bench.watching(1, 2, at(140_000));
    bench.pool.answer_begun(other, at(140_000));
    bench.wait(300_000);
    assert_eq!(left(&bench, other), Some(LeaveReason::Silence), "a peer without power never closes");
    bench.pool.answer_ended(other, false, at(301_000));
    assert_eq!(left(&bench, other), Some(LeaveReason::Silence), "nor does its end call it back");
}

/// hls.js asks for its list all through a pause, and for no segment.
#[test]
fn who_pauses_for_an_hour_keeps_its_place() {
    let mut bench = Bench::new(PATIENT);
    let (stream, consumer) = bench.watching(1, 1, at(0));
    bench.pool.join(consumer, Some(LIST), at(0));
    for half_seconds in 1..=7200 {
        bench.wait(half_seconds * 500);
        bench.serve(1, 1, bench.now);
        assert_eq!(bench.pool.join(consumer, None, bench.now), Some(LIST));
    }
    assert_eq!(bench.presence(consumer), Some(Presence::Paused));
    assert_eq!(bench.pool.reached(stream, bench.now), [None, Some(LIST.sequence)]);
    assert_eq!(bench.pool.segment_requested(consumer, 2, bench.now), Some(stream));
}

/// mpv and Kodi ask for nothing while they pause; their apps go on reporting.
#[test]
fn who_reports_through_a_pause_goes_on_with_its_segments() {
    for (account, granted) in [(Account(1), true), (Account(2), false)] {
        let mut bench = Bench::new(PATIENT);
        let (stream, consumer) = bench.watching(1, 1, at(0));
        let play_session = PlaySessionId::new("play-1");
        assert_eq!(bench.pool.plays_as(account, &play_session), granted);
        for seconds in (10..=600).step_by(10) {
            bench.wait(seconds * 1000);
            bench.signal(play(1), Signal::Report { paused: Some(true) }, bench.now);
            bench.pool.handle_event(Event::Vouched(account, play_session.clone()), bench.now);
        }
        assert_eq!(bench.presence(consumer), Some(Presence::Paused));
        let answer = bench.pool.segment_requested(consumer, 2, bench.now);
        assert_eq!(answer, granted.then_some(stream), "{account:?}");
    }
}

#[test]
fn a_closed_socket_and_a_request_given_up_shorten_the_wait() {
    let deadline = |signal: &dyn Fn(&mut Bench, ConsumerId)| {
        let mut bench = Bench::new(Limits { silence: Duration::from_secs(1), ..PATIENT });
        let (_, consumer) = bench.watching(1, 1, at(0));
        signal(&mut bench, consumer);
        bench.pool.next_deadline().unwrap()
    };
    let device = || Whose::Device(Account(1), Some(DeviceId::new("device-1")));
    let stranger = || Whose::Device(Account(2), Some(DeviceId::new("device-1")));
    let plain = deadline(&|_, _| ());
    let socket = deadline(&|bench, _| bench.signal(device(), Signal::SocketClosed, at(10)));
    let aborted = deadline(&|bench, consumer| {
        bench.pool.answer_begun(consumer, at(0));
        bench.pool.answer_ended(consumer, false, at(0));
    });
    let foreign = deadline(&|bench, _| bench.signal(stranger(), Signal::SocketClosed, at(10)));
    assert!(socket < aborted && aborted < plain, "{socket:?} {aborted:?} {plain:?}");
    assert_eq!(foreign, plain, "nobody speaks for another's device");
}

#[test]
fn a_quality_change_is_no_departure() {
    let mut bench = Bench::new(PATIENT);
    let (stream, old) = bench.watching(1, 1, at(0));
    bench.signal(play(1), Signal::EncodingsDeleted, at(4000));
    let again = Viewer { play_session: Some(PlaySessionId::new("play-again")), ..viewer(1) };
    let fresh = ConsumerId::from_bits(77);
    bench.pool.tune(web_tune(key(1), again, Produce::Adopt, fresh), at(4500));
    bench.signal(play(1), Signal::EncodingsDeleted, at(4600));
    for now in (5000..60_000).step_by(3000) {
        bench.wait(now);
        bench.pool.segment_requested(fresh, now, at(now));
        assert!(bench.presence(fresh).is_some_and(Presence::is_present));
        assert!(bench.pool.is_watched(stream));
    }
    assert_eq!(left(&bench, old), Some(LeaveReason::Goodbye));
}

#[test]
fn deleted_encodings_are_taken_back_by_the_same_playback() {
    let mut bench = Bench::new(PATIENT);
    let (_, consumer) = bench.watching(1, 1, at(0));
    bench.signal(play(1), Signal::EncodingsDeleted, at(4000));
    assert_eq!(bench.presence(consumer), Some(Presence::Suspect));
    assert_eq!(bench.verdict(consumer).because, [Evidence::EncodingsDeleted].into());
    bench.signal(play(1), Signal::Report { paused: Some(false) }, at(4100));
    assert_eq!(bench.presence(consumer), Some(Presence::Suspect), "a late report takes nothing back");
    bench.serve(1, 1, at(5000));
    bench.wait(10_000);
    assert_eq!(bench.presence(consumer), Some(Presence::Playing));
}

#[test]
fn goodbyes_of_every_kind() {
    let source = || MediaSourceId::new("source-1");
    let cases: [(Whose, Signal, Option<LeaveReason>); 8] = [
        (play(1), Signal::Stopped, Some(LeaveReason::Goodbye)),
        (play(2), Signal::Stopped, None),
        (Whose::Device(Account(1), None), Signal::EncodingsDeleted, Some(LeaveReason::Goodbye)),
        (Whose::Source(Account(1), None, source()), Signal::LiveStreamClosed, Some(LeaveReason::Goodbye)),
        (Whose::Source(Account(2), None, source()), Signal::LiveStreamClosed, None),
        (Whose::Source(Account(1), None, MediaSourceId::new("another")), Signal::LiveStreamClosed, None),
        (Whose::Consumer(ConsumerId::from_bits(1)), Signal::Quits, Some(LeaveReason::Goodbye)),
        (Whose::Consumer(ConsumerId::from_bits(1)), Signal::Pauses(true), None),
    ];
    for (whose, signal, expected) in cases {
        let mut bench = Bench::new(PATIENT);
        let (_, consumer) = bench.watching(1, 1, at(0));
        bench.signal(whose.clone(), signal, at(1000));
        let at_once = left(&bench, consumer);
        assert_eq!(at_once, expected.filter(|_| signal == Signal::Quits), "{whose:?} {signal:?}");
        bench.wait(3000);
        assert_eq!(left(&bench, consumer), expected, "{whose:?} {signal:?}");
    }
}

#[test]
fn who_closes_a_live_stream_that_two_of_a_household_watch_is_nobody() {
    let mut bench = Bench::new(PATIENT);
    let mut tokens = Vec::new();
    for device in ["tv", "phone"] {
        let one = Viewer {
            device: Some(DeviceId::new(device)),
            play_session: Some(PlaySessionId::new(device)),
            ..viewer(1)
        };
        let fresh = ConsumerId::from_bits(100 + tokens.len() as u128);
        bench.pool.tune(web_tune(key(1), one, Produce::Adopt, fresh), at(0));
        tokens.push(fresh);
    }
    let whose = |device: Option<&str>| {
        Whose::Source(Account(1), device.map(DeviceId::new), MediaSourceId::new("source-1"))
    };
    bench.signal(whose(None), Signal::LiveStreamClosed, at(1000));
    assert!(tokens.iter().all(|&token| bench.presence(token) == Some(Presence::Joining)));
    bench.signal(whose(Some("tv")), Signal::LiveStreamClosed, at(1000));
    assert_eq!(bench.presence(tokens[0]), Some(Presence::Suspect));
    assert_eq!(bench.presence(tokens[1]), Some(Presence::Joining));
}

#[test]
fn what_was_under_way_at_a_zap_takes_nothing_back() {
    let mut bench = Bench::new(PATIENT);
    let (_, old) = bench.watching(1, 1, at(0));
    bench.watching(2, 1, at(5000));
    assert_eq!(
        bench.presence(old),
        Some(Presence::Left { at: at(5000), reason: LeaveReason::Zapped }),
        "at the very tune"
    );
    assert_eq!(bench.verdict(old).because, [Evidence::TunedAway].into());
    assert!(bench.pool.segment_requested(old, 2, at(5500)).is_some(), "it is served all the same");
    assert_eq!(left(&bench, old), Some(LeaveReason::Zapped));
    // Target durations are 4 s: whoever asks after 8 s is another player.
    bench.pool.segment_requested(old, 3, at(13_001));
    assert_eq!(bench.presence(old), Some(Presence::Playing));
    assert_eq!(bench.snapshot().tally.revived, 1);
    let zap = |bench: &mut Bench, play: &str, now| {
        let other = Viewer { play_session: Some(PlaySessionId::new(play)), ..viewer(1) };
        let fresh = ConsumerId::from_bits(500 + u128::from(now));
        bench.pool.tune(web_tune(key(2), other, Produce::Adopt, fresh), at(now))
    };
    assert!(matches!(zap(&mut bench, "third", 14_000), Admission::Serve { .. }));
    assert_eq!(bench.presence(old), Some(Presence::Playing), "a device of several players ends no lease");
}

/// Two tabs of one browser before a pool with one slot: the second tab's tune takes the first one's stream, once.
#[test]
fn a_stream_is_wrongly_taken_once_per_device() {
    let mut bench = Bench::new(Limits { slots: 1, ..PATIENT });
    let tab = |channel: u8| Viewer {
        play_session: Some(PlaySessionId::new(format!("tab-{channel}"))),
        ..viewer(1)
    };
    let tune = |bench: &mut Bench, channel: u8, now| {
        bench.tokens += 1;
        let fresh = ConsumerId::from_bits(bench.tokens);
        match bench.pool.tune(web_tune(key(channel), tab(channel), Produce::Adopt, fresh), at(now)) {
            Admission::Serve { stream, .. } => Ok(stream),
            Admission::Refused(reason) => Err(reason),
        }
    };
    let first = tune(&mut bench, 1, 0).unwrap();
    bench.segment(first, 10, at(0));
    let second = tune(&mut bench, 2, 5000).unwrap();
    bench.segment(second, 10, at(5000));
    let straggles_until = |bench: &Bench, now| bench.pool.straggles_until(&tab(1), at(now));
    assert_eq!(straggles_until(&bench, 6000), Some(at(13_000)), "it may have been under way");
    assert_eq!(straggles_until(&bench, 13_000), None);
    for poll in 0..8 {
        let now = 13_000 + 2000 * poll;
        assert_eq!(tune(&mut bench, 1, now), Err(RefuseReason::PoolFull));
        assert_eq!(tune(&mut bench, 2, now + 1000), Ok(second));
    }
    assert_eq!(bench.snapshot().tally.starts, 2);
}

/// A device zaps on before its first list is there, or before its player has asked for one, and there is one tuner. A request that the
/// gateway reads only after that takes the tuner for nobody, unless it waits until its client is known to be gone.
#[test]
fn what_was_under_way_before_a_first_segment_takes_no_tuner_back() {
    for tunes in [true, false] {
        let mut bench = Bench::new(PATIENT);
        bench.pool.handle_event(Event::Opened(OpeningId(1), opening(&viewer(1), 1, false)), at(0));
        if tunes {
            bench.serve(1, 1, at(0));
            bench.actions();
        }
        let device = viewer(1).device.unwrap();
        bench.pool.handle_event(Event::Zapping(viewer(1).account, device, key(2).channel.item), at(1000));
        bench.pool.handle_event(Event::TunerDenied(None), at(1000));
        let straggles_until = |bench: &Bench, now| bench.pool.straggles_until(&viewer(1), at(now));
        assert_eq!(straggles_until(&bench, 1001), Some(at(7000)), "{tunes}");
        assert_eq!(straggles_until(&bench, 7000), None, "{tunes}: it is another player of the device");
    }
}

#[test]
fn a_suspect_is_not_cut() {
    let mut bench = Bench::new(PATIENT);
    bench.watching(1, 1, at(0));
    bench.watching(2, 2, at(0));
    bench.wait(16_000);
    assert_eq!(bench.snapshot().present(), 2, "suspects are held to be there");
    bench.actions();
    bench.pool.handle_event(Event::TunerDenied(None), at(17_000));
    assert_eq!(bench.tune(3, 3, at(17_000)), Admission::Refused(RefuseReason::PoolFull));
    assert_eq!(bench.actions(), []);
}

#[test]
fn who_was_passed_on_keeps_nothing_alive_by_its_reports() {
    let mut bench = Bench::new(PATIENT);
    let (_, consumer) = bench.watching(1, 1, at(0));
    bench.pool.handle_event(Event::PassedOn(viewer(1), key(1).channel), at(1000));
    for now in (10_000..200_000).step_by(10_000) {
        bench.signal(play(1), Signal::Report { paused: Some(false) }, at(now));
    }
    assert!(matches!(bench.presence(consumer), Some(Presence::Left { reason: LeaveReason::PassedOn, .. })));
}

fn opening(viewer: &Viewer, channel: usize, abandoned: bool) -> ClientOpening {
    ClientOpening {
        item: None,
        account: Some(viewer.account),
        device: viewer.device.clone(),
        live_stream: LiveStreamId::new(format!("live-{channel}")),
        play_session: viewer.play_session.clone(),
        name: None,
        abandoned,
    }
}

/// What a viewer watches by is kept while it watches, for longer than openings go unfollowed; and given back after.
#[test]
fn an_opening_is_kept_for_as_long_as_its_viewer() {
    let mut bench = Bench::new(PATIENT);
    bench.pool.handle_event(Event::Opened(OpeningId(1), opening(&viewer(1), 1, false)), at(0));
    let (_, consumer) = bench.watching(1, 1, at(0));
    let named = Mention { play_session: viewer(1).play_session, ..Mention::default() };
    bench.pool.handle_event(Event::Mentioned(named, MentionKind::Served), at(0));
    for now in (3000..400_000).step_by(3000) {
        bench.wait(now);
        bench.pool.segment_requested(consumer, now, at(now));
        bench.serve(1, 1, at(now));
    }
    let given_back = |bench: &mut Bench| {
        bench.actions().into_iter().filter(|action| matches!(action, Action::GiveBack { .. })).count()
    };
    assert_eq!(given_back(&mut bench), 0);
    bench.wait(1_000_000);
    assert_eq!(given_back(&mut bench), 1);
    assert_eq!(bench.snapshot().tally.returned.get(&ReturnReason::Left), Some(&1));
}

/// A page that is loaded again opens its channel again. What it had opened before goes when its old playback is known to be gone.
#[test]
fn a_second_opening_of_a_viewer_does_not_keep_the_first() {
    let mut bench = Bench::new(PATIENT);
    let source = MediaSourceId::new("a".repeat(32));
    let key = StreamKey { channel: Channel { source, ..key(1).channel }, ..key(1) };
    let again = Viewer { play_session: Some(PlaySessionId::new("again")), ..viewer(1) };
    for (number, viewer) in [(1, viewer(1)), (2, again.clone())] {
        let live_stream = LiveStreamId::new(format!("a_b_{}", "a".repeat(32)));
        let opening = ClientOpening { live_stream, ..opening(&viewer, 1, false) };
        bench.pool.handle_event(Event::Opened(OpeningId(number), opening), at(0));
        let named = Mention { play_session: viewer.play_session.clone(), ..Mention::default() };
        let fresh = ConsumerId::from_bits(u128::from(number));
        let tune = web_tune(key.clone(), viewer, Produce::Adopt, fresh);
        assert!(matches!(bench.pool.tune(tune, at(0)), Admission::Serve { .. }));
        bench.pool.handle_event(Event::Mentioned(named, MentionKind::Served), at(0));
    }
    for now in (1000..200_000).step_by(1000) {
        bench.wait(now);
        bench.pool.segment_requested(ConsumerId::from_bits(2), now, at(now));
        let fresh = ConsumerId::from_bits(9);
        let (key, viewer) = (key.clone(), again.clone());
        bench.pool.tune(web_tune(key, viewer, Produce::Adopt, fresh), at(now));
    }
    let given_back: Vec<_> =
        bench.actions().into_iter().filter(|action| matches!(action, Action::GiveBack { .. })).collect();
    assert_eq!(given_back, [Action::GiveBack { opening: OpeningId(1), reason: ReturnReason::Left }]);
}

/// While the gateway stops, polls go to the server. The ledger keeps what was opened for the next process.
#[test]
fn a_stop_of_the_gateway_hands_no_opening_over_to_the_server() {
    for stops in [false, true] {
        let mut bench = Bench::new(PATIENT);
        bench.pool.handle_event(Event::Opened(OpeningId(1), opening(&viewer(1), 1, false)), at(0));
        bench.watching(1, 1, at(0));
        if stops {
            bench.pool.handle_event(Event::Shutdown, at(1000));
        }
        let named = Mention { play_session: viewer(1).play_session, ..Mention::default() };
        bench.pool.handle_event(Event::Mentioned(named, MentionKind::TakenOver), at(1001));
        assert_eq!(bench.snapshot().openings, usize::from(stops));
    }
}

#[test]
fn a_million_events_leave_nothing_behind() {
    let mut bench = Bench::new(Limits { disk_budget: u64::MAX, memory: u64::MAX, ..PATIENT });
    let keys: Vec<_> = (0..4).map(key).collect();
    let viewers: Vec<_> = (0..8).map(viewer).collect();
    let sessions: Vec<_> = (0..8).map(play).collect();
    let (mut chance, mut now, mut token, mut streams) = (1_u64, 0, 0_u128, BTreeSet::new());
    let (mut opened, mut done) = (0, BTreeSet::new());
    for _ in 0..1_000_000 {
        // xorshift64 (Marsaglia 2003).
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        let pick = |bits: u32, count: usize| ((chance >> bits) as usize) % count;
        let one_of_late = ConsumerId::from_bits(token.saturating_sub(pick(8, 12) as u128));
        let signals = [
            Signal::Report { paused: Some(pick(3, 2) == 0) },
            Signal::Ping,
            Signal::Stopped,
            Signal::SocketClosed,
            Signal::Quits,
            Signal::Starved,
            Signal::ConnectionOpened,
            Signal::ConnectionClosed { by_peer: pick(3, 2) == 0 },
        ];
        let follows = [
            MentionKind::Named,
            MentionKind::Served,
            MentionKind::Stopped,
            MentionKind::Reported,
            MentionKind::TakenOver,
            MentionKind::Closing,
            MentionKind::Closed,
            MentionKind::Kept,
            MentionKind::LeftUnreported,
        ];
        match pick(16, 14) {
            0..3 => {
                token += 1;
                let (key, viewer) = (keys[pick(20, 4)].clone(), viewers[pick(24, 8)].clone());
                let class = Class::ALL[pick(28, 4)];
                let fresh = ConsumerId::from_bits(token);
                if let Admission::Serve { stream, .. } = bench
                    .pool
                    .tune(Tune { class, ..web_tune(key, viewer, Produce::ALL[pick(34, 3)], fresh) }, at(now))
                {
                    streams.insert(stream);
                    let target = Duration::from_secs(4);
                    let output =
                        Output { target, duration: target, written: 2, held: 1, encoded: pick(36, 2) == 0 };
                    let event = Event::SegmentReady { stream, generation: 1, output };
                    bench.pool.handle_event(event, at(now));
                }
            }
            3..6 => drop(bench.pool.segment_requested(one_of_late, pick(20, 5) as u64, at(now))),
            6 => bench.pool.answer_begun(one_of_late, at(now)),
            7 => bench.pool.answer_ended(one_of_late, pick(20, 2) == 0, at(now)),
            8 => bench.signal(sessions[pick(24, 8)].clone(), signals[pick(30, 8)], at(now)),
            9 => bench.pool.handle_event(Event::TunerDenied(None), at(now)),
            10 => {
                opened += 1;
                let opening = opening(&viewers[pick(24, 8)], pick(20, 4), pick(30, 8) == 0);
                bench.pool.handle_event(Event::Opened(OpeningId(opened), opening), at(now));
            }
            11 => {
                let one = opening(&viewers[pick(24, 8)], pick(20, 4), false);
                let (account, live_stream) = (one.account, Some(one.live_stream));
                let named = Mention { account, live_stream, play_session: one.play_session, name: None };
                bench.pool.handle_event(Event::Mentioned(named, follows[pick(30, 9)]), at(now));
            }
            _ => {
                now += pick(32, 3000) as u64;
                bench.pool.handle_timeout(at(now));
                assert!(bench.pool.next_deadline().is_none_or(|deadline| deadline > at(now)));
            }
        }
        while let Some(action) = bench.pool.poll_action() {
            match action {
                Action::Stop { stream, .. } => {
                    streams.remove(&stream);
                    bench.pool.handle_event(Event::Retired(stream), at(now));
                }
                Action::GiveBack { opening, .. } => {
                    assert!(done.insert(opening), "given back twice");
                    bench.pool.handle_event(Event::OpeningReturned(opening), at(now));
                }
                Action::ForgetOpening(opening) | Action::LeaveToServer(opening) => {
                    assert!(done.insert(opening), "given back twice");
                }
                Action::Start { .. }
                | Action::Rest { .. }
                | Action::OpenInput { .. }
                | Action::CloseInput { .. }
                | Action::ForgetInput(_)
                | Action::Forget(_)
                | Action::MarkUncertain(_)
                | Action::MeasureCpu
                | Action::WarmUp(..)
                | Action::TrimWindow(_) => {}
            }
        }
        if pick(40, 1000) == 0 {
            bench.pool.crowd.check();
            for view in bench.snapshot().streams.into_iter().flat_map(|stream| stream.consumers) {
                assert!(!view.verdict.because.is_empty(), "no verdict without a reason: {view:?}");
            }
        }
        assert!(bench.pool.crowd.len() <= 2 * 80 && streams.len() <= 2);
    }
    while let Some(deadline) = bench.pool.next_deadline() {
        bench.pool.handle_timeout(deadline);
        while let Some(action) = bench.pool.poll_action() {
            match action {
                Action::Stop { stream, .. } => bench.pool.handle_event(Event::Retired(stream), deadline),
                Action::GiveBack { opening, .. } | Action::LeaveToServer(opening) => {
                    assert!(done.insert(opening), "given back twice");
                    bench.pool.handle_event(Event::OpeningReturned(opening), deadline);
                }
                Action::Start { .. }
                | Action::Rest { .. }
                | Action::OpenInput { .. }
                | Action::CloseInput { .. }
                | Action::ForgetInput(_)
                | Action::Forget(_)
                | Action::MarkUncertain(_)
                | Action::ForgetOpening(_)
                | Action::MeasureCpu
                | Action::WarmUp(..)
                | Action::TrimWindow(_) => {}
            }
        }
    }
    assert_eq!((done.len() as u64, bench.snapshot().openings), (opened, 0), "each has one way out");
    assert_eq!((bench.pool.streams.len(), bench.pool.crowd.len()), (0, 0));
    assert_eq!(bench.pool.poll_action(), None);
    assert!(bench.pool.shared_devices.len() <= 8, "as many as there are devices");
}
