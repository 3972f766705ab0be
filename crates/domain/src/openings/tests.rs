//! Openings, event by event.

use super::*;
use crate::key::{DeviceId, PlaySessionId};

const PATIENCE: Duration = Duration::from_secs(120);

fn at(seconds: u64) -> Timestamp {
    Timestamp::after_start(Duration::from_secs(seconds))
}

fn opening(account: u64, play: &str) -> ClientOpening {
    ClientOpening {
        account: Some(Account(account)),
        device: Some(DeviceId::new(format!("device-{account}"))),
        live_stream: LiveStreamId::new("live"),
        item: None,
        play_session: Some(PlaySessionId::new(play)),
        name: Some(format!("name-{play}")),
        abandoned: false,
    }
}

fn play(account: u64, play: &str) -> Mention {
    Mention {
        account: Some(Account(account)),
        live_stream: Some(LiveStreamId::new("live")),
        play_session: Some(PlaySessionId::new(play)),
        name: None,
    }
}

impl Openings {
    /// A request mentions openings by which nobody watches.
    fn told(&mut self, mention: &Mention, kind: MentionKind, now: Timestamp) -> Vec<OpeningId> {
        self.mentioned(mention, kind, |_| false, now)
    }
}

/// An opening of another live stream, of the device of account 1.
fn elsewhere(name: &str) -> ClientOpening {
    ClientOpening { live_stream: LiveStreamId::new("elsewhere"), ..opening(1, name) }
}

/// One opening, of account 1 under the name `a`, at 0.
fn one() -> Openings {
    let mut openings = Openings::new(PATIENCE);
    assert_eq!(openings.opened(OpeningId(1), opening(1, "a"), at(0)), None);
    openings
}

fn due(openings: &mut Openings, seconds: u64, watched: bool) -> Vec<ReturnReason> {
    let given_back = |due| match due {
        Due::GiveBack(_, reason) => Some(reason),
        Due::LeftToServer(_) => None,
    };
    openings.take_due(at(seconds), |_| watched).into_iter().filter_map(given_back).collect()
}

#[test]
fn what_nothing_follows_is_given_back_once() {
    let mut openings = one();
    assert_eq!(openings.deadline(), Some(at(120)));
    assert_eq!(due(&mut openings, 119, false), []);
    assert!(!openings.has_returned(Account(1), &LiveStreamId::new("live")));
    assert_eq!(
        due(&mut openings, 120, true),
        [ReturnReason::Unfollowed],
        "who watches came by another opening"
    );
    assert_eq!((openings.deadline(), due(&mut openings, 500, false)), (None, vec![]));
    assert!(openings.has_returned(Account(1), &LiveStreamId::new("live")));
    openings.opened(OpeningId(2), opening(1, "b"), at(500));
    assert!(!openings.has_returned(Account(1), &LiveStreamId::new("live")), "it has one again");
}

#[test]
fn what_the_server_has_learned_of_is_not_ours_to_give_back() {
    for follow in [MentionKind::TakenOver, MentionKind::Closed] {
        let mut openings = one();
        assert_eq!(openings.told(&play(1, "a"), follow, at(1)), [OpeningId(1)]);
        assert_eq!((openings.count(), due(&mut openings, 500, false)), (0, vec![]));
    }
}

#[test]
fn a_close_settles_one_once_the_server_has_accepted_it() {
    let closing = |openings: &Openings| openings.closing().map(|(id, _)| id).collect::<Vec<_>>();
    let mut openings = one();
    openings.told(&play(1, "a"), MentionKind::Served, at(10));
    assert_eq!(openings.told(&play(1, "a"), MentionKind::Closing, at(20)), []);
    assert_eq!((closing(&openings), openings.live_streams().count()), (vec![OpeningId(1)], 0));
    openings.viewer_left(&PlaySessionId::new("a"), at(21));
    assert_eq!(due(&mut openings, 139, false), [], "the server closes it");
    assert_eq!(openings.told(&play(1, "a"), MentionKind::Closed, at(139)), [OpeningId(1)]);
    assert_eq!((openings.count(), closing(&openings)), (0, vec![]));

    let mut refused = one();
    refused.told(&play(1, "a"), MentionKind::Served, at(10));
    refused.told(&play(1, "a"), MentionKind::Closing, at(20));
    assert_eq!(refused.told(&play(1, "a"), MentionKind::Kept, at(21)), []);
    assert_eq!((closing(&refused), refused.live_streams().count()), (vec![], 1));
    assert_eq!(due(&mut refused, 141, false), [ReturnReason::Left]);

    let mut unanswered = one();
    unanswered.told(&play(1, "a"), MentionKind::Closing, at(20));
    assert_eq!(due(&mut unanswered, 140, false), [ReturnReason::Unfollowed]);
}

#[test]
fn two_closes_at_once_close_two() {
    let mut openings = one();
    openings.opened(OpeningId(2), opening(1, "b"), at(0));
    let both = Mention { play_session: None, ..play(1, "a") };
    openings.told(&both, MentionKind::Closing, at(1));
    openings.told(&both, MentionKind::Closing, at(1));
    assert_eq!(openings.closing().count(), 2);
    openings.told(&both, MentionKind::Kept, at(2));
    assert_eq!(openings.told(&both, MentionKind::Closed, at(3)), [OpeningId(2)]);
    assert_eq!((openings.count(), openings.closing().count()), (1, 0));
}

#[test]
fn a_request_settles_one_of_its_accounts_openings() {
    for kind in [MentionKind::TakenOver, MentionKind::Closed] {
        let mut openings = one();
        openings.opened(OpeningId(2), opening(1, "b"), at(0));
        let both = Mention { play_session: None, ..play(1, "a") };
        assert_eq!(openings.told(&both, kind, at(1)), [OpeningId(1)], "{kind:?}");
        assert_eq!(openings.count(), 1);
    }
}

#[test]
fn whoever_speaks_of_it_keeps_it() {
    let mut openings = one();
    openings.told(&play(1, "a"), MentionKind::Named, at(100));
    assert_eq!(due(&mut openings, 219, false), []);
    assert_eq!(due(&mut openings, 220, false), [ReturnReason::Unfollowed]);
}

#[test]
fn who_was_served_by_us_keeps_it_until_it_has_left() {
    let mut openings = one();
    openings.told(&play(1, "a"), MentionKind::Served, at(10));
    assert_eq!(due(&mut openings, 130, true), []);
    assert_eq!(openings.deadline(), Some(at(250)), "later than now: nothing spins");
    openings.told(&play(1, "a"), MentionKind::Named, at(140));
    assert_eq!(due(&mut openings, 260, false), [ReturnReason::Left]);
}

#[test]
fn who_stopped_may_still_have_it() {
    let mut openings = one();
    openings.told(&play(1, "a"), MentionKind::Served, at(10));
    openings.told(&play(1, "a"), MentionKind::Stopped, at(20));
    openings.told(&play(1, "a"), MentionKind::Served, at(21));
    assert_eq!(due(&mut openings, 141, true), []);
    assert_eq!(due(&mut openings, 261, false), [ReturnReason::Stopped]);
}

/// One opening, by which its client plays a stream of ours, and that it has reported.
fn reported() -> Openings {
    let mut openings = one();
    openings.told(&play(1, "a"), MentionKind::Served, at(10));
    assert_eq!(openings.told(&play(1, "a"), MentionKind::Reported, at(12)), []);
    openings
}

#[test]
fn a_reported_playback_of_ours_is_said_goodbye_for_when_its_viewer_has_left() {
    let mut openings = reported();
    assert_eq!(due(&mut openings, 132, true), []);
    openings.told(&play(1, "a"), MentionKind::Reported, at(135));
    openings.viewer_left(&PlaySessionId::new("x"), at(140));
    assert_eq!(due(&mut openings, 140, false), []);
    openings.viewer_left(&PlaySessionId::new("a"), at(141));
    assert_eq!(openings.deadline(), Some(at(141)), "as soon as the verdict is");
    assert_eq!(due(&mut openings, 141, false), [ReturnReason::Silent]);
    assert!(openings.is_closed_for(Account(1), &LiveStreamId::new("live")));
    assert_eq!(
        openings.closing().map(|(id, _)| id).collect::<Vec<_>>(),
        [OpeningId(1)],
        "its tuner is not free yet"
    );
    openings.returned(OpeningId(1));
    assert_eq!((openings.closing().count(), openings.live_streams().count()), (0, 0));
}

#[test]
fn a_reported_playback_is_settled_by_the_stopped_that_the_server_accepts() {
    let mut openings = reported();
    assert_eq!(openings.told(&play(1, "a"), MentionKind::Stopped, at(20)), [OpeningId(1)]);
    openings.viewer_left(&PlaySessionId::new("a"), at(22));
    assert_eq!(due(&mut openings, 22, false), [], "a second goodbye would take somebody else's consumer");
    assert_eq!(openings.reported(&play(1, "a"), PlaybackReport::Stopped), Some(OpeningId(1)));
    assert_eq!((openings.count(), due(&mut openings, 500, false)), (0, vec![]));
    let mut unheard = reported();
    unheard.told(&play(1, "a"), MentionKind::Stopped, at(20));
    assert_eq!(due(&mut unheard, 140, false), [ReturnReason::Stopped], "the server has not accepted it");
    let mut plays_on = reported();
    plays_on.told(&play(1, "a"), MentionKind::Stopped, at(20));
    plays_on.told(&play(1, "a"), MentionKind::Reported, at(30));
    assert_eq!(due(&mut plays_on, 150, false), [ReturnReason::Silent]);
}

/// The device has opened its channel once more, and reported nothing about that yet.
fn opened_again() -> Openings {
    let mut openings = reported();
    openings.opened(OpeningId(2), opening(1, "b"), at(13));
    openings.told(&play(1, "b"), MentionKind::Served, at(14));
    openings
}

/// The server keeps one record for each session and live stream, and the last report makes it.
#[test]
fn a_device_that_opens_its_channel_again_has_two_and_the_server_knows_of_the_second() {
    let mut openings = opened_again();
    openings.viewer_left(&PlaySessionId::new("a"), at(14));
    let mut unheard = reported();
    unheard.opened(OpeningId(2), opening(1, "b"), at(13));
    unheard.viewer_left(&PlaySessionId::new("a"), at(14));
    assert_eq!(due(&mut unheard, 14, false), [ReturnReason::Silent], "the record is of the first yet");
    openings.told(&play(1, "b"), MentionKind::Reported, at(14));
    assert_eq!(due(&mut openings, 14, false), [ReturnReason::Left], "a goodbye would take the second one");
    assert!(!openings.is_closed_for(Account(1), &LiveStreamId::new("live")), "it has the second one");
    openings.viewer_left(&PlaySessionId::new("b"), at(15));
    assert_eq!(due(&mut openings, 15, false), [ReturnReason::Silent]);
    assert!(openings.is_closed_for(Account(1), &LiveStreamId::new("live")));
}

/// `Stopped` removes the server's one record of the session and the live stream, which may have been of the second opening by then.
#[test]
fn after_a_goodbye_the_server_has_no_record_of_the_devices_other_openings() {
    let mut openings = opened_again();
    openings.viewer_left(&PlaySessionId::new("a"), at(14));
    assert_eq!(openings.goodbyes(Account(1)).count(), 0);
    assert_eq!(due(&mut openings, 14, false), [ReturnReason::Silent]);
    assert_eq!(openings.goodbyes(Account(1)).collect::<Vec<_>>(), [&LiveStreamId::new("live")]);
    assert_eq!(openings.goodbyes(Account(2)).count(), 0);
    openings.told(&play(1, "b"), MentionKind::Reported, at(15));
    assert!(!openings.is_unreported(&play(1, "b")));
    openings.said_goodbye(OpeningId(1));
    openings.returned(OpeningId(1));
    assert_eq!(openings.goodbyes(Account(1)).count(), 0);
    assert!(openings.is_unreported(&play(1, "b")), "its Stopped would close nothing");
    let mut goes_on = openings;
    goes_on.viewer_left(&PlaySessionId::new("b"), at(16));
    assert_eq!(due(&mut goes_on, 16, false), [ReturnReason::Left], "nor would a goodbye");
}

/// The server does not accept it, so `LiveStreams/Close` follows, which removes no record.
#[test]
fn after_a_goodbye_in_vain_the_server_keeps_its_record() {
    let mut openings = opened_again();
    openings.viewer_left(&PlaySessionId::new("a"), at(14));
    assert_eq!(due(&mut openings, 14, false), [ReturnReason::Silent]);
    openings.told(&play(1, "b"), MentionKind::Reported, at(15));
    openings.returned(OpeningId(1));
    assert!(!openings.is_unreported(&play(1, "b")));
    openings.viewer_left(&PlaySessionId::new("b"), at(16));
    assert_eq!(due(&mut openings, 16, false), [ReturnReason::Silent]);
}

#[test]
fn after_a_stopped_the_server_has_no_record_of_the_devices_other_openings() {
    let mut openings = reported();
    openings.told(&play(1, "a"), MentionKind::Stopped, at(13));
    openings.opened(OpeningId(2), opening(1, "b"), at(13));
    openings.told(&play(1, "b"), MentionKind::Served, at(14));
    openings.told(&play(1, "b"), MentionKind::Reported, at(15));
    assert_eq!(openings.closing().map(|(id, _)| id).collect::<Vec<_>>(), [OpeningId(1)], "no answer yet");
    assert_eq!(openings.reported(&play(1, "a"), PlaybackReport::Stopped), Some(OpeningId(1)));
    assert!(openings.is_unreported(&play(1, "b")));
    openings.viewer_left(&PlaySessionId::new("b"), at(16));
    assert_eq!(due(&mut openings, 16, false), [ReturnReason::Left]);
    let mut reported_since = reported();
    reported_since.opened(OpeningId(2), opening(1, "b"), at(13));
    reported_since.told(&play(1, "a"), MentionKind::Stopped, at(14));
    reported_since.reported(&play(1, "a"), PlaybackReport::Stopped);
    reported_since.mentioned(&play(1, "b"), MentionKind::Reported, |_| true, at(15));
    reported_since.viewer_left(&PlaySessionId::new("b"), at(16));
    assert_eq!(due(&mut reported_since, 16, false), [ReturnReason::Silent], "it has made a record since");
}

/// A fast zapper leaves a cold channel before its first playlist. With one tuner the next channel needs the one that it blocks.
#[test]
fn a_device_that_is_denied_a_tuner_gives_up_what_it_never_played() {
    let mut openings = one();
    openings.opened(OpeningId(2), opening(2, "b"), at(0));
    openings.zapping(Account(1), &DeviceId::new("device-1"), at(1));
    assert_eq!(due(&mut openings, 1, false), [ReturnReason::Superseded]);
    let mut waited = one();
    waited.viewer_left(&PlaySessionId::new("a"), at(2));
    assert_eq!(due(&mut waited, 2, false), [ReturnReason::Left], "it asked for a playlist, and went");
    let mut played = reported();
    played.zapping(Account(1), &DeviceId::new("device-1"), at(13));
    assert_eq!(due(&mut played, 13, false), [], "its viewer is asked");
}

/// It reports before it asks for a playlist again.
#[test]
fn what_was_opened_again_for_a_viewer_of_ours_is_kept_in_mind() {
    let mut openings = Openings::new(PATIENCE);
    openings.reopened(OpeningId(1), opening(1, "a"), at(0));
    assert_eq!(openings.told(&play(1, "a"), MentionKind::Reported, at(1)), [], "it plays ours");
    assert_eq!(due(&mut openings, 121, false), [ReturnReason::Silent]);
}

/// Whether the server closes what it was told nothing of depends on its version and on other viewers.
#[test]
fn a_stop_of_what_was_never_reported_is_ours_to_follow() {
    let mut openings = one();
    assert!(openings.is_unreported(&play(1, "a")));
    openings.told(&play(1, "a"), MentionKind::Served, at(10));
    openings.told(&play(1, "a"), MentionKind::LeftUnreported, at(11));
    assert_eq!(due(&mut openings, 11, true), [], "its player has yet to fall silent");
    openings.viewer_left(&PlaySessionId::new("a"), at(13));
    assert_eq!(due(&mut openings, 13, false), [ReturnReason::Left]);
    let mut unplayed = one();
    unplayed.told(&play(1, "a"), MentionKind::LeftUnreported, at(11));
    assert_eq!(due(&mut unplayed, 11, false), [ReturnReason::Left]);
    assert!(!reported().is_unreported(&play(1, "a")));
    assert!(!one().is_unreported(&play(2, "c")), "it has none");
}

/// A player of the raw stream is not seen here; it may be there for hours.
#[test]
fn a_reported_playback_that_does_not_pass_here_is_left_to_the_server() {
    let mut openings = one();
    assert_eq!(openings.told(&play(1, "a"), MentionKind::Reported, at(5)), []);
    assert_eq!(openings.take_due(at(125), |_| false), [], "it plays");
    openings.zapping(Account(1), &DeviceId::new("device-1"), at(130));
    openings.opened(OpeningId(2), elsewhere("b"), at(130));
    assert_eq!(openings.take_due(at(244), |_| false), [], "the other is not reported");
    assert_eq!(openings.take_due(at(245), |_| false), [Due::LeftToServer(OpeningId(1))]);
    let mut watched = one();
    let kept = watched.mentioned(&play(1, "a"), MentionKind::Reported, |_| true, at(5));
    assert_eq!((kept, due(&mut watched, 125, false)), (vec![], vec![ReturnReason::Silent]), "it plays ours");
    let mut passed_on = reported();
    assert_eq!(passed_on.told(&play(1, "a"), MentionKind::TakenOver, at(13)), [OpeningId(1)]);
}

/// The server ends the session, and closes what it played last.
#[test]
fn the_last_websocket_of_a_device_takes_its_opening_along() {
    let device = Some(DeviceId::new("device-1"));
    for named in [device, None] {
        let mut openings = opened_again();
        openings.told(&play(1, "b"), MentionKind::Reported, at(15));
        openings.socket_opened(Account(1), named.clone());
        openings.socket_opened(Account(1), named.clone());
        assert_eq!(openings.socket_closed(Account(1), named.clone()), []);
        assert_eq!(openings.socket_closed(Account(2), named.clone()), []);
        assert_eq!(
            openings.socket_closed(Account(1), named),
            [OpeningId(2)],
            "the other is nobody's to close"
        );
        assert!(!openings.is_closed_for(Account(1), &LiveStreamId::new("live")), "it has the other one");
        assert_eq!(due(&mut openings, 200, false), [ReturnReason::Left]);
        assert!(openings.is_closed_for(Account(1), &LiveStreamId::new("live")));
    }
}

/// Its record stays when its device plays something else, and nothing else closes it.
#[test]
fn what_was_reported_before_its_first_playlist_is_said_goodbye_for() {
    for serves in [true, false] {
        let mut openings = one();
        openings.told(&play(1, "a"), MentionKind::Reported, at(1));
        if serves {
            openings.told(&play(1, "a"), MentionKind::Served, at(2));
        }
        openings.opened(OpeningId(2), elsewhere("b"), at(20));
        let play_b = Mention { live_stream: Some(LiveStreamId::new("elsewhere")), ..play(1, "b") };
        openings.told(&play_b, MentionKind::Reported, at(21));
        let said_goodbye = Due::GiveBack(OpeningId(1), ReturnReason::Silent);
        assert_eq!(openings.take_due(at(122), |_| false), [said_goodbye], "served: {serves}");
    }
    let mut left = one();
    left.told(&play(1, "a"), MentionKind::Reported, at(1));
    left.viewer_left(&PlaySessionId::new("a"), at(2));
    assert_eq!(due(&mut left, 2, false), [ReturnReason::Silent], "its viewer waited here for a playlist");
}

/// The server stops such a session, but names no live stream, and no job of its own ends that had one.
#[test]
fn the_server_closes_nothing_for_a_silent_viewer_of_ours() {
    let mut openings = reported();
    for seconds in [130, 250] {
        assert_eq!(due(&mut openings, seconds, true), []);
    }
    assert_eq!(due(&mut openings, 370, false), [ReturnReason::Silent]);
    assert!(openings.is_closed_for(Account(1), &LiveStreamId::new("live")));
}

#[test]
fn a_playback_that_ended_with_the_server_is_not_to_be_closed() {
    let mut openings = reported();
    openings.lost(OpeningId(1));
    assert_eq!((openings.count(), openings.closing().count()), (0, 0));
    assert!(openings.is_closed_for(Account(1), &LiveStreamId::new("live")), "it has none any more");
    openings.opened(OpeningId(2), opening(1, "a"), at(20));
    assert!(!openings.is_closed_for(Account(1), &LiveStreamId::new("live")));
}

#[test]
fn a_client_claims_the_opening_that_an_earlier_process_saw() {
    let mut openings = Openings::new(PATIENCE);
    openings.opened(OpeningId(1), ClientOpening { account: None, device: None, ..opening(1, "a") }, at(0));
    let anonymous = Mention { account: None, ..play(1, "a") };
    let device = DeviceId::new("device-1");
    assert_eq!(openings.claim(&anonymous, Some(&device)), []);
    assert_eq!(openings.claim(&play(1, "a"), Some(&device)), [OpeningId(1)]);
    assert_eq!(openings.claim(&play(2, "a"), None), [], "it is somebody's");
    // The server's record is of what the device has reported last.
    openings.mentioned(&play(1, "a"), MentionKind::Reported, |_| true, at(10));
    openings.opened(OpeningId(2), opening(1, "b"), at(20));
    openings.mentioned(&play(1, "b"), MentionKind::Reported, |_| true, at(21));
    openings.viewer_left(&PlaySessionId::new("a"), at(22));
    assert_eq!(due(&mut openings, 22, false), [ReturnReason::Left], "a goodbye would close nothing");
}

#[test]
fn a_player_of_the_servers_own_stream_is_there_as_long_as_it_asks_for_it() {
    let play_a = play(1, "a");
    let passed_on = |reported: bool| {
        let mut openings = one();
        openings.told(&play_a, MentionKind::PassedOn, at(5));
        if reported {
            assert_eq!(openings.told(&play_a, MentionKind::Reported, at(6)), []);
            openings.reported(&play_a, PlaybackReport::Playing);
        }
        openings.told(&play_a, MentionKind::PassedOn, at(100));
        assert_eq!(
            openings.told(&play_a, MentionKind::TakenOver, at(101)),
            [],
            "it is not the server's alone"
        );
        openings
    };
    let mut unreported = passed_on(false);
    assert_eq!(due(&mut unreported, 219, false), []);
    assert_eq!(due(&mut unreported, 220, false), [ReturnReason::PassedOn]);
    let mut reported = passed_on(true);
    assert_eq!(due(&mut reported, 220, true), [], "it watches ours after all");
    let mut reported = passed_on(true);
    assert_eq!(due(&mut reported, 220, false), [ReturnReason::Silent]);
    // Its device plays another channel: nothing keeps the job alive, and the server closes the opening with it.
    let elsewhere = |at_once: bool| {
        let mut openings = passed_on(true);
        let other = ClientOpening { live_stream: LiveStreamId::new("other"), ..opening(1, "b") };
        openings.opened(OpeningId(2), other, at(101));
        let play_b = Mention { live_stream: Some(LiveStreamId::new("other")), ..play(1, "b") };
        openings.mentioned(&play_b, MentionKind::Reported, |_| true, at(102));
        if at_once {
            openings.zapping(Account(1), &DeviceId::new("device-1"), at(110));
        }
        openings
    };
    assert_eq!(elsewhere(false).take_due(at(220), |_| false), [Due::LeftToServer(OpeningId(1))]);
    let said_goodbye = Due::GiveBack(OpeningId(1), ReturnReason::Silent);
    assert_eq!(elsewhere(true).take_due(at(110), |_| false), [said_goodbye]);
    let mut paused = passed_on(true);
    paused.reported(&play_a, PlaybackReport::Paused);
    assert_eq!(paused.take_due(at(220), |_| false), [Due::LeftToServer(OpeningId(1))], "its job has ended");
    let mut zapping = passed_on(true);
    zapping.zapping(Account(1), &DeviceId::new("device-1"), at(110));
    assert_eq!(due(&mut zapping, 110, false), [ReturnReason::Silent]);
    let mut stopped = passed_on(true);
    stopped.told(&play_a, MentionKind::Stopped, at(110));
    assert_eq!(stopped.reported(&play_a, PlaybackReport::Stopped), Some(OpeningId(1)));
    assert_eq!(stopped.count(), 0);
}

#[test]
fn who_never_heard_of_it_cannot_follow() {
    let mut openings = Openings::new(PATIENCE);
    openings.opened(OpeningId(1), ClientOpening { abandoned: true, ..opening(1, "a") }, at(5));
    assert_eq!(due(&mut openings, 5, true), [ReturnReason::Abandoned]);
}

#[test]
fn a_device_that_opens_something_else_has_done_with_what_it_did_not_follow() {
    let mut openings = one();
    openings.opened(OpeningId(2), opening(1, "b"), at(10));
    openings.opened(OpeningId(3), opening(2, "c"), at(10));
    assert_eq!(openings.deadline(), Some(at(25)));
    assert_eq!(due(&mut openings, 25, false), [ReturnReason::Superseded]);
    openings.told(&play(1, "b"), MentionKind::Served, at(26));
    openings.opened(OpeningId(4), opening(1, "d"), at(30));
    assert_eq!(openings.deadline(), Some(at(130)), "what was followed is not hurried");
    let mut openings = one();
    openings.opened(OpeningId(2), opening(1, "b"), at(10));
    openings.told(&play(1, "a"), MentionKind::Named, at(11));
    assert_eq!(openings.deadline(), Some(at(130)), "a device can be two players");
}

#[test]
fn a_request_means_its_own_playback_else_what_its_account_can_have_meant() {
    let mut openings = one();
    openings.opened(OpeningId(2), ClientOpening { device: None, ..opening(1, "b") }, at(0));
    openings.opened(OpeningId(3), opening(2, "c"), at(0));
    let settled =
        |openings: &mut Openings, named: &Mention| openings.told(named, MentionKind::TakenOver, at(1));
    assert_eq!(settled(&mut openings, &Mention { name: Some("other".to_owned()), ..Mention::default() }), []);
    assert_eq!(settled(&mut openings, &Mention { live_stream: None, ..play(1, "x") }), []);
    assert_eq!(settled(&mut openings, &play(3, "x")), [], "another account's");
    assert_eq!(
        settled(&mut openings, &play(2, "b")),
        [OpeningId(2)],
        "a playback is one, whoever speaks of it"
    );
    let by_name = Mention { name: Some("name-c".to_owned()), ..Mention::default() };
    assert_eq!(settled(&mut openings, &by_name), [OpeningId(3)]);
    openings.opened(OpeningId(4), opening(1, "d"), at(0));
    assert_eq!(
        openings.told(&play(1, "quality-change"), MentionKind::Closed, at(1)),
        [OpeningId(1)],
        "one of them"
    );
    let nobody = Mention { account: None, ..play(1, "quality-change") };
    assert_eq!(settled(&mut openings, &nobody), [], "anybody could say that");
}

#[test]
fn a_token_that_dies_gives_back_while_it_can() {
    let mut openings = one();
    openings.opened(OpeningId(2), opening(2, "b"), at(0));
    openings.logging_out(Account(1), at(3));
    assert_eq!(due(&mut openings, 3, true), [ReturnReason::LoggedOut]);
    assert_eq!(openings.count(), 1);
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut openings = Openings::new(PATIENCE);
    for number in 0..REMEMBERED as u64 {
        assert_eq!(
            openings.opened(OpeningId(number), opening(number, &number.to_string()), at(number)),
            None
        );
    }
    assert_eq!(openings.opened(OpeningId(5000), opening(5000, "x"), at(5000)), Some(OpeningId(0)));
    assert_eq!(openings.count(), REMEMBERED);
}
