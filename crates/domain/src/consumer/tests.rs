//! A viewer's states, event by event.

use super::*;
use crate::cadence::laws::Rates;
use crate::key::PlaySessionId;
use crate::viewer::Account;
use crate::window::{JoinPoint, Listing};

const TERMS: Terms = Terms {
    target: Some(Duration::from_secs(3)),
    cold_timeout: Duration::from_secs(20),
    silence: Duration::from_secs(20),
    patience: Duration::from_secs(1800),
    goodbye: Duration::from_secs(2),
    rates: Rates::assumed(Class::Web),
};

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn consumer(class: Class) -> Consumer {
    let viewer = Viewer { account: Account(1), device: None, play_session: None };
    Consumer::new(StreamId(1), viewer, class, &TERMS, at(0))
}

fn polls(seconds: std::ops::Range<u64>) -> Vec<(u64, Signal)> {
    let polled = seconds.step_by(3);
    polled.flat_map(|second| [(second, Signal::Playlist), (second, Signal::Segment(second))]).collect()
}

type Case = (&'static str, Vec<(u64, Signal)>, Presence);

fn after(class: Class, signals: &[(u64, Signal)]) -> Consumer {
    let mut consumer = consumer(class);
    for &(second, signal) in signals {
        consumer.notice(signal, &TERMS, at(second));
    }
    consumer
}

const PAUSED: Signal = Signal::Report { paused: Some(true) };
const PLAYS: Signal = Signal::Report { paused: Some(false) };

#[test]
fn what_is_heard_makes_the_state() {
    let minutes: Vec<_> = (1..5).map(|minute| (minute * 60, Signal::Segment(minute))).collect();
    let playlists: Vec<_> =
        [(0, Signal::Segment(1))].into_iter().chain((1..12).map(|at| (at * 3, Signal::Playlist))).collect();
    let cases: [Case; 13] = [
        ("nothing yet", vec![], Presence::Joining),
        (
            "playlists before any segment",
            vec![(1, Signal::Playlist), (4, Signal::Playlist)],
            Presence::Joining,
        ),
        ("a segment", vec![(1, Signal::Segment(1))], Presence::Playing),
        ("a pause it reports", vec![(1, Signal::Segment(1)), (2, PAUSED)], Presence::Paused),
        ("which is over", vec![(1, Signal::Segment(1)), (2, PAUSED), (9, PLAYS)], Presence::Playing),
        ("a pause in passing", vec![(1, Signal::Segment(1)), (2, Signal::Pauses(true))], Presence::Paused),
        ("a pause it does not report", playlists, Presence::Paused),
        ("a hidden tab", minutes, Presence::Thin),
        ("fetched in parts", vec![(1, Signal::Segment(1)), (2, Signal::Segment(1))], Presence::Playing),
        ("fetched again", vec![(1, Signal::Segment(1)), (9, Signal::Segment(1))], Presence::Stalled),
        (
            "got over it",
            vec![(1, Signal::Segment(1)), (9, Signal::Segment(1)), (10, Signal::Segment(2))],
            Presence::Playing,
        ),
        ("ran dry", vec![(1, Signal::Segment(1)), (1, Signal::Starved)], Presence::Stalled),
        ("said goodbye", vec![(1, Signal::Segment(1)), (2, Signal::Stopped)], Presence::Suspect),
    ];
    for (what, signals, expected) in cases {
        assert_eq!(after(Class::Web, &signals).presence(), expected, "{what}");
    }
}

#[test]
fn behaviour_tells_the_class() {
    let paused = |reports: std::ops::Range<u64>| reports.step_by(10).map(|second| (second, PAUSED));
    let mut polling: Vec<_> = polls(0..60);
    polling.extend(paused(60..120));
    polling.extend((61..120).step_by(3).map(|second| (second, Signal::Playlist)));
    polling.sort_by_key(|(second, _)| *second);
    assert_eq!(after(Class::Pull, &polling).class(), Class::Web, "who polls on in a pause is not pulled");
    let mut silent = polls(0..60);
    silent.extend(paused(60..120));
    assert_eq!(after(Class::Unknown, &silent).class(), Class::Pull, "who stops polling is");
    // A hidden page reports and polls once a minute; it has shown before what it is.
    let mut hidden = polling.clone();
    hidden.extend([(180, PAUSED), (181, Signal::Playlist), (241, PAUSED)]);
    assert_eq!(after(Class::Web, &hidden).class(), Class::Web);
}

#[test]
fn one_who_tells_of_its_pauses_is_not_waited_for_in_silence() {
    let patience = |class, signals: &[(u64, Signal)]| {
        let consumer = after(class, signals);
        consumer.left_at_latest().since(consumer.seen())
    };
    let silent = patience(Class::Pull, &polls(0..60));
    let mut telling = polls(0..60);
    telling.extend((60..120).step_by(10).map(|second| (second, PAUSED)));
    assert!(patience(Class::Pull, &telling) < Duration::from_secs(90));
    telling.truncate(polls(0..60).len() + 1);
    assert_eq!(patience(Class::Pull, &telling), TERMS.patience, "one word of a pause, and silence since");
    assert!(silent >= TERMS.silence);
}

#[test]
fn a_probe_is_not_waited_for_as_a_viewer_is() {
    let mut probe = after(Class::Web, &[(0, Signal::Playlist)]);
    assert_eq!(probe.time_passed(at(19)), None);
    assert_eq!(probe.time_passed(at(20)), Some(LeaveReason::Silence));
}

#[test]
fn what_leads_where_in_time() {
    let mut viewer = after(Class::Web, &polls(0..30));
    let suspect_at = viewer.deadline().unwrap();
    assert_eq!(viewer.time_passed(suspect_at), None);
    assert_eq!(viewer.presence(), Presence::Suspect);
    let left_at = viewer.deadline().unwrap();
    assert!(left_at > suspect_at);
    assert_eq!(viewer.time_passed(left_at), Some(LeaveReason::Silence));
    assert!(viewer.leave(LeaveReason::Silence, left_at) && !viewer.leave(LeaveReason::Goodbye, left_at));
    assert_eq!((viewer.deadline(), viewer.left_at()), (None, Some(left_at)));
    let heard = viewer.notice(Signal::Segment(40), &TERMS, at(200)).unwrap();
    assert_eq!(heard.revived, Some(LeaveReason::Silence));
    assert_eq!(viewer.presence(), Presence::Playing);
}

#[test]
fn who_comes_back_soon_goes_on_with_its_list() {
    let list = JoinPoint {
        listing: Listing::Fine,
        sequence: 7,
        target: Duration::from_secs(1),
        plays_from_first: false,
        longest: None,
    };
    let comes_back = |reason, play_session: Option<&str>, seconds: u64| {
        let mut viewer = after(Class::Web, &polls(0..30));
        viewer.viewer.play_session = play_session.map(PlaySessionId::new);
        viewer.join(Some(list));
        viewer.leave(reason, at(100));
        let kept = viewer.list_kept(at(100 + seconds));
        viewer.notice(Signal::Playlist, &TERMS, at(100 + seconds));
        assert_eq!(viewer.list(), kept);
        kept.is_some()
    };
    assert!(comes_back(LeaveReason::Silence, None, 120), "the verdict was wrong");
    assert!(!comes_back(LeaveReason::Silence, None, 121));
    assert!(comes_back(LeaveReason::Zapped, Some("a"), 5), "another player of its device zapped");
    assert!(!comes_back(LeaveReason::Zapped, None, 5), "it tunes back, and begins near live");
    assert!(!comes_back(LeaveReason::PassedOn, Some("a"), 5));
}

#[test]
fn reports_call_back_only_who_was_silent() {
    for (reason, called_back) in [
        (LeaveReason::Silence, true),
        (LeaveReason::Zapped, false),
        (LeaveReason::Goodbye, false),
        (LeaveReason::LoggedOut, false),
    ] {
        let mut viewer = after(Class::Web, &polls(0..30));
        viewer.leave(reason, at(100));
        viewer.notice(PLAYS, &TERMS, at(110));
        assert_eq!(viewer.is_present(), called_back, "{reason:?}");
    }
}

#[test]
fn closed_connections_are_worth_what_the_player_makes_of_them() {
    const CLOSED: Signal = Signal::ConnectionClosed { by_peer: true };
    let keeping = || {
        let mut signals = vec![(0, Signal::Playlist), (0, Signal::ConnectionOpened), (0, Signal::Segment(0))];
        signals.extend(polls(3..30));
        signals.push((27, Signal::ConnectionKept));
        signals
    };
    let asking_anew = |times: u64| {
        let polls = (0..times).flat_map(|at| {
            [(at * 3, Signal::Segment(at)), (at * 3, Signal::ConnectionOpened), (at * 3, CLOSED)]
        });
        polls.collect::<Vec<_>>()
    };
    let terms = Terms { rates: Rates::assumed(Class::Pull), ..TERMS };
    let wait = |signals: &[(u64, Signal)]| {
        let mut viewer = consumer(Class::Pull);
        for &(second, signal) in signals {
            viewer.notice(signal, &terms, at(second));
        }
        assert!(viewer.is_present());
        let waits = viewer.left_at_latest().since(viewer.seen());
        viewer.notice(Signal::Segment(99), &terms, at(200));
        assert!(viewer.is_present(), "nobody is cut");
        waits
    };
    let with = |mut signals: Vec<(u64, Signal)>, more: &[Signal]| {
        signals.extend(more.iter().map(|&signal| (27, signal)));
        signals
    };
    let plain = wait(&keeping());
    let closed = wait(&with(keeping(), &[CLOSED]));
    assert!(closed < plain / 2, "{closed:?} {plain:?}");
    assert_eq!(wait(&with(keeping(), &[Signal::ConnectionOpened, CLOSED])), plain, "it has another");
    let ours = Signal::ConnectionClosed { by_peer: false };
    assert_eq!(wait(&with(keeping(), &[ours])), plain, "we closed it");
    let back = [CLOSED, Signal::Segment(28), Signal::ConnectionOpened, CLOSED];
    let once = wait(&with(keeping(), &back));
    assert!(closed < once && once < plain, "it has come back: {once:?}");
    let first = wait(&asking_anew(1));
    assert!(closed < first && first < plain, "nothing is known of it: {first:?}");
    assert_eq!(wait(&asking_anew(9)), plain, "one that asks over another each time");
}

#[test]
fn who_gives_up_a_request_closes_its_connection_by_that() {
    let mut viewer = after(Class::Web, &[(0, Signal::Segment(0)), (0, Signal::ConnectionOpened)]);
    viewer.answer_begun(at(1));
    viewer.answer_ended(false, &TERMS, at(2));
    viewer.notice(Signal::ConnectionClosed { by_peer: true }, &TERMS, at(2));
    assert_eq!(viewer.verdict(at(3)).because, [Evidence::Aborted, Evidence::Fetches].into());
    let mut viewer = after(Class::Web, &[(0, Signal::Segment(0)), (0, Signal::ConnectionOpened)]);
    viewer.notice(Signal::ConnectionClosed { by_peer: true }, &TERMS, at(2));
    assert_eq!(viewer.verdict(at(3)).because, [Evidence::ConnectionClosed, Evidence::Fetches].into());
}
