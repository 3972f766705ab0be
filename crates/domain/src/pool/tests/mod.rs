//! Tries the pool event by event.

use std::time::Duration;

use super::*;
use crate::clients::{Mode, TuneConditions};
use crate::consumer::Presence;
use crate::inputs::{InputKey, Joined, LineupInput, ReaderId, Wanted};
use crate::key::{Channel, ChannelId, DeviceId, InputId, ItemId, MediaSourceId, PlaySessionId, StreamKey};
use crate::produce::{Produce, ProductionMethod};
use crate::profile::{Policy, ProfileKey};
use crate::reason::{Failure, LeaveReason, RefuseReason};
use crate::signal::{Signal, Whose};
use crate::tuners::{Reserve, Settings};
use crate::viewer::{PlayerKey, Viewer};
use crate::window::{JoinPoint, Listing};

mod budgets;
mod handed_over;
mod inputs;
mod limits;
mod looking_ahead;
mod operator;
mod presence;
mod pressure;
mod producing;
mod providers;
mod remembering;
mod storm;
mod streams_at_once;
mod tuners;
mod warm_up;
mod wishes;

/// What applies to a viewer who wishes nothing.
const USUAL: TuneConditions =
    TuneConditions { mode: Mode::Auto, max_age: None, linger: None, priority: None };

/// The player that a viewer is, as a shell would tell it.
fn player_of(viewer: &Viewer) -> PlayerKey {
    PlayerKey { user: Some(viewer.account.0), device: None }
}

/// What a browser asks for that has no wishes.
fn web_tune(key: StreamKey, viewer: Viewer, produce: Produce, fresh: ConsumerId) -> Tune {
    let player = player_of(&viewer);
    Tune { key, viewer, player, class: Class::Web, produce, conditions: USUAL, fresh }
}

const LIMITS: Limits = Limits {
    slots: 2,
    idle_timeout: Duration::from_secs(600),
    warm_encode: Duration::from_secs(120),
    warm_feed: Duration::from_secs(600),
    silence: Duration::from_secs(20),
    patience: Duration::from_secs(20),
    cold_timeout: Duration::from_secs(20),
    goodbye: Duration::from_secs(2),
    unfollowed: Duration::from_secs(120),
    failures: 3,
    disk_budget: 1000,
    memory: 1000,
    own_credential: false,
    tuners: Settings { limit: None, reserve: Reserve::Auto },
    thrift: None,
    starts_ahead: true,
};

const LIST: JoinPoint = JoinPoint {
    listing: Listing::Keyed,
    sequence: 1,
    target: Duration::from_secs(4),
    plays_from_first: false,
    longest: None,
};

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn key(channel: u8) -> StreamKey {
    let item = ItemId::parse(&format!("{channel:032x}")).unwrap();
    let pairs = [("VideoCodec", "h264"), ("AudioCodec", "aac")];
    let policy = Policy { video_transcoding: true, audio_transcoding: true };
    let profile = ProfileKey::from_query(pairs.into_iter(), false, policy).unwrap();
    StreamKey {
        channel: Channel { item, source: MediaSourceId::new(format!("source-{channel}")) },
        profile: profile.key,
    }
}

/// A channel as the server shares it.
fn tap(channel: u8) -> Wanted {
    Wanted { lineup: None, tap: Some(key(channel).channel) }
}

/// A channel of the playlist that allows one connection.
fn lineup(channel: u8) -> Wanted {
    let channel = ChannelId::new(format!("channel-{channel}"));
    Wanted { lineup: Some(LineupInput { channel, playlists: vec![0], may_open: true }), tap: None }
}

/// The same channel, from the playlist or else from the server.
fn either(channel: u8) -> Wanted {
    Wanted { tap: tap(channel).tap, ..lineup(channel) }
}

fn viewer(number: u8) -> Viewer {
    Viewer {
        account: Account(u64::from(number)),
        device: Some(DeviceId::new(format!("device-{number}"))),
        play_session: Some(PlaySessionId::new(format!("play-{number}"))),
    }
}

fn goodbye(play_session: &str) -> Event {
    Event::Signal(Whose::PlaySession(PlaySessionId::new(play_session)), Signal::Stopped)
}

/// A pool that hands out tokens 1, 2, 3 …
struct Bench {
    pool: Pool,
    tokens: u128,
    /// Until when it has let time pass.
    now: Timestamp,
}

impl Bench {
    fn new(limits: Limits) -> Self {
        Self { pool: Pool::new(limits, [1, 0]), tokens: 0, now: at(0) }
    }

    fn tune(&mut self, channel: u8, number: u8, now: Timestamp) -> Admission {
        self.tokens += 1;
        let fresh = ConsumerId::from_bits(self.tokens);
        self.pool.tune(web_tune(key(channel), viewer(number), Produce::Adopt, fresh), now)
    }

    fn serve(&mut self, channel: u8, number: u8, now: Timestamp) -> (StreamId, ConsumerId, Warmth) {
        match self.tune(channel, number, now) {
            Admission::Serve { stream, consumer, warmth, .. } => (stream, consumer, warmth),
            Admission::Refused(reason) => panic!("refused: {}", reason.as_str()),
        }
    }

    fn segment(&mut self, stream: StreamId, written: u64, now: Timestamp) {
        let generation = self.view(stream).generation;
        let target = Duration::from_secs(4);
        let output = Output { target, duration: target, written: 2 * written, held: written, encoded: false };
        self.pool.handle_event(Event::SegmentReady { stream, generation, output }, now);
    }

    fn actions(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.pool.poll_action()).collect()
    }

    fn snapshot(&self) -> Snapshot {
        self.pool.snapshot(self.now)
    }

    fn view(&self, stream: StreamId) -> StreamView {
        self.snapshot().streams.into_iter().find(|view| view.id == stream).unwrap()
    }

    /// A stream of the gateway's own that has had a segment and whose one viewer left at one second.
    fn deserted(&mut self, encoded: bool) -> StreamId {
        self.tokens += 1;
        let fresh = ConsumerId::from_bits(self.tokens);
        let tune = web_tune(key(1), viewer(1), Produce::Auto, fresh);
        let Admission::Serve { stream, consumer, .. } = self.pool.tune(tune, at(0)) else {
            panic!("refused");
        };
        let target = Duration::from_secs(4);
        let output = Output { target, duration: target, written: 0, held: 1, encoded };
        self.pool.handle_event(Event::SegmentReady { stream, generation: 1, output }, at(0));
        self.pool.join_input(stream, &tap(1), at(0)).unwrap();
        self.pool.leave(vec![(consumer, LeaveReason::Zapped)], at(1000));
        self.actions();
        stream
    }

    fn presence(&self, consumer: ConsumerId) -> Option<Presence> {
        self.pool.presence(consumer)
    }
}

#[test]
fn fifty_viewers_of_a_cold_channel_start_it_once() {
    let mut bench = Bench::new(LIMITS);
    for number in 0..50 {
        let (stream, _, warmth) = bench.serve(1, number, at(0));
        assert_eq!(stream, StreamId(1));
        assert_eq!(warmth, if number == 0 { Warmth::Cold } else { Warmth::Warming });
    }
    assert_eq!(
        bench.actions(),
        [Action::Start { stream: StreamId(1), generation: 1, method: ProductionMethod::Adopted }]
    );
}

#[test]
fn a_poll_storm_changes_no_count() {
    let mut bench = Bench::new(LIMITS);
    let (stream, consumer, _) = bench.serve(1, 1, at(0));
    for millis in 0..10_000 {
        assert_eq!(bench.serve(1, 1, at(millis)).1, consumer);
        bench.pool.segment_requested(consumer, 0, at(millis));
    }
    assert_eq!(bench.view(stream).consumers.len(), 1);
    bench.pool.handle_timeout(at(9_999 + 20_000));
    assert_eq!(bench.snapshot().present(), 0);
}

#[test]
fn silence_means_something_only_after_four_target_durations() {
    let ten = Duration::from_secs(10);
    let mut bench = Bench::new(Limits { silence: ten, patience: ten, ..LIMITS });
    let (stream, consumer, _) = bench.serve(1, 1, at(0));
    bench.segment(stream, 1, at(1000));
    bench.pool.segment_requested(consumer, 0, at(2000));
    let suspect_at = bench.pool.next_deadline().unwrap();
    assert!(at(6000) < suspect_at && suspect_at < at(18_000), "{suspect_at:?}");
    bench.pool.handle_timeout(at(17_999));
    assert_eq!(bench.presence(consumer), Some(Presence::Suspect));
    assert_eq!(bench.pool.next_deadline(), Some(at(18_000)));
    bench.pool.handle_timeout(at(18_000));
    assert_eq!(
        bench.presence(consumer),
        Some(Presence::Left { at: at(18_000), reason: LeaveReason::Silence })
    );
}

#[test]
fn who_waits_for_a_cold_start_is_there() {
    let mut bench = Bench::new(Limits { silence: Duration::from_secs(1), ..LIMITS });
    bench.serve(1, 1, at(0));
    bench.pool.handle_timeout(at(19_999));
    assert_eq!(bench.snapshot().present(), 1);
}

#[test]
fn one_believed_gone_is_revived_by_its_token() {
    let mut bench = Bench::new(LIMITS);
    let (stream, consumer, _) = bench.serve(1, 1, at(0));
    bench.pool.handle_timeout(at(20_000));
    assert_eq!(bench.snapshot().present(), 0);
    assert_eq!(bench.pool.segment_requested(consumer, 0, at(120_000)), Some(stream));
    assert_eq!(bench.snapshot().present(), 1);
    assert_eq!(bench.snapshot().tally.revived, 1);
    // … and protected again: only 600 s after it has left anew may the stream go.
    bench.pool.handle_timeout(at(140_000));
    bench.pool.handle_timeout(at(739_999));
    assert_eq!(bench.pool.running(), [stream]);
    bench.pool.handle_timeout(at(740_000));
    assert_eq!(bench.pool.running(), []);
}

#[test]
fn a_token_grants_nothing_for_ever() {
    let mut bench = Bench::new(LIMITS);
    let (stream, consumer, _) = bench.serve(1, 1, at(0));
    for millis in (0..=120_000).step_by(10_000) {
        assert_eq!(bench.pool.segment_requested(consumer, 0, at(millis)), Some(stream));
    }
    // Its credential may have been revoked meanwhile: it has to be shown again, which a playlist does.
    assert_eq!(bench.pool.segment_requested(consumer, 0, at(120_001)), None);
    bench.pool.handle_timeout(at(140_000));
    assert_eq!(bench.snapshot().present(), 0, "nor does it keep anything alive");
    assert_eq!(bench.serve(1, 1, at(150_000)).1, consumer);
    assert_eq!(bench.pool.segment_requested(consumer, 0, at(270_000)), Some(stream));
}

#[test]
fn two_players_on_one_device_do_not_end_each_other_for_ever() {
    let mut bench = Bench::new(LIMITS);
    let tab =
        |play: u8| Viewer { play_session: Some(PlaySessionId::new(format!("tab-{play}"))), ..viewer(1) };
    let tune = |bench: &mut Bench, channel: u8, now: u64| {
        bench.tokens += 1;
        let fresh = ConsumerId::from_bits(bench.tokens);
        bench.pool.tune(web_tune(key(channel), tab(channel), Produce::Adopt, fresh), at(now))
    };
    tune(&mut bench, 1, 0);
    tune(&mut bench, 2, 1000);
    assert_eq!(bench.snapshot().present(), 1, "the first request for something else is proof");
    // Until then its requests count as those that were under way.
    for now in (8000..60_000).step_by(2000) {
        tune(&mut bench, 1, now);
        tune(&mut bench, 2, now + 1000);
        assert_eq!(bench.snapshot().present(), 2);
    }
    assert_eq!(bench.tune(3, 3, at(61_000)), Admission::Refused(RefuseReason::PoolFull));
}

#[test]
fn nobody_ends_a_lease_by_claiming_its_device() {
    let mut bench = Bench::new(LIMITS);
    let (_, victim, _) = bench.serve(1, 1, at(0));
    let stranger = Viewer { account: Account(9), ..viewer(1) };
    let fresh = ConsumerId::from_bits(99);
    bench.pool.tune(web_tune(key(2), stranger, Produce::Adopt, fresh), at(1000));
    assert!(bench.presence(victim).is_some_and(Presence::is_present));
}

#[test]
fn who_was_passed_on_stays_with_what_it_plays() {
    let mut bench = Bench::new(LIMITS);
    bench.serve(1, 1, at(0));
    bench.serve(2, 2, at(0));
    assert_eq!(bench.tune(3, 3, at(1000)), Admission::Refused(RefuseReason::PoolFull));
    bench.pool.handle_event(Event::PassedOn(viewer(3), key(3).channel), at(1000));
    bench.pool.handle_event(goodbye("play-1"), at(2000));
    for now in (4000..60_000).step_by(4000) {
        bench.pool.handle_timeout(at(now));
        bench.serve(2, 2, at(now));
        assert_eq!(bench.tune(3, 3, at(now)), Admission::Refused(RefuseReason::StaysPlain));
    }
    assert!(
        matches!(bench.tune(4, 3, at(60_000)), Admission::Serve { .. }),
        "on another channel it is as anybody"
    );
    bench.pool.handle_timeout(at(90_000));
    assert!(matches!(bench.tune(3, 3, at(90_000)), Admission::Serve { .. }), "and once it has paused");
}

#[test]
fn one_account_cannot_crowd_the_pool() {
    let mut bench = Bench::new(LIMITS);
    let mut admitted = 0;
    for play in 0..1000 {
        let one_of_many = Viewer { play_session: Some(PlaySessionId::new(format!("{play}"))), ..viewer(1) };
        let fresh = ConsumerId::from_bits(1000 + play);
        let admission = bench.pool.tune(web_tune(key(1), one_of_many, Produce::Adopt, fresh), at(0));
        admitted += u32::from(matches!(admission, Admission::Serve { .. }));
    }
    assert_eq!(admitted, 256);
    assert!(matches!(bench.tune(1, 2, at(0)), Admission::Serve { .. }));
}

#[test]
fn a_zap_ends_the_old_lease_at_once_and_only_its_own() {
    let mut bench = Bench::new(LIMITS);
    let (_, zapper, _) = bench.serve(1, 1, at(0));
    let (_, other, _) = bench.serve(1, 2, at(0));
    bench.serve(2, 1, at(5000));
    assert_eq!(bench.presence(zapper), Some(Presence::Left { at: at(5000), reason: LeaveReason::Zapped }));
    assert!(bench.presence(other).is_some_and(Presence::is_present));
}

#[test]
fn a_goodbye_counts_after_two_seconds_unless_it_is_taken_back() {
    let mut bench = Bench::new(LIMITS);
    let (_, consumer, _) = bench.serve(1, 1, at(0));
    let goodbye = goodbye("play-1");
    bench.pool.handle_event(goodbye.clone(), at(1000));
    bench.pool.segment_requested(consumer, 0, at(2500));
    bench.pool.handle_timeout(at(3000));
    assert_eq!(bench.snapshot().present(), 1);
    bench.pool.handle_event(goodbye, at(4000));
    bench.pool.handle_timeout(at(6000));
    assert_eq!(bench.presence(consumer), Some(Presence::Left { at: at(6000), reason: LeaveReason::Goodbye }));
}

#[test]
fn the_least_recently_watched_goes_and_nobody_is_cut() {
    let mut bench = Bench::new(LIMITS);
    bench.serve(1, 1, at(0));
    bench.serve(2, 2, at(0));
    assert_eq!(bench.tune(3, 3, at(1000)), Admission::Refused(RefuseReason::PoolFull));
    bench.pool.handle_event(goodbye("play-2"), at(2000));
    bench.pool.handle_timeout(at(4000));
    bench.pool.handle_event(goodbye("play-1"), at(5000));
    bench.pool.handle_timeout(at(7000));
    bench.actions();
    bench.serve(3, 3, at(8000));
    assert_eq!(
        bench.actions(),
        [
            Action::Stop { stream: StreamId(2), reason: StopReason::Evicted },
            Action::Start { stream: StreamId(3), generation: 1, method: ProductionMethod::Adopted }
        ]
    );
}

#[test]
fn a_request_during_teardown_starts_anew() {
    let mut bench = Bench::new(LIMITS);
    bench.serve(1, 1, at(0));
    bench.pool.handle_timeout(at(20_000));
    bench.pool.handle_timeout(at(620_000));
    bench.actions();
    let (stream, _, warmth) = bench.serve(1, 1, at(620_001));
    assert_eq!((stream, warmth), (StreamId(2), Warmth::Cold));
    bench.pool.handle_event(Event::Retired(StreamId(1)), at(621_000));
    assert_eq!(bench.snapshot().streams.len(), 1);
    assert_eq!(bench.snapshot().present(), 1);
}

#[test]
fn a_generation_that_fails_is_followed_by_another_while_somebody_watches() {
    let mut bench = Bench::new(LIMITS);
    let (stream, consumer, _) = bench.serve(1, 1, at(0));
    bench.segment(stream, 1, at(1000));
    bench.actions();
    bench.pool.handle_event(Event::Failed { stream, generation: 1, failure: Failure::Gone }, at(2000));
    assert_eq!(bench.serve(1, 1, at(2100)).2, Warmth::Warming, "what is listed may be old");
    bench.pool.join(consumer, Some(LIST), at(2100));
    assert_eq!(bench.serve(1, 1, at(2100)).2, Warmth::Warm, "who has a list goes on with it");
    bench.pool.handle_timeout(at(2500));
    assert_eq!(bench.actions(), [Action::Start { stream, generation: 2, method: ProductionMethod::Adopted }]);
    // Nobody watches any more when the next one fails: let it go.
    bench.pool.handle_event(goodbye("play-1"), at(3000));
    bench.pool.handle_timeout(at(5000));
    bench.pool.handle_event(Event::Failed { stream, generation: 2, failure: Failure::Gone }, at(6000));
    assert_eq!(bench.actions(), [Action::Stop { stream, reason: StopReason::Failed }]);
    assert_eq!(bench.presence(consumer), None);
}

#[test]
fn a_server_that_refuses_is_let_speak_for_itself() {
    let mut bench = Bench::new(LIMITS);
    let (stream, ..) = bench.serve(1, 1, at(0));
    bench.pool.handle_event(Event::Failed { stream, generation: 1, failure: Failure::Refused }, at(100));
    assert_eq!(bench.tune(1, 1, at(200)), Admission::Refused(RefuseReason::UpstreamFailing));
    let mut now = 100;
    for generation in 2..=3 {
        now += 5000;
        bench.pool.handle_timeout(at(now));
        bench.pool.handle_event(Event::Failed { stream, generation, failure: Failure::Refused }, at(now));
    }
    bench.pool.handle_timeout(at(now + 5000));
    assert_eq!(bench.pool.running(), []);
}

#[test]
fn a_viewer_of_a_stream_that_ran_keeps_it_however_often_the_server_refuses() {
    let mut bench = Bench::new(LIMITS);
    let (stream, consumer, _) = bench.serve(1, 1, at(0));
    bench.segment(stream, 1, at(500));
    bench.pool.join(consumer, Some(LIST), at(600));
    let mut now = 1000;
    for generation in 1..=3 {
        assert!(matches!(bench.tune(1, 1, at(now)), Admission::Serve { .. }));
        bench.pool.handle_event(Event::Failed { stream, generation, failure: Failure::Refused }, at(now));
        now += 5000;
        bench.pool.handle_timeout(at(now));
    }
    assert!(matches!(bench.tune(1, 1, at(now)), Admission::Serve { warmth: Warmth::Warm, .. }));
    let newcomer = bench.tune(1, 2, at(now));
    assert_eq!(newcomer, Admission::Refused(RefuseReason::UpstreamFailing), "the server speaks for itself");
    // It comes back all the same, with the numbers it had.
    bench.segment(stream, 1, at(now + 10));
    assert!(matches!(bench.tune(1, 2, at(now + 20)), Admission::Serve { warmth: Warmth::Warm, .. }));
}

/// The stream ends whose list it has, and the first tries of the next one fail: it waits, and is not sent to the server's own answer.
#[test]
fn a_viewer_with_a_list_goes_on_with_another_stream_however_that_begins() {
    let mut bench = Bench::new(LIMITS);
    let (stream, consumer, _) = bench.serve(1, 1, at(0));
    bench.segment(stream, 1, at(500));
    bench.pool.join(consumer, Some(LIST), at(600));
    bench.pool.handle_event(Event::Failed { stream, generation: 1, failure: Failure::Overlong }, at(1000));
    let (next, ..) = bench.serve(1, 1, at(1100));
    assert_ne!(next, stream);
    bench.actions();
    bench.pool.handle_event(Event::Retired(stream), at(1200));
    bench.pool.handle_event(Event::Failed { stream: next, generation: 1, failure: Failure::Gone }, at(1300));
    assert!(matches!(bench.tune(1, 1, at(1400)), Admission::Serve { stream, .. } if stream == next));
    let newcomer = bench.tune(1, 2, at(1500));
    assert_eq!(newcomer, Admission::Refused(RefuseReason::UpstreamFailing));
}

#[test]
fn idle_streams_may_not_fill_the_disk() {
    let mut bench = Bench::new(LIMITS);
    let (stream, ..) = bench.serve(1, 1, at(0));
    bench.segment(stream, 600, at(1000));
    assert_eq!(bench.pool.running(), [stream], "a watched stream is never cut");
    bench.pool.handle_timeout(at(30_000));
    assert_eq!(bench.pool.running(), [], "twice 600 bytes are more than 1000");
    assert_eq!(bench.snapshot().tally.stopped[&StopReason::DiskBudget], 1);
}

#[test]
fn memory_is_taken_from_idle_streams_only() {
    let mut bench = Bench::new(Limits { disk_budget: u64::MAX, ..LIMITS });
    let (idle, ..) = bench.serve(1, 1, at(0));
    bench.segment(idle, 300, at(0));
    bench.pool.handle_timeout(at(30_000));
    let (watched, ..) = bench.serve(2, 2, at(30_000));
    bench.segment(watched, 701, at(31_000));
    assert_eq!(bench.pool.running(), [watched]);
    bench.actions();
    bench.segment(watched, 5000, at(32_000));
    assert_eq!(bench.pool.running(), [watched]);
    assert_eq!(bench.actions(), [Action::TrimWindow(watched)]);
    assert_eq!(bench.tune(3, 3, at(33_000)), Admission::Refused(RefuseReason::MemoryFull));
}

#[test]
fn a_channel_that_is_being_opened_is_not_the_one_to_go() {
    let mut bench = Bench::new(LIMITS);
    let (first, ..) = bench.serve(1, 1, at(0));
    let (second, ..) = bench.serve(2, 2, at(0));
    bench.pool.handle_timeout(at(20_000));
    bench.pool.handle_event(Event::Opening { item: Some(key(1).channel.item), account: None }, at(30_000));
    bench.serve(3, 3, at(31_000));
    assert_eq!(
        (bench.pool.running().contains(&first), bench.pool.running().contains(&second)),
        (true, false)
    );
}

#[test]
fn a_logout_takes_with_it_what_only_it_could_release() {
    let mut bench = Bench::new(LIMITS);
    let (alone, ..) = bench.serve(1, 1, at(0));
    let (shared, ..) = bench.serve(2, 1, at(0));
    bench.serve(2, 2, at(0));
    bench.pool.handle_event(Event::LoggingOut(Account(1)), at(1000));
    assert_eq!(bench.pool.running(), [shared]);
    assert_eq!(bench.view(alone).consumers.len(), 0);
    assert_eq!(bench.snapshot().present(), 1);
    // Until it is over, nothing new is started that nobody could release.
    assert_eq!(bench.tune(1, 1, at(1500)), Admission::Refused(RefuseReason::LoggingOut));
    bench.pool.handle_event(Event::LoggedOut(Account(1)), at(2000));
    assert!(matches!(bench.tune(1, 1, at(2500)), Admission::Serve { .. }));
}

#[test]
fn shutting_down_gives_everything_back_and_takes_nothing_new() {
    let mut bench = Bench::new(LIMITS);
    bench.serve(1, 1, at(0));
    bench.actions();
    bench.pool.handle_event(Event::Shutdown, at(1));
    assert_eq!(bench.actions(), [Action::Stop { stream: StreamId(1), reason: StopReason::Shutdown }]);
    assert_eq!(bench.tune(2, 2, at(2)), Admission::Refused(RefuseReason::Draining));
    bench.pool.handle_event(Event::Retired(StreamId(1)), at(3));
    assert_eq!(bench.pool.next_deadline(), None);
}
