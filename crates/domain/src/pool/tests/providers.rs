//! The connections of a provider that both the server and the gateway pull channels from.

use super::*;
use crate::key::{LiveStreamId, OpeningId};
use crate::openings::ClientOpening;
use crate::reason::{CloseReason, LimitSource};
use crate::tuners::{HostKind, ProviderView, Timer, TimerStatus, TunerHost, TunerLimit};

const ROOMY: Limits = Limits { slots: 8, disk_budget: u64::MAX, memory: u64::MAX, ..LIMITS };

/// A channel of the playlist for which no limit is set.
fn pulled(channel: u8) -> Wanted {
    let channel = ChannelId::new(format!("channel-{channel}"));
    Wanted { lineup: Some(LineupInput { channel, playlists: vec![1], may_open: true }), tap: None }
}

/// A server whose host has the same playlist, and can have `count` channels open.
fn bench(kind: HostKind, count: u32) -> Bench {
    let mut bench = Bench::new(ROOMY);
    let host = TunerHost { id: "host".to_owned(), kind, count, provider: Some(1) };
    bench.pool.handle_event(Event::TunerHosts(vec![host]), at(0));
    bench
}

impl Bench {
    /// A client has opened a channel at the server.
    fn opened(&mut self, channel: u8, now: Timestamp) {
        let opening = ClientOpening {
            item: Some(key(channel).channel.item),
            account: Some(Account(90)),
            device: None,
            live_stream: LiveStreamId::new(format!("a_b_{channel:032x}")),
            play_session: None,
            name: None,
            abandoned: false,
        };
        self.pool.handle_event(Event::Opened(OpeningId(u64::from(channel)), opening), now);
    }

    fn on_host(&self) -> (usize, usize) {
        let tuners = self.snapshot().tuners;
        (tuners.in_use, tuners.hosts[0].in_use)
    }
}

#[test]
fn a_pull_counts_as_a_channel_that_the_server_has_open() {
    let mut bench = bench(HostKind::M3u(String::new()), 2);
    assert!(!bench.pool.is_unlimited(1), "the host of the same playlist is not");
    let (reader, _) = bench.pool.read_input(&pulled(1), at(0)).unwrap();
    assert_eq!(bench.on_host(), (0, 1), "it takes none of the server's tuners");
    bench.opened(2, at(0));
    assert_eq!(bench.on_host(), (1, 2));
    assert!(bench.pool.read_input(&pulled(3), at(0)).is_err(), "the provider allows no third connection");
    assert!(bench.pool.read_input(&pulled(1), at(0)).is_ok(), "this channel is pulled already");
    let wanted = key(4).channel.item;
    assert!(bench.pool.must_make_way(Some(&wanted), at(0)), "the server would not refuse it");
    bench.pool.handle_event(Event::ReaderLeft(reader), at(1000));
    assert_eq!(bench.snapshot().tuners.providers[1], ProviderView { limit: None, pulls: 1 });
}

#[test]
fn a_pull_that_nobody_reads_gives_way_to_a_viewer_and_to_a_recording() {
    let timer = Timer {
        id: "timer".to_owned(),
        item: Some(key(3).channel.item),
        source: Some(MediaSourceId::new(format!("{:032x}", 3))),
        playlist: None,
        starts: at(40_000),
        ends: at(4_000_000),
        status: TimerStatus::New,
    };
    for (event, reason) in [
        (Event::TunerDenied(None), CloseReason::TunerNeeded),
        (Event::Timers(vec![timer]), CloseReason::Recording),
    ] {
        let mut bench = bench(HostKind::M3u(String::new()), 2);
        let (reader, Joined { input, .. }) = bench.pool.read_input(&pulled(1), at(0)).unwrap();
        bench.opened(2, at(0));
        bench.actions();
        bench.pool.handle_event(event.clone(), at(20_000));
        assert_eq!(bench.actions(), [], "it is read");
        bench.pool.handle_event(Event::ReaderLeft(reader), at(21_000));
        bench.pool.handle_event(event, at(22_000));
        assert_eq!(bench.actions(), [Action::CloseInput { input, reason }]);
        assert_eq!(bench.on_host(), (1, 2), "its connection is not free yet");
        bench.pool.handle_event(Event::InputClosed(input), at(23_000));
        assert_eq!(bench.on_host(), (1, 1));
    }
}

#[test]
fn an_idle_channel_of_the_servers_gives_its_connection_to_a_reader() {
    let mut bench = bench(HostKind::Other, 1);
    let (stream, consumer, _) = bench.serve(1, 1, at(0));
    bench.segment(stream, 1, at(0));
    assert!(bench.pool.read_input(&pulled(2), at(0)).is_err());
    bench.pool.handle_event(Event::ConnectionNeeded(vec![1]), at(0));
    bench.pool.leave(vec![(consumer, LeaveReason::Zapped)], at(1000));
    let started = |action: &Action| matches!(action, Action::Start { .. });
    assert_eq!(bench.actions().into_iter().filter(|action| !started(action)).collect::<Vec<_>>(), []);
    bench.pool.handle_event(Event::ConnectionNeeded(vec![1]), at(1000));
    assert_eq!(bench.actions(), [Action::Stop { stream, reason: StopReason::TunerNeeded }]);
    assert!(bench.pool.read_input(&pulled(2), at(1000)).is_err(), "not closed yet");
    bench.pool.handle_event(Event::Retired(stream), at(2000));
    assert!(bench.pool.read_input(&pulled(2), at(2000)).is_ok());
}

/// The playlist that comes first allows one connection, as it is set.
#[test]
fn what_is_set_counts_and_else_what_the_provider_tells() {
    let mut bench = bench(HostKind::Other, 3);
    let account = |count| Some(TunerLimit { count, source: LimitSource::Account });
    let limits = |bench: &Bench| {
        let tuners = bench.snapshot().tuners;
        (tuners.hosts[0].limit, tuners.providers.iter().map(|seen| seen.limit).collect::<Vec<_>>())
    };
    let (server, set) = (LimitSource::Server, TunerLimit { count: 1, source: LimitSource::Lineup });
    assert_eq!(limits(&bench), (Some(TunerLimit { count: 3, source: server }), vec![Some(set), None]));
    bench.pool.handle_event(Event::ProviderTold(0, account(4)), at(0));
    assert!(bench.pool.read_input(&lineup(8), at(0)).is_ok());
    assert!(bench.pool.read_input(&lineup(9), at(0)).is_err(), "one is set");
    bench.pool.handle_event(Event::ProviderTold(1, account(1)), at(0));
    assert_eq!(limits(&bench), (account(1), vec![Some(set), account(1)]));
    assert!(bench.pool.read_input(&pulled(1), at(0)).is_ok());
    assert!(bench.pool.read_input(&pulled(2), at(0)).is_err());
    bench.pool.handle_event(Event::ProviderTold(1, None), at(0));
    assert!(bench.pool.read_input(&pulled(2), at(0)).is_ok());
}

/// Nothing but the provider bounds this playlist, and it tells late.
#[test]
fn a_limit_that_is_told_late_closes_what_is_idle_and_never_what_is_read() {
    let mut bench = Bench::new(ROOMY);
    let pull = |bench: &mut Bench, channel| bench.pool.read_input(&pulled(channel), at(0)).unwrap();
    let tell = |bench: &mut Bench, count, now| {
        let told = Some(TunerLimit { count, source: LimitSource::Account });
        bench.pool.handle_event(Event::ProviderTold(1, told), at(now));
        bench.actions()
    };
    let pulls = [1, 2, 3, 4].map(|channel| pull(&mut bench, channel));
    for (at_second, (reader, _)) in (1..).zip(&pulls[..3]) {
        bench.pool.handle_event(Event::ReaderLeft(*reader), at(at_second * 1000));
    }
    let close = |(_, joined): &(ReaderId, Joined)| Action::CloseInput {
        input: joined.input,
        reason: CloseReason::TunerLimit,
    };
    bench.actions();
    assert_eq!(tell(&mut bench, 4, 5000), []);
    assert_eq!(tell(&mut bench, 3, 6000), [close(&pulls[0])], "the one left longest ago");
    assert_eq!(tell(&mut bench, 3, 6001), [], "it is being closed");
    assert_eq!(tell(&mut bench, 1, 7000), [close(&pulls[1]), close(&pulls[2])]);
    pull(&mut bench, 4);
    bench.pool.handle_event(Event::InputClosed(pulls[1].1.input), at(8000));
    bench.actions();
    assert_eq!(tell(&mut bench, 1, 8000), [], "it is read");
}

/// A device opened a channel, and zapped on before it played it.
#[test]
fn what_was_pulled_ahead_for_a_device_that_zaps_on_is_let_go() {
    let mut bench = bench(HostKind::Other, 2);
    let Viewer { account, device, .. } = viewer(1);
    let mut ahead = |channel: u8, account| {
        let joined = bench.pool.prefetch(&key(channel).channel, account, &pulled(channel), at(0)).unwrap();
        joined.input
    };
    let (input, _) = (ahead(1, account), ahead(2, Account(2)));
    bench.actions();
    let zapping = Event::Zapping(account, device.unwrap(), key(3).channel.item);
    bench.pool.handle_event(zapping, at(1000));
    assert_eq!(bench.actions(), [Action::CloseInput { input, reason: CloseReason::Superseded }]);
}
